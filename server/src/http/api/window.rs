//! One page of rows by position: a window of the engine's, open for as long as the answer takes.
//!
//! A page goes through the same views that the sockets' windows share, so that totals and jumps come from
//! one index, whoever asks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{
    Ack, ErrorCode, OpenWindow, Row, RowOp, ServerMsg, Status, TableSchema, Update, Version,
    ViewSpec,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::codes::{refused, unavailable};
use super::filter_text::print;
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::{API_STALE_PATIENCE, API_TIMEOUT};
use crate::session::handshake::Sessions;
use crate::views::client::Outgoing;
use crate::views::{ClientRef, Command, SessionId};

/// The window that a request opens.
pub const WINDOW: u32 = 1;

/// One window of the engine's; closed when dropped.
#[derive(Debug)]
pub struct Guest {
    session: SessionId,
    commands: mpsc::Sender<Command>,
    messages: mpsc::Receiver<Outgoing>,
    cut: CancellationToken,
    /// Held for as long as the table shows the window.
    _lease: Arc<()>,
}

impl Guest {
    /// Opens a window. What comes of it comes by [`Self::next`].
    pub async fn open(sessions: &Sessions, table: &Arc<TableDef>, open: OpenWindow) -> Self {
        let session = sessions.count.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        let (client, messages) = ClientRef::new(session, cut.clone());
        let commands = sessions.engine.commands(table);
        let lease = Arc::new(());
        // Made before it is sent, so that the window is closed even if this future is dropped here.
        let guest = Self {
            session,
            commands,
            messages,
            cut,
            _lease: lease.clone(),
        };
        let command = Command::Open(client, lease, Box::new(open));
        // The table's task ends only with the server; then no message comes either.
        drop(guest.commands.send(command).await);
        guest
    }

    /// The next message; `None` once the server stops, or cut the window off.
    pub async fn next(&mut self) -> Option<Outgoing> {
        tokio::select! {
            message = self.messages.recv() => message,
            () = self.cut.cancelled() => None,
        }
    }

    /// Says that an update has been taken, which asks for the next.
    pub async fn acknowledge(&self, number: u64) {
        let ack = Ack {
            window: WINDOW,
            number,
        };
        drop(
            self.commands
                .send(Command::Acknowledge(self.session, ack))
                .await,
        );
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let leave = Command::Leave(self.session);
        if let Err(mpsc::error::TrySendError::Full(leave)) = self.commands.try_send(leave) {
            let commands = self.commands.clone();
            tokio::spawn(async move { drop(commands.send(leave).await) });
        }
    }
}

/// What a window shows at one version.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its columns.
    pub schema: TableSchema,
    /// The position of its first row.
    pub start: u64,
    /// Rows in the view.
    pub total: u64,
    /// Whether they are counted, not estimated.
    pub total_is_exact: bool,
    /// The state of the database that it shows.
    pub version: Version,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// What a new window shows first; with `exact`, once its total is exact.
///
/// # Errors
/// If the engine refuses the window, or does not answer in time.
pub async fn first_page(
    sessions: &Sessions,
    table: &Arc<TableDef>,
    open: OpenWindow,
    exact: bool,
) -> Result<Page, Problem> {
    let view = open.view.clone();
    let status = sessions.engine.status();
    let is_stale = || matches!(*status.borrow(), Status::Stale { .. });
    let patience = if is_stale() {
        API_STALE_PATIENCE
    } else {
        API_TIMEOUT
    };
    let asked = async {
        let mut guest = Guest::open(sessions, table, open).await;
        page(&mut guest, exact, &view).await
    };
    let answered = timeout(patience, asked).await;
    answered.unwrap_or_else(|_| Err(late(&status)))
}

/// Why the engine has not answered in time.
pub fn late(status: &watch::Receiver<Status>) -> Problem {
    if matches!(*status.borrow(), Status::Stale { .. }) {
        return unavailable(&sqlx::Error::PoolTimedOut);
    }
    let detail = "the rows were not there in time; an index on the sorted and filtered columns would help, \
                  or without total=exact an estimate comes at once";
    refused(ErrorCode::QueryTimeout, detail)
}

async fn page(guest: &mut Guest, exact: bool, view: &ViewSpec) -> Result<Page, Problem> {
    let mut schema = None;
    let mut rows = Vec::new();
    while let Some(outgoing) = guest.next().await {
        match outgoing.message {
            ServerMsg::Opened(opened) => schema = Some(opened.schema),
            ServerMsg::Error(error) => return Err(refusal(error.code, error.message, view)),
            ServerMsg::Update(update) => {
                let number = update.number;
                if (update.total_is_exact || !exact)
                    && let Some(schema) = schema.take()
                {
                    return Ok(finished(schema, update, &rows));
                }
                rows = applied(&rows, update.rows);
                guest.acknowledge(number).await;
            }
            _ => {}
        }
    }
    let detail = "the table is gone, or the server is stopping; try again in a moment";
    Err(refused(ErrorCode::DatabaseUnavailable, detail))
}

fn finished(schema: TableSchema, update: Update, before: &[Row]) -> Page {
    Page {
        schema,
        start: update.start,
        total: update.total,
        total_is_exact: update.total_is_exact,
        version: update.to,
        rows: applied(before, update.rows),
    }
}

/// A refused view, with the filter as it was understood.
pub fn refusal(code: ErrorCode, message: String, view: &ViewSpec) -> Problem {
    let problem = refused(code, message);
    match (&view.filter, code) {
        (_, ErrorCode::Expensive) => problem.with("parameter", "expensive").allowed(["allow"]),
        (Some(filter), ErrorCode::BadFilter | ErrorCode::BadValue | ErrorCode::UnknownColumn) => {
            problem.with("filter", print(filter))
        }
        _ => problem,
    }
}

/// The rows after an update of these rows, as `docs/protocol.md` describes it.
fn applied(before: &[Row], operations: Vec<RowOp>) -> Vec<Row> {
    let mut after = Vec::new();
    let place = |from: u32| usize::try_from(from).unwrap_or(usize::MAX);
    for operation in operations {
        match operation {
            RowOp::Keep { from, count } => {
                after.extend(before.iter().skip(place(from)).take(place(count)).cloned());
            }
            RowOp::Patch { from, cells } => {
                if let Some(mut row) = before.get(place(from)).cloned() {
                    for (column, value) in cells {
                        if let Some(cell) = row.cells.get_mut(place(column)) {
                            *cell = value;
                        }
                    }
                    after.push(row);
                }
            }
            RowOp::Row(row) => after.push(row),
        }
    }
    after
}
