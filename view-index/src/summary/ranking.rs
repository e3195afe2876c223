//! The groups of a summary in their order.

use std::cmp::Ordering;

use super::group::Group;
use super::shape::Term;
use crate::order::KeyPart;

/// So few groups are moved one by one; more are merged in one pass.
const FEW: usize = 8;

/// A group's place in [`super::SummaryIndex`]'s storage.
pub(crate) type Slot = usize;

/// Groups by their place in storage, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranking {
    slots: Vec<Slot>,
}

impl Ranking {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn range(&self, start: usize, count: usize) -> &[Slot] {
        let start = start.min(self.slots.len());
        let end = start.saturating_add(count).min(self.slots.len());
        &self.slots[start..end]
    }

    /// Takes these groups out, whose order may no longer be what it was.
    pub(crate) fn remove(&mut self, gone: &[Slot]) {
        if gone.len() <= FEW {
            for slot in gone {
                if let Some(at) = self.slots.iter().position(|held| held == slot) {
                    self.slots.remove(at);
                }
            }
        } else {
            let gone: std::collections::HashSet<Slot> = gone.iter().copied().collect();
            self.slots.retain(|slot| !gone.contains(slot));
        }
    }

    /// Puts these groups where they belong.
    pub(crate) fn insert(&mut self, mut come: Vec<Slot>, order: impl Fn(Slot, Slot) -> Ordering) {
        come.sort_by(|&a, &b| order(a, b));
        let place = |slots: &[Slot], slot| slots.partition_point(|&held| order(held, slot).is_lt());
        if come.len() <= FEW {
            for slot in come {
                let at = place(&self.slots, slot);
                self.slots.insert(at, slot);
            }
            return;
        }
        let mut merged = Vec::with_capacity(self.slots.len() + come.len());
        let mut rest = self.slots.as_slice();
        for slot in come {
            let (before, after) = rest.split_at(place(rest, slot));
            merged.extend_from_slice(before);
            merged.push(slot);
            rest = after;
        }
        merged.extend_from_slice(rest);
        self.slots = merged;
    }
}

/// Which of two groups stands first.
pub(crate) fn compare(order: &[Term], a: &Group, b: &Group) -> Ordering {
    for ((term, a), b) in order.iter().zip(&a.terms).zip(&b.terms) {
        let ordering = match (a, b) {
            (KeyPart::Null, KeyPart::Null) => Ordering::Equal,
            (KeyPart::Null, _) if term.nulls_first => Ordering::Less,
            (_, KeyPart::Null) if term.nulls_first => Ordering::Greater,
            (KeyPart::Null, _) => Ordering::Greater,
            (_, KeyPart::Null) => Ordering::Less,
            _ if term.descending => b.compare(a),
            _ => a.compare(b),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    compare_keys(&a.key, &b.key)
}

/// Ascending, nulls last.
pub(crate) fn compare_keys(a: &[KeyPart], b: &[KeyPart]) -> Ordering {
    let mut parts = a.iter().zip(b).map(|(a, b)| a.compare(b));
    parts
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
