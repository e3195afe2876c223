//! One client: over a socket of a server, or of an engine in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use protocol::{
    Ack, ClientMsg, CloseWindow, MoveWindow, OpenWindow, ServerMsg, Status, Update, ViewSpec,
};
use server::changes::SnapshotHook;
use server::db::catalog::TableDef;
use server::db::pool;
use server::db::timeouts::Timeouts;
use server::limits::{POLL_INTERVAL, POOL_SIZE, VIEW_IDLE_MAX, VIEW_MEMORY_MIB};
use server::views::client::Outgoing;
use server::views::clock::Clock;
use server::views::{ClientRef, Command, Engine, EngineOptions};
use sqlx::PgPool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::socket::Socket;

/// Rows in a window: a screen of them.
pub(super) const WINDOW_ROWS: u32 = 50;

/// How long anything that is waited for may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// An engine in this process, with a pool of its own.
pub(super) struct LocalEngine {
    pub(super) engine: Arc<Engine>,
    pub(super) pool: PgPool,
    tasks: TaskTracker,
    stop: CancellationToken,
    sessions: AtomicU64,
}

impl LocalEngine {
    /// Starts one as the server does, and waits until it follows the change log.
    pub(super) async fn start(
        database_url: &str,
        hook: Option<SnapshotHook>,
    ) -> anyhow::Result<Self> {
        let timeouts = Timeouts {
            first_rows: PATIENCE,
            ..Timeouts::default()
        };
        let pool = pool::connect(database_url, POOL_SIZE, timeouts).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = EngineOptions {
            pool: pool.clone(),
            polls: pool::connect_for_polls(database_url)?,
            direct: pool::listener_config(database_url)?,
            redis_url: None,
            poll_interval: POLL_INTERVAL,
            view_memory_mib: VIEW_MEMORY_MIB,
            expensive_cost: 0,
            admin_token: None,
            timeouts,
            hook,
            clock: Clock::default(),
            view_idle: VIEW_IDLE_MAX,
            sabotage: None,
        };
        let engine = Engine::start(options, tasks.clone(), stop.clone()).await?;
        let mut status = engine.status();
        let live = status.wait_for(|status| matches!(status, Status::Live));
        tokio::time::timeout(PATIENCE, live)
            .await
            .context("the engine does not follow the change log")??;
        Ok(Self {
            engine,
            pool,
            tasks,
            stop,
            sessions: AtomicU64::new(0),
        })
    }

    /// A table as the engine knows it.
    pub(super) async fn table(&self, name: &str) -> anyhow::Result<Arc<TableDef>> {
        let table = self.engine.table(name).await?;
        table.with_context(|| format!("no table is called {name}"))
    }

    /// A client that shows windows of one table.
    pub(super) fn client(&self, table: &Arc<TableDef>) -> Connection {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let (client, outbox) = ClientRef::new(session, CancellationToken::new());
        Connection::Engine(Box::new(Seat {
            client,
            outbox,
            commands: self.engine.commands(table),
        }))
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }
}

/// A client of an engine: what a session is, without its socket.
pub(super) struct Seat {
    client: ClientRef,
    outbox: mpsc::Receiver<Outgoing>,
    commands: mpsc::Sender<Command>,
}

/// One client.
pub(super) enum Connection {
    Engine(Box<Seat>),
    Socket(Box<Socket>),
}

impl Connection {
    /// One over a socket.
    pub(super) async fn socket(url: &str) -> anyhow::Result<Self> {
        Ok(Self::Socket(Box::new(Socket::connect(url).await?)))
    }

    /// Sends a message about a window.
    pub(super) async fn send(&mut self, message: ClientMsg) -> anyhow::Result<()> {
        let seat = match self {
            Self::Socket(socket) => return socket.send(&message).await,
            Self::Engine(seat) => seat,
        };
        let session = seat.client.session;
        let command = match message {
            ClientMsg::Open(open) => {
                Command::Open(seat.client.clone(), Arc::default(), Box::new(open))
            }
            ClientMsg::Move(moved) => Command::Move(session, moved),
            ClientMsg::Ack(ack) => Command::Acknowledge(session, ack),
            ClientMsg::Close(close) => Command::Close(session, close.window),
            other => bail!("{other:?} is no message about a window"),
        };
        let sent = seat.commands.send(command).await;
        sent.ok().context("the engine has stopped")
    }

    /// Waits for the next message.
    pub(super) async fn next(&mut self) -> anyhow::Result<ServerMsg> {
        let message = match self {
            Self::Socket(socket) => socket.receive().await?.0,
            Self::Engine(seat) => {
                let next = seat.outbox.recv().await;
                next.context("the engine has stopped")?.message
            }
        };
        match message {
            ServerMsg::Error(error) => bail!("the server refused: {}", error.message),
            message => Ok(message),
        }
    }

    /// Waits for the next update.
    pub(super) async fn update(&mut self) -> anyhow::Result<Update> {
        let update = async {
            loop {
                if let ServerMsg::Update(update) = self.next().await? {
                    return Ok(update);
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, update).await;
        in_time.context("no update came")?
    }

    /// Says that an update is applied.
    pub(super) async fn acknowledge(&mut self, update: &Update) -> anyhow::Result<()> {
        let (window, number) = (update.window, update.number);
        self.send(ClientMsg::Ack(Ack { window, number })).await
    }

    /// Asks for a window at the top of a view.
    pub(super) async fn ask_for(&mut self, window: u32, view: ViewSpec) -> anyhow::Result<()> {
        self.send(ClientMsg::Open(OpenWindow {
            window,
            generation: 0,
            view,
            columns: Vec::new(),
            start: 0,
            count: WINDOW_ROWS,
            from_end: false,
            resume: None,
            allow_expensive: true,
        }))
        .await
    }

    /// Opens a window at the top of a view, and waits for the exact total.
    pub(super) async fn open(&mut self, window: u32, view: ViewSpec) -> anyhow::Result<Opened> {
        let began = Instant::now();
        self.ask_for(window, view).await?;
        let mut first_rows = None;
        loop {
            let update = self.update().await?;
            let at = began.elapsed();
            if update.window != window {
                continue;
            }
            self.acknowledge(&update).await?;
            let first_rows = *first_rows.get_or_insert(at);
            if update.total_is_exact {
                return Ok(Opened {
                    first_rows,
                    exact_total: at,
                    last: update,
                });
            }
        }
    }

    /// Shows the middle of a view just opened: that waits until it is divided.
    pub(super) async fn show_middle(&mut self, opened: &Update) -> anyhow::Result<()> {
        let generation = opened.generation + 1;
        self.send(ClientMsg::Move(MoveWindow {
            window: opened.window,
            generation,
            start: opened.total / 2,
            count: WINDOW_ROWS,
            from_end: false,
            received: opened.number,
        }))
        .await?;
        loop {
            let update = self.update().await?;
            self.acknowledge(&update).await?;
            if (update.window, update.generation) == (opened.window, generation) {
                return Ok(());
            }
        }
    }

    /// Closes a window.
    pub(super) async fn close(&mut self, window: u32) -> anyhow::Result<()> {
        self.send(ClientMsg::Close(CloseWindow { window })).await
    }
}

/// What opening a view took.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) first_rows: Duration,
    pub(super) exact_total: Duration,
    /// The update with the total.
    pub(super) last: Update,
}
