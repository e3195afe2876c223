//! Filters and searches: every operator on every type means what PostgreSQL says, at opening and as rows
//! change; what makes no sense is refused; and nobody's pattern holds up anybody else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clockwork;
mod operators;
mod patterns;
mod ranking;
mod refusals;
mod search;

use client_egui::model::{Headless, WindowId};
use e2e::TestDatabase;
use e2e::viewing::{column, until};
use protocol::{Filter, FilterOp, Test, Value, ViewSpec};
use tokio_postgres::Client;

/// One test, of values written as texts.
pub(crate) fn test(column: &str, op: FilterOp, values: &[&str]) -> Filter {
    Filter::Test(Test {
        column: column.to_owned(),
        op,
        values: values.iter().map(|&value| Value::text(value)).collect(),
    })
}

/// A connection that writes values as the server has them written.
pub(crate) async fn connect(database: &TestDatabase) -> Client {
    let client = database.connect().await;
    client
        .batch_execute("SET timezone = 'UTC'; SET intervalstyle = iso_8601")
        .await
        .unwrap();
    client
}

/// The ids that a query returns, as texts.
pub(crate) async fn ids(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await;
    let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until a window shows what its query returns, and counts it right.
pub(crate) async fn shows_query(
    viewer: &mut Headless,
    window: WindowId,
    view: &ViewSpec,
    sql: &str,
    expected: &[String],
) {
    let what = format!("{view:?} shows {expected:?} ({sql})");
    until(viewer, &what, |model| {
        column(model, window, "id") == expected
            && e2e::viewing::total(model, window) == Some(expected.len() as u64)
    })
    .await;
}
