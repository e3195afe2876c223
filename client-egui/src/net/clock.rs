//! The two clocks, read together.

use web_time::{Instant, SystemTime};

/// One moment, by both clocks. The steady clock stops while a laptop sleeps and the wall clock does
/// not: together they tell that it slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The steady clock, for timers.
    pub steady: Instant,
    /// The wall clock, for telling sleep.
    pub wall: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}
