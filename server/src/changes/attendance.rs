//! Whose changes are logged.
//!
//! The triggers of a table log only while a reader *attends* it, by a lock that names it. A reader attends the tables that
//! have a task on this server or, if it reads for others, on one of theirs.
//!
//! Beginning: the reader takes the lock, sees which transactions have written the table and are still running, and takes its
//! next snapshot. Every other writer has ended by then, and that snapshot sees all of it, or finds the lock taken and logs.
//! Those few may have found it free: what they wrote is nowhere in the log. So the table's views begin at that snapshot,
//! and are built anew when a later one sees one of them. (A transaction holds its locks a little longer than it is among
//! the running ones, so who holds none has ended for the next snapshot.)
//!
//! The locks end with the connection. What was written until they were taken again is not known, so views are built
//! anew then, too.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Error};
use view_index::{Snapshot, Xid};

use crate::db::attendance::{AttendanceLocks, ShortXid, Taken};
use crate::fanout::Router;

/// The tables that one connection of the reader attends.
#[derive(Debug)]
pub struct Attendance {
    locks: AttendanceLocks,
    /// The transactions of each that may have logged nothing and have not ended. Never empty.
    untold: BTreeMap<u32, Vec<Xid>>,
    /// Those that were attended before the last snapshot was taken, so that the log tells all that came after it.
    complete: BTreeSet<u32>,
}

/// Tables that are to be attended from the next snapshot on.
#[derive(Debug, Default)]
pub struct Beginning {
    /// All of them. What happened to them until that snapshot is not known.
    pub unknown: Vec<u32>,
    taken: Taken,
}

impl Beginning {
    /// Whether some locks have to be tried again.
    pub fn is_partial(&self) -> bool {
        self.taken.tables.len() < self.unknown.len()
    }
}

impl Attendance {
    /// Attends nothing yet, whatever the connection before this one did.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn new(client: &Client, router: &Router) -> Result<Self, Error> {
        router.nothing_attended();
        Ok(Self {
            locks: AttendanceLocks::new(client).await?,
            untold: BTreeMap::new(),
            complete: BTreeSet::new(),
        })
    }

    /// Attends what the tasks of this server and those of others want, and nothing else. To be followed by a
    /// snapshot, for [`Self::begun`].
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn adjust(
        &mut self,
        client: &Client,
        router: &Router,
        others: &BTreeSet<u32>,
    ) -> Result<Beginning, Error> {
        let wanted = router.attend_only(others);
        let left: Vec<u32> = self.complete.difference(&wanted).copied().collect();
        if !left.is_empty() {
            self.complete.retain(|table| wanted.contains(table));
            self.untold.retain(|table, _| wanted.contains(table));
            self.locks.leave(client, &left).await?;
        }
        let unknown: Vec<u32> = wanted.difference(&self.complete).copied().collect();
        let taken = if unknown.is_empty() {
            Taken::default()
        } else {
            self.locks.take(client, &unknown).await?
        };
        Ok(Beginning { unknown, taken })
    }

    /// The tables that the log tells all of, from the last snapshot on.
    pub fn complete(&self) -> &BTreeSet<u32> {
        &self.complete
    }

    /// Those of which a snapshot sees a transaction that may have logged nothing: their views cannot follow to it.
    pub fn untold(&self, snapshot: &Snapshot) -> BTreeSet<u32> {
        let has_ended = |writers: &[Xid]| writers.iter().any(|&xid| snapshot.sees(xid));
        let ended = self.untold.iter().filter(|(_, xids)| has_ended(xids));
        ended.map(|(&table, _)| table).collect()
    }

    /// A snapshot has been taken, and what is [`Self::untold`] at it been told. Returns the tables that are attended from there on.
    pub fn begun(&mut self, beginning: Beginning, snapshot: &Snapshot) -> Vec<u32> {
        self.untold.retain(|_, xids| {
            xids.retain(|&xid| !snapshot.sees(xid));
            !xids.is_empty()
        });
        let Taken { tables, writers } = beginning.taken;
        for (table, writer) in writers {
            // The youngest running ones are not among those that a snapshot names: it only ends before them.
            let writer = whole(writer, snapshot);
            if !snapshot.sees(writer) && tables.contains(&table) {
                self.untold.entry(table).or_default().push(writer);
            }
        }
        self.complete.extend(&tables);
        tables
    }
}

/// The whole number of a transaction that ran a moment before a snapshot was taken: the one nearest to where that ends.
fn whole(short: ShortXid, snapshot: &Snapshot) -> Xid {
    let end = snapshot.xmax();
    // The lower half of it, on purpose.
    let distance = short.wrapping_sub(end as ShortXid).cast_signed();
    end.saturating_add_signed(distance.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_whole_again_on_either_side_of_a_round() {
        let round = 1 << 32;
        for end in [7, round - 3, round, round + 2, 5 * round + 9, 3 * round - 1] {
            let snapshot = Snapshot::new(end, end, []);
            for xid in end.saturating_sub(6)..end + 6 {
                assert_eq!(whole(xid as ShortXid, &snapshot), xid, "{xid} near {end}");
            }
        }
    }
}
