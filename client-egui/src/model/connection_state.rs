//! Whether what is on the screen follows the database.

use web_time::Instant;

/// Whether what is on the screen follows the database: the badge's state.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionState {
    /// The first connection is being made.
    Connecting,
    /// Every commit arrives.
    Live,
    /// Connected again; some windows still show what they held before.
    CatchingUp,
    /// The connection was lost; what is shown is what was true then.
    Reconnecting {
        /// Which attempt comes next, or is being made, from 1.
        attempt: u32,
        /// When the next attempt is made; in the past while one is being made.
        retry_at: Instant,
        /// Why the connection was lost, for people.
        reason: String,
    },
    /// The server has lost the database: what is shown was true at `since_micros`.
    Stale {
        /// Microseconds since 1970, by the server's clock.
        since_micros: i64,
        /// Why, for people.
        reason: String,
    },
    /// The server speaks another version of the protocol; nothing can be shown.
    Incompatible {
        /// The server's version of the protocol.
        theirs: u32,
    },
}
