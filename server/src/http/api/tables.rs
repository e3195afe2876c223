//! `GET /api/v1/tables` and `GET /api/v1/tables/{table}`: what there is to ask for.

use axum::response::Response;
use protocol::{TableInfo, TableSchema};
use serde::Serialize;

use super::Api;
use super::codes::unavailable;
use super::rows::json;
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;

/// Answers with the list of tables.
///
/// # Errors
/// If the database cannot be asked.
pub async fn tables(api: &Api) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        tables: Vec<TableInfo>,
    }
    let tables = api.sessions.engine.tables().await;
    let tables = tables.map_err(|error| unavailable(&error))?;
    json(&Answer { tables })
}

/// Answers with one table's columns.
///
/// # Errors
/// If the answer cannot be written.
pub fn table(table: &TableDef) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Answer {
        #[serde(flatten)]
        schema: TableSchema,
        estimated_rows: Option<u64>,
        comment: Option<String>,
    }
    let every: Vec<usize> = (0..table.columns.len()).collect();
    let info = table.info();
    json(&Answer {
        schema: table.schema(&every),
        estimated_rows: info.estimated_rows,
        comment: info.comment,
    })
}
