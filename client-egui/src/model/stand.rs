//! How something that is open at the server stands there.

use std::time::Duration;

use web_time::Instant;

/// The first and the longest wait before something is opened again after a fault.
const REOPEN_WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// How a window or a summary stands with the server. Its number there is never used twice on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not open there; opened when a socket is.
    Unopened,
    /// It was asked for under this number; no rows have come yet.
    Opening(u32),
    /// Updates come under this number.
    Following(u32),
    /// To be opened again then.
    Failed { retry_at: Instant },
    /// Refused for good, until something else is asked for.
    Refused,
}

impl Stand {
    pub(super) fn wire_id(self) -> Option<u32> {
        match self {
            Self::Opening(id) | Self::Following(id) => Some(id),
            Self::Unopened | Self::Failed { .. } | Self::Refused => None,
        }
    }

    pub(super) fn is_to_be_opened(self, now: Instant) -> bool {
        match self {
            Self::Unopened => true,
            Self::Failed { retry_at } => retry_at <= now,
            Self::Opening(_) | Self::Following(_) | Self::Refused => false,
        }
    }

    /// The `faults`th fault in a row, counted from 0: waits longer each time.
    pub(super) fn failed(faults: u32, now: Instant) -> Self {
        let (first, longest) = REOPEN_WAIT;
        let wait = first.saturating_mul(1 << faults.min(16)).min(longest);
        Self::Failed {
            retry_at: now + wait,
        }
    }

    /// The socket is gone: what was refused stays refused, all else is opened on the next one.
    pub(super) fn lost(&mut self) {
        if *self != Self::Refused {
            *self = Self::Unopened;
        }
    }
}
