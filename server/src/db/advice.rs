//! Whether an index serves a view: its order under its filter.
//!
//! Only the planner knows. An index may be passed over because it is partial, has another collation or is
//! not valid; a filter on an equal tenant makes `(tenant, time)` serve an order by time; a partitioned
//! table is in order if every partition is. So nothing is concluded from the catalogue: PostgreSQL is
//! asked for the plans of the queries that the view is made of, and their nodes are read.

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor, Postgres, Transaction};
use view_index::{OrderColumn, Sizes};

use super::catalog::TableDef;
use super::explain::{PlanNode, explain};
use super::query::{Condition, order_by};
use crate::limits::{
    ADVICE_FIRST_ROWS, ADVICE_TIMEOUT, FOUND_ROWS_MAX, PROBE_ROWS, SERVED_FIRST_COST_MAX,
    SMALL_COST_MAX, WALK_COST_RATIO_LAST, WALK_COST_RATIO_MAX,
};

/// What counts as small and as served, in the planner's cost units and in rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// See [`SMALL_COST_MAX`].
    pub small_cost: f64,
    /// See [`SERVED_FIRST_COST_MAX`].
    pub first_cost: f64,
    /// See [`FOUND_ROWS_MAX`].
    pub found_rows: f64,
    /// Rows whose keys may be remembered.
    pub listed_rows: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            small_cost: SMALL_COST_MAX,
            first_cost: SERVED_FIRST_COST_MAX,
            found_rows: FOUND_ROWS_MAX,
            listed_rows: f64::INFINITY,
        }
    }
}

/// How PostgreSQL would answer the queries of a view.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// What it comes to.
    pub verdict: Verdict,
    /// The indexes that serve it; none where the verdict is [`Verdict::Unserved`], and maybe where it is
    /// [`Verdict::Small`].
    pub indexes: Vec<String>,
    /// The indexes that deliver the view's order, if any do; also where [`Verdict`] says that something else
    /// is quicker. With `SET LOCAL enable_sort = off` the planner takes them.
    pub walk: Option<Walk>,
    /// How it is divided into blocks.
    pub division: Division,
    /// Rows in the view, by the planner's estimate.
    pub rows: f64,
    /// The estimated cost of every key in order, by the best plan.
    pub cost: f64,
    /// The estimated cost of the first [`ADVICE_FIRST_ROWS`] rows, by the best plan.
    pub first_cost: f64,
}

/// What serves a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So little is read that no index is needed.
    Small,
    /// An index delivers the rows in order: [`Serving::walk`].
    Ordered,
    /// An index finds the few rows, which are then sorted.
    Found,
    /// None: all rows are read, or very many sorted.
    Unserved,
}

/// How a view is divided into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Division {
    /// From block to block along an index: [`Serving::walk`].
    Walked,
    /// Its keys are sorted once, and remembered.
    Listed,
    /// Not at all: no index delivers the order, and the keys are too many to be remembered.
    TooLarge,
}

/// A scan that delivers rows in a view's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// The index; of a partitioned table one per partition.
    pub indexes: Vec<String>,
    /// Whether the table itself need not be read for the keys.
    pub index_only: bool,
    /// Whether rows are read that the filter then drops.
    pub residual: bool,
    /// The index orders by the leading sort columns only (so many); rows that are equal in them are sorted.
    pub presorted: Option<usize>,
    /// The estimated cost of a walk along the whole view, in hops from block to block.
    pub cost: f64,
}

impl Walk {
    /// Whether every row read is one of the view, in its place.
    pub fn is_whole(&self) -> bool {
        !self.residual && self.presorted.is_none()
    }
}

impl Serving {
    /// Whether an index serves the view, or none is needed.
    pub fn is_served(&self) -> bool {
        self.verdict != Verdict::Unserved
    }
}

/// Asks which index serves a view's order under its filter.
///
/// # Errors
/// If PostgreSQL cannot be asked, or needs longer than [`ADVICE_TIMEOUT`] to plan.
pub async fn serving(
    pool: &PgPool,
    table: &TableDef,
    filter: &Condition,
    order: &[OrderColumn],
    thresholds: &Thresholds,
) -> Result<Serving, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let asked = Asked::new(table, filter, order);
    let keys = key_plans(&mut transaction, &asked).await?;
    let first = explain(&mut transaction, &asked.first, asked.params).await?;
    transaction.rollback().await?;
    Ok(judge(&keys, &first, thresholds))
}

/// How the rows of a view are divided, and how many of them there are by the planner's estimate; asked in a
/// transaction that is about to do so.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn division(
    connection: &mut PgConnection,
    table: &TableDef,
    filter: &Condition,
    order: &[OrderColumn],
    listed_rows: f64,
) -> Result<(Division, f64), sqlx::Error> {
    let plans = key_plans(connection, &Asked::new(table, filter, order)).await?;
    let division = divide(plans.walk().as_ref(), &plans.best, listed_rows);
    Ok((division, plans.best.rows))
}

/// How many rows of a table each of these conditions keeps, by the planner's estimate.
///
/// # Errors
/// As for [`serving`].
pub async fn estimated_rows(
    pool: &PgPool,
    table: &TableDef,
    conditions: &[Condition],
) -> Result<Vec<f64>, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let mut rows = Vec::new();
    for condition in conditions {
        let sql = format!(
            "SELECT FROM {} AS t WHERE {}",
            table.sql_name, condition.sql
        );
        rows.push(
            explain(&mut transaction, &sql, &condition.params)
                .await?
                .rows,
        );
    }
    transaction.rollback().await?;
    Ok(rows)
}

async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = '{} ms'",
        ADVICE_TIMEOUT.as_millis()
    );
    pool.begin_with(AssertSqlSafe(begin)).await
}

/// How long the planner's units take on this server, measured on rows that PostgreSQL makes up: a unit's
/// time in microseconds. It is where estimates start from, before any view has been opened.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn probe(pool: &PgPool) -> Result<f64, sqlx::Error> {
    let mut transaction = begin(pool).await?;
    let sql = format!("SELECT count(*) FROM generate_series(1, {PROBE_ROWS})");
    let cost = explain(&mut transaction, &sql, &[]).await?.cost;
    let began = std::time::Instant::now();
    sqlx::query(AssertSqlSafe(sql))
        .fetch_one(&mut *transaction)
        .await?;
    let took = began.elapsed();
    transaction.rollback().await?;
    Ok(took.as_secs_f64() * 1e6 / cost.max(1.0))
}

/// The queries whose plans are asked for.
struct Asked<'a> {
    keys: String,
    hop: String,
    first: String,
    params: &'a [String],
}

impl<'a> Asked<'a> {
    fn new(table: &TableDef, filter: &'a Condition, order: &[OrderColumn]) -> Self {
        let columns: Vec<String> = order
            .iter()
            .map(|by| format!("t.{}", table.columns[by.column].sql_name))
            .collect();
        // Without a key, and unsorted, rows have no order.
        let order = match order {
            [] => String::new(),
            order => format!(" ORDER BY {}", order_by(table, order)),
        };
        let from = format!("FROM {} AS t WHERE {}{order}", table.sql_name, filter.sql);
        let keys = format!("SELECT {} {from}", columns.join(", "));
        Self {
            hop: format!("{keys} LIMIT {}", Sizes::default().counted),
            keys,
            first: format!("SELECT t.* {from} LIMIT {ADVICE_FIRST_ROWS}"),
            params: &filter.params,
        }
    }
}

/// How the keys of a view would be read.
struct KeyPlans {
    /// All of them, in order.
    best: PlanNode,
    /// A block of them, without sorting wherever that can be.
    hop: PlanNode,
}

impl KeyPlans {
    /// The walk from block to block, if an index delivers the order. Each hop begins anew: where an index orders
    /// by the leading columns only, it sorts all rows that are equal in them.
    fn walk(&self) -> Option<Walk> {
        let hops = (self.best.rows / Sizes::default().counted as f64).max(1.0);
        walk(&self.hop).map(|walk| Walk {
            cost: self.hop.cost * hops,
            ..walk
        })
    }
}

async fn key_plans(
    connection: &mut PgConnection,
    asked: &Asked<'_>,
) -> Result<KeyPlans, sqlx::Error> {
    let best = explain(connection, &asked.keys, asked.params).await?;
    // Hops are single scans, so they are planned without helpers.
    connection
        .execute("SET LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0")
        .await?;
    let hop = explain(connection, &asked.hop, asked.params).await?;
    connection
        .execute(
            "SET LOCAL enable_sort TO DEFAULT; SET LOCAL max_parallel_workers_per_gather TO DEFAULT",
        )
        .await?;
    Ok(KeyPlans { best, hop })
}

/// How a view is divided: along an index if one delivers the order, since that needs no memory afterwards; unless it
/// reads or sorts so much besides that sorting the keys once is quicker by far.
fn divide(walk: Option<&Walk>, best: &PlanNode, listed_rows: f64) -> Division {
    let fits = best.rows <= listed_rows;
    let ratio = if fits {
        WALK_COST_RATIO_MAX
    } else {
        WALK_COST_RATIO_LAST
    };
    match walk {
        Some(walk) if walk.is_whole() || walk.cost <= best.cost * ratio => Division::Walked,
        _ if fits => Division::Listed,
        _ => Division::TooLarge,
    }
}

fn judge(plans: &KeyPlans, first: &PlanNode, thresholds: &Thresholds) -> Serving {
    let (walk, best) = (plans.walk(), &plans.best);
    let division = divide(walk.as_ref(), best, thresholds.listed_rows);
    let (cost, first_cost) = (best.cost, first.cost);
    let quick_first = first_cost <= thresholds.first_cost;
    let walks_whole = walk.as_ref().is_some_and(Walk::is_whole);
    // A small table has indexes too, but reading all of it is what PostgreSQL does.
    let is_small = cost.max(first_cost) <= thresholds.small_cost;
    let reads_all = indexes_of(best).is_empty();
    let verdict = if division == Division::TooLarge {
        Verdict::Unserved
    } else if walks_whole && !(is_small && reads_all) {
        Verdict::Ordered
    } else if best.rows <= thresholds.found_rows && is_found(best) {
        Verdict::Found
    } else if is_small {
        Verdict::Small
    } else if walk.is_some() && quick_first {
        Verdict::Ordered
    } else {
        Verdict::Unserved
    };
    let indexes = match (verdict, &walk) {
        (Verdict::Ordered, Some(walk)) => walk.indexes.clone(),
        (Verdict::Unserved, _) => Vec::new(),
        _ => indexes_of(best),
    };
    Serving {
        verdict,
        indexes,
        walk,
        division,
        rows: best.rows,
        cost,
        first_cost,
    }
}

/// The ordered scans of a plan; `None` if something in it is sorted as a whole, or read in no order.
fn walk(node: &PlanNode) -> Option<Walk> {
    match node.kind.as_str() {
        "Index Scan" | "Index Only Scan" => Some(Walk {
            indexes: node.index.iter().cloned().collect(),
            index_only: node.kind == "Index Only Scan",
            residual: node.filter.is_some(),
            presorted: None,
            cost: node.cost,
        }),
        "Incremental Sort" => {
            let mut walk = walk(node.inputs().next()?)?;
            walk.presorted = Some(node.presorted.len());
            Some(walk)
        }
        "Append" | "Merge Append" | "Gather Merge" | "Subquery Scan" | "Result" | "Limit" => {
            let mut walks = node.inputs().map(walk).collect::<Option<Vec<_>>>()?;
            let mut whole = walks.pop()?;
            for part in walks {
                whole.indexes.extend(part.indexes);
                whole.index_only &= part.index_only;
                whole.residual |= part.residual;
                // The part that is ordered by the fewest columns is the one that needs the most sorting.
                whole.presorted = match (whole.presorted, part.presorted) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            whole.residual |= node.filter.is_some();
            Some(whole)
        }
        _ => None,
    }
}

/// Whether every row of a plan is found by an index, rather than by reading all of them.
fn is_found(plan: &PlanNode) -> bool {
    let scans = plan.descendants().into_iter().filter(|node| {
        // What a bitmap's heap scan reads is decided by the index scans below it.
        node.kind.ends_with("Scan")
            && !matches!(node.kind.as_str(), "Bitmap Heap Scan" | "Subquery Scan")
    });
    let mut found = scans.map(|scan| scan.index.is_some() && scan.index_condition.is_some());
    let mut any = false;
    let all = found.by_ref().all(|found| {
        any = true;
        found
    });
    any && all
}

/// The indexes that a plan reads, each once.
fn indexes_of(plan: &PlanNode) -> Vec<String> {
    let mut names: Vec<String> = plan
        .descendants()
        .into_iter()
        .filter_map(|node| node.index.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}
