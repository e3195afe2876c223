//! What is told of the measurements: JSON lines for programs, a table for people.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::measure::Measured;
use crate::machine::{Load, Machine};

/// The conditions of all measurements: the first line of the JSON.
#[derive(Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) kind: &'static str,
    pub(super) rowcast_version: &'static str,
    pub(super) machine: Machine,
    pub(super) postgres_version: String,
    /// Whether commits wait for the disk.
    pub(super) durable: bool,
    pub(super) products: u64,
    pub(super) rows_per_window: u32,
    pub(super) writers: usize,
    pub(super) seed: u64,
    pub(super) warm_up_seconds: u64,
    pub(super) seconds: u64,
}

/// One measurement: a line of the JSON. Latencies are in milliseconds.
#[derive(Debug, Serialize)]
struct Line {
    /// `rowcast` (to the client) or `raw` (NOTIFY to LISTEN).
    kind: &'static str,
    /// Changes per second.
    rate: u32,
    windows: usize,
    changes: u64,
    /// Times that a window showed a change, each with a latency.
    sightings: u64,
    merged: u64,
    unseen: u64,
    before_acknowledgement: u64,
    stale_rows: usize,
    resets: u64,
    /// From the acknowledged commit to the update applied.
    from_commit: Quantiles,
    /// From the instant at which the change was due to the update applied.
    from_due: Quantiles,
    /// From the instant at which the change was due to its acknowledged commit.
    writing: Quantiles,
    updates_per_second: f64,
    kilobytes_per_second: f64,
    /// Processor time, in cores.
    cores: Load,
}

#[derive(Debug, Serialize)]
struct Quantiles {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1_000.0,
        }
    }
}

/// Collects what was measured, and tells it.
pub(super) struct Report {
    json: Option<File>,
    table: String,
}

impl Report {
    /// Begins with the conditions. `json` gets a line for each measurement as soon as it is done.
    pub(super) fn begin(conditions: &Conditions, json: Option<File>) -> anyhow::Result<Self> {
        let durable = if conditions.durable {
            "durable commits"
        } else {
            "fsync off"
        };
        let mut table = String::new();
        let machine = &conditions.machine;
        writeln!(
            table,
            "{}, {} cores, Linux {}, PostgreSQL {} ({durable}), {} products, {} rows per window\n\
             latency in ms from the acknowledged commit to the update applied in a client; \
             `due`: from the instant at which the change was due\n\
             cores: processor time used by server / PostgreSQL / this program / everything else\n",
            machine.processor,
            machine.cores,
            machine.kernel,
            conditions.postgres_version,
            conditions.products,
            conditions.rows_per_window,
        )?;
        writeln!(
            table,
            "{:>8} {:>7} {:>7} | {:>7} {:>7} {:>7} {:>7} {:>8} | {:>7} {:>8} | {:>8} {:>6} {:>6} \
             {:>5} {:>6} | {:>9} | cores",
            "",
            "changes",
            "windows",
            "p50",
            "p90",
            "p99",
            "p99.9",
            "max",
            "due p50",
            "due p99",
            "seen",
            "merged",
            "unseen",
            "stale",
            "resets",
            "updates/s",
        )?;
        let mut report = Self { json, table };
        report.line(conditions)?;
        Ok(report)
    }

    /// Adds a measurement.
    pub(super) fn add(
        &mut self,
        kind: &'static str,
        rate: u32,
        windows: usize,
        measured: &Measured,
    ) -> anyhow::Result<()> {
        let summary = &measured.summary;
        let line = Line {
            kind,
            rate,
            windows,
            changes: summary.changes,
            sightings: summary.from_commit.len(),
            merged: summary.merged,
            unseen: summary.unseen,
            before_acknowledgement: summary.before_acknowledgement,
            stale_rows: measured.stale_rows,
            resets: measured.resets,
            from_commit: Quantiles::of(&summary.from_commit),
            from_due: Quantiles::of(&summary.from_due),
            writing: Quantiles::of(&summary.writing),
            updates_per_second: measured.updates_per_second.round(),
            kilobytes_per_second: measured.kilobytes_per_second.round(),
            cores: measured.load,
        };
        let (commit, due, cores) = (&line.from_commit, &line.from_due, &line.cores);
        writeln!(
            self.table,
            "{kind:>8} {:>5}/s {:>7} | {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>8.2} | {:>7.2} {:>8.2} | \
             {:>8} {:>6} {:>6} {:>5} {:>6} | {:>9} | {:.2} / {:.2} / {:.2} / {:.2}",
            line.rate,
            line.windows,
            commit.p50,
            commit.p90,
            commit.p99,
            commit.p999,
            commit.max,
            due.p50,
            due.p99,
            line.sightings,
            line.merged,
            line.unseen,
            line.stale_rows,
            line.resets,
            line.updates_per_second,
            cores.server,
            cores.postgres,
            cores.bench,
            cores.others,
        )?;
        self.line(&line)
    }

    /// The table.
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
