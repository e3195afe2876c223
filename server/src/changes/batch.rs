//! What one read of the log brought.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol::{ResetReason, Version};
use serde::{Deserialize, Serialize};
use view_index::{Snapshot, TableChanges};

/// A state of the database: which change log, and what of it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The change log's epoch. Snapshots of different epochs do not compare.
    pub epoch: String,
    /// What was seen.
    pub snapshot: Snapshot,
}

impl Mark {
    /// What clients hold to name this state.
    pub fn version(&self) -> Version {
        Version(format!("{}/{}", self.epoch, self.snapshot))
    }

    /// The same for a view with relative dates: its rows also follow from the second that it stands at.
    pub fn version_at(&self, second: i64) -> Version {
        Version(format!("{}@{second}", self.version().0))
    }

    /// The state that a client names; `None` if it is not one of ours.
    pub fn parse(version: &Version) -> Option<Self> {
        let (state, _) = version.0.split_once('@').unwrap_or((&version.0, ""));
        let (epoch, snapshot) = state.split_once('/')?;
        Some(Self {
            epoch: epoch.to_owned(),
            snapshot: snapshot.parse().ok()?,
        })
    }
}

/// The changes between two states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The state it starts from, in the same epoch as `next`.
    pub prev: Snapshot,
    /// The state it ends at.
    pub next: Mark,
    /// What happened to each changed table, by PostgreSQL's number of it.
    pub tables: HashMap<u32, TableBatch>,
    /// The tables of which it tells all. Of others nothing may have been logged.
    pub complete: BTreeSet<u32>,
    /// Set if the way from `prev` is not known: every view must be rebuilt.
    pub reset: Option<ResetReason>,
}

impl Batch {
    /// Whether anything changed.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.reset.is_none()
    }

    /// Images in it.
    pub fn sides(&self) -> usize {
        let sides = |table: &TableBatch| match table {
            TableBatch::Changes { changes, .. } => changes.sides.len(),
            TableBatch::Rebuild(_) => 0,
        };
        self.tables.values().map(sides).sum()
    }
}

/// What a batch did to one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableBatch {
    /// These changes.
    Changes {
        /// The columns that the rows were read by ([`TableDef::layout`](crate::db::catalog::TableDef::layout)).
        layout: u64,
        /// What changed.
        changes: Arc<TableChanges>,
    },
    /// More than can be told: its views must be rebuilt.
    Rebuild(ResetReason),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_its_state() {
        let snapshot = "10:20:12,15".parse().unwrap();
        let mark = Mark {
            epoch: "6f1d2c1e-0000-4000-8000-000000000000".into(),
            snapshot,
        };
        assert_eq!(Mark::parse(&mark.version()), Some(mark.clone()));
        assert_eq!(Mark::parse(&mark.version_at(-7)), Some(mark));
        for text in ["", "x", "e/1:2", "e/2:1:"] {
            assert_eq!(Mark::parse(&Version(text.into())), None, "{text}");
        }
    }
}
