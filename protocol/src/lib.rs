//! Rowcast's wire types: everything a viewer and a server can say to each other.
//!
//! Read [`client_msg`] (what a client may say) and [`server_msg`] (what a server may say) first; every
//! other module holds one concept of theirs. This crate does no IO and compiles to WASM.
//!
//! # Changing it
//! The two unions travel in two encodings ([`codec`]). JSON tolerates a new optional field; the
//! binary encoding is positional and does not, so any change of a type here needs a new
//! [`PROTOCOL_VERSION`] and a line in its history. `tests/golden_frames.rs` fails until both are done.

pub mod advice;
pub mod client_msg;
pub mod codec;
pub mod error_code;
pub mod filter;
pub mod schema;
pub mod server_msg;
pub mod summary;
pub mod update;
pub mod value;
pub mod version;
pub mod view_spec;

pub use advice::{
    Advice, CancelIndex, CreateIndex, IndexProgress, IndexState, IndexSuggestion, MeasuredOpening,
    OpeningCost, ServedBy, ServedVerdict,
};
pub use client_msg::{
    Ack, ClientMsg, CloseWindow, Edit, EditId, Generation, ListTables, MoveWindow, OpenWindow,
    Ping, Resume, WindowId,
};
pub use codec::{CodecError, Encoding};
pub use error_code::ErrorCode;
pub use filter::{Filter, FilterOp, Test};
pub use schema::{Column, ColumnKind, Liveness, Privileges, TableInfo, TableKind, TableSchema};
pub use server_msg::{
    EditOutcome, EditResult, ErrorMsg, Heartbeat, Hello, Highlight, Limits, Opened, Pong, Progress,
    ServerMsg, Status, Tables,
};
pub use summary::{
    AckSummary, Aggregate, AggregateOp, Buckets, GroupBy, GroupOrder, GroupTerm, ShowGroups,
    Summarize, Summarized, SummaryId, SummaryKey, SummaryRefused, SummaryUpdate, SummaryValue,
    Unsummarize,
};
pub use update::{ResetReason, Row, RowOp, Update, UpdateNumber};
pub use value::Value;
pub use version::{PROTOCOL_VERSION, Version};
pub use view_spec::{NullsOrder, SortColumn, ViewSpec};
