//! One open range of a view.

use std::time::Duration;

use protocol::{
    Ack, Advice, ClientMsg, CloseWindow, ErrorMsg, Generation, Highlight, Limits, MoveWindow,
    OpenWindow, Opened, Resume, Update, ViewSpec,
};
use web_time::Instant;

use super::stand::Stand;
use super::viewport::{MOVE_INTERVAL, ROWS_MAX_DEFAULT, Range};
use super::window_cache::Kept;
use super::{Applied, ChainError, WindowCache};

/// How long a window is left alone after the server said that messages come too fast.
const SLOW_DOWN: Duration = Duration::from_millis(500);

/// Names a window of a [`Model`](super::Model) for as long as it is open: a new sort, a new filter or
/// a new socket do not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WindowId(pub(super) u32);

/// One open range of a view.
#[derive(Debug)]
pub struct Window {
    view: ViewSpec,
    columns: Vec<String>,
    cache: WindowCache,
    /// What to mark in the cells, if the view searches.
    highlight: Option<Highlight>,
    /// The best matches of the search come first.
    ranked: bool,
    /// What the view costs, and the index that would help.
    advice: Option<Advice>,
    error: Option<ErrorMsg>,
    stand: Stand,
    /// The range last asked for.
    range: Range,
    generation: Generation,
    visible: Range,
    /// A move is wanted, but the last was too short ago.
    move_due: bool,
    next_move_at: Option<Instant>,
    /// Faults since the last update that applied.
    faults: u32,
    /// The view may take long to open: somebody has said that it is meant.
    allow_expensive: bool,
}

impl Window {
    pub(super) fn new(view: ViewSpec, columns: Vec<String>, visible: Range) -> Self {
        Self {
            view,
            columns,
            cache: WindowCache::default(),
            highlight: None,
            ranked: false,
            advice: None,
            error: None,
            stand: Stand::Unopened,
            range: visible,
            generation: 0,
            visible,
            move_due: false,
            next_move_at: None,
            faults: 0,
            allow_expensive: false,
        }
    }

    /// Which rows, in which order.
    pub fn view(&self) -> &ViewSpec {
        &self.view
    }

    /// Which columns were asked for; empty for all.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows held.
    pub fn cache(&self) -> &WindowCache {
        &self.cache
    }

    /// What to mark in the text of its cells, if the view searches.
    pub fn highlight(&self) -> Option<&Highlight> {
        self.highlight.as_ref()
    }

    /// Whether the best matches of the search come first.
    pub fn is_ranked(&self) -> bool {
        self.ranked
    }

    /// What the view costs, and the index that would help; `None` until the server has said so.
    pub fn advice(&self) -> Option<&Advice> {
        self.advice.as_ref()
    }

    /// Why the window's last request was refused; `None` again with the next update.
    pub fn error(&self) -> Option<&ErrorMsg> {
        self.error.as_ref()
    }

    /// Whether updates arrive for it on the present socket.
    pub fn is_following(&self) -> bool {
        matches!(self.stand, Stand::Following(_))
    }

    /// Whether it shows rows that nothing keeps up to date at the moment.
    pub(super) fn is_behind(&self) -> bool {
        self.cache.version().is_some() && !self.is_following() && self.stand != Stand::Refused
    }

    pub(super) fn wire_id(&self) -> Option<protocol::WindowId> {
        self.stand.wire_id()
    }

    pub(super) fn is_to_be_opened(&self, now: Instant) -> bool {
        self.stand.is_to_be_opened(now)
    }

    /// Opens it under a number not used on this socket; from what is held, if that may be continued.
    pub(super) fn open(&mut self, id: protocol::WindowId, limits: &Limits) -> ClientMsg {
        self.stand = Stand::Opening(id);
        self.cache.reopened();
        self.generation = 0;
        self.move_due = false;
        if self.range.count > limits.window_rows_max {
            self.range = self.visible.with_overscan(limits.window_rows_max);
        }
        ClientMsg::Open(OpenWindow {
            window: id,
            generation: self.generation,
            view: self.view.clone(),
            columns: self.columns.clone(),
            start: self.range.start,
            count: self.range.count,
            from_end: false,
            resume: self.resume(limits),
            allow_expensive: self.allow_expensive,
        })
    }

    fn resume(&self, limits: &Limits) -> Option<Resume> {
        let version = self.cache.version()?.clone();
        let keys: Vec<_> = self
            .cache
            .rows()
            .iter()
            .map(|row| row.key().to_vec())
            .collect();
        let bytes: usize = keys.iter().flatten().map(protocol::Value::heap_bytes).sum();
        // A frame too large would close the socket; half of it leaves room for the rest.
        (bytes <= limits.frame_bytes_max as usize / 2).then_some(Resume { version, keys })
    }

    /// Says that it is no longer open at the server: the socket is gone.
    pub(super) fn lost(&mut self) {
        self.stand.lost();
    }

    pub(super) fn close(&mut self) -> Option<ClientMsg> {
        let id = self.wire_id()?;
        self.stand = Stand::Unopened;
        Some(ClientMsg::Close(CloseWindow { window: id }))
    }

    /// Changes the view or the columns. Rows of another order or filter would lie: they go; the number
    /// of rows stays if it cannot have changed, and the columns if they are the same table's.
    pub(super) fn set(&mut self, view: ViewSpec, columns: Vec<String>) -> Option<ClientMsg> {
        let same_table = self.view.table == view.table;
        let same_rows = self.view.filter == view.filter && self.view.search == view.search;
        self.cache.clear(Kept {
            schema: same_table && self.columns == columns,
            total: same_table && same_rows,
        });
        self.highlight = None;
        self.ranked = false;
        self.advice = self.advice.take().filter(|_| self.view == view);
        self.allow_expensive &= self.view == view;
        self.view = view;
        self.columns = columns;
        self.error = None;
        self.faults = 0;
        let close = self.close();
        self.stand = Stand::Unopened;
        close
    }

    pub(super) fn opened(&mut self, opened: Opened) {
        self.cache.set_schema(opened.schema);
        self.highlight = opened.highlight;
        self.ranked = opened.ranked;
    }

    pub(super) fn advised(&mut self, advice: Advice) {
        self.advice = Some(advice);
    }

    pub(super) fn counted(&mut self, rows: u64) {
        self.cache.set_counted(rows);
    }

    /// Applies an update and acknowledges it. After an error the window is to be opened anew.
    pub(super) fn apply(
        &mut self,
        update: Update,
        now: Instant,
    ) -> Result<(Applied, ClientMsg), ChainError> {
        let window = update.window;
        let generation = update.generation;
        let applied = self.cache.apply(update, now)?;
        if generation == self.generation {
            // The server holds the window to its rows: where they are has changed with others above.
            self.range.start = self.cache.start();
        }
        self.stand = Stand::Following(window);
        self.error = None;
        self.faults = 0;
        let number = applied.number;
        Ok((applied, ClientMsg::Ack(Ack { window, number })))
    }

    /// The window cannot go on as it is: closes it and opens it again after a wait. Without what it
    /// holds, if that is what is wrong.
    pub(super) fn fail(&mut self, now: Instant) -> Option<ClientMsg> {
        let close = self.close();
        self.stand = Stand::failed(self.faults, now);
        self.faults += 1;
        close
    }

    /// Lets a window that was refused be opened again.
    pub(super) fn retry(&mut self) -> bool {
        let was_refused = self.stand == Stand::Refused;
        if was_refused {
            self.stand = Stand::Unopened;
        }
        was_refused
    }

    /// Opens a window again that was refused because it takes long: that is meant.
    pub(super) fn open_anyway(&mut self) -> bool {
        self.allow_expensive = true;
        self.error = None;
        self.retry()
    }

    /// Opens a window again that was refused because its rows are too far down: at the top.
    pub(super) fn return_to_top(&mut self) -> bool {
        self.visible.start = 0;
        self.range.start = 0;
        self.error = None;
        self.retry()
    }

    /// Forgets the rows: they are not what the server thinks they are.
    pub(super) fn distrust_rows(&mut self) {
        self.cache.clear_rows();
    }

    /// The server refused something: if it was the window as such, it stays closed until its view is
    /// changed or the person asks again.
    pub(super) fn refuse(&mut self) -> Option<ClientMsg> {
        if !self.is_opening() {
            return None;
        }
        // Nothing will keep them up to date.
        self.cache.clear_rows();
        // Whatever the server still holds of it must not count against its limit.
        let close = self.close();
        self.stand = Stand::Refused;
        close
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(self.stand, Stand::Opening(_))
    }

    pub(super) fn set_error(&mut self, error: ErrorMsg) {
        self.error = Some(error);
    }

    pub(super) fn show(
        &mut self,
        visible: Range,
        rows_max: u32,
        now: Instant,
    ) -> Option<ClientMsg> {
        self.visible = visible;
        self.move_due = !self
            .range
            .is_comfortable_for(visible, self.cache.total(), rows_max);
        if self.move_due && self.wire_id().is_none() {
            self.range = visible.with_overscan(rows_max);
            self.move_due = false;
        }
        self.move_if_due(rows_max, now)
    }

    /// Sends the move that is wanted, unless the last one was too short ago.
    pub(super) fn move_if_due(&mut self, rows_max: u32, now: Instant) -> Option<ClientMsg> {
        let id = self.wire_id()?;
        if !self.move_due || self.next_move_at.is_some_and(|at| now < at) {
            return None;
        }
        self.move_due = false;
        self.next_move_at = Some(now + MOVE_INTERVAL);
        self.range = self.visible.with_overscan(rows_max);
        self.generation += 1;
        Some(ClientMsg::Move(MoveWindow {
            window: id,
            generation: self.generation,
            start: self.range.start,
            count: self.range.count,
            from_end: self.shows_end(),
            received: self.cache.number(),
        }))
    }

    /// Whether the view's last rows are wanted whose numbers nobody knows yet: of a view that is being counted
    /// they can be shown at once, other rows far down cannot.
    fn shows_end(&self) -> bool {
        let total = self.cache.total().filter(|_| !self.cache.total_is_exact());
        total.is_some_and(|total| {
            let end = self
                .visible
                .start
                .saturating_add(u64::from(self.visible.count));
            self.visible.start > 0 && end >= total
        })
    }

    /// The server had no time for the last move: repeats it a little later.
    pub(super) fn slow_down(&mut self, now: Instant) {
        self.move_due = true;
        self.next_move_at = Some(now + SLOW_DOWN);
    }

    /// When it has something to do, on a live socket.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.stand {
            Stand::Failed { retry_at } => Some(retry_at),
            Stand::Opening(_) | Stand::Following(_) if self.move_due => self.next_move_at,
            _ => None,
        }
    }

    pub(super) fn take_shift(&mut self, key: &[protocol::Value], position: u64) -> u64 {
        self.cache.take_shift(key, position)
    }
}

/// Rows that one window may have on this server.
pub(super) fn rows_max(limits: Option<&Limits>) -> u32 {
    limits.map_or(ROWS_MAX_DEFAULT, |limits| limits.window_rows_max)
}
