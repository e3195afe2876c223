//! Rows of a view that follow a place in its order: a chain of ranges, never a count of what is before.

use std::sync::Arc;

use protocol::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::{OrderColumn, TableRow};

use super::catalog::TableDef;
use super::decode::{row_sql, rows_from_json};
use super::keyset::{self, behind};
use super::query::{Condition, order_by};
use super::rows::FetchError;

/// A place in a view's order, and in which direction from there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The order; it ends in the primary key, so it is total.
    pub order: &'a [OrderColumn],
    /// One value for each column of the order.
    pub values: &'a [Value],
    /// Whether the rows before it are wanted rather than those behind it.
    pub backwards: bool,
}

/// Rows next to a place, as one snapshot saw them.
#[derive(Debug)]
pub struct Neighbours {
    /// The state of the database, as [`Mark::version`](crate::changes::Mark::version) writes it.
    pub version: String,
    /// The rows, in the view's order.
    pub rows: Vec<Arc<TableRow>>,
}

/// Fetches at most `count` rows next to a place, in one snapshot.
///
/// The ranges behind the place ([`keyset`]) are asked one after the other until there are enough rows.
///
/// # Errors
/// If a statement fails or the table's columns changed.
pub async fn neighbours(
    pool: &PgPool,
    table: &TableDef,
    filter: &Condition,
    place: Place<'_>,
    count: u64,
) -> Result<Neighbours, FetchError> {
    let order: Vec<OrderColumn> = place
        .order
        .iter()
        .map(|by| OrderColumn {
            descending: by.descending != place.backwards,
            nulls_first: by.nulls_first != place.backwards,
            ..*by
        })
        .collect();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut transaction = pool.begin_with(begin).await?;
    let state = "SELECT coalesce((SELECT epoch::text FROM rowcast.log_state), '') || '/' || \
                 pg_current_snapshot()::text";
    let version: String = sqlx::query_scalar(state)
        .fetch_one(&mut *transaction)
        .await?;
    let mut rows: Vec<String> = Vec::new();
    let from = keyset::Place::Key {
        texts: place.values.iter().map(Value::to_postgres_text).collect(),
        inclusive: false,
    };
    let (text, columns) = (row_sql(table, "r"), readable(table));
    for range in behind(table, &order, &from) {
        let wanted = count.saturating_sub(rows.len() as u64);
        if wanted == 0 {
            break;
        }
        let condition = Condition::join(vec![filter.clone(), range], true);
        let sql = format!(
            "SELECT {text} FROM \
             (SELECT {columns} FROM {} AS t WHERE {} ORDER BY {} LIMIT {wanted}) AS r",
            table.sql_name,
            condition.sql,
            order_by(table, &order),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for param in &condition.params {
            query = query.bind(param);
        }
        for row in query.fetch_all(&mut *transaction).await? {
            rows.push(row.try_get(0)?);
        }
    }
    transaction.rollback().await?;
    if place.backwards {
        rows.reverse();
    }
    let rows = rows_from_json(table, &rows)?;
    Ok(Neighbours { version, rows })
}

/// SQL for the columns of a row called `t` that the role may read.
fn readable(table: &TableDef) -> String {
    if table.reads_all {
        return "t.*".to_owned();
    }
    let names = table
        .columns
        .iter()
        .map(|column| format!("t.{}", column.sql_name));
    names.collect::<Vec<_>>().join(", ")
}
