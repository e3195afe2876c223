//! The ranks of changed rows, for views that search.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::Value;
use view_index::{Side, TableChanges, TableRow};

use super::TableTask;
use crate::db::asks::scores;
use crate::db::query::Condition;
use crate::views::plan::{Plan, Ranking};

/// Changes as the views of a table see them: those that rank their rows see one more column.
pub(super) struct Ranked {
    by: HashMap<Condition, TableChanges>,
}

impl Ranked {
    /// The changes as a view sees them that means this.
    pub(super) fn of<'a>(&'a self, plan: &Plan, changes: &'a TableChanges) -> &'a TableChanges {
        let Some(ranking) = plan.ranking() else {
            return changes;
        };
        self.by.get(&ranking.score).unwrap_or(changes)
    }
}

impl TableTask {
    /// These changes as each of the views sees them: one statement, if any of them ranks its rows.
    pub(super) async fn ranked(&self, changes: &TableChanges) -> Result<Ranked, sqlx::Error> {
        let plans = self.views.values().map(|view| &view.plan);
        let mut known: HashSet<&Condition> = HashSet::new();
        let rankings: Vec<&Ranking> = plans
            .filter_map(|plan| plan.ranking())
            .filter(|ranking| known.insert(&ranking.score))
            .collect();
        self.ranked_by(&rankings, changes).await
    }

    /// These changes as a view sees them that means this.
    pub(super) async fn ranked_for(
        &self,
        plan: &Plan,
        changes: TableChanges,
    ) -> Result<TableChanges, sqlx::Error> {
        let rankings: Vec<&Ranking> = plan.ranking().into_iter().collect();
        let ranked = self.ranked_by(&rankings, &changes).await?;
        Ok(ranked.by.into_values().next().unwrap_or(changes))
    }

    async fn ranked_by(
        &self,
        rankings: &[&Ranking],
        changes: &TableChanges,
    ) -> Result<Ranked, sqlx::Error> {
        let asked: Vec<&Condition> = rankings.iter().map(|it| &it.score).collect();
        let scores = scores(&self.around.pool, &self.table, &asked, changes).await?;
        let place = self.table.columns.len();
        let by = rankings.iter().zip(scores).map(|(ranking, scores)| {
            let changes = with_scores(changes, &scores, place, &ranking.columns);
            (ranking.score.clone(), changes)
        });
        Ok(Ranked { by: by.collect() })
    }
}

/// The same changes with one more column, at `place`: first the sides' scores, then the current rows'.
fn with_scores(
    changes: &TableChanges,
    scores: &[Option<f64>],
    place: usize,
    columns: &[usize],
) -> TableChanges {
    let score = |at: usize| scores.get(at).copied().flatten();
    let sides = changes.sides.iter().enumerate().map(|(at, side)| Side {
        row: with_score(&side.row, score(at), place, columns),
        ..side.clone()
    });
    let behind = changes.sides.len();
    let current = changes.current.iter().enumerate().map(|(at, (key, row))| {
        let row = row.as_ref();
        let row = row.map(|row| with_score(row, score(behind + at), place, columns));
        (key.clone(), row)
    });
    TableChanges {
        sides: sides.collect(),
        current: current.collect(),
        changed_at_micros: changes.changed_at_micros,
    }
}

fn with_score(
    row: &Arc<TableRow>,
    score: Option<f64>,
    place: usize,
    columns: &[usize],
) -> Arc<TableRow> {
    let cells = row.cells.iter().take(place).cloned();
    let value = score.map_or(Value::Null, Value::Float);
    let mut omitted = row.omitted.to_vec();
    // PostgreSQL was not shown all of the document.
    if columns.iter().any(|&column| row.cell(column).is_none()) {
        omitted.extend(u32::try_from(place));
    }
    Arc::new(TableRow {
        key: row.key.clone(),
        cells: cells.chain([value]).collect(),
        omitted: omitted.into(),
    })
}
