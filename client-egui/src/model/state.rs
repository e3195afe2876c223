//! The whole of what the viewer knows, and what a person can do to it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::{ClientMsg, Hello, ListTables, TableInfo, Value, ViewSpec};
use web_time::Instant;

use super::edit_book::{EditBook, NotWritten};
use super::latency::LatencyWindow;
use super::notices::Notices;
use super::round_trip::RoundTrip;
use super::viewport::Range;
use super::window::rows_max;
use super::{
    CellView, ConnectionState, Edit, EditId, EditRefused, IndexBuild, LatencySummary, Notice,
    NoticeId, Slot, Summary, SummaryId, Window, WindowId,
};

/// The whole of what the viewer knows.
///
/// Feed it every [`LinkEvent`](super::LinkEvent) by [`handle`](Self::handle) and the time by
/// [`tick`](Self::tick) (at the latest at [`next_deadline`](Self::next_deadline)); send what
/// [`pop_outgoing`](Self::pop_outgoing) returns. [`Driver`](crate::net::Driver) does all of that.
#[derive(Debug)]
pub struct Model {
    pub(super) connection: ConnectionState,
    pub(super) tables: Option<Vec<TableInfo>>,
    /// Set while a socket is open and its server has introduced itself.
    pub(super) hello: Option<Hello>,
    /// The server has lost the database: since when, and why.
    pub(super) stale: Option<(i64, String)>,
    pub(super) windows: BTreeMap<WindowId, Window>,
    pub(super) summaries: BTreeMap<SummaryId, Summary>,
    pub(super) index_build: Option<IndexBuild>,
    pub(super) last_index_build: u64,
    pub(super) edits: EditBook,
    pub(super) notices: Notices,
    pub(super) latency: LatencyWindow,
    pub(super) round_trip: RoundTrip,
    pub(super) outbox: VecDeque<ClientMsg>,
    last_window: u32,
    pub(super) last_wire_id: protocol::WindowId,
    pub(super) last_summary: u32,
    pub(super) last_wire_summary: protocol::SummaryId,
}

impl Model {
    /// A model that is not connected yet. `now` is the zero of its own clock.
    pub fn new(now: Instant) -> Self {
        Self {
            connection: ConnectionState::Connecting,
            tables: None,
            hello: None,
            stale: None,
            windows: BTreeMap::new(),
            summaries: BTreeMap::new(),
            index_build: None,
            last_index_build: 0,
            edits: EditBook::default(),
            notices: Notices::default(),
            latency: LatencyWindow::default(),
            round_trip: RoundTrip::new(now),
            outbox: VecDeque::new(),
            last_window: 0,
            last_wire_id: 0,
            last_summary: 0,
            last_wire_summary: 0,
        }
    }

    /// The next message to send; `None` when all are sent.
    pub fn pop_outgoing(&mut self) -> Option<ClientMsg> {
        self.outbox.pop_front()
    }

    /// How many messages wait to be sent.
    pub fn outgoing_len(&self) -> usize {
        self.outbox.len()
    }

    /// Whether what is on the screen follows the database.
    pub fn connection(&self) -> &ConnectionState {
        &self.connection
    }

    /// What the server said of itself; `None` without a connection.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// The tables that can be opened; `None` until the server has listed them.
    pub fn tables(&self) -> Option<&[TableInfo]> {
        self.tables.as_deref()
    }

    /// Asks for the list of tables again. (A new connection does so by itself.)
    pub fn refresh_tables(&mut self) {
        if self.hello.is_some() {
            self.outbox
                .push_back(ClientMsg::ListTables(ListTables { id: 0 }));
        }
    }

    /// The last round trip on this connection; `None` before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.last()
    }

    /// Commit → screen latency over the most recent updates; `None` before the first.
    pub fn latency(&self) -> Option<LatencySummary> {
        self.latency.summary()
    }

    /// Opens a window on exactly `count` rows of a view from position `start`; no columns for all.
    /// [`show_rows`](Self::show_rows) moves it.
    pub fn open(
        &mut self,
        view: ViewSpec,
        columns: Vec<String>,
        start: u64,
        count: u32,
    ) -> WindowId {
        self.last_window += 1;
        let id = WindowId(self.last_window);
        self.windows
            .insert(id, Window::new(view, columns, Range { start, count }));
        self.open_at_server(id);
        id
    }

    /// Closes a window. Edits made in it that were not written yet become notices.
    pub fn close(&mut self, window: WindowId) {
        if let Some(mut closed) = self.windows.remove(&window) {
            self.outbox.extend(closed.close());
        }
        for not_written in self.edits.close(window) {
            self.notify(not_written);
        }
        self.refresh_connection();
    }

    /// Says which rows are on the screen now: asks the server for what is missing, with about a screen
    /// above and below. Cheap, and at most one message in 30 ms; call it on every frame.
    pub fn show_rows(
        &mut self,
        window: WindowId,
        first_visible: u64,
        visible_count: u32,
        now: Instant,
    ) {
        let rows_max = rows_max(self.hello.as_ref().map(|hello| &hello.limits));
        if let Some(window) = self.windows.get_mut(&window)
            && visible_count > 0
        {
            let visible = Range {
                start: first_visible,
                count: visible_count,
            };
            self.outbox.extend(window.show(visible, rows_max, now));
        }
    }

    /// Gives a window another table, sort or filter. Its rows become placeholders until the answer.
    pub fn set_view(&mut self, window: WindowId, view: ViewSpec) {
        if let Some(open) = self.windows.get_mut(&window)
            && *open.view() != view
        {
            let columns = open.columns().to_vec();
            self.outbox.extend(open.set(view, columns));
            self.open_at_server(window);
        }
    }

    /// Opens a window that was refused because it takes long to open.
    pub fn open_anyway(&mut self, window: WindowId) {
        if self
            .windows
            .get_mut(&window)
            .is_some_and(Window::open_anyway)
        {
            self.open_at_server(window);
        }
    }

    /// Opens a window that was refused because its rows are too far down, at the top.
    pub fn return_to_top(&mut self, window: WindowId) {
        if self
            .windows
            .get_mut(&window)
            .is_some_and(Window::return_to_top)
        {
            self.open_at_server(window);
        }
    }

    /// Gives a window other columns; none for all. Its rows become placeholders until the answer.
    pub fn set_columns(&mut self, window: WindowId, columns: Vec<String>) {
        if let Some(open) = self.windows.get_mut(&window)
            && open.columns() != columns
        {
            let view = open.view().clone();
            self.outbox.extend(open.set(view, columns));
            self.open_at_server(window);
        }
    }

    /// Asks again for a window that was refused; see [`Window::error`].
    pub fn reopen(&mut self, window: WindowId) {
        if self.windows.get_mut(&window).is_some_and(Window::retry) {
            self.open_at_server(window);
        }
    }

    /// An open window.
    pub fn window(&self, window: WindowId) -> Option<&Window> {
        self.windows.get(&window)
    }

    /// The open windows, oldest first.
    pub fn windows(&self) -> impl Iterator<Item = (WindowId, &Window)> {
        self.windows.iter().map(|(id, window)| (*id, window))
    }

    /// Where the row that was at `anchor_position` when this was last called (the first one on the
    /// screen, say) is now; if it is gone, or has itself moved away, where its nearest surviving
    /// neighbour puts the place. Scroll there to keep what is being read in place. At position 0
    /// the answer is 0: new rows stream in.
    pub fn take_shift(
        &mut self,
        window: WindowId,
        anchor_key: &[Value],
        anchor_position: u64,
    ) -> u64 {
        match self.windows.get_mut(&window) {
            Some(window) => window.take_shift(anchor_key, anchor_position),
            None => anchor_position,
        }
    }

    /// One cell with its edit; `None` while its row is loading, or if there is no such column.
    pub fn cell(&self, window: WindowId, position: u64, column: usize) -> Option<CellView<'_>> {
        let cache = self.window(window)?.cache();
        let Slot::Loaded(row) = cache.row(position) else {
            return None;
        };
        let name = &cache.schema()?.columns.get(column)?.name;
        Some(CellView {
            value: row.cells().get(column)?,
            edit: self.edits.of_cell(window, row.key(), name),
            changed_at: row.cell_changed_at(column),
        })
    }

    /// Changes a cell by compare-and-set against what it shows now. Without a connection the edit
    /// waits for one; an edit of a cell whose last edit is on its way waits for that one.
    ///
    /// # Errors
    /// If the edit cannot be made at all; see [`EditRefused`].
    pub fn edit(
        &mut self,
        window: WindowId,
        key: &[Value],
        column: &str,
        value: Value,
        now: Instant,
    ) -> Result<EditId, EditRefused> {
        let cell = self.editable_cell(window, key, column)?;
        let seen = cell.clone();
        let id = self.edits.make(window, key, column, seen, value)?;
        self.send_edits(now);
        Ok(id)
    }

    /// The same by somebody who saw `seen` in the cell when they began to type. What has come since was
    /// behind their text: writing over it would be silent, so it becomes a conflict. Text left as it was
    /// is no edit.
    ///
    /// # Errors
    /// As those of [`edit`](Self::edit).
    pub fn edit_what_was(
        &mut self,
        window: WindowId,
        key: &[Value],
        column: &str,
        (seen, value): (Value, Value),
        now: Instant,
    ) -> Result<EditId, EditRefused> {
        let held = self.editable_cell(window, key, column)?;
        let has_edit = self.edits.of_cell(window, key, column).is_some();
        if !has_edit && (value == seen || value == *held) {
            return Err(EditRefused::Unchanged);
        }
        let id = self.edits.make(window, key, column, seen, value)?;
        self.send_edits(now);
        Ok(id)
    }

    /// What a cell holds at the server as far as is known, if it can be edited.
    fn editable_cell(
        &self,
        window: WindowId,
        key: &[Value],
        column: &str,
    ) -> Result<&Value, EditRefused> {
        let window = self.windows.get(&window);
        let cache = window.ok_or(EditRefused::RowNotHeld)?.cache();
        let known = cache
            .schema()
            .and_then(|schema| schema.columns.iter().find(|known| known.name == column));
        let known = known.ok_or_else(|| EditRefused::UnknownColumn(column.to_owned()))?;
        if !known.editable {
            return Err(EditRefused::NotEditable(column.to_owned()));
        }
        cache.cell(key, column).ok_or(EditRefused::RowNotHeld)
    }

    /// The edits that are not settled yet, oldest first.
    pub fn edits(&self) -> impl Iterator<Item = &Edit> {
        self.edits.iter()
    }

    /// An edit that is not settled yet; `None` once it is, whichever way.
    pub fn edit_state(&self, edit: EditId) -> Option<&Edit> {
        self.edits.get(edit)
    }

    /// Settles a conflict: writes mine over theirs (unless the cell has changed yet again).
    pub fn resolve_keep_mine(&mut self, edit: EditId, now: Instant) {
        self.edits.keep_mine(edit);
        self.send_edits(now);
    }

    /// Settles a conflict or an unconfirmed edit: drops mine.
    pub fn resolve_take_theirs(&mut self, edit: EditId) {
        self.edits.take_theirs(edit);
    }

    /// Sends an unconfirmed edit again, against what the cell shows now.
    pub fn retry(&mut self, edit: EditId, now: Instant) {
        let Some(unconfirmed) = self.edits.get(edit) else {
            return;
        };
        let held = self
            .windows
            .get(&unconfirmed.window())
            .and_then(|window| window.cache().cell(unconfirmed.key(), unconfirmed.column()));
        self.edits.retry(edit, held);
        self.send_edits(now);
    }

    /// Messages for the person, oldest first.
    pub fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter()
    }

    /// Takes a notice off the screen.
    pub fn dismiss_notice(&mut self, notice: NoticeId) {
        self.notices.dismiss(notice);
    }

    pub(super) fn notify(&mut self, not_written: NotWritten) {
        self.notices.push(not_written.text, Some(not_written.typed));
    }
}
