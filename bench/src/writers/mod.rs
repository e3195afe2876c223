//! What watching a table costs those who write it: pgbench against the same tables, watched and unwatched
//! by turns, while a real server reads the change log. `docs/performance.md` tells the method.

mod audience;
mod pgbench;
mod report;
mod workload;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;

use self::audience::Audience;
use self::pgbench::{Pgbench, Protocol};
use self::report::{Conditions, Report, Round};
use self::workload::Workload;
use crate::machine::Machine;
use crate::stage::{Setting, Stage, server_program};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How long pgbench runs, each time.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// How often it runs with the table watched, and as often unwatched.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// pgbench's clients.
    #[arg(long, value_delimiter = ',', default_value = "1,4,16")]
    clients: Vec<u32>,
    /// What they do.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "tpcb,products-update,narrow-update,narrow-insert,bulk-update"
    )]
    workloads: Vec<Workload>,
    /// How pgbench sends its statements: `prepared` costs PostgreSQL least, so the trigger's share
    /// is largest.
    #[arg(long, value_enum, default_value = "prepared")]
    protocol: Protocol,
    /// Whether commits wait for the disk: `true`, `false` (the processor is the limit) or both.
    #[arg(long, value_delimiter = ',', default_value = "true,false")]
    durable: Vec<bool>,
    /// Whether a client shows 50 rows of each watched table meanwhile: `false`, `true` or both. Tables that nobody shows are
    /// not logged.
    #[arg(long, value_delimiter = ',', default_value = "false,true")]
    shown: Vec<bool>,
    /// Rows in `public.products`.
    #[arg(long, default_value_t = 100_000)]
    products: u64,
    /// Also write the results to this file, as JSON lines: conditions, then measurements.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The server's program [default: rowcast beside this one].
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

/// Measures, and prints the table.
pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let server = server_program(options.server.as_ref())?;
    let create = |path: &PathBuf| {
        File::create(path).with_context(|| format!("cannot write {}", path.display()))
    };
    let mut report = Report::new(options.json.as_ref().map(create).transpose()?);
    for &durable in &options.durable {
        let mut stage = Stage::set(&Setting {
            products: options.products,
            durable,
            server: server.clone(),
        })
        .await?;
        stage
            .postgres
            .client
            .batch_execute(workload::TABLES)
            .await?;
        if options.workloads.contains(&Workload::Tpcb) {
            pgbench::initialize(stage.postgres.programs(), &stage.postgres.database_url).await?;
        }
        report.begin(&Conditions {
            kind: "conditions",
            rowcast_version: env!("CARGO_PKG_VERSION"),
            machine: Machine::read(),
            postgres_version: stage.postgres.version.clone(),
            durable,
            protocol: options.protocol,
            products: options.products,
            rounds: options.rounds,
            seconds: options.seconds,
        })?;
        // A table is logged for minutes after somebody has shown it.
        for shown in [false, true]
            .into_iter()
            .filter(|it| options.shown.contains(it))
        {
            for &workload in &options.workloads {
                for &clients in &options.clients {
                    let load = report::Subject {
                        durable,
                        shown,
                        workload,
                        clients,
                    };
                    let rounds = measure(&mut stage, &options, load).await?;
                    report.add(load, &rounds)?;
                }
            }
        }
    }
    write!(std::io::stdout(), "\n{}", report.table())?;
    Ok(())
}

/// All rounds of one workload: unwatched and watched by turns, each first every other time.
async fn measure(
    stage: &mut Stage,
    options: &Options,
    load: report::Subject,
) -> anyhow::Result<Vec<Round>> {
    let report::Subject {
        shown,
        workload,
        clients,
        ..
    } = load;
    writeln!(
        std::io::stderr(),
        "{workload:?}, {clients} clients, {}shown, {} rounds …",
        if shown { "" } else { "not " },
        options.rounds
    )?;
    let pgbench = Pgbench {
        program: pgbench::program(stage.postgres.programs()),
        database_url: stage.postgres.database_url.clone(),
        script: workload.script(),
        protocol: options.protocol,
        clients,
        seconds: options.seconds,
    };
    // Caches are filled and the log is as large as it gets before anything counts.
    set_watched(stage, workload, true).await?;
    pgbench.run().await?;
    let mut rounds = Vec::with_capacity(options.rounds);
    for nth in 0..options.rounds {
        let mut round = Round::default();
        for watched in [nth % 2 == 1, nth % 2 == 0] {
            set_watched(stage, workload, watched).await?;
            let audience = match watched && shown {
                true => Some(Audience::seat(stage, workload.tables()).await?),
                false => None,
            };
            let before = stage.meter();
            let rate = pgbench.run().await?;
            let load = stage.meter().since(&before);
            stage.server.check()?;
            if let Some(audience) = audience {
                audience.leave().await?;
            }
            *round.side(watched) = report::Side { rate, load };
        }
        rounds.push(round);
    }
    set_watched(stage, workload, false).await?;
    Ok(rounds)
}

/// Watches the tables or ends that, and deletes what the log holds, as the server does minutes later:
/// a log in use is not one that grows.
async fn set_watched(stage: &Stage, workload: Workload, watched: bool) -> anyhow::Result<()> {
    let function = if watched { "watch" } else { "unwatch" };
    for table in workload.tables() {
        let statement = format!("SELECT rowcast.{function}('{table}')");
        stage.postgres.client.batch_execute(&statement).await?;
    }
    let emptied = [
        "SELECT rowcast.prune(pg_current_snapshot())",
        "VACUUM rowcast.change_log",
    ];
    for statement in emptied
        .iter()
        .chain(workload.restore())
        .chain(&["CHECKPOINT"])
    {
        stage.postgres.client.batch_execute(statement).await?;
    }
    Ok(())
}
