//! The changes that were made, and when each was seen.
//!
//! A change is known by its number, which rises with every write and stands in the row itself. So a
//! change that was merged with a later one to the same row is seen when the later number is. Where a
//! change took the row out of the window there is no number to see: there the update's version says
//! whether it contains the change's transaction.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use view_index::{Snapshot, Xid};

/// The longest latency told from longer ones, in microseconds.
const LONGEST_MICROS: u64 = 60_000_000;

/// The changes of one measurement. Shared by writers and clients.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    changes: Vec<Change>,
    /// Each row's changes, in the order of their numbers.
    of_row: HashMap<i64, Vec<usize>>,
}

#[derive(Debug)]
struct Change {
    number: i64,
    /// When it should have been sent.
    due: Instant,
    /// When the commit was acknowledged, and whose it was.
    committed: Option<(Instant, Xid)>,
    seen: Vec<Sighting>,
}

#[derive(Debug)]
struct Sighting {
    at: Instant,
    /// Set if the row was taken away: the change was seen if this contains it.
    removed_at: Option<Arc<Snapshot>>,
    /// A later change to the same row was seen at once with it.
    merged: bool,
}

/// What a client saw of a row.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// The row, changed last by the change of this number.
    Number(i64),
    /// That the row is not there in this state.
    Removed(Arc<Snapshot>),
}

/// What came of one measurement.
#[derive(Debug)]
pub(super) struct Summary {
    /// Changes committed after the warm-up.
    pub(super) changes: u64,
    /// Changes that no client's rows showed: the row had left every window by then.
    pub(super) unseen: u64,
    /// Sightings at once with a later change to the same row.
    pub(super) merged: u64,
    /// Sightings before the writer had the acknowledgement, counted as 0.
    pub(super) before_acknowledgement: u64,
    /// From the acknowledged commit to each sighting, in microseconds.
    pub(super) from_commit: Histogram<u64>,
    /// From the instant at which the change was due to each sighting, in microseconds.
    pub(super) from_due: Histogram<u64>,
    /// From the instant at which a change was due to its commit, in microseconds.
    pub(super) writing: Histogram<u64>,
}

impl Ledger {
    /// A change that is about to be made; `number` is greater than that of any before.
    pub(super) fn begin(&self, row: i64, number: i64, due: Instant) -> usize {
        let mut inner = self.lock();
        let index = inner.changes.len();
        inner.changes.push(Change {
            number,
            due,
            committed: None,
            seen: Vec::new(),
        });
        inner.of_row.entry(row).or_default().push(index);
        index
    }

    /// A change was committed.
    pub(super) fn committed(&self, index: usize, at: Instant, xid: Xid) {
        if let Some(change) = self.lock().changes.get_mut(index) {
            change.committed = Some((at, xid));
        }
    }

    /// A client, whose row held the change `before` so far, saw this of the row.
    pub(super) fn seen(&self, row: i64, before: i64, what: &Seen, at: Instant) {
        let inner = &mut *self.lock();
        let Some(of_row) = inner.of_row.get(&row) else {
            return;
        };
        for &index in of_row.iter().rev() {
            let change = &mut inner.changes[index];
            if change.number <= before {
                return;
            }
            let (removed_at, merged) = match what {
                Seen::Number(number) if change.number > *number => continue,
                Seen::Number(number) => (None, change.number < *number),
                Seen::Removed(snapshot) => (Some(snapshot.clone()), false),
            };
            change.seen.push(Sighting {
                at,
                removed_at,
                merged,
            });
        }
    }

    /// Whether a row's last change is a later one than this.
    pub(super) fn is_stale(&self, row: i64, number: i64) -> bool {
        let inner = self.lock();
        let last = inner.of_row.get(&row).and_then(|of_row| of_row.last());
        last.is_some_and(|&index| inner.changes[index].number > number)
    }

    /// What came of the changes that were due in this time.
    pub(super) fn summary(&self, time: &Range<Instant>) -> anyhow::Result<Summary> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_MICROS, 3);
        let mut summary = Summary {
            changes: 0,
            unseen: 0,
            merged: 0,
            before_acknowledgement: 0,
            from_commit: histogram()?,
            from_due: histogram()?,
            writing: histogram()?,
        };
        for change in self
            .lock()
            .changes
            .iter()
            .filter(|change| time.contains(&change.due))
        {
            let Some((committed, xid)) = change.committed else {
                continue;
            };
            summary.changes += 1;
            record(&mut summary.writing, committed - change.due);
            let mut is_seen = false;
            for sighting in &change.seen {
                if sighting
                    .removed_at
                    .as_ref()
                    .is_some_and(|snapshot| !snapshot.sees(xid))
                {
                    continue;
                }
                is_seen = true;
                summary.merged += u64::from(sighting.merged);
                summary.before_acknowledgement += u64::from(sighting.at < committed);
                let latency = sighting.at.saturating_duration_since(committed);
                record(&mut summary.from_commit, latency);
                record(&mut summary.from_due, sighting.at - change.due);
            }
            summary.unseen += u64::from(!is_seen);
        }
        Ok(summary)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing under the lock panics half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_MICROS));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short enough for the histograms to be exact.
    const TICK: Duration = Duration::from_micros(100);

    #[test]
    fn a_merged_change_counts_from_its_own_commit() {
        let (ledger, start) = (Ledger::default(), Instant::now());
        for (number, xid) in [(10, 100), (11, 101)] {
            let index = ledger.begin(7, number, start);
            ledger.committed(index, start + TICK * (xid - 99), u64::from(xid));
        }
        ledger.seen(7, 9, &Seen::Number(11), start + TICK * 5);
        let summary = ledger.summary(&(start..start + TICK)).unwrap();
        assert_eq!((summary.changes, summary.unseen, summary.merged), (2, 0, 1));
        assert_eq!(summary.from_commit.max(), 400);
        assert_eq!(summary.from_commit.min(), 300);
    }

    #[test]
    fn a_removed_row_shows_only_what_its_version_contains() {
        let (ledger, start) = (Ledger::default(), Instant::now());
        let snapshot = Arc::new(Snapshot::new(101, 101, []));
        ledger.begin(7, 10, start);
        ledger.begin(7, 11, start);
        // Before the acknowledgements.
        ledger.seen(7, 9, &Seen::Removed(snapshot), start + TICK);
        ledger.committed(0, start + TICK * 2, 100);
        ledger.committed(1, start + TICK * 3, 101);
        let summary = ledger.summary(&(start..start + TICK)).unwrap();
        assert_eq!((summary.from_commit.len(), summary.unseen), (1, 1));
        assert_eq!(summary.before_acknowledgement, 1);
        assert_eq!(summary.from_due.max(), 100);
    }

    #[test]
    fn what_was_seen_before_is_not_seen_again() {
        let (ledger, start) = (Ledger::default(), Instant::now());
        ledger.begin(7, 10, start);
        ledger.committed(0, start, 100);
        ledger.seen(7, 10, &Seen::Number(10), start);
        ledger.seen(8, 0, &Seen::Number(10), start);
        assert_eq!(ledger.summary(&(start..start + TICK)).unwrap().unseen, 1);
        assert!(ledger.is_stale(7, 9) && !ledger.is_stale(7, 10) && !ledger.is_stale(8, 0));
    }
}
