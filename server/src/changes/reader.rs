//! Reads the change log, one transaction per batch.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::{ResetReason, Status};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Config, NoTls};
use tokio_util::sync::CancellationToken;
use view_index::{Snapshot, TableChanges};

use super::attendance::Attendance;
use super::batch::{Batch, Mark, TableBatch};
use super::current::RowReader;
use super::decode::by_table;
use super::sabotage::Sabotage;
use super::wakefulness::take_leadership;
use crate::db::log::{LogEntry, LogError, LogMark, LogReader, describe};
use crate::fanout::{Relay, Router};
use crate::limits::{BATCH_SIDES_MAX, READER_TIMEOUT, RECONNECT_BACKOFF};
use crate::views::CatalogStore;

/// Called inside the transaction of each batch, and of each look at a table that is not live, before anyone
/// is told of it: with the name of the exported snapshot, for `SET TRANSACTION SNAPSHOT`, and the snapshot
/// itself, which versions name behind their last `/`. For tests, which compare every version with the same
/// query at that snapshot. If it answers `false`, the snapshot has ended with its connection, and nobody is told.
pub type SnapshotHook =
    Arc<dyn Fn(String, Snapshot) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What wakes the reader.
#[derive(Debug, Default)]
pub struct Wake {
    /// PostgreSQL notified.
    pub notified: Arc<Notify>,
    /// A view waits for the log to be read past a snapshot of its own.
    pub requested: Notify,
}

/// Reads the change log and hands batches to the router, in order and without gaps.
pub struct Reader {
    /// A direct connection; a pooler would lose its locks.
    pub config: Config,
    /// What the log's images are read by.
    pub catalog: Arc<CatalogStore>,
    /// Where batches go.
    pub router: Arc<Router>,
    /// What wakes it.
    pub wake: Arc<Wake>,
    /// The other servers, if there are any.
    pub relay: Option<Relay>,
    /// Whether what is shown follows the database.
    pub status: watch::Sender<Status>,
    /// When the leader was last heard of.
    pub heard: Instant,
    /// See [`SnapshotHook`].
    pub hook: Option<SnapshotHook>,
    /// See [`Sabotage`].
    pub sabotage: Option<Sabotage>,
}

/// One connection's worth of reading.
pub(super) struct Session {
    pub(super) log: LogReader,
    pub(super) attendance: Attendance,
    /// The epoch that is known to be this database's, and not that of one it was copied from.
    epoch: Option<String>,
    rows: RowReader,
}

impl Reader {
    /// Reads until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = RECONNECT_BACKOFF.0;
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return,
                ended = self.connect_and_read() => ended,
            };
            let Err(error) = ended;
            self.relay.iter().for_each(Relay::resign);
            if matches!(*self.status.borrow(), Status::Live) {
                tracing::warn!(%error, "lost the change log; reconnecting");
                backoff = RECONNECT_BACKOFF.0;
                let reason = "the database cannot be reached".to_owned();
                self.status.send_replace(Status::Stale {
                    since_micros: now_micros(),
                    reason,
                });
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(backoff) => {}
            }
            backoff = (backoff * 2).min(RECONNECT_BACKOFF.1);
        }
    }

    async fn connect_and_read(&mut self) -> Result<std::convert::Infallible, ReadError> {
        let (client, connection) = in_time(self.config.connect(NoTls)).await?;
        let driver = tokio::spawn(connection);
        let _abort = AbortOnDrop(driver.abort_handle());
        let log = in_time(LogReader::new(client)).await?;
        let mut session = Session {
            attendance: in_time(Attendance::new(log.client(), &self.router)).await?,
            log,
            epoch: None,
            rows: RowReader::default(),
        };
        self.catalog.reload().await?;
        self.read(&mut session, false).await?;
        self.status.send_replace(Status::Live);
        loop {
            let leads =
                self.relay.is_none() || in_time(take_leadership(session.log.client())).await?;
            if leads {
                self.lead(&mut session).await?;
            } else {
                self.follow(&mut session).await?;
            }
        }
    }

    /// Reads one batch and hands it on; says how many images it had, or `None` if nothing had changed.
    pub(super) async fn read(
        &self,
        session: &mut Session,
        publish: bool,
    ) -> Result<Option<usize>, ReadError> {
        let others = match &self.relay {
            Some(relay) if publish => relay.wanted(),
            _ => BTreeSet::new(),
        };
        let adjusted = session
            .attendance
            .adjust(session.log.client(), &self.router, &others);
        let beginning = in_time(adjusted).await?;
        if beginning.is_partial() {
            self.wake.requested.notify_one();
        }
        let batch = Arc::new(in_time(self.read_batch(session)).await?);
        let told = told_here(&batch, &beginning.unknown);
        let new = session.attendance.begun(beginning, &batch.next.snapshot);
        self.router.deliver(&told, &new);
        if publish && let Some(relay) = &self.relay {
            relay.publish(&batch);
        }
        in_time(session.log.commit()).await?;
        Ok((!batch.is_empty()).then(|| batch.sides()))
    }

    /// Opens the batch's transaction and reads it; the caller commits.
    async fn read_batch(&self, session: &mut Session) -> Result<Batch, ReadError> {
        let held = self.router.mark();
        let seen = held
            .as_ref()
            .map_or_else(everything, |mark| mark.snapshot.clone());
        let seen = self
            .sabotage
            .map_or(seen.clone(), |sabotage| sabotage.seen(&seen));
        let (log, entries) = session.log.begin(&seen, BATCH_SIDES_MAX).await?;
        let LogMark {
            snapshot,
            epoch,
            pruned,
        } = log;
        let Some(epoch) = epoch.filter(|epoch| session.epoch.as_ref() == Some(epoch)) else {
            session.log.commit().await?;
            let epoch = session.log.epoch().await?;
            tracing::info!(epoch, "follows this change log");
            session.epoch = Some(epoch);
            return Box::pin(self.read_batch(session)).await;
        };
        let next = Mark { epoch, snapshot };
        let reset = match &held {
            None => None,
            Some(held) if held.epoch != next.epoch => Some(ResetReason::EpochChanged),
            Some(held) if pruned.is_some_and(|pruned| !held.snapshot.covers(&pruned)) => {
                Some(ResetReason::HistoryExpired)
            }
            // Even naming the changed tables would take too long after a very large transaction.
            Some(_) if entries.is_none() => Some(ResetReason::TooManyChanges),
            Some(_) => None,
        };
        let prev = match (&held, reset) {
            (Some(held), None) => held.snapshot.clone(),
            _ => next.snapshot.clone(),
        };
        let mut tables = match entries {
            Some(entries) if reset.is_none() && held.is_some() => {
                self.read_tables(session, entries).await?
            }
            _ => HashMap::new(),
        };
        let untold = session.attendance.untold(&next.snapshot);
        if self.sabotage != Some(Sabotage::TrustWriters) {
            rebuild(&mut tables, untold);
        }
        let batch = Batch {
            prev,
            next,
            tables,
            complete: session.attendance.complete().clone(),
            reset,
        };
        if let Some(hook) = &self.hook
            && (!batch.is_empty() || held.is_none_or(|held| held != batch.next))
        {
            let exported = session.log.export_snapshot().await?;
            if !hook(exported, batch.next.snapshot.clone()).await {
                return Err(ReadError::Closed);
            }
        }
        Ok(batch)
    }

    async fn read_tables(
        &self,
        session: &mut Session,
        mut entries: Vec<LogEntry>,
    ) -> Result<HashMap<u32, TableBatch>, ReadError> {
        if entries.is_empty() {
            return Ok(HashMap::new());
        }
        if let Some(sabotage) = self.sabotage {
            sabotage.entries(&mut entries);
        }
        let catalog = self.catalog.current();
        let mut tables = by_table(entries, &catalog, session.attendance.complete());
        let completed = session.rows.complete(&session.log, &catalog, &mut tables);
        if let Err(error) = completed.await {
            let error = is_stale_catalog(error)?;
            tracing::info!(%error, "changed rows do not fit the catalogue");
            tables
                .values_mut()
                .for_each(|table| *table = Err(ResetReason::SchemaChanged));
        }
        if let Some(sabotage) = self.sabotage {
            let changes = tables.values_mut().filter_map(|table| table.as_mut().ok());
            changes.for_each(|changes| sabotage.current(changes));
        }
        if tables
            .values()
            .any(|table| matches!(table, Err(ResetReason::SchemaChanged)))
        {
            session.rows.clear();
            self.catalog.reload().await?;
        }
        let batch = |(oid, table): (u32, Result<TableChanges, ResetReason>)| {
            let batch = match (table, catalog.get(oid)) {
                (Ok(changes), Some(def)) => TableBatch::Changes {
                    layout: def.layout(),
                    changes: Arc::new(changes),
                },
                (Ok(_), None) => TableBatch::Rebuild(ResetReason::SchemaChanged),
                (Err(reason), _) => TableBatch::Rebuild(reason),
            };
            (oid, batch)
        };
        Ok(tables.into_iter().map(batch).collect())
    }
}

/// The batch as the tasks of this server are told it: some of those tables have windows here since before the connection
/// was lost that attended them.
fn told_here(batch: &Arc<Batch>, unknown: &[u32]) -> Arc<Batch> {
    if unknown.is_empty() {
        return batch.clone();
    }
    let mut told = Batch::clone(batch);
    rebuild(&mut told.tables, unknown.iter().copied());
    Arc::new(told)
}

/// Has the views of these tables built anew: not all that happened to them is known.
fn rebuild(tables: &mut HashMap<u32, TableBatch>, unknown: impl IntoIterator<Item = u32>) {
    for table in unknown {
        let is_rebuilt = matches!(tables.get(&table), Some(TableBatch::Rebuild(_)));
        if !is_rebuilt {
            tables.insert(table, TableBatch::Rebuild(ResetReason::HistoryExpired));
        }
    }
}

/// A snapshot that sees everything: before the first batch nothing is to be read.
pub(super) fn everything() -> Snapshot {
    Snapshot::new(u64::MAX, u64::MAX, [])
}

/// Microseconds since 1970 by this server's clock.
pub fn now_micros() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Errors that mean the catalogue is out of date are no reason to reconnect.
fn is_stale_catalog(error: LogError) -> Result<LogError, ReadError> {
    let is_stale = match &error {
        LogError::Decode(_) => true,
        LogError::Database(error) => error.code().is_some_and(|code| {
            // A lock timeout: the table is being altered.
            code.code().starts_with("42") || ["0A000", "55P03"].contains(&code.code())
        }),
        LogError::Unreadable(_) => false,
    };
    if is_stale {
        Ok(error)
    } else {
        Err(error.into())
    }
}

/// Gives up on a PostgreSQL that does not answer: a connection can fall silent without breaking.
pub(super) async fn in_time<T, E: Into<ReadError>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ReadError> {
    match timeout(READER_TIMEOUT, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(ReadError::Silent),
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{}", describe(.0))]
    Connection(#[from] tokio_postgres::Error),
    #[error("the catalogue cannot be read: {0}")]
    Catalog(#[from] sqlx::Error),
    #[error("PostgreSQL does not answer")]
    Silent,
    #[error("PostgreSQL has closed the connection")]
    Closed,
}
