//! From batches to the tables whose views they concern, on this server and on others.
//!
//! The [`Router`] hands every batch to every table's task without ever waiting for one. The [`Relay`]
//! carries batches between servers through Redis. It may lose any of them: a server that
//! notices reads the change log itself.

pub mod relay;
pub mod router;

pub use relay::Relay;
pub use router::Router;
