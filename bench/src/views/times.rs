//! Several measurements of one thing.

use std::time::Duration;

use serde::Serialize;

/// Several measurements of one thing.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// One more.
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Milliseconds that so large a share of them took at most, by the nearest rank.
    pub(super) fn millis(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        let at = sorted.get(rank.saturating_sub(1));
        at.map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    }

    /// All that is told of them.
    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles {
            count: self.0.len(),
            p50: thousandths(self.millis(0.5)),
            p90: thousandths(self.millis(0.9)),
            p99: thousandths(self.millis(0.99)),
            max: thousandths(self.millis(1.0)),
        }
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Quantiles {
    pub(super) count: usize,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

/// The middle one of some numbers.
pub(super) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rounded to three digits behind the point.
pub(super) fn thousandths(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_nearest_rank() {
        let mut times = Times::default();
        (1..=200)
            .rev()
            .for_each(|n| times.add(Duration::from_millis(n)));
        assert_eq!(times.millis(0.5), 100.0);
        assert_eq!(times.millis(0.99), 198.0);
        assert_eq!(times.millis(1.0), 200.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert!(median([]).is_nan());
    }
}
