//! What has the triggers of a table log: a shared advisory lock that names the table (see `migrations/engine`).

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Statement};

/// The first half of the advisory locks' names; the second is the table's number.
const ATTENDED: i32 = 78_130_143;

/// A transaction's number without its upper half, as PostgreSQL names those that hold locks.
pub type ShortXid = u32;

/// The statements, prepared on the reader's connection: the locks last as long as that does.
#[derive(Debug)]
pub struct AttendanceLocks {
    take: Statement,
    leave: Statement,
    writers: Statement,
}

/// What taking the locks of some tables brought.
#[derive(Debug, Default)]
pub struct Taken {
    /// The tables whose lock is held now. A writer may have had one of the others, for a moment.
    pub tables: Vec<u32>,
    /// For each of them the transactions that had written it, perhaps before the lock was taken, and were still running
    /// afterwards.
    pub writers: Vec<(u32, ShortXid)>,
}

impl AttendanceLocks {
    /// Prepares the statements.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn new(client: &Client) -> Result<Self, Error> {
        let take = format!(
            "SELECT relation, pg_try_advisory_lock_shared({ATTENDED}, relation::int4) \
             FROM unnest($1::oid[]) AS relation"
        );
        let leave = format!(
            "SELECT pg_advisory_unlock_shared({ATTENDED}, relation::int4) \
             FROM unnest($1::oid[]) AS relation"
        );
        // Who writes a table, or a partition, holds this lock on it until the end of the transaction, also of a prepared
        // one. The locks are looked at once, or the two halves could be of different moments.
        let writers = "WITH locks AS MATERIALIZED (SELECT * FROM pg_locks WHERE granted), \
             members AS (SELECT root, root AS member FROM unnest($1::oid[]) AS root UNION \
                SELECT root, tree.relid FROM unnest($1::oid[]) AS root CROSS JOIN pg_partition_tree(root) AS tree) \
             SELECT DISTINCT members.root, own.transactionid::text::int8 FROM members \
             JOIN locks AS written ON written.relation = members.member \
                AND written.locktype = 'relation' AND written.mode = 'RowExclusiveLock' \
                AND written.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             JOIN locks AS own ON own.virtualtransaction = written.virtualtransaction \
                AND own.locktype = 'transactionid' AND own.mode = 'ExclusiveLock'";
        let types = [Type::OID_ARRAY];
        Ok(Self {
            take: client.prepare_typed(&take, &types).await?,
            leave: client.prepare_typed(&leave, &types).await?,
            writers: client.prepare_typed(writers, &types).await?,
        })
    }

    /// Takes the locks of these tables, and then sees who may have written them before that.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn take(&self, client: &Client, tables: &[u32]) -> Result<Taken, Error> {
        // They travel together, and are answered one after the other.
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&tables];
        let (taken, writers) = tokio::try_join!(
            client.query(&self.take, &params),
            client.query(&self.writers, &params)
        )?;
        let mut found = Taken::default();
        for row in taken {
            if row.try_get(1)? {
                found.tables.push(row.try_get(0)?);
            }
        }
        for row in writers {
            let xid: i64 = row.try_get(1)?;
            if let Ok(xid) = ShortXid::try_from(xid) {
                found.writers.push((row.try_get(0)?, xid));
            }
        }
        Ok(found)
    }

    /// Gives the locks of these tables back.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn leave(&self, client: &Client, tables: &[u32]) -> Result<(), Error> {
        client.query(&self.leave, &[&tables]).await?;
        Ok(())
    }
}
