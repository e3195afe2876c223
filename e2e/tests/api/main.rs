//! The HTTP API for programs, compared with PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod bad_input;
mod fixture;
mod indexes;
mod kinds;
mod rows;
mod slow;
mod stream;
mod writes;
