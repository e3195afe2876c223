//! Any table: what is listed, how live it is, what its cells say, and what becomes of it when it is altered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod altered;
mod command_line;
mod discovery;
mod extensions;
mod nulls;
mod odd_names;
mod own_texts;
mod polled;
mod told;
mod types;

use std::collections::HashMap;
use std::time::Duration;

use client_egui::model::{Headless, Model, Slot, WindowId};
use e2e::server::{TestServer, viewer};
use e2e::{RawSocket, TestDatabase};
use protocol::{
    ClientMsg, ErrorCode, ListTables, ServerMsg, SortColumn, TableInfo, TableSchema, Value,
    ViewSpec,
};
use server::{Database, ServerOptions};

/// A pause between looks that tests can wait for.
pub(crate) const OFTEN: Duration = Duration::from_millis(150);

pub(crate) fn often(database: &TestDatabase) -> ServerOptions {
    ServerOptions {
        poll_interval: OFTEN,
        ..TestServer::options(database)
    }
}

/// A server that looks often.
pub(crate) async fn serve(database: &TestDatabase) -> TestServer {
    TestServer::with(often(database)).await
}

/// A server that connects as a role that is no superuser. The role is made, called after the database.
pub(crate) async fn serve_as_guest(database: &TestDatabase, grants: &str) -> (TestServer, String) {
    let (server, name) = database.url().rsplit_once('/').unwrap();
    let role = format!("guest_{name}");
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'secret';
         GRANT USAGE ON SCHEMA rowcast TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA rowcast TO {role};
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rowcast TO {role};"
    );
    database.execute(&sql).await;
    database.execute(&grants.replace("ROLE", &role)).await;
    let (_, host) = server.rsplit_once('@').unwrap();
    let url = format!("postgres://{role}:secret@{host}/{name}");
    let options = ServerOptions {
        database: Database::Url(url),
        ..often(database)
    };
    (TestServer::with(options).await, role)
}

/// What `list_tables` says, by name.
pub(crate) async fn listed(server: &TestServer) -> HashMap<String, TableInfo> {
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket
        .send(&ClientMsg::ListTables(ListTables { id: 1 }))
        .await;
    let answer = socket
        .expect("the tables", |message| {
            matches!(message, ServerMsg::Tables(_))
        })
        .await;
    let ServerMsg::Tables(tables) = answer else {
        unreachable!()
    };
    let tables = tables.tables.into_iter();
    tables.map(|table| (table.name.clone(), table)).collect()
}

/// Everything that a window holds, as texts.
pub(crate) fn grid(model: &Model, window: WindowId) -> Vec<Vec<String>> {
    let Some(window) = model.window(window) else {
        return Vec::new();
    };
    let rows = window.cache().rows().iter();
    rows.map(|row| texts(row.cells())).collect()
}

pub(crate) fn schema(model: &Model, window: WindowId) -> Option<TableSchema> {
    Some((**model.window(window)?.cache().schema()?).clone())
}

pub(crate) fn error_code(model: &Model, window: WindowId) -> Option<ErrorCode> {
    Some(model.window(window)?.error()?.code)
}

/// Types whose values are told as their own texts, since what `to_json` writes of them cannot be read back.
const WORDED: [&str; 6] = ["hstore", "_hstore", "_json", "_jsonb", "fact", "_fact"];

/// The same from PostgreSQL: the columns of `select`, each as `to_json` writes it, or as its type's own text.
pub(crate) async fn expected(database: &TestDatabase, select: &str) -> Vec<Vec<String>> {
    let client = database.connect().await;
    let settings = "SET extra_float_digits = 1; SET bytea_output = hex; SET datestyle = 'ISO, MDY';
         SET intervalstyle = iso_8601; SET timezone = 'UTC'; SET lc_monetary = 'C';";
    client.batch_execute(settings).await.unwrap();
    let statement = client.prepare(select).await;
    let statement = statement.unwrap_or_else(|error| panic!("{select}: {error:?}"));
    let columns = statement.columns().iter();
    // JSON's own null is no missing value.
    let is_text = |column: &tokio_postgres::Column| {
        let name = column.type_().name();
        ["json", "jsonb"].contains(&name) || WORDED.contains(&name)
    };
    let cell_sql = |column: &tokio_postgres::Column| {
        let name = format!("r.\"{}\"", column.name().replace('"', "\"\""));
        if is_text(column) {
            format!("{name}::text")
        } else {
            format!("to_json({name})::text")
        }
    };
    let is_text: Vec<bool> = columns.clone().map(is_text).collect();
    let cells: Vec<String> = columns.map(cell_sql).collect();
    let query = format!(
        "SELECT ARRAY[{}]::text[] FROM ({select}) AS r",
        cells.join(", ")
    );
    let cell = |(text, is_text): (Option<String>, &bool)| match text {
        None => "∅".to_owned(),
        Some(text) if text.starts_with('"') && !is_text => serde_json::from_str(&text).unwrap(),
        Some(text) => text,
    };
    let row = |row: &tokio_postgres::Row| {
        let cells: Vec<Option<String>> = row.get(0);
        cells.into_iter().zip(&is_text).map(cell).collect()
    };
    let rows = client.query(&query, &[]).await.unwrap();
    rows.iter().map(row).collect()
}

/// Waits until a window holds exactly what PostgreSQL answers to `select`.
pub(crate) async fn equals(
    viewer: &mut Headless,
    database: &TestDatabase,
    window: WindowId,
    select: &str,
) {
    let wanted = expected(database, select).await;
    let is_shown = |model: &Model| grid(model, window) == wanted;
    if let Err(error) = viewer.wait_until(is_shown, e2e::eventually::SOON).await {
        let shown = grid(viewer.model(), window);
        let rows = shown.iter().zip(&wanted).enumerate();
        let wrong = rows.filter(|(_, (shown, wanted))| shown != wanted);
        let cells: Vec<String> = wrong
            .flat_map(|(at, (shown, wanted))| {
                let cells = shown.iter().zip(wanted).enumerate();
                let wrong = cells.filter(|(_, (shown, wanted))| shown != wanted);
                wrong.map(move |(cell, (shown, wanted))| {
                    format!("row {at}, cell {cell}: {shown:?} and not {wanted:?}")
                })
            })
            .take(5)
            .collect();
        let (rows, all) = (shown.len(), wanted.len());
        let error = error.to_string();
        panic!(
            "{select}: {rows} of {all} rows; {cells:#?}: {}",
            &error[..error.len().min(600)]
        );
    }
}

/// Scrolls to a row, and waits until the rows there are what PostgreSQL answers to `select`.
pub(crate) async fn scroll(
    viewer: &mut Headless,
    database: &TestDatabase,
    window: WindowId,
    first: u64,
    select: &str,
) {
    let wanted = expected(database, select).await;
    let count = u32::try_from(wanted.len()).unwrap();
    let is_shown = |model: &Model| {
        let Some(window) = model.window(window) else {
            return false;
        };
        let mut cells =
            (first..)
                .zip(&wanted)
                .map(|(position, wanted)| match window.cache().row(position) {
                    Slot::Loaded(row) => texts(row.cells()) == *wanted,
                    _ => false,
                });
        cells.all(|same| same)
    };
    viewer.act(|model, now| model.show_rows(window, first, count, now));
    let outcome = viewer.wait_until(is_shown, e2e::eventually::SOON).await;
    outcome.unwrap_or_else(|error| panic!("{select}: {error}"));
}

fn texts(cells: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.to_postgres_text().unwrap_or_else(|| "∅".to_owned());
    cells.iter().map(text).collect()
}

pub(crate) fn by(table: &str, columns: &[(&str, bool)]) -> ViewSpec {
    let sort = columns.iter().map(|&(column, descending)| SortColumn {
        column: column.to_owned(),
        descending,
        nulls: None,
    });
    ViewSpec {
        sort: sort.collect(),
        ..ViewSpec::table(table)
    }
}

pub(crate) async fn watcher(server: &TestServer) -> Headless {
    viewer(&server.socket_url()).await
}
