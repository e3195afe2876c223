//! Whether an index serves a view, and what Rowcast makes of it: the verdict against PostgreSQL's plans,
//! the index that is suggested, what is refused for being too expensive, and how an index is created.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command_line;
mod creating;
mod messages;
mod partitions;
mod serving;
mod suggestions;
mod support;
mod timeouts;
mod waiting;
