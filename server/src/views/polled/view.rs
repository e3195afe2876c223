//! One view of a table that is not live, and its windows.

use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorCode, Version};
use tokio::time::Instant;

use super::lanes::{LookError, Looked};
use super::window::PolledWindow;
use crate::db::catalog::TableDef;
use crate::db::polls::{Look, Place, PolledQuery};
use crate::limits::{POLL_FAILURES_MAX, POLL_INTERVAL_MAX, POLL_PAUSE_FACTOR, POLL_SLOW};
use crate::views::plan::Plan;

/// A view's number in its table.
pub(super) type PolledViewId = u64;

/// One view of a table that is not live, and its windows.
#[derive(Debug)]
pub(super) struct PolledView {
    /// What it means.
    pub(super) plan: Plan,
    /// Its rows have an order; else they come as PostgreSQL finds them.
    is_ordered: bool,
    /// How PostgreSQL is asked for it.
    pub(super) query: Arc<PolledQuery>,
    /// Who shows it.
    pub(super) windows: Vec<PolledWindow>,
    /// What was seen last, with the versions that clients know it by.
    latest: Vec<(Version, Look)>,
    /// A look is under way.
    is_asked: bool,
    /// Something was asked for since it began.
    is_stale: bool,
    /// The next look.
    due: Instant,
    is_slow: bool,
    /// Looks that failed one after the other.
    failures: u32,
}

impl PolledView {
    /// A view that nobody has looked at.
    pub(super) fn new(plan: Plan, table: Arc<TableDef>, is_ordered: bool, is_slow: bool) -> Self {
        Self {
            query: Arc::new(query(&plan, table, is_ordered)),
            plan,
            is_ordered,
            windows: Vec::new(),
            latest: Vec::new(),
            is_asked: false,
            is_stale: false,
            due: Instant::now(),
            is_slow,
            failures: 0,
        }
    }

    /// Looks at the view as it is at a later instant from now on.
    pub(super) fn replan(&mut self, later: Plan, table: Arc<TableDef>) {
        self.query = Arc::new(query(&later, table, self.is_ordered));
        self.plan = later;
    }

    /// When the next look is due; `None` while one is under way, or nobody shows the view.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.is_asked && !self.windows.is_empty()).then_some(self.due)
    }

    /// Looks as soon as may be.
    pub(super) fn hurry(&mut self) {
        self.is_stale = true;
        // After a failure at once would be too soon.
        let soon = if self.failures == 0 {
            Duration::ZERO
        } else {
            POLL_SLOW
        };
        self.due = self.due.min(Instant::now() + soon);
    }

    /// Shows the newest rows in a window, or has them looked for.
    pub(super) fn serve(&mut self, at: usize) {
        let Self {
            windows, latest, ..
        } = self;
        if windows
            .get_mut(at)
            .is_some_and(|window| !window.show(latest))
        {
            self.hurry();
        }
    }

    /// Begins a look: what to look at, and whether it is likely to be slow.
    pub(super) fn ask(&mut self) -> (Arc<PolledQuery>, Vec<Place>, bool) {
        self.is_asked = true;
        self.is_stale = false;
        let places = self.windows.iter().filter_map(PolledWindow::place);
        (self.query.clone(), merged(places), self.is_slow)
    }

    /// Takes what a look saw. What is left to say is why the windows are to be closed, if they are.
    pub(super) fn take(
        &mut self,
        looked: Looked,
        interval: Duration,
        mut version: impl FnMut(&Look) -> Version,
    ) -> Option<(ErrorCode, String)> {
        self.is_asked = false;
        self.is_slow |= looked.took > POLL_SLOW;
        let longest = POLL_INTERVAL_MAX.max(interval);
        let pause = (looked.took * POLL_PAUSE_FACTOR).clamp(interval, longest);
        self.due = Instant::now() + pause;
        match looked.looks {
            Ok(looks) => {
                self.failures = 0;
                self.latest = looks
                    .into_iter()
                    .map(|look| (version(&look), look))
                    .collect();
                for window in &mut self.windows {
                    window.show(&self.latest);
                }
                if self.is_stale {
                    self.due = Instant::now();
                }
                None
            }
            Err(error) => {
                self.failures += 1;
                let is_new = !self.windows.iter().any(PolledWindow::shows_rows);
                let is_over = is_new || self.failures >= POLL_FAILURES_MAX;
                match error {
                    LookError::SchemaChanged(message) if self.failures >= POLL_FAILURES_MAX => {
                        Some((ErrorCode::QueryFailed, message))
                    }
                    LookError::Timeout if is_over => {
                        let message = "a look at it took too long; a filter or an order that an index \
                                       serves would help";
                        Some((ErrorCode::QueryTimeout, message.to_owned()))
                    }
                    LookError::Refused(message) if is_over => Some((
                        ErrorCode::QueryFailed,
                        format!("PostgreSQL says: {message}"),
                    )),
                    _ => None,
                }
            }
        }
    }
}

fn query(plan: &Plan, table: Arc<TableDef>, is_ordered: bool) -> PolledQuery {
    let order = if is_ordered {
        plan.order.as_slice()
    } else {
        &[]
    };
    PolledQuery::new(table, plan.condition.clone(), order)
}

/// Overlapping and neighbouring ranges as one.
fn merged(places: impl Iterator<Item = Place>) -> Vec<Place> {
    let mut ranges = Vec::new();
    let mut end = 0;
    for place in places {
        match place {
            Place::At(range) => ranges.push(range),
            Place::End(count) => end = end.max(count),
        }
    }
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, merged| {
        let touches = next.start <= merged.end;
        if touches {
            merged.end = merged.end.max(next.end);
        }
        touches
    });
    let mut places: Vec<Place> = ranges.into_iter().map(Place::At).collect();
    if end > 0 {
        places.push(Place::End(end));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_asked_for_once() {
        let asked = [
            Place::At(500..700),
            Place::End(20),
            Place::At(0..150),
            Place::At(150..300),
            Place::End(50),
            Place::At(600..650),
        ];
        let expected = [Place::At(0..300), Place::At(500..700), Place::End(50)];
        assert_eq!(merged(asked.into_iter()), expected);
    }
}
