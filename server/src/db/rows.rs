//! Rows of a view: from a place on, from its end, or by their keys.

use protocol::Value;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, PgExecutor, Row};
use view_index::{Fetched, OrderColumn, Origin, RowKey, Snapshot};

use super::catalog::TableDef;
use super::decode::{DecodeError, row_sql, rows_from_json};
use super::explain::explain;
use super::keyset::{Place, is_uniform, select_behind};
use super::query::{Condition, order_by, order_by_reversed};
use crate::limits::{COUNTED_AT_ONCE_COST, COUNTED_AT_ONCE_MAX};

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

/// What the planner expects of a view.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// How many rows there are.
    pub rows: u64,
    /// What finding them all costs, in its units.
    pub cost: f64,
}

impl Estimate {
    /// Whether the rows are counted with the first ones: that must not hold those up.
    pub fn is_counted_at_once(&self) -> bool {
        self.rows <= COUNTED_AT_ONCE_MAX && self.cost <= f64::from(COUNTED_AT_ONCE_COST)
    }
}

/// A view's rows.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The table.
    pub table: &'a TableDef,
    /// `WHERE`.
    pub filter: &'a Condition,
    /// `ORDER BY`.
    pub order: &'a [OrderColumn],
}

impl Source<'_> {
    /// What the planner expects: one `EXPLAIN`.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn estimate(&self, connection: &mut PgConnection) -> Result<Estimate, sqlx::Error> {
        let sql = format!(
            "SELECT FROM {} AS t WHERE {}",
            self.table.sql_name, self.filter.sql
        );
        let plan = explain(connection, &sql, &self.filter.params).await?;
        Ok(Estimate {
            rows: plan.rows as u64,
            cost: plan.cost,
        })
    }

    /// Fetches `count` rows from an origin, and how many the view has if `with_total`.
    ///
    /// One statement, so rows, total and snapshot belong together.
    ///
    /// # Errors
    /// If the statement fails or the table's columns changed.
    pub async fn fetch(
        &self,
        connection: impl PgExecutor<'_>,
        origin: Origin,
        count: u64,
        with_total: bool,
    ) -> Result<Slice, FetchError> {
        let total = if with_total {
            let from = format!("{} AS t WHERE {}", self.table.sql_name, self.filter.sql);
            format!("(SELECT count(*) FROM {from})")
        } else {
            "NULL::int8".to_owned()
        };
        let rows = self.select(&origin, count);
        let sql = format!(
            "SELECT pg_current_snapshot()::text, {total}, ARRAY(SELECT {} FROM ({}) AS r)",
            row_sql(self.table, "r"),
            rows.sql
        );
        // Prepared once for all positions; connections plan it for each (`plan_cache_mode`).
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for param in &rows.params {
            query = query.bind(param);
        }
        let row = query.fetch_one(connection).await?;
        let total: Option<i64> = row.try_get(1)?;
        let rows: Vec<String> = row.try_get(2)?;
        let mut rows = rows_from_json(self.table, &rows)?;
        let complete = (rows.len() as u64) < count;
        if matches!(origin, Origin::End) {
            rows.reverse();
        }
        Ok(Slice {
            snapshot: snapshot(&row)?,
            fetched: Fetched {
                origin,
                rows,
                complete,
            },
            total: total.and_then(|total| u64::try_from(total).ok()),
        })
    }

    /// The rows' query, whose parameters begin with the filter's.
    fn select(&self, origin: &Origin, count: u64) -> Condition {
        let Self {
            table,
            filter,
            order,
        } = *self;
        match origin {
            Origin::Behind { bound, skipped: 0 } => {
                let place = Place::of(bound, order);
                select_behind(table, filter, order, &place, "t.*", (0, count))
            }
            Origin::Behind { bound, skipped } => {
                let place = Place::of(bound, order);
                if is_uniform(table, order) {
                    self.select_from_first(&place, *skipped, count)
                } else {
                    self.select_by_key(&place, *skipped, count)
                }
            }
            Origin::End | Origin::Listed { .. } => Condition {
                sql: format!(
                    "SELECT t.* FROM {} AS t WHERE {} ORDER BY {} LIMIT {count}",
                    table.sql_name,
                    filter.sql,
                    order_by_reversed(table, order),
                ),
                params: filter.params.clone(),
                ..Condition::default()
            },
        }
    }

    /// So many rows after so many skipped ones. Skipping reads the index alone; the first row wanted leads to the
    /// others by one comparison.
    fn select_from_first(&self, place: &Place, skipped: u64, count: u64) -> Condition {
        let Self {
            table,
            filter,
            order,
        } = *self;
        let list = |of: &str| {
            let name = |by: &OrderColumn| format!("{of}.{}", table.columns[by.column].sql_name);
            order.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let columns = list("t");
        let mut found = select_behind(table, filter, order, place, &columns, (skipped, 1));
        found.params.push(count.to_string());
        let operator = if order.first().is_some_and(|by| by.descending) {
            "<="
        } else {
            ">="
        };
        Condition {
            sql: format!(
                "SELECT t.* FROM ({first}) AS f CROSS JOIN LATERAL (SELECT t.* FROM {table} AS t \
                 WHERE ({filter}) AND ({columns}) {operator} ({key}) ORDER BY {by} \
                 LIMIT ${limit}::text::int8) AS t ORDER BY {by}",
                first = found.sql,
                table = table.sql_name,
                filter = filter.sql,
                key = list("f"),
                by = order_by(table, order),
                limit = found.params.len(),
            ),
            ..found
        }
    }

    /// The same where no single comparison says what is behind a row: they are found by their keys.
    fn select_by_key(&self, place: &Place, skipped: u64, count: u64) -> Condition {
        let Self {
            table,
            filter,
            order,
        } = *self;
        let names = table.key.iter().map(|&key| &table.columns[key].sql_name);
        let keys: Vec<String> = names.clone().map(|name| format!("t.{name}")).collect();
        let joined: Vec<String> = names.map(|name| format!("t.{name} = k.{name}")).collect();
        let skip = (skipped, count);
        let found = select_behind(table, filter, order, place, &keys.join(", "), skip);
        Condition {
            sql: format!(
                "SELECT t.* FROM (SELECT * FROM ({}) AS f OFFSET 0) AS k JOIN {} AS t ON {} ORDER BY {}",
                found.sql,
                table.sql_name,
                joined.join(" AND "),
                order_by(table, order),
            ),
            ..found
        }
    }

    /// Fetches the rows of the view that have one of these keys.
    ///
    /// # Errors
    /// As for [`Self::fetch`].
    pub async fn look_up(
        &self,
        pool: &PgPool,
        origin: Origin,
        keys: &[RowKey],
    ) -> Result<Slice, FetchError> {
        let Self { table, filter, .. } = *self;
        let first = filter.params.len() + 1;
        let column = |(nth, &column): (usize, &usize)| {
            let def = &table.columns[column];
            let list = format!("${}::text[]", first + nth);
            let value = def.read(&format!("k.k{nth}"));
            (list, format!("t.{} = {value}", def.sql_name))
        };
        let (lists, joined): (Vec<String>, Vec<String>) =
            table.key.iter().enumerate().map(column).unzip();
        let names: Vec<String> = (0..table.key.len()).map(|nth| format!("k{nth}")).collect();
        let sql = format!(
            "SELECT pg_current_snapshot()::text, ARRAY(SELECT {} \
             FROM unnest({}) AS k({}) JOIN {} AS t ON {} WHERE {})",
            row_sql(table, "t"),
            lists.join(", "),
            names.join(", "),
            table.sql_name,
            joined.join(" AND "),
            filter.sql,
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for param in &filter.params {
            query = query.bind(param);
        }
        for nth in 0..table.key.len() {
            let texts: Vec<Option<String>> = keys
                .iter()
                .map(|key| key.get(nth).and_then(Value::to_postgres_text))
                .collect();
            query = query.bind(texts);
        }
        let row = query.fetch_one(pool).await?;
        let rows: Vec<String> = row.try_get(1)?;
        Ok(Slice {
            snapshot: snapshot(&row)?,
            fetched: Fetched {
                origin,
                rows: rows_from_json(table, &rows)?,
                complete: false,
            },
            total: None,
        })
    }
}

/// What a statement saw, which says so in its first column.
pub(super) fn snapshot(row: &sqlx::postgres::PgRow) -> Result<Snapshot, sqlx::Error> {
    let snapshot: String = row.try_get(0)?;
    snapshot
        .parse()
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
