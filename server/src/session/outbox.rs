//! Writes a session's messages to its socket.

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use protocol::{Encoding, Heartbeat, ServerMsg};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::changes::reader::now_micros;
use crate::limits::{HEARTBEAT_INTERVAL, SEND_TIMEOUT};
use crate::views::client::Outgoing;

/// Why a socket is closed by the server: the code and a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// The server stops: come back in a moment.
    GoingAway,
    /// The client does not read, or does not follow the protocol.
    Policy(&'static str),
    /// The client sent a frame that is too large.
    TooLarge,
    /// The client's frames are none of WebSocket.
    Malformed,
    /// A text is not UTF-8.
    NotUtf8,
    /// The client closed it.
    Client,
}

const TOO_SLOW: Goodbye = Goodbye::Policy("the client reads too slowly");

impl Goodbye {
    fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::GoingAway => (1001, "the server is stopping; reconnect in a moment"),
            Self::Policy(reason) => (1008, reason),
            Self::TooLarge => (1009, "the frame is larger than limits.frame_bytes_max"),
            Self::Malformed => (1002, "the frames break the rules of WebSocket"),
            Self::NotUtf8 => (1007, "a text is not UTF-8"),
            Self::Client => (1000, ""),
        };
        CloseFrame {
            code,
            reason: reason.into(),
        }
    }
}

/// Writes until the session ends or the client stops reading, then cancels `cut`.
pub async fn write(
    mut socket: SplitSink<WebSocket, Message>,
    encoding: Encoding,
    mut outbox: mpsc::Receiver<Outgoing>,
    mut goodbye: mpsc::Receiver<Goodbye>,
    cut: CancellationToken,
) {
    let ending = loop {
        let waiting = tokio::select! {
            biased;
            ending = goodbye.recv() => break ending.unwrap_or(Goodbye::Client),
            () = cut.cancelled() => break TOO_SLOW,
            received = timeout(HEARTBEAT_INTERVAL, outbox.recv()) => received,
        };
        let heartbeat = ServerMsg::Heartbeat(Heartbeat {
            time_micros: now_micros(),
        });
        let frame = match &waiting {
            Ok(Some(waiting)) => frame(encoding, &waiting.message),
            Ok(None) => break Goodbye::Client,
            Err(_) => frame(encoding, &heartbeat),
        };
        let Some(frame) = frame else { continue };
        // A client that is there answers, whatever it is made with; one that was sent something else acknowledges it.
        let ping = waiting.is_err().then(|| Message::Ping(Bytes::new()));
        let sending = async {
            if let Some(ping) = ping {
                socket.feed(ping).await?;
            }
            socket.send(frame).await
        };
        let sent = tokio::select! {
            () = cut.cancelled() => break TOO_SLOW,
            sent = timeout(SEND_TIMEOUT, sending) => sent,
        };
        if !matches!(sent, Ok(Ok(()))) {
            break TOO_SLOW;
        }
    };
    let farewell = socket.send(Message::Close(Some(ending.frame())));
    drop(timeout(SEND_TIMEOUT / 10, farewell).await);
    cut.cancel();
}

fn frame(encoding: Encoding, message: &ServerMsg) -> Option<Message> {
    let bytes = match encoding.encode(message) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "a message cannot be encoded");
            return None;
        }
    };
    Some(match encoding {
        Encoding::Binary => Message::Binary(bytes.into()),
        Encoding::Json => Message::Text(String::from_utf8(bytes).ok()?.into()),
    })
}
