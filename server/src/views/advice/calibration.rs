//! From the planner's units to time.
//!
//! A unit is meant to be the time to read one page in sequence, which differs between servers by an order of
//! magnitude, and between a cold and a warm cache by another. So it is measured: first by rows that PostgreSQL
//! makes up, then by what opening views took. The median of the recent ratios is what an estimate uses; their
//! spread is what it admits to.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::limits::CALIBRATION_SAMPLES;

/// What the planner's units took lately.
#[derive(Debug)]
pub struct Calibration {
    /// Microseconds per unit, oldest first.
    ratios: Mutex<VecDeque<f64>>,
}

/// Openings that cost less say more about the connection than about the cost.
const TELLING_COST_MIN: f64 = 1_000.0;

impl Calibration {
    /// One that has measured this, in microseconds per unit.
    pub fn new(ratio: f64) -> Self {
        Self {
            ratios: Mutex::new(VecDeque::from([ratio])),
        }
    }

    /// Something that the planner had said would cost so much took so long.
    pub fn learn(&self, cost: f64, took: Duration) {
        if cost < TELLING_COST_MIN {
            return;
        }
        let mut ratios = self.ratios.lock().unwrap_or_else(PoisonError::into_inner);
        if ratios.len() == CALIBRATION_SAMPLES {
            ratios.pop_front();
        }
        ratios.push_back(took.as_secs_f64() * 1e6 / cost);
    }

    /// How long something of this cost takes.
    pub fn time(&self, cost: f64) -> Duration {
        let ratios = self.ratios.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<f64> = ratios.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        Duration::try_from_secs_f64(cost.max(0.0) * median / 1e6).unwrap_or(Duration::MAX)
    }
}

/// A time in words, as exact as an estimate can be.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.1 => "less than 0.1 s".to_owned(),
        s if s < 1.0 => format!("about {s:.1} s"),
        s if s < 90.0 => format!("about {s:.0} s"),
        s if s < 90.0 * 60.0 => format!("about {:.0} min", s / 60.0),
        s => format!("about {:.0} h", s / 3_600.0),
    }
}

/// A count in words: `10,000,000`.
pub fn count_in_words(count: f64) -> String {
    let digits = format!("{:.0}", count.max(0.0));
    let mut words = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_recent_openings_decides() {
        let calibration = Calibration::new(5.0);
        assert_eq!(calibration.time(200_000.0), Duration::from_secs(1));
        for _ in 0..CALIBRATION_SAMPLES {
            calibration.learn(100_000.0, Duration::from_secs(1));
        }
        calibration.learn(100_000.0, Duration::from_secs(3_600));
        calibration.learn(10.0, Duration::from_secs(3_600));
        assert_eq!(calibration.time(200_000.0), Duration::from_secs(2));
    }

    #[test]
    fn words() {
        let said = [0.01, 0.44, 12.3, 600.0, 36_000.0]
            .map(|seconds| in_words(Duration::from_secs_f64(seconds)));
        let expected = [
            "less than 0.1 s",
            "about 0.4 s",
            "about 12 s",
            "about 10 min",
            "about 10 h",
        ];
        assert_eq!(said, expected);
        assert_eq!(
            ["7", "1,234", "10,000,000"],
            [7.0, 1_234.0, 1e7].map(count_in_words)
        );
    }
}
