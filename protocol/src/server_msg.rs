//! What a server may say.

use serde::{Deserialize, Serialize};

use crate::{
    Advice, EditId, ErrorCode, IndexProgress, Summarized, SummaryRefused, SummaryUpdate, TableInfo,
    TableSchema, Update, Value, WindowId,
};

/// What a server may say. In JSON: `{"update":{…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerMsg {
    /// The first message on every socket.
    Hello(Hello),
    /// Answers `list_tables`.
    Tables(Tables),
    /// A window is open; also sent again when its columns changed.
    Opened(Opened),
    /// A window's next version.
    Update(Update),
    /// Answers `edit`.
    EditResult(EditResult),
    /// Whether what is shown follows the database.
    Status(Status),
    /// A request was refused.
    Error(ErrorMsg),
    /// Sent when nothing else was for `heartbeat_millis`.
    Heartbeat(Heartbeat),
    /// Answers `ping`.
    Pong(Pong),
    /// How far the counting of a window's view has come.
    Progress(Progress),
    /// What a window's view costs, and the index that would help; sent after `opened`.
    Advice(Box<Advice>),
    /// Answers `create_index`.
    IndexProgress(IndexProgress),
    /// A summary is kept; also sent again when its keys or values changed.
    Summarized(Summarized),
    /// A summary's next version.
    Summary(SummaryUpdate),
    /// A summary was refused, or can no longer be kept.
    SummaryRefused(SummaryRefused),
}

/// The first message on every socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the server.
    pub protocol: u32,
    /// The server's name and version, for people.
    pub server: String,
    /// A socket silent for twice as long is dead: close it and reconnect.
    pub heartbeat_millis: u32,
    /// What this server allows.
    pub limits: Limits,
}

/// What a server allows on one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest frame a client may send, in bytes.
    pub frame_bytes_max: u32,
    /// Windows open at once.
    pub windows_max: u32,
    /// Rows in one window.
    pub window_rows_max: u32,
}

/// The tables that can be opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tables {
    /// The request's id.
    pub id: u64,
    /// In name order.
    pub tables: Vec<TableInfo>,
}

/// A window is open, with these columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The window.
    pub window: WindowId,
    /// Its columns.
    pub schema: TableSchema,
    /// What to mark in the text of its cells, if the view searches.
    #[serde(default)]
    pub highlight: Option<Highlight>,
    /// The best matches of the search come first.
    #[serde(default)]
    pub ranked: bool,
}

/// What a search looks for, to be marked where it occurs in the text of a cell, ignoring case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Highlight {
    /// The words typed, and what PostgreSQL makes of them (`run` of "running"): each at least one
    /// character.
    pub terms: Vec<String>,
    /// Mark a term only where a word begins with it; else anywhere.
    pub at_word_start: bool,
}

/// Answers an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EditResult {
    /// The edit.
    pub id: EditId,
    /// What became of it.
    pub outcome: EditOutcome,
}

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditOutcome {
    /// Committed. The update that lists the id shows it; until then the cell is pending.
    Applied,
    /// The cell holds something else by now; nothing was written.
    Conflict {
        /// What it holds.
        theirs: Value,
    },
    /// The row is gone; nothing was written.
    Gone,
    /// Refused; nothing was written.
    Rejected {
        /// Why.
        code: ErrorCode,
        /// Why, for the person who made the edit.
        message: String,
    },
}

/// Whether what is shown follows the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every commit arrives.
    Live,
    /// The server has lost the database and keeps trying: what is shown was true at `since_micros`.
    Stale {
        /// Microseconds since 1970.
        since_micros: i64,
        /// Why, for people.
        reason: String,
    },
}

/// A request was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorMsg {
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, and what to do about it, for people.
    pub message: String,
    /// The window it concerns.
    pub window: Option<WindowId>,
}

/// Says that the socket is alive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The server's clock, in microseconds since 1970.
    pub time_micros: i64,
}

/// Answers a ping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// The ping's id.
    pub id: u64,
    /// The server's clock, in microseconds since 1970.
    pub time_micros: i64,
}

/// How far the counting of a window's view has come. Sent now and then until an update's `total_is_exact` says
/// that it is done; the window's rows do not wait for it, but a jump far into the view does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The window.
    pub window: WindowId,
    /// Rows counted so far.
    pub counted: u64,
    /// How many there are, as PostgreSQL's planner estimates.
    pub expected: u64,
}
