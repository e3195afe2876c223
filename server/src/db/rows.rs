//! Rows of a view, by position.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::{Fetched, Snapshot};

use super::catalog::TableDef;
use super::decode::{DecodeError, rows_from_json};
use super::query::{Condition, order_by};
use view_index::OrderColumn;

/// Why rows could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// PostgreSQL refused or could not be reached.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The table's columns are not what the catalogue said.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Rows of a view as one statement saw them.
#[derive(Debug)]
pub struct Slice {
    /// What the statement saw.
    pub snapshot: Snapshot,
    /// The rows.
    pub fetched: Fetched,
    /// Rows in the view, if asked for.
    pub total: Option<u64>,
}

/// Fetches rows `start..start + count` of a view, and how many it has if `with_total`.
///
/// One statement, so rows, total and snapshot belong together. It counts its way to `start`
/// (`OFFSET`), and to the total (`count(*)`).
///
/// # Errors
/// If the statement fails or the table's columns changed.
pub async fn fetch(
    pool: &PgPool,
    table: &TableDef,
    filter: &Condition,
    order: &[OrderColumn],
    start: u64,
    count: u64,
    with_total: bool,
) -> Result<Slice, FetchError> {
    let from = format!("{} AS t WHERE {}", table.sql_name, filter.sql);
    let total = if with_total {
        format!("(SELECT count(*) FROM {from})")
    } else {
        "NULL::int8".into()
    };
    let sql = format!(
        "SELECT pg_current_snapshot()::text, {total}, \
         ARRAY(SELECT to_json(r.*)::text FROM \
         (SELECT t.* FROM {from} ORDER BY {} LIMIT {count} OFFSET {start}) AS r)",
        order_by(table, order),
    );
    // Not kept: a plan for one position is no plan for another.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for param in &filter.params {
        query = query.bind(param);
    }
    let row = query.fetch_one(pool).await?;
    let snapshot: String = row.try_get(0)?;
    let total: Option<i64> = row.try_get(1)?;
    let rows: Vec<String> = row.try_get(2)?;
    let rows = rows_from_json(table, &rows)?;
    let reached_end = (rows.len() as u64) < count;
    Ok(Slice {
        snapshot: snapshot
            .parse()
            .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        fetched: Fetched {
            start,
            rows,
            reached_end,
        },
        total: total.and_then(|total| u64::try_from(total).ok()),
    })
}
