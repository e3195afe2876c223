//! How long to wait before the next attempt.

use std::time::Duration;

use super::limits::{BACKOFF_FIRST, BACKOFF_LONGEST};

/// Exponential backoff with full jitter: after attempt n a random time up to `first × 2ⁿ`, so that the
/// viewers of a restarted server do not all come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait before the next attempt; `random` is from 0 to 1.
    pub(super) fn next_wait(&mut self, random: f64) -> Duration {
        let longest = BACKOFF_FIRST
            .saturating_mul(1 << self.attempts.min(16))
            .min(BACKOFF_LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        longest.mul_f64(random.clamp(0.0, 1.0))
    }

    /// Attempts since the last success.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// After a success.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let millis: Vec<u128> = (0..9).map(|_| backoff.next_wait(1.0).as_millis()).collect();
        assert_eq!(
            millis,
            [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]
        );
        assert_eq!(backoff.attempts(), 9);
        backoff.reset();
        assert_eq!(backoff.next_wait(1.0).as_millis(), 250);
    }

    #[test]
    fn jitter_is_over_the_whole_wait() {
        let mut backoff = Backoff { attempts: 3 };
        assert_eq!(backoff.next_wait(0.0), Duration::ZERO);
        assert_eq!(backoff.next_wait(0.5), Duration::from_secs(2));
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let mut backoff = Backoff { attempts: u32::MAX };
        assert_eq!(backoff.next_wait(1.0), BACKOFF_LONGEST);
        assert_eq!(backoff.attempts(), u32::MAX);
    }
}
