//! The division of a view that an index serves: one walk along the index, by a cursor.
//!
//! PostgreSQL steps over a block's rows without handing them out (`MOVE`), which is cheaper than counting them,
//! and than finding each block's end by a query of its own: that compares every row passed with the key it began
//! at. Only the first row of every block comes here.

use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Either, Row};
use view_index::ChartBlock;

use super::{ChartError, Walk, bound, order_sql};
use crate::db::decode::row_from_json;
use crate::db::keyset::{Place, before, select_behind};
use crate::db::query::{Condition, order_by};
use crate::db::rows::{FetchError, Source};
use crate::limits::WALKED_BLOCKS;

/// More rows than a table has, for `LIMIT`.
const ALL_ROWS: u64 = i64::MAX.cast_unsigned();

/// Forbids what is no walk along an index. The cursor is read to its end, so nothing is gained by an early start.
const SETTINGS: &str = "SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; \
                        SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0";

/// The first rows of the blocks passed so far.
#[derive(Default)]
struct Passed {
    /// Of each, the texts of the order's columns, in the order's sequence.
    firsts: Vec<Vec<Option<String>>>,
    /// How many rows each has.
    counts: Vec<u64>,
}

impl Walk<'_> {
    /// From block to block along an index, reading of each only its first row; `expected` rows are there.
    pub(super) async fn walk(
        &self,
        connection: &mut sqlx::PgConnection,
        expected: u64,
        deadline: Option<Instant>,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        sqlx::raw_sql(SETTINGS).execute(&mut *connection).await?;
        let mut start = self.set_out(connection).await?;
        let size = self.sizes.counted;
        let blocks = (expected / size + 1).min(WALKED_BLOCKS);
        let step = format!("FETCH 1 FROM walk; MOVE {} FROM walk;", size - 1);
        let steps = step.repeat(usize::try_from(blocks).unwrap_or(1));
        let mut passed = Passed::default();
        loop {
            let before = passed.rows();
            self.pass(connection, start + &steps, &mut passed).await?;
            start = String::new();
            let walked = passed.rows() - before;
            self.counted.fetch_add(walked, Ordering::Relaxed);
            if walked < blocks * size {
                break;
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(ChartError::TooSlow);
            }
        }
        self.read_firsts(connection, passed).await
    }

    /// Opens the cursor; what it answers moves it to the start.
    ///
    /// Behind a condition that says where to start, PostgreSQL compares every row passed with it, at about the cost
    /// of the walk itself. So the few rows that stand before a start near the top are counted and passed instead.
    async fn set_out(&self, connection: &mut sqlx::PgConnection) -> Result<String, ChartError> {
        let Source { table, order, .. } = self.source;
        let before = self.rows_before(connection).await?;
        let columns = self.walked_columns();
        let all = match before {
            // Without `LIMIT`, through which PostgreSQL would hand every row.
            Some(_) => Condition {
                sql: format!(
                    "SELECT {columns} FROM {} AS t WHERE {} ORDER BY {}",
                    table.sql_name,
                    self.filter.sql,
                    order_by(table, order)
                ),
                ..self.filter.clone()
            },
            None => {
                let rows = (0, ALL_ROWS);
                select_behind(table, &self.filter, order, &self.start, &columns, rows)
            }
        };
        let declare = format!("DECLARE walk NO SCROLL CURSOR FOR {}", all.sql);
        bound(&declare, &all.params)
            .execute(&mut *connection)
            .await?;
        Ok(match before {
            None | Some(0) => String::new(),
            Some(before) => format!("MOVE {before} FROM walk;"),
        })
    }

    /// The order's columns in the order's own sequence, as its index has them: PostgreSQL then hands its entries on
    /// as they are.
    fn walked_columns(&self) -> String {
        let Source { table, order, .. } = self.source;
        let names = order.iter().map(|by| &table.columns[by.column].sql_name);
        let names: Vec<String> = names.map(|name| format!("t.{name}")).collect();
        names.join(", ")
    }

    /// How many rows stand before the start, unless they are more than a block's.
    async fn rows_before(
        &self,
        connection: &mut sqlx::PgConnection,
    ) -> Result<Option<u64>, ChartError> {
        if self.start == Place::Start {
            return Ok(Some(0));
        }
        let Source { table, order, .. } = self.source;
        let few = self.sizes.counted;
        let is_before = before(table, order, &self.start);
        let sql = format!(
            "SELECT count(*) FILTER (WHERE {is_before}) FROM (SELECT {columns} FROM {table} AS t \
             WHERE {filter} ORDER BY {order} LIMIT {limit}) AS t",
            is_before = is_before.renumbered(self.filter.params.len()),
            columns = self.walked_columns(),
            table = table.sql_name,
            filter = self.filter.sql,
            order = order_by(table, order),
            limit = few + 1,
        );
        let params = [self.filter.params.as_slice(), &is_before.params].concat();
        let row = bound(&sql, &params).fetch_one(connection).await?;
        let count = row.try_get::<i64, _>(0)?.cast_unsigned();
        Ok((count <= few).then_some(count))
    }

    /// Steps on from block to block.
    async fn pass(
        &self,
        connection: &mut sqlx::PgConnection,
        steps: String,
        passed: &mut Passed,
    ) -> Result<(), ChartError> {
        let mut answers = sqlx::raw_sql(AssertSqlSafe(steps)).fetch_many(connection);
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Right(first) => {
                    passed.firsts.push(texts(&first)?);
                    passed.counts.push(0);
                }
                // A row fetched counts itself, and then the rows moved over.
                Either::Left(done) => {
                    if let Some(count) = passed.counts.last_mut() {
                        *count += done.rows_affected();
                    }
                }
            }
        }
        Ok(())
    }

    /// The blocks, each with its first row as rows are read everywhere.
    async fn read_firsts(
        &self,
        connection: &mut sqlx::PgConnection,
        passed: Passed,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        let table = self.source.table;
        let mut columns: Vec<(usize, String)> = (self.source.order.iter().enumerate())
            .map(|(nth, by)| (by.column, format!("c{nth}")))
            .collect();
        let names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
        let lists: Vec<String> = (1..=columns.len())
            .map(|nth| format!("${nth}::text[]"))
            .collect();
        // Rows that hold nothing else have them in the table's order.
        columns.sort_unstable();
        let typed = columns.iter().map(|(column, name)| {
            let def = &table.columns[*column];
            format!("u.{name}::{} AS {}", def.sql_type, def.sql_name)
        });
        let sql = format!(
            "SELECT {text} FROM (SELECT {typed} FROM unnest({lists}) WITH ORDINALITY \
             AS u({names}, nth) ORDER BY u.nth) AS r",
            text = order_sql(self.source, "r"),
            typed = typed.collect::<Vec<_>>().join(", "),
            lists = lists.join(", "),
            names = names.join(", "),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for nth in 0..columns.len() {
            let texts = passed.firsts.iter().map(|first| first[nth].clone());
            query = query.bind(texts.collect::<Vec<_>>());
        }
        let firsts = query.fetch_all(connection).await?;
        let block = |(first, count): (PgRow, u64)| {
            let first: String = first.try_get(0)?;
            Ok(ChartBlock {
                first: row_from_json(table, &first)
                    .map_err(FetchError::from)?
                    .into(),
                count,
                keys: None,
            })
        };
        firsts.into_iter().zip(passed.counts).map(block).collect()
    }
}

impl Passed {
    fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A row's values as PostgreSQL writes them: a cursor's rows come as text.
fn texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len())
        .map(|nth| row.try_get_unchecked(nth))
        .collect()
}
