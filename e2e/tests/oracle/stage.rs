//! Everything that takes part in a run, and the run itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{Cluster, SetClock, TestDatabase, TestRedis, TestServer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::ServerOptions;
use server::changes::Sabotage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::{Client, columns};
use crate::compare::compare_rows;
use crate::groups::compare_groups;
use crate::run::{Check, PATIENCE, Run, STALLED, Shown, WAITING_MAX};
use crate::snapshots::Snapshots;
use crate::summarizer::Summarizer;
use crate::table::{NAME, Table};
use crate::writers::{Writer, fill};

const WRITERS: u64 = 4;
const CLIENTS: u64 = 4;
const SUMMARIZERS: u64 = 2;
/// 2026-06-30 23:58:00 UTC.
const BEGIN: i64 = 1_782_863_880;
/// The pause between two looks at a table that is not live.
const POLL_INTERVAL: Duration = Duration::from_millis(60);

/// What a run is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) stuff: Stuff,
    /// Rows to begin with; a random table has up to so many.
    pub(crate) rows: u64,
    /// Versions to be found right.
    pub(crate) checks: usize,
    pub(crate) servers: usize,
    pub(crate) sabotage: Option<Sabotage>,
    /// Whether servers lose the connection that has changes logged now and then, and build views anew for it.
    pub(crate) interrupted: bool,
    /// How long the run goes on at most, if a tenth of the versions was found right by then. A server that is
    /// wrong on purpose must be found out by then.
    pub(crate) limit: Duration,
    /// How long a view may stay behind the clock.
    pub(crate) lag: Duration,
}

/// What clients look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuff {
    /// The fixed table.
    Fixed,
    /// A random one.
    Random,
    /// A random one that nobody watches, so that it is polled, or a view of it without a key.
    Polled,
}

/// Everything that takes part in a run.
pub(crate) struct Stage {
    run: Arc<Run>,
    waiting: mpsc::Receiver<Check>,
    servers: Vec<TestServer>,
    clients: JoinSet<Result<(), String>>,
    others: JoinSet<()>,
}

pub(crate) const UNNOTICED: &str = "the mistake was not noticed";
/// How long finding the next version right may take: longer than a client waits for the server, which says more.
const ANSWERED_WITHIN: Duration = PATIENCE.saturating_add(Duration::from_secs(30));

/// Runs until so many versions were found right, or one was found wrong. Returns how many were, and how
/// many of them were reached by deltas of changes.
pub(crate) async fn run(
    cluster: &Arc<Cluster>,
    seed: u64,
    setup: Setup,
) -> Result<[usize; 2], String> {
    println!("ROWCAST_ORACLE_SEED={seed} ({setup:?})");
    let mut stage = Stage::set(cluster, seed, setup).await;
    let outcome = stage.judge(setup).await;
    let Stage {
        run,
        waiting,
        servers,
        mut clients,
        mut others,
    } = stage;
    run.end();
    drop(waiting);
    clients.shutdown().await;
    others.shutdown().await;
    for server in servers {
        server.stop().await;
    }
    let [checked, followed, truncated] = run.counts();
    println!("{checked} versions compared, {followed} reached by deltas, {truncated} truncations");
    let repeat = |difference| {
        let table = match setup.stuff {
            Stuff::Fixed => "",
            Stuff::Random | Stuff::Polled => &run.written.setup,
        };
        format!("ROWCAST_ORACLE_SEED={seed}: {difference}\n{table}")
    };
    outcome.map_err(repeat).map(|()| [checked, followed])
}

impl Stage {
    async fn set(cluster: &Arc<Cluster>, seed: u64, setup: Setup) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let clock = SetClock::at(BEGIN);
        let (written, rows) = match setup.stuff {
            Stuff::Fixed => (Table::fixed(&clock), setup.rows),
            Stuff::Random | Stuff::Polled => {
                let table = Table::random(&clock, &mut rng);
                let share = rng.random_range(0.0..=1.0_f64).powi(3);
                (table, share.mul_add(setup.rows as f64, 5.0) as u64)
            }
        };
        let database = cluster.database().await;
        let is_live = setup.stuff != Stuff::Polled;
        let watched: &[&str] = if is_live { &[NAME] } else { &[] };
        database.install(&written.setup, watched).await;
        let mut table = written.clone();
        if !is_live && rng.random_bool(0.5) && !written.values().is_empty() {
            table = written.view();
            database.execute(&table.setup).await;
        }
        let snapshots = Snapshots::new(database.clone());
        let redis = match setup.servers {
            1 => None,
            _ => Some(TestRedis::start().await),
        };
        let mut servers = Vec::new();
        for _ in 0..setup.servers {
            let options = ServerOptions {
                hook: Some(snapshots.hook()),
                sabotage: setup.sabotage,
                redis_url: redis.as_ref().map(TestRedis::url),
                clock: clock.clock(),
                poll_interval: POLL_INTERVAL,
                ..TestServer::options(&database)
            };
            servers.push(TestServer::with(options).await);
        }
        let told = columns(&servers[0].socket_url(), table.name).await;
        let told = told.unwrap_or_else(|refusal| panic!("{refusal}: {}", table.setup));
        table.learn(&told);
        let (checks, waiting) = mpsc::channel(WAITING_MAX);
        // Emptying a table excuses much; most runs do without.
        let truncates = setup.stuff == Stuff::Random && rng.random_bool(0.3);
        let run = Arc::new(Run::new(
            (written, table),
            (clock, setup.lag),
            (rows, truncates, is_live),
            checks,
            &mut rng,
        ));
        fill(&database, seed, &run).await;
        let clients = spectators(&run, &servers, &snapshots, seed).await;
        let mut others = writers(&run, &database, seed).await;
        if let Some(redis) = redis {
            others.spawn(come_and_go(redis));
        }
        others.spawn(let_time_pass(run.clone(), seed));
        if setup.interrupted {
            others.spawn(lose_attendance(run.clone(), database, seed));
        }
        Self {
            run,
            waiting,
            servers,
            clients,
            others,
        }
    }

    async fn judge(&mut self, setup: Setup) -> Result<(), String> {
        let began = Instant::now();
        let mut last = (0, began);
        loop {
            let [checked, ..] = self.run.counts();
            if checked > last.0 {
                last = (checked, Instant::now());
            }
            let is_late = began.elapsed() > setup.limit;
            if checked >= setup.checks || is_late && checked >= setup.checks / 10 {
                return Ok(());
            }
            if is_late && setup.sabotage.is_some() {
                return Err(UNNOTICED.to_owned());
            }
            if last.1.elapsed() > ANSWERED_WITHIN {
                let checks = setup.checks;
                return Err(format!("{STALLED} after {checked} of {checks} versions"));
            }
            tokio::select! {
                Some(check) = self.waiting.recv() => self.compare(&check).await?,
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

    async fn compare(&self, check: &Check) -> Result<(), String> {
        if !self.run.is_comparable(check) {
            return Ok(());
        }
        let table = &self.run.table;
        let comparing = async {
            match &check.shown {
                Shown::Rows(shown) => compare_rows(table, check, shown).await,
                Shown::Groups(shown) => compare_groups(table, check, shown).await,
            }
        };
        let compared = timeout(ANSWERED_WITHIN, comparing).await;
        let too_slow = |_| format!("{STALLED}: PostgreSQL compares {}", check.shown.asked());
        match compared.map_err(too_slow)? {
            Ok(()) => self.run.count(check),
            // Asked again: the table may have been emptied meanwhile.
            Err(difference) if self.run.is_comparable(check) => return Err(difference),
            Err(_) => {}
        }
        Ok(())
    }
}

/// All who look, at one server or the other.
async fn spectators(
    run: &Arc<Run>,
    servers: &[TestServer],
    snapshots: &Arc<Snapshots>,
    seed: u64,
) -> JoinSet<Result<(), String>> {
    let mut clients = JoinSet::new();
    for (nth, server) in (0..CLIENTS).zip(servers.iter().cycle()) {
        let (url, seed) = (server.socket_url(), seed.wrapping_add(nth));
        let client = Client::connect(url, seed, run.clone(), snapshots.clone()).await;
        clients.spawn(client.look());
    }
    // Only live tables have summaries. Those of large ones have more groups than are held, and building
    // them keeps everybody waiting.
    let summarizers = match run.is_live && !run.is_large() {
        true => SUMMARIZERS,
        false => 0,
    };
    for (nth, server) in (0..summarizers).zip(servers.iter().cycle()) {
        let (url, seed) = (server.socket_url(), seed.wrapping_add(50 + nth));
        let client = Summarizer::connect(&url, seed, run.clone(), snapshots.clone()).await;
        clients.spawn(client.look());
    }
    clients
}

async fn writers(run: &Arc<Run>, database: &TestDatabase, seed: u64) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for nth in 0..WRITERS {
        let seed = seed.wrapping_add(100 + nth);
        let writer = Writer::new(database.clone(), seed, run.clone()).await;
        writers.spawn(writer.write());
    }
    writers
}

/// The clock goes on, faster than time. The pauses only pace it: nobody waits for what they bring.
async fn let_time_pass(run: Arc<Run>, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    loop {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..500))).await;
        run.tick(&mut rng);
    }
}

/// Servers lose the connection that has changes logged, again and again, while transactions run.
async fn lose_attendance(run: Arc<Run>, database: TestDatabase, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // A large table is not counted anew within that time.
    while !run.is_large() {
        tokio::time::sleep(Duration::from_millis(rng.random_range(1_000..4_000))).await;
        run.lose_attendance();
        for pid in database.attending().await {
            database.end_connection(pid).await;
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
