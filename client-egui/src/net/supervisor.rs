//! When to open a socket and when to give one up: the pure part of a [`Link`](super::Link).

use std::time::Duration;

use protocol::Hello;
use web_time::Instant;

use super::Now;
use super::backoff::Backoff;
use super::limits::{OPENING_MAX, SLEEP_LEAST};

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Open a socket.
    Open,
    /// Give the socket up.
    Drop {
        /// For people.
        reason: &'static str,
    },
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No socket until then.
    Waiting { until: Instant },
    /// A socket is being opened, or the server's `hello` is awaited.
    Opening { since: Instant },
    /// The server must say something before `silence` has passed.
    Open {
        heard_at: Instant,
        silence: Duration,
    },
}

/// Decides when to open a socket and when to give one up. Told the time, never asks for it.
#[derive(Debug)]
pub(super) struct Supervisor {
    state: State,
    backoff: Backoff,
    last: Now,
}

impl Supervisor {
    pub(super) fn new(now: Now) -> Self {
        Self {
            state: State::Waiting { until: now.steady },
            backoff: Backoff::default(),
            last: now,
        }
    }

    /// Lets time pass. Everything that has arrived must have been taken in first, else silence is seen
    /// where there was none.
    pub(super) fn tick(&mut self, now: Now) -> Action {
        let slept = self.last.slept_until(now);
        self.last = now;
        match self.state {
            State::Waiting { until } if until <= now.steady || slept => {
                self.state = State::Opening { since: now.steady };
                Action::Open
            }
            State::Opening { since } if since + OPENING_MAX <= now.steady => Action::Drop {
                reason: "the server did not answer",
            },
            // The other end has very likely given up, and no packet would ever tell.
            State::Opening { .. } | State::Open { .. } if slept => {
                self.backoff.reset();
                Action::Drop {
                    reason: "the computer was asleep",
                }
            }
            State::Open { heard_at, silence } if heard_at + silence <= now.steady => Action::Drop {
                reason: "the server has fallen silent",
            },
            State::Waiting { .. } | State::Opening { .. } | State::Open { .. } => Action::Nothing,
        }
    }

    /// The server introduced itself: the attempt was a success.
    pub(super) fn greeted(&mut self, hello: &Hello, received_at: Instant) {
        self.backoff.reset();
        let silence = Duration::from_millis(u64::from(hello.heartbeat_millis)) * 2;
        // A server that promises no heartbeat gets the same patience as one that is being opened.
        let silence = if silence.is_zero() {
            OPENING_MAX
        } else {
            silence
        };
        self.state = State::Open {
            heard_at: received_at,
            silence,
        };
    }

    /// The server said something.
    pub(super) fn heard(&mut self, received_at: Instant) {
        if let State::Open { heard_at, .. } = &mut self.state {
            *heard_at = received_at.max(*heard_at);
        }
    }

    /// The socket is gone. Returns which attempt comes next (from 1) and when.
    pub(super) fn lost(&mut self, now: Instant, random: f64) -> (u32, Instant) {
        let until = now + self.backoff.next_wait(random);
        self.state = State::Waiting { until };
        (self.backoff.attempts(), until)
    }

    /// The network may be back, or the person asks for it: does not wait any longer.
    pub(super) fn hurry(&mut self, now: Instant) {
        if let State::Waiting { until } = &mut self.state {
            *until = now;
        }
    }

    pub(super) fn next_deadline(&self) -> Instant {
        match self.state {
            State::Waiting { until } => until,
            State::Opening { since } => since + OPENING_MAX,
            State::Open { heard_at, silence } => heard_at + silence,
        }
    }
}

impl Now {
    /// Whether the computer slept between the two readings.
    fn slept_until(self, later: Self) -> bool {
        let steady = later.steady.saturating_duration_since(self.steady);
        let wall = later
            .wall
            .duration_since(self.wall)
            .unwrap_or(Duration::ZERO);
        wall >= steady + SLEEP_LEAST
    }
}

#[cfg(test)]
mod tests {
    use protocol::Limits;

    use super::*;

    fn after(now: Now, duration: Duration) -> Now {
        Now {
            steady: now.steady + duration,
            wall: now.wall + duration,
        }
    }

    fn hello(heartbeat_millis: u32) -> Hello {
        let limits = Limits {
            frame_bytes_max: 1,
            windows_max: 1,
            window_rows_max: 1,
        };
        Hello {
            protocol: 1,
            server: String::new(),
            heartbeat_millis,
            limits,
        }
    }

    fn opened(now: Now) -> Supervisor {
        let mut supervisor = Supervisor::new(now);
        assert_eq!(supervisor.tick(now), Action::Open);
        supervisor.greeted(&hello(10_000), now.steady);
        supervisor
    }

    #[test]
    fn opens_at_once_and_only_once() {
        let now = Now::read();
        let mut supervisor = Supervisor::new(now);
        assert_eq!(supervisor.tick(now), Action::Open);
        assert_eq!(supervisor.tick(now), Action::Nothing);
    }

    #[test]
    fn gives_up_a_server_that_does_not_greet() {
        let now = Now::read();
        let mut supervisor = Supervisor::new(now);
        supervisor.tick(now);
        assert_eq!(supervisor.next_deadline(), now.steady + OPENING_MAX);
        assert!(matches!(
            supervisor.tick(after(now, OPENING_MAX)),
            Action::Drop { .. }
        ));
    }

    #[test]
    fn silence_for_two_heartbeats_is_death_and_any_message_is_life() {
        let now = Now::read();
        let mut supervisor = opened(now);
        let almost = after(now, Duration::from_millis(19_999));
        assert_eq!(supervisor.tick(almost), Action::Nothing);
        supervisor.heard(almost.steady);
        assert_eq!(
            supervisor.tick(after(now, Duration::from_secs(39))),
            Action::Nothing
        );
        let silent = after(almost, Duration::from_secs(20));
        assert_eq!(
            supervisor.tick(silent),
            Action::Drop {
                reason: "the server has fallen silent"
            }
        );
    }

    #[test]
    fn waits_longer_after_each_failure_and_hurries_when_told() {
        let now = Now::read();
        let mut supervisor = Supervisor::new(now);
        supervisor.tick(now);
        let (attempt, retry_at) = supervisor.lost(now.steady, 1.0);
        assert_eq!(
            (attempt, retry_at),
            (1, now.steady + Duration::from_millis(250))
        );
        assert_eq!(supervisor.tick(now), Action::Nothing);
        assert_eq!(
            supervisor.tick(after(now, Duration::from_millis(250))),
            Action::Open
        );
        let (attempt, retry_at) = supervisor.lost(now.steady, 1.0);
        assert_eq!(
            (attempt, retry_at),
            (2, now.steady + Duration::from_millis(500))
        );
        supervisor.hurry(now.steady);
        assert_eq!(supervisor.tick(now), Action::Open);
    }

    #[test]
    fn a_socket_that_slept_is_dropped_and_replaced_without_delay() {
        let now = Now::read();
        let mut supervisor = opened(now);
        let woken = Now {
            steady: now.steady + Duration::from_secs(1),
            wall: now.wall + Duration::from_secs(3_600),
        };
        assert_eq!(
            supervisor.tick(woken),
            Action::Drop {
                reason: "the computer was asleep"
            }
        );
        let (_, retry_at) = supervisor.lost(woken.steady, 1.0);
        assert!(retry_at <= woken.steady + Duration::from_millis(250));
    }

    #[test]
    fn a_wall_clock_set_back_is_not_sleep() {
        let now = Now::read();
        let mut supervisor = opened(now);
        let set_back = Now {
            steady: now.steady,
            wall: now.wall - Duration::from_secs(3_600),
        };
        assert_eq!(supervisor.tick(set_back), Action::Nothing);
    }
}
