//! `rowcast-bench`: how long a commit takes to reach the screen, what views cost, and what watching costs writers.

mod latency;
mod machine;
mod socket;
mod stage;
mod views;
mod writers;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// Measures Rowcast on this machine, with a PostgreSQL and a server of its own.
#[derive(Debug, Parser)]
#[command(name = "rowcast-bench", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How long after its commit a change is applied in the clients that show the row.
    Latency(latency::Options),
    /// What opening, jumping in and keeping views costs, beside what PostgreSQL takes for the same.
    Views(views::Options),
    /// What watching a table costs those who write it.
    Writers(writers::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Arguments::parse().command;
    let measured = async {
        match command {
            Command::Latency(options) => latency::run(options).await,
            Command::Views(options) => views::run(options).await,
            Command::Writers(options) => writers::run(options).await,
        }
    };
    let mut terminated = signal(SignalKind::terminate())?;
    // Dropping what was started stops it; PostgreSQL would not hear Ctrl-C by itself.
    tokio::select! {
        result = measured => result,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("terminated"),
    }
}
