//! Recent changes of one table.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use view_index::{RowKey, Snapshot, TableChanges};

use crate::limits::{HISTORY_PINNED_SIDES_MAX, HISTORY_SIDES_MAX};

/// One batch's changes of the table.
#[derive(Debug)]
struct Entry {
    /// The state that they lead to.
    next: Snapshot,
    changes: Arc<TableChanges>,
}

/// The changes between a state of minutes ago and the table's state now.
#[derive(Debug)]
pub struct History {
    /// The state before the oldest entry.
    floor: Snapshot,
    entries: VecDeque<Entry>,
    /// Images in all entries.
    sides: usize,
    /// Somebody will ask for old changes.
    pinned: bool,
}

impl History {
    /// Nothing is known from before this state.
    pub fn new(floor: Snapshot) -> Self {
        Self {
            floor,
            entries: VecDeque::new(),
            sides: 0,
            pinned: false,
        }
    }

    /// Forgets everything from before this state.
    pub fn reset(&mut self, floor: Snapshot) {
        *self = Self {
            pinned: self.pinned,
            ..Self::new(floor)
        };
    }

    /// Keeps more for as long as an answer is under way that takes long: it is of use only if all changes
    /// since its query are known.
    pub fn pin(&mut self, pinned: bool) {
        self.pinned = pinned;
    }

    /// Adds what the newest changes tell that a state had not `seen`; the oldest are forgotten as room is needed.
    pub fn push(&mut self, seen: &Snapshot, next: Snapshot, changes: &Arc<TableChanges>) {
        let changes = unseen(changes, seen);
        self.sides += changes.sides.len();
        self.entries.push_back(Entry { next, changes });
        let sides_max = if self.pinned {
            HISTORY_PINNED_SIDES_MAX
        } else {
            HISTORY_SIDES_MAX
        };
        while self.sides > sides_max
            && let Some(oldest) = self.entries.pop_front()
        {
            self.sides -= oldest.changes.sides.len();
            self.floor = oldest.next;
        }
    }

    /// All that changed since `state`, and possibly some that it has seen, as if it were one batch;
    /// `None` if some of it may be forgotten.
    pub fn since(&self, state: &Snapshot) -> Option<TableChanges> {
        let mut sides = Vec::new();
        let mut current = HashMap::new();
        for entry in self.unseen(state)? {
            sides.extend(entry.changes.sides.iter().cloned());
            current.extend(entry.changes.current.iter().cloned());
        }
        let current = current.into_iter().collect();
        Some(TableChanges {
            sides,
            current,
            changed_at_micros: None,
        })
    }

    /// The rows that changed since `state`; `None` if some may be forgotten.
    pub fn touched_since(&self, state: &Snapshot) -> Option<HashSet<RowKey>> {
        let sides = self.unseen(state)?.flat_map(|entry| &entry.changes.sides);
        let unseen = sides.filter(|side| !state.sees(side.xid));
        Some(unseen.map(|side| side.row.key.clone()).collect())
    }

    fn unseen(&self, state: &Snapshot) -> Option<impl Iterator<Item = &Entry>> {
        let state = state.clone();
        state.covers(&self.floor).then(|| {
            self.entries
                .iter()
                .filter(move |entry| !state.covers(&entry.next))
        })
    }
}

/// The changes without the sides that a state has seen: a server that read some of a batch by itself, before the
/// leader's batch came, holds them already, and a side that were held twice would be counted twice.
fn unseen(changes: &Arc<TableChanges>, seen: &Snapshot) -> Arc<TableChanges> {
    if !changes.sides.iter().any(|side| seen.sees(side.xid)) {
        return changes.clone();
    }
    let mut rest = TableChanges::clone(changes);
    rest.sides.retain(|side| !seen.sees(side.xid));
    Arc::new(rest)
}

#[cfg(test)]
mod tests {
    use protocol::Value;
    use view_index::{Side, TableRow};

    use super::*;

    fn deletion(xid: u64) -> Side {
        let row = TableRow {
            key: vec![Value::Int(1)].into(),
            cells: Box::default(),
            omitted: Box::default(),
        };
        Side {
            xid,
            appeared: false,
            row: Arc::new(row),
        }
    }

    /// A follower reads up to 7, and then the leader's batch comes that leads from 6 to 8.
    #[test]
    fn what_two_batches_tell_is_held_once() {
        let until = |xmax| Snapshot::new(xmax, xmax, []);
        let changes = |xids: &[u64]| {
            let sides = xids.iter().copied().map(deletion).collect();
            Arc::new(TableChanges {
                sides,
                ..TableChanges::default()
            })
        };
        let mut history = History::new(until(6));
        history.push(&until(6), until(7), &changes(&[6]));
        history.push(&until(7), until(8), &changes(&[6, 7]));
        let xids = |state| -> Option<Vec<u64>> {
            let since = history.since(&state)?;
            Some(since.sides.iter().map(|side| side.xid).collect())
        };
        assert_eq!(xids(until(6)), Some(vec![6, 7]));
        assert_eq!(xids(until(7)), Some(vec![7]));
        assert_eq!(xids(until(5)), None, "no longer known");
    }
}
