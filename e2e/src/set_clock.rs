//! A clock that a test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use server::views::clock::Clock;

/// A clock that a test sets; its clones are the same clock.
#[derive(Clone, Debug)]
pub struct SetClock(Arc<AtomicI64>);

impl SetClock {
    /// A clock that stands at this second since 1970.
    pub fn at(second: i64) -> Self {
        Self(Arc::new(AtomicI64::new(second)))
    }

    /// The same for a server.
    pub fn clock(&self) -> Clock {
        let time = self.0.clone();
        Clock::new(move || time.load(Ordering::SeqCst))
    }

    /// The second since 1970 that it stands at.
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Puts it forward; what it says then.
    pub fn pass(&self, seconds: i64) -> i64 {
        self.0.fetch_add(seconds, Ordering::SeqCst) + seconds
    }
}
