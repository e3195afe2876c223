//! Everything that takes part in a run, and the run itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{Cluster, TestRedis, TestServer};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::ServerOptions;
use server::changes::Sabotage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::{Check, Client, sortable_columns};
use crate::compare::compare;
use crate::run::{Run, WAITING_MAX};
use crate::snapshots::Snapshots;
use crate::table::{NAME, Table};
use crate::writers::{Writer, fill};

const WRITERS: u64 = 4;
const CLIENTS: u64 = 4;

/// What a run is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// A random table instead of the fixed one.
    pub(crate) is_random: bool,
    /// Rows to begin with; a random table has up to so many.
    pub(crate) rows: u64,
    /// Versions to be found right.
    pub(crate) checks: usize,
    pub(crate) servers: usize,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) patience: Duration,
}

/// Everything that takes part in a run.
pub(crate) struct Stage {
    run: Arc<Run>,
    waiting: mpsc::Receiver<Check>,
    servers: Vec<TestServer>,
    clients: JoinSet<Result<(), String>>,
    others: JoinSet<()>,
}

pub(crate) const TOO_FEW: &str = "too few versions were seen in time";

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
        let table = if setup.is_random {
            &run.table.setup
        } else {
            ""
        };
        format!("ROWCAST_ORACLE_SEED={seed}: {difference}\n{table}")
    };
    outcome.map_err(repeat).map(|()| [checked, followed])
}

impl Stage {
    async fn set(cluster: &Arc<Cluster>, seed: u64, setup: Setup) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut table, rows) = if setup.is_random {
            let table = Table::random(&mut rng);
            (
                table,
                rng.random_range(0.0..=1.0_f64)
                    .powi(3)
                    .mul_add(setup.rows as f64, 5.0) as u64,
            )
        } else {
            (Table::fixed(), setup.rows)
        };
        let database = cluster.database().await;
        database.install(&table.setup, &[NAME]).await;
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
                ..TestServer::options(&database)
            };
            servers.push(TestServer::with(options).await);
        }
        let sortable = sortable_columns(&servers[0].socket_url()).await;
        let sortable = sortable.unwrap_or_else(|refusal| panic!("{refusal}: {}", table.setup));
        for (column, sortable) in table.columns.iter_mut().zip(sortable) {
            column.sortable = sortable;
        }
        let (checks, waiting) = mpsc::channel(WAITING_MAX);
        // Emptying a table excuses much; most runs do without.
        let truncates = setup.is_random && rng.random_bool(0.3);
        let run = Arc::new(Run::new(table, rows, truncates, checks, &mut rng));
        fill(&database, seed, &run).await;
        let mut others = JoinSet::new();
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
            let writer = Writer::new(database.clone(), seed, run.clone()).await;
            others.spawn(writer.write());
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
        let deadline = Instant::now() + setup.patience;
        loop {
            let [checked, ..] = self.run.counts();
            if checked >= setup.checks {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{TOO_FEW}: {checked} of {}", setup.checks));
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
        match compare(&self.run.table, check).await {
            Ok(()) => self.run.count(check),
            // Asked again: the table may have been emptied meanwhile.
            Err(difference) if self.run.is_comparable(check) => return Err(difference),
            Err(_) => {}
        }
        Ok(())
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
