//! `rowcast-seed`: fills the demo's tables, or keeps them changing.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use seed::{Options, Report, churn, parse_date};
use tokio_util::sync::CancellationToken;

/// Fills the demo's tables with realistic rows, or keeps them changing.
///
/// Does nothing where the rows are there already. Ctrl-C stops after the rows at hand; the same
/// command continues there.
#[derive(Parser)]
#[command(name = "rowcast-seed", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    fill: Fill,
}

#[derive(Subcommand)]
enum Command {
    /// Keeps the tables changing until Ctrl-C: prices move, stock sells, reviews come in, products
    /// appear and go, visitors click.
    Churn(Churn),
}

#[derive(Args)]
struct Database {
    /// The database, as postgres://user:password@host:port/name.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

#[derive(Args)]
struct Fill {
    // Optional, since `churn` has its own; asked for where it is needed.
    /// The database, as postgres://user:password@host:port/name.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Rows in products.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    products: u64,
    /// Rows in events.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    events: u64,
    /// Decides every value: the same seed and --until give the same rows.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The date (UTC) at whose start the generated history ends [default: today].
    #[arg(long, value_parser = parse_date)]
    until: Option<i64>,
}

#[derive(Args)]
struct Churn {
    #[command(flatten)]
    database: Database,
    /// Changes per second; each is a transaction of its own.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Connections that make them.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    connections: u16,
    /// Decides what changes.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "warn,rowcast_seed=info,seed=info,migrations=info".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    let outcome = match Cli::parse() {
        Cli {
            command: Some(Command::Churn(churn)),
            ..
        } => run_churn(churn, &stop).await,
        Cli { fill, .. } => run_fill(fill, &stop).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Every error of the library tells its cause itself.
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_fill(fill: Fill, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    let database_url = fill
        .database_url
        .context("which database? Give --database-url or set DATABASE_URL")?;
    let until = match fill.until {
        Some(until) => until,
        None => start_of_today()?,
    };
    let options = Options {
        products: fill.products,
        events: fill.events,
        seed: fill.seed,
        until,
        report: Report::Terminal,
    };
    let outcome = seed::run(&database_url, &options, stop).await?;
    if outcome.stopped {
        tracing::warn!("stopped early; the same command continues");
        return Ok(ExitCode::from(130));
    }
    tracing::info!(
        "wrote {} products and {} events",
        outcome.products,
        outcome.events
    );
    Ok(ExitCode::SUCCESS)
}

async fn run_churn(churn: Churn, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        churn.rate.is_finite() && (0.01..=100_000.0).contains(&churn.rate),
        "--rate must be between 0.01 and 100000 changes per second"
    );
    let options = churn::Options {
        rate: churn.rate,
        connections: churn.connections,
        seed: churn.seed,
        report: Report::Terminal,
    };
    churn::run(&churn.database.database_url, &options, stop).await?;
    Ok(ExitCode::SUCCESS)
}

fn start_of_today() -> anyhow::Result<i64> {
    const DAY_SECONDS: u64 = 86_400;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    let today = now.as_secs() / DAY_SECONDS * DAY_SECONDS;
    Ok(i64::try_from(today)? * 1_000_000)
}

/// The first signal asks to stop; the second one kills, as it does without a handler.
async fn stop_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    stop.cancel();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    std::process::exit(130);
}
