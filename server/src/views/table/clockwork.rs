//! Views with relative dates, moved along with time.
//!
//! Such a view stands at an instant. When its next step is due, the rows that are between the two instants'
//! bounds are read (by ranges of the columns, at a snapshot), brought to the table's state, and those that
//! are in only one of the two views come or go. To its windows that is a change like any other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::{ErrorCode, ResetReason};
use tokio::task::JoinSet;
use view_index::{RowKey, Snapshot, TableChanges, TableRow};

use super::{Surroundings, TableTask, rows_of};
use crate::changes::Sabotage;
use crate::db::catalog::TableDef;
use crate::db::relative::rows_between;
use crate::db::rows::FetchError;
use crate::limits::CLOCK_ROWS_MAX;
use crate::views::plan::Plan;
use crate::views::view::ViewId;

/// Steps under way.
#[derive(Debug, Default)]
pub(super) struct Clockwork {
    /// Those that PostgreSQL is asked about.
    pub(super) queries: JoinSet<Step>,
    /// Those from a state that the table has not reached yet.
    early: Vec<Step>,
    /// The views that they are steps of.
    views: HashSet<ViewId>,
    /// Held by every view that moves along with time, so that whether there is any needs no look at all views.
    pub(super) moving: Arc<()>,
}

/// One view's step.
#[derive(Debug)]
pub(super) struct Step {
    view: ViewId,
    /// Which life of the view; an earlier one's step is of no use.
    life: u64,
    found: Result<Found, FetchError>,
}

/// What a step needs.
#[derive(Debug)]
pub(super) struct Found {
    /// The view at the later instant.
    pub(super) later: Plan,
    /// What the query saw.
    pub(super) snapshot: Snapshot,
    /// The rows between the two; `None` if they are too many to be told.
    pub(super) rows: Option<Vec<Arc<TableRow>>>,
}

/// Reads what a step of `plan` to a later second needs.
pub(super) async fn find(
    around: &Surroundings,
    table: &TableDef,
    plan: &Plan,
    second: i64,
) -> Result<Found, FetchError> {
    let pool = &around.pool;
    let later = plan.at(second, table, pool).await?;
    let between = plan.between(&later, table);
    let (snapshot, mut rows) = rows_between(pool, table, &between, CLOCK_ROWS_MAX).await?;
    if around.sabotage == Some(Sabotage::PassOver) {
        rows = Some(Vec::new());
    }
    Ok(Found {
        later,
        snapshot,
        rows,
    })
}

impl TableTask {
    /// Whether any view moves with time.
    pub(super) fn has_clockwork(&self) -> bool {
        Arc::strong_count(&self.clockwork.moving) > 1 || self.summaries.are_relative()
    }

    /// Begins the steps that are due. A view that is being counted waits for that.
    pub(super) fn begin_steps(&mut self) {
        if self.around.sabotage == Some(Sabotage::StandStill) {
            return;
        }
        let second = self.around.clock.now();
        self.begin_summary_steps(second);
        for view in self.views.values() {
            let is_due = view.plan.is_behind(second) && view.index.is_some();
            if !is_due || view.is_counting() || !self.clockwork.views.insert(view.id) {
                continue;
            }
            let (around, table) = (self.around.clone(), self.table.clone());
            let (view, life, plan) = (view.id, view.life, view.plan.clone());
            self.clockwork.queries.spawn(async move {
                let room = around.fetches.acquire().await;
                let found = find(&around, &table, &plan, second).await;
                drop(room);
                Step { view, life, found }
            });
        }
    }

    /// Tries the steps again that were ahead of the table.
    pub(super) async fn take_early_steps(&mut self) {
        for step in std::mem::take(&mut self.clockwork.early) {
            self.take_step(step).await;
        }
    }

    /// Takes a step once the table's state covers the query's.
    pub(super) async fn take_step(&mut self, step: Step) {
        let Step { view, life, found } = step;
        let is_ahead = found
            .as_ref()
            .is_ok_and(|found| !self.mark.snapshot.covers(&found.snapshot));
        if is_ahead {
            self.clockwork.early.push(Step { view, life, found });
            self.around.wake.requested.notify_one();
            return;
        }
        self.clockwork.views.remove(&view);
        let is_of_use = self
            .views
            .get(&view)
            .is_some_and(|view| view.life == life && !view.is_counting());
        if !is_of_use {
            return;
        }
        match found {
            Ok(found) => match self.step(view, found).await {
                Ok(()) => self.refresh(view, None),
                Err(error) => tracing::debug!(%error, "a view's step is tried again"),
            },
            Err(error) => self.report_step(view, &error),
        }
    }

    fn report_step(&mut self, view: ViewId, error: &FetchError) {
        let state = match error {
            FetchError::Database(error) => error.as_database_error().and_then(|it| it.code()),
            FetchError::Decode(_) => None,
        };
        if state.as_deref() != Some("57014") {
            return tracing::debug!(%error, "a view's step is tried again");
        }
        let message = "moving this view along with time takes too long; an index on the column of \
                       the relative date would help";
        if let Some(view) = self.views.get_mut(&view) {
            view.refuse_if(|_| true, ErrorCode::QueryTimeout, message);
        }
    }

    async fn step(&mut self, id: ViewId, found: Found) -> Result<(), sqlx::Error> {
        let Some(since) = self.history.since(&found.snapshot) else {
            return Ok(());
        };
        let is_all = found.rows.is_some();
        let changes = as_they_are(found.rows.unwrap_or_default(), since);
        let changes = self.ranked_for(&found.later, changes).await?;
        let verdicts = self.ask_verdicts(&changes).await?;
        let orders = std::iter::once(found.later.order.as_slice());
        self.answers
            .place(&self.around.pool, orders, rows_of(&changes))
            .await?;
        let Some(view) = self.views.get_mut(&id) else {
            return Ok(());
        };
        let predicate = found.later.predicate(&self.table, &mut self.answers);
        self.answers.release(&view.predicate.asked());
        let moved = match &mut view.index {
            Some(index) if is_all => {
                index.advance(predicate.clone(), &changes, &verdicts, self.answers.ranks())
            }
            _ => Ok(()),
        };
        view.predicate = predicate;
        view.plan = Arc::new(found.later);
        // Rows that are being fetched are those of the instant before.
        view.life += 1;
        match moved {
            Ok(()) if is_all => {}
            Ok(()) => view.rebuild(ResetReason::TooManyChanges),
            Err(error) => {
                tracing::warn!(table = self.table.sql_name, %error, "rebuilding a view");
                view.rebuild(ResetReason::TooManyChanges);
            }
        }
        Ok(())
    }
}

/// Rows as they were in a state, and all that changed since, as they are now.
pub(super) fn as_they_are(rows: Vec<Arc<TableRow>>, since: TableChanges) -> TableChanges {
    let keyed = |row: Arc<TableRow>| (row.key.clone(), Some(row));
    let mut current: HashMap<RowKey, Option<Arc<TableRow>>> = rows.into_iter().map(keyed).collect();
    current.extend(since.current);
    TableChanges {
        sides: Vec::new(),
        current: current.into_iter().collect(),
        changed_at_micros: None,
    }
}
