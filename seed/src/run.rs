//! Filling the demo: tables, people, catalogue, events, indexes.

use std::ops::Range;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::calendar::{DAY, Micros};
use crate::copy_text::CopyLines;
use crate::load::{Found, Load};
use crate::people::{TENANTS, users};
use crate::product::{self, Product};
use crate::progress::{Progress, Report};
use crate::visit;

/// A load of more rows than this runs without change log and indexes, which come back after it:
/// that is several times as fast, and the log stays small.
const BULK_ROWS: u64 = 20_000;

/// The advisory lock that one seeder holds, so that others wait for it and then find the data.
const SEED_LOCK: i64 = 7_813_014_321_550_003;

/// What to fill the demo with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows in `products`.
    pub products: u64,
    /// Rows in `events`.
    pub events: u64,
    /// Decides every value: the same seed (and `until`) gives the same rows.
    pub seed: u64,
    /// The instant at which the generated history ends, in microseconds since 1970.
    pub until: i64,
    /// Where progress is shown.
    pub report: Report,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows written to `products`.
    pub products: u64,
    /// Rows written to `events`.
    pub events: u64,
    /// Whether it was stopped early; the next run continues.
    pub stopped: bool,
}

/// Why the demo could not be filled. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tables could not be installed or watched.
    #[error(transparent)]
    Install(#[from] migrations::Error),
    /// The rows there were made from another seed.
    #[error(
        "{table} is partly filled from --seed {seed}: continue with that seed, or empty the table \
         (TRUNCATE public.{table}) to start again"
    )]
    OtherSeed {
        /// The table.
        table: &'static str,
        /// The seed its rows were made from.
        seed: u64,
    },
    /// Somebody added rows where the next ones belong.
    #[error(
        "public.products has rows above id {done} that were added since it was filled: it cannot \
         be extended; empty it (TRUNCATE public.products) to fill it anew"
    )]
    Occupied {
        /// How many rows were generated before.
        done: u64,
    },
    /// There is no connection.
    #[error("cannot connect to the database: {0}; is its address right, and PostgreSQL running?")]
    Connect(#[source] sqlx::Error),
    /// PostgreSQL refused, or the connection broke.
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    /// A defect of the row generator.
    #[error("the row generator failed: {0}")]
    Maker(tokio::task::JoinError),
}

/// Installs the demo's tables and fills them, as far as that is not done yet.
///
/// Rows that are there are left alone: a table that this program did not fill stays as it is.
/// Cancelling `stop` ends the run after the chunk it is at; the next run continues there.
///
/// # Errors
/// See [`Error`]. Committed chunks stay.
pub async fn run(
    database_url: &str,
    options: &Options,
    stop: &CancellationToken,
) -> Result<Outcome, Error> {
    let mut connection = connect(database_url).await.map_err(Error::Connect)?;
    migrations::install_demo(&mut connection).await?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(SEED_LOCK)
        .execute(&mut connection)
        .await?;
    add_people(&mut connection, options).await?;

    let products = Load {
        table: "products",
        columns: product::COLUMNS,
        write: write_products,
        seed: options.seed,
        until: options.until,
        total: options.products,
    };
    let products = fill(&mut connection, products, options.report, stop).await?;
    let events = Load {
        table: "events",
        columns: visit::COLUMNS,
        write: write_events,
        seed: options.seed,
        until: options.until,
        total: options.events,
    };
    let events = fill(&mut connection, events, options.report, stop).await?;
    connection.close().await?;
    Ok(Outcome {
        products,
        events,
        stopped: stop.is_cancelled(),
    })
}

/// A connection set up for writing much.
pub(crate) async fn connect(database_url: &str) -> Result<PgConnection, sqlx::Error> {
    // Building an index is slow without being worth a warning.
    let options = PgConnectOptions::from_str(database_url)?.disable_statement_logging();
    let mut connection = options.connect().await?;
    // A crash may lose the last chunks, rows and progress together: the next run repeats them.
    sqlx::raw_sql(
        "set application_name = 'rowcast-seed'; set timezone = 'UTC'; \
         set synchronous_commit = off; set maintenance_work_mem = '256MB'",
    )
    .execute(&mut connection)
    .await?;
    Ok(connection)
}

async fn add_people(connection: &mut PgConnection, options: &Options) -> Result<(), Error> {
    let mut transaction = connection.begin().await?;
    for tenant in &TENANTS {
        sqlx::query(
            "insert into public.tenants (id, slug, name, created_at) \
             values ($1, $2, $3, to_timestamp($4 / 1000000.0)) on conflict do nothing",
        )
        .bind(tenant.id)
        .bind(tenant.slug)
        .bind(tenant.name)
        .bind(options.until - 4 * 365 * DAY)
        .execute(&mut *transaction)
        .await?;
    }
    for user in users(options.seed) {
        sqlx::query(
            "insert into public.users (id, tenant_id, name, email, created_at) \
             values ($1, $2, $3, $4, to_timestamp($5 / 1000000.0)) on conflict do nothing",
        )
        .bind(user.id)
        .bind(user.tenant_id)
        .bind(user.name)
        .bind(user.email)
        .bind(options.until - 365 * DAY)
        .execute(&mut *transaction)
        .await?;
    }
    for table in ["tenants", "users"] {
        advance_identity(&mut transaction, table).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Lets the next inserted row have the next free id.
async fn advance_identity(connection: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!(
        "select setval(pg_get_serial_sequence('public.{table}', 'id'), max(id)) \
         from public.{table} having max(id) is not null"
    )))
    .execute(connection)
    .await?;
    Ok(())
}

/// Fills one table; returns how many rows it wrote.
async fn fill(
    connection: &mut PgConnection,
    load: Load,
    report: Report,
    stop: &CancellationToken,
) -> Result<u64, Error> {
    let (done, until, mut finished) = match load.find(connection).await? {
        Found::Ours {
            done,
            until,
            finished,
        } => (done, until, finished),
        Found::Foreign => {
            tracing::info!("{} has rows already: left as it is", load.table);
            return Ok(0);
        }
    };
    // An earlier run's history goes on to where it ended.
    let load = Load { until, ..load };
    let mut written = 0;
    if done < load.total && !stop.is_cancelled() {
        prepare(connection, &load, done).await?;
        let mut progress = Progress::rows(report, load.table, done, load.total);
        let outcome = load.run(connection, done, &mut progress, stop).await;
        progress.end();
        written = outcome? - done;
        finished = false;
    }
    if finished {
        return Ok(written);
    }
    if !stop.is_cancelled() {
        create_indexes(connection, load.table, report).await?;
    }
    // Live again even if stopped; the next run brings the indexes.
    migrations::watch(connection, &format!("public.{}", load.table)).await?;
    if !stop.is_cancelled() {
        finish(connection, load.table).await?;
    }
    Ok(written)
}

/// Makes room for the missing rows.
async fn prepare(connection: &mut PgConnection, load: &Load, done: u64) -> Result<(), Error> {
    if load.table == "events" {
        sqlx::query(
            "select public.ensure_event_partitions(to_timestamp($1 / 1000000.0), \
             to_timestamp($2 / 1000000.0))",
        )
        .bind(load.until - visit::HISTORY)
        .bind(load.until + 31 * DAY)
        .execute(&mut *connection)
        .await?;
    } else {
        let last: Option<i64> = sqlx::query_scalar("select max(id) from public.products")
            .fetch_one(&mut *connection)
            .await?;
        if last.is_some_and(|last| last > done.cast_signed()) {
            return Err(Error::Occupied { done });
        }
    }
    let missing = load.total - done;
    if missing > BULK_ROWS {
        migrations::unwatch(connection, &format!("public.{}", load.table)).await?;
        if done < missing {
            drop_indexes(connection, load.table).await?;
        }
    }
    Ok(())
}

async fn drop_indexes(connection: &mut PgConnection, table: &str) -> Result<(), Error> {
    for (name, _) in indexes(connection, table).await? {
        sqlx::query(AssertSqlSafe(format!("drop index if exists public.{name}")))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Name and definition of the indexes that a bulk load goes without.
async fn indexes(
    connection: &mut PgConnection,
    table: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "select quote_ident(index_name), definition from public.demo_indexes() \
         where table_name = $1",
    )
    .bind(table)
    .fetch_all(connection)
    .await
}

/// Brings back what a bulk load went without.
async fn create_indexes(
    connection: &mut PgConnection,
    table: &'static str,
    report: Report,
) -> Result<(), Error> {
    let indexes = indexes(connection, table).await?;
    let mut progress = Progress::steps(report, "indexes", indexes.len() as u64);
    for (name, definition) in indexes {
        sqlx::query(AssertSqlSafe(format!(
            "create index if not exists {name} on public.{table} {definition}"
        )))
        .execute(&mut *connection)
        .await?;
        progress.advance(1);
    }
    progress.end();
    Ok(())
}

/// Tells the planner what is there now, and future runs that nothing is left to do.
async fn finish(connection: &mut PgConnection, table: &'static str) -> Result<(), Error> {
    if table == "products" {
        advance_identity(connection, table).await?;
    }
    // Also marks pages as all-visible, which lets counting and jumping read indexes alone.
    sqlx::raw_sql(AssertSqlSafe(format!("vacuum (analyze) public.{table}")))
        .execute(&mut *connection)
        .await?;
    sqlx::query("update rowcast.seed_progress set finished = true where table_name = $1")
        .bind(table)
        .execute(connection)
        .await?;
    Ok(())
}

fn write_products(seed: u64, until: Micros, rows: Range<u64>, lines: &mut CopyLines) {
    for row in rows {
        Product::generate(seed, until, row.cast_signed() + 1).write(lines);
    }
}

fn write_events(seed: u64, until: Micros, rows: Range<u64>, lines: &mut CopyLines) {
    for index in rows.start / visit::BLOCK..rows.end.div_ceil(visit::BLOCK) {
        let first = index * visit::BLOCK;
        for (row, event) in (first..).zip(visit::block(seed, until, index)) {
            if rows.contains(&row) {
                event.write(lines);
            }
        }
    }
}
