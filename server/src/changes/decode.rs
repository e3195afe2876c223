//! From the log's rows to what a batch did to each table.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol::ResetReason;
use view_index::{Side, TableChanges};

use crate::db::catalog::Catalog;
use crate::db::images::image_row;
use crate::db::log::{LogEntry, LogOp};

/// The log's rows of the `complete` tables, grouped by table, with their images read. What each row is at the end is still
/// to be added. A table that the catalogue does not know, or describes otherwise, is to be rebuilt.
pub fn by_table(
    entries: Vec<LogEntry>,
    catalog: &Catalog,
    complete: &BTreeSet<u32>,
) -> HashMap<u32, Result<TableChanges, ResetReason>> {
    let mut tables = HashMap::new();
    // That a schema changed concerns the catalogue, whoever looks at the table.
    let is_told = |entry: &LogEntry| {
        complete.contains(&entry.table) || matches!(entry.op, LogOp::SchemaChanged)
    };
    for entry in entries.into_iter().filter(is_told) {
        let table = tables
            .entry(entry.table)
            .or_insert_with(|| Ok(TableChanges::default()));
        // A changed schema has to be read again, whatever else happened.
        if matches!(entry.op, LogOp::SchemaChanged) {
            *table = Err(ResetReason::SchemaChanged);
        }
        let Ok(changes) = table else { continue };
        match side(&entry, catalog) {
            Ok(side) => {
                let at = entry.changed_at_micros;
                changes.sides.push(side);
                changes.changed_at_micros = Some(
                    changes
                        .changed_at_micros
                        .map_or(at, |oldest| oldest.min(at)),
                );
            }
            Err(reason) => *table = Err(reason),
        }
    }
    tables
}

fn side(entry: &LogEntry, catalog: &Catalog) -> Result<Side, ResetReason> {
    let (appeared, image) = match &entry.op {
        LogOp::Image(appeared, image) => (*appeared, image),
        LogOp::Truncated => return Err(ResetReason::Truncated),
        LogOp::SchemaChanged => return Err(ResetReason::SchemaChanged),
        LogOp::TooManyChanges => return Err(ResetReason::TooManyChanges),
    };
    let table = catalog
        .get(entry.table)
        .filter(|table| table.is_live())
        .ok_or(ResetReason::SchemaChanged)?;
    let row = image_row(table, image).map_err(|error| {
        tracing::info!(table = table.sql_name, %error, "a change does not fit the catalogue");
        ResetReason::SchemaChanged
    })?;
    Ok(Side {
        xid: entry.xid,
        appeared,
        row: Arc::new(row),
    })
}
