//! Versions: of the protocol itself, and of what a window shows.

use serde::{Deserialize, Serialize};

/// The version of this protocol. History:
/// - 1: windows, updates, compare-and-set edits, resume.
/// - 2: totals may be estimates, progress of counting, windows that follow a view's end.
pub const PROTOCOL_VERSION: u32 = 2;

/// The state of the database that a window's rows belong to: opaque to clients, who only store it and
/// send it back to resume. (It is the change log's epoch and a PostgreSQL snapshot, so every server on
/// the same database understands it.)
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub String);
