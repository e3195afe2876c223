//! What is told of the measurements: JSON lines for programs, a table for people.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use serde::Serialize;

use super::pgbench::Protocol;
use super::workload::Workload;
use crate::machine::{Load, Machine};

/// The conditions of the measurements that follow: a line of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) kind: &'static str,
    pub(super) rowcast_version: &'static str,
    pub(super) machine: Machine,
    pub(super) postgres_version: String,
    /// Whether commits wait for the disk.
    pub(super) durable: bool,
    pub(super) protocol: Protocol,
    pub(super) products: u64,
    pub(super) rounds: usize,
    pub(super) seconds: u32,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Subject {
    /// Whether commits wait for the disk.
    pub(super) durable: bool,
    /// Whether a client shows the tables meanwhile.
    pub(super) shown: bool,
    pub(super) workload: Workload,
    /// pgbench's clients.
    pub(super) clients: u32,
}

/// One run of pgbench.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Side {
    /// Transactions per second.
    pub(super) rate: f64,
    pub(super) load: Load,
}

impl Side {
    /// Microseconds of processor time for a transaction, of PostgreSQL with all its processes.
    fn postgres_micros(&self) -> f64 {
        self.load.postgres / self.rate * 1e6
    }

    /// The same with pgbench and the server.
    fn all_micros(&self) -> f64 {
        (self.load.postgres + self.load.bench + self.load.server) / self.rate * 1e6
    }
}

/// A run with the table watched, and one without.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    watched: Side,
    unwatched: Side,
}

impl Round {
    /// One of the two.
    pub(super) fn side(&mut self, watched: bool) -> &mut Side {
        if watched {
            &mut self.watched
        } else {
            &mut self.unwatched
        }
    }

    fn ratio(&self) -> f64 {
        self.watched.rate / self.unwatched.rate
    }

    /// The same if nothing but the processor limited both, whatever else the machine does.
    fn processor_ratio(&self) -> f64 {
        self.unwatched.all_micros() / self.watched.all_micros()
    }
}

/// One measurement: a line of the JSON. Figures are medians of the rounds.
#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    #[serde(flatten)]
    subject: Subject,
    /// Watched to unwatched, of each round's transactions per second.
    ratio: f64,
    ratio_lowest: f64,
    ratio_highest: f64,
    /// Processor time for a transaction, unwatched to watched: pgbench, PostgreSQL and the server.
    processor_ratio: f64,
    unwatched_per_second: f64,
    watched_per_second: f64,
    /// Processor time of PostgreSQL for a transaction, in microseconds; the reader's statements included.
    unwatched_postgres_micros: f64,
    watched_postgres_micros: f64,
    /// Processor time while watched, in cores.
    cores: Load,
}

impl Line {
    fn of(subject: Subject, rounds: &[Round]) -> Self {
        let median = |of: &dyn Fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let ratios = rounds.iter().map(Round::ratio);
        Self {
            kind: "writers",
            subject,
            ratio: median(&Round::ratio),
            ratio_lowest: ratios.clone().fold(f64::INFINITY, f64::min),
            ratio_highest: ratios.fold(0.0, f64::max),
            processor_ratio: median(&Round::processor_ratio),
            unwatched_per_second: median(&|round| round.unwatched.rate),
            watched_per_second: median(&|round| round.watched.rate),
            unwatched_postgres_micros: median(&|round| round.unwatched.postgres_micros()),
            watched_postgres_micros: median(&|round| round.watched.postgres_micros()),
            cores: Load {
                server: median(&|round| round.watched.load.server),
                postgres: median(&|round| round.watched.load.postgres),
                bench: median(&|round| round.watched.load.bench),
                others: median(&|round| round.watched.load.others),
            },
        }
    }
}

/// Collects what was measured, and tells it.
pub(super) struct Report {
    json: Option<File>,
    table: String,
}

impl Report {
    /// An empty one. `json` gets a line for each measurement as soon as it is done.
    pub(super) fn new(json: Option<File>) -> Self {
        Self {
            json,
            table: String::new(),
        }
    }

    /// Begins a table.
    pub(super) fn begin(&mut self, conditions: &Conditions) -> anyhow::Result<()> {
        let machine = &conditions.machine;
        writeln!(
            self.table,
            "{}, {} cores, Linux {}, PostgreSQL {} ({}), statements {:?}, {} rounds of 2 × {} s\n\
             medians of the rounds; ratio: transactions per second, watched to unwatched; \
             of CPU: processor time of all that takes part, per transaction, unwatched to watched\n\
             CPU: processor time of PostgreSQL, µs per transaction, the reader's statements included; \
             cores: server / PostgreSQL / everything else, while watched\n\n\
             {:>15} {:>5} {:>7} | {:>5} {:>12} {:>6} | {:>9} {:>9} | {:>7} {:>7} | cores",
            machine.processor,
            machine.cores,
            machine.kernel,
            conditions.postgres_version,
            if conditions.durable {
                "durable commits"
            } else {
                "fsync off"
            },
            conditions.protocol,
            conditions.rounds,
            conditions.seconds,
            "",
            "shown",
            "clients",
            "ratio",
            "from … to",
            "of CPU",
            "unwatched",
            "watched/s",
            "CPU",
            "watched",
        )?;
        self.line(conditions)
    }

    /// Adds a measurement.
    pub(super) fn add(&mut self, subject: Subject, rounds: &[Round]) -> anyhow::Result<()> {
        let line = Line::of(subject, rounds);
        let Subject {
            shown,
            workload,
            clients,
            ..
        } = subject;
        writeln!(
            self.table,
            "{:>15} {:>5} {clients:>7} | {:>5.2} {:>5.2} … {:<4.2} {:>6.2} | {:>9.0} {:>9.0} | {:>7.1} {:>7.1} | \
             {:.2} / {:.2} / {:.2}",
            format!("{workload:?}"),
            if shown { "yes" } else { "no" },
            line.ratio,
            line.ratio_lowest,
            line.ratio_highest,
            line.processor_ratio,
            line.unwatched_per_second,
            line.watched_per_second,
            line.unwatched_postgres_micros,
            line.watched_postgres_micros,
            line.cores.server,
            line.cores.postgres,
            line.cores.others,
        )?;
        self.line(&line)
    }

    /// The tables.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    fn line(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        if let Some(json) = &mut self.json {
            serde_json::to_writer(&mut *json, line)?;
            writeln!(json)?;
        }
        Ok(())
    }
}
