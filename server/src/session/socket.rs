//! A session's life, from its first message to its last.

use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use protocol::{ClientMsg, Encoding, ErrorCode, Hello, Limits, PROTOCOL_VERSION, ServerMsg};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::handshake::Sessions;
use super::outbox::{Goodbye, write};
use super::requests::Requests;
use crate::limits::{
    BAD_MESSAGES_MAX, CLIENT_SILENCE_MAX, FRAME_BYTES_MAX, HEARTBEAT_INTERVAL, WINDOW_ROWS_MAX,
    WINDOWS_PER_SESSION_MAX,
};
use crate::views::{ClientRef, SessionId};

/// Serves one socket until it ends.
pub async fn serve(socket: WebSocket, encoding: Encoding, session: SessionId, sessions: Sessions) {
    tracing::debug!(session, ?encoding, "a client connected");
    let (writing, reading) = socket.split();
    let (goodbye, ending) = mpsc::channel(1);
    let cut = CancellationToken::new();
    let (client, to_write) = ClientRef::new(session, cut.clone());
    let writer = tokio::spawn(write(writing, encoding, to_write, ending, cut.clone()));
    client.send(ServerMsg::Hello(hello()));
    let mut requests = Requests::new(client.clone(), sessions.engine.clone());
    let reason = tokio::select! {
        reason = read(reading, encoding, &mut requests) => reason,
        () = follow_status(client, &sessions) => Goodbye::GoingAway,
        () = sessions.stop.cancelled() => Goodbye::GoingAway,
        () = cut.cancelled() => Goodbye::Policy("the client reads too slowly"),
    };
    requests.leave().await;
    // Full or closed: the writer is ending by itself.
    let _ = goodbye.try_send(reason);
    drop(writer.await);
    tracing::debug!(session, ?reason, "a client left");
}

fn hello() -> Hello {
    let u32_of = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    Hello {
        protocol: PROTOCOL_VERSION,
        server: concat!("rowcast ", env!("CARGO_PKG_VERSION")).to_owned(),
        heartbeat_millis: u32::try_from(HEARTBEAT_INTERVAL.as_millis()).unwrap_or(u32::MAX),
        limits: Limits {
            frame_bytes_max: u32_of(FRAME_BYTES_MAX),
            windows_max: u32_of(WINDOWS_PER_SESSION_MAX),
            window_rows_max: WINDOW_ROWS_MAX,
        },
    }
}

/// Tells the client whether what it shows follows the database, now and whenever that changes.
async fn follow_status(client: ClientRef, sessions: &Sessions) {
    let mut status = sessions.engine.status();
    loop {
        let now = status.borrow_and_update().clone();
        client.send(ServerMsg::Status(now));
        if status.changed().await.is_err() {
            return;
        }
    }
}

async fn read(
    mut reading: SplitStream<WebSocket>,
    encoding: Encoding,
    requests: &mut Requests,
) -> Goodbye {
    let mut bad_messages = 0;
    loop {
        let frame = match timeout(CLIENT_SILENCE_MAX, reading.next()).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Goodbye::Client,
            Err(_) => return Goodbye::Policy("the client does not answer"),
        };
        let bytes = match frame {
            Ok(Message::Text(text)) if encoding == Encoding::Json => text.into(),
            Ok(Message::Binary(bytes)) if encoding == Encoding::Binary => bytes,
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) => return Goodbye::Client,
            Ok(Message::Text(_) | Message::Binary(_)) => axum::body::Bytes::new(),
            Err(error) => return ending(&error),
        };
        match encoding.decode::<ClientMsg>(&bytes) {
            Ok(message) => requests.take(message).await,
            Err(error) => {
                requests
                    .client()
                    .refuse(ErrorCode::BadMessage, error.to_string(), None);
                bad_messages += 1;
                if bad_messages >= BAD_MESSAGES_MAX {
                    return Goodbye::Policy("too many messages that are not of this protocol");
                }
            }
        }
    }
}

/// What a broken stream of frames means.
fn ending(error: &axum::Error) -> Goodbye {
    let error = error.to_string();
    let says = |part: &str| error.contains(part);
    if says("too long") || says("too large") {
        Goodbye::TooLarge
    } else if says("UTF-8") {
        Goodbye::NotUtf8
    } else if says("protocol error") {
        Goodbye::Malformed
    } else {
        Goodbye::Client
    }
}
