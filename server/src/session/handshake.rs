//! From an HTTP request to a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
use protocol::Encoding;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::socket;
use crate::limits::{FRAME_BYTES_MAX, WRITE_BUFFER_BYTES_MAX};
use crate::views::Engine;

/// What every session shares.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Cancelled when the server stops: sockets say goodbye.
    pub stop: CancellationToken,
    /// Every session's task.
    pub tasks: TaskTracker,
    /// Sessions so far, which numbers them.
    pub count: Arc<AtomicU64>,
}

impl Sessions {
    /// Sessions on this engine.
    pub fn new(engine: Arc<Engine>, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self {
            engine,
            stop,
            tasks,
            count: Arc::default(),
        }
    }
}

/// Answers the upgrade request; the origin has been checked before. Of the subprotocols that the
/// client names, the server's favourite decides the encoding; without one it is JSON.
pub fn upgrade(upgrade: WebSocketUpgrade, sessions: Sessions) -> Response {
    let upgrade = upgrade
        .protocols(Encoding::ALL.map(Encoding::subprotocol))
        .read_buffer_size(8 * 1024)
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX);
    upgrade.on_upgrade(move |socket| async move {
        let session = sessions.count.fetch_add(1, Ordering::Relaxed);
        let encoding = encoding_of(&socket);
        let tasks = sessions.tasks.clone();
        let served = tasks.track_future(socket::serve(socket, encoding, session, sessions));
        served.await;
    })
}

fn encoding_of(socket: &WebSocket) -> Encoding {
    let chosen = socket.protocol().and_then(|name| name.to_str().ok());
    let is = |encoding: &Encoding| Some(encoding.subprotocol()) == chosen;
    Encoding::ALL.into_iter().find(is).unwrap_or_default()
}
