//! What happens on one socket.

use protocol::ServerMsg;
use web_time::Instant;

/// What happens on one socket, in order: `Opened` (unless it fails), messages, `Closed`.
#[derive(Clone, Debug, PartialEq)]
pub enum SocketEvent {
    /// The handshake is done: messages may be sent.
    Opened,
    /// The server said something.
    Message {
        /// What it said.
        message: ServerMsg,
        /// When it arrived; it may have waited in the queue since.
        received_at: Instant,
    },
    /// The socket is gone, or could not be opened. Nothing follows.
    Closed {
        /// The WebSocket close code; [`CODE_ABNORMAL`] if the server sent none.
        code: u16,
        /// Why, for people.
        reason: String,
    },
}

/// The close code of a server that stops (RFC 6455, 7.4.1).
const CODE_GOING_AWAY: u16 = 1001;

/// The close code for a message that is too large (RFC 6455, 7.4.1).
const CODE_TOO_LARGE: u16 = 1009;

/// The close code of a socket that ended without one (RFC 6455, 7.4.1).
pub const CODE_ABNORMAL: u16 = 1006;

/// The close code for a message that cannot be read (RFC 6455, 7.4.1).
pub const CODE_UNREADABLE: u16 = 1007;

impl SocketEvent {
    pub(super) fn abnormal(reason: impl Into<String>) -> Self {
        Self::Closed {
            code: CODE_ABNORMAL,
            reason: reason.into(),
        }
    }

    /// An end that the server announced; in words, where it used none.
    pub(super) fn closed(code: u16, reason: String) -> Self {
        let reason = match code {
            _ if !reason.is_empty() => reason,
            CODE_GOING_AWAY => "the server is stopping".to_owned(),
            CODE_TOO_LARGE => "a message was too large for the server".to_owned(),
            _ => "the server closed the connection".to_owned(),
        };
        Self::Closed { code, reason }
    }

    /// Whether the viewer must be woken for it. A heartbeat and a pong can wait until it wakes anyway:
    /// waking for them would keep an idle viewer busy.
    pub(super) fn is_urgent(&self) -> bool {
        !matches!(
            self,
            Self::Message {
                message: ServerMsg::Heartbeat(_) | ServerMsg::Pong(_),
                ..
            }
        )
    }
}

/// Why a message was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue is full: the server does not read what is sent to it.
    #[error("the server does not read what is sent to it")]
    Full,
    /// The socket is gone.
    #[error("the connection is closed")]
    Closed,
}
