//! Memory that a counted view takes: of the server's process.

use std::path::Path;

use anyhow::Context;
use protocol::ViewSpec;
use serde::Serialize;

use super::connection::Connection;
use super::report::{Report, grouped, short};
use super::table::{Case, Table};
use super::times::thousandths;
use crate::machine::resident_bytes;
use crate::stage::{Postgres, Server};

/// Views open at once, so that what the allocator keeps for later is shared by several.
const VIEWS: usize = 4;

/// One view: a line of the JSON.
#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    rows: u64,
    view: Case,
    total: u64,
    views: usize,
    /// What the server's process grew by, for each.
    kilobytes_per_view: f64,
    bytes_per_row: f64,
}

/// Begins the table.
pub(super) fn begin(report: &mut Report) -> anyhow::Result<()> {
    let title = "Memory of a counted view: what the server's process grows by (resident set)";
    let columns = ["view", "rows", "rows in the view", "kB", "bytes per row"];
    report.table(title, 1, &columns)
}

/// Measures one view, on a server of its own.
pub(super) async fn measure(
    postgres: &Postgres,
    program: &Path,
    (table, case): (&Table, Case),
    report: &mut Report,
) -> anyhow::Result<()> {
    let server = Server::start(program, &postgres.database_url).await?;
    let resident = || {
        let bytes = server.pid().and_then(resident_bytes);
        bytes.context("the server's memory cannot be read")
    };
    let mut client = Connection::socket(&server.socket_url).await?;
    // What the first view of all brings with it is not counted.
    client.open(0, ViewSpec::table(table.name.clone())).await?;
    let before = resident()?;
    let mut total = 0;
    for (window, view) in (1..).zip(case.variants(table, VIEWS)?) {
        let opened = client.open(window, view).await?.last;
        client.show_middle(&opened).await?;
        total = opened.total;
    }
    let grown = resident()?.saturating_sub(before) as f64 / VIEWS as f64;
    server.stop().await?;
    let line = Line {
        kind: "memory",
        rows: table.rows,
        view: case,
        total,
        views: VIEWS,
        kilobytes_per_view: thousandths(grown / 1_000.0),
        bytes_per_row: thousandths(grown / total.max(1) as f64),
    };
    let cells = [
        case.label().to_owned(),
        grouped(table.rows),
        grouped(total),
        short(line.kilobytes_per_view),
        short(line.bytes_per_row),
    ];
    report.row(&cells, &line)
}
