//! How long commits take to reach the screen.

use std::collections::VecDeque;
use std::time::Duration;

/// How many updates the figures are taken over.
const SAMPLES_MAX: usize = 512;

/// Commit → screen latency over the most recent updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencySummary {
    /// Half of the updates were as fast as this.
    pub p50: Duration,
    /// All but one in a hundred were as fast as this.
    pub p99: Duration,
    /// How many updates were measured.
    pub samples: usize,
}

/// The most recent latencies.
#[derive(Debug, Default)]
pub(super) struct LatencyWindow {
    recent: VecDeque<Duration>,
}

impl LatencyWindow {
    pub(super) fn record(&mut self, latency: Duration) {
        if self.recent.len() == SAMPLES_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(latency);
    }

    /// `None` before the first sample. Sorts the samples: call it at most once per frame.
    pub(super) fn summary(&self) -> Option<LatencySummary> {
        let mut sorted: Vec<Duration> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let rank = |percent: usize| sorted[last * percent / 100];
        Some(LatencySummary {
            p50: rank(50),
            p99: rank(99),
            samples: sorted.len(),
        })
    }
}
