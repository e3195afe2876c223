//! Why a request was refused.

use serde::{Deserialize, Serialize};

/// Why a request was refused. The socket stays open unless the code says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not a message of this protocol. After many of them the socket is closed.
    BadMessage,
    /// The frame is larger than `limits.frame_bytes_max`; the socket is closed.
    FrameTooLarge,
    /// No table that the server's role may read has this name.
    UnknownTable,
    /// The table has no column of this name.
    UnknownColumn,
    /// `start` or `count` is out of the allowed range.
    BadRange,
    /// The sort names a column twice, or one whose type has no order.
    BadSort,
    /// The filter is too large, or its operator does not fit the column.
    BadFilter,
    /// A value cannot be read as the column's type.
    BadValue,
    /// The window id is already open on this socket.
    DuplicateWindow,
    /// The window id is not open on this socket.
    UnknownWindow,
    /// More windows than `limits.windows_max`.
    TooManyWindows,
    /// Messages arrive faster than they can be answered; slow down.
    RateLimited,
    /// The cell cannot be edited: the column is generated, the role lacks the privilege, or the table has no
    /// key, is a view, and so on; the message says which.
    NotEditable,
    /// The edit broke a constraint of the table; the message is PostgreSQL's.
    EditRejected,
    /// PostgreSQL cannot be reached now; the server keeps trying.
    DatabaseUnavailable,
    /// The query took longer than the server allows.
    QueryTimeout,
    /// A fault of the server's; it is in its log.
    Internal,
    /// No index serves the view and reading it all takes long; open it with `allow_expensive` if that is meant.
    Expensive,
    /// Only for administrators: the token is wrong, or this server has none.
    Forbidden,
    /// The index asked for is not the one that would serve the view now; look at its newest advice.
    StaleAdvice,
    /// PostgreSQL did not create the index; the message says why.
    IndexFailed,
    /// It was stopped because somebody asked for that.
    Cancelled,
    /// The search is too long, or the table has no text to search in.
    BadSearch,
    /// The view is too large to be shown there without an index on its order and filter.
    NoIndex,
    /// PostgreSQL could not answer the query: a division by zero in a view, a foreign server that is away.
    QueryFailed,
    /// The summary's keys, aggregates, buckets or order make no sense for the table.
    BadSummary,
    /// The summary has more groups than the server holds.
    TooManyGroups,
    /// The summary id is already in use on this socket.
    DuplicateSummary,
    /// The summary id is not in use on this socket.
    UnknownSummary,
    /// More summaries than one socket may have.
    TooManySummaries,
}
