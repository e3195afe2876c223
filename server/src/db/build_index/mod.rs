//! Creating indexes without stopping writers: `CREATE INDEX CONCURRENTLY`, on a partitioned table partition by
//! partition.
//!
//! [`steps`] writes the statements, `builder` runs them on a connection of its own, and `progress` asks on
//! another one how far they are, and whom they wait for.

mod builder;
mod progress;
mod steps;

pub use self::builder::{BuildError, Stop, build, drop_invalid};
pub use self::progress::BuildProgress;
pub use self::steps::{Step, statements, steps};
