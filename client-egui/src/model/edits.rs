//! One edit of the person's own, from the keystroke to the update that contains it.

use protocol::Value;
use web_time::Instant;

use super::WindowId;

/// Names one edit of one cell, until it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EditId(pub(super) u64);

/// How far an edit has come.
#[derive(Clone, Debug, PartialEq)]
pub enum EditPhase {
    /// Not sent yet: there is no connection, or the window is catching up.
    Queued,
    /// Sent; not answered yet.
    Sent,
    /// Committed; the update that contains it has not arrived yet.
    Applied,
    /// The cell held something else by then; nothing was written. Settle it with
    /// [`Model::resolve_keep_mine`](super::Model::resolve_keep_mine) or
    /// [`Model::resolve_take_theirs`](super::Model::resolve_take_theirs).
    Conflict {
        /// What the cell held.
        theirs: Value,
    },
    /// The connection was lost before the answer, or there was none for a long time, and the cell does
    /// not show the edit. Settle it with [`Model::retry`](super::Model::retry) or
    /// [`Model::resolve_take_theirs`](super::Model::resolve_take_theirs).
    Unconfirmed,
}

/// One edit of one cell that is not settled yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub(super) id: EditId,
    pub(super) window: WindowId,
    pub(super) key: Vec<Value>,
    pub(super) column: String,
    /// What the cell must hold for the edit to be written.
    pub(super) expected: Value,
    pub(super) mine: Value,
    /// Typed over `mine` while that was on its way: sent once `mine` is settled, so that two edits of
    /// one cell never race each other.
    pub(super) next: Option<Value>,
    pub(super) phase: EditPhase,
    /// Its number on the socket, while it is sent or applied.
    pub(super) wire_id: Option<protocol::EditId>,
    /// When to stop waiting for the server, while it is sent or applied.
    pub(super) give_up_at: Option<Instant>,
}

impl Edit {
    /// To settle it by.
    pub fn id(&self) -> EditId {
        self.id
    }

    /// The window it was made in.
    pub fn window(&self) -> WindowId {
        self.window
    }

    /// The row's primary key.
    pub fn key(&self) -> &[Value] {
        &self.key
    }

    /// The column's name.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What the person wants the cell to hold.
    pub fn mine(&self) -> &Value {
        self.next.as_ref().unwrap_or(&self.mine)
    }

    /// How far it has come.
    pub fn phase(&self) -> &EditPhase {
        &self.phase
    }

    /// Whether it is expected to be in the database soon: the screen shows it already.
    pub fn is_on_its_way(&self) -> bool {
        matches!(
            self.phase,
            EditPhase::Queued | EditPhase::Sent | EditPhase::Applied
        )
    }

    /// What the person typed, for a notice; `NULL` as one types it.
    pub(super) fn typed(&self) -> String {
        match self.mine() {
            Value::Null => super::NULL_INPUT.to_owned(),
            value => value.to_string(),
        }
    }

    /// Back to the queue, with the newest value typed.
    pub(super) fn queue(&mut self, expected: Value) {
        self.mine = self.next.take().unwrap_or(std::mem::take(&mut self.mine));
        self.expected = expected;
        self.rest(EditPhase::Queued);
    }

    /// To a phase in which nothing is awaited of the server.
    pub(super) fn rest(&mut self, phase: EditPhase) {
        self.phase = phase;
        self.wire_id = None;
        self.give_up_at = None;
    }
}

/// Why an edit was not accepted. The text tells the person what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditRefused {
    /// The cell shows the value already.
    #[error("the cell holds this value already")]
    Unchanged,
    /// The row is not in the window (any more).
    #[error("this row is no longer shown; scroll back to it and edit it again")]
    RowNotHeld,
    /// The window has no such column.
    #[error("the column “{0}” is not shown; show it, then edit it")]
    UnknownColumn(String),
    /// The column is generated, or the role may not write it.
    #[error("the column “{0}” cannot be edited")]
    NotEditable(String),
    /// The cell has a conflict or an unconfirmed edit that must be settled first.
    #[error("decide about the earlier edit of this cell first")]
    Unsettled,
    /// Too many edits are waiting.
    #[error("{0} edits are waiting to be written; wait for the connection to return")]
    TooMany(usize),
}
