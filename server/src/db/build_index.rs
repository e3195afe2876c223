//! Creating indexes without stopping writers: `CREATE INDEX CONCURRENTLY`, on a partitioned table partition by
//! partition.

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use tokio_util::sync::CancellationToken;

use super::indexes::{IndexDef, IndexInfo};
use crate::limits::{
    INDEX_BRIEF_LOCK, INDEX_CLEAN_UP_LOCK, INDEX_LOCK_PATIENCE, INDEX_PROGRESS_INTERVAL,
};

/// One statement of several that create an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Holds up nobody, and may take hours: the index is invalid until it ends, and if it fails.
    Concurrently {
        /// The statement.
        sql: String,
        /// The index, `schema.name`.
        index: String,
    },
    /// Is done in a moment, but waits for a lock that writers wait behind: it is given up soon, and tried
    /// again.
    Brief {
        /// The statement.
        sql: String,
        /// The index it creates, if it does, `schema.name`.
        index: Option<String>,
    },
}

impl Step {
    /// The statement.
    pub fn sql(&self) -> &str {
        match self {
            Self::Concurrently { sql, .. } | Self::Brief { sql, .. } => sql,
        }
    }
}

/// A table or partition.
struct Part {
    sql_name: String,
    /// Quoted, with a dot.
    schema: String,
    parent: Option<String>,
    is_leaf: bool,
}

/// The parts of a table, it first, parents before their partitions; a plain table is one leaf.
const PARTS: &str = "
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
       quote_ident(n.nspname) || '.' AS schema,
       (SELECT quote_ident(pn.nspname) || '.' || quote_ident(p.relname)
          FROM pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
         WHERE p.oid = tree.parent) AS parent,
       tree.is_leaf
  FROM (SELECT $1::int8::oid AS relid, NULL::oid AS parent, true AS is_leaf, 0 AS level
         WHERE (SELECT relkind FROM pg_class WHERE oid = $1::int8::oid) <> 'p'
        UNION ALL
        SELECT relid, CASE WHEN level > 0 THEN parentrelid END, isleaf, level
          FROM pg_partition_tree($1::int8::oid)
         WHERE (SELECT relkind FROM pg_class WHERE oid = $1::int8::oid) = 'p') AS tree
  JOIN pg_class c ON c.oid = tree.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY tree.level, n.nspname, c.relname";

/// The statements that create an index on a table (by its number).
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn steps(pool: &PgPool, table: u32, index: &IndexDef) -> Result<Vec<Step>, sqlx::Error> {
    let rows = sqlx::query(PARTS)
        .bind(i64::from(table))
        .fetch_all(pool)
        .await?;
    let part = |row: &sqlx::postgres::PgRow| {
        Ok(Part {
            sql_name: row.try_get("sql_name")?,
            schema: row.try_get("schema")?,
            parent: row.try_get("parent")?,
            is_leaf: row.try_get("is_leaf")?,
        })
    };
    let parts = rows
        .iter()
        .map(part)
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    Ok(steps_for(&parts, index))
}

/// The same as text: one statement, or several separated by semicolons.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn statements(
    pool: &PgPool,
    table: u32,
    index: &IndexDef,
) -> Result<String, sqlx::Error> {
    let steps = steps(pool, table, index).await?;
    let sql: Vec<&str> = steps.iter().map(Step::sql).collect();
    Ok(sql.join(";\n"))
}

fn steps_for(parts: &[Part], index: &IndexDef) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(extension) = index.extension {
        steps.push(Step::Brief {
            sql: format!("CREATE EXTENSION IF NOT EXISTS {extension}"),
            index: None,
        });
    }
    let named = |part: &Part| {
        let on = index.on(&part.sql_name);
        (format!("{}{}", part.schema, on.name()), on)
    };
    // An index has the schema of its table, so its name is written without.
    for part in parts.iter().filter(|part| part.is_leaf) {
        let (name, on) = named(part);
        steps.push(Step::Concurrently {
            sql: format!(
                "CREATE INDEX CONCURRENTLY {} ON {} {}",
                on.name(),
                on.table,
                on.definition()
            ),
            index: name,
        });
    }
    for part in parts.iter().filter(|part| !part.is_leaf) {
        let (name, on) = named(part);
        steps.push(Step::Brief {
            sql: format!(
                "CREATE INDEX {} ON ONLY {} {}",
                on.name(),
                on.table,
                on.definition()
            ),
            index: Some(name),
        });
    }
    // From the leaves up: a parent's index is valid once all of its partitions' are attached.
    for part in parts.iter().rev() {
        let parent = part
            .parent
            .as_ref()
            .and_then(|parent| parts.iter().find(|part| part.sql_name == *parent));
        if let Some(parent) = parent {
            steps.push(Step::Brief {
                sql: format!(
                    "ALTER INDEX {} ATTACH PARTITION {}",
                    named(parent).0,
                    named(part).0
                ),
                index: None,
            });
        }
    }
    steps
}

/// How far the creation of an index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// What PostgreSQL is doing, in its words.
    pub phase: String,
    /// Steps done of the phase.
    pub done: u64,
    /// Steps of the phase; 0 if it has none.
    pub total: u64,
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
    cancel: &CancellationToken,
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
        let is_concurrent = matches!(step, Step::Concurrently { .. });
        let outcome = builder.step(step, &mut created, cancel, &mut tell).await;
        if let Err(error) = outcome {
            let left = builder.clean_up(&created).await;
            if cancel.is_cancelled() {
                return Err(BuildError::Cancelled { left });
            }
            let message = match error.as_database_error() {
                Some(error) if error.code().as_deref() == Some("55P03") && is_concurrent => {
                    "a transaction that is still open kept it from going on".to_owned()
                }
                Some(error) => error.message().to_owned(),
                None => error.to_string(),
            };
            return Err(BuildError::Failed { message, left });
        }
    }
    Ok(())
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
        let (index, patience) = match step {
            Step::Concurrently { index, .. } => (Some(index), INDEX_LOCK_PATIENCE),
            Step::Brief { index, .. } => (index.as_ref(), INDEX_BRIEF_LOCK),
        };
        let limit = format!("SET lock_timeout = '{} ms'", patience.as_millis());
        self.connection.execute(AssertSqlSafe(limit)).await?;
        if let Some(index) = index {
            match self.is_valid(index).await? {
                Some(true) => return Ok(()),
                Some(false) => {
                    self.refuse_if_created(index).await?;
                    self.run(&drop_sql(step, index), cancel, tell).await?;
                }
                None => {}
            }
        }
        if index.is_some() {
            created.push(step.clone());
        }
        let deadline = tokio::time::Instant::now() + INDEX_LOCK_PATIENCE;
        loop {
            let done = self.run(step.sql(), cancel, tell).await;
            let is_locked = matches!(step, Step::Brief { .. })
                && done.as_ref().is_err_and(|error| sqlstate(error, "55P03"));
            if !is_locked || cancel.is_cancelled() || tokio::time::Instant::now() > deadline {
                return done;
            }
            // Whoever waits behind us may go on first.
            tokio::time::sleep(INDEX_PROGRESS_INTERVAL).await;
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
        let mut ticks = tokio::time::interval(INDEX_PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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

    async fn is_valid(&mut self, index: &str) -> Result<Option<bool>, sqlx::Error> {
        let sql = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
        let row = sqlx::query(sql).bind(index);
        let row = row.fetch_optional(&mut self.connection).await?;
        row.map(|row| row.try_get(0)).transpose()
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

    /// Drops what was created; says what is left.
    async fn clean_up(&mut self, created: &[Step]) -> String {
        let mut left = Vec::new();
        let limit = format!(
            "SET lock_timeout = '{} ms'",
            INDEX_CLEAN_UP_LOCK.as_millis()
        );
        let ready = self.connection.execute(AssertSqlSafe(limit)).await.is_ok();
        // Partitions last: they go with what they are attached to.
        for step in created.iter().rev() {
            let (Step::Concurrently { index, .. }
            | Step::Brief {
                index: Some(index), ..
            }) = step
            else {
                continue;
            };
            let sql = drop_sql(step, index);
            if !ready || self.connection.execute(AssertSqlSafe(sql)).await.is_err() {
                left.push(index.as_str());
            }
        }
        if left.is_empty() {
            return "nothing of it is left".to_owned();
        }
        format!(
            "these are left, and should be dropped (`rowcast index drop-invalid`): {}",
            left.join(", ")
        )
    }
}

fn drop_sql(step: &Step, index: &str) -> String {
    let concurrently = match step {
        Step::Concurrently { .. } => "CONCURRENTLY ",
        Step::Brief { .. } => "",
    };
    format!("DROP INDEX {concurrently}IF EXISTS {index}")
}

fn sqlstate(error: &sqlx::Error, code: &str) -> bool {
    let error = error.as_database_error();
    error.and_then(|error| error.code()).as_deref() == Some(code)
}

async fn cancel_backend(pool: &PgPool, pid: i32) {
    let cancel = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
    if let Err(error) = cancel.execute(pool).await {
        tracing::debug!(%error, "the creation of an index could not be cancelled yet");
    }
}

/// How far the index is that a backend creates.
async fn progress(pool: &PgPool, pid: i32) -> Result<Option<BuildProgress>, sqlx::Error> {
    let sql = "SELECT phase, current_locker_pid, lockers_total, lockers_done, blocks_total, blocks_done, \
               tuples_total, tuples_done FROM pg_stat_progress_create_index WHERE pid = $1";
    let row = sqlx::query(sql).bind(pid).fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let mut phase: String = row.try_get("phase")?;
    let number = |name: &str| -> Result<u64, sqlx::Error> {
        let number: Option<i64> = row.try_get(name)?;
        Ok(u64::try_from(number.unwrap_or(0)).unwrap_or(0))
    };
    let unit = if phase.starts_with("waiting") {
        "lockers"
    } else if number("blocks_total")? > 0 && number("tuples_total")? == 0 {
        "blocks"
    } else {
        "tuples"
    };
    let locker = number("current_locker_pid")?;
    if unit == "lockers" && locker > 0 {
        phase.push_str(&format!(" (process {locker})"));
    }
    Ok(Some(BuildProgress {
        phase,
        done: number(&format!("{unit}_done"))?,
        total: number(&format!("{unit}_total"))?,
    }))
}

/// Drops an index that is not valid, if it still is not and nobody creates it.
///
/// # Errors
/// If PostgreSQL refuses.
pub async fn drop_invalid(pool: &PgPool, index: &IndexInfo) -> Result<(), sqlx::Error> {
    let mut builder = Builder::connect(pool).await?;
    if builder.is_valid(&index.sql_name).await? != Some(false) {
        return Ok(());
    }
    builder.refuse_if_created(&index.sql_name).await?;
    let limit = format!(
        "SET lock_timeout = '{} ms'",
        INDEX_LOCK_PATIENCE.as_millis()
    );
    builder.connection.execute(AssertSqlSafe(limit)).await?;
    let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index.sql_name);
    builder
        .connection
        .execute(AssertSqlSafe(sql))
        .await
        .map(drop)
}
