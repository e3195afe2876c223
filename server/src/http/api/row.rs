//! Single rows: read, inserted, changed and deleted by their key.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{ErrorCode, Value};
use view_index::TableRow;

use super::Api;
use super::codes::{Code, refused};
use super::json::{RowObject, members};
use super::parameters::Parameters;
use super::refusals::objection;
use super::rows::json;
use super::window::refusal;
use super::{body, key};
use crate::db::catalog::TableDef;
use crate::db::write::{self, Versioned, Written};
use crate::http::problem::Problem;
use crate::views::plan;

/// `GET …/rows/{key}`
///
/// # Errors
/// If there is no such row, or it cannot be read.
pub async fn show(
    api: &Api,
    table: &TableDef,
    key: &[Value],
    mut parameters: Parameters,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let names = parameters.take("columns");
    parameters.finish(&["columns"])?;
    let names = names.map_or(Ok(Vec::new()), |text| super::parameters::columns(&text))?;
    let view = protocol::ViewSpec::table(&table.sql_name);
    let columns = plan::columns(table, &names)
        .map_err(|refused| refusal(refused.code, refused.message, &view))?;
    let found = write::read(api.sessions.engine.pool(), table, key).await;
    let found = found.map_err(|error| in_address(objection(table, error)))?;
    let found = found.ok_or_else(|| unknown(table))?;
    let mut response = if key::is_known(headers, &found.version) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        row_json(table, &columns, &found.row)?
    };
    response
        .headers_mut()
        .insert(header::ETAG, key::etag(&found.version));
    Ok(response)
}

/// `POST …/rows`
///
/// # Errors
/// If the body is wrong, or PostgreSQL objects.
pub async fn insert(
    api: &Api,
    table: &Arc<TableDef>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let members = body::read(headers, body, table).await?;
    let (pool, table) = (api.sessions.engine.pool().clone(), table.clone());
    let shown = table.clone();
    let inserting =
        async move { write::insert(&pool, &table, &members.columns, &members.object).await };
    let written = finish(api, inserting).await?;
    let written = written.map_err(|error| objection(&shown, error))?;
    let new = written.ok_or_else(|| kept(&shown))?;
    let mut response = whole(&shown, &new)?;
    *response.status_mut() = StatusCode::CREATED;
    let name = utf8_percent_encode(&shown.sql_name, NON_ALPHANUMERIC);
    let location = format!("/api/v1/tables/{name}/rows/{}", key::write(&new.row.key));
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `PATCH …/rows/{key}`
///
/// # Errors
/// If the row is not as expected, the body is wrong, or PostgreSQL objects.
pub async fn update(
    api: &Api,
    table: &Arc<TableDef>,
    key: Vec<Value>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let expected = key::expected(headers)?;
    let members = body::read(headers, body, table).await?;
    if members.columns.is_empty() {
        return Err(Code::BadBody.because("the body names no column to change"));
    }
    check_editable(table, &members.columns)?;
    let (pool, table) = (api.sessions.engine.pool().clone(), table.clone());
    let shown = table.clone();
    let updating = async move {
        let (columns, object) = (&members.columns, &members.object);
        write::update(&pool, &table, &key, &expected, columns, object).await
    };
    let written = finish(api, updating).await?;
    match written.map_err(|error| objection(&shown, error))? {
        Written::Done(row) => whole(&shown, &row),
        other => Err(not_written(&shown, other)),
    }
}

/// `DELETE …/rows/{key}`
///
/// # Errors
/// If the row is not as expected, or PostgreSQL objects.
pub async fn delete(
    api: &Api,
    table: &Arc<TableDef>,
    key: Vec<Value>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let expected = key::expected(headers)?;
    let (pool, table) = (api.sessions.engine.pool().clone(), table.clone());
    let shown = table.clone();
    let deleting = async move { write::delete(&pool, &table, &key, &expected).await };
    let written = finish(api, deleting).await?;
    match written.map_err(|error| objection(&shown, error))? {
        Written::Done(()) => Ok(StatusCode::NO_CONTENT.into_response()),
        other => Err(not_written(&shown, other)),
    }
}

/// Writes once there is room in the pool. A write once begun is finished even if its client leaves, so
/// that nobody has to guess how far it came.
async fn finish<T: Send + 'static>(
    api: &Api,
    write: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    let room = api.sessions.engine.edits();
    let writing = api.sessions.tasks.spawn(async move {
        let _turn = room.acquire().await;
        write.await
    });
    writing.await.map_err(|error| {
        tracing::error!(%error, "a write ended badly");
        refused(
            ErrorCode::Internal,
            "it is not known whether the row was written; look at it",
        )
    })
}

fn check_editable(table: &TableDef, columns: &[usize]) -> Result<(), Problem> {
    let is_editable = |column: &usize| table.columns[*column].shown.editable;
    let Some(&column) = columns.iter().find(|column| !is_editable(column)) else {
        return Ok(());
    };
    let name = &table.columns[column].name;
    let detail = match &table.not_editable {
        Some(reason) => format!("{} cannot be edited: {reason}", table.sql_name),
        None => {
            format!("the column {name:?} is generated, or the server's role may not change it")
        }
    };
    let editable = table.columns.iter().filter(|column| column.shown.editable);
    Err(refused(ErrorCode::NotEditable, detail)
        .with("column", name.as_str())
        .allowed(editable.map(|column| column.name.as_str())))
}

/// A value of the key that is not of its type is a wrong address, not a wrong body.
fn in_address(problem: Problem) -> Problem {
    problem.instead_of(StatusCode::UNPROCESSABLE_ENTITY, StatusCode::BAD_REQUEST)
}

fn unknown(table: &TableDef) -> Problem {
    Code::UnknownRow.because(format!("{} has no row of this key", table.sql_name))
}

fn kept(table: &TableDef) -> Problem {
    let detail = format!(
        "a trigger or a policy of {} kept the row as it is",
        table.sql_name
    );
    Code::ConstraintViolated.because(detail)
}

fn not_written<T>(table: &TableDef, written: Written<T>) -> Problem {
    match written {
        Written::Gone => unknown(table),
        Written::Mismatch(now) => {
            let detail =
                "the row has changed since: `current` is what it is now, and ETag its version";
            let every: Vec<usize> = (0..table.columns.len()).collect();
            let members = members(&table.schema(&every).columns, table);
            let row = RowObject {
                members: &members,
                cells: &now.row.cells,
            };
            let current = serde_json::to_value(row).unwrap_or_default();
            Code::VersionMismatch
                .because(detail)
                .with("current", current)
                .header(header::ETAG, key::etag(&now.version))
        }
        Written::Done(_) | Written::Kept => kept(table),
    }
}

fn whole(table: &TableDef, row: &Versioned) -> Result<Response, Problem> {
    let every: Vec<usize> = (0..table.columns.len()).collect();
    let mut response = row_json(table, &every, &row.row)?;
    response
        .headers_mut()
        .insert(header::ETAG, key::etag(&row.version));
    Ok(response)
}

fn row_json(table: &TableDef, columns: &[usize], row: &TableRow) -> Result<Response, Problem> {
    let members = members(&table.schema(columns).columns, table);
    let cells: Vec<Value> = columns
        .iter()
        .map(|&column| row.cells[column].clone())
        .collect();
    json(&RowObject {
        members: &members,
        cells: &cells,
    })
}
