//! One change, applied to many open views that all show the changed row.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::{Filter, FilterOp, ServerMsg, Value, ViewSpec};
use serde::Serialize;
use server::changes::SnapshotHook;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::connection::{Connection, LocalEngine, PATIENCE};
use super::report::{Report, grouped, short};
use super::say;
use super::table::{Case, Table};
use super::times::{Quantiles, Times, thousandths};
use crate::stage::{Postgres, Server};

/// Windows of one client, as many as a socket may have.
const PER_CLIENT: usize = 16;
/// The pause between two changes: all updates of the last one are acknowledged by then.
const PAUSE: Duration = Duration::from_secs(2);
/// Orders in which the changed row comes first.
const ORDERS: [Case; 3] = [Case::Amount, Case::Mixed, Case::Nullable];

/// So many views: a line of the JSON.
#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    rows: u64,
    views: usize,
    changes: usize,
    /// From the batch read to the last update made, in an engine without sockets.
    made: Quantiles,
    made_micros_per_view: f64,
    /// From the acknowledged commit to the last update received over sockets, of a server of its own.
    delivered: Quantiles,
    updates_per_change: usize,
}

/// Begins the table.
pub(super) fn begin(report: &mut Report) -> anyhow::Result<()> {
    let title = "One change of a row that every view shows (ms): from the batch read to the last update made; from the \
                 commit to the last update received over sockets";
    let columns = [
        "views",
        "rows",
        "made p50",
        "max",
        "µs per view",
        "delivered p50",
        "max",
        "updates",
    ];
    report.table(title, 0, &columns)
}

/// Measures so many open views.
pub(super) async fn measure(
    postgres: &Postgres,
    program: &Path,
    table: &Table,
    (views, changes): (usize, usize),
    report: &mut Report,
) -> anyhow::Result<()> {
    lift(postgres, table).await?;
    let made = in_engine(postgres, table, (views, changes)).await?;
    let delivered = over_sockets(postgres, program, table, (views, changes)).await?;
    let made = made.quantiles();
    let line = Line {
        kind: "changes",
        rows: table.rows,
        views,
        changes,
        made,
        made_micros_per_view: thousandths(made.p50 * 1_000.0 / views as f64),
        delivered: delivered.quantiles(),
        updates_per_change: views,
    };
    let cells = [
        grouped(views as u64),
        grouped(table.rows),
        short(line.made.p50),
        short(line.made.max),
        short(line.made_micros_per_view),
        short(line.delivered.p50),
        short(line.delivered.max),
        grouped(views as u64),
    ];
    report.row(&cells, &line)
}

/// Brings one row to the top of every order.
async fn lift(postgres: &Postgres, table: &Table) -> anyhow::Result<()> {
    let sql = format!(
        "UPDATE {} SET amount = -1, priority = 9, placed_at = '2000-01-01', shipped_at = '2000-01-01' WHERE id = 1",
        table.name
    );
    Ok(postgres.client.batch_execute(&sql).await?)
}

/// A view different from all others that contains every row.
fn view(table: &Table, nth: usize) -> anyhow::Result<ViewSpec> {
    let all = Filter::test("account", FilterOp::Ge, Value::Int(-i64::try_from(nth)?));
    Ok(ViewSpec {
        filter: Some(all),
        ..ORDERS[nth % ORDERS.len()].view(table)
    })
}

async fn in_engine(
    postgres: &Postgres,
    table: &Table,
    (views, changes): (usize, usize),
) -> anyhow::Result<Times> {
    let read_at: Arc<Mutex<Option<Instant>>> = Arc::default();
    let told = read_at.clone();
    let hook: SnapshotHook = Arc::new(move |_, _| {
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Box::pin(std::future::ready(true))
    });
    let local = LocalEngine::start(&postgres.database_url, Some(hook)).await?;
    let def = local.table(&table.name).await?;
    say(&format!("opening {views} views of an engine"))?;
    let mut clients = Vec::new();
    for _ in 0..views.div_ceil(PER_CLIENT) {
        clients.push(local.client(&def));
    }
    let mut audience = Audience::gather(clients, table, views).await?;
    let mut times = Times::default();
    audience
        .change(postgres, table, changes, |_, last| {
            let read_at = read_at.lock().unwrap_or_else(PoisonError::into_inner);
            let read_at = read_at.context("updates came of no batch")?;
            times.add(last.saturating_duration_since(read_at));
            Ok(())
        })
        .await?;
    drop(audience);
    local.stop().await;
    Ok(times)
}

async fn over_sockets(
    postgres: &Postgres,
    program: &Path,
    table: &Table,
    (views, changes): (usize, usize),
) -> anyhow::Result<Times> {
    let mut server = Server::start(program, &postgres.database_url).await?;
    say(&format!("opening {views} views over sockets"))?;
    let mut clients = Vec::new();
    for _ in 0..views.div_ceil(PER_CLIENT) {
        clients.push(Connection::socket(&server.socket_url).await?);
    }
    let mut audience = Audience::gather(clients, table, views).await?;
    let mut times = Times::default();
    audience
        .change(postgres, table, changes, |committed, last| {
            times.add(last.saturating_duration_since(committed));
            Ok(())
        })
        .await?;
    server.check()?;
    server.stop().await?;
    Ok(times)
}

/// Clients with their windows. Dropping it closes them.
struct Audience {
    tasks: JoinSet<anyhow::Result<()>>,
    /// When each update came.
    arrivals: mpsc::Receiver<Instant>,
    views: usize,
}

impl Audience {
    /// Opens the windows, and lets every client acknowledge what it gets from then on.
    async fn gather(clients: Vec<Connection>, table: &Table, views: usize) -> anyhow::Result<Self> {
        let mut ready = Vec::with_capacity(clients.len());
        for (nth, mut client) in clients.into_iter().enumerate() {
            let first = nth * PER_CLIENT;
            for nth in first..(first + PER_CLIENT).min(views) {
                let window = u32::try_from(nth - first)?;
                client.open(window, view(table, nth)?).await?;
            }
            ready.push(client);
        }
        let (arrived, arrivals) = mpsc::channel(2 * views);
        let mut tasks = JoinSet::new();
        for client in ready {
            tasks.spawn(follow(client, arrived.clone()));
        }
        Ok(Self {
            tasks,
            arrivals,
            views,
        })
    }

    /// Changes the row so many times (and twice before that, uncounted); tells of each when it was committed and
    /// when the last window's update came.
    async fn change(
        &mut self,
        postgres: &Postgres,
        table: &Table,
        changes: usize,
        mut tell: impl FnMut(Instant, Instant) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        const WARM_UP: usize = 2;
        let sql = format!("UPDATE {} SET amount = amount - 1 WHERE id = 1", table.name);
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        for nth in 0..WARM_UP + changes {
            ticks.tick().await;
            while self.arrivals.try_recv().is_ok() {}
            postgres.client.batch_execute(&sql).await?;
            let committed = Instant::now();
            let last = timeout(PATIENCE, self.all()).await;
            let last = last.context("not every window was told of a change")??;
            if nth >= WARM_UP {
                tell(committed, last)?;
            }
        }
        Ok(())
    }

    /// When the last of all windows had its update.
    async fn all(&mut self) -> anyhow::Result<Instant> {
        let mut last = Instant::now();
        for _ in 0..self.views {
            let at = tokio::select! {
                at = self.arrivals.recv() => at.context("no client is left")?,
                Some(ended) = self.tasks.join_next() => {
                    ended??;
                    anyhow::bail!("a client ended")
                }
            };
            last = last.max(at);
        }
        Ok(last)
    }
}

async fn follow(mut client: Connection, arrived: mpsc::Sender<Instant>) -> anyhow::Result<()> {
    loop {
        if let ServerMsg::Update(update) = client.next().await? {
            arrived.send(Instant::now()).await?;
            client.acknowledge(&update).await?;
        }
    }
}
