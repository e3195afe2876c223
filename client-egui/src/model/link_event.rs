//! What happens to the link between a model and a server.

use protocol::ServerMsg;
use web_time::Instant;

/// What happens to the link between a model and a server, in the order it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEvent {
    /// A socket is open; the server's `hello` is the first message on it.
    Connected,
    /// The server said something.
    Message {
        /// What it said.
        message: ServerMsg,
        /// When it arrived; it may have waited since.
        received_at: Instant,
    },
    /// The socket is gone; nothing more arrives, and what was sent may have been lost.
    Lost {
        /// Why, for people.
        reason: String,
        /// Which attempt comes next, from 1.
        attempt: u32,
        /// When it will be made.
        retry_at: Instant,
    },
}
