//! The change log, read as the snapshots say.

use serde_json::value::RawValue;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, Statement};
use view_index::{RowKey, Snapshot, Xid};

use super::catalog::TableDef;
use super::decode::{DecodeError, row_from_json, row_sql};
use super::pool::fixed_settings;
use super::wire::{FullXid, JsonText, UnixMicros};

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// PostgreSQL refused or could not be reached.
    #[error("{}", describe(.0))]
    Database(#[from] tokio_postgres::Error),
    /// An answer made no sense.
    #[error("PostgreSQL answered {0:?} where a snapshot or a transaction was expected")]
    Unreadable(String),
    /// A changed row is not what the catalogue describes.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What an error says: the driver's own text of PostgreSQL's errors is only "db error".
pub fn describe(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// One row of the log.
#[derive(Debug)]
pub struct LogEntry {
    /// The transaction.
    pub xid: Xid,
    /// The table.
    pub table: u32,
    /// What happened.
    pub op: LogOp,
    /// When, in microseconds since 1970 by PostgreSQL's clock.
    pub changed_at_micros: i64,
}

/// What a row of the log says.
#[derive(Debug)]
pub enum LogOp {
    /// An image appeared (`true`) or went (`false`): JSON.
    Image(bool, String),
    /// The table, or one of its partitions, was truncated.
    Truncated,
    /// The table's definition changed.
    SchemaChanged,
    /// One statement changed more rows than the log tells of.
    TooManyChanges,
}

/// Where the log stands: the first thing a batch reads.
#[derive(Debug)]
pub struct LogMark {
    /// The statement's snapshot.
    pub snapshot: Snapshot,
    /// Which log this is; `None` right after a crash emptied it. After a dump and a restore, that of the
    /// database dumped, until [`LogReader::epoch`] was asked.
    pub epoch: Option<String>,
    /// Changes that this snapshot sees may have been deleted.
    pub pruned: Option<Snapshot>,
}

/// A connection with the log's statements prepared.
#[derive(Debug)]
pub struct LogReader {
    client: Client,
    mark: Statement,
    unseen: Statement,
}

const MARK: &str = "SELECT pg_current_snapshot()::text, s.epoch::text, s.pruned::text \
                    FROM (SELECT) AS one LEFT JOIN rowcast.log_state AS s ON true";
/// A table that is being rewritten must not hold up the others, and a reader whose machine is gone must
/// not hold its locks for long. The planner is told what it cannot know: each statement finds few rows
/// of many by an index, whatever a table looked like when it was first planned (the log was empty), so
/// no plan needs to be made twice; and a disabled scan's cost must not make it compile.
const READER_SETTINGS: &str = "SET lock_timeout = '1s'; SET tcp_keepalives_idle = 5; \
                               SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3; \
                               SET idle_in_transaction_session_timeout = '30s'; \
                               SET enable_seqscan = off; SET jit = off; \
                               SET plan_cache_mode = force_generic_plan";
/// Images that a log row of many holds at most, as its writer groups them.
const IMAGES_PER_ROW_MAX: usize = 100;
/// What a snapshot does not see: what began after it, and what was running.
const UNSEEN: &str = "xid >= $1::text::xid8 OR xid = ANY ($2::text[]::xid8[])";

impl LogReader {
    /// Prepares the statements on a connection whose settings are the ones rows are written under.
    ///
    /// # Errors
    /// If the change log is not installed, or PostgreSQL cannot be reached.
    pub async fn new(client: Client) -> Result<Self, LogError> {
        client.batch_execute(&fixed_settings()).await?;
        client.batch_execute(READER_SETTINGS).await?;
        let types = [Type::TEXT, Type::TEXT_ARRAY];
        let mark = client.prepare(MARK).await?;
        // Rows are counted by the images that they may hold, and no more of them are read than needed.
        let unseen = format!(
            "SELECT xid, table_oid, op, image, changed_at, images FROM \
             (SELECT *, sum(CASE WHEN op IN ('m', 'p') THEN {IMAGES_PER_ROW_MAX} ELSE 1 END) \
             OVER (ROWS UNBOUNDED PRECEDING) AS images FROM \
             (SELECT * FROM rowcast.change_log WHERE {UNSEEN} LIMIT $3::int8) AS log) AS log \
             WHERE images < $3::int8 + {IMAGES_PER_ROW_MAX}"
        );
        let unseen = client.prepare_typed(&unseen, &types).await?;
        Ok(Self {
            client,
            mark,
            unseen,
        })
    }

    /// The connection, for locks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether writers notify at all: not where transactions may be prepared, which NOTIFY forbids.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn is_notified(&self) -> Result<bool, LogError> {
        let sql = "SELECT current_setting('max_prepared_transactions') = '0'";
        Ok(self.client.query_one(sql, &[]).await?.try_get(0)?)
    }

    /// The log's epoch, made if there is none, or only that of a database that this one is a copy of.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn epoch(&self) -> Result<String, LogError> {
        Ok(self
            .client
            .query_one("SELECT rowcast.epoch()::text", &[])
            .await?
            .try_get(0)?)
    }

    /// Begins a batch: opens a transaction, reads the mark and all that `seen` does not see, or `None`
    /// if that may be more than `limit` entries. All three travel together. The caller ends it with
    /// [`Self::commit`].
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn begin(
        &self,
        seen: &Snapshot,
        limit: usize,
    ) -> Result<(LogMark, Option<Vec<LogEntry>>), LogError> {
        let (xmax, running) = unseen_params(seen);
        let too_many = i64::try_from(limit).map_or(i64::MAX, |limit| limit + 1);
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&xmax, &running, &too_many];
        let (_, mark, rows) = tokio::try_join!(
            self.client
                .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            self.client.query_one(&self.mark, &[]),
            self.client.query(&self.unseen, &params),
        )?;
        let mark = log_mark(&mark)?;
        let images: i64 = rows.last().map_or(Ok(0), |row| row.try_get(5))?;
        if images >= too_many {
            return Ok((mark, None));
        }
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            add_entries(row, &mut entries)?;
        }
        Ok((mark, Some(entries)))
    }

    /// Prepares [`Self::current`] for a table.
    ///
    /// # Errors
    /// If the table is not as the catalogue describes it.
    pub async fn prepare_current(&self, table: &TableDef) -> Result<Statement, LogError> {
        let names: Vec<String> = (0..table.key.len()).map(|nth| format!("k{nth}")).collect();
        let arrays: Vec<String> = (1..=table.key.len())
            .map(|nth| format!("${nth}::text[]"))
            .collect();
        let matches: Vec<String> = table
            .key
            .iter()
            .zip(&names)
            .map(|(&at, name)| {
                let def = &table.columns[at];
                format!("t.{} = {}", def.sql_name, def.read(&format!("k.{name}")))
            })
            .collect();
        let sql = format!(
            "SELECT {} FROM unnest({}) AS k({}) JOIN {} AS t ON {}",
            row_sql(table, "t"),
            arrays.join(", "),
            names.join(", "),
            table.sql_name,
            matches.join(" AND "),
        );
        Ok(self.client.prepare(&sql).await?)
    }

    /// Rows of a table by key, as the open batch sees them; those that are gone are missing.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached or the table's columns changed.
    pub async fn current(
        &self,
        table: &TableDef,
        statement: &Statement,
        keys: &[RowKey],
    ) -> Result<Vec<view_index::TableRow>, LogError> {
        let column = |nth: usize| -> Vec<Option<String>> {
            keys.iter().map(|key| key[nth].to_postgres_text()).collect()
        };
        let columns: Vec<Vec<Option<String>>> = (0..table.key.len()).map(column).collect();
        let params: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            columns.iter().map(|column| column as _).collect();
        let rows = self.client.query(statement, &params).await?;
        let mut current = Vec::with_capacity(rows.len());
        for row in &rows {
            current.push(row_from_json(table, row.try_get(0)?)?);
        }
        Ok(current)
    }

    /// Lets other connections see exactly what the open batch sees, for as long as it is open.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn export_snapshot(&self) -> Result<String, LogError> {
        Ok(self
            .client
            .query_one("SELECT pg_export_snapshot()", &[])
            .await?
            .try_get(0)?)
    }

    /// Ends a batch.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached.
    pub async fn commit(&self) -> Result<(), LogError> {
        Ok(self.client.batch_execute("COMMIT").await?)
    }
}

fn unseen_params(seen: &Snapshot) -> (String, Vec<String>) {
    (
        seen.xmax().to_string(),
        seen.running().iter().map(Xid::to_string).collect(),
    )
}

fn log_mark(row: &Row) -> Result<LogMark, LogError> {
    let snapshot = |text: String| text.parse().map_err(|_| LogError::Unreadable(text));
    let pruned: Option<String> = row.try_get(2)?;
    Ok(LogMark {
        snapshot: snapshot(row.try_get(0)?)?,
        epoch: row.try_get(1)?,
        pruned: pruned.map(snapshot).transpose()?,
    })
}

/// What one row of the log says: one thing, or an image many times.
fn add_entries(row: &Row, entries: &mut Vec<LogEntry>) -> Result<(), LogError> {
    let FullXid(xid) = row.try_get(0)?;
    let table = row.try_get(1)?;
    let op: i8 = row.try_get(2)?;
    let image: Option<JsonText<'_>> = row.try_get(3)?;
    let UnixMicros(changed_at_micros) = row.try_get(4)?;
    let mut add = |op| {
        entries.push(LogEntry {
            xid,
            table,
            op,
            changed_at_micros,
        });
    };
    match (op.cast_unsigned(), image) {
        (op @ (b'+' | b'-'), Some(JsonText(image))) => {
            add(LogOp::Image(op == b'+', image.to_owned()));
        }
        (op @ (b'p' | b'm'), Some(JsonText(images))) => {
            let images: Vec<&RawValue> = serde_json::from_str(images).map_err(DecodeError::from)?;
            let appeared = op == b'p';
            images
                .iter()
                .for_each(|image| add(LogOp::Image(appeared, image.get().to_owned())));
        }
        (b'T', _) => add(LogOp::Truncated),
        (b'B', _) => add(LogOp::TooManyChanges),
        _ => add(LogOp::SchemaChanged),
    }
    Ok(())
}

/// The snapshot of this moment, to prune up to later.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn current_snapshot(pool: &sqlx::PgPool) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_current_snapshot()::text")
        .fetch_one(pool)
        .await
}

/// Deletes the changes that a snapshot of minutes ago sees, and records it.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn prune(pool: &sqlx::PgPool, keep: &str) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // After a very large transaction this takes long, and must not be begun again and again.
    sqlx::query("SET LOCAL statement_timeout = '15min'")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT rowcast.prune($1::text::pg_snapshot)")
        .bind(keep)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Installs the triggers that watched tables lack (new partitions).
///
/// # Errors
/// If PostgreSQL cannot be reached, or a table is locked by a long writer.
pub async fn reconcile(pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // New triggers wait for running writers, and later writers would wait behind them.
    sqlx::query("SET LOCAL lock_timeout = '200ms'")
        .execute(&mut *transaction)
        .await?;
    sqlx::query("SELECT rowcast.reconcile()")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// What tells this database from every other: the cluster's number and the database's.
///
/// # Errors
/// If PostgreSQL cannot be reached.
pub async fn database_identity(pool: &sqlx::PgPool) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT (SELECT system_identifier FROM pg_control_system())::text || '.' || oid::text \
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(pool)
    .await
}
