//! `rowcast-bench`: how long a commit takes to reach the screen.

mod latency;

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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Latency(options) = Arguments::parse().command;
    let mut terminated = signal(SignalKind::terminate())?;
    // Dropping what was started stops it; PostgreSQL would not hear Ctrl-C by itself.
    tokio::select! {
        result = latency::run(options) => result,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminated.recv() => anyhow::bail!("terminated"),
    }
}
