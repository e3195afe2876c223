//! `GET /api/v1/tables/{table}/stream`: a window and its updates, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use protocol::{OpenWindow, ResetReason, ServerMsg, Status, Update};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::codes::{Code, refused};
use super::event_id::{EventIds, Keys, State, keys_after};
use super::parameters::{Parameters, RowsQuery, Start};
use super::window::{Guest, WINDOW, late, refusal};
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::{API_TIMEOUT, HEARTBEAT_INTERVAL, SEND_TIMEOUT, STREAM_RETRY, STREAMS_MAX};
use crate::views::Engine;

/// What the address takes, besides the columns of the table.
const PARAMETERS: [&str; 7] = [
    "filter",
    "q",
    "sort",
    "columns",
    "limit",
    "offset",
    "expensive",
];

/// Answers with a stream of events.
///
/// # Errors
/// If a parameter is wrong, or the window is refused at once; later refusals are events.
pub async fn stream(
    api: &Api,
    table: &Arc<TableDef>,
    parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let query = RowsQuery::read(parameters, table, &PARAMETERS)?;
    let room = api.streams.clone().try_acquire_owned().map_err(|_| {
        let detail =
            format!("{STREAMS_MAX} streams are open, which is as many as this server holds");
        Code::TooManyStreams.because(detail)
    })?;
    let asked = asked(query);
    let key = api.signing_key().await?.to_owned();
    let ids = event_ids(&key, table, &asked)?;
    let last = last_event(headers);
    let held = match last {
        Some(id) => ids.read(id).map_err(|_| not_an_id())?,
        None => None,
    };
    let mut open = asked.clone();
    if let Some(held) = &held {
        open.start = held.start;
        open.resume = Some(held.resume());
    }
    let mut guest = Guest::open(&api.sessions, table, open).await;
    let status = api.sessions.engine.status();
    let first = timeout(API_TIMEOUT, guest.next()).await;
    let first = first.map_err(|_| late(&status))?;
    let first = match first.map(|outgoing| outgoing.message) {
        Some(ServerMsg::Error(error)) => {
            return Err(refusal(error.code, error.message, &asked.view));
        }
        Some(message) => message,
        None => {
            let detail = "the table is gone, or the server is stopping; try again in a moment";
            return Err(refused(protocol::ErrorCode::DatabaseUnavailable, detail));
        }
    };
    let (out, events) = mpsc::channel(1);
    let writer = Writer {
        guest,
        engine: api.sessions.engine.clone(),
        table: table.clone(),
        key,
        ids,
        keys: held.map_or_else(|| Keys::from([]), |held| held.keys),
        is_resumed: last.is_some(),
        asked,
        _room: room,
    };
    let stop = api.sessions.stop.clone();
    api.sessions
        .tasks
        .spawn(writer.run(first, out, status, stop));
    Ok(response(events))
}

fn asked(query: RowsQuery) -> OpenWindow {
    let start = match query.start {
        Start::Offset(offset) => offset,
        Start::Cursor(_) => 0,
    };
    OpenWindow {
        window: WINDOW,
        generation: 0,
        view: query.view,
        columns: query.columns,
        start,
        count: query.limit,
        from_end: false,
        resume: None,
        allow_expensive: query.allow_expensive,
    }
}

/// The event that the client saw last.
fn last_event(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("last-event-id")?;
    // What is no text is no id either, and said so.
    let id = id.to_str().map_or("?", str::trim);
    (!id.is_empty()).then_some(id)
}

fn not_an_id() -> Problem {
    let detail = "Last-Event-ID is the id of an event of this stream; leave it out to start anew";
    Code::InvalidEventId.because(detail)
}

fn event_ids(key: &str, table: &TableDef, asked: &OpenWindow) -> Result<EventIds, Problem> {
    EventIds::new(key, table, asked).map_err(|error| {
        tracing::error!(%error, "a request cannot be written");
        refused(
            protocol::ErrorCode::Internal,
            "the request cannot be written",
        )
    })
}

fn response(events: mpsc::Receiver<Bytes>) -> Response {
    let body = unfold(events, |mut events| async {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that gathers answers would hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, Body::from_stream(body)).into_response()
}

/// Writes one stream.
struct Writer {
    guest: Guest,
    engine: Arc<Engine>,
    table: Arc<TableDef>,
    /// What ids are signed with.
    key: String,
    ids: EventIds,
    /// The rows that the client holds.
    keys: Keys,
    /// The client held something when it came, and has not been answered yet.
    is_resumed: bool,
    asked: OpenWindow,
    _room: OwnedSemaphorePermit,
}

impl Writer {
    /// Writes events until the client leaves, the window is closed or the server stops.
    ///
    /// An update is acknowledged once the connection has taken the event that carries it. So a slow reader
    /// holds what the connection has taken, one event in the channel and one update in the
    /// outbox; what changes meanwhile is merged into the next update.
    async fn run(
        mut self,
        first: ServerMsg,
        out: mpsc::Sender<Bytes>,
        mut status: watch::Receiver<Status>,
        stop: CancellationToken,
    ) {
        let mut waiting = Some(first);
        let mut taken = None;
        let mut text = format!("retry: {}\n\n", STREAM_RETRY.as_millis());
        status.mark_changed();
        loop {
            // Room in the channel: the connection has taken the event before.
            let Ok(Ok(place)) = timeout(SEND_TIMEOUT, out.reserve()).await else {
                return;
            };
            if !text.is_empty() {
                place.send(Bytes::from(std::mem::take(&mut text)));
                continue;
            }
            if let Some(number) = taken.take() {
                self.guest.acknowledge(number).await;
            }
            let message = match waiting.take() {
                Some(message) => message,
                None => tokio::select! {
                    () = stop.cancelled() => return,
                    () = out.closed() => return,
                    Ok(()) = status.changed() => ServerMsg::Status(status.borrow_and_update().clone()),
                    next = timeout(HEARTBEAT_INTERVAL, self.guest.next()) => match next {
                        Err(_) => {
                            place.send(Bytes::from_static(b": still here\n\n"));
                            continue;
                        }
                        Ok(None) => return,
                        Ok(Some(outgoing)) => outgoing.message,
                    },
                },
            };
            let is_last = matches!(message, ServerMsg::Error(_));
            if let ServerMsg::Update(update) = &message {
                taken = Some(update.number);
            }
            if let Some(event) = self.event_of(message) {
                place.send(event);
            }
            if is_last {
                return;
            }
        }
    }

    /// A message as an event; `None` for what does not concern the window.
    fn event_of(&mut self, message: ServerMsg) -> Option<Bytes> {
        match message {
            ServerMsg::Opened(opened) => {
                // Sent again when the columns changed.
                self.table = self.engine.newest(self.table.clone());
                self.ids = event_ids(&self.key, &self.table, &self.asked).ok()?;
                event("schema", None, &opened.schema)
            }
            ServerMsg::Update(update) => self.update(update),
            ServerMsg::Progress(progress) => event("progress", None, &progress),
            ServerMsg::Status(status) => event("status", None, &status),
            ServerMsg::Error(error) => event("error", None, &error),
            _ => None,
        }
    }

    fn update(&mut self, mut update: Update) -> Option<Bytes> {
        let is_snapshot = update.from.is_none();
        if is_snapshot {
            self.keys = Keys::from([]);
            if self.is_resumed && update.must_refetch.is_none() {
                update.must_refetch = Some(ResetReason::HistoryExpired);
            }
        }
        self.is_resumed = false;
        self.keys = keys_after(&self.keys, &update.rows);
        let id = self.ids.write(&State {
            version: update.to.clone(),
            start: update.start,
            keys: self.keys.clone(),
        });
        let name = if is_snapshot { "snapshot" } else { "update" };
        event(name, Some(id), &update)
    }
}

/// One event. JSON holds no line breaks, so the data is one line.
fn event(name: &str, id: Option<String>, data: &impl Serialize) -> Option<Bytes> {
    let json = match serde_json::to_string(data) {
        Ok(json) => json,
        Err(error) => {
            tracing::error!(%error, "an event cannot be written");
            return None;
        }
    };
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Some(format!("event: {name}\n{id}data: {json}\n\n").into())
}
