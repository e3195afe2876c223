//! Several connections that change the table at random, at once.

use std::io::Cursor;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use e2e::TestDatabase;
use futures_util::SinkExt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_postgres::{Client, Error};

use crate::run::Run;
use crate::statements::{Target, copy_text};
use crate::table::NAME;

/// Rows sent to PostgreSQL at once when the table is filled.
const FILLED_AT_ONCE: u64 = 10_000;

/// One connection that writes.
pub(crate) struct Writer {
    database: TestDatabase,
    has_odd_settings: bool,
    client: Client,
    rng: ChaCha8Rng,
    run: Arc<Run>,
}

/// Fills the table with its first rows.
pub(crate) async fn fill(database: &TestDatabase, seed: u64, run: &Run) {
    let client = database.connect().await;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut next = 1;
    while next <= run.rows {
        let end = (next + FILLED_AT_ONCE - 1).min(run.rows);
        let rows: Vec<_> = (next..=end).map(|n| run.written.row(n, &mut rng)).collect();
        let copied = copy(&client, NAME, &copy_text(&rows)).await;
        copied.unwrap_or_else(|error| panic!("{}: {error:?}", run.written.setup));
        next = end + 1;
    }
    client
        .batch_execute(&format!("ANALYZE {NAME}"))
        .await
        .expect("ANALYZE");
}

async fn copy(client: &Client, table: &str, text: &str) -> Result<(), Error> {
    let sink = client.copy_in(&format!("COPY {table} FROM STDIN")).await?;
    let mut sink = pin!(sink);
    sink.send(Cursor::new(text.as_bytes().to_vec())).await?;
    sink.close().await
}

/// A connection with settings of its own: what is logged must not depend on them.
async fn connect(database: &TestDatabase, has_odd_settings: bool) -> Client {
    let client = database.connect().await;
    // Writers that block each other give up instead of waiting long.
    let mut settings = "SET lock_timeout = '40ms'".to_owned();
    if has_odd_settings {
        settings.push_str(
            "; SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; \
             SET extra_float_digits = -3; SET intervalstyle = 'postgres_verbose'; \
             SET bytea_output = 'escape'; SET search_path = public, pg_catalog",
        );
    }
    client.batch_execute(&settings).await.expect("settings");
    client
}

impl Writer {
    pub(crate) async fn new(database: TestDatabase, seed: u64, run: Arc<Run>) -> Self {
        let has_odd_settings = seed % 2 == 1;
        Self {
            client: connect(&database, has_odd_settings).await,
            database,
            has_odd_settings,
            rng: ChaCha8Rng::seed_from_u64(seed),
            run,
        }
    }

    /// Writes until the run ends.
    pub(crate) async fn write(mut self) {
        while !self.run.is_over() {
            self.run.wait_for_checks().await;
            self.transaction().await;
        }
    }

    async fn transaction(&mut self) {
        if self.run.truncates && self.rng.random_bool(0.01) {
            return self.truncate().await;
        }
        self.must("BEGIN").await;
        for _ in 0..self.rng.random_range(1..5) {
            self.must("SAVEPOINT s").await;
            let kept = self.rng.random_bool(0.85);
            let end = if kept { "RELEASE s" } else { "ROLLBACK TO s" };
            if self.rng.random_bool(0.05) {
                if self.copy().await.is_err() {
                    // A connection is of no use after a COPY that failed.
                    self.client = connect(&self.database, self.has_odd_settings).await;
                    return;
                }
                continue;
            }
            // What another writer's lock or a taken key refuses is undone, and the transaction goes on.
            let done = self.change().await;
            self.must(if done.is_ok() { end } else { "ROLLBACK TO s" })
                .await;
            if self.rng.random_bool(0.2) {
                // Stays open while others commit; their order of ending is not that of beginning.
                let millis = if self.rng.random_bool(0.05) { 400 } else { 60 };
                self.pause(millis).await;
            }
        }
        let end = if self.rng.random_bool(0.85) {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        // A commit may be refused too: NOTIFY takes a lock.
        if self.client.batch_execute(end).await.is_err() {
            self.must("ROLLBACK").await;
        }
        self.pause(30).await;
    }

    async fn change(&mut self) -> Result<(), Error> {
        let run = self.run.clone();
        let target = Target {
            table: &run.written,
            rows: run.rows,
            shown: run.shown(&mut self.rng),
        };
        let statement = target.statement(&mut self.rng);
        let done = self.client.batch_execute(&statement).await;
        if let Err(error) = &done {
            self.run.refused(&statement, error);
        }
        done
    }

    async fn copy(&mut self) -> Result<(), Error> {
        let (run, rng) = (self.run.clone(), &mut self.rng);
        let count = rng.random_range(1..20);
        let row = |_| run.written.row(rng.random_range(1..=run.rows * 2), rng);
        let rows: Vec<_> = (0..count).map(row).collect();
        let done = copy(&self.client, NAME, &copy_text(&rows)).await;
        if let Err(error) = &done {
            run.refused("COPY", error);
        }
        done
    }

    /// Empties the table and puts a few rows in. Snapshots from before see an empty table then
    /// (PostgreSQL does not keep the rows for them), so they are not compared any more.
    async fn truncate(&mut self) {
        self.must("BEGIN; SET LOCAL lock_timeout = '500ms'").await;
        let row = self
            .client
            .query_one("SELECT pg_current_xact_id()::text::int8", &[])
            .await;
        let xid: i64 = row.expect("a transaction").get(0);
        self.run.truncating(u64::try_from(xid).unwrap());
        let done = self.client.batch_execute(&format!("TRUNCATE {NAME}")).await;
        if done.is_err() {
            return self.must("ROLLBACK").await;
        }
        let rows: Vec<_> = (1..=self.rng.random_range(1..=self.run.rows))
            .map(|n| self.run.written.row(n, &mut self.rng))
            .collect();
        copy(&self.client, NAME, &copy_text(&rows))
            .await
            .expect("rows of an empty table");
        self.must("COMMIT").await;
        self.run.truncated();
    }

    async fn must(&self, sql: &str) {
        let done = self.client.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    async fn pause(&mut self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..millis))).await;
    }
}
