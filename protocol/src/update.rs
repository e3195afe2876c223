//! What a window shows, and how it changes.

use serde::{Deserialize, Serialize};

use crate::{Generation, Value, Version, WindowId};

/// Counts the updates of one window since it was opened; the first is 1.
pub type UpdateNumber = u64;

/// Brings a window from one version to the next. A snapshot is an update that keeps nothing: both
/// are applied by the same function (see `docs/protocol.md`).
///
/// Updates of a window form a chain: apply every one, in order, whatever its generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The window.
    pub window: WindowId,
    /// The newest generation of the window that the server knew of.
    pub generation: Generation,
    /// This update's number, to acknowledge it by.
    pub number: UpdateNumber,
    /// The version it starts from; `None` marks a snapshot, which starts from nothing.
    pub from: Option<Version>,
    /// The version it ends at.
    pub to: Version,
    /// Set on a snapshot that replaces what the client held: why a delta was not possible.
    pub must_refetch: Option<ResetReason>,
    /// The position in the view of the window's first row, from 0.
    pub start: u64,
    /// The number of rows in the view.
    pub total: u64,
    /// Whether `start` and `total` are exact. Until a large view is counted, `total` is an estimate, and so is
    /// `start` for a window at the view's end; the rows themselves are always exact.
    pub total_is_exact: bool,
    /// The window's rows after this update, in order, written in terms of the rows before it.
    pub rows: Vec<RowOp>,
    /// The client's own edits that are contained in this version and were not in the one before.
    pub edits: Vec<u64>,
    /// When the oldest change in this update was made, in microseconds since 1970 by PostgreSQL's
    /// clock; `None` if nothing changed (a moved window).
    pub changed_at_micros: Option<i64>,
}

/// A run of a window's rows after an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOp {
    /// `count` rows as they were, from index `from` of the rows before.
    Keep {
        /// Index into the rows before the update.
        from: u32,
        /// How many.
        count: u32,
    },
    /// The row at index `from` before, with some cells changed.
    Patch {
        /// Index into the rows before the update.
        from: u32,
        /// The changed cells: index into the window's columns, new value.
        cells: Vec<(u32, Value)>,
    },
    /// A row that the window did not show before.
    Row(Row),
}

/// One row of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The primary key's values, in key order.
    pub key: Vec<Value>,
    /// The values of the window's columns, in the order of the window's schema.
    pub cells: Vec<Value>,
}

/// Why a client must start again from a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The change log is a new one (the database crashed, was restored, or failed over).
    EpochChanged,
    /// The changes since the client's version are no longer held.
    HistoryExpired,
    /// More changed at once than can be followed one by one.
    TooManyChanges,
    /// The table, or one of its partitions, was truncated.
    Truncated,
    /// The table's columns changed; a new `opened` message comes first.
    SchemaChanged,
}
