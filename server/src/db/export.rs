//! Reads a whole view in its order: one transaction, on a connection of its own.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use protocol::ColumnKind;
use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use view_index::{OrderColumn, Snapshot};

use super::catalog::{ColumnDef, TableDef};
use super::pool;
use super::query::{Condition, order_by};
use super::timeouts::{QueryClass, Timeouts};
use crate::limits::{EXPORT_BATCH_BYTES, EXPORT_BATCH_ROWS, EXPORT_COUNT_TIMEOUT};

/// What is read.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The table.
    pub table: &'a TableDef,
    /// Which columns, in which order: places in the table's.
    pub columns: &'a [usize],
    /// Which rows.
    pub filter: &'a Condition,
    /// In which order.
    pub order: &'a [OrderColumn],
}

/// Neighbouring rows, each cell as the text that PostgreSQL writes under the fixed settings: the text that
/// windows show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowBatch {
    columns: usize,
    text: String,
    /// Where each cell ends in `text`, and whether it is `NULL`.
    cells: Vec<(usize, bool)>,
}

/// A transaction that sees one snapshot.
#[derive(Debug)]
pub struct ExportReader {
    connection: PgConnection,
    backend: i32,
    snapshot: Snapshot,
    epoch: Option<String>,
}

/// The rows of a view, as PostgreSQL sends them.
pub struct RowStream<'a> {
    rows: BoxStream<'a, Result<PgRow, sqlx::Error>>,
    columns: usize,
}

impl RowStream<'_> {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// If the query fails, or takes too long.
    pub async fn next(&mut self) -> Result<Option<RowBatch>, sqlx::Error> {
        let mut batch = RowBatch::new(self.columns);
        while let Some(row) = self.rows.try_next().await? {
            for at in 0..self.columns {
                batch.push(row.try_get::<Option<&str>, _>(at)?);
            }
            if batch.is_full() {
                return Ok(Some(batch));
            }
        }
        Ok((!batch.cells.is_empty()).then_some(batch))
    }
}

impl RowBatch {
    /// No rows yet.
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            text: String::new(),
            cells: Vec::new(),
        }
    }

    /// Adds a cell; a row is complete when it has one for every column.
    pub fn push(&mut self, cell: Option<&str>) {
        self.text.push_str(cell.unwrap_or_default());
        self.cells.push((self.text.len(), cell.is_none()));
    }

    /// The rows; each is its cells, `None` for `NULL`.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = Option<&str>>> {
        let mut start = 0;
        let width = self.columns.max(1);
        self.cells.chunks_exact(width).map(move |row| {
            let mut from = start;
            start = row.last().map_or(start, |&(end, _)| end);
            row.iter().map(move |&(end, is_null)| {
                let text = self.text.get(from..end).unwrap_or_default();
                from = end;
                (!is_null).then_some(text)
            })
        })
    }

    fn is_full(&self) -> bool {
        self.text.len() >= EXPORT_BATCH_BYTES
            || self.cells.len() >= EXPORT_BATCH_ROWS * self.columns
    }
}

impl ExportReader {
    /// Connects and begins; from here on it sees what is committed now, and nothing later.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached, or takes no more connections.
    pub async fn begin(pool: &PgPool, timeouts: &Timeouts) -> Result<Self, sqlx::Error> {
        let mut connection = pool::connect_beside(pool, timeouts).await?;
        // A server that dies cannot cancel its query, so PostgreSQL looks whether the client is there. Not
        // every system can.
        let look = "SET client_connection_check_interval = '2s'";
        drop(sqlx::raw_sql(look).execute(&mut connection).await);
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        sqlx::raw_sql(begin).execute(&mut connection).await?;
        let limit = sqlx::raw_sql(AssertSqlSafe(QueryClass::Export.set_local()));
        limit.execute(&mut connection).await?;
        let mark = "SELECT pg_backend_pid(), pg_current_snapshot()::text, \
                    (SELECT epoch::text FROM rowcast.log_state)";
        let row = sqlx::query(mark).fetch_one(&mut connection).await?;
        let snapshot: String = row.try_get(1)?;
        Ok(Self {
            backend: row.try_get(0)?,
            snapshot: snapshot
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            epoch: row.try_get(2)?,
            connection,
        })
    }

    /// What the transaction sees.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The change log's epoch; `None` right after a crash emptied the log.
    pub fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// PostgreSQL's number of the process that reads; for [`cancel`].
    pub fn backend(&self) -> i32 {
        self.backend
    }

    /// How many rows there are, at most `limit`: it stops counting there.
    ///
    /// # Errors
    /// If the filter cannot be evaluated, or counting takes too long.
    pub async fn count_up_to(
        &mut self,
        question: Question<'_>,
        limit: u64,
    ) -> Result<u64, sqlx::Error> {
        let limited = format!(
            "SET LOCAL statement_timeout = {}",
            EXPORT_COUNT_TIMEOUT.as_millis()
        );
        self.run(limited).await?;
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM {} AS t WHERE {} LIMIT {limit}) AS bounded",
            question.table.sql_name, question.filter.sql
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        for param in &question.filter.params {
            query = query.bind(param);
        }
        let count: i64 = query.fetch_one(&mut self.connection).await?.try_get(0)?;
        self.run(QueryClass::Export.set_local()).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Asks for every row, in the view's order. PostgreSQL sends no faster than they are taken.
    pub fn rows<'a>(&'a mut self, question: Question<'a>) -> RowStream<'a> {
        let mut query = sqlx::query(AssertSqlSafe(select(question))).persistent(false);
        for param in &question.filter.params {
            query = query.bind(param);
        }
        RowStream {
            rows: query.fetch(&mut self.connection),
            columns: question.columns.len(),
        }
    }

    /// Ends the transaction and the connection.
    pub async fn end(self) {
        // There is nothing to commit; PostgreSQL ends what a closed connection leaves.
        drop(self.connection.close().await);
    }

    async fn run(&mut self, sql: String) -> Result<(), sqlx::Error> {
        let set = sqlx::raw_sql(AssertSqlSafe(sql));
        set.execute(&mut self.connection).await.map(drop)
    }
}

/// Ends the process that reads, and its query with it. The reader's connection must still be held: until it
/// is closed, the number is nobody else's.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn cancel(pool: &PgPool, backend: i32) -> Result<(), sqlx::Error> {
    let end = sqlx::query("SELECT pg_terminate_backend($1)").bind(backend);
    end.execute(pool).await.map(drop)
}

fn select(question: Question<'_>) -> String {
    let Question {
        table,
        columns,
        filter,
        order,
    } = question;
    let cells: Vec<String> = columns
        .iter()
        .map(|&column| cell_text(&table.columns[column]))
        .collect();
    let mut sql = format!(
        "SELECT {} FROM {} AS t WHERE {}",
        cells.join(", "),
        table.sql_name,
        filter.sql
    );
    if !order.is_empty() {
        sql.push_str(" ORDER BY ");
        sql.push_str(&order_by(table, order));
    }
    sql
}

/// SQL for a cell's text as `to_json` writes it, unquoted. A cast is several times faster and says the same
/// for many types; not for all: `char(n)` loses its blanks, `inet` gains a mask, timestamps get no `T`.
fn cell_text(def: &ColumnDef) -> String {
    let name = format!("t.{}", def.sql_name);
    let is_plain_text = matches!(def.sql_type.as_str(), "text" | "character varying");
    match def.shown.kind {
        ColumnKind::Bool
        | ColumnKind::Int
        | ColumnKind::Float
        | ColumnKind::Numeric
        | ColumnKind::Date
        | ColumnKind::Uuid
        | ColumnKind::Json
        | ColumnKind::Enum => format!("{name}::text"),
        ColumnKind::Text if is_plain_text => format!("{name}::text"),
        _ => def.told(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::RowBatch;

    #[test]
    fn a_batch_gives_back_its_rows() {
        let rows = [
            [Some("a"), None, Some("")],
            [None, Some("é\n"), None],
            [Some(""), Some(""), Some("z")],
        ];
        let mut batch = RowBatch::new(3);
        rows.iter().flatten().for_each(|&cell| batch.push(cell));
        let read: Vec<Vec<Option<&str>>> = batch.rows().map(Iterator::collect).collect();
        assert_eq!(read, rows);
        assert_eq!(RowBatch::new(3).rows().count(), 0);
    }
}
