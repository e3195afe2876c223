//! From PostgreSQL's change log to batches.
//!
//! [`listener`] is woken by NOTIFY; [`reader`] reads what it has not seen, in one transaction per batch,
//! and hands batches on in order; `current` adds what rows have become; [`roles`] says when, and which server does it for all; [`attendance`], of which tables. It never looks
//! at views.

pub mod attendance;
pub mod batch;
mod current;
pub mod decode;
pub mod housekeeping;
pub mod listener;
pub mod reader;
pub mod roles;
pub mod sabotage;
pub mod wakefulness;

pub use batch::{Batch, Mark, TableBatch};
pub use reader::{Reader, SnapshotHook};
pub use sabotage::Sabotage;
