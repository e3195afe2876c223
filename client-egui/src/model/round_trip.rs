//! The round trip to the server, and the difference between its clock and ours.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::Pong;
use web_time::Instant;

/// The least time between two pings. Pings ride on wake-ups that happen anyway, so that an idle viewer
/// stays idle.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Over how many pings the best estimate of the clocks' difference is taken.
const SAMPLES: usize = 8;

/// The round trip to the server, and the difference between its clock and ours.
#[derive(Debug)]
pub(super) struct RoundTrip {
    /// The zero of our clock.
    zero: Instant,
    in_flight: Option<(u64, Instant)>,
    last_sent: Option<Instant>,
    next_id: u64,
    /// Round trip, and the server's clock minus ours in microseconds; newest last.
    samples: VecDeque<(Duration, i64)>,
}

impl RoundTrip {
    pub(super) fn new(zero: Instant) -> Self {
        Self {
            zero,
            in_flight: None,
            last_sent: None,
            next_id: 1,
            samples: VecDeque::new(),
        }
    }

    /// Forgets what was measured: another socket may lead to another server, and our clock may have
    /// stood still while the computer slept.
    pub(super) fn reset(&mut self) {
        *self = Self {
            next_id: self.next_id,
            ..Self::new(self.zero)
        };
    }

    /// The id to ping with now, if it is time to.
    pub(super) fn ping(&mut self, now: Instant) -> Option<u64> {
        if self
            .last_sent
            .is_some_and(|last| now.saturating_duration_since(last) < PING_INTERVAL)
        {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.last_sent = Some(now);
        self.in_flight = Some((id, now));
        Some(id)
    }

    pub(super) fn pong(&mut self, pong: &Pong, received_at: Instant) {
        let Some((id, sent_at)) = self.in_flight else {
            return;
        };
        if id != pong.id {
            return;
        }
        self.in_flight = None;
        let round_trip = received_at.saturating_duration_since(sent_at);
        let halfway = self.micros(sent_at) + micros_of(round_trip / 2);
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples
            .push_back((round_trip, pong.time_micros.saturating_sub(halfway)));
    }

    /// The last round trip.
    pub(super) fn last(&self) -> Option<Duration> {
        self.samples.back().map(|(round_trip, _)| *round_trip)
    }

    /// How long ago a moment of the server's clock was; `None` before the first pong. The quickest
    /// round trip bounds the error best.
    pub(super) fn since(&self, server_micros: i64, now: Instant) -> Option<Duration> {
        let (_, offset) = self
            .samples
            .iter()
            .min_by_key(|(round_trip, _)| *round_trip)?;
        let elapsed = self
            .micros(now)
            .saturating_add(*offset)
            .saturating_sub(server_micros);
        Some(Duration::from_micros(u64::try_from(elapsed).unwrap_or(0)))
    }

    fn micros(&self, at: Instant) -> i64 {
        micros_of(at.saturating_duration_since(self.zero))
    }
}

fn micros_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
