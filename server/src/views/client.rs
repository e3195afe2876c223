//! The other end of a window: one client's session.

use std::sync::Arc;

use protocol::{ErrorCode, ErrorMsg, RowOp, ServerMsg, Value, WindowId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::limits::{OUTBOX_BYTES_MAX, OUTBOX_QUEUE};

/// A session's number on this server.
pub type SessionId = u64;

/// A message on its way to a client.
#[derive(Debug)]
pub struct Outgoing {
    /// The message.
    pub message: ServerMsg,
    /// Its share of the session's bytes, given back once it is written.
    _room: OwnedSemaphorePermit,
}

/// How to reach a session. Sending never waits: a session whose outbox is full is cut, since its
/// client has not read for longer than acknowledgements allow.
#[derive(Clone, Debug)]
pub struct ClientRef {
    /// The session.
    pub session: SessionId,
    outbox: mpsc::Sender<Outgoing>,
    /// Bytes that may still wait in the outbox.
    room: Arc<Semaphore>,
    cut: CancellationToken,
}

impl ClientRef {
    /// A session that ends when `cut` is cancelled, and what it has to write.
    pub fn new(session: SessionId, cut: CancellationToken) -> (Self, mpsc::Receiver<Outgoing>) {
        let (outbox, to_write) = mpsc::channel(OUTBOX_QUEUE);
        let room = Arc::new(Semaphore::new(OUTBOX_BYTES_MAX));
        (
            Self {
                session,
                outbox,
                room,
                cut,
            },
            to_write,
        )
    }

    /// Sends a message, or cuts the session.
    pub fn send(&self, message: ServerMsg) {
        let bytes = u32::try_from(held_bytes(&message)).unwrap_or(u32::MAX);
        let sent = self
            .room
            .clone()
            .try_acquire_many_owned(bytes)
            .is_ok_and(|room| {
                self.outbox
                    .try_send(Outgoing {
                        message,
                        _room: room,
                    })
                    .is_ok()
            });
        if !sent {
            self.cut.cancel();
        }
    }

    /// Whether nobody is there to be told anything.
    pub fn is_gone(&self) -> bool {
        self.outbox.is_closed()
    }

    /// Ends the session.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Refuses a request.
    pub fn refuse(&self, code: ErrorCode, message: impl Into<String>, window: Option<WindowId>) {
        self.send(ServerMsg::Error(ErrorMsg {
            code,
            message: message.into(),
            window,
        }));
    }
}

/// Memory that a message holds, near enough.
fn held_bytes(message: &ServerMsg) -> usize {
    let cells = |cells: &[Value]| cells.iter().map(Value::heap_bytes).sum::<usize>();
    let op = |op: &RowOp| {
        size_of::<RowOp>()
            + match op {
                RowOp::Keep { .. } => 0,
                RowOp::Patch { cells, .. } => cells
                    .iter()
                    .map(|(_, value)| size_of::<u64>() + value.heap_bytes())
                    .sum(),
                RowOp::Row(row) => cells(&row.key) + cells(&row.cells),
            }
    };
    let rows = match message {
        ServerMsg::Update(update) => update.rows.iter().map(op).sum(),
        ServerMsg::Summary(update) => update.shown.iter().map(op).sum(),
        _ => 0,
    };
    size_of::<ServerMsg>() + rows
}
