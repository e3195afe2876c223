//! What views cost: opening one, jumping in it, keeping many up to date, and their memory, each beside what
//! PostgreSQL takes for the same in the same run. `docs/performance.md` tells the method.

mod changes;
mod connection;
mod jumps;
mod memory;
mod opening;
mod report;
mod table;
mod times;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use self::connection::{LocalEngine, WINDOW_ROWS};
use self::report::{Conditions, Report};
use self::table::{Case, Table};
use crate::machine::Machine;
use crate::stage::{Postgres, Server, server_program};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Rows in the table.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
    rows: Vec<u64>,
    /// What is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "opening,jumps,memory,changes"
    )]
    parts: Vec<Part>,
    /// Orders and filters.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "amount,amount-filtered,customer,mixed,nullable,unserved,unserved-filtered"
    )]
    views: Vec<Case>,
    /// How often each view is opened.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Random rows jumped to, in each view.
    #[arg(long, default_value_t = 500)]
    jumps: usize,
    /// Open views that a change is applied to.
    #[arg(long, value_delimiter = ',', default_value = "1,100,10000")]
    open_views: Vec<usize>,
    /// Changes applied to them.
    #[arg(long, default_value_t = 10)]
    changes: usize,
    /// Rows in the table that they are views of.
    #[arg(long, value_delimiter = ',', default_value = "20000")]
    changed_rows: Vec<u64>,
    /// Decides which rows are jumped to.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep PostgreSQL's data in this folder, and use what is there: making ten million rows takes minutes.
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Also write the results to this file, as JSON lines: the conditions, then one measurement each.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's program [default: rowcast beside this one].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// First rows and exact total, beside `count(*)`.
    Opening,
    /// Rows by their number, beside a keyset seek and `OFFSET`.
    Jumps,
    /// Memory of a view.
    Memory,
    /// A change applied to many views.
    Changes,
}

/// Measures, and prints the tables.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let program = server_program(options.server.as_ref())?;
    let postgres = Postgres::start(true, options.data.as_deref()).await?;
    // It installs the change log.
    let server = Server::start(&program, &postgres.database_url).await?;
    server.stop().await?;
    let json = options
        .json
        .as_ref()
        .map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
    let conditions = Conditions {
        kind: "conditions",
        rowcast_version: env!("CARGO_PKG_VERSION"),
        machine: Machine::read(),
        postgres_version: postgres.version.clone(),
        rows_per_window: WINDOW_ROWS,
        rounds: options.rounds,
        jumps: options.jumps,
        seed: options.seed,
    };
    let mut report = Report::begin(&conditions, json.transpose()?)?;
    let mut run = Run {
        options,
        program,
        postgres,
        tables: Vec::new(),
    };
    run.make_tables().await?;
    run.measure(&mut report).await?;
    write!(std::io::stdout(), "\n{}", report.text())?;
    Ok(())
}

struct Run {
    options: Options,
    program: PathBuf,
    postgres: Postgres,
    tables: Vec<Table>,
}

impl Run {
    async fn make_tables(&mut self) -> anyhow::Result<()> {
        for &rows in &self.options.rows {
            let table = Table::of(&self.postgres.client, rows).await?;
            table.watch(&self.postgres.client).await?;
            self.tables.push(table);
        }
        Ok(())
    }

    async fn measure(&self, report: &mut Report) -> anyhow::Result<()> {
        for part in &self.options.parts {
            match part {
                Part::Opening => self.opening(report).await?,
                Part::Jumps => self.jumps(report).await?,
                Part::Memory => self.memory(report).await?,
                Part::Changes => self.changes(report).await?,
            }
        }
        Ok(())
    }

    async fn opening(&self, report: &mut Report) -> anyhow::Result<()> {
        opening::begin(report)?;
        let (cases, rounds) = (&self.options.views, self.options.rounds);
        for table in &self.tables {
            say(&format!("opening views of {} rows", table.rows))?;
            opening::measure(&self.postgres, &self.program, table, cases, rounds, report).await?;
        }
        Ok(())
    }

    async fn jumps(&self, report: &mut Report) -> anyhow::Result<()> {
        jumps::begin(report)?;
        for table in &self.tables {
            for &case in &self.options.views {
                say(&format!("jumping by {case:?} in {} rows", table.rows))?;
                let local = LocalEngine::start(&self.postgres.database_url, None).await?;
                let mut random = ChaCha8Rng::seed_from_u64(self.options.seed);
                let jumps = self.options.jumps;
                jumps::measure(&local, (table, case), jumps, &mut random, report).await?;
                local.stop().await;
            }
        }
        Ok(())
    }

    async fn memory(&self, report: &mut Report) -> anyhow::Result<()> {
        memory::begin(report)?;
        for table in &self.tables {
            for &case in &self.options.views {
                say(&format!("memory of {case:?} of {} rows", table.rows))?;
                memory::measure(&self.postgres, &self.program, (table, case), report).await?;
            }
        }
        Ok(())
    }

    async fn changes(&self, report: &mut Report) -> anyhow::Result<()> {
        changes::begin(report)?;
        for &rows in &self.options.changed_rows {
            let table = Table::of(&self.postgres.client, rows).await?;
            table.watch(&self.postgres.client).await?;
            for &views in &self.options.open_views {
                let count = (views, self.options.changes);
                changes::measure(&self.postgres, &self.program, &table, count, report).await?;
            }
        }
        Ok(())
    }
}

/// Tells on standard error what is being done.
fn say(what: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{what} …")?)
}
