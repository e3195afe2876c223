//! One measurement: changes at a fixed rate for some time, and when they were seen.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::{AsyncMessage, NoTls};

use super::audience::Audience;
use super::client::{Shown, with_shown};
use super::ledger::{Ledger, Seen, Summary};
use super::writer::{Kind, Write, Writers, pace};
use crate::machine::Load;
use crate::stage::{RAW_ROWS, Stage};

/// How long the last changes may take to arrive.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// Random windows asked for a row before giving up.
const TRIES: usize = 100;

/// How changes are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Changes per second.
    pub(super) rate: u32,
    /// Not counted.
    pub(super) warm_up: Duration,
    /// Counted.
    pub(super) measured: Duration,
    /// Connections that write.
    pub(super) writers: usize,
    /// The number of the first change.
    pub(super) first_number: i64,
}

/// What a measurement brought.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) summary: Summary,
    pub(super) load: Load,
    /// Rows that still showed an old state when all should have been settled.
    pub(super) stale_rows: usize,
    pub(super) updates_per_second: f64,
    pub(super) kilobytes_per_second: f64,
    pub(super) resets: u64,
}

impl Pace {
    fn total(&self) -> Duration {
        self.warm_up + self.measured
    }

    fn counted(&self, start: Instant) -> Range<Instant> {
        start + self.warm_up..start + self.total()
    }

    /// Makes changes as `next` says, each entered in the ledger first; returns when all are
    /// committed, with the time that is counted.
    async fn make(
        self,
        database_url: &str,
        ledger: &Arc<Ledger>,
        mut next: impl FnMut() -> anyhow::Result<(i64, Kind)> + Send + 'static,
    ) -> anyhow::Result<Range<Instant>> {
        let writers = Writers::start(database_url, self.writers, ledger).await?;
        let (ledger, start) = (ledger.clone(), Instant::now());
        let paced = tokio::task::spawn_blocking(move || {
            pace(self.rate, self.total(), |nth, due| {
                let (row, kind) = next()?;
                let number = self.first_number + i64::try_from(nth)?;
                let index = ledger.begin(row, number, due);
                writers.make(Write {
                    index,
                    row,
                    number,
                    kind,
                })
            })?;
            anyhow::Ok(writers)
        });
        paced.await??.finish().await?;
        Ok(self.counted(start))
    }
}

/// Measures what the clients see.
pub(super) async fn rowcast(
    stage: &mut Stage,
    audience: &mut Audience,
    pace: Pace,
    seed: u64,
) -> anyhow::Result<Measured> {
    let traffic = audience.traffic.clone();
    let counters = || {
        [&traffic.updates, &traffic.bytes, &traffic.resets]
            .map(|counter| counter.load(Ordering::Relaxed))
    };
    let (meter_before, before) = (stage.meter(), counters());
    let choose = chooser(audience.shown.clone(), seed);
    let counted = pace
        .make(&stage.postgres.database_url, &audience.ledger, choose)
        .await?;
    let (meter_after, after) = (stage.meter(), counters());
    let stale_rows = settle(audience).await?;
    stage.server.check()?;
    audience.check()?;
    let per_second = |at: usize| (after[at] - before[at]) as f64 / pace.total().as_secs_f64();
    Ok(Measured {
        summary: audience.ledger.summary(&counted)?,
        load: meter_after.since(&meter_before),
        stale_rows,
        updates_per_second: per_second(0),
        kilobytes_per_second: per_second(1) / 1_000.0,
        resets: after[2] - before[2],
    })
}

/// Random rows that some window shows, half of the changes of a kind that moves them.
fn chooser(
    shown: Arc<Vec<Shown>>,
    seed: u64,
) -> impl FnMut() -> anyhow::Result<(i64, Kind)> + Send + 'static {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    move || {
        let kind = match random.random_range(0..4) {
            0 | 1 => Kind::Mark,
            2 => Kind::Price(random.random_range(0.8..1.25)),
            _ => Kind::Stock(random.random_range(0.8..1.25)),
        };
        for _ in 0..TRIES {
            let window = shown.choose(&mut random).context("no window")?;
            let row = with_shown(window, |rows| rows.choose(&mut random).map(|row| row.0));
            if let Some(row) = row {
                return Ok((row, kind));
            }
        }
        anyhow::bail!("no window shows a row; try another --seed")
    }
}

/// Waits until every window shows the last change of each of its rows; returns how many do not.
async fn settle(audience: &mut Audience) -> anyhow::Result<usize> {
    let deadline = Instant::now() + SETTLE_MAX;
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        audience.check()?;
        let stale = audience.stale_rows();
        if stale == 0 || Instant::now() > deadline {
            return Ok(stale);
        }
    }
}

/// Measures PostgreSQL alone: from UPDATE and `pg_notify` in one transaction to a listening
/// connection.
pub(super) async fn raw(stage: &mut Stage, pace: Pace) -> anyhow::Result<Measured> {
    let ledger = Arc::new(Ledger::default());
    let (client, mut connection) =
        tokio_postgres::connect(&stage.postgres.database_url, NoTls).await?;
    let heard = ledger.clone();
    let first_number = pace.first_number;
    let listening = tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            let AsyncMessage::Notification(notification) = message? else {
                continue;
            };
            let (number, at): (i64, _) = (notification.payload().parse()?, Instant::now());
            let row = (number - first_number) % RAW_ROWS;
            heard.seen(row, number - 1, &Seen::Number(number), at);
        }
        anyhow::Ok(())
    });
    client.batch_execute("LISTEN bench_raw").await?;
    let meter_before = stage.meter();
    let mut nth = 0;
    let next = move || {
        nth += 1;
        Ok(((nth - 1) % RAW_ROWS, Kind::Notify))
    };
    let counted = pace
        .make(&stage.postgres.database_url, &ledger, next)
        .await?;
    let meter_after = stage.meter();
    // What this connection was notified of is sent before its next answer.
    client.simple_query("SELECT 1").await?;
    drop(client);
    listening.await??;
    Ok(Measured {
        summary: ledger.summary(&counted)?,
        load: meter_after.since(&meter_before),
        stale_rows: 0,
        updates_per_second: 0.0,
        kilobytes_per_second: 0.0,
        resets: 0,
    })
}
