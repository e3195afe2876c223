//! Whole views as files: each format holds what PostgreSQL says, from one snapshot, and an export that nobody
//! wants any more ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod download;
mod formats;
mod kinds;
mod life;
mod refusals;
