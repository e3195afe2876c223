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
use crate::db::keyset::select_behind;
use crate::db::query::order_by_columns;
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
    /// Of each, the texts of the order's columns, in the table's order.
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
        let Source { table, order, .. } = self.source;
        let rows = (0, ALL_ROWS);
        let all = select_behind(table, &self.filter, order, &self.start, &self.columns, rows);
        let declare = format!("DECLARE walk NO SCROLL CURSOR FOR {}", all.sql);
        bound(&declare, &all.params)
            .execute(&mut *connection)
            .await?;
        let size = self.sizes.counted;
        let blocks = (expected / size + 1).min(WALKED_BLOCKS);
        let step = format!("FETCH 1 FROM walk; MOVE {} FROM walk;", size - 1);
        let steps = step.repeat(usize::try_from(blocks).unwrap_or(1));
        let mut passed = Passed::default();
        loop {
            let before = passed.rows();
            self.pass(connection, &steps, &mut passed).await?;
            let walked = passed.rows() - before;
            self.counted.fetch_add(walked, Ordering::Relaxed);
            if walked < blocks * size {
                break;
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(ChartError::TooSlow);
            }
        }
        sqlx::raw_sql("CLOSE walk")
            .execute(&mut *connection)
            .await?;
        self.blocks(connection, passed).await
    }

    /// Steps on from block to block.
    async fn pass(
        &self,
        connection: &mut sqlx::PgConnection,
        steps: &str,
        passed: &mut Passed,
    ) -> Result<(), ChartError> {
        let mut answers = sqlx::raw_sql(AssertSqlSafe(steps.to_owned())).fetch_many(connection);
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
    async fn blocks(
        &self,
        connection: &mut sqlx::PgConnection,
        passed: Passed,
    ) -> Result<Vec<ChartBlock>, ChartError> {
        let table = self.source.table;
        let columns = order_by_columns(self.source.order);
        let names: Vec<String> = (0..columns.len()).map(|nth| format!("c{nth}")).collect();
        let lists: Vec<String> = (1..=columns.len())
            .map(|nth| format!("${nth}::text[]"))
            .collect();
        let typed = columns.iter().zip(&names).map(|(&column, name)| {
            let def = &table.columns[column];
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
