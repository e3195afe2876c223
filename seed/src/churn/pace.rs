//! When each change is due: evenly spaced from the start, whatever became of the earlier ones.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

pub(super) struct Pace {
    started: Instant,
    rate: f64,
    next: AtomicU64,
}

impl Pace {
    /// `rate` is in changes per second.
    pub(super) fn new(started: Instant, rate: f64) -> Self {
        Self {
            started,
            rate,
            next: AtomicU64::new(0),
        }
    }

    /// Takes the next change's number and waits until it is due.
    pub(super) async fn next(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_secs_f64(number as f64 / self.rate);
        tokio::time::sleep_until(self.started + due).await;
        number
    }

    /// How many changes are due and not done.
    pub(super) fn late(&self, done: u64) -> f64 {
        (self.started.elapsed().as_secs_f64() * self.rate - done as f64).max(0.0)
    }
}
