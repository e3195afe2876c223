//! Ways to be wrong on purpose, to test the tests with.

use view_index::{Snapshot, TableChanges};

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
            Self::ForgetRunning | Self::TrustImages => {}
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
