//! One cell's compare-and-set.

use protocol::{ColumnKind, EditOutcome, ErrorCode, Value};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use view_index::Xid;

use super::asks::value_of;
use super::catalog::{ColumnDef, TableDef};
use super::timeouts::{QueryClass, begin};

/// What became of an edit, and in which transaction if it was written.
#[derive(Debug)]
pub struct Edited {
    /// For the client.
    pub outcome: EditOutcome,
    /// The transaction that wrote it.
    pub xid: Option<Xid>,
}

impl Edited {
    fn refused(outcome: EditOutcome) -> Self {
        Self { outcome, xid: None }
    }
}

/// Writes `value` into a cell that still holds `expected`.
///
/// The comparison is of the cell's canonical text byte by byte, not a collation's or a numeric type's
/// idea of equal: what a person saw is what is compared.
///
/// # Errors
/// If PostgreSQL cannot be reached; a refusal is an outcome, not an error.
pub async fn compare_and_set(
    pool: &PgPool,
    table: &TableDef,
    column: usize,
    key: &[Value],
    expected: &Value,
    value: &Value,
) -> Result<Edited, sqlx::Error> {
    let def = &table.columns[column];
    let held = def.told(&format!("t.{}", def.sql_name));
    let new = input(def);
    let expected_text = expected_text(def);
    let keys = table.key.iter().enumerate();
    let place: Vec<String> = keys
        .map(|(nth, &at)| {
            let def = &table.columns[at];
            format!(
                "t.{} = {}",
                def.sql_name,
                def.read(&format!("${}::text", nth + 3))
            )
        })
        .collect();
    let place = place.join(" AND ");
    let update = format!(
        "UPDATE {} AS t SET {} = {new} \
         WHERE {place} AND {held} COLLATE \"C\" IS NOT DISTINCT FROM {expected_text} \
         RETURNING pg_current_xact_id()::text",
        table.sql_name, def.sql_name,
    );
    let mut query = sqlx::query(AssertSqlSafe(update))
        .bind(value.to_postgres_text())
        .bind(expected.to_postgres_text());
    for value in key {
        query = query.bind(value.to_postgres_text());
    }
    let mut transaction = begin(pool, QueryClass::Edit).await?;
    let written = match query.fetch_optional(&mut *transaction).await {
        // What is deferred to the end may still refuse it.
        Ok(written) => transaction.commit().await.map(|()| written),
        Err(error) => Err(error),
    };
    match written {
        Ok(Some(row)) => {
            let xid: String = row.try_get(0)?;
            Ok(Edited {
                outcome: EditOutcome::Applied,
                xid: xid.parse().ok(),
            })
        }
        Ok(None) => theirs(pool, table, def, &place, key).await,
        Err(error) => refusal(error).map(Edited::refused),
    }
}

/// What the cell holds instead of what was expected.
async fn theirs(
    pool: &PgPool,
    table: &TableDef,
    def: &ColumnDef,
    place: &str,
    key: &[Value],
) -> Result<Edited, sqlx::Error> {
    let sql = format!(
        "SELECT {} FROM {} AS t WHERE {place} AND ($1::text IS NULL) AND ($2::text IS NULL)",
        def.told(&format!("t.{}", def.sql_name)),
        table.sql_name,
    );
    let mut query = sqlx::query(AssertSqlSafe(sql))
        .bind(None::<String>)
        .bind(None::<String>);
    for value in key {
        query = query.bind(value.to_postgres_text());
    }
    Ok(Edited::refused(match query.fetch_optional(pool).await? {
        None => EditOutcome::Gone,
        Some(row) => {
            let text: Option<String> = row.try_get(0)?;
            let theirs = text.map_or(Value::Null, |text| value_of(def, &text));
            EditOutcome::Conflict { theirs }
        }
    }))
}

/// SQL for what the client saw: `$2`. A float is written by PostgreSQL first (1e-05), since others write
/// the same number otherwise (0.00001).
fn expected_text(def: &ColumnDef) -> String {
    if def.shown.kind == ColumnKind::Float {
        return def.told(&def.read("$2::text"));
    }
    "$2::text".to_owned()
}

/// SQL for the new value: `$1` as the column's type. It is written as it is shown, arrays and composites as JSON.
fn input(def: &ColumnDef) -> String {
    def.read("$1::text")
}

/// PostgreSQL's objection in words for the person who made the edit.
fn refusal(error: sqlx::Error) -> Result<EditOutcome, sqlx::Error> {
    let Some(database) = error.as_database_error() else {
        return Err(error);
    };
    let state = database.code().unwrap_or_default();
    let code = match state.as_bytes() {
        // Data exceptions: the text is not of the type, or out of its range.
        [b'2', b'2', ..] => ErrorCode::BadValue,
        // Integrity constraints, and what a trigger raised.
        [b'2', b'3', ..] | [b'P', b'0', ..] => ErrorCode::EditRejected,
        b"42501" | b"428C9" => ErrorCode::NotEditable,
        b"55P03" | b"57014" => {
            return Ok(EditOutcome::Rejected {
                code: ErrorCode::QueryTimeout,
                message: "the row could not be written in time: another transaction holds it, or a trigger is \
                          slow; nothing was written, try again"
                    .to_owned(),
            });
        }
        _ => return Err(error),
    };
    Ok(EditOutcome::Rejected {
        code,
        message: database.message().to_owned(),
    })
}
