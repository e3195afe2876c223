//! The oracle: at every version that a client applies, its rows, their place and the total equal the
//! same query run by PostgreSQL at that very snapshot.
//!
//! Several writers change a table at random while several clients open, move, re-sort, re-filter,
//! acknowledge late and reconnect. `ROWCAST_ORACLE_SEED` repeats a run's random choices (their timing
//! cannot be repeated), `ROWCAST_ORACLE_CHECKS` makes it longer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test prints what repeats it")]

mod client;
mod compare;
mod snapshots;
mod views;
mod writers;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::{Check, Client};
use compare::compare;
use e2e::{Cluster, TestRedis, TestServer};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use server::ServerOptions;
use server::changes::Sabotage;
use snapshots::Snapshots;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Checks that wait; who causes them waits when there are more.
const WAITING_MAX: usize = 8;
const WRITERS: u64 = 4;
const CLIENTS: u64 = 4;

/// What the tasks of one run share.
pub(crate) struct Run {
    over: AtomicBool,
    checks: mpsc::Sender<Check>,
    checked: AtomicUsize,
    /// How many of those were reached by a delta that somebody's change caused.
    followed: AtomicUsize,
    shown: Mutex<Vec<i64>>,
}

impl Run {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A version was found right.
    fn count(&self, check: &Check) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.followed
            .fetch_add(usize::from(check.followed), Ordering::Relaxed);
    }

    async fn check(&self, check: Check) {
        // Closed only when the run is over.
        drop(self.checks.send(check).await);
    }

    /// Whether any checks wait; clients then stay where they are and follow what is written.
    fn is_behind(&self) -> bool {
        self.checks.capacity() < WAITING_MAX
    }

    /// Waits while many checks do.
    async fn wait_for_checks(&self) {
        while self.checks.capacity() < WAITING_MAX / 2 && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Remembers some rows that somebody looks at.
    fn show(&self, ids: impl Iterator<Item = i64>) {
        let mut shown = self.shown.lock().unwrap();
        shown.extend(ids.take(8));
        let excess = shown.len().saturating_sub(64);
        shown.drain(..excess);
    }

    fn shown(&self, rng: &mut ChaCha8Rng) -> Option<i64> {
        self.shown.lock().unwrap().choose(rng).copied()
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What a run is to be like.
#[derive(Clone, Copy, Debug)]
struct Setup {
    rows: u32,
    /// Versions to be found right.
    checks: usize,
    servers: usize,
    sabotage: Option<Sabotage>,
}

/// Everything that takes part in a run.
struct Stage {
    run: Arc<Run>,
    waiting: mpsc::Receiver<Check>,
    servers: Vec<TestServer>,
    clients: JoinSet<Result<(), String>>,
    others: JoinSet<()>,
}

/// Runs until so many versions were found right, or one was found wrong.
async fn run(setup: Setup) -> Result<(), String> {
    let seed = setting("ROWCAST_ORACLE_SEED").unwrap_or_else(rand::random);
    println!("ROWCAST_ORACLE_SEED={seed} ({setup:?})");
    let mut stage = Stage::set(setup, seed).await;
    let outcome = stage.judge(setup.checks).await;
    let Stage {
        run,
        waiting,
        servers,
        mut clients,
        mut others,
    } = stage;
    run.over.store(true, Ordering::Relaxed);
    drop(waiting);
    clients.shutdown().await;
    others.shutdown().await;
    for server in servers {
        server.stop().await;
    }
    let [checked, followed] = [&run.checked, &run.followed].map(|n| n.load(Ordering::Relaxed));
    println!("{checked} versions compared, {followed} of them reached by deltas of changes");
    if outcome.is_ok() && followed < checked / 10 {
        return Err(format!(
            "only {followed} of {checked} versions were deltas of changes"
        ));
    }
    outcome.map_err(|difference| format!("ROWCAST_ORACLE_SEED={seed}: {difference}"))
}

impl Stage {
    async fn set(setup: Setup, seed: u64) -> Self {
        let database = Cluster::start().await.database().await;
        let sql = format!("{};{}", views::TABLE, views::fill(setup.rows));
        database.install(&sql, &["things"]).await;
        let snapshots = Snapshots::new(database.clone());
        let (checks, waiting) = mpsc::channel(WAITING_MAX);
        let run = Arc::new(Run {
            over: AtomicBool::new(false),
            checks,
            checked: AtomicUsize::new(0),
            followed: AtomicUsize::new(0),
            shown: Mutex::default(),
        });
        let mut others = JoinSet::new();
        let redis = if setup.servers > 1 {
            Some(TestRedis::start().await)
        } else {
            None
        };
        let mut servers = Vec::new();
        for _ in 0..setup.servers {
            let options = ServerOptions {
                hook: Some(snapshots.hook()),
                sabotage: setup.sabotage,
                redis_url: redis.as_ref().map(TestRedis::url),
                ..TestServer::options(&database)
            };
            servers.push(TestServer::with(options).await);
        }
        if let Some(redis) = redis {
            others.spawn(come_and_go(redis));
        }
        let mut clients = JoinSet::new();
        for (nth, server) in (0..CLIENTS).zip(servers.iter().cycle()) {
            let (url, snapshots) = (server.socket_url(), snapshots.clone());
            let client = Client::connect(url, seed.wrapping_add(nth), run.clone(), snapshots).await;
            clients.spawn(client.look());
        }
        for nth in 0..WRITERS {
            let seed = seed.wrapping_add(100 + nth);
            others.spawn(writers::write(
                database.clone(),
                seed,
                setup.rows,
                run.clone(),
            ));
        }
        Self {
            run,
            waiting,
            servers,
            clients,
            others,
        }
    }

    async fn judge(&mut self, checks: usize) -> Result<(), String> {
        let deadline = Instant::now() + patience();
        loop {
            let checked = self.run.checked.load(Ordering::Relaxed);
            if checked >= checks {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{TOO_FEW}: {checked} of {checks}"));
            }
            tokio::select! {
                Some(check) = self.waiting.recv() => {
                    compare(&check).await?;
                    self.run.count(&check);
                }
                Some(ended) = self.clients.join_next() => match ended {
                    Ok(outcome) => outcome?,
                    Err(panic) => std::panic::resume_unwind(panic.into_panic()),
                },
                Some(Err(panic)) = self.others.join_next() => {
                    std::panic::resume_unwind(panic.into_panic());
                }
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    }
}

/// Redis dies and returns again and again.
async fn come_and_go(mut redis: TestRedis) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        redis.kill();
        tokio::time::sleep(Duration::from_secs(1)).await;
        redis.resume().await;
    }
}

const TOO_FEW: &str = "too few versions were seen in time";

/// How many versions to compare.
fn checks(default: usize) -> usize {
    setting("ROWCAST_ORACLE_CHECKS").map_or(default, |checks| checks as usize)
}

fn patience() -> Duration {
    Duration::from_secs(if setting("ROWCAST_ORACLE_CHECKS").is_some() {
        3_600
    } else {
        150
    })
}

fn setup(rows: u32, checks: usize) -> Setup {
    Setup {
        rows,
        checks,
        servers: 1,
        sabotage: None,
    }
}

#[tokio::test]
async fn every_version_of_a_small_table_is_exact() {
    run(setup(50, checks(800))).await.unwrap();
}

#[tokio::test]
async fn every_version_of_a_table_is_exact() {
    run(setup(5_000, checks(800))).await.unwrap();
}

#[tokio::test]
async fn every_version_of_a_large_table_is_exact() {
    run(setup(200_000, checks(120))).await.unwrap();
}

/// The same with clients at two servers, while the Redis between them comes and goes.
#[tokio::test]
async fn every_version_at_two_servers_is_exact() {
    run(Setup {
        servers: 2,
        ..setup(1_000, checks(800))
    })
    .await
    .unwrap();
}

/// A server that is wrong on purpose must be found out.
#[tokio::test]
async fn the_oracle_notices_every_mistake() {
    for sabotage in [
        Sabotage::DropSides,
        Sabotage::ForgetRunning,
        Sabotage::ReuseTransactionIds,
        Sabotage::TrustImages,
    ] {
        let outcome = run(Setup {
            sabotage: Some(sabotage),
            ..setup(2_000, 100_000)
        })
        .await;
        let difference = outcome.expect_err("a wrong server passed");
        assert!(
            !difference.contains(TOO_FEW),
            "{sabotage:?} went unnoticed: {difference}"
        );
        println!(
            "{sabotage:?}: {}",
            difference.lines().next().unwrap_or_default()
        );
    }
}
