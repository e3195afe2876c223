//! What one client asks for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use protocol::{ClientMsg, ErrorCode, OpenWindow, Pong, ServerMsg, Tables, WindowId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

use super::edits::Edits;
use super::indexing::Indexing;
use super::summaries::Summaries;
use crate::changes::reader::now_micros;
use crate::db::catalog::TableDef;
use crate::limits::{WINDOW_ROWS_MAX, WINDOWS_PER_SESSION_MAX};
use crate::views::{ClientRef, Command, Engine};

/// A window that is open on this socket.
#[derive(Clone, Debug)]
pub struct OpenedWindow {
    /// Its table as it was when the window was opened.
    pub table: Arc<TableDef>,
    /// Where the table takes its commands.
    pub commands: mpsc::Sender<Command>,
    /// Held by the table for as long as it shows the window, which it may refuse to.
    lease: Weak<()>,
}

/// One client's requests.
#[derive(Debug)]
pub struct Requests {
    client: ClientRef,
    engine: Arc<Engine>,
    windows: HashMap<WindowId, OpenedWindow>,
    edits: Edits,
    indexing: Indexing,
    summaries: Summaries,
}

impl Requests {
    /// No window is open yet.
    pub fn new(client: ClientRef, engine: Arc<Engine>) -> Self {
        let edits = Edits::new(client.clone(), &engine);
        let summaries = Summaries::new(client.clone(), engine.clone());
        let indexing = Indexing::new(client.clone(), engine.clone());
        Self {
            indexing,
            client,
            engine,
            windows: HashMap::new(),
            edits,
            summaries,
        }
    }

    /// Whose they are.
    pub fn client(&self) -> &ClientRef {
        &self.client
    }

    /// Does what the client asks.
    pub async fn take(&mut self, message: ClientMsg) {
        let session = self.client.session;
        match message {
            ClientMsg::ListTables(list) => self.list_tables(list.id).await,
            ClientMsg::Open(open) => self.open(open).await,
            ClientMsg::Move(moved) if !is_range(moved.start, moved.count) => {
                self.client
                    .refuse(ErrorCode::BadRange, range_message(), Some(moved.window));
            }
            ClientMsg::Move(moved) => {
                self.command(moved.window, Command::Move(session, moved))
                    .await;
            }
            ClientMsg::Ack(ack) => {
                self.command(ack.window, Command::Acknowledge(session, ack))
                    .await;
            }
            ClientMsg::Close(close) => {
                self.command(close.window, Command::Close(session, close.window))
                    .await;
                self.windows.remove(&close.window);
            }
            ClientMsg::Edit(edit) => match self.windows.get(&edit.window).cloned() {
                Some(mut window) => {
                    window.table = self.engine.newest(window.table);
                    self.edits.begin(edit, window);
                }
                None => self.unknown_window(edit.window),
            },
            ClientMsg::CreateIndex(asked) => self.indexing.create(asked),
            ClientMsg::CancelIndex(asked) => self.indexing.cancel(asked.id),
            ClientMsg::Summarize(asked) => self.summaries.summarize(*asked).await,
            ClientMsg::ShowGroups(show) => self.summaries.show(show).await,
            ClientMsg::AckSummary(ack) => self.summaries.acknowledge(ack).await,
            ClientMsg::Unsummarize(end) => self.summaries.end(end.summary).await,
            ClientMsg::Ping(ping) => {
                let pong = Pong {
                    id: ping.id,
                    time_micros: now_micros(),
                };
                self.client.send(ServerMsg::Pong(pong));
            }
        }
    }

    /// The client is gone.
    pub async fn leave(&mut self) {
        self.summaries.leave().await;
        for (_, window) in self.windows.drain() {
            // The table's task ends with the server, or with the table.
            drop(
                window
                    .commands
                    .send(Command::Leave(self.client.session))
                    .await,
            );
        }
    }

    async fn list_tables(&self, id: u64) {
        match self.engine.tables().await {
            Ok(tables) => self.client.send(ServerMsg::Tables(Tables { id, tables })),
            Err(error) => self.unavailable(&error, None),
        }
    }

    async fn open(&mut self, open: OpenWindow) {
        let window = open.window;
        self.windows.retain(|_, open| open.lease.strong_count() > 0);
        if self.windows.contains_key(&window) {
            let message = format!("window {window} is open; move it, or close it first");
            return self
                .client
                .refuse(ErrorCode::DuplicateWindow, message, Some(window));
        }
        if self.windows.len() >= WINDOWS_PER_SESSION_MAX {
            let message = format!("{WINDOWS_PER_SESSION_MAX} windows are open; close one first");
            return self
                .client
                .refuse(ErrorCode::TooManyWindows, message, Some(window));
        }
        if !is_range(open.start, open.count) {
            return self
                .client
                .refuse(ErrorCode::BadRange, range_message(), Some(window));
        }
        let table = match self.engine.table(&open.view.table).await {
            Ok(Some(table)) => table,
            Ok(None) => {
                let message = format!(
                    "no table that the server's role may read is called {:?}; list_tables names them \
                     all",
                    open.view.table
                );
                return self
                    .client
                    .refuse(ErrorCode::UnknownTable, message, Some(window));
            }
            Err(error) => return self.unavailable(&error, Some(window)),
        };
        let commands = self.engine.commands(&table);
        let held = Arc::new(());
        let lease = Arc::downgrade(&held);
        self.windows.insert(
            window,
            OpenedWindow {
                table,
                commands,
                lease,
            },
        );
        self.command(
            window,
            Command::Open(self.client.clone(), held, Box::new(open)),
        )
        .await;
    }

    async fn command(&self, window: WindowId, command: Command) {
        match self.windows.get(&window) {
            // Waits while the table is busy: that slows this client only.
            Some(open) => {
                if let Err(SendError(Command::Open(..))) = open.commands.send(command).await {
                    let message = format!("{} is no longer there", open.table.sql_name);
                    self.client
                        .refuse(ErrorCode::UnknownTable, message, Some(window));
                }
            }
            None => self.unknown_window(window),
        }
    }

    fn unknown_window(&self, window: WindowId) {
        let message = format!("window {window} is not open");
        self.client
            .refuse(ErrorCode::UnknownWindow, message, Some(window));
    }

    fn unavailable(&self, error: &sqlx::Error, window: Option<WindowId>) {
        tracing::debug!(%error, "the database cannot be asked");
        let message = "the database cannot be reached now; try again in a moment";
        self.client
            .refuse(ErrorCode::DatabaseUnavailable, message, window);
    }
}

fn is_range(start: u64, count: u32) -> bool {
    count <= WINDOW_ROWS_MAX && i64::try_from(start).is_ok()
}

fn range_message() -> String {
    format!("a window shows 0 to {WINDOW_ROWS_MAX} rows from a position below 2^63")
}
