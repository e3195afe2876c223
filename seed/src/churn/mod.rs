//! Steady, realistic changes, so that a live grid has something to show.

mod change;
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Connection;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::change::Changer;
use self::pace::Pace;
use crate::progress::Report;
use crate::run::{Error, connect};

/// How to change the tables.
#[derive(Clone, Debug)]
pub struct Options {
    /// Changes per second; each is a transaction of its own.
    pub rate: f64,
    /// Connections that make them.
    pub connections: u16,
    /// Decides what changes (not in which order: that is up to the database).
    pub seed: u64,
    /// Where the achieved rate is shown.
    pub report: Report,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Committed changes.
    pub changes: u64,
    /// For how long.
    pub elapsed: Duration,
}

/// The pause between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The pause before a lost connection is made again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Changes the demo's tables until `stop` is cancelled. The pace is open-loop: a change that is late
/// does not delay the ones after it. A lost connection is made again.
///
/// # Errors
/// If the database cannot be reached at the start, or holds no demo.
pub async fn run(
    database_url: &str,
    options: &Options,
    stop: &CancellationToken,
) -> Result<Summary, Error> {
    let mut connection = connect(database_url).await.map_err(Error::Connect)?;
    migrations::install_demo(&mut connection).await?;
    sqlx::query("select public.ensure_event_partitions(now(), now() + interval '31 days')")
        .execute(&mut connection)
        .await?;
    connection.close().await?;

    let started = Instant::now();
    let pace = Arc::new(Pace::new(started, options.rate));
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..options.connections {
        let worker = Worker {
            database_url: database_url.to_owned(),
            seed: options.seed,
            pace: Arc::clone(&pace),
            done: Arc::clone(&done),
        };
        let stop = stop.clone();
        workers.spawn(async move { stop.run_until_cancelled(worker.run()).await });
    }
    let mut report = tokio::time::interval_at(started + REPORT_EVERY, REPORT_EVERY);
    let mut reported = 0;
    while stop.run_until_cancelled(report.tick()).await.is_some() {
        let changes = done.load(Ordering::Relaxed);
        let rate = (changes - reported) as f64 / REPORT_EVERY.as_secs_f64();
        reported = changes;
        let late = pace.late(changes);
        options.report.line(&format!(
            "churn: {rate:.0} of {:.0} changes/s, {changes} so far{}",
            options.rate,
            if late > options.rate {
                ", falling behind: more --connections?"
            } else {
                ""
            },
        ));
    }
    workers.join_all().await;
    let summary = Summary {
        changes: done.load(Ordering::Relaxed),
        elapsed: started.elapsed(),
    };
    options.report.line(&format!(
        "churn: {} changes in {:.1} s, {:.1} changes/s",
        summary.changes,
        summary.elapsed.as_secs_f64(),
        summary.changes as f64 / summary.elapsed.as_secs_f64().max(0.001),
    ));
    Ok(summary)
}

struct Worker {
    database_url: String,
    seed: u64,
    pace: Arc<Pace>,
    done: Arc<AtomicU64>,
}

impl Worker {
    /// Works until cancelled.
    async fn run(self) {
        loop {
            let Err(error) = self.work().await;
            tracing::warn!("churn: {error}; connecting again");
            tokio::time::sleep(RECONNECT_AFTER).await;
        }
    }

    async fn work(&self) -> Result<std::convert::Infallible, sqlx::Error> {
        let mut changer = Changer::new(connect(&self.database_url).await?).await?;
        loop {
            let number = self.pace.next().await;
            changer.change(self.seed, number).await?;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }
}
