//! Rows of a view that follow a place in its order: a chain of ranges, never a count of what is before.

use std::sync::Arc;

use protocol::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::{OrderColumn, TableRow};

use super::catalog::TableDef;
use super::decode::rows_from_json;
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
/// Each range has the same values as the place in the first columns of the order and lies behind it in the
/// next one, so that an index on the order serves every statement. They are asked one after the
/// other until there are enough rows: at most two for each column of the order.
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
    for range in ranges(table, &order, place.values) {
        let wanted = count.saturating_sub(rows.len() as u64);
        if wanted == 0 {
            break;
        }
        let condition = Condition::join(vec![filter.clone(), range], true);
        let sql = format!(
            "SELECT to_json(r.*)::text FROM \
             (SELECT t.* FROM {} AS t WHERE {} ORDER BY {} LIMIT {wanted}) AS r",
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

/// The ranges that together are all that lies behind these values, the nearest first.
fn ranges(table: &TableDef, order: &[OrderColumn], values: &[Value]) -> Vec<Condition> {
    let mut ranges = Vec::new();
    for depth in (0..order.len().min(values.len())).rev() {
        let same: Vec<Condition> = order[..depth]
            .iter()
            .zip(values)
            .map(|(by, value)| match value.to_postgres_text() {
                Some(text) => test(table, by.column, "=", text),
                None => null(table, by.column, true),
            })
            .collect();
        let by = &order[depth];
        let behind: Vec<Condition> = match (values[depth].to_postgres_text(), by.nulls_first) {
            (Some(text), nulls_first) => {
                let operator = if by.descending { "<" } else { ">" };
                let nulls = (!nulls_first && table.columns[by.column].shown.nullable)
                    .then(|| null(table, by.column, true));
                std::iter::once(test(table, by.column, operator, text))
                    .chain(nulls)
                    .collect()
            }
            (None, true) => vec![null(table, by.column, false)],
            (None, false) => Vec::new(),
        };
        for behind in behind {
            let mut all = same.clone();
            all.push(behind);
            ranges.push(Condition::join(all, true));
        }
    }
    ranges
}

fn test(table: &TableDef, column: usize, operator: &str, text: String) -> Condition {
    let def = &table.columns[column];
    Condition {
        sql: format!("t.{} {operator} $1::text::{}", def.sql_name, def.sql_type),
        params: vec![text],
        is_costly: false,
    }
}

fn null(table: &TableDef, column: usize, is: bool) -> Condition {
    let not = if is { "" } else { "NOT " };
    Condition {
        sql: format!("t.{} IS {not}NULL", table.columns[column].sql_name),
        params: Vec::new(),
        is_costly: false,
    }
}
