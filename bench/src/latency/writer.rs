//! Makes changes at fixed times, whether or not the earlier ones are done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

use super::ledger::Ledger;

/// Changes waiting for one connection. PostgreSQL cannot take the rate at all when they do not fit.
const QUEUE: usize = 4_096;

/// What a change does to its row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Leaves the row where it is (but in the order of `updated_at`).
    Mark,
    /// Multiplies the price.
    Price(f64),
    /// Multiplies the stock.
    Stock(f64),
    /// Changes a table that nobody watches and notifies.
    Notify,
}

/// One change to make.
#[derive(Debug)]
pub(super) struct Write {
    /// Its place in the ledger.
    pub(super) index: usize,
    pub(super) row: i64,
    pub(super) number: i64,
    pub(super) kind: Kind,
}

/// Connections that make changes, those of one row always on the same one and so in order.
#[derive(Debug)]
pub(super) struct Writers {
    queues: Vec<mpsc::Sender<Write>>,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

#[derive(Debug)]
struct Statements {
    mark: Statement,
    price: Statement,
    stock: Statement,
    notify: Statement,
}

impl Statements {
    async fn prepare(client: &Client) -> anyhow::Result<Self> {
        let update = async |set: &str| {
            let sql = format!(
                "UPDATE public.products SET reviews_count = $2::int8::int4{set} \
                 WHERE id = $1::int8 RETURNING pg_current_xact_id()::text"
            );
            client.prepare(&sql).await
        };
        Ok(Self {
            mark: update("").await?,
            price: update(
                ", price = least(greatest(round((price * $3::float8)::numeric, 2), 1), 100000)",
            )
            .await?,
            stock: update(
                ", stock_quantity = least((stock_quantity * $3::float8)::int4 + 1, 100000)",
            )
            .await?,
            notify: client
                .prepare(
                    "WITH changed AS (UPDATE public.bench_raw SET number = $2::int8 WHERE id = $1::int8) \
                     SELECT pg_current_xact_id()::text, pg_notify('bench_raw', $2::int8::text)",
                )
                .await?,
        })
    }
}

impl Writers {
    /// Connects.
    pub(super) async fn start(
        database_url: &str,
        connections: usize,
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let (mut queues, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..connections {
            let (client, connection) = tokio_postgres::connect(database_url, NoTls).await?;
            let statements = {
                // Its error reaches the client's next call as well.
                tokio::spawn(async { drop(connection.await) });
                Statements::prepare(&client).await?
            };
            let (queue, writes) = mpsc::channel(QUEUE);
            queues.push(queue);
            tasks.push(tokio::spawn(write(
                client,
                statements,
                writes,
                ledger.clone(),
            )));
        }
        Ok(Self { queues, tasks })
    }

    /// Queues a change.
    pub(super) fn make(&self, write: Write) -> anyhow::Result<()> {
        let connection = usize::try_from(write.row.unsigned_abs())? % self.queues.len();
        self.queues[connection]
            .try_send(write)
            .ok()
            .context("PostgreSQL does not keep up with the rate of changes")
    }

    /// Waits until every change is committed.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        drop(self.queues);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

async fn write(
    client: Client,
    statements: Statements,
    mut writes: mpsc::Receiver<Write>,
    ledger: Arc<Ledger>,
) -> anyhow::Result<()> {
    while let Some(write) = writes.recv().await {
        let (row, number) = (&write.row, &write.number);
        let plain: [&(dyn ToSql + Sync); 2] = [row, number];
        let found = match &write.kind {
            Kind::Mark => client.query_one(&statements.mark, &plain).await,
            Kind::Notify => client.query_one(&statements.notify, &plain).await,
            Kind::Price(by) => {
                client
                    .query_one(&statements.price, &[row, number, by])
                    .await
            }
            Kind::Stock(by) => {
                client
                    .query_one(&statements.stock, &[row, number, by])
                    .await
            }
        };
        let committed_at = Instant::now();
        let xid: String = found.context("a change failed")?.try_get(0)?;
        ledger.committed(write.index, committed_at, xid.parse()?);
    }
    Ok(())
}

/// Calls `act` with 0, 1, 2, … and the instants at which each is due, at a fixed rate. It blocks: the
/// operating system's clock wakes it within about 0.1 ms, a runtime's timer would within 1.
#[allow(
    clippy::disallowed_methods,
    reason = "it waits for an instant, not for a condition"
)]
pub(super) fn pace(
    rate: u32,
    duration: Duration,
    mut act: impl FnMut(u64, Instant) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (start, between) = (Instant::now(), Duration::from_secs(1) / rate);
    for number in 0.. {
        let due = start + between.mul_f64(number as f64);
        if due - start >= duration {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        act(number, due)?;
    }
    Ok(())
}
