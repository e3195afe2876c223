//! Whole rows by their key: read, inserted, updated, deleted, each in one statement.
//!
//! A row's version is a hash of its canonical text ([`row_sql`] under the fixed settings), so it is the same on
//! every server and survives everything that leaves the row as it is. A write that names a version happens
//! only if the row still has it: PostgreSQL tests that again if it had to wait for another writer.

use protocol::Value;
use sqlx::postgres::{PgDatabaseError, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row};
use view_index::TableRow;

use super::catalog::TableDef;
use super::decode::{row_from_json, row_sql};
use super::rows::FetchError;
use super::timeouts::{QueryClass, begin};

/// A row and its version.
#[derive(Clone, Debug)]
pub struct Versioned {
    /// The row.
    pub row: TableRow,
    /// Hexadecimal digits.
    pub version: String,
}

/// Which versions of a row may be written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

/// What became of a write.
#[derive(Debug)]
pub enum Written<T> {
    /// Committed.
    Done(T),
    /// The row is as it was, but has another version; this is what it is now.
    Mismatch(Versioned),
    /// There is no such row.
    Gone,
    /// The row has the expected version and was not written all the same: a trigger or a policy kept it.
    Kept,
}

/// PostgreSQL's objection to a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objection {
    /// The SQLSTATE.
    pub state: String,
    /// For people.
    pub message: String,
    /// More for people.
    pub detail: Option<String>,
    /// The column it is about.
    pub column: Option<String>,
    /// The constraint that was broken.
    pub constraint: Option<String>,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// PostgreSQL objects.
    #[error("{}", .0.message)]
    Objection(Objection),
    /// PostgreSQL cannot be reached, or the table's columns are not what the catalogue says.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        let known = error
            .as_database_error()
            .and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        match known {
            Some(error) => Self::Objection(Objection {
                state: error.code().to_owned(),
                message: error.message().to_owned(),
                detail: error.detail().map(ToOwned::to_owned),
                column: error.column().map(ToOwned::to_owned),
                constraint: error.constraint().map(ToOwned::to_owned),
            }),
            None => Self::Fetch(error.into()),
        }
    }
}

/// SQL for a row's text: of those of its columns that the role may read.
fn row_text(table: &TableDef) -> String {
    if table.reads_all {
        return row_sql(table, "t");
    }
    let every: Vec<usize> = (0..table.columns.len()).collect();
    let columns = names(table, &every, "t.").join(", ");
    format!(
        "(SELECT {} FROM (SELECT {columns}) AS r)",
        row_sql(table, "r")
    )
}

/// SQL for a row's version.
fn version_of(table: &TableDef) -> String {
    let text = row_text(table);
    format!("left(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 32)")
}

/// SQL for the row and its version, for [`versioned`].
fn row_and_version(table: &TableDef) -> String {
    format!("{}, {}", row_text(table), version_of(table))
}

/// SQL for the row of a key whose first value is `$first`.
fn has_key(table: &TableDef, first: usize) -> String {
    let tests = table.key.iter().enumerate().map(|(nth, &at)| {
        let def = &table.columns[at];
        let value = def.read(&format!("${}::text", first + nth));
        format!("t.{} = {value}", def.sql_name)
    });
    tests.collect::<Vec<_>>().join(" AND ")
}

fn versioned(table: &TableDef, row: &PgRow) -> Result<Versioned, WriteError> {
    let json: String = row.try_get(0)?;
    Ok(Versioned {
        row: row_from_json(table, &json).map_err(FetchError::from)?,
        version: row.try_get(1)?,
    })
}

/// A row by its key, whose values are as clients write them; `None` if there is none.
///
/// # Errors
/// If a value of the key is not of its type, or PostgreSQL cannot be asked.
pub async fn read(
    pool: &PgPool,
    table: &TableDef,
    key: &[Value],
) -> Result<Option<Versioned>, WriteError> {
    let sql = format!(
        "SELECT {} FROM {} AS t WHERE {}",
        row_and_version(table),
        table.sql_name,
        has_key(table, 1)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in key {
        query = query.bind(value.to_postgres_text());
    }
    let row = query.fetch_optional(pool).await?;
    row.map(|row| versioned(table, &row)).transpose()
}

/// Inserts a row with these columns from a JSON object; `None` if a trigger kept it out.
///
/// # Errors
/// If PostgreSQL objects or cannot be reached.
pub async fn insert(
    pool: &PgPool,
    table: &TableDef,
    columns: &[usize],
    object: &str,
) -> Result<Option<Versioned>, WriteError> {
    let list = |prefix: &str| names(table, columns, prefix).join(", ");
    let values = if columns.is_empty() {
        "DEFAULT VALUES".to_owned()
    } else {
        format!(
            "({}) SELECT {} FROM {}",
            list(""),
            list("new."),
            record(table, columns)
        )
    };
    let sql = format!(
        "INSERT INTO {} AS t {values} RETURNING {}",
        table.sql_name,
        row_and_version(table)
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if !columns.is_empty() {
        query = query.bind(object);
    }
    let mut transaction = begin(pool, QueryClass::Edit).await?;
    let row = query.fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    row.map(|row| versioned(table, &row)).transpose()
}

/// Writes these columns of a row from a JSON object.
///
/// # Errors
/// If PostgreSQL objects or cannot be reached.
pub async fn update(
    pool: &PgPool,
    table: &TableDef,
    key: &[Value],
    expected: &Expected,
    columns: &[usize],
    object: &str,
) -> Result<Written<Versioned>, WriteError> {
    let set = names(table, columns, "")
        .into_iter()
        .zip(names(table, columns, "new."))
        .map(|(name, value)| format!("{name} = {value}"));
    let sql = format!(
        "UPDATE {} AS t SET {} FROM {} WHERE {} AND {} RETURNING {}",
        table.sql_name,
        set.collect::<Vec<_>>().join(", "),
        record(table, columns),
        has_version(table, 2),
        has_key(table, 3),
        row_and_version(table),
    );
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(object)
        .bind(versions(expected));
    for value in key {
        query = query.bind(value.to_postgres_text());
    }
    let mut transaction = begin(pool, QueryClass::Edit).await?;
    let written = query.fetch_optional(&mut *transaction).await?;
    // What is deferred to the end may still refuse it.
    transaction.commit().await?;
    match written {
        Some(row) => Ok(Written::Done(versioned(table, &row)?)),
        None => not_written(pool, table, key, expected).await,
    }
}

/// Deletes a row.
///
/// # Errors
/// If PostgreSQL objects or cannot be reached.
pub async fn delete(
    pool: &PgPool,
    table: &TableDef,
    key: &[Value],
    expected: &Expected,
) -> Result<Written<()>, WriteError> {
    let sql = format!(
        "DELETE FROM {} AS t WHERE {} AND {}",
        table.sql_name,
        has_version(table, 1),
        has_key(table, 2),
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(versions(expected));
    for value in key {
        query = query.bind(value.to_postgres_text());
    }
    let mut transaction = begin(pool, QueryClass::Edit).await?;
    let deleted = query.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    if deleted > 0 {
        return Ok(Written::Done(()));
    }
    not_written(pool, table, key, expected).await
}

/// Why no row was written.
async fn not_written<T>(
    pool: &PgPool,
    table: &TableDef,
    key: &[Value],
    expected: &Expected,
) -> Result<Written<T>, WriteError> {
    Ok(match (read(pool, table, key).await?, expected) {
        (None, _) => Written::Gone,
        (Some(now), Expected::OneOf(versions)) if !versions.contains(&now.version) => {
            Written::Mismatch(now)
        }
        (Some(_), _) => Written::Kept,
    })
}

/// SQL for "the row has one of the versions in `$nth`, or any will do".
fn has_version(table: &TableDef, nth: usize) -> String {
    format!(
        "(${nth}::text[] IS NULL OR {} = ANY(${nth}))",
        version_of(table)
    )
}

fn versions(expected: &Expected) -> Option<&[String]> {
    match expected {
        Expected::Any => None,
        Expected::OneOf(versions) => Some(versions),
    }
}

fn names(table: &TableDef, columns: &[usize], prefix: &str) -> Vec<String> {
    let name = |&column: &usize| format!("{prefix}{}", table.columns[column].sql_name);
    columns.iter().map(name).collect()
}

/// SQL for these columns of the JSON object `$1`, each read by PostgreSQL as its type.
fn record(table: &TableDef, columns: &[usize]) -> String {
    let column = |&column: &usize| {
        let def = &table.columns[column];
        format!("{} {}", def.sql_name, def.sql_type)
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    format!(
        "json_to_record($1::text::json) AS new({})",
        columns.join(", ")
    )
}
