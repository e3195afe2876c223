//! The oracle: at every version that a client applies, its rows, their place and the total, or its groups,
//! equal the same query run by PostgreSQL at that very snapshot.
//!
//! Several writers change a table at random while several clients open, move, re-sort, re-filter, search,
//! acknowledge late and reconnect, others look at random summaries, and a clock passes that relative dates
//! go by. The table is a fixed one of several sizes, or itself random: types, collations, keys,
//! duplicates, indexes, partitions; or it is not live, and polled.
//!
//! `ROWCAST_ORACLE_SEED` repeats a run's random choices (their timing cannot be repeated),
//! `ROWCAST_ORACLE_CHECKS` makes it longer, `ROWCAST_ORACLE_SABOTAGE=StandStill` makes only that mistake,
//! `RUST_LOG=server=warn` shows what the server says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test prints what repeats it")]

mod asked;
mod client;
mod compare;
mod filters;
mod groups;
mod kinds;
mod replica;
mod run;
mod searches;
mod snapshots;
mod stage;
mod statements;
mod summarizer;
mod table;
mod values;
mod views;
mod writers;

use std::time::{Duration, Instant};

use e2e::Cluster;
use run::STALLED;
use server::changes::Sabotage;
use stage::{Setup, Stuff, UNNOTICED, run};
use tracing_subscriber::EnvFilter;

/// How long random tables are made for, unless a number of checks is asked for.
const RANDOM_TABLES: Duration = Duration::from_secs(25);
/// How long one run goes on at most, unless a number of checks is asked for.
const LIMIT: Duration = Duration::from_secs(60);
const ENDLESS: Duration = Duration::from_secs(3_600);
/// How long a mistake may go unnoticed.
const UNNOTICED_MAX: Duration = Duration::from_secs(150);
/// Versions compared of one random table.
const CHECKS_PER_TABLE: usize = 80;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// A seed, and the server's log as `RUST_LOG` asks for it.
fn seed() -> u64 {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env());
    // Another test of this program may have set it up before.
    drop(log.try_init());
    setting("ROWCAST_ORACLE_SEED").unwrap_or_else(rand::random)
}

/// How many versions to compare.
fn checks(default: usize) -> usize {
    setting("ROWCAST_ORACLE_CHECKS").map_or(default, |checks| checks as usize)
}

fn setup(rows: u64, checks: usize) -> Setup {
    let is_long = setting("ROWCAST_ORACLE_CHECKS").is_some();
    Setup {
        stuff: Stuff::Fixed,
        rows,
        checks,
        servers: 1,
        sabotage: None,
        interrupted: true,
        limit: if is_long { ENDLESS } else { LIMIT },
        lag: Duration::from_secs(30),
    }
}

/// A run on a fixed table, which must also have seen enough changes.
async fn passes(setup: Setup) {
    let cluster = Cluster::start().await;
    let [checked, followed] = run(&cluster, seed(), setup).await.unwrap();
    assert!(
        followed >= checked / 10,
        "only {followed} of {checked} versions were deltas of changes"
    );
}

#[tokio::test]
async fn every_version_of_a_small_table_is_exact() {
    passes(setup(50, checks(800))).await;
}

#[tokio::test]
async fn every_version_of_a_table_is_exact() {
    passes(setup(5_000, checks(800))).await;
}

#[tokio::test]
async fn every_version_of_a_large_table_is_exact() {
    let setup = setup(200_000, checks(120));
    // A view that is being counted waits with its steps in time.
    let lag = Duration::from_secs(90);
    passes(Setup { lag, ..setup }).await;
}

/// The same with clients at two servers, while the Redis between them comes and goes.
#[tokio::test]
async fn every_version_at_two_servers_is_exact() {
    let setup = setup(1_000, checks(800));
    passes(Setup {
        servers: 2,
        ..setup
    })
    .await;
}

/// The same of one random table after another; a seed repeats one of them.
#[tokio::test]
async fn every_version_of_random_tables_is_exact() {
    random_tables(Stuff::Random).await;
}

/// The same of random tables and views that are polled.
#[tokio::test]
async fn every_version_of_polled_tables_is_exact() {
    random_tables(Stuff::Polled).await;
}

async fn random_tables(stuff: Stuff) {
    let cluster = Cluster::start().await;
    let setup = Setup {
        stuff,
        ..setup(3_000, CHECKS_PER_TABLE)
    };
    let began = Instant::now();
    let (first, mut all) = (seed(), [0, 0]);
    for nth in 0.. {
        let seen = run(&cluster, first.wrapping_add(nth), setup).await.unwrap();
        all = [all[0] + seen[0], all[1] + seen[1]];
        let is_enough = match setting("ROWCAST_ORACLE_CHECKS") {
            Some(checks) => all[0] >= checks as usize,
            None => began.elapsed() > RANDOM_TABLES,
        };
        if is_enough || setting("ROWCAST_ORACLE_SEED").is_some() {
            break;
        }
    }
    assert!(
        all[1] >= all[0] / 10,
        "only {} of {} versions were deltas of changes",
        all[1],
        all[0]
    );
}

/// A server that is wrong on purpose must be found out.
#[tokio::test]
async fn the_oracle_notices_every_mistake() {
    let cluster = Cluster::start().await;
    let all = [
        Sabotage::DropSides,
        Sabotage::ForgetRunning,
        Sabotage::ReuseTransactionIds,
        Sabotage::TrustImages,
        Sabotage::TrustWriters,
        Sabotage::MissGroups,
        Sabotage::MissExtremes,
        Sabotage::StandStill,
        Sabotage::PassOver,
    ];
    let one = std::env::var("ROWCAST_ORACLE_SABOTAGE").ok();
    let is_wanted = |it: &Sabotage| one.as_ref().is_none_or(|one| format!("{it:?}") == *one);
    for sabotage in all.into_iter().filter(is_wanted) {
        let setup = Setup {
            sabotage: Some(sabotage),
            // Views that are built anew every few seconds would hide what went wrong before.
            interrupted: sabotage == Sabotage::TrustWriters,
            limit: UNNOTICED_MAX,
            lag: Duration::from_secs(8),
            ..setup(2_000, 100_000)
        };
        let outcome = run(&cluster, seed(), setup).await;
        let Err(difference) = outcome else {
            panic!("{sabotage:?}: a wrong server passed");
        };
        let is_found_out = ![UNNOTICED, STALLED]
            .iter()
            .any(|it| difference.contains(it));
        assert!(is_found_out, "{sabotage:?} {difference}");
        println!(
            "{sabotage:?}: {}",
            difference.lines().next().unwrap_or_default()
        );
    }
}
