//! Snapshots, counted blocks, windows and deltas: the part of Rowcast that must be exact.
//!
//! Everything here is pure, synchronous and deterministic: no IO, no clock, no randomness, no async.
//! Read in this order: [`snapshot`] (what a state of the database is), [`order`] and [`predicate`] (which
//! rows a view holds, in which order), `blocks` and [`view`] (how many rows stand before each, and how
//! a batch of changes moves them), [`window`] (what one client shows, and the delta it is sent). [`summary`]: groups and aggregates.

mod blocks;
pub mod datetime;
pub mod decimal;
pub mod order;
pub mod predicate;
pub mod ranks;
pub mod row;
pub mod snapshot;
pub mod summary;
pub mod view;
pub mod window;

pub use blocks::Drift;
pub use order::{Key, KeyError, KeyPart, Order, OrderClass, OrderColumn};
pub use predicate::{Comparison, Predicate};
pub use ranks::{DomainId, Placement, Rank, Ranks};
pub use row::{RowKey, Side, TableChanges, TableRow, Verdicts};
pub use snapshot::{Snapshot, Xid};
pub use view::{Fetched, ViewError, ViewIndex};
pub use window::{Refresh, Window};
