//! One WebSocket: frames in, messages out.
//!
//! A session decodes and checks what a client says, hands it to the table that it concerns, and writes
//! what comes back. It holds no rows.

pub mod edits;
pub mod handshake;
pub mod indexing;
pub mod outbox;
pub mod requests;
pub mod socket;
pub mod summaries;

pub use handshake::upgrade;
