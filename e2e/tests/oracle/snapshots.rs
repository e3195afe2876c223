//! One connection per version, each seeing exactly what that version saw.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::TestDatabase;
use protocol::Version;
use server::changes::SnapshotHook;
use tokio_postgres::Client;

/// How long a version can be asked for after it was taken.
const KEPT: Duration = Duration::from_secs(3);
/// Versions kept at once, each by a connection; the server's reader waits for room.
const KEPT_MAX: usize = 120;

/// A version's snapshot, held open.
pub(crate) struct Held {
    client: Option<Client>,
    idle: Arc<Mutex<Vec<Client>>>,
}

impl Held {
    /// Sees what the version saw.
    pub(crate) fn client(&self) -> &Client {
        self.client.as_ref().expect("taken only when dropped")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.idle.lock().unwrap().push(client);
        }
    }
}

#[derive(Default)]
struct Kept {
    by_version: HashMap<Version, Arc<Held>>,
    oldest_first: VecDeque<(Instant, Version)>,
}

/// The snapshots of the latest versions.
pub(crate) struct Snapshots {
    database: TestDatabase,
    kept: Mutex<Kept>,
    idle: Arc<Mutex<Vec<Client>>>,
}

impl Snapshots {
    pub(crate) fn new(database: TestDatabase) -> Arc<Self> {
        Arc::new(Self {
            database,
            kept: Mutex::default(),
            idle: Arc::default(),
        })
    }

    /// What the server calls for every version.
    pub(crate) fn hook(self: &Arc<Self>) -> SnapshotHook {
        let this = self.clone();
        Arc::new(move |exported, version| {
            let this = this.clone();
            Box::pin(async move { this.keep(&exported, version).await })
        })
    }

    /// The snapshot of a version.
    ///
    /// # Panics
    /// If there was none, or it is too long ago: nothing goes unchecked silently.
    pub(crate) fn of(&self, version: &Version) -> Arc<Held> {
        let held = self.kept.lock().unwrap().by_version.get(version).cloned();
        held.unwrap_or_else(|| panic!("no snapshot of {version:?} is kept"))
    }

    async fn keep(&self, exported: &str, version: Version) {
        // Another server may have come to the same state first.
        if self.kept.lock().unwrap().by_version.contains_key(&version) {
            return;
        }
        self.make_room().await;
        let idle = self.idle.lock().unwrap().pop();
        let client = match idle {
            Some(client) => client,
            None => self.connect().await,
        };
        let begin = format!(
            "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
             SET TRANSACTION SNAPSHOT '{exported}'"
        );
        client
            .batch_execute(&begin)
            .await
            .expect("the exported snapshot");
        let held = Arc::new(Held {
            client: Some(client),
            idle: self.idle.clone(),
        });
        let mut kept = self.kept.lock().unwrap();
        kept.oldest_first
            .push_back((Instant::now(), version.clone()));
        kept.by_version.insert(version, held);
    }

    async fn connect(&self) -> Client {
        let client = self.database.connect().await;
        let settings = "SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO'; \
                        SET intervalstyle = 'iso_8601'; SET bytea_output = 'hex'; \
                        SET lc_monetary = 'C'; SET max_parallel_workers_per_gather = 0";
        client.batch_execute(settings).await.expect("settings");
        client
    }

    /// Lets go of the oldest once it has been kept long enough.
    async fn make_room(&self) {
        loop {
            let wait = {
                let mut kept = self.kept.lock().unwrap();
                if kept.oldest_first.len() < KEPT_MAX {
                    return;
                }
                let age = kept
                    .oldest_first
                    .front()
                    .map_or(KEPT, |(since, _)| since.elapsed());
                if age >= KEPT
                    && let Some((_, version)) = kept.oldest_first.pop_front()
                {
                    kept.by_version.remove(&version);
                    return;
                }
                KEPT.saturating_sub(age)
            };
            tokio::time::sleep(wait).await;
        }
    }
}
