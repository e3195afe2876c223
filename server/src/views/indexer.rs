//! Creating the index that a view is advised to have, for administrators: one at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocol::{ErrorCode, IndexState, ViewSpec};
use sqlx::postgres::PgPool;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::advice::Advisor;
use super::answers::Answers;
use super::engine::Engine;
use super::plan::{Plan, Refusal};
use super::table::Command;
use crate::admin::AdminToken;
use crate::db::build_index::{BuildError, BuildProgress, Step, Stop, build, steps};
use crate::db::catalog::TableDef;
use crate::limits::{INDEX_BUILDS_REMEMBERED, NAME_BYTES_MAX};

/// Creates indexes for administrators.
#[derive(Debug)]
pub struct Indexer {
    pool: PgPool,
    advisor: Arc<Advisor>,
    token: Option<AdminToken>,
    /// The last one may go on; those before it are over. The oldest first.
    builds: Mutex<VecDeque<Arc<IndexBuild>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An index that is being created, or was.
#[derive(Debug)]
pub struct IndexBuild {
    /// Told to nobody who may not stop it.
    pub id: u64,
    /// The index's name.
    pub name: String,
    /// Its table, `schema.table`, quoted where SQL needs it.
    pub table: String,
    /// The statements.
    pub sql: String,
    /// How far it is; ends with done or failed.
    pub state: watch::Receiver<IndexState>,
    cancel: CancellationToken,
}

impl IndexBuild {
    /// Stops it, if it goes on.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether it is to be stopped, or was.
    pub fn is_stopping(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        is_last(&self.state.borrow())
    }
}

/// Why an index is not being created.
#[derive(Debug)]
pub enum Refused {
    /// What was asked for makes no sense, or is not advised.
    Request(Refusal),
    /// This one is being created, or what there was of it is being dropped.
    Busy(Arc<IndexBuild>),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Request(refusal)
    }
}

impl Refused {
    /// The refusal as a socket is told of it.
    pub fn into_refusal(self) -> Refusal {
        match self {
            Self::Request(refusal) => refusal,
            Self::Busy(build) => refusal(ErrorCode::RateLimited, busy(&build)),
        }
    }
}

/// What is said to those who must wait for another index.
pub fn busy(build: &IndexBuild) -> String {
    let name = &build.name;
    if build.is_stopping() {
        format!("the creation of {name} is being stopped; wait until that is over")
    } else {
        format!("{name} is being created; wait for it, or stop it")
    }
}

/// Whether nothing comes after it.
pub fn is_last(state: &IndexState) -> bool {
    !matches!(state, IndexState::Running { .. })
}

fn refusal(code: ErrorCode, message: impl Into<String>) -> Refusal {
    Refusal {
        code,
        message: message.into(),
    }
}

/// PostgreSQL cannot be asked.
pub(super) fn unavailable(error: &sqlx::Error) -> Refusal {
    tracing::debug!(%error, "a view cannot be considered");
    let message = "the database cannot be reached now; try again in a moment";
    refusal(ErrorCode::DatabaseUnavailable, message)
}

impl Indexer {
    /// One that obeys those who present the token; nobody without one. What it creates ends with `stop`.
    pub fn new(
        pool: PgPool,
        advisor: Arc<Advisor>,
        token: Option<AdminToken>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            pool,
            advisor,
            token,
            builds: Mutex::default(),
            tasks,
            stop,
        }
    }

    /// Checks that somebody may create indexes.
    ///
    /// # Errors
    /// If the token is wrong, or there is none.
    pub fn authorize(&self, presented: &str) -> Result<(), Refusal> {
        match &self.token {
            Some(token) if token.is(presented) => Ok(()),
            Some(_) => Err(refusal(ErrorCode::Forbidden, "this is not the admin token")),
            None => Err(refusal(
                ErrorCode::Forbidden,
                "this server creates no indexes: start it with ROWCAST_ADMIN_TOKEN (or \
                 ROWCAST_ADMIN_TOKEN_FILE), or run `rowcast index create`",
            )),
        }
    }

    /// Whether anybody may create indexes.
    pub fn takes_tokens(&self) -> bool {
        self.token.is_some()
    }

    /// Begins to create the index that a view is advised to have, if it has this name; one that is being created
    /// already is joined. It goes on without whoever asked for it.
    ///
    /// # Errors
    /// If the view makes no sense, is advised to have another index, or another one is being created.
    pub async fn create(
        &self,
        engine: &Engine,
        spec: &ViewSpec,
        name: &str,
    ) -> Result<Arc<IndexBuild>, Refused> {
        if name.len() > NAME_BYTES_MAX {
            let message = format!("an index is called by at most {NAME_BYTES_MAX} bytes");
            return Err(refusal(ErrorCode::StaleAdvice, message).into());
        }
        if let Some(build) = joined(&self.lock(), name)? {
            return Ok(build);
        }
        let found = engine.table(&spec.table).await;
        let table = found.map_err(|error| unavailable(&error))?.ok_or_else(|| {
            let message = format!("no table is called {:?}", spec.table);
            refusal(ErrorCode::UnknownTable, message)
        })?;
        let plan = Plan::new(spec, &table, &mut Answers::default(), &self.pool).await?;
        self.advisor.forget(table.oid);
        let considered = self.advisor.consider(&table, &plan, spec).await;
        let considered = considered.map_err(|error| unavailable(&error))?;
        let index = considered.suggested.index.as_ref();
        let Some(index) = index.filter(|index| index.name() == name) else {
            let now = match index {
                Some(index) => format!("it is advised to have {} by now", index.name()),
                None => "no index is suggested for it (any more)".to_owned(),
            };
            let message = format!("{name:?} is not what this view is advised to have: {now}");
            return Err(refusal(ErrorCode::StaleAdvice, message).into());
        };
        let steps = steps(&self.pool, table.oid, index).await;
        let steps = steps.map_err(|error| unavailable(&error))?;
        let commands = engine.commands(&table);
        self.begin(name, &table, steps, commands)
    }

    /// The index builds that are remembered, the newest first.
    pub fn builds(&self) -> Vec<Arc<IndexBuild>> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<IndexBuild>>> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(
        &self,
        name: &str,
        table: &TableDef,
        steps: Vec<Step>,
        commands: mpsc::Sender<Command>,
    ) -> Result<Arc<IndexBuild>, Refused> {
        let mut builds = self.lock();
        if let Some(build) = joined(&builds, name)? {
            return Ok(build);
        }
        let (told, state) = watch::channel(IndexState::Running {
            phase: "starting".to_owned(),
            done: 0,
            total: 0,
        });
        let stop = Stop {
            cancel: self.stop.child_token(),
            hurry: self.stop.clone(),
        };
        let sql: Vec<&str> = steps.iter().map(Step::sql).collect();
        let build = Arc::new(IndexBuild {
            id: rand::random(),
            name: name.to_owned(),
            table: table.sql_name.clone(),
            sql: sql.join(";\n"),
            state,
            cancel: stop.cancel.clone(),
        });
        if builds.len() >= INDEX_BUILDS_REMEMBERED {
            builds.pop_front();
        }
        builds.push_back(build.clone());
        drop(builds);
        let (pool, advisor, oid) = (self.pool.clone(), self.advisor.clone(), table.oid);
        let name = name.to_owned();
        self.tasks.spawn(async move {
            tracing::info!(index = name, "creating an index");
            let last = create(&pool, &steps, &stop, &told).await;
            tracing::info!(index = name, state = ?last, "an index was created, or not");
            advisor.forget(oid);
            told.send_replace(last);
            drop(commands.send(Command::Readvise).await);
        });
        Ok(build)
    }
}

/// The index of this name, if it is being created; none, if none is.
fn joined(
    builds: &VecDeque<Arc<IndexBuild>>,
    name: &str,
) -> Result<Option<Arc<IndexBuild>>, Refused> {
    match builds.back().filter(|build| !build.is_over()) {
        None => Ok(None),
        Some(build) if build.name == name && !build.is_stopping() => Ok(Some(build.clone())),
        Some(build) => Err(Refused::Busy(build.clone())),
    }
}

/// Creates the index; the last thing to be told of it.
async fn create(
    pool: &PgPool,
    steps: &[Step],
    stop: &Stop,
    told: &watch::Sender<IndexState>,
) -> IndexState {
    let began = Instant::now();
    let tell = |progress: BuildProgress| {
        let now = IndexState::Running {
            phase: progress.phase,
            done: progress.done,
            total: progress.total,
        };
        told.send_if_modified(|state| {
            *state != now && {
                *state = now;
                true
            }
        });
    };
    let error = match build(pool, steps, stop, tell).await {
        Ok(()) => {
            return IndexState::Done {
                millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            };
        }
        Err(error) => error,
    };
    let code = match error {
        BuildError::Database(_) => ErrorCode::DatabaseUnavailable,
        BuildError::Cancelled { .. } => ErrorCode::Cancelled,
        BuildError::Failed { .. } => ErrorCode::IndexFailed,
    };
    IndexState::Failed {
        code,
        message: error.to_string(),
    }
}
