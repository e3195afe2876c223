//! Where relative dates begin and end: PostgreSQL adds and subtracts intervals.

use std::sync::Arc;

use protocol::ColumnKind;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::{Snapshot, TableRow};

use super::catalog::TableDef;
use super::decode::{row_sql, rows_from_json};
use super::query::Condition;
use super::rows::FetchError;

/// A relative date at an instant.
#[derive(Clone, Debug)]
pub struct Span {
    /// The column's type: dates, or timestamps with or without a zone; these two and dates are in UTC.
    pub kind: ColumnKind,
    /// Later than the instant, not earlier.
    pub is_next: bool,
    /// How much.
    pub interval: String,
    /// The instant's second since 1970, as the span's beginning sees it.
    pub from: i64,
    /// The same as its end sees it.
    pub until: i64,
}

/// Values of a span's type: the dates after `lower`, up to and including `upper`, are in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// As rows write it.
    pub lower: String,
    /// As rows write it.
    pub upper: String,
}

/// The bounds of spans: one statement.
///
/// # Errors
/// If PostgreSQL cannot be asked, or one is out of its type's range.
pub async fn bounds(pool: &PgPool, spans: &[Span]) -> Result<Vec<Bounds>, sqlx::Error> {
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let mut params = Vec::new();
    let mut texts = Vec::new();
    for span in spans {
        let first = params.len() + 1;
        params.extend([
            span.from.to_string(),
            span.until.to_string(),
            span.interval.clone(),
        ]);
        let instant =
            |nth: usize| format!("(to_timestamp(${nth}::text::float8) AT TIME ZONE 'UTC')");
        let interval = format!("${}::text::interval", first + 2);
        let (mut lower, mut upper) = (instant(first), instant(first + 1));
        if span.is_next {
            upper = format!("{upper} + {interval}");
        } else {
            lower = format!("{lower} - {interval}");
        }
        let written = |value: String| match span.kind {
            ColumnKind::Date => format!("to_json(({value})::date) #>> '{{}}'"),
            ColumnKind::Timestamp => format!("to_json({value}) #>> '{{}}'"),
            _ => format!("to_json(({value}) AT TIME ZONE 'UTC') #>> '{{}}'"),
        };
        texts.extend([written(lower), written(upper)]);
    }
    let sql = format!("SELECT ARRAY[{}]", texts.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for param in &params {
        query = query.bind(param);
    }
    let texts: Vec<String> = query.fetch_one(pool).await?.try_get(0)?;
    let mut texts = texts.into_iter();
    let mut bounds = Vec::with_capacity(spans.len());
    while let (Some(lower), Some(upper)) = (texts.next(), texts.next()) {
        bounds.push(Bounds { lower, upper });
    }
    Ok(bounds)
}

/// The rows for which a condition holds, and what the query saw; `None` instead of more than `max` rows.
///
/// # Errors
/// If the statement fails or the table's columns changed.
pub async fn rows_between(
    pool: &PgPool,
    table: &TableDef,
    condition: &Condition,
    max: usize,
) -> Result<(Snapshot, Option<Vec<Arc<TableRow>>>), FetchError> {
    let sql = format!(
        "SELECT pg_current_snapshot()::text, ARRAY(SELECT {} FROM \
         (SELECT t.* FROM {} AS t WHERE {} LIMIT {}) AS r)",
        row_sql(table, "r"),
        table.sql_name,
        condition.sql,
        max + 1,
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for param in &condition.params {
        query = query.bind(param);
    }
    let row = query.fetch_one(pool).await?;
    let (snapshot, rows): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    let snapshot = snapshot
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let rows = (rows.len() <= max).then_some(rows);
    let rows = rows.map(|rows| rows_from_json(table, &rows)).transpose()?;
    Ok((snapshot, rows))
}
