//! `rowcast index create`, `list` and `drop-invalid`: the SQL is shown first.

#![allow(
    clippy::print_stdout,
    reason = "the answer to the command, not a log line"
)]

use anyhow::Context;
use protocol::{SortColumn, ViewSpec};
use server::config::{Data, IndexCommand};
use server::db::advice::{Serving, Thresholds, serving};
use server::db::build_index::{BuildProgress, Step, Stop, build, drop_invalid, steps};
use server::db::catalog::{Catalog, TableDef};
use server::db::indexes::{IndexInfo, indexes};
use server::db::pool;
use server::db::timeouts::Timeouts;
use server::http::api::filter_text;
use server::views::advice::suggest::suggest;
use server::views::answers::Answers;
use server::views::plan::Plan;
use sqlx::PgPool;

use crate::watching::confirm;

/// Runs one of the commands.
pub(crate) async fn run(data: &Data, command: &IndexCommand) -> anyhow::Result<()> {
    const CONNECTIONS: u32 = 2;
    let url = data.database_url.clone().unwrap_or_default();
    anyhow::ensure!(
        !url.trim().is_empty(),
        "no database is named: set DATABASE_URL, or give --database-url before `index`"
    );
    let pool = pool::connect(&url, CONNECTIONS, Timeouts::default()).await?;
    match command {
        IndexCommand::List { table } => list(&pool, table.as_deref()).await,
        IndexCommand::DropInvalid { yes } => drop_all_invalid(&pool, *yes).await,
        IndexCommand::Create {
            table,
            sort,
            filter,
            yes,
        } => {
            let view = ViewSpec {
                sort: sort.as_deref().map_or_else(Vec::new, read_sort),
                filter: filter.as_deref().map(read_filter).transpose()?,
                ..ViewSpec::table(table)
            };
            create(&pool, &view, *yes).await
        }
    }
}

/// Reads `-price,name`.
fn read_sort(text: &str) -> Vec<SortColumn> {
    let column = |name: &str| SortColumn {
        column: name.trim_start_matches('-').to_owned(),
        descending: name.starts_with('-'),
        nulls: None,
    };
    text.split(',').map(str::trim).map(column).collect()
}

fn read_filter(text: &str) -> anyhow::Result<protocol::Filter> {
    filter_text::parse(text).map_err(|error| {
        let expected = error.expected.join(", ");
        anyhow::anyhow!(
            "the filter cannot be read at character {}: {:?} stands there, where one of these could: {expected}",
            error.position,
            error.found
        )
    })
}

async fn list(pool: &PgPool, table: Option<&str>) -> anyhow::Result<()> {
    let oid = match table {
        Some(name) => Some(find(pool, name).await?.oid),
        None => None,
    };
    for index in indexes(pool, oid).await? {
        let state = if index.is_valid { "" } else { "  -- NOT VALID" };
        println!("{};  -- {}{state}", index.definition, size(&index));
    }
    Ok(())
}

fn size(index: &IndexInfo) -> String {
    const KIB: i64 = 1_024;
    const MIB: i64 = KIB * KIB;
    match index.bytes {
        bytes if bytes >= MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{} KiB", bytes / KIB),
    }
}

async fn find(pool: &PgPool, name: &str) -> anyhow::Result<TableDef> {
    let catalog = Catalog::load(pool).await?;
    let table = catalog.find(name);
    let table = table.with_context(|| format!("no table is called {name:?}"))?;
    Ok(table.as_ref().clone())
}

async fn create(pool: &PgPool, view: &ViewSpec, yes: bool) -> anyhow::Result<()> {
    let table = find(pool, &view.table).await?;
    let plan = Plan::new(view, &table, &mut Answers::default(), pool).await;
    let plan = plan.map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    // Who asks for an index by hand wants it for a table that is small yet.
    let thresholds = Thresholds {
        small_cost: 0.0,
        ..Thresholds::default()
    };
    let (condition, order) = (&plan.condition, &plan.order);
    let serving = serving(pool, &table, condition, order, &thresholds).await?;
    let suggested = suggest(pool, &table, view, order, &serving, &thresholds).await?;
    let Some(index) = suggested.index else {
        println!("{}", no_need(&serving, &suggested.why));
        return Ok(());
    };
    let steps = steps(pool, table.oid, &index).await?;
    println!("-- {}", suggested.why);
    for step in &steps {
        println!("{};", step.sql());
    }
    confirm(yes)?;
    build(pool, &steps, &stop_by_ctrl_c(), show()).await?;
    println!("{} is there.", index.name());
    Ok(())
}

/// Ctrl-C stops what is done, and drops what there is of it; once more, and that must not take long either.
fn stop_by_ctrl_c() -> Stop {
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        println!("stopping; press Ctrl-C again to leave what cannot be dropped at once");
        asked.cancel.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.hurry.cancel();
        }
    });
    stop
}

fn no_need(serving: &Serving, why: &str) -> String {
    if !serving.indexes.is_empty() {
        return format!("{} serves this already.", serving.indexes.join(", "));
    }
    format!("No index is suggested: {why}")
}

/// Prints what has changed.
fn show() -> impl FnMut(BuildProgress) + Send {
    let mut shown = None;
    move |progress| {
        if shown.as_ref() == Some(&progress) {
            return;
        }
        let BuildProgress { phase, done, total } = &progress;
        if *total > 0 {
            println!("{phase}: {done} of {total}");
        } else {
            println!("{phase}");
        }
        shown = Some(progress);
    }
}

async fn drop_all_invalid(pool: &PgPool, yes: bool) -> anyhow::Result<()> {
    let mut invalid: Vec<IndexInfo> = indexes(pool, None)
        .await?
        .into_iter()
        .filter(|index| !index.is_valid)
        .collect();
    if invalid.is_empty() {
        println!("Every index is valid; there is nothing to do.");
        return Ok(());
    }
    // What is attached to the index of a partitioned table goes with it.
    invalid.sort_by_key(|index| !index.is_partitioned);
    for index in &invalid {
        let drop = Step::drop(&index.sql_name, index.is_partitioned);
        println!("{};", drop.sql());
    }
    confirm(yes)?;
    let stop = stop_by_ctrl_c();
    for index in &invalid {
        let dropped = drop_invalid(pool, index, &stop.cancel, show()).await;
        dropped.with_context(|| format!("{} was not dropped", index.sql_name))?;
        println!("{} is dropped.", index.sql_name);
    }
    Ok(())
}
