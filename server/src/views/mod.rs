//! From batches to what every client's window shows.
//!
//! One task per table ([`table`]) owns the table's views and their windows, so that they all stand at the
//! same state and nothing is locked. [`plan`] says what a view asked for means in SQL and in Rust;
//! [`answers`] asks PostgreSQL what only it can say; [`history`] remembers recent batches for those who come
//! late: queries whose snapshot is older than the table's state, and clients that reconnect. Tables that are not
//! live have a task of another kind ([`polled`]); [`turn`] lets the two follow each other.

pub mod advice;
pub mod answers;
pub mod budget;
pub mod catalog_store;
pub mod client;
pub mod clock;
pub mod engine;
pub mod fetching;
pub mod history;
pub mod indexer;
pub mod judging;
pub mod placing;
pub mod plan;
pub mod polled;
pub mod summaries;
pub mod table;
pub mod turn;
pub mod view;

pub use catalog_store::CatalogStore;
pub use client::{ClientRef, SessionId};
pub use engine::{Engine, EngineOptions};
pub use table::{Command, SummaryCommand};
