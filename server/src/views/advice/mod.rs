//! What serves a view, what opening it costs, and the index that would help.

pub mod calibration;
pub mod opening;
pub mod suggest;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::{
    Advice, IndexSuggestion, MeasuredOpening, OpeningCost, ServedBy, ServedVerdict, ServerMsg,
    ViewSpec, WindowId,
};
use sqlx::postgres::PgPool;
use tokio::sync::{OnceCell, Semaphore};

use self::calibration::{Calibration, count_in_words, in_words};
use self::opening::Opened;
use self::suggest::{Suggested, suggest};
use super::client::ClientRef;
use super::plan::Plan;
use crate::db::advice::{Serving, Thresholds, Verdict, probe, serving};
use crate::db::build_index::statements;
use crate::db::catalog::TableDef;
use crate::db::charting::listed_rows;
use crate::limits::{ADVICE_AGE_MAX, ADVICE_AT_ONCE, ADVICE_REMEMBERED_MAX};

/// What is known of one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    /// What serves it.
    pub serving: Serving,
    /// What would.
    pub suggested: Suggested,
    /// SQL that creates what would.
    pub sql: String,
}

impl Considered {
    /// The index that would help, in a sentence.
    fn help(&self) -> String {
        match &self.suggested.index {
            Some(_) => format!("This index would serve it: {}", self.sql),
            None => format!("No index can be suggested: {}", self.suggested.why),
        }
    }
}

/// Views by their table and meaning, and since when they are known.
type Known = HashMap<(u32, Plan), (Instant, Arc<Considered>)>;

/// Works out advice, and remembers it for a while. Shared by all tables.
#[derive(Debug)]
pub struct Advisor {
    pool: PgPool,
    calibration: OnceCell<Calibration>,
    /// See [`EXPENSIVE_COST`](crate::limits::EXPENSIVE_COST).
    expensive_cost: f64,
    /// Bytes of keys that one view may remember.
    listed_max: u64,
    room: Semaphore,
    known: Mutex<Known>,
}

impl Advisor {
    /// One that holds views of more than this cost (in the planner's units) for expensive, 0 for none; one view may
    /// remember so many bytes of keys.
    pub fn new(pool: PgPool, expensive_cost: u64, listed_max: u64) -> Self {
        let limit = if expensive_cost == 0 {
            f64::INFINITY
        } else {
            // Exact up to 2^53, which no cost reaches.
            expensive_cost as f64
        };
        Self {
            pool,
            calibration: OnceCell::new(),
            expensive_cost: limit,
            listed_max,
            room: Semaphore::new(ADVICE_AT_ONCE),
            known: Mutex::default(),
        }
    }

    /// What is known of a view; worked out if it is not, or was too long ago.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn consider(
        &self,
        table: &TableDef,
        plan: &Plan,
        spec: &ViewSpec,
    ) -> Result<Arc<Considered>, sqlx::Error> {
        if let Some(known) = self.known(table, plan) {
            return Ok(known);
        }
        // Never closed.
        let _room = self.room.acquire().await;
        let (source, order) = (plan.source(table), &plan.order);
        let thresholds = Thresholds {
            listed_rows: listed_rows(source, self.listed_max),
            ..Thresholds::default()
        };
        let serving = serving(&self.pool, source, &plan.condition, order, &thresholds).await?;
        let suggested = if plan.ranking().is_some() {
            Suggested::none("it is ordered by rank, which no index delivers")
        } else {
            suggest(&self.pool, table, spec, order, &serving, &thresholds).await?
        };
        let sql = match &suggested.index {
            Some(index) => statements(&self.pool, table.oid, index).await?,
            None => String::new(),
        };
        let considered = Arc::new(Considered {
            serving,
            suggested,
            sql,
        });
        self.remember(table, plan, considered.clone());
        Ok(considered)
    }

    fn known(&self, table: &TableDef, plan: &Plan) -> Option<Arc<Considered>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, considered) = known.get(&(table.oid, plan.clone()))?;
        (when.elapsed() < ADVICE_AGE_MAX).then(|| considered.clone())
    }

    fn remember(&self, table: &TableDef, plan: &Plan, considered: Arc<Considered>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ADVICE_REMEMBERED_MAX {
            known.clear();
        }
        known.insert((table.oid, plan.clone()), (Instant::now(), considered));
    }

    /// Forgets what is known of a table's views: its indexes are others by now.
    pub fn forget(&self, table: u32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(oid, _), _| *oid != table);
    }

    /// Why a view should not be opened without asking, if so: nothing of it can be shown before very much is
    /// read.
    pub async fn too_expensive(
        &self,
        table: &TableDef,
        plan: &Plan,
        spec: &ViewSpec,
    ) -> Option<String> {
        let considered = match self.consider(table, plan, spec).await {
            Ok(considered) => considered,
            Err(error) => {
                // The query itself will meet the same trouble, and has a time limit.
                tracing::debug!(%error, "what a view costs is not known");
                return None;
            }
        };
        let serving = &considered.serving;
        if serving.is_served() || serving.first_cost <= self.expensive_cost {
            return None;
        }
        let time = in_words(self.time(serving.first_cost).await);
        let help = considered.help();
        Some(format!(
            "no index serves this order and filter: {time} until the first row can be shown, by \
             PostgreSQL's estimate. {help}"
        ))
    }

    /// What a client is told whose view is too large to be divided without an index.
    pub async fn too_large(&self, table: &TableDef, plan: &Plan, spec: &ViewSpec) -> String {
        match self.consider(table, plan, spec).await {
            Ok(considered) => considered.help(),
            Err(error) => {
                tracing::debug!(%error, "what would help a view is not known");
                String::new()
            }
        }
    }

    /// What a client is told whose view could not be read in time.
    pub async fn too_slow(
        &self,
        (table, plan, spec): (&TableDef, &Plan, &ViewSpec),
        limit: Duration,
    ) -> String {
        let help = match self.consider(table, plan, spec).await {
            Ok(considered) if considered.suggested.index.is_some() => {
                format!("This index would help: {}", considered.sql)
            }
            _ => "Narrow the filter, or sort by columns that have an index".to_owned(),
        };
        let limit = limit.as_secs_f64();
        format!("the view's rows took longer than the {limit} s that are allowed. {help}")
    }

    /// How long something of this cost takes here.
    pub async fn time(&self, cost: f64) -> Duration {
        self.calibration().await.time(cost)
    }

    async fn calibration(&self) -> &Calibration {
        let measure = || async {
            // Where it cannot be measured, a server of the usual speed is assumed.
            const USUAL: f64 = 7.0;
            Calibration::new(probe(&self.pool).await.unwrap_or(USUAL))
        };
        self.calibration.get_or_init(measure).await
    }

    /// Tells a client what its window's view costs.
    pub async fn tell(
        &self,
        (table, plan, spec): (&TableDef, &Plan, &ViewSpec),
        opened: Option<Opened>,
        to: impl IntoIterator<Item = (ClientRef, WindowId)>,
    ) {
        let considered = match self.consider(table, plan, spec).await {
            Ok(considered) => considered,
            Err(error) => {
                tracing::debug!(%error, "there is no advice for a view");
                return;
            }
        };
        let serving = &considered.serving;
        if let Some(opened) = &opened
            && let Some((cost, took)) = opened.cost(serving)
        {
            self.calibration().await.learn(cost, took);
        }
        let measured = opened.map(|opened| opened.told(serving));
        let advice = self.advice(&considered, measured).await;
        for (client, window) in to {
            let advice = Advice {
                window,
                ..advice.clone()
            };
            client.send(ServerMsg::Advice(Box::new(advice)));
        }
    }

    /// What a client is told of a view, if nothing of it has been measured.
    ///
    /// # Errors
    /// If PostgreSQL cannot be asked.
    pub async fn advise(
        &self,
        table: &TableDef,
        plan: &Plan,
        spec: &ViewSpec,
    ) -> Result<Advice, sqlx::Error> {
        let considered = self.consider(table, plan, spec).await?;
        Ok(self.advice(&considered, None).await)
    }

    async fn advice(&self, considered: &Considered, measured: Option<MeasuredOpening>) -> Advice {
        let Considered {
            serving,
            suggested,
            sql,
        } = considered;
        let time = self.time(serving.cost).await;
        let whole = |float: f64| float.max(0.0).round() as u64;
        Advice {
            window: 0,
            served_by: ServedBy {
                verdict: verdict(serving.verdict),
                indexes: serving.indexes.clone(),
                note: note(serving, suggested),
            },
            cost: OpeningCost {
                rows: whole(serving.rows),
                planner_cost: whole(serving.cost),
                millis: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                in_words: in_words(time),
            },
            measured,
            suggestion: suggested.index.as_ref().map(|index| IndexSuggestion {
                name: index.name(),
                sql: sql.clone(),
                why: suggested.why.clone(),
            }),
            warning: warning(serving, &in_words(time)),
        }
    }
}

fn verdict(verdict: Verdict) -> ServedVerdict {
    match verdict {
        Verdict::Small => ServedVerdict::Small,
        Verdict::Ordered => ServedVerdict::Ordered,
        Verdict::Found => ServedVerdict::Found,
        Verdict::Unserved => ServedVerdict::Unserved,
    }
}

/// What an index does not do.
fn note(serving: &Serving, suggested: &Suggested) -> Option<String> {
    let mut notes = Vec::new();
    if let (Verdict::Ordered, Some(walk)) = (serving.verdict, &serving.walk) {
        if walk.residual {
            notes.push("rows that do not match the filter are read on the way".to_owned());
        }
        if let Some(columns) = walk.presorted {
            notes.push(format!(
                "it orders by the first {columns} columns; rows equal in them are sorted"
            ));
        }
    }
    if suggested.index.is_none() && !suggested.why.is_empty() {
        notes.push(suggested.why.clone());
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn warning(serving: &Serving, time: &str) -> Option<String> {
    let rows = count_in_words(serving.rows);
    match serving.verdict {
        Verdict::Unserved => Some(format!(
            "no index serves this order and filter: {rows} or so rows are found by reading, then sorted, \
             before the first is shown: {time}"
        )),
        Verdict::Ordered
            if serving.walk.as_ref().is_some_and(|walk| walk.residual)
                && serving.cost > Thresholds::default().first_cost =>
        {
            Some(format!(
                "the first rows come at once; to count all {rows} or so takes {time}, since rows that do \
                 not match are read too"
            ))
        }
        _ => None,
    }
}
