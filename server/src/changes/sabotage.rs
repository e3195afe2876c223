//! Ways to be wrong on purpose, to test the tests with.

use view_index::summary::Settled;
use view_index::{Side, Snapshot, TableChanges};

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
    /// Transactions that wrote a table before it was attended are taken for ones that have logged everything.
    TrustWriters,
    /// Every tenth row that comes is not added to its group.
    MissGroups,
    /// Of the extreme values that are asked for when the last known one went, the first is missed.
    MissExtremes,
    /// Relative dates never move along with time.
    StandStill,
    /// Relative dates move along, and the rows that they pass are left where they were.
    PassOver,
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

    /// The changes that groups are told of, given those of the table.
    pub fn of_groups(self, changes: &TableChanges) -> TableChanges {
        let mut told = changes.clone();
        if self == Self::MissGroups {
            let is_missed = |side: &&mut Side| side.appeared && side.xid.is_multiple_of(10);
            for side in told.sides.iter_mut().filter(is_missed) {
                // Seen by every state; the verdicts go by the sides' places.
                side.xid = 3;
            }
        }
        told
    }

    /// What was found out about lost extreme values.
    pub fn settled(self, settled: &mut [Settled]) {
        if self != Self::MissExtremes {
            return;
        }
        for best in settled.iter_mut().map(|one| &mut one.best) {
            let first = best.first().cloned();
            if best.last() != first.as_ref() {
                best.retain(|value| Some(value) != first.as_ref());
            }
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
