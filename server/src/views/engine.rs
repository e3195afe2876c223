//! The engine: everything between the change log and the sessions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{Advice, ErrorCode, Status, TableInfo, ViewSpec};
use sqlx::postgres::PgPool;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::advice::Advisor;
use super::answers::Answers;
use super::budget::Budget;
use super::catalog_store::CatalogStore;
use super::clock::Clock;
use super::indexer::{Indexer, unavailable};
use super::plan::{Plan, Refusal};
use super::polled::lanes::Lanes;
use super::table::{Command, Surroundings};
use super::turn::{Turn, serve};
use crate::admin::AdminToken;
use crate::changes::Sabotage;
use crate::changes::housekeeping::keep_house;
use crate::changes::listener::listen;
use crate::changes::reader::{Reader, SnapshotHook, Wake, now_micros};
use crate::db::catalog::TableDef;
use crate::db::log::database_identity;
use crate::db::timeouts::Timeouts;
use crate::fanout::{Relay, Router};
use crate::limits::{CHARTS_MAX, COUNT_SHARE, EDIT_SHARE, FETCH_SHARE, TABLE_COMMAND_QUEUE};

/// What the engine runs on.
#[derive(Clone)]
pub struct EngineOptions {
    /// For everything but the change log.
    pub pool: PgPool,
    /// For tables that are not live.
    pub polls: PgPool,
    /// A direct connection (no pooler between) for LISTEN and the change log.
    pub direct: tokio_postgres::Config,
    /// Where the other servers are reached; `None` if this is the only one.
    pub redis_url: Option<String>,
    /// The pause at which tables are polled that are not live.
    pub poll_interval: Duration,
    /// Memory for the views' divisions, in MiB.
    pub view_memory_mib: u32,
    /// What a view may cost before a client must say that it is meant, in the planner's units; 0 for anything.
    pub expensive_cost: u64,
    /// Who presents it may create indexes.
    pub admin_token: Option<AdminToken>,
    /// How long queries may take, as the pool's connections have it.
    pub timeouts: Timeouts,
    /// For tests.
    pub hook: Option<SnapshotHook>,
    /// For relative dates.
    pub clock: Clock,
    /// How long views are kept that nobody shows.
    pub view_idle: Duration,
    /// For tests of the tests.
    pub sabotage: Option<Sabotage>,
}

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// PostgreSQL cannot be asked.
    #[error("the database cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// The address is not one of Redis.
    #[error("REDIS_URL is not an address of Redis: {0}")]
    Redis(#[from] redis::RedisError),
}

/// Everything between the change log and the sessions. Cheap to share.
#[derive(Debug)]
pub struct Engine {
    around: Surroundings,
    indexer: Indexer,
    status: watch::Receiver<Status>,
    /// Whether Redis is there; `None` if it is not used.
    redis: Option<watch::Receiver<bool>>,
    /// Room for edits in the pool.
    edits: Arc<Semaphore>,
    tables: Mutex<HashMap<u32, mpsc::Sender<Command>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A share of the pool's connections.
fn room(pool: &PgPool, share: u32) -> Arc<Semaphore> {
    let size = pool.options().get_max_connections() / share;
    Arc::new(Semaphore::new(usize::try_from(size).unwrap_or(1).max(1)))
}

fn advisor(options: &EngineOptions, budget: &Budget) -> Advisor {
    let listed_max = budget.listed_max();
    Advisor::new(options.pool.clone(), options.expensive_cost, listed_max)
}

/// The way to the other servers, and whether Redis is there; `None` if this is the only one.
async fn relay(
    options: &EngineOptions,
    router: &Arc<Router>,
    stop: &CancellationToken,
) -> Result<Option<(Relay, watch::Receiver<bool>)>, EngineError> {
    let Some(url) = &options.redis_url else {
        return Ok(None);
    };
    // The number is that of the messages' format: servers of another one are not understood.
    let channel = format!("rowcast.2.{}", database_identity(&options.pool).await?);
    let (connected, redis) = watch::channel(false);
    let relay = Relay::start(url, channel, router.clone(), connected, stop)?;
    Ok(Some((relay, redis)))
}

impl Engine {
    /// Starts reading the change log; ends when `stop` is cancelled. Its tasks are tracked by `tasks`.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub async fn start(
        options: EngineOptions,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, EngineError> {
        let budget = Budget::new(options.view_memory_mib as usize * (1 << 20));
        let advisor = Arc::new(advisor(&options, &budget));
        let catalog = Arc::new(CatalogStore::new(
            options.pool.clone(),
            options.poll_interval,
        ));
        catalog.reload().await?;
        let (wake, router) = (Arc::new(Wake::default()), Arc::new(Router::default()));
        let (relay, redis) = relay(&options, &router, &stop).await?.unzip();
        let starting = Status::Stale {
            since_micros: now_micros(),
            reason: "connecting to the database".to_owned(),
        };
        let (status, status_seen) = watch::channel(starting);
        let reader = Reader {
            config: options.direct.clone(),
            catalog: catalog.clone(),
            router: router.clone(),
            wake: wake.clone(),
            relay,
            heard: Instant::now(),
            status,
            hook: options.hook.clone(),
            sabotage: options.sabotage,
        };
        tasks.spawn(listen(options.direct, wake.notified.clone(), stop.clone()));
        tasks.spawn(reader.run(stop.clone()));
        tasks.spawn(keep_house(options.pool.clone(), stop.clone()));
        Ok(Arc::new(Self {
            indexer: Indexer::new(
                options.pool.clone(),
                advisor.clone(),
                options.admin_token,
                tasks.clone(),
                stop.clone(),
            ),
            edits: room(&options.pool, EDIT_SHARE),
            around: Surroundings {
                timeouts: options.timeouts,
                advisor,
                fetches: room(&options.pool, FETCH_SHARE),
                counts: room(&options.pool, COUNT_SHARE),
                charts: Arc::new(Semaphore::new(CHARTS_MAX)),
                lanes: Arc::new(Lanes::new(options.polls, options.hook)),
                budget: Arc::new(budget),
                pool: options.pool,
                catalog,
                router,
                wake,
                clock: options.clock,
                view_idle: options.view_idle,
                sabotage: options.sabotage,
            },
            status: status_seen,
            redis,
            tables: Mutex::default(),
            tasks,
            stop,
        }))
    }

    /// Whether what is shown follows the database.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Whether Redis is there; `None` if it is not used.
    pub fn redis(&self) -> Option<bool> {
        self.redis.as_ref().map(|connected| *connected.borrow())
    }

    /// What the divisions of all views take.
    pub fn budget(&self) -> &Budget {
        &self.around.budget
    }

    /// Creates indexes.
    pub fn indexer(&self) -> &Indexer {
        &self.indexer
    }

    /// Memory that the divisions of all views take, in bytes.
    pub fn division_bytes(&self) -> usize {
        self.around.budget.bytes()
    }

    /// For edits.
    pub fn pool(&self) -> &PgPool {
        &self.around.pool
    }

    /// Room for queries of rows in the pool.
    pub fn fetches(&self) -> Arc<Semaphore> {
        self.around.fetches.clone()
    }

    /// What a view means, for a query that needs no view of the table's task.
    ///
    /// # Errors
    /// [`Refusal`] if the request makes no sense for this table, or the view is expensive and that
    /// was not said to be meant.
    pub async fn plan(
        &self,
        table: &TableDef,
        view: &ViewSpec,
        allow_expensive: bool,
    ) -> Result<Plan, Refusal> {
        let mut answers = Answers::new(self.around.clock.clone());
        let plan = Plan::new(view, table, &mut answers, &self.around.pool).await?;
        let advisor = &self.around.advisor;
        if !allow_expensive && let Some(message) = advisor.too_expensive(table, &plan, view).await {
            let code = ErrorCode::Expensive;
            return Err(Refusal { code, message });
        }
        Ok(plan)
    }

    /// What serves a view, what it costs, and the index that would help.
    ///
    /// # Errors
    /// [`Refusal`] if the request makes no sense for this table, or PostgreSQL cannot be asked.
    pub async fn advice(&self, table: &TableDef, view: &ViewSpec) -> Result<Advice, Refusal> {
        let plan = self.plan(table, view, true).await?;
        let advice = self.around.advisor.advise(table, &plan, view).await;
        advice.map_err(|error| unavailable(&error))
    }

    /// Room for edits in the pool.
    pub fn edits(&self) -> Arc<Semaphore> {
        self.edits.clone()
    }

    /// The tables that can be opened, as PostgreSQL has them now.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn tables(&self) -> Result<Vec<TableInfo>, sqlx::Error> {
        let catalog = self.around.catalog.reload().await?;
        Ok(catalog
            .sorted()
            .into_iter()
            .map(|table| table.info())
            .collect())
    }

    /// A table by the name a client gave it; looks again if it is not known.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn table(&self, name: &str) -> Result<Option<Arc<TableDef>>, sqlx::Error> {
        let catalog = &self.around.catalog;
        if let Some(known) = catalog.current().find(name).cloned() {
            if known.is_live() {
                return Ok(Some(known));
            }
            // The change log tells nothing of it, so it may have another name or other columns by now.
            let table = catalog.refresh(known.oid).await?;
            if let Some(table) = table.filter(|table| table.is_called(name)) {
                return Ok(Some(table));
            }
        }
        Ok(catalog.reload().await?.find(name).cloned())
    }

    /// A table as it was last described.
    pub fn newest(&self, table: Arc<TableDef>) -> Arc<TableDef> {
        let catalog = self.around.catalog.current();
        catalog.get(table.oid).cloned().unwrap_or(table)
    }

    /// Where a table takes its commands; its task is started if there is none.
    pub fn commands(&self, table: &Arc<TableDef>) -> mpsc::Sender<Command> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(commands) = tables
            .get(&table.oid)
            .filter(|commands| !commands.is_closed())
        {
            return commands.clone();
        }
        let (commands, received) = mpsc::channel(TABLE_COMMAND_QUEUE);
        // Those of dropped tables have ended.
        tables.retain(|_, commands| !commands.is_closed());
        let turn = Turn::first(table.clone(), commands.downgrade(), received);
        self.tasks
            .spawn(serve(self.around.clone(), turn, self.stop.clone()));
        tables.insert(table.oid, commands.clone());
        commands
    }
}
