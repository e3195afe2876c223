//! Ways to be wrong on purpose, to test the tests with.

use view_index::{ChartBlock, OrderColumn, Snapshot, TableChanges};

use crate::db::log::LogEntry;

/// A way to be wrong on purpose. No option of the program sets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Every tenth image of the log is lost.
    DropSides,
    /// Transactions that were running at the last batch are forgotten (as `seq > last` would).
    ForgetRunning,
    /// Transactions get numbers that an earlier state has seen (as after a crash without a new epoch).
    ReuseTransactionIds,
    /// Rows are not read again: an image of the log, whichever came last, is taken for the row.
    TrustImages,
    /// Rows whose sort columns are equal are ordered by their key, but in the wrong direction.
    BreakTie,
    /// Where a view is divided, one block of several loses a row from its count.
    SkipSplit,
}

impl Sabotage {
    /// What the log is read against, given what was really seen.
    pub fn seen(self, snapshot: &Snapshot) -> Snapshot {
        if self == Self::ForgetRunning {
            return Snapshot::new(snapshot.xmax(), snapshot.xmax(), []);
        }
        snapshot.clone()
    }

    /// The log's rows, given the real ones.
    pub fn entries(self, entries: &mut Vec<LogEntry>) {
        match self {
            Self::DropSides => entries.retain(|entry| entry.xid % 10 != 0),
            Self::ReuseTransactionIds => {
                for entry in entries.iter_mut().filter(|entry| entry.xid % 10 == 0) {
                    entry.xid = 3;
                }
            }
            _ => {}
        }
    }

    /// A view's order, given the real one, whose first columns were asked for.
    pub fn order(self, order: &mut [OrderColumn], asked_for: usize) {
        if self == Self::BreakTie && asked_for > 0 {
            for tie_breaker in order.iter_mut().skip(asked_for) {
                tie_breaker.descending = !tie_breaker.descending;
            }
        }
    }

    /// How a view is divided, given how it really is.
    pub fn blocks(self, blocks: &mut [ChartBlock]) {
        if self == Self::SkipSplit
            && let [_, second, ..] = blocks
        {
            second.count -= 1;
        }
    }

    /// What rows are at the end of a batch, given what they really are.
    pub fn current(self, changes: &mut TableChanges) {
        if self != Self::TrustImages {
            return;
        }
        for (key, row) in &mut changes.current {
            let last = changes
                .sides
                .iter()
                .rfind(|side| side.row.key == *key && side.appeared);
            *row = last.map(|side| side.row.clone());
        }
    }
}
