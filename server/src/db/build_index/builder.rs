//! Running the statements that create an index, to their end or back to their beginning.

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::progress::{BuildProgress, progress};
use super::steps::Step;
use crate::db::indexes::IndexInfo;
use crate::limits::{
    INDEX_BRIEF_LOCK, INDEX_CLEAN_UP_HURRY, INDEX_LOCK_PATIENCE, INDEX_PROGRESS_INTERVAL,
};

/// How the creation of an index is stopped.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// It ends, and what was created is dropped, however long that has to wait.
    pub cancel: CancellationToken,
    /// Dropping it must not take long either: the program ends.
    pub hurry: CancellationToken,
}

/// Why an index was not created.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// PostgreSQL cannot be asked.
    #[error("the database cannot be reached: {0}")]
    Database(#[from] sqlx::Error),
    /// It was to be stopped.
    #[error("stopped; {left}")]
    Cancelled {
        /// What is left of it.
        left: String,
    },
    /// PostgreSQL refused, or gave up.
    #[error("PostgreSQL did not create the index: {message}; {left}")]
    Failed {
        /// PostgreSQL's reason.
        message: String,
        /// What is left of it.
        left: String,
    },
}

/// Creates an index, step by step, on a connection of its own. If that fails or is cancelled, what was created so
/// far is dropped again. `tell` hears how far it is, now and then.
///
/// # Errors
/// [`BuildError`]; it names what could not be dropped.
pub async fn build(
    pool: &PgPool,
    steps: &[Step],
    stop: &Stop,
    mut tell: impl FnMut(BuildProgress) + Send,
) -> Result<(), BuildError> {
    let mut builder = Builder::connect(pool).await?;
    let mut created = Vec::new();
    let count = steps.len();
    for (nth, step) in (1..).zip(steps) {
        let mut tell = |mut progress: BuildProgress| {
            if count > 1 {
                progress.phase = format!("step {nth} of {count}: {}", progress.phase);
            }
            tell(progress);
        };
        let outcome = builder.step(step, &mut created, &stop.cancel, &mut tell);
        let Err(error) = outcome.await else { continue };
        let mut tell = |mut progress: BuildProgress| {
            progress.phase = format!("dropping what was created: {}", progress.phase);
            tell(progress);
        };
        let left = builder.clean_up(&created, &stop.hurry, &mut tell).await;
        if stop.cancel.is_cancelled() {
            return Err(BuildError::Cancelled { left });
        }
        let message = match error.as_database_error() {
            Some(_) if is_lock_timeout(&error) => {
                "a transaction that is still open kept it from going on".to_owned()
            }
            Some(error) => error.message().to_owned(),
            None => error.to_string(),
        };
        return Err(BuildError::Failed { message, left });
    }
    builder.prove(steps).await
}

/// A connection that creates indexes.
struct Builder {
    pool: PgPool,
    connection: PgConnection,
    /// Its backend's process.
    pid: i32,
}

impl Builder {
    async fn connect(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let options = pool.connect_options().as_ref().clone();
        let mut connection = options.connect().await?;
        let row = sqlx::query("SELECT pg_backend_pid()");
        let pid = row.fetch_one(&mut connection).await?.try_get(0)?;
        connection.execute("SET statement_timeout = 0").await?;
        Ok(Self {
            pool: pool.clone(),
            connection,
            pid,
        })
    }

    async fn step(
        &mut self,
        step: &Step,
        created: &mut Vec<Step>,
        cancel: &CancellationToken,
        tell: &mut (impl FnMut(BuildProgress) + Send),
    ) -> Result<(), sqlx::Error> {
        if let Some(index) = step.index() {
            match self.is_valid(index).await? {
                Some(true) => return Ok(()),
                // A partitioned table's index is not valid until those of all its partitions are attached.
                Some(false) if step.is_brief() => return Ok(()),
                Some(false) => {
                    self.refuse_if_created(index).await?;
                    if let Some(undo) = step.undo() {
                        self.patiently(&undo, cancel, tell).await?;
                    }
                }
                None => {}
            }
            created.push(step.clone());
        }
        self.patiently(step, cancel, tell).await
    }

    /// Runs a step's statement until it has had the locks it needs. One that others wait behind gives way to
    /// them again and again.
    async fn patiently(
        &mut self,
        step: &Step,
        cancel: &CancellationToken,
        tell: &mut (impl FnMut(BuildProgress) + Send),
    ) -> Result<(), sqlx::Error> {
        let patience = if step.is_brief() {
            INDEX_BRIEF_LOCK
        } else {
            INDEX_LOCK_PATIENCE
        };
        self.set_lock_timeout(patience).await?;
        let deadline = Instant::now() + INDEX_LOCK_PATIENCE;
        loop {
            let done = self.run(step.sql(), cancel, tell).await;
            let is_over = match &done {
                Ok(()) => true,
                Err(error) => !step.is_brief() || !is_lock_timeout(error),
            };
            if is_over || cancel.is_cancelled() || Instant::now() > deadline {
                return done;
            }
            // Whoever waits behind us may go on first.
            sleep(INDEX_PROGRESS_INTERVAL).await;
        }
    }

    /// Runs a statement to its end, which is soon if it is cancelled.
    async fn run(
        &mut self,
        sql: &str,
        cancel: &CancellationToken,
        tell: &mut (impl FnMut(BuildProgress) + Send),
    ) -> Result<(), sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection);
        tokio::pin!(statement);
        let mut ticks = interval(INDEX_PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            tokio::select! {
                done = &mut statement => return done.map(drop),
                () = cancel.cancelled(), if !stopping => {
                    stopping = true;
                    cancel_backend(&self.pool, self.pid).await;
                }
                _ = ticks.tick() => {
                    if stopping {
                        // The first may have come before the statement.
                        cancel_backend(&self.pool, self.pid).await;
                    } else if let Ok(Some(progress)) = progress(&self.pool, self.pid).await {
                        tell(progress);
                    }
                }
            }
        }
    }

    async fn set_lock_timeout(&mut self, limit: std::time::Duration) -> Result<(), sqlx::Error> {
        let sql = format!("SET lock_timeout = '{} ms'", limit.as_millis());
        self.connection.execute(AssertSqlSafe(sql)).await.map(drop)
    }

    async fn is_valid(&mut self, index: &str) -> Result<Option<bool>, sqlx::Error> {
        let sql = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
        let row = sqlx::query(sql).bind(index);
        let row = row.fetch_optional(&mut self.connection).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Fails if a partitioned table's index is not valid although those of its partitions are attached: somebody
    /// else has changed the partitions meanwhile.
    async fn prove(&mut self, steps: &[Step]) -> Result<(), BuildError> {
        let brief = steps.iter().filter(|step| step.is_brief());
        for index in brief.filter_map(Step::index) {
            if self.is_valid(index).await? != Some(true) {
                return Err(BuildError::Failed {
                    message: format!(
                        "{index} is not valid, since its partitions are others by now"
                    ),
                    left: "the indexes of the partitions are there".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Fails if an index that is not valid is one that somebody creates.
    async fn refuse_if_created(&mut self, index: &str) -> Result<(), sqlx::Error> {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index \
                   WHERE index_relid = to_regclass($1))";
        let row = sqlx::query(sql).bind(index).fetch_one(&mut self.connection);
        if row.await?.try_get(0)? {
            let message = format!("{index} is being created by somebody else");
            return Err(sqlx::Error::Protocol(message));
        }
        Ok(())
    }

    /// Drops what was created; says what is left. Waits for transactions that may use it, but not for long once
    /// there is no time.
    async fn clean_up(
        &mut self,
        created: &[Step],
        hurry: &CancellationToken,
        tell: &mut (impl FnMut(BuildProgress) + Send),
    ) -> String {
        let give_up = CancellationToken::new();
        let left = {
            let dropping = self.drop_all(created, &give_up, tell);
            tokio::pin!(dropping);
            let too_late = async {
                hurry.cancelled().await;
                sleep(INDEX_CLEAN_UP_HURRY).await;
            };
            tokio::select! {
                left = &mut dropping => left,
                () = too_late => {
                    give_up.cancel();
                    dropping.await
                }
            }
        };
        if left.is_empty() {
            return "nothing of it is left".to_owned();
        }
        format!(
            "these are left, and should be dropped (`rowcast index drop-invalid`): {}",
            left.join(", ")
        )
    }

    /// Drops the indexes that steps created, until it is to give up; those that are left.
    async fn drop_all(
        &mut self,
        created: &[Step],
        give_up: &CancellationToken,
        tell: &mut (impl FnMut(BuildProgress) + Send),
    ) -> Vec<String> {
        // The partitioned ones first, from the root down: what is attached to an index goes with it, and cannot go
        // without it.
        let (brief, concurrent): (Vec<&Step>, Vec<&Step>) =
            created.iter().partition(|step| step.is_brief());
        let mut left = Vec::new();
        for undo in brief.into_iter().chain(concurrent).filter_map(Step::undo) {
            let gone =
                !give_up.is_cancelled() && self.patiently(&undo, give_up, tell).await.is_ok();
            if !gone {
                left.extend(undo.index().map(str::to_owned));
            }
        }
        left
    }
}

/// Whether a statement waited too long for others.
fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.and_then(|error| error.code()).as_deref() == Some("55P03")
}

async fn cancel_backend(pool: &PgPool, pid: i32) {
    let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
    if let Err(error) = cancel.execute(pool).await {
        tracing::debug!(%error, "the creation of an index could not be cancelled yet");
    }
}

/// Drops an index that is not valid, if it still is not and nobody creates it.
///
/// # Errors
/// If PostgreSQL refuses.
pub async fn drop_invalid(
    pool: &PgPool,
    index: &IndexInfo,
    cancel: &CancellationToken,
    mut tell: impl FnMut(BuildProgress) + Send,
) -> Result<(), sqlx::Error> {
    let mut builder = Builder::connect(pool).await?;
    if builder.is_valid(&index.sql_name).await? != Some(false) {
        return Ok(());
    }
    builder.refuse_if_created(&index.sql_name).await?;
    let drop = Step::drop(&index.sql_name, index.is_partitioned);
    builder.patiently(&drop, cancel, &mut tell).await
}
