//! A look at a view of a table that is not live: how many rows it has, and some of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use protocol::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};
use std::collections::HashMap;
use view_index::{OrderColumn, Snapshot, TableRow};

use super::catalog::{Ordering, TableDef, shape_now};
use super::decode::{row_from_json, row_sql};
use super::query::{Condition, order_by};
use super::rows::FetchError;
use crate::limits::POLL_COUNT_MAX;

/// Which rows of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Those at these positions.
    At(Range<u64>),
    /// So many at its end.
    End(u64),
}

/// A view, as this module asks for it.
#[derive(Clone, Debug)]
pub struct PolledQuery {
    table: Arc<TableDef>,
    condition: Condition,
    /// `ORDER BY`; empty for the order in which PostgreSQL finds the rows.
    order: String,
}

/// What one statement saw.
#[derive(Debug)]
pub struct Look {
    /// Which transactions it saw.
    pub snapshot: Snapshot,
    /// The [shape](TableDef::shape) of what it read; `None` if the name means nothing any more.
    pub shape: Option<String>,
    /// Rows in the view.
    pub total: u64,
    /// Whether `total` was counted rather than estimated.
    pub total_is_exact: bool,
    /// The rows of each place asked for, in that order.
    pub pages: Vec<Page>,
}

/// Neighbouring rows.
#[derive(Debug)]
pub struct Page {
    /// The position of the first.
    pub start: u64,
    /// The rows. Without a key in the table, each has one of its content and its number among its likes.
    pub rows: Vec<Arc<TableRow>>,
    /// Whether the view ends with the last of them.
    pub reached_end: bool,
}

impl Page {
    /// The position behind the last row.
    fn end(&self) -> u64 {
        self.start + self.rows.len() as u64
    }
}

impl PolledQuery {
    /// The rows of `table` for which `condition` holds, in this order. Without a key the order is made
    /// total by all the other columns, unless no order is asked for: then it is the one in which PostgreSQL
    /// finds the rows (a view's own `ORDER BY`, for example).
    pub fn new(table: Arc<TableDef>, condition: Condition, order: &[OrderColumn]) -> Self {
        let mut columns: Vec<String> = Vec::new();
        if !order.is_empty() {
            columns.push(order_by(&table, order));
        }
        if !order.is_empty() && table.key.is_empty() {
            let others = table.columns.iter().enumerate();
            let others = others.filter(|(at, _)| order.iter().all(|by| by.column != *at));
            columns.extend(others.map(|(_, column)| match column.ordering {
                Ordering::None => format!("t.{}::text COLLATE \"C\"", column.sql_name),
                _ => format!("t.{}", column.sql_name),
            }));
        }
        Self {
            table,
            condition,
            order: columns.join(", "),
        }
    }

    /// Looks once. One statement, so that rows, total and shape belong together: it holds the table's lock
    /// before it takes its snapshot.
    ///
    /// # Errors
    /// If the statement fails, or the rows are not what the catalogue says.
    pub async fn look(
        &self,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<Look, FetchError> {
        let row = self.fetch(connection, self.sql(places, "")).await?;
        let look = self.read(&row, places)?;
        self.with_total(look, connection, places).await
    }

    /// The same, with the name under which the statement's snapshot is exported: for tests, while the
    /// connection's transaction lasts.
    ///
    /// # Errors
    /// As for [`Self::look`].
    pub async fn exported_look(
        &self,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<(Look, String), FetchError> {
        let sql = self.sql(places, ", pg_export_snapshot() AS exported");
        let row = self.fetch(connection, sql).await?;
        let look = self.read(&row, places)?;
        let look = self.with_total(look, connection, places).await?;
        Ok((look, row.try_get("exported")?))
    }

    async fn fetch(&self, connection: &mut PgConnection, sql: String) -> Result<PgRow, FetchError> {
        let query = self.bind(sqlx::query(AssertSqlSafe(sql)));
        Ok(query.persistent(false).fetch_one(connection).await?)
    }

    /// With an estimate of the total, where it was not counted to the end.
    async fn with_total(
        &self,
        mut look: Look,
        connection: &mut PgConnection,
        places: &[Place],
    ) -> Result<Look, FetchError> {
        let counts_all = places.iter().any(|place| matches!(place, Place::End(_)));
        if look.total > POLL_COUNT_MAX && !counts_all {
            let seen = look.pages.iter().filter(|page| !page.rows.is_empty());
            let last = seen.max_by_key(|page| page.end());
            match last {
                Some(page) if page.reached_end => look.total = page.end(),
                _ => {
                    let seen = last.map_or(0, Page::end);
                    let estimate = self.estimate(connection).await?;
                    look.total = look.total.max(estimate).max(seen);
                    look.total_is_exact = false;
                }
            }
        }
        Ok(look)
    }

    /// The statement; `more` is selected behind what [`read`](Self::read) reads.
    fn sql(&self, places: &[Place], more: &str) -> String {
        let table = &self.table;
        let columns = if table.reads_all {
            "t.*".to_owned()
        } else {
            let names = table.columns.iter().map(|column| &column.sql_name);
            names
                .map(|name| format!("t.{name}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let from = format!("{} AS t WHERE {}", table.sql_name, self.condition.sql);
        let counts_all = places.iter().any(|place| matches!(place, Place::End(_)));
        let count_limit = if counts_all {
            String::new()
        } else {
            format!(" LIMIT {}", POLL_COUNT_MAX + 1)
        };
        // Planned without a limit in sight, so that every look finds the rows in the same order.
        let unordered = if self.order.is_empty() {
            format!(", found AS MATERIALIZED (SELECT {columns} FROM {from})")
        } else {
            String::new()
        };
        let page = |place: &Place| {
            let (limit, offset) = match place {
                Place::At(range) => (range.end - range.start, range.start.to_string()),
                Place::End(count) => (
                    *count,
                    format!("greatest(0, (SELECT total FROM counted) - {count})"),
                ),
            };
            let source = if self.order.is_empty() {
                "SELECT * FROM found".to_owned()
            } else {
                format!("SELECT {columns} FROM {from} ORDER BY {}", self.order)
            };
            format!(
                "ARRAY(SELECT {} FROM ({source} LIMIT {limit} OFFSET {offset}) AS r)",
                row_sql(table, "r"),
            )
        };
        let pages: Vec<String> = places.iter().map(page).collect();
        let pages = pages
            .iter()
            .map(|page| format!(", {page}"))
            .collect::<String>();
        format!(
            "WITH counted AS MATERIALIZED \
             (SELECT count(*) AS total FROM (SELECT FROM {from}{count_limit}) AS counting){unordered} \
             SELECT pg_current_snapshot()::text, {}, (SELECT total FROM counted){pages}{more}",
            shape_now(table.oid)
        )
    }

    fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let params = self.condition.params.iter();
        params.fold(query, |query, param| query.bind(param))
    }

    fn read(&self, row: &PgRow, places: &[Place]) -> Result<Look, FetchError> {
        let snapshot: String = row.try_get(0)?;
        let total: i64 = row.try_get(2)?;
        let total = u64::try_from(total).unwrap_or(0);
        let mut pages = Vec::with_capacity(places.len());
        for (nth, place) in places.iter().enumerate() {
            let texts: Vec<String> = row.try_get(nth + 3)?;
            pages.push(self.page(place, &texts, total)?);
        }
        Ok(Look {
            snapshot: snapshot
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            shape: row.try_get(1)?,
            total,
            total_is_exact: true,
            pages,
        })
    }

    fn page(&self, place: &Place, texts: &[String], total: u64) -> Result<Page, FetchError> {
        let mut likes: HashMap<u64, i64> = HashMap::new();
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let mut row = row_from_json(&self.table, text)?;
            if self.table.key.is_empty() {
                let mut content = DefaultHasher::new();
                text.hash(&mut content);
                let content = content.finish();
                let number = likes.entry(content).or_default();
                *number += 1;
                row.key = Arc::from([Value::Text(format!("{content:016x}")), Value::Int(*number)]);
            }
            rows.push(Arc::new(row));
        }
        let found = rows.len() as u64;
        Ok(match place {
            Place::At(range) => Page {
                start: range.start,
                rows,
                reached_end: found < range.end - range.start,
            },
            Place::End(_) => Page {
                start: total.saturating_sub(found),
                rows,
                reached_end: true,
            },
        })
    }

    /// The planner's estimate of the total.
    async fn estimate(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let sql = format!(
            "EXPLAIN (FORMAT JSON) SELECT FROM {} AS t WHERE {}",
            self.table.sql_name, self.condition.sql,
        );
        let row = self
            .bind(sqlx::query(AssertSqlSafe(sql)))
            .persistent(false)
            .fetch_one(connection)
            .await?;
        let plan: serde_json::Value = row.try_get(0)?;
        let rows = plan
            .pointer("/0/Plan/Plan Rows")
            .and_then(serde_json::Value::as_f64);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is an estimate; `as` saturates"
        )]
        Ok(rows.unwrap_or(0.0) as u64)
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;
