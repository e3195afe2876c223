//! Walking along a view once, to divide it into blocks and count them.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt;
use protocol::Value;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection, Postgres, Row};
use view_index::{Bound, ChartBlock, KeySet, RowKey, Sizes, Snapshot};

use super::advice::{Division, division};
use super::catalog::TableDef;
use super::decode::{part_sql, row_from_json};
use super::keyset::{Place, before, behind, is_uniform, select_behind};
use super::query::{Condition, order_by};
use super::rows::{FetchError, Source};
use super::timeouts::QueryClass;
use crate::limits::LISTED_KEY_BYTES;

/// A view's division, as one transaction saw it.
#[derive(Debug)]
pub struct Charted<R> {
    /// What the transaction saw.
    pub snapshot: Snapshot,
    /// The blocks.
    pub blocks: Vec<ChartBlock>,
    /// Room that was made for the keys that it remembers.
    pub room: Option<R>,
}

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// PostgreSQL refused or could not be reached, or the table changed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// No index serves the view, and it has too many rows to list their keys.
    #[error(
        "no index serves this order and filter, and about {rows} rows are too many to sort and remember"
    )]
    TooLarge {
        /// Rows that the planner expects.
        rows: u64,
    },
}

impl From<sqlx::Error> for ChartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fetch(error.into())
    }
}

/// A connection whose statement is cancelled if nobody waits for it any more.
struct Cancelling {
    connection: Option<PoolConnection<Postgres>>,
    pool: PgPool,
    /// The backend's process.
    pid: i32,
}

impl Cancelling {
    async fn new(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let row = sqlx::query("SELECT pg_backend_pid()");
        let pid = row.fetch_one(&mut *connection).await?.try_get(0)?;
        Ok(Self {
            connection: Some(connection),
            pool: pool.clone(),
            pid,
        })
    }
}

impl Drop for Cancelling {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        connection.close_on_drop();
        let (pool, pid) = (self.pool.clone(), self.pid);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
                if let Err(error) = cancel.execute(&pool).await {
                    tracing::debug!(%error, "a chart could not be cancelled");
                }
                drop(connection);
            });
        }
    }
}

/// What a walk goes along.
struct Walk<'a> {
    source: Source<'a>,
    /// The view's filter, and that a row stands before the end.
    filter: Condition,
    start: Place,
    sizes: Sizes,
    /// Bytes of keys that may be remembered.
    listed_max: u64,
    counted: &'a AtomicU64,
    /// `SELECT` list of the order's columns, in the table's order.
    columns: String,
}

/// SQL for the text of the order's columns of a row called `of`.
fn order_sql(source: Source<'_>, of: &str) -> String {
    part_sql(source.table, source.order.iter().map(|by| by.column), of)
}

/// Divides the rows of a view from one bound up to another into blocks, in one transaction; where no index serves
/// it, at most `listed_max` bytes of keys are remembered, for which `make_room` makes room first. Rows counted so far are told in `counted`. Dropped before its end, it cancels the statement.
///
/// # Errors
/// [`ChartError`].
pub async fn chart<R>(
    pool: &PgPool,
    source: Source<'_>,
    (lower, upper): (&Bound, Option<&Bound>),
    (sizes, listed_max): (Sizes, u64),
    counted: &AtomicU64,
    make_room: impl AsyncFnOnce(u64) -> R,
) -> Result<Charted<R>, ChartError> {
    let filter = match upper {
        None => source.filter.clone(),
        Some(upper) => {
            let end = before(source.table, source.order, &Place::of(upper, source.order));
            Condition::join(vec![source.filter.clone(), end], true)
        }
    };
    let walk = Walk {
        source,
        filter,
        start: Place::of(lower, source.order),
        sizes,
        listed_max,
        counted,
        columns: order_columns(source, "t"),
    };
    let mut guard = Cancelling::new(pool).await?;
    let Some(connection) = guard.connection.as_mut() else {
        return Err(sqlx::Error::PoolClosed.into());
    };
    let charted = walk.run(connection, make_room).await;
    // Whatever came of it has been read to its end: the connection is fit for others.
    drop(guard.connection.take());
    charted
}

fn order_columns(source: Source<'_>, of: &str) -> String {
    let mut columns: Vec<usize> = source.order.iter().map(|by| by.column).collect();
    columns.sort_unstable();
    let names = columns
        .iter()
        .map(|&column| format!("{of}.{}", source.table.columns[column].sql_name));
    names.collect::<Vec<_>>().join(", ")
}

impl Walk<'_> {
    async fn run<R>(
        &self,
        connection: &mut PoolConnection<Postgres>,
        make_room: impl AsyncFnOnce(u64) -> R,
    ) -> Result<Charted<R>, ChartError> {
        let mut transaction = connection.begin().await?;
        let settings = format!(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; \
             SET LOCAL cursor_tuple_fraction = 1; {}",
            QueryClass::Count.set_local()
        );
        sqlx::raw_sql(AssertSqlSafe(settings))
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query("SELECT pg_current_snapshot()::text")
            .fetch_one(&mut *transaction)
            .await?;
        let snapshot: String = row.try_get(0)?;
        let snapshot = snapshot
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let (blocks, room) = match self.to_remember(&mut transaction).await? {
            None => {
                let settings = "SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; \
                                SET LOCAL enable_bitmapscan = off; \
                                SET LOCAL max_parallel_workers_per_gather = 0";
                sqlx::raw_sql(settings).execute(&mut *transaction).await?;
                (self.hop(&mut transaction).await?, None)
            }
            Some(bytes) => {
                let room = make_room(bytes).await;
                (self.list(&mut transaction).await?, Some(room))
            }
        };
        transaction.rollback().await?;
        Ok(Charted {
            snapshot,
            blocks,
            room,
        })
    }

    /// Bytes of keys that are to be remembered; `None` if an index serves the order.
    async fn to_remember(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Option<u64>, ChartError> {
        let Source { table, order, .. } = self.source;
        let listed_rows = listed_rows(table, self.listed_max);
        let (division, rows) =
            division(connection, table, &self.filter, order, listed_rows).await?;
        match division {
            Division::Walked => Ok(None),
            Division::Listed => Ok(Some((rows as u64).saturating_mul(key_bytes(table)))),
            Division::TooLarge => Err(ChartError::TooLarge { rows: rows as u64 }),
        }
    }

    /// From block to block along an index, reading of each only where the next one begins.
    async fn hop(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        let Source { table, order, .. } = self.source;
        let firsts = if is_uniform(table, order) {
            self.hop_at_once(connection).await?
        } else {
            self.hop_by_hop(connection).await?
        };
        let Some(last) = firsts.last() else {
            return Ok(Vec::new());
        };
        let place = self.place_of(last)?;
        let mut rest = 0;
        for range in behind(table, order, &place) {
            let all = Condition::join(vec![self.filter.clone(), range], true);
            let sql = format!(
                "SELECT count(*) FROM {} AS t WHERE {}",
                table.sql_name, all.sql
            );
            let row = bound(&sql, &all.params).fetch_one(&mut *connection).await?;
            let count: i64 = row.try_get(0)?;
            rest += u64::try_from(count).unwrap_or(0);
        }
        self.counted.fetch_add(rest, Ordering::Relaxed);
        let blocks = firsts.len();
        let block = |(nth, json): (usize, String)| {
            Ok(ChartBlock {
                first: row_from_json(table, &json)
                    .map_err(FetchError::from)?
                    .into(),
                count: if nth + 1 == blocks {
                    rest
                } else {
                    self.sizes.counted
                },
                keys: None,
            })
        };
        firsts.into_iter().enumerate().map(block).collect()
    }

    fn place_of(&self, json: &str) -> Result<Place, ChartError> {
        let Source { table, order, .. } = self.source;
        let row = row_from_json(table, json).map_err(FetchError::from)?;
        Ok(Place::Key {
            texts: order
                .iter()
                .map(|by| row.cells[by.column].to_postgres_text())
                .collect(),
            inclusive: true,
        })
    }

    /// The first row of every block, in one recursive statement.
    async fn hop_at_once(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<String>, ChartError> {
        let Source { table, order, .. } = self.source;
        let first = select_behind(
            table,
            &self.filter,
            order,
            &self.start,
            &self.columns,
            (0, 1),
        );
        let list = |prefix: &str| {
            let name = |by: &view_index::OrderColumn| {
                format!("{prefix}.{}", table.columns[by.column].sql_name)
            };
            order.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let operator = if order.first().is_some_and(|by| by.descending) {
            "<="
        } else {
            ">="
        };
        let sql = format!(
            "WITH RECURSIVE hop AS (({first}) UNION ALL SELECT n.* FROM hop AS h CROSS JOIN LATERAL \
             (SELECT {columns} FROM {table} AS t WHERE ({filter}) AND ({left}) {operator} ({right}) \
             ORDER BY {order} OFFSET {size} LIMIT 1) AS n) SELECT {text} FROM hop",
            text = order_sql(self.source, "hop"),
            first = first.sql,
            columns = self.columns,
            table = table.sql_name,
            filter = self.filter.sql,
            left = list("t"),
            right = list("h"),
            order = order_by(table, order),
            size = self.sizes.counted,
        );
        let mut rows = bound(&sql, &first.params).fetch(connection);
        let mut firsts = Vec::new();
        while let Some(row) = rows.try_next().await? {
            if !firsts.is_empty() {
                self.counted
                    .fetch_add(self.sizes.counted, Ordering::Relaxed);
            }
            firsts.push(row.try_get(0)?);
        }
        Ok(firsts)
    }

    /// The first row of every block, one statement each: where the next block is depends on which of the
    /// last one's columns are `NULL`.
    async fn hop_by_hop(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<String>, ChartError> {
        let mut firsts: Vec<String> = Vec::new();
        let (mut place, mut skipped) = (self.start.clone(), 0);
        loop {
            let Source { table, order, .. } = self.source;
            let columns = &self.columns;
            let next = select_behind(table, &self.filter, order, &place, columns, (skipped, 1));
            let text = order_sql(self.source, "r");
            let sql = format!("SELECT {text} FROM ({}) AS r", next.sql);
            let Some(row) = bound(&sql, &next.params)
                .fetch_optional(&mut *connection)
                .await?
            else {
                return Ok(firsts);
            };
            self.counted.fetch_add(skipped, Ordering::Relaxed);
            let first: String = row.try_get(0)?;
            place = self.place_of(&first)?;
            skipped = self.sizes.counted;
            firsts.push(first);
        }
    }

    /// All rows, sorted once by PostgreSQL: of each its key, of each block's first one its place too.
    async fn list(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        let table = self.source.table;
        let is_int = has_int_key(table);
        let names = table.key.iter().map(|&key| &table.columns[key].sql_name);
        let key = if is_int {
            names.map(|name| format!("s.{name}::int8")).collect()
        } else {
            let parts: Vec<String> = names.map(|name| format!("s.{name}")).collect();
            format!("json_build_array({})::text", parts.join(", "))
        };
        let start = Condition::join(behind(table, self.source.order, &self.start), false);
        let all = Condition::join(vec![self.filter.clone(), start], true);
        let sql = format!(
            "SELECT {key}, CASE WHEN s.\"rowcast nth\" % {size} = 1 THEN \
             (SELECT {text} FROM (SELECT {columns}) AS t) END \
             FROM (SELECT {inner}, row_number() OVER (ORDER BY {order}) AS \"rowcast nth\" \
             FROM {table} AS t WHERE {filter}) AS s",
            size = self.sizes.listed,
            text = order_sql(self.source, "t"),
            columns = order_columns(self.source, "s"),
            inner = self.columns,
            order = order_by(table, self.source.order),
            table = table.sql_name,
            filter = all.sql,
        );
        let mut rows = bound(&sql, &all.params).fetch(connection);
        let mut blocks = Vec::new();
        let mut keys: Vec<RowKey> = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            if let Some(first) = row.try_get::<Option<String>, _>(1)? {
                close(&mut blocks, &mut keys, self.counted);
                blocks.push(ChartBlock {
                    first: row_from_json(table, &first)
                        .map_err(FetchError::from)?
                        .into(),
                    count: 0,
                    keys: None,
                });
            }
            let key = self.key(&row, is_int)?;
            bytes += key_bytes(table);
            if bytes > self.listed_max {
                let rows = self.counted.load(Ordering::Relaxed);
                return Err(ChartError::TooLarge { rows });
            }
            keys.push(key);
        }
        close(&mut blocks, &mut keys, self.counted);
        Ok(blocks)
    }

    fn key(&self, row: &PgRow, is_int: bool) -> Result<RowKey, ChartError> {
        if is_int {
            return Ok([Value::Int(row.try_get(0)?)].into());
        }
        let json: String = row.try_get(0)?;
        Ok(super::decode::key_from_json(self.source.table, &json).map_err(FetchError::from)?)
    }
}

fn has_int_key(table: &TableDef) -> bool {
    matches!(
        table.key.as_slice(),
        [key] if table.columns[*key].shown.kind == protocol::ColumnKind::Int
    )
}

/// Memory that a listed key takes, in bytes.
fn key_bytes(table: &TableDef) -> u64 {
    if has_int_key(table) {
        size_of::<i64>() as u64
    } else {
        LISTED_KEY_BYTES
    }
}

/// Rows of a table whose keys fit into so many bytes.
pub fn listed_rows(table: &TableDef, bytes: u64) -> f64 {
    (bytes / key_bytes(table)) as f64
}

fn close(blocks: &mut [ChartBlock], keys: &mut Vec<RowKey>, counted: &AtomicU64) {
    if let Some(last) = blocks.last_mut() {
        last.count = keys.len() as u64;
        counted.fetch_add(last.count, Ordering::Relaxed);
        last.keys = Some(KeySet::new(std::mem::take(keys)));
    }
}

fn bound<'q>(
    sql: &str,
    params: &'q [String],
) -> sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
    for param in params {
        query = query.bind(param);
    }
    query
}
