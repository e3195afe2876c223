//! Snapshots, counted blocks, windows and deltas: the part of Rowcast that must be exact.
//!
//! Everything here is pure, synchronous and deterministic: no IO, no clock, no randomness, no async.
//! Read in this order: [`snapshot`] (what a state of the database is), [`order`] and [`predicate`] (which
//! rows a view holds, in which order), [`ends`](mod@ends) (what a batch's rows have become), [`blocks`] (how many rows stand before each), [`piece`], [`chart`]
//! and [`tally`] (how rows and counts that a query saw come in), [`view`] (how a batch of changes moves it all), [`window`]
//! (what one client shows, and the delta it is sent). [`summary`]: groups and aggregates.

pub mod blocks;
pub mod chart;
pub mod datetime;
pub mod decimal;
mod effects;
pub mod ends;
mod fenwick;
pub mod keys;
pub mod order;
pub mod piece;
pub mod predicate;
pub mod ranks;
pub mod row;
pub mod snapshot;
pub mod summary;
pub mod tally;
pub mod view;
pub mod window;

pub use blocks::{Bound, Drift, Sizes};
pub use chart::{Chart, ChartBlock};
pub use ends::{End, ends};
pub use keys::KeySet;
pub use order::{Key, KeyError, KeyPart, Order, OrderClass, OrderColumn};
pub use piece::{Fetched, Origin, Piece};
pub use predicate::{Comparison, Predicate};
pub use ranks::{DomainId, Placement, Rank, Ranks};
pub use row::{RowKey, Side, TableChanges, TableRow, Verdicts};
pub use snapshot::{Snapshot, Xid};
pub use tally::Tally;
pub use view::{Need, Total, ViewError, ViewIndex};
pub use window::{Refresh, Standing, Window};
