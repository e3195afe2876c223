//! Answers of the toy database on their way into the view.

use view_index::{
    Bound, Chart, ChartBlock, Fetched, Key, KeySet, Need, Order, Origin, Piece, Ranks, RowKey,
    Snapshot, Tally, ViewIndex,
};

use super::database::Batch;
use super::sabotage::Sabotage;
use super::table::{Picks, table_row};

/// Rows in a block of a chart.
const CHARTED: usize = 4;
const LISTED: usize = 3;

/// An answer that is being caught up.
pub(crate) struct Pending {
    pub(crate) what: What,
    /// The state that it shows.
    seen: Snapshot,
    /// What its query saw.
    pub(crate) queried: Snapshot,
    /// From which position rows were asked for, and each row with its key.
    pub(crate) rows: (u64, Vec<(Picks, Key)>),
}

pub(crate) enum What {
    Piece(Piece),
    Chart(Chart),
    Tally(Tally),
}

impl Pending {
    /// A query that saw so many rows.
    pub(crate) fn count(rows: u64, view: &ViewIndex, queried: Snapshot) -> Self {
        Self {
            what: What::Tally(view.tally(rows)),
            seen: queried.clone(),
            queried,
            rows: (0, Vec::new()),
        }
    }

    pub(crate) fn is_at(&self, snapshot: &Snapshot) -> bool {
        self.seen.covers(snapshot) && snapshot.covers(&self.seen)
    }

    pub(crate) fn apply(
        &mut self,
        view: &ViewIndex,
        previous: &Snapshot,
        batch: &Batch,
        ranks: &Ranks,
        how: Option<Sabotage>,
    ) {
        if self.seen.covers(&batch.next) {
            return;
        }
        let seen = match how {
            Some(Sabotage::ForgetFetchSnapshot) => previous,
            _ => &self.seen,
        };
        let changes = (&batch.changes, &batch.verdicts);
        match &mut self.what {
            What::Piece(piece) => view.bring(piece, changes, ranks, seen).unwrap(),
            What::Chart(chart) => view.bring_chart(chart, changes, ranks, seen).unwrap(),
            What::Tally(tally) => view.bring_tally(tally, changes, ranks, seen).unwrap(),
        }
        self.seen = batch.next.clone();
    }
}

/// A view's rows as a query sees them.
pub(crate) struct QueriedRows {
    pub(crate) rows: Vec<(Picks, Key)>,
    pub(crate) order: Order,
    pub(crate) listed: bool,
}

impl QueriedRows {
    pub(crate) fn answer(
        &self,
        need: Need,
        view: &ViewIndex,
        shown: &Snapshot,
        queried: Snapshot,
        ranks: &Ranks,
    ) -> Pending {
        let at = |count: u64| usize::try_from(count).unwrap();
        let fetched = |origin, rows: &[(Picks, Key)], complete| Fetched {
            origin,
            rows: rows.iter().map(|(row, _)| table_row(row)).collect(),
            complete,
        };
        let (what, seen, rows) = match need {
            Need::Rows {
                origin: Origin::End,
                count,
                ..
            } => {
                let first = self.rows.len().saturating_sub(at(count));
                let complete = self.rows.len() < at(count);
                let fetched = fetched(Origin::End, &self.rows[first..], complete);
                (
                    What::Piece(view.piece(fetched, ranks).unwrap()),
                    queried.clone(),
                    (0, Vec::new()),
                )
            }
            Need::Rows {
                origin: Origin::Behind { bound, skipped },
                count,
                position,
            } => {
                let from = self.from(&bound) + at(skipped);
                let rows = self.rows.get(from..).unwrap_or_default();
                let rows = &rows[..at(count).min(rows.len())];
                let fetched = fetched(
                    Origin::Behind { bound, skipped },
                    rows,
                    rows.len() < at(count),
                );
                let piece = What::Piece(view.piece(fetched, ranks).unwrap());
                (piece, queried.clone(), (position, rows.to_vec()))
            }
            Need::Listed { origin, keys, .. } => {
                let is_listed = |(row, _): &&(Picks, Key)| keys.contains(&table_row(row).key);
                let rows: Vec<(Picks, Key)> = self.rows.iter().filter(is_listed).cloned().collect();
                let fetched = fetched(origin, &rows, false);
                (
                    What::Piece(view.piece(fetched, ranks).unwrap()),
                    shown.clone(),
                    (0, Vec::new()),
                )
            }
            Need::Chart { lower, upper, .. } => {
                let from = self.from(&lower);
                let to = upper
                    .as_ref()
                    .map_or(self.rows.len(), |upper| self.from(upper));
                let blocks = self.chart(&self.rows[from..to]);
                let chart = view.chart((lower, upper), blocks, ranks).unwrap();
                (What::Chart(chart), queried.clone(), (0, Vec::new()))
            }
            Need::Rows { .. } => unreachable!("rows are asked for from a bound or the end"),
        };
        Pending {
            what,
            seen,
            queried,
            rows,
        }
    }

    fn from(&self, bound: &Bound) -> usize {
        self.rows
            .partition_point(|(_, key)| !bound.admits(&self.order, key))
    }

    fn chart(&self, rows: &[(Picks, Key)]) -> Vec<ChartBlock> {
        let size = if self.listed { LISTED } else { CHARTED };
        let block = |rows: &[(Picks, Key)]| ChartBlock {
            first: table_row(&rows[0].0),
            count: rows.len() as u64,
            keys: self.listed.then(|| {
                let keys: Vec<RowKey> = rows
                    .iter()
                    .map(|(row, _)| table_row(row).key.clone())
                    .collect();
                KeySet::new(keys)
            }),
        };
        rows.chunks(size).map(block).collect()
    }
}
