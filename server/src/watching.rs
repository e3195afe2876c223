//! `rowcast watch`, `unwatch` and `uninstall`: the SQL is shown first.

#![allow(
    clippy::print_stdout,
    reason = "the answer to the command, not a log line"
)]

use std::io::{IsTerminal, Write};

use anyhow::Context;
use migrations::Preview;
use server::config::Data;
use sqlx::{Connection, PgConnection};

/// Makes a table live.
pub(crate) async fn watch(data: &Data, table: &str, yes: bool) -> anyhow::Result<()> {
    let mut connection = connect(data).await?;
    let preview = migrations::preview_watch(&mut connection, table).await?;
    if preview.statements.is_empty() {
        println!("{table} is watched already; there is nothing to do.");
        return Ok(());
    }
    show(&preview);
    confirm(yes)?;
    migrations::install_engine(&mut connection).await?;
    migrations::watch(&mut connection, table).await?;
    println!("{table} is watched: every commit is shown as it happens.");
    Ok(())
}

/// Removes what `watch` put on a table.
pub(crate) async fn unwatch(data: &Data, table: &str, yes: bool) -> anyhow::Result<()> {
    let mut connection = connect(data).await?;
    let preview = migrations::preview_unwatch(&mut connection, table).await?;
    if preview.statements.is_empty() {
        println!("{table} is not watched; there is nothing to do.");
        return Ok(());
    }
    show(&preview);
    confirm(yes)?;
    migrations::unwatch(&mut connection, table).await?;
    println!("{table} is not watched any more; nothing is left on it.");
    Ok(())
}

/// Removes all that Rowcast has put into the database.
pub(crate) async fn uninstall(data: &Data, yes: bool) -> anyhow::Result<()> {
    let mut connection = connect(data).await?;
    let preview = migrations::preview_uninstall(&mut connection).await?;
    if preview.statements.is_empty() {
        println!("Nothing of Rowcast is in this database.");
        return Ok(());
    }
    show(&preview);
    confirm(yes)?;
    migrations::uninstall(&mut connection).await?;
    println!("All of it is removed. Your tables are as they were.");
    Ok(())
}

async fn connect(data: &Data) -> anyhow::Result<PgConnection> {
    let set = data
        .database_url
        .clone()
        .filter(|url| !url.trim().is_empty());
    let url = match set {
        Some(url) => url,
        None => {
            let file = data.data_dir.join("postgres").join("database_url");
            let url = std::fs::read_to_string(&file).with_context(|| {
                format!(
                    "no database is named (DATABASE_URL, --database-url), and {} cannot be read: start the \
                     server, which starts its private PostgreSQL",
                    file.display()
                )
            })?;
            url.trim().to_owned()
        }
    };
    PgConnection::connect(&url)
        .await
        .context("the database cannot be reached")
}

fn show(preview: &Preview) {
    println!("-- In {}:", preview.place);
    if preview.installs {
        println!(
            "CREATE SCHEMA rowcast;  -- with the change log and its functions: migrations/engine"
        );
    }
    for statement in &preview.statements {
        println!("{statement}");
    }
}

/// Asks whether what was shown is to be run, unless `yes`.
///
/// # Errors
/// If it is not, or nobody is there to be asked.
pub(crate) fn confirm(yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    anyhow::ensure!(
        stdin.is_terminal(),
        "nothing was done: nobody is there to be asked; --yes goes on without"
    );
    print!("Run this? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    stdin.read_line(&mut answer)?;
    anyhow::ensure!(
        ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()),
        "nothing was done"
    );
    Ok(())
}
