//! What tables there are: read from PostgreSQL's catalogue, the only source of identifiers.

#[macro_use]
mod shape;
mod columns;
mod liveness;
mod sql;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use protocol::{Liveness, Privileges, TableInfo, TableKind, TableSchema};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::timeouts::QueryClass;
use crate::limits::{POLL_INTERVAL, TABLES_MAX};
pub use columns::{ColumnDef, Ordering};
use liveness::Circumstances;
pub use sql::shape_now;

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDef {
    /// PostgreSQL's number of it.
    pub oid: u32,
    /// `schema.table`, quoted where SQL needs it.
    pub sql_name: String,
    /// The schema's name alone, not quoted.
    pub schema_name: String,
    /// The table's name alone, not quoted.
    pub bare_name: String,
    /// What it is.
    pub kind: TableKind,
    /// In the table's order, without dropped ones and those that the role may not read.
    pub columns: Vec<ColumnDef>,
    /// The key: places in `columns`, in key order. Empty if rows cannot be told apart.
    pub key: Vec<usize>,
    /// How its changes arrive.
    pub liveness: Liveness,
    /// Why none of its cells can be edited.
    pub not_editable: Option<String>,
    /// What the role may do with its rows.
    pub may: Privileges,
    /// Whether the role may read every column.
    pub reads_all: bool,
    /// Another text whenever this description might be out of date.
    pub shape: String,
    /// The table's comment.
    pub comment: Option<String>,
    /// PostgreSQL's estimate of the row count.
    pub estimated_rows: Option<u64>,
}

impl TableDef {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether the change log tells of every commit.
    pub fn is_live(&self) -> bool {
        self.liveness == Liveness::Live
    }

    /// Whether this is the table that a client calls so.
    pub fn is_called(&self, name: &str) -> bool {
        self.sql_name == name || self.schema_name == "public" && self.bare_name == name
    }

    /// What clients are told of a window on these columns.
    pub fn schema(&self, columns: &[usize]) -> TableSchema {
        TableSchema {
            name: self.sql_name.clone(),
            key: self
                .key
                .iter()
                .map(|&column| self.columns[column].name.clone())
                .collect(),
            columns: columns
                .iter()
                .map(|&column| self.columns[column].shown.clone())
                .collect(),
            liveness: self.liveness.clone(),
            not_editable: self.not_editable.clone(),
        }
    }

    /// What clients are told in the list of tables.
    pub fn info(&self) -> TableInfo {
        TableInfo {
            name: self.sql_name.clone(),
            estimated_rows: self.estimated_rows,
            comment: self.comment.clone(),
            schema: self.schema_name.clone(),
            table: self.bare_name.clone(),
            kind: self.kind,
            liveness: self.liveness.clone(),
            may: self.may,
            not_editable: self.not_editable.clone(),
        }
    }

    /// Tells this list of columns from every other, on every server of the same build: rows read under
    /// one layout mean nothing under another.
    pub fn layout(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.sql_name, &self.columns, &self.key).hash(&mut hasher);
        hasher.finish()
    }
}

/// Every table that the role may read.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tables: HashMap<u32, Arc<TableDef>>,
}

impl Catalog {
    /// Reads it.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn load(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Self::load_for(pool, POLL_INTERVAL).await
    }

    /// Reads it. Tables that are not live are said to be polled at this pause.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn load_for(pool: &PgPool, poll_interval: Duration) -> Result<Self, sqlx::Error> {
        let tables = load_tables(pool, poll_interval, None).await?;
        if tables.len() >= TABLES_MAX {
            tracing::warn!("only {TABLES_MAX} tables are shown; there are more");
        }
        let tables = tables.into_iter();
        Ok(Self {
            tables: tables.map(|table| (table.oid, Arc::new(table))).collect(),
        })
    }

    /// Reads one table again; without it if it is gone.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn with_table(
        &self,
        pool: &PgPool,
        poll_interval: Duration,
        oid: u32,
    ) -> Result<Self, sqlx::Error> {
        let found = load_tables(pool, poll_interval, Some(oid)).await?.pop();
        let mut tables = self.tables.clone();
        match found {
            Some(table) => drop(tables.insert(oid, Arc::new(table))),
            None => drop(tables.remove(&oid)),
        }
        Ok(Self { tables })
    }

    /// A table by its number.
    pub fn get(&self, oid: u32) -> Option<&Arc<TableDef>> {
        self.tables.get(&oid)
    }

    /// A table by the name a client gave it.
    pub fn find(&self, name: &str) -> Option<&Arc<TableDef>> {
        self.tables.values().find(|table| table.is_called(name))
    }

    /// All tables in name order.
    pub fn sorted(&self) -> Vec<&Arc<TableDef>> {
        let mut tables: Vec<_> = self.tables.values().collect();
        tables.sort_by(|a, b| a.sql_name.cmp(&b.sql_name));
        tables
    }
}

/// One table, or all.
async fn load_tables(
    pool: &PgPool,
    poll_interval: Duration,
    only: Option<u32>,
) -> Result<Vec<TableDef>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Both questions are about the same moment. Compiling the second takes thirty times as long as answering
    // it: the planner expects many more columns than there are.
    let settings = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off";
    sqlx::raw_sql(settings).execute(&mut *transaction).await?;
    sqlx::query(AssertSqlSafe(QueryClass::Catalogue.set_local()))
        .execute(&mut *transaction)
        .await?;
    let rows = sqlx::query(sql::TABLES)
        .bind(only.map(i64::from))
        .bind(i64::try_from(TABLES_MAX).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;
    let oids: Vec<i64> = rows
        .iter()
        .map(|row| row.try_get("table_oid"))
        .collect::<Result<_, _>>()?;
    let mut columns: HashMap<u32, Vec<(i16, ColumnDef)>> = HashMap::new();
    let column_rows = sqlx::query(sql::COLUMNS)
        .bind(&oids)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    for row in &column_rows {
        let column = (row.try_get("number")?, columns::column_def(row)?);
        columns
            .entry(oid(row, "table_oid")?)
            .or_default()
            .push(column);
    }
    let mut tables = Vec::with_capacity(rows.len());
    for row in &rows {
        let columns = columns.remove(&oid(row, "table_oid")?).unwrap_or_default();
        tables.push(table_def(row, columns, poll_interval)?);
    }
    Ok(tables)
}

fn oid(row: &PgRow, column: &str) -> Result<u32, sqlx::Error> {
    let oid: i64 = row.try_get(column)?;
    u32::try_from(oid).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn table_kind(relkind: &str) -> TableKind {
    match relkind {
        "p" => TableKind::Partitioned,
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    }
}

fn table_def(
    row: &PgRow,
    columns: Vec<(i16, ColumnDef)>,
    poll_interval: Duration,
) -> Result<TableDef, sqlx::Error> {
    let kind = table_kind(row.try_get("kind")?);
    let numbers: Option<Vec<i16>> = row.try_get("key")?;
    let place = |number: &i16| columns.iter().position(|(known, _)| known == number);
    // A key that the role cannot read in full, or of arrays or composites as JSON, is none.
    let key: Vec<usize> = numbers
        .and_then(|numbers| numbers.iter().map(place).collect::<Option<_>>())
        .unwrap_or_default();
    let mut columns: Vec<ColumnDef> = columns.into_iter().map(|(_, column)| column).collect();
    let is_fit = |&at: &usize| {
        let column: &ColumnDef = &columns[at];
        column.ordering != Ordering::None && !column.from_record()
    };
    let key = if key.iter().all(is_fit) {
        key
    } else {
        Vec::new()
    };
    let sql_name: String = row.try_get("sql_name")?;
    let may = Privileges {
        insert: row.try_get("may_insert")?,
        update: row.try_get("may_update")?,
        delete: row.try_get("may_delete")?,
    };
    let circumstances = Circumstances {
        sql_name: &sql_name,
        kind,
        has_key: !key.is_empty(),
        may_update: may.update,
        is_watched: row.try_get("watched")?,
        lacks_triggers: row.try_get("lacks_triggers")?,
        may_watch: row.try_get("may_watch")?,
        reads_all: row.try_get("reads_all")?,
        rows_hidden: row.try_get("rows_hidden")?,
        inherits: row.try_get("inherits")?,
        partly_foreign: row.try_get("partly_foreign")?,
    };
    let not_editable = circumstances.not_editable();
    if not_editable.is_some() {
        for column in &mut columns {
            column.shown.editable = false;
        }
    }
    let estimated_rows: Option<i64> = row.try_get("estimated_rows")?;
    Ok(TableDef {
        oid: oid(row, "table_oid")?,
        schema_name: row.try_get("schema_name")?,
        bare_name: row.try_get("bare_name")?,
        liveness: circumstances.liveness(poll_interval),
        reads_all: circumstances.reads_all,
        sql_name,
        kind,
        columns,
        key,
        not_editable,
        may,
        shape: row.try_get("shape")?,
        comment: row.try_get("comment")?,
        estimated_rows: estimated_rows.and_then(|rows| u64::try_from(rows).ok()),
    })
}
