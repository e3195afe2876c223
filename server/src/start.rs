//! From options to a running server, and back.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use private_postgres::PrivatePostgres;
use protocol::Status;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admin::AdminToken;
use crate::app::App;
use crate::changes::Sabotage;
use crate::changes::SnapshotHook;
use crate::db::pool::{self, PoolError};
use crate::db::timeouts::Timeouts;
use crate::http::export::Exports;
use crate::http::health::Health;
use crate::http::origin::{Origin, OriginPolicy};
use crate::http::serve::serve;
use crate::http::web_files::WebFiles;
use crate::limits::{
    DRAIN_TIMEOUT, ENGINE_STOP_TIMEOUT, EXPENSIVE_COST, LIVE_PATIENCE, POLL_INTERVAL,
    POOL_CLOSE_TIMEOUT, POOL_SIZE, POSTGRES_STOP_TIMEOUT, VIEW_IDLE_MAX, VIEW_MEMORY_MIB,
};
use crate::postgres_keeper;
use crate::router::router;
use crate::session::handshake::Sessions;
use crate::shutdown::Stage;
use crate::views::Engine;
use crate::views::clock::Clock;
use crate::views::engine::{EngineError, EngineOptions};

/// How a server is to run.
#[derive(Clone)]
pub struct ServerOptions {
    /// Which PostgreSQL.
    pub database: Database,
    /// Through which Redis other servers are told of changes; `None` if this is the only one.
    pub redis_url: Option<String>,
    /// Connections to PostgreSQL for queries.
    pub pool_size: u32,
    /// The pause at which tables are polled that are not live.
    pub poll_interval: Duration,
    /// Memory for the views' divisions, in MiB.
    pub view_memory_mib: u32,
    /// What to fill the database with, if it is to have the demo's tables.
    pub demo: Option<Demo>,
    /// Origins whose pages may connect besides the server's own.
    pub allowed_origins: Vec<Origin>,
    /// The folder with the web viewer.
    pub web_dir: PathBuf,
    /// What a view may cost, in the planner's units, before a client must say that it is meant; 0 for anything.
    pub expensive_cost: u64,
    /// Who presents it may create indexes; nobody without one.
    pub admin_token: Option<AdminToken>,
    /// How long queries may take.
    pub timeouts: Timeouts,
    /// For tests: see [`SnapshotHook`].
    pub hook: Option<SnapshotHook>,
    /// How long views are kept that nobody shows.
    pub view_idle: Duration,
    /// For relative dates; tests set it.
    pub clock: Clock,
    /// For tests of the tests: see [`Sabotage`].
    pub sabotage: Option<Sabotage>,
}

impl ServerOptions {
    /// A server by itself, without demo data.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            redis_url: None,
            pool_size: POOL_SIZE,
            poll_interval: POLL_INTERVAL,
            view_memory_mib: VIEW_MEMORY_MIB,
            demo: None,
            allowed_origins: Vec::new(),
            web_dir: PathBuf::from("target/web-dist"),
            expensive_cost: EXPENSIVE_COST,
            admin_token: None,
            timeouts: Timeouts::default(),
            view_idle: VIEW_IDLE_MAX,
            hook: None,
            clock: Clock::default(),
            sabotage: None,
        }
    }
}

/// Which PostgreSQL.
#[derive(Clone, Debug)]
pub enum Database {
    /// The user's own, at this address.
    Url(String),
    /// One that is started with the server and stopped after it.
    Private(private_postgres::Options),
}

/// What the demo's tables are filled with, unless they are already.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// Rows of `products`; `events` get half as many.
    pub products: u64,
}

impl Demo {
    /// The same rows on every machine that starts on the same day.
    fn rows(self) -> seed::Options {
        const DAY: u64 = 24 * 60 * 60;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let today = Duration::from_secs(now / DAY * DAY);
        seed::Options {
            products: self.products,
            events: self.products / 2,
            seed: 42,
            until: i64::try_from(today.as_micros()).unwrap_or(i64::MAX),
            report: if std::io::stderr().is_terminal() {
                seed::Report::Terminal
            } else {
                seed::Report::Log
            },
        }
    }
}

/// Why a server did not start. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error(
        "{address} is in use by another program, or by Rowcast itself, already running. Stop that, \
         or choose another port: PORT={}",
        address.port().checked_add(1).unwrap_or(8080)
    )]
    AddressInUse {
        /// Host and port.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. HOST must be an address of this machine (127.0.0.1, \
         or 0.0.0.0 for all); ports below 1024 need privileges"
    )]
    Listen {
        /// Host and port.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The listener is of no use.
    #[error("the listening socket cannot be used: {0}")]
    Listener(std::io::Error),
    /// The private PostgreSQL does not start.
    #[error("the private PostgreSQL did not start: {0}")]
    Private(#[from] private_postgres::StartError),
    /// PostgreSQL cannot be used.
    #[error(transparent)]
    Database(#[from] PoolError),
    /// The address of Redis cannot be read.
    #[error("REDIS_URL is not an address of Redis: {0}. It looks like redis://host:6379")]
    RedisUrl(redis::RedisError),
    /// The change log cannot be installed.
    #[error("the database cannot be prepared: {0}")]
    Install(#[from] migrations::Error),
    /// The demo's tables cannot be filled.
    #[error("the demo data cannot be written: {0}")]
    Seed(#[from] seed::Error),
    /// PostgreSQL failed between two steps.
    #[error("the database failed during the start: {0}")]
    Query(#[from] sqlx::Error),
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Listens where the server is to be reached.
///
/// # Errors
/// If the port is in use, or the address not this machine's.
pub async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
            _ => StartError::Listen { address, source },
        })
}

/// A server that runs until [`stop`](Self::stop). Dropped without it, its tasks go on until the
/// runtime ends.
#[derive(Debug)]
pub struct RunningServer {
    address: SocketAddr,
    database_url: String,
    accepting: Stage,
    sessions: Stage,
    engine: Stage,
    pool: PgPool,
    postgres: Stage,
}

/// Starts a server; when this returns, it answers at the listener's address.
///
/// # Errors
/// Whatever keeps it from running; every error says what to do.
pub async fn start(
    options: ServerOptions,
    listener: TcpListener,
) -> Result<RunningServer, StartError> {
    let address = listener.local_addr().map_err(StartError::Listener)?;
    if let Some(url) = &options.redis_url {
        // Before anything is started: it is only a matter of reading.
        redis::Client::open(url.as_str()).map_err(StartError::RedisUrl)?;
    }
    let (database_url, postgres) = match &options.database {
        Database::Url(url) => (url.clone(), None),
        Database::Private(private) => {
            let postgres = PrivatePostgres::start(private.clone()).await?;
            (postgres.url(), Some(postgres))
        }
    };
    let direct = pool::listener_config(&database_url)?;
    let pool = pool::connect(&database_url, options.pool_size, options.timeouts).await?;
    prepare(&pool, &database_url, options.demo).await?;

    let [accepting, sessions, engine, keeper] =
        ["http", "sockets", "engine", "PostgreSQL"].map(Stage::new);
    let engine_options = EngineOptions {
        pool: pool.clone(),
        polls: pool::connect_for_polls(&database_url)?,
        direct,
        redis_url: options.redis_url,
        poll_interval: options.poll_interval,
        view_memory_mib: options.view_memory_mib,
        expensive_cost: options.expensive_cost,
        timeouts: options.timeouts,
        admin_token: options.admin_token,
        hook: options.hook,
        clock: options.clock,
        view_idle: options.view_idle,
        sabotage: options.sabotage,
    };
    let running = Engine::start(engine_options, engine.tasks.clone(), engine.stop.clone()).await?;
    wait_until_live(&running).await;
    let app = App {
        health: Arc::new(Health {
            pool: pool.clone(),
            engine: running.clone(),
            started: Instant::now(),
        }),
        exports: Exports::new(
            running.clone(),
            options.timeouts,
            sessions.tasks.clone(),
            sessions.stop.clone(),
        ),
        origins: Arc::new(OriginPolicy::new(options.allowed_origins, address.ip())),
        web_files: Arc::new(WebFiles::new(options.web_dir)),
        sessions: Sessions::new(running, sessions.tasks.clone(), sessions.stop.clone()),
    };
    let connections = accepting.tasks.clone();
    let serving = serve(listener, router(&app), connections, accepting.stop.clone());
    accepting.tasks.spawn(serving);
    if let Some(postgres) = postgres {
        keeper
            .tasks
            .spawn(postgres_keeper::keep(postgres, keeper.stop.clone()));
    }
    Ok(RunningServer {
        address,
        database_url,
        accepting,
        sessions,
        engine,
        pool,
        postgres: keeper,
    })
}

/// Installs what is missing; the seed installs the demo's tables itself.
async fn prepare(pool: &PgPool, url: &str, demo: Option<Demo>) -> Result<(), StartError> {
    let mut connection = pool.acquire().await?;
    migrations::install_engine(&mut connection).await?;
    if let Some(demo) = demo {
        // Being dropped is what stops it; what is committed by then is continued next time.
        seed::run(url, &demo.rows(), &CancellationToken::new()).await?;
    }
    Ok(())
}

/// Waits until the change log is followed, so that a server that is called ready is. One that does
/// not get there keeps trying, and `/readyz` says why.
async fn wait_until_live(engine: &Engine) {
    let mut status = engine.status();
    let live = status.wait_for(|status| matches!(status, Status::Live));
    if tokio::time::timeout(LIVE_PATIENCE, live).await.is_err() {
        tracing::warn!("the change log is not being followed yet; see /readyz");
    }
}

impl RunningServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The PostgreSQL it uses, with the password.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Stops it in order: connections, sockets (which say goodbye), engine, pool, PostgreSQL. Each
    /// has a time limit, so this ends in any case.
    pub async fn stop(self) {
        // Sockets are requests that have not ended, so both are told before either is waited for.
        self.accepting.stop.cancel();
        self.sessions.end(DRAIN_TIMEOUT).await;
        self.accepting.end(DRAIN_TIMEOUT).await;
        self.engine.end(ENGINE_STOP_TIMEOUT).await;
        if tokio::time::timeout(POOL_CLOSE_TIMEOUT, self.pool.close())
            .await
            .is_err()
        {
            tracing::warn!("queries were still running when the server stopped");
        }
        self.postgres.end(POSTGRES_STOP_TIMEOUT).await;
    }
}
