//! What the rows that a batch touched are at its end.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use protocol::ResetReason;
use tokio_postgres::Statement;
use view_index::{End, RowKey, TableChanges, TableRow, ends};

use crate::db::catalog::{Catalog, TableDef};
use crate::db::log::{LogError, LogReader};

/// How to read rows of tables by key, on one connection.
#[derive(Default)]
pub(super) struct RowReader {
    /// The statement for each table, by PostgreSQL's number of it, and how the catalogue described the table then.
    prepared: HashMap<u32, (Arc<TableDef>, Statement)>,
}

/// The rows of one table that a batch touched.
struct Touched<'a> {
    /// PostgreSQL's number of the table.
    oid: u32,
    changes: &'a mut TableChanges,
    ends: Vec<(RowKey, End)>,
    /// Those whose end the images do not say.
    unknown: Vec<RowKey>,
}

impl RowReader {
    /// Adds what every touched row is at the end of the batch that `log` has begun: most follow from the images, the
    /// others are read.
    ///
    /// # Errors
    /// If PostgreSQL cannot be reached, or a table is not what the catalogue says; the transaction is of no more use
    /// then.
    pub(super) async fn complete(
        &mut self,
        log: &LogReader,
        catalog: &Catalog,
        tables: &mut HashMap<u32, Result<TableChanges, ResetReason>>,
    ) -> Result<(), LogError> {
        let mut touched = Vec::new();
        for (&oid, table) in tables.iter_mut() {
            let (Ok(changes), Some(def)) = (table.as_mut(), catalog.get(oid)) else {
                continue;
            };
            let table = Touched::new(oid, changes);
            if !table.unknown.is_empty() {
                self.prepare(log, oid, def).await?;
            }
            touched.push(table);
        }
        let read = try_join_all(touched.iter().map(|table| self.read(log, table))).await?;
        for (table, rows) in touched.into_iter().zip(read) {
            table.changes.current = current(table.ends, rows);
        }
        Ok(())
    }

    /// Forgets how: the catalogue is out of date.
    pub(super) fn clear(&mut self) {
        self.prepared.clear();
    }

    async fn prepare(
        &mut self,
        log: &LogReader,
        oid: u32,
        def: &Arc<TableDef>,
    ) -> Result<(), LogError> {
        let known = self.prepared.get(&oid);
        if known.is_none_or(|(held, _)| held != def) {
            let statement = log.prepare_current(def).await?;
            self.prepared.insert(oid, (def.clone(), statement));
        }
        Ok(())
    }

    async fn read(&self, log: &LogReader, table: &Touched<'_>) -> Result<Vec<TableRow>, LogError> {
        match self.prepared.get(&table.oid) {
            Some((def, statement)) if !table.unknown.is_empty() => {
                log.current(def, statement, &table.unknown).await
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl<'a> Touched<'a> {
    fn new(oid: u32, changes: &'a mut TableChanges) -> Self {
        let ends = ends(&changes.sides);
        let unknown = ends.iter().filter(|(_, end)| *end == End::Unknown);
        Self {
            oid,
            unknown: unknown.map(|(key, _)| key.clone()).collect(),
            changes,
            ends,
        }
    }
}

/// What touched rows are, given those that were read.
fn current(ends: Vec<(RowKey, End)>, read: Vec<TableRow>) -> Vec<(RowKey, Option<Arc<TableRow>>)> {
    let read = read.into_iter().map(|row| (row.key.clone(), row));
    let mut read: HashMap<RowKey, TableRow> = read.collect();
    let mut row = |(key, end): (RowKey, End)| {
        let row = match end {
            End::Known(row) => row,
            End::Unknown => read.remove(&key).map(Arc::new),
        };
        (key, row)
    };
    ends.into_iter().map(&mut row).collect()
}
