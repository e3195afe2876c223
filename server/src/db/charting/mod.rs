//! Reading a view once, to count it (`counting`), or to divide it into blocks and count those: `walking` along an
//! index that serves it, or `listing` its keys.

mod cancelling;
mod counting;
mod listing;
mod walking;

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Postgres, Row};
use view_index::{Bound, ChartBlock, Sizes, Snapshot};

use self::cancelling::Cancelling;
pub use self::counting::count;
use super::advice::{Division, division};
use super::catalog::TableDef;
use super::decode::part_sql;
use super::keyset::{Place, before};
use super::query::{Condition, order_by_columns};
use super::rows::{FetchError, Source, snapshot};
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
    /// It took longer than counting may.
    #[error("the view's rows could not be counted in time")]
    TooSlow,
}

impl From<sqlx::Error> for ChartError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fetch(error.into())
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
    };
    walk.run(pool, make_room).await
}

/// SQL for the text of the order's columns of a row called `of`.
fn order_sql(source: Source<'_>, of: &str) -> String {
    part_sql(source.table, source.order.iter().map(|by| by.column), of)
}

fn order_columns(source: Source<'_>, of: &str) -> String {
    let columns = order_by_columns(source.order).into_iter();
    let names = columns.map(|column| format!("{of}.{}", source.table.columns[column].sql_name));
    names.collect::<Vec<_>>().join(", ")
}

/// How a view is divided.
enum Way {
    /// Along an index that serves it, past about so many rows.
    Walk { expected: u64 },
    /// By listing its keys, which take so many bytes.
    List { bytes: u64 },
}

impl Walk<'_> {
    async fn run<R>(
        &self,
        pool: &PgPool,
        make_room: impl AsyncFnOnce(u64) -> R,
    ) -> Result<Charted<R>, ChartError> {
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; \
             SET LOCAL cursor_tuple_fraction = 1; {}",
            QueryClass::Count.set_local()
        );
        // The limit is one of each statement; a walk consists of many.
        let state = "pg_current_snapshot()::text, \
                     extract(epoch FROM current_setting('statement_timeout')::interval)::float8";
        let began = Instant::now();
        let (mut transaction, row) = Cancelling::begin(pool, &begin, state).await?;
        let limit: f64 = row.try_get(1)?;
        let deadline = (limit > 0.0).then(|| began + Duration::from_secs_f64(limit));
        let blocks = self
            .blocks(transaction.connection()?, deadline, make_room)
            .await;
        transaction.end();
        let (blocks, room) = blocks?;
        Ok(Charted {
            snapshot: snapshot(&row)?,
            blocks,
            room,
        })
    }

    async fn blocks<R>(
        &self,
        connection: &mut sqlx::PgConnection,
        deadline: Option<Instant>,
        make_room: impl AsyncFnOnce(u64) -> R,
    ) -> Result<(Vec<ChartBlock>, Option<R>), ChartError> {
        match self.way(connection).await? {
            Way::Walk { expected } => Ok((self.walk(connection, expected, deadline).await?, None)),
            Way::List { bytes } => {
                let room = make_room(bytes).await;
                Ok((self.list(connection).await?, Some(room)))
            }
        }
    }

    /// Whether an index serves the order, or the keys are to be remembered.
    async fn way(&self, connection: &mut sqlx::PgConnection) -> Result<Way, ChartError> {
        let Source { table, order, .. } = self.source;
        let listed_rows = listed_rows(table, self.listed_max);
        let (division, rows) =
            division(connection, table, &self.filter, order, listed_rows).await?;
        let rows = rows as u64;
        match division {
            Division::Walked => Ok(Way::Walk { expected: rows }),
            Division::Listed => Ok(Way::List {
                bytes: rows.saturating_mul(key_bytes(table)),
            }),
            Division::TooLarge => Err(ChartError::TooLarge { rows }),
        }
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
