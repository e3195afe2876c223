//! Queries for the rows and the counts of a view that are under way.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use protocol::ViewSpec;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use view_index::{Bound, ChartBlock, Fetched, Need, Origin, RowKey, Sizes, Snapshot};

use super::budget::Share;
use super::plan::Plan;
use super::table::Surroundings;
use super::view::{ViewId, overlap};
use crate::db::catalog::TableDef;
use crate::db::charting::{ChartError, chart, count};
use crate::db::rows::{Estimate, FetchError, Slice, Source};
use crate::limits::{COUNT_HELP_COST, FETCH_RETRY, HEAD_START};

/// A query's question.
#[derive(Clone, Debug)]
pub struct Question {
    /// The view.
    pub view: ViewId,
    /// Which life of the view: an answer for an earlier one is of no use.
    pub life: u64,
    /// Tells questions of a view apart.
    pub number: u64,
    /// What is asked.
    pub what: Asked,
    /// What one of the view's clients had asked for, where a refusal has to name what would help.
    pub spec: Option<Box<ViewSpec>>,
}

/// What is asked of PostgreSQL for a view.
#[derive(Clone, Debug)]
pub enum Asked {
    /// The first rows to show, and how many rows there are, near enough.
    First {
        /// The positions to show; `None` for the last rows.
        start: Option<u64>,
        /// Rows to show.
        count: u64,
        /// Where it says what the planner expects, for [`Asked::Count`].
        expected: Arc<watch::Sender<Option<Estimate>>>,
    },
    /// Rows that follow each other.
    Rows {
        /// Where they begin.
        origin: Origin,
        /// How many.
        count: u64,
        /// The position of the first of them.
        position: u64,
    },
    /// Rows by their keys.
    Listed {
        /// The blocks that they are rows of.
        origin: Origin,
        /// Their keys.
        keys: Vec<RowKey>,
        /// The position of the first of them.
        position: u64,
        /// The state that the keys were listed at.
        listed_at: Snapshot,
    },
    /// How many rows there are.
    Count {
        /// The first rows, if they are asked for at the same time.
        first: Option<watch::Receiver<Option<Estimate>>>,
    },
    /// How the rows from one bound up to another are divided.
    Chart {
        /// Where they begin.
        lower: Bound,
        /// Where they end.
        upper: Option<Bound>,
        /// Rows to be expected.
        expected: u64,
        /// Rows counted so far.
        counted: Arc<AtomicU64>,
        /// A count that goes first, if it is quick: it closes with that.
        after: Option<watch::Receiver<()>>,
    },
}

/// Which of a view's queries share their room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows that somebody waits to see.
    Rows,
    /// [`Asked::Count`].
    Count,
    /// [`Asked::Chart`].
    Chart,
}

impl Asked {
    /// The question that a need asks, at a state of the view.
    pub fn of(need: Need, state: &Snapshot) -> Self {
        match need {
            Need::Rows {
                origin,
                count,
                position,
            } => Self::Rows {
                origin,
                count,
                position,
            },
            Need::Listed {
                origin,
                keys,
                position,
            } => Self::Listed {
                origin,
                keys,
                position,
                listed_at: state.clone(),
            },
            Need::Chart {
                lower,
                upper,
                expected,
            } => Self::Chart {
                lower,
                upper,
                expected,
                counted: Arc::default(),
                after: None,
            },
        }
    }

    /// Whether an answer to the one brings rows that the other asks for.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.positions(), other.positions()) {
            (Some(a), Some(b)) => overlap(&a, &b),
            (a, b) => a == b,
        }
    }

    /// The positions it asks for; `None` if they are not known.
    pub fn positions(&self) -> Option<std::ops::Range<u64>> {
        match self {
            Self::Rows {
                position: u64::MAX, ..
            } => None,
            Self::Rows {
                count, position, ..
            } => Some(*position..position.saturating_add(*count)),
            Self::Listed { keys, position, .. } => Some(*position..position + keys.len() as u64),
            Self::First { start, count, .. } => {
                start.map(|start| start..start.saturating_add(*count))
            }
            Self::Count { .. } | Self::Chart { .. } => None,
        }
    }

    /// What it shares its room with.
    pub fn kind(&self) -> Kind {
        match self {
            Self::First { .. } | Self::Rows { .. } | Self::Listed { .. } => Kind::Rows,
            Self::Count { .. } => Kind::Count,
            Self::Chart { .. } => Kind::Chart,
        }
    }

    /// Waits until it is time to ask; `false` if it need not be asked any more. What is quick and awaited more goes
    /// first: two readers of a table slow each other, and a large count has helpers.
    async fn is_due(&mut self) -> bool {
        match self {
            Self::Count { first: Some(first) } => {
                let expected = first.wait_for(Option::is_some).await.map(|it| *it);
                let Some(expected) = expected.ok().flatten() else {
                    return false;
                };
                if expected.is_counted_at_once() {
                    return false;
                }
                if expected.cost > f64::from(COUNT_HELP_COST) {
                    drop(timeout(HEAD_START, closed(first)).await);
                }
                true
            }
            Self::Chart { after, .. } => {
                if let Some(mut count) = after.take() {
                    drop(timeout(HEAD_START, closed(&mut count)).await);
                }
                true
            }
            _ => true,
        }
    }

    /// Waits until its answer can be used: a total belongs to rows that are shown.
    async fn is_awaited(&mut self) {
        if let Self::Count { first: Some(first) } = self {
            closed(first).await;
        }
    }
}

/// Waits until whoever would send is gone.
async fn closed<T>(receiver: &mut watch::Receiver<T>) {
    while receiver.changed().await.is_ok() {}
}

/// A query's answer.
#[derive(Debug)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a question.
#[derive(Debug)]
pub enum Outcome {
    /// An answer.
    Found(Found),
    /// There is none.
    Failed(Failure),
    /// It was not asked: another question's answer tells it too.
    Needless,
}

/// What a query found.
#[derive(Debug)]
pub struct Found {
    /// What the query saw.
    pub snapshot: Snapshot,
    /// Rows in the view: counted with the rows, or estimated. Only with [`Asked::First`].
    pub total: Option<view_index::Total>,
    /// The rows or counts.
    pub contents: Contents,
    /// Room that was made for them, until their view has a share of its own.
    pub room: Option<Share>,
}

/// Rows or counts.
#[derive(Debug)]
pub enum Contents {
    /// Rows, the first of them from this position.
    Rows(Fetched, u64),
    /// The number of all rows.
    Count(u64),
    /// Blocks.
    Chart(Vec<ChartBlock>),
}

/// Why a query has no answer and is not tried again.
#[derive(Debug)]
pub enum Failure {
    /// The table's columns changed; its views are about to be rebuilt.
    SchemaChanged,
    /// PostgreSQL refused it.
    Refused(String),
    /// It took too long.
    Timeout,
    /// No index serves the view, and it is too large without one.
    NoIndex(String),
}

impl Question {
    /// Asks until there is an answer: as long as PostgreSQL cannot be reached, again and again.
    pub async fn ask(
        mut self,
        around: Surroundings,
        table: Arc<TableDef>,
        plan: Arc<Plan>,
    ) -> Answer {
        if !self.what.is_due().await {
            return Answer {
                question: self,
                outcome: Outcome::Needless,
            };
        }
        loop {
            let room = match self.what.kind() {
                Kind::Rows => &around.fetches,
                Kind::Count => &around.counts,
                Kind::Chart => &around.charts,
            };
            // Never closed; and if it were, the pool would still bound the queries.
            let room = room.acquire().await;
            let asked = self.ask_once(&around, &table, &plan).await;
            drop(room);
            let failure = match asked {
                Ok(found) => {
                    self.what.is_awaited().await;
                    return Answer {
                        question: self,
                        outcome: Outcome::Found(found),
                    };
                }
                Err(ChartError::TooLarge { rows }) => {
                    let help = match &self.spec {
                        Some(spec) => around.advisor.too_large(&table, &plan, spec).await,
                        None => String::new(),
                    };
                    Failure::NoIndex(format!(
                        "no index serves this order and filter, and the keys of about {rows} rows are too many to \
                         be sorted and remembered: the first and last rows can be shown, others need an index. \
                         {help}"
                    ))
                }
                Err(ChartError::TooSlow) => Failure::Timeout,
                Err(ChartError::Fetch(FetchError::Decode(_))) => Failure::SchemaChanged,
                Err(ChartError::Fetch(FetchError::Database(error))) => match failure(&error) {
                    Some(failure) => failure,
                    None => {
                        tracing::debug!(%error, "a view's rows cannot be fetched; trying again");
                        sleep(FETCH_RETRY).await;
                        continue;
                    }
                },
            };
            return Answer {
                question: self,
                outcome: Outcome::Failed(failure),
            };
        }
    }

    async fn ask_once(
        &self,
        around: &Surroundings,
        table: &TableDef,
        plan: &Plan,
    ) -> Result<Found, ChartError> {
        let source = Source {
            table: plan.source(table),
            filter: &plan.condition,
            order: &plan.order,
        };
        let pool = &around.pool;
        match &self.what {
            Asked::First {
                start,
                count,
                expected,
            } => first(source, around, (*start, *count), expected).await,
            Asked::Rows {
                origin,
                count,
                position,
            } => {
                let slice = source.fetch(pool, origin.clone(), *count, false).await?;
                Ok(rows(slice, *position, None))
            }
            Asked::Listed {
                origin,
                keys,
                position,
                ..
            } => {
                let slice = source.look_up(pool, origin.clone(), keys).await?;
                Ok(rows(slice, *position, None))
            }
            Asked::Count { .. } => {
                let (snapshot, rows) = count(pool, source).await?;
                Ok(Found {
                    snapshot,
                    total: None,
                    contents: Contents::Count(rows),
                    room: None,
                })
            }
            Asked::Chart {
                lower,
                upper,
                counted,
                ..
            } => {
                counted.store(0, std::sync::atomic::Ordering::Relaxed);
                let range = (lower, upper.as_ref());
                let sizes = (Sizes::default(), around.budget.listed_max());
                let make_room = async |bytes: u64| {
                    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                    around.budget.reserve(bytes).await
                };
                let charted = chart(pool, source, range, sizes, counted, make_room).await?;
                Ok(Found {
                    snapshot: charted.snapshot,
                    total: None,
                    contents: Contents::Chart(charted.blocks),
                    room: charted.room,
                })
            }
        }
    }
}

/// The first rows of a view: counted too if there are few, else those that need no counting.
async fn first(
    source: Source<'_>,
    around: &Surroundings,
    (start, count): (Option<u64>, u64),
    expected: &watch::Sender<Option<Estimate>>,
) -> Result<Found, ChartError> {
    // Both on one connection, which is tested once.
    let mut connection = around.pool.acquire().await?;
    let estimate = source.estimate(&mut connection).await?;
    expected.send_replace(Some(estimate));
    let is_small = estimate.is_counted_at_once();
    let (origin, count) = match start {
        None => (Origin::End, count),
        // Far into a large view nothing can be shown before it is counted.
        Some(start) if !is_small && start > 0 => (behind(0), 0),
        Some(start) => (behind(start), count),
    };
    let fetching = source.fetch(&mut *connection, origin, count, is_small);
    let slice = fetching.await?;
    let total = match slice.total {
        Some(total) => view_index::Total::Exact(total),
        None => view_index::Total::Estimate(estimate.rows),
    };
    Ok(rows(slice, start.unwrap_or(u64::MAX), Some(total)))
}

fn behind(skipped: u64) -> Origin {
    Origin::Behind {
        bound: Bound::Min,
        skipped,
    }
}

fn rows(slice: Slice, position: u64, total: Option<view_index::Total>) -> Found {
    Found {
        snapshot: slice.snapshot,
        total,
        contents: Contents::Rows(slice.fetched, position),
        room: None,
    }
}

/// What an error says about the query itself; `None` if it says something about the connection.
pub(super) fn failure(error: &sqlx::Error) -> Option<Failure> {
    let error = error.as_database_error()?;
    match error.code()?.as_bytes() {
        b"57014" => Some(Failure::Timeout),
        // The table is being altered: what comes of it is told by the change log.
        b"55P03" => None,
        b"42703" | b"42P01" | b"42804" | b"42883" | b"0A000" => Some(Failure::SchemaChanged),
        // The server stops or starts, has no room for a connection, or lost a race.
        [b'5', b'7', ..] | [b'5', b'3', ..] | [b'0', b'8', ..] | [b'4', b'0', ..] => None,
        _ => Some(Failure::Refused(error.message().to_owned())),
    }
}
