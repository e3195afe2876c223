//! What a client may say.

use serde::{Deserialize, Serialize};

use crate::{
    AckSummary, CancelIndex, CreateIndex, ShowGroups, Summarize, Unsummarize, UpdateNumber, Value,
    Version, ViewSpec,
};

/// A window of this socket; the client chooses the number.
pub type WindowId = u32;

/// Counts the ranges a window has had; the client increments it with every move.
pub type Generation = u32;

/// An edit of this socket; the client chooses the number.
pub type EditId = u64;

/// What a client may say. In JSON: `{"open":{…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMsg {
    /// Asks for the list of tables; answered by `tables`.
    ListTables(ListTables),
    /// Opens a window; answered by `opened`, then updates for as long as it is open.
    Open(OpenWindow),
    /// Shows another range of an open window's view.
    Move(MoveWindow),
    /// Says that an update has been applied, which asks for the next one.
    Ack(Ack),
    /// Closes a window; updates already on their way may still arrive.
    Close(CloseWindow),
    /// Changes one cell if it still holds what the client saw; answered by `edit_result`.
    Edit(Edit),
    /// Answered by `pong`.
    Ping(Ping),
    /// Creates the index that `advice` suggests; answered by `index_progress`.
    CreateIndex(CreateIndex),
    /// Stops the creation of an index.
    CancelIndex(CancelIndex),
    /// Asks for groups and aggregates; answered by `summarized`, then `summary` for as long as it is kept.
    Summarize(Box<Summarize>),
    /// Shows other groups of a summary.
    ShowGroups(ShowGroups),
    /// Says that a `summary` message has been applied, which asks for the next one.
    AckSummary(AckSummary),
    /// Ends a summary; messages already on their way may still arrive.
    Unsummarize(Unsummarize),
}

/// Asks for the list of tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTables {
    /// Echoed in the answer.
    #[serde(default)]
    pub id: u64,
}

/// Opens a window on a view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenWindow {
    /// The window's number, not in use on this socket.
    pub window: WindowId,
    /// Echoed in updates; see [`MoveWindow::generation`].
    #[serde(default)]
    pub generation: Generation,
    /// Which rows, in which order.
    pub view: ViewSpec,
    /// Which columns, in which order; empty for all.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The position of the first row to show, from 0.
    #[serde(default)]
    pub start: u64,
    /// How many rows to show; at most `limits.window_rows_max`.
    pub count: u32,
    /// Shows the view's last `count` rows instead, and follows its end; `start` is then ignored.
    #[serde(default)]
    pub from_end: bool,
    /// What the client still holds of this window from an earlier socket.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Opens a view even if that is expensive: see [`ErrorCode::Expensive`](crate::ErrorCode::Expensive).
    #[serde(default)]
    pub allow_expensive: bool,
}

/// What a client still holds of a window: with it the first update can be a delta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The version of the last update that the client applied.
    pub version: Version,
    /// The keys of the rows it holds, in order, with the same columns as asked for now. `keep` and
    /// `patch` in the first update count in this list.
    pub keys: Vec<Vec<Value>>,
}

/// Shows another range of an open window's view. It never waits: the update that
/// answers it is sent even while an older one is not acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveWindow {
    /// The window.
    pub window: WindowId,
    /// Greater than the window's last; a smaller one is ignored.
    pub generation: Generation,
    /// The position of the first row to show, from 0.
    pub start: u64,
    /// How many rows to show.
    pub count: u32,
    /// As for [`OpenWindow::from_end`].
    #[serde(default)]
    pub from_end: bool,
    /// The last update applied (0 for none): acknowledges it.
    #[serde(default)]
    pub received: UpdateNumber,
}

/// Says that an update has been applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// The window.
    pub window: WindowId,
    /// The update's number; acknowledges the earlier ones too.
    pub number: UpdateNumber,
}

/// Closes a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseWindow {
    /// The window.
    pub window: WindowId,
}

/// Changes one cell by compare-and-set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Chosen by the client; echoed in the result, and in the update that first shows the edit.
    pub id: EditId,
    /// The window the edit was made in: its update echoes the id.
    pub window: WindowId,
    /// The row's primary key.
    pub key: Vec<Value>,
    /// The column's name.
    pub column: String,
    /// What the client saw in the cell; the edit is a conflict if it holds anything else by now.
    pub expected: Value,
    /// The new value.
    pub value: Value,
}

/// Asks for a `pong`, to measure the round trip and the clocks' difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ping {
    /// Echoed in the answer.
    #[serde(default)]
    pub id: u64,
}
