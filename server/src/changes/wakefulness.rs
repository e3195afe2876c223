//! Who pays for the wake-up.
//!
//! NOTIFY takes a lock at commit that all notifying writers of a server share. So a reader that is awake
//! anyway holds an advisory lock, the *gate*; the trigger notifies only if it could have taken the gate.
//!
//! Falling asleep: the reader opens the gate, takes a transaction number, and looks once more. A writer
//! that was silenced by the gate had a smaller number by then. So it either committed before that
//! look, or is among the transactions that the look's snapshot names as running; while any of those
//! runs the reader keeps polling. (Without a number of its own the snapshot might end before the
//! youngest of them.) Every later writer finds the gate open.

use std::time::Duration;

use tokio_postgres::{Client, Error};
use view_index::{Snapshot, Xid};

use crate::limits::SILENCED_POLL;

/// The advisory lock that the change log's trigger tries (see `migrations/engine`).
const GATE: i64 = 7_813_014_321_550_001;
/// The advisory lock of the one server that reads for all which share a Redis.
const LEADERSHIP: i64 = 7_813_014_321_550_003;

/// Closes the gate: writers stop notifying. `false` if another reader holds it.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn close_gate(client: &Client) -> Result<bool, Error> {
    try_lock(client, GATE).await
}

/// Opens the gate again, and takes a transaction number above those of all writers it has silenced.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn open_gate(client: &Client) -> Result<(), Error> {
    // Two statements, each with a transaction of its own.
    client
        .batch_execute(&format!("SELECT pg_advisory_unlock({GATE})"))
        .await?;
    client.batch_execute("SELECT pg_current_xact_id()").await
}

/// Becomes the server that reads for all others, for as long as the connection lives. Must not be called
/// again once it has succeeded.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn take_leadership(client: &Client) -> Result<bool, Error> {
    try_lock(client, LEADERSHIP).await
}

async fn try_lock(client: &Client, key: i64) -> Result<bool, Error> {
    client
        .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
        .await?
        .try_get(0)
}

/// The writers that may have been told not to notify and have not ended yet.
#[derive(Debug, Default)]
pub struct Silenced {
    running: Vec<Xid>,
    pause: Duration,
}

impl Silenced {
    /// Those that were running when the reader looked after opening the gate.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            running: snapshot.running().to_vec(),
            pause: SILENCED_POLL.0,
        }
    }

    /// Forgets those that a later look has seen the end of.
    pub fn looked(&mut self, snapshot: &Snapshot) {
        self.running.retain(|&xid| !snapshot.sees(xid));
        self.pause = (self.pause * 2).min(SILENCED_POLL.1);
    }

    /// When to look again; `None` if every writer from now on notifies.
    pub fn pause(&self) -> Option<Duration> {
        (!self.running.is_empty()).then_some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_until_the_last_silenced_writer_has_ended() {
        let mut silenced = Silenced::new(&Snapshot::new(5, 9, [5, 7]));
        assert_eq!(silenced.pause(), Some(SILENCED_POLL.0));
        silenced.looked(&Snapshot::new(7, 12, [7, 10]));
        assert_eq!(silenced.pause(), Some(SILENCED_POLL.0 * 2));
        for _ in 0..20 {
            silenced.looked(&Snapshot::new(7, 12, [7, 10]));
        }
        assert_eq!(silenced.pause(), Some(SILENCED_POLL.1));
        silenced.looked(&Snapshot::new(10, 14, [10]));
        assert_eq!(silenced.pause(), None, "10 began after the gate was opened");
    }
}
