//! One connection per snapshot, each seeing exactly what the versions saw that name it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::TestDatabase;
use protocol::Version;
use server::changes::SnapshotHook;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use view_index::Snapshot;

/// How long a snapshot can be asked for after it was taken.
const KEPT: Duration = Duration::from_secs(3);
/// Snapshots kept at once, each by a connection; the server's reader waits for room.
const KEPT_MAX: usize = 120;

/// A snapshot, held open.
pub(crate) struct Held {
    client: Option<Client>,
    idle: Arc<Mutex<Vec<Client>>>,
}

impl Held {
    /// Sees what the snapshot saw.
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
    by_snapshot: HashMap<Snapshot, Arc<Held>>,
    oldest_first: VecDeque<(Instant, Snapshot)>,
}

/// What a version names.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) snapshot: Snapshot,
    /// The second since 1970 that relative dates stand at.
    pub(crate) second: Option<i64>,
}

impl Named {
    /// What `version` names.
    ///
    /// # Panics
    /// If it is none of the server's.
    pub(crate) fn by(version: &Version) -> Self {
        let state = version.0.rsplit('/').next().unwrap();
        let (snapshot, second) = match state.split_once('@') {
            Some((snapshot, second)) => (snapshot, Some(second.parse().unwrap())),
            None => (state, None),
        };
        Self {
            snapshot: snapshot.parse().unwrap(),
            second,
        }
    }
}

/// The latest snapshots.
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

    /// What the server calls for every snapshot.
    pub(crate) fn hook(self: &Arc<Self>) -> SnapshotHook {
        let this = self.clone();
        Arc::new(move |exported, snapshot| {
            let this = this.clone();
            Box::pin(async move { this.keep(&exported, snapshot).await })
        })
    }

    /// A connection that sees what a version saw.
    ///
    /// # Panics
    /// If there was none, or it is too long ago: nothing goes unchecked silently.
    pub(crate) fn of(&self, named: &Named) -> Arc<Held> {
        let kept = self.kept.lock().unwrap();
        let held = kept.by_snapshot.get(&named.snapshot).cloned();
        held.unwrap_or_else(|| panic!("{named:?} is not kept"))
    }

    /// `false` if it has ended with its connection.
    async fn keep(&self, exported: &str, snapshot: Snapshot) -> bool {
        // Another server, or another look, may have come to the same state first.
        if self
            .kept
            .lock()
            .unwrap()
            .by_snapshot
            .contains_key(&snapshot)
        {
            return true;
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
        if let Err(error) = client.batch_execute(&begin).await {
            let has_ended = [
                SqlState::INVALID_PARAMETER_VALUE,
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            ];
            let is_gone = error.code().is_some_and(|code| has_ended.contains(code));
            assert!(is_gone, "the exported snapshot: {error:?}");
            return false;
        }
        let held = Arc::new(Held {
            client: Some(client),
            idle: self.idle.clone(),
        });
        let mut kept = self.kept.lock().unwrap();
        kept.oldest_first
            .push_back((Instant::now(), snapshot.clone()));
        kept.by_snapshot.insert(snapshot, held);
        true
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
                    && let Some((_, snapshot)) = kept.oldest_first.pop_front()
                {
                    kept.by_snapshot.remove(&snapshot);
                    return;
                }
                KEPT.saturating_sub(age)
            };
            tokio::time::sleep(wait).await;
        }
    }
}
