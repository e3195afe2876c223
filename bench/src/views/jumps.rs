//! Jumping to a row by its number, beside the same order's keyset seek with the key known.
//!
//! Both run in this process and through one pool, from the request to the encoded bytes of the answer; neither
//! has a socket. The jump is the engine's own: the table's task, the view's index, the query, the window's
//! update. The seek is the engine's query for rows behind a known key, of just the rows shown, encoded as
//! the same message: what a server does that knows the key.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use protocol::{ClientMsg, Encoding, MoveWindow, Row, RowOp, ServerMsg, Update, Value, Version};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use server::db::catalog::TableDef;
use server::db::rows::Source;
use server::views::plan::Plan;
use view_index::{Bound, Order, Origin, Ranks, RowKey};

use super::connection::{Connection, LocalEngine, WINDOW_ROWS};
use super::report::{Report, grouped, short};
use super::table::{Case, Table};
use super::times::{Quantiles, Times, thousandths};

/// How often rows near the end are reached by `OFFSET`, and by a jump.
const FAR: usize = 5;
/// Seeks in an order without an index: each sorts the whole view.
const UNSERVED_SEEKS: usize = 3;

/// One view: a line of the JSON.
#[derive(Debug, Serialize)]
struct Line {
    kind: &'static str,
    rows: u64,
    view: Case,
    total: u64,
    seek: Quantiles,
    cold: Quantiles,
    warm: Quantiles,
    cold_p50_ratio: f64,
    cold_p99_ratio: f64,
    warm_p99_ratio: f64,
    /// Among the last hundredth of the rows: by `OFFSET`, and by a jump.
    offset: Quantiles,
    far: Quantiles,
    /// How many times faster the jump is, of the medians.
    far_factor: f64,
    /// What the engine says that the view's division takes.
    division_bytes: usize,
}

/// Begins the table.
pub(super) fn begin(report: &mut Report) -> anyhow::Result<()> {
    let title = "Jumping to a row by its number (ms, p50 / p99): cold, warm, the keyset seek with the key known; \
                 near the end, beside OFFSET (medians); kB: what the engine counts for the view's division";
    let columns = [
        "view",
        "rows",
        "seek",
        "cold",
        "warm",
        "cold p50 ratio",
        "cold p99 ratio",
        "warm p99 ratio",
        "OFFSET",
        "jump",
        "times faster",
        "kB",
    ];
    report.table(title, 1, &columns)
}

/// Measures one view.
pub(super) async fn measure(
    local: &LocalEngine,
    (table, case): (&Table, Case),
    jumps: usize,
    random: &mut ChaCha8Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    let def = local.table(&table.name).await?;
    let bytes_before = local.engine.division_bytes();
    let mut jumpers = [
        Jumper::open(local.client(&def), case, table).await?,
        Jumper::open(local.client(&def), case, table).await?,
    ];
    let plan = local.engine.plan(&def, &case.view(table), true).await;
    let plan = plan.map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    let seeks = Seeks {
        local,
        table: &def,
        plan,
    };
    let keys = seeks.random_keys(table.rows, jumps, random).await?;
    let near = anywhere(&mut jumpers, &seeks, case, keys, random).await?;
    let far = near_the_end(&mut jumpers, &seeks, random).await?;
    let total = jumpers[0].total;
    // Nobody has jumped before the view was divided.
    let division_bytes = local.engine.division_bytes().saturating_sub(bytes_before);
    add(
        report,
        (table, case),
        (&near, &far),
        (total, division_bytes),
    )
}

/// Random rows: their seeks, and jumps to as many.
struct Anywhere {
    seek: Times,
    cold: Times,
    warm: Times,
}

/// Seeks and jumps by turns, each first every other time.
async fn anywhere(
    [cold, warm]: &mut [Jumper; 2],
    seeks: &Seeks<'_>,
    case: Case,
    keys: Vec<Bound>,
    random: &mut ChaCha8Rng,
) -> anyhow::Result<Anywhere> {
    let mut times = Anywhere {
        seek: Times::default(),
        cold: Times::default(),
        warm: Times::default(),
    };
    let last = cold.last();
    for (nth, key) in keys.into_iter().enumerate() {
        let position = random.random_range(0..=last);
        let seeks_first = nth % 2 == 0;
        let may_seek = case.is_served() || nth < UNSERVED_SEEKS;
        if seeks_first && may_seek {
            times.seek.add(seeks.seek(&key).await?);
        }
        times.cold.add(cold.jump(position).await?);
        // The other window shows these rows by now.
        times.warm.add(warm.jump(position).await?);
        if !seeks_first && may_seek {
            times.seek.add(seeks.seek(&key).await?);
        }
    }
    Ok(times)
}

/// Rows among the last hundredth.
struct NearTheEnd {
    offset: Times,
    jump: Times,
}

async fn near_the_end(
    [jumper, other]: &mut [Jumper; 2],
    seeks: &Seeks<'_>,
    random: &mut ChaCha8Rng,
) -> anyhow::Result<NearTheEnd> {
    let (mut offset, mut jump) = (Times::default(), Times::default());
    let last = jumper.last();
    for _ in 0..FAR {
        let position = random.random_range(last - last / 100..=last);
        offset.add(seeks.offset(position).await?);
        other.jump(random.random_range(0..=last / 2)).await?;
        jump.add(jumper.jump(position).await?);
    }
    Ok(NearTheEnd { offset, jump })
}

fn add(
    report: &mut Report,
    (table, case): (&Table, Case),
    (near, far): (&Anywhere, &NearTheEnd),
    (total, division_bytes): (u64, usize),
) -> anyhow::Result<()> {
    let [seek, cold, warm] = [&near.seek, &near.cold, &near.warm].map(Times::quantiles);
    let [offset, far] = [&far.offset, &far.jump].map(Times::quantiles);
    let line = Line {
        kind: "jumps",
        rows: table.rows,
        view: case,
        total,
        cold_p50_ratio: thousandths(cold.p50 / seek.p50),
        cold_p99_ratio: thousandths(cold.p99 / seek.p99),
        warm_p99_ratio: thousandths(warm.p99 / seek.p99),
        far_factor: thousandths(offset.p50 / far.p50),
        seek,
        cold,
        warm,
        offset,
        far,
        division_bytes,
    };
    let both = |times: &Quantiles| format!("{} / {}", short(times.p50), short(times.p99));
    let cells = [
        case.label().to_owned(),
        grouped(table.rows),
        both(&line.seek),
        both(&line.cold),
        both(&line.warm),
        short(line.cold_p50_ratio),
        short(line.cold_p99_ratio),
        short(line.warm_p99_ratio),
        short(line.offset.p50),
        short(line.far.p50),
        short(line.far_factor),
        grouped(division_bytes as u64 / 1_000),
    ];
    report.row(&cells, &line)
}

/// A window that jumps.
struct Jumper {
    client: Connection,
    generation: u32,
    /// The last update's number.
    number: u64,
    total: u64,
}

impl Jumper {
    /// At the top of a counted view.
    async fn open(mut client: Connection, case: Case, table: &Table) -> anyhow::Result<Self> {
        let opened = client.open(0, case.view(table)).await?;
        Ok(Self {
            client,
            generation: 0,
            number: opened.last.number,
            total: opened.last.total,
        })
    }

    /// The last position at which a window is full.
    fn last(&self) -> u64 {
        self.total.saturating_sub(u64::from(WINDOW_ROWS))
    }

    /// How long it takes until the rows at a position are encoded.
    async fn jump(&mut self, position: u64) -> anyhow::Result<Duration> {
        self.generation += 1;
        let moved = MoveWindow {
            window: 0,
            generation: self.generation,
            start: position,
            count: WINDOW_ROWS,
            from_end: false,
            received: self.number,
        };
        let began = Instant::now();
        self.client.send(ClientMsg::Move(moved)).await?;
        loop {
            let message = self.client.next().await?;
            let ServerMsg::Update(update) = &message else {
                continue;
            };
            if update.generation != self.generation {
                continue;
            }
            black_box(Encoding::Binary.encode(&message)?);
            let took = began.elapsed();
            let rows = update.rows.len();
            anyhow::ensure!(
                update.start == position && rows > 0,
                "{rows} rows came from {}, not from {position}",
                update.start
            );
            self.number = update.number;
            return Ok(took);
        }
    }
}

/// Queries for the same rows that need no index over row numbers.
struct Seeks<'a> {
    local: &'a LocalEngine,
    table: &'a Arc<TableDef>,
    plan: Plan,
}

impl Seeks<'_> {
    fn source(&self) -> Source<'_> {
        Source {
            table: self.table,
            filter: &self.plan.condition,
            order: &self.plan.order,
        }
    }

    /// Places of random rows of the view, read beforehand.
    async fn random_keys(
        &self,
        rows: u64,
        count: usize,
        random: &mut ChaCha8Rng,
    ) -> anyhow::Result<Vec<Bound>> {
        let order = Order::new(self.plan.order.clone());
        let mut keys = Vec::with_capacity(count);
        while keys.len() < count {
            let ids: Vec<RowKey> = (0..count)
                .map(|_| {
                    anyhow::Ok([Value::Int(i64::try_from(random.random_range(1..=rows))?)].into())
                })
                .collect::<anyhow::Result<_>>()?;
            let origin = Origin::Listed {
                lower: Bound::Min,
                upper: None,
            };
            let found = self
                .source()
                .look_up(&self.local.pool, origin, &ids)
                .await?;
            anyhow::ensure!(!found.fetched.rows.is_empty(), "the view has no rows");
            for row in found.fetched.rows {
                keys.push(Bound::At(order.key(&row, &Ranks::default())?));
            }
        }
        keys.truncate(count);
        Ok(keys)
    }

    /// How long it takes until the rows behind a key are encoded.
    async fn seek(&self, key: &Bound) -> anyhow::Result<Duration> {
        self.fetch(Origin::Behind {
            bound: key.clone(),
            skipped: 0,
        })
        .await
    }

    /// The same for the rows at a position, which PostgreSQL counts along the index.
    async fn offset(&self, position: u64) -> anyhow::Result<Duration> {
        self.fetch(Origin::Behind {
            bound: Bound::Min,
            skipped: position,
        })
        .await
    }

    async fn fetch(&self, origin: Origin) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let (source, rows) = (self.source(), u64::from(WINDOW_ROWS));
        let found = source.fetch(&self.local.pool, origin, rows, false).await;
        let found = found.context("a reference query failed")?;
        let row = |row: &Arc<view_index::TableRow>| {
            RowOp::Row(Row {
                key: row.key.to_vec(),
                cells: row.cells.to_vec(),
            })
        };
        let update = ServerMsg::Update(Update {
            window: 0,
            generation: 0,
            number: 0,
            from: None,
            to: Version(found.snapshot.to_string()),
            must_refetch: None,
            start: 0,
            total: 0,
            total_is_exact: true,
            rows: found.fetched.rows.iter().map(row).collect(),
            edits: Vec::new(),
            changed_at_micros: None,
        });
        black_box(Encoding::Binary.encode(&update)?);
        Ok(began.elapsed())
    }
}
