//! What a database would answer, on its way into the view.

use view_index::{
    Bound, Chart, ChartBlock, Fetched, KeySet, Need, Order, Origin, Piece, Ranks, Sizes, Snapshot,
    Tally, Verdicts, ViewIndex,
};

use super::model::{Batch, Picked, key_of, row_of};

/// An answer that is being caught up.
pub(crate) struct Pending {
    what: What,
    /// The state that it shows.
    seen: Snapshot,
}

enum What {
    Piece(Piece),
    Chart(Chart),
    Tally(Tally),
}

impl Pending {
    pub(crate) fn apply(&mut self, view: &ViewIndex, batch: &Batch, next: &Snapshot) {
        assert!(self.seen.covers(&batch.previous), "no batch is missed");
        let (ranks, verdicts) = (Ranks::default(), Verdicts::default());
        let changes = (&batch.changes, &verdicts);
        match &mut self.what {
            What::Piece(piece) => view.bring(piece, changes, &ranks, &self.seen).unwrap(),
            What::Chart(chart) => view
                .bring_chart(chart, changes, &ranks, &self.seen)
                .unwrap(),
            What::Tally(tally) => view
                .bring_tally(tally, changes, &ranks, &self.seen)
                .unwrap(),
        }
        self.seen = next.clone();
    }

    /// Whether the view could use it.
    pub(crate) fn adopt(self, view: &mut ViewIndex) -> bool {
        match self.what {
            What::Piece(piece) => view.adopt(piece).unwrap(),
            What::Chart(chart) => view.adopt_chart(chart).unwrap(),
            What::Tally(tally) => {
                let adopted = view.adopt_tally(tally).unwrap();
                assert!(view.total_is_exact());
                adopted
            }
        }
    }
}

/// The view's rows as a query sees them.
pub(crate) struct Queried {
    pub(crate) rows: Vec<Picked>,
    pub(crate) seen: Snapshot,
    pub(crate) order: Order,
    pub(crate) sizes: Sizes,
    pub(crate) listed: bool,
}

impl Queried {
    /// The last rows of the view.
    pub(crate) fn end(&self, view: &ViewIndex, count: u64) -> Pending {
        let from = self.rows.len().saturating_sub(at(count));
        let complete = self.rows.len() < at(count);
        self.piece(view, Origin::End, &self.rows[from..], complete)
    }

    /// How many rows there are.
    pub(crate) fn count(&self, view: &ViewIndex) -> Pending {
        Pending {
            what: What::Tally(view.tally(self.rows.len() as u64)),
            seen: self.seen.clone(),
        }
    }

    pub(crate) fn answer(&self, view: &ViewIndex, need: Need) -> Pending {
        match need {
            Need::Rows { origin, count, .. } => {
                let Origin::Behind { bound, skipped } = &origin else {
                    return self.end(view, count);
                };
                let from = self.from(bound) + at(*skipped);
                let rows = self.rows.get(from..).unwrap_or_default();
                let rows = &rows[..at(count).min(rows.len())];
                self.piece(view, origin, rows, rows.len() < at(count))
            }
            Need::Listed { origin, keys, .. } => {
                let is_listed = |row: &&Picked| keys.contains(&key_of(row.0));
                let rows: Vec<Picked> = self.rows.iter().filter(is_listed).copied().collect();
                self.piece(view, origin, &rows, false)
            }
            Need::Chart { lower, upper, .. } => {
                let end = upper.as_ref().map(|upper| self.from(upper));
                let rows = &self.rows[self.from(&lower)..end.unwrap_or(self.rows.len())];
                let chart = view.chart((lower, upper), self.chart(rows), &Ranks::default());
                Pending {
                    what: What::Chart(chart.unwrap()),
                    seen: self.seen.clone(),
                }
            }
        }
    }

    fn piece(&self, view: &ViewIndex, origin: Origin, rows: &[Picked], complete: bool) -> Pending {
        let fetched = Fetched {
            origin,
            rows: rows.iter().copied().map(row_of).collect(),
            complete,
        };
        Pending {
            what: What::Piece(view.piece(fetched, &Ranks::default()).unwrap()),
            seen: self.seen.clone(),
        }
    }

    fn from(&self, bound: &Bound) -> usize {
        let ranks = Ranks::default();
        self.rows.partition_point(|&row| {
            let key = self.order.key(&row_of(row), &ranks).unwrap();
            !bound.admits(&self.order, &key)
        })
    }

    fn chart(&self, rows: &[Picked]) -> Vec<ChartBlock> {
        let size = if self.listed {
            self.sizes.listed
        } else {
            self.sizes.counted
        };
        let block = |rows: &[Picked]| ChartBlock {
            first: row_of(rows[0]),
            count: rows.len() as u64,
            keys: self
                .listed
                .then(|| KeySet::new(rows.iter().map(|row| key_of(row.0)).collect())),
        };
        rows.chunks(at(size)).map(block).collect()
    }
}

fn at(count: u64) -> usize {
    usize::try_from(count).unwrap()
}
