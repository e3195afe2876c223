//! Creating the index that a view is advised to have, for administrators: one at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use protocol::{ErrorCode, IndexState, ViewSpec};
use sqlx::postgres::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::advice::Advisor;
use super::answers::Answers;
use super::engine::Engine;
use super::plan::{Plan, Refusal};
use super::table::Command;
use crate::admin::AdminToken;
use crate::db::build_index::{BuildError, Step, build, steps};
use crate::db::catalog::TableDef;

/// Creates indexes for administrators.
#[derive(Debug)]
pub struct Indexer {
    pool: PgPool,
    advisor: Arc<Advisor>,
    token: Option<AdminToken>,
    running: Mutex<Option<Arc<Running>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An index that is being created, or was.
#[derive(Debug)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// How far it is; ends with done or failed.
    pub state: watch::Receiver<IndexState>,
    cancel: CancellationToken,
}

impl Running {
    /// Stops it, if it goes on.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        is_last(&self.state.borrow())
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

fn unavailable(error: &sqlx::Error) -> Refusal {
    tracing::debug!(%error, "an index cannot be prepared");
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
            running: Mutex::default(),
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
    ) -> Result<Arc<Running>, Refusal> {
        if let Some(running) = self.running(name)? {
            return Ok(running);
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
            let message = format!("{name} is not what this view is advised to have: {now}");
            return Err(refusal(ErrorCode::StaleAdvice, message));
        };
        let steps = steps(&self.pool, table.oid, index).await;
        let steps = steps.map_err(|error| unavailable(&error))?;
        let commands = engine.commands(&table);
        self.begin(name, &table, steps, commands)
    }

    /// The index of this name, if it is being created.
    fn running(&self, name: &str) -> Result<Option<Arc<Running>>, Refusal> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.as_ref().filter(|running| !running.is_over()) {
            Some(running) if running.name == name => Ok(Some(running.clone())),
            Some(running) => {
                let message = format!("{} is being created; wait for it", running.name);
                Err(refusal(ErrorCode::RateLimited, message))
            }
            None => Ok(None),
        }
    }

    fn begin(
        &self,
        name: &str,
        table: &Arc<TableDef>,
        steps: Vec<Step>,
        commands: tokio::sync::mpsc::Sender<Command>,
    ) -> Result<Arc<Running>, Refusal> {
        if let Some(running) = self.running(name)? {
            return Ok(running);
        }
        let (told, state) = watch::channel(IndexState::Running {
            phase: "starting".to_owned(),
            done: 0,
            total: 0,
        });
        let cancel = self.stop.child_token();
        let running = Arc::new(Running {
            name: name.to_owned(),
            state,
            cancel: cancel.clone(),
        });
        let mut slot = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(running.clone());
        drop(slot);
        let (pool, advisor, oid) = (self.pool.clone(), self.advisor.clone(), table.oid);
        let name = name.to_owned();
        self.tasks.spawn(async move {
            tracing::info!(index = name, "creating an index");
            let last = create(&pool, &steps, &cancel, &told).await;
            tracing::info!(index = name, state = ?last, "an index was created, or not");
            advisor.forget(oid);
            told.send_replace(last);
            drop(commands.send(Command::Readvise).await);
        });
        Ok(running)
    }
}

/// Creates the index; the last thing to be told of it.
async fn create(
    pool: &PgPool,
    steps: &[Step],
    cancel: &CancellationToken,
    told: &watch::Sender<IndexState>,
) -> IndexState {
    let began = Instant::now();
    let tell = |progress: crate::db::build_index::BuildProgress| {
        told.send_replace(IndexState::Running {
            phase: progress.phase,
            done: progress.done,
            total: progress.total,
        });
    };
    let error = match build(pool, steps, cancel, tell).await {
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
