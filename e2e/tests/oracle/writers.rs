//! Several connections that change the table at random, at once.

use std::sync::Arc;
use std::time::Duration;

use e2e::TestDatabase;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_postgres::Client;

use crate::Run;

/// Writes until the run ends.
pub(crate) async fn write(database: TestDatabase, seed: u64, rows: u32, run: Arc<Run>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let client = database.connect().await;
    // Writers that block each other give up instead of waiting long.
    client
        .batch_execute("SET lock_timeout = '40ms'")
        .await
        .expect("settings");
    while !run.is_over() {
        run.wait_for_checks().await;
        transaction(&client, &mut rng, rows, &run).await;
    }
}

async fn transaction(client: &Client, rng: &mut ChaCha8Rng, rows: u32, run: &Run) {
    let statements = rng.random_range(1..5);
    client.batch_execute("BEGIN").await.expect("BEGIN");
    for _ in 0..statements {
        let statement = statement(rng, rows, run);
        let kept = rng.random_bool(0.85);
        let end = if kept { "RELEASE s" } else { "ROLLBACK TO s" };
        // What another writer's lock or a taken key refuses is undone, and the transaction goes on.
        let done = client
            .batch_execute(&format!("SAVEPOINT s; {statement}; {end}"))
            .await;
        if done.is_err() {
            client
                .batch_execute("ROLLBACK TO s")
                .await
                .expect("a savepoint");
        }
        if rng.random_bool(0.2) {
            // Stays open while others commit; their order of ending is not that of beginning.
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..60))).await;
        }
    }
    let end = if rng.random_bool(0.85) {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    // A commit may be refused too: NOTIFY takes a lock.
    if client.batch_execute(end).await.is_err() {
        client.batch_execute("ROLLBACK").await.expect("ROLLBACK");
    }
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..30))).await;
}

/// One statement; often it concerns rows that somebody is looking at.
fn statement(rng: &mut ChaCha8Rng, rows: u32, run: &Run) -> String {
    let id = match run.shown(rng) {
        Some(id) if rng.random_bool(0.6) => id,
        _ => rng.random_range(1..=i64::from(rows)),
    };
    let seed = rng.random_range(0..1_000_000);
    let region = *["north", "South", "east"].choose(rng).expect("three");
    let fresh = rng.random_range(1..=i64::from(rows) * 2);
    let set = *[
        "title", "amount", "ratio", "small", "seen", "flag", "grade", "note",
    ]
    .choose(rng)
    .expect("eight");
    match rng.random_range(0..12) {
        0 | 1 => {
            format!("INSERT INTO things SELECT t.* FROM thing('{region}', {fresh}, {seed}) AS t")
        }
        2 => format!(
            "INSERT INTO things SELECT t.* FROM generate_series(1, 8) AS n, \
             LATERAL thing('{region}', {fresh} + n, {seed} + n) AS t ON CONFLICT DO NOTHING"
        ),
        3 | 4 => format!("DELETE FROM things WHERE id = {id}"),
        5 => format!("DELETE FROM things WHERE id BETWEEN {id} AND {id} + 3"),
        6 => format!("UPDATE things SET id = {fresh} WHERE id = {id}"),
        7 => format!("UPDATE things SET region = '{region}', id = id + 1 WHERE id = {id}"),
        8 => format!(
            "UPDATE things AS t SET {set} = n.{set}, note = 'twice' \
             FROM thing('', 0, {seed}) AS n WHERE t.id = {id}; \
             UPDATE things SET note = 'thrice', small = 7 WHERE id = {id}"
        ),
        _ => format!(
            "UPDATE things AS t SET {set} = n.{set} FROM thing('', 0, {seed}) AS n \
             WHERE t.id BETWEEN {id} AND {id} + {}",
            rng.random_range(0..4)
        ),
    }
}
