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

    /// Adds the newest changes; the oldest are forgotten as room is needed.
    pub fn push(&mut self, next: Snapshot, changes: Arc<TableChanges>) {
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
