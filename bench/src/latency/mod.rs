//! How long after its commit a change is applied in the clients that show the row.
//!
//! [`crate::stage`] starts PostgreSQL and the server, [`audience`] opens windows over real sockets,
//! [`writer`] makes changes at fixed times, and [`ledger`] puts the two together. `docs/performance.md`
//! tells the method.

mod audience;
mod client;
mod ledger;
mod measure;
mod report;
mod scenario;
mod writer;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use self::audience::Audience;
use self::measure::Pace;
use self::report::{Conditions, Report};
use self::scenario::{Values, WINDOW_ROWS};
use crate::machine::Machine;
use crate::stage::{Setting, Stage, server_program};

/// Greater than any number that a row begins with.
const FIRST_NUMBER: i64 = 1_000_000;

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each measurement takes.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How long changes are made before each measurement.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Changes per second.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rates: Vec<u32>,
    /// Open windows; they share sockets by ten.
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    windows: Vec<usize>,
    /// Rows in the table.
    #[arg(long, default_value_t = 100_000)]
    products: u64,
    /// Connections that make changes.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=50))]
    writers: u16,
    /// Decides which windows are opened and which rows are changed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Let PostgreSQL not wait for the disk. Without it commits are durable, as a user has them.
    #[arg(long)]
    no_fsync: bool,
    /// Also write the results to this file, as JSON lines: the conditions, then one measurement each.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's program [default: rowcast beside this one].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

impl Options {
    fn pace(&self, rate: u32, first_number: i64) -> Pace {
        Pace {
            rate,
            warm_up: Duration::from_secs(self.warm_up),
            measured: Duration::from_secs(self.seconds),
            writers: usize::from(self.writers),
            first_number,
        }
    }

    fn conditions(&self, stage: &Stage) -> Conditions {
        Conditions {
            kind: "conditions",
            rowcast_version: env!("CARGO_PKG_VERSION"),
            machine: Machine::read(),
            postgres_version: stage.postgres.version.clone(),
            durable: !self.no_fsync,
            products: self.products,
            rows_per_window: WINDOW_ROWS,
            writers: usize::from(self.writers),
            seed: self.seed,
            warm_up_seconds: self.warm_up,
            seconds: self.seconds,
        }
    }
}

/// Measures, and prints the table.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let server = server_program(options.server.as_ref())?;
    let (products, durable) = (options.products, !options.no_fsync);
    let mut stage = Stage::set(&Setting {
        products,
        durable,
        server,
    })
    .await?;
    let json = options
        .json
        .as_ref()
        .map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
    let mut report = Report::begin(&options.conditions(&stage), json.transpose()?)?;
    let mut first_number = FIRST_NUMBER;
    let mut next_pace = |rate: u32| {
        let pace = options.pace(rate, first_number);
        first_number += i64::from(rate) * i64::try_from(options.warm_up + options.seconds + 1)?;
        anyhow::Ok(pace)
    };
    for &rate in &options.rates {
        say(&format!("raw NOTIFY to LISTEN at {rate} changes/s"))?;
        let measured = measure::raw(&mut stage, next_pace(rate)?).await?;
        report.add("raw", rate, 0, &measured)?;
    }
    let values = Values::read(&stage.postgres.client).await?;
    for &windows in &options.windows {
        say(&format!("opening {windows} windows"))?;
        let mut audience =
            Audience::gather(&stage.server.socket_url, &values, windows, options.seed).await?;
        for &rate in &options.rates {
            say(&format!("{rate} changes/s, {windows} windows"))?;
            let pace = next_pace(rate)?;
            let measured = measure::rowcast(&mut stage, &mut audience, pace, options.seed).await?;
            report.add("rowcast", rate, windows, &measured)?;
        }
    }
    write!(std::io::stdout(), "\n{}", report.table())?;
    Ok(())
}

/// Tells on standard error what is being done.
fn say(what: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{what} …")?)
}
