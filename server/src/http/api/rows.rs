//! `GET /api/v1/tables/{table}/rows`: a page of rows.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use protocol::{ErrorCode, OpenWindow, Value, ViewSpec};
use serde::Serialize;

use super::Api;
use super::codes::{Code, refused, unavailable};
use super::cursor::{self, Cursor, Cursors};
use super::json::{Member, RowObject, members};
use super::parameters::{Parameters, ROWS_PARAMETERS, RowsQuery, Start};
use super::window::{WINDOW, first_page, refusal};
use crate::db::catalog::TableDef;
use crate::db::rows::FetchError;
use crate::db::seek::{Place, neighbours};
use crate::http::problem::Problem;
use crate::views::plan;

/// A page as it is answered.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    rows: Vec<RowObject<'a>>,
    /// The position of the first row; left out after a cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// `None` after a cursor.
    total: Option<u64>,
    total_is_exact: bool,
    has_more: bool,
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
    version: &'a str,
}

/// Answers with the rows that the parameters ask for.
///
/// # Errors
/// If a parameter is wrong, or the rows cannot be had.
pub async fn rows(
    api: &Api,
    table: &Arc<TableDef>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let query = RowsQuery::read(parameters, table, &ROWS_PARAMETERS)?;
    let key = api.signing_key().await?;
    let signer = Cursors::new(key, table, &query.view).map_err(|error| {
        tracing::error!(%error, "a view cannot be written");
        refused(ErrorCode::Internal, "the view cannot be written")
    })?;
    match &query.start {
        Start::Offset(offset) => by_position(api, table, &query, *offset, &signer).await,
        Start::Cursor(text) => {
            let cursor = signer.read(text)?;
            by_cursor(api, table, &query, &cursor, &signer).await
        }
    }
}

/// Whether the best matches of a search come first: that order is none of columns, so no cursor continues in it.
fn is_by_rank(view: &ViewSpec) -> bool {
    view.search.is_some() && view.sort.is_empty()
}

/// The columns that order a view: those of its sort, then the rest of the primary key.
fn order_columns(table: &TableDef, view: &ViewSpec) -> Vec<usize> {
    let sorted = view.sort.iter().filter_map(|by| table.column(&by.column));
    let mut order: Vec<usize> = sorted.collect();
    for &column in &table.key {
        if !order.contains(&column) {
            order.push(column);
        }
    }
    order
}

async fn by_position(
    api: &Api,
    table: &Arc<TableDef>,
    query: &RowsQuery,
    offset: u64,
    signer: &Cursors,
) -> Result<Response, Problem> {
    let order = order_columns(table, &query.view);
    let mut columns = query.columns.clone();
    if !columns.is_empty() {
        // For the cursors; they are not answered with.
        for &column in &order {
            let name = &table.columns[column].name;
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    let open = OpenWindow {
        window: WINDOW,
        generation: 0,
        view: query.view.clone(),
        columns,
        start: offset,
        count: query.limit,
        from_end: false,
        resume: None,
        allow_expensive: query.allow_expensive,
    };
    let page = first_page(&api.sessions, table, open, query.exact_total).await?;
    let mut members = members(&page.schema.columns, table);
    let place_of = |&column: &usize| {
        let name = &table.columns[column].name;
        let mut columns = page.schema.columns.iter();
        columns.position(|shown| shown.name == *name)
    };
    let places: Option<Vec<usize>> = order.iter().map(place_of).collect();
    // Without a key no row can be told from its neighbour, so there is nothing to continue behind.
    let places = places.filter(|_| !table.key.is_empty() && !is_by_rank(&query.view));
    let lead = |row: Option<&protocol::Row>, backwards| {
        let values = places
            .as_ref()?
            .iter()
            .map(|&at| row?.cells.get(at).cloned());
        let values = values.collect::<Option<Vec<Value>>>()?;
        signer.write(&Cursor { backwards, values })
    };
    if !query.columns.is_empty() {
        members.truncate(query.columns.len());
    }
    let held = page.rows.len() as u64;
    let has_more = if page.total_is_exact {
        page.start + held < page.total
    } else {
        held == u64::from(query.limit)
    };
    let (first, last) = (page.rows.first(), page.rows.last());
    json(&Answer {
        rows: objects(&members, page.rows.iter().map(|row| &row.cells[..])),
        offset: Some(page.start),
        total: Some(page.total),
        total_is_exact: page.total_is_exact,
        has_more,
        next_cursor: lead(last.filter(|_| has_more), false),
        prev_cursor: lead(first.filter(|_| page.start > 0), true),
        version: &page.version.0,
    })
}

async fn by_cursor(
    api: &Api,
    table: &Arc<TableDef>,
    query: &RowsQuery,
    from: &Cursor,
    signer: &Cursors,
) -> Result<Response, Problem> {
    if query.limit == 0 {
        let detail = "a page behind a cursor has at least one row";
        return Err(refused(ErrorCode::BadRange, detail).with("parameter", "limit"));
    }
    let (engine, view) = (&api.sessions.engine, &query.view);
    if is_by_rank(view) {
        return Err(cursor::invalid());
    }
    let shown = plan::columns(table, &query.columns)
        .map_err(|refused| refusal(refused.code, refused.message, view))?;
    let plan = engine.plan(table, view, query.allow_expensive).await;
    let plan = plan.map_err(|refused| refusal(refused.code, refused.message, view))?;
    if from.values.len() != plan.order.len() {
        return Err(cursor::invalid());
    }
    let place = Place {
        order: &plan.order,
        values: &from.values,
        backwards: from.backwards,
    };
    let wanted = u64::from(query.limit) + 1;
    let room = engine.fetches().acquire_owned().await;
    let found = neighbours(engine.pool(), table, &plan.condition, place, wanted).await;
    drop(room);
    let mut found = found.map_err(|error| fetch_problem(&error))?;
    let is_over = found.rows.len() as u64 == wanted;
    match (is_over, from.backwards) {
        (true, false) => drop(found.rows.pop()),
        (true, true) => drop(found.rows.remove(0)),
        (false, _) => {}
    }
    let cells: Vec<Vec<Value>> = found
        .rows
        .iter()
        .map(|row| {
            shown
                .iter()
                .map(|&column| row.cells[column].clone())
                .collect()
        })
        .collect();
    let schema = table.schema(&shown);
    let members = members(&schema.columns, table);
    let lead = |row: Option<&Arc<view_index::TableRow>>, backwards| {
        let row = row?;
        let values = plan.order.iter().map(|by| row.cells[by.column].clone());
        let values = values.collect();
        signer.write(&Cursor { backwards, values })
    };
    let is_more_behind = is_over || from.backwards;
    let is_more_before = is_over || !from.backwards;
    let has_more = is_more_behind && !found.rows.is_empty();
    json(&Answer {
        rows: objects(&members, cells.iter().map(Vec::as_slice)),
        offset: None,
        total: None,
        total_is_exact: false,
        has_more,
        next_cursor: lead(found.rows.last().filter(|_| is_more_behind), false),
        prev_cursor: lead(found.rows.first().filter(|_| is_more_before), true),
        version: &found.version,
    })
}

/// Why rows could not be read.
pub fn fetch_problem(error: &FetchError) -> Problem {
    let changed = || {
        let detail = "the table's columns changed meanwhile; look at /api/v1/tables/{table} again";
        Code::SchemaChanged.because(detail)
    };
    let FetchError::Database(error) = error else {
        return changed();
    };
    let state = error.as_database_error().and_then(|error| error.code());
    match state.unwrap_or_default().as_bytes() {
        b"57014" | b"55P03" => {
            let detail =
                "the query took too long; an index on the sorted and filtered columns would help";
            refused(ErrorCode::QueryTimeout, detail)
        }
        b"42703" | b"42P01" | b"42804" | b"42883" | b"0A000" => changed(),
        b"" | [b'5', b'7', ..] | [b'5', b'3', ..] | [b'0', b'8', ..] | [b'4', b'0', ..] => {
            unavailable(error)
        }
        _ => {
            tracing::error!(%error, "a query of the API failed");
            refused(
                ErrorCode::Internal,
                "the rows cannot be read; the server's log says why",
            )
        }
    }
}

fn objects<'a>(
    members: &'a [Member],
    rows: impl Iterator<Item = &'a [Value]>,
) -> Vec<RowObject<'a>> {
    rows.map(|cells| RowObject { members, cells }).collect()
}

/// An answer that is true only now.
///
/// # Errors
/// If it cannot be written, which no answer of this API can cause.
pub fn json(answer: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(answer).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        refused(ErrorCode::Internal, "the answer cannot be written")
    })?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, bytes).into_response())
}
