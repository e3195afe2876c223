//! Opening a view: its first rows, and its exact total, beside a serial `count(*)`.

use std::path::Path;
use std::time::Instant;

use protocol::{ServerMsg, ViewSpec};
use serde::Serialize;
use tokio_postgres::Client;

use super::connection::{Connection, PATIENCE};
use super::report::{Report, grouped, short};
use super::table::{Case, Table};
use super::times::{median, thousandths};
use crate::stage::{Postgres, Server, connect};

/// One round of one view.
#[derive(Clone, Copy, Debug)]
struct Round {
    count: f64,
    first_rows: f64,
    exact_total: f64,
    total: u64,
}

/// One view: a line of the JSON. Milliseconds are medians of the rounds.
#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    rows: u64,
    view: Case,
    total: u64,
    rounds: usize,
    count_millis: f64,
    first_rows_millis: f64,
    exact_total_millis: f64,
    /// Of each round's exact total to its `count(*)`.
    ratio: f64,
    ratio_lowest: f64,
    ratio_highest: f64,
}

/// Begins the table.
pub(super) fn begin(report: &mut Report) -> anyhow::Result<()> {
    let title = "Opening a view over a socket (ms): the first rows, the exact total, and its ratio to a serial count(*)";
    let columns = [
        "view",
        "rows",
        "count(*)",
        "first rows",
        "exact total",
        "ratio",
        "from … to",
    ];
    report.table(title, 1, &columns)
}

/// Measures every view of a table by turns; each round has a server of its own, which knows no view yet.
pub(super) async fn measure(
    postgres: &Postgres,
    program: &Path,
    table: &Table,
    cases: &[Case],
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let counting = connect(&postgres.database_url).await?;
    counting
        .batch_execute("SET max_parallel_workers_per_gather = 0; SET jit = off")
        .await?;
    let mut measured: Vec<Vec<Round>> = vec![Vec::new(); cases.len()];
    for _ in 0..rounds {
        let mut server = Server::start(program, &postgres.database_url).await?;
        let mut client = Connection::socket(&server.socket_url).await?;
        warm_up(&mut client, table).await?;
        for (window, (case, rounds)) in (1..).zip(cases.iter().zip(&mut measured)) {
            rounds.push(round(&counting, &mut client, window, *case, table).await?);
            server.check()?;
        }
        server.stop().await?;
    }
    for (&case, rounds) in cases.iter().zip(&measured) {
        add(report, table, case, rounds)?;
    }
    Ok(())
}

/// Opens a view that is not measured, until the server knows how fast PostgreSQL is: it counts some rows
/// to learn that.
async fn warm_up(client: &mut Connection, table: &Table) -> anyhow::Result<()> {
    client
        .ask_for(0, ViewSpec::table(table.name.clone()))
        .await?;
    let ready = async {
        // Either may come first.
        let (mut is_counted, mut is_advised) = (false, false);
        while !(is_counted && is_advised) {
            match client.next().await? {
                ServerMsg::Update(update) => {
                    client.acknowledge(&update).await?;
                    is_counted = update.total_is_exact;
                }
                ServerMsg::Advice(_) => is_advised = true,
                _ => {}
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, ready).await??;
    client.close(0).await
}

async fn round(
    counting: &Client,
    client: &mut Connection,
    window: u32,
    case: Case,
    table: &Table,
) -> anyhow::Result<Round> {
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1_000.0;
    let began = Instant::now();
    counting.simple_query(&case.count(table)).await?;
    let count = began.elapsed();
    let opened = client.open(window, case.view(table)).await?;
    client.close(window).await?;
    Ok(Round {
        count: millis(count),
        first_rows: millis(opened.first_rows),
        exact_total: millis(opened.exact_total),
        total: opened.last.total,
    })
}

fn add(report: &mut Report, table: &Table, case: Case, rounds: &[Round]) -> anyhow::Result<()> {
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value);
    let ratio = |round: &Round| round.exact_total / round.count;
    let line = Line {
        kind: "opening",
        rows: table.rows,
        view: case,
        total: rounds.first().map_or(0, |round| round.total),
        rounds: rounds.len(),
        count_millis: thousandths(median(of(|round| round.count))),
        first_rows_millis: thousandths(median(of(|round| round.first_rows))),
        exact_total_millis: thousandths(median(of(|round| round.exact_total))),
        ratio: thousandths(median(of(ratio))),
        ratio_lowest: thousandths(of(ratio).fold(f64::INFINITY, f64::min)),
        ratio_highest: thousandths(of(ratio).fold(0.0, f64::max)),
    };
    let cells = [
        case.label().to_owned(),
        grouped(table.rows),
        short(line.count_millis),
        short(line.first_rows_millis),
        short(line.exact_total_millis),
        format!("{:.2}", line.ratio),
        format!("{:.2} … {:.2}", line.ratio_lowest, line.ratio_highest),
    ];
    report.row(&cells, &line)
}
