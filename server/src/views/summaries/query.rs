//! Queries for the groups of summaries that are under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::{FilterOp, Value};
use tokio::time::sleep;
use view_index::summary::nice::nice_bounds;
use view_index::summary::{Account, BuiltAccount, BuiltGroup, Doubt, Numbers, Settled, Shape};
use view_index::{DomainId, OrderClass, Snapshot};

use super::plan::{BucketPlan, KeyPlan, SummaryPlan, axis};
use crate::db::asks::value_of;
use crate::db::catalog::TableDef;
use crate::db::constants::{Constant, canonical};
use crate::db::query::Condition;
use crate::db::summaries::{KeySql, Part, PartRow, ask, cell_count, ranges};
use crate::limits::{EXTREMES_FETCHED, FETCH_RETRY, PLAN_TIMEOUT};
use crate::views::fetching::{Failure, failure};
use crate::views::table::Surroundings;

/// A summary's number in its table.
pub type SummaryNumber = u64;

/// What a summary computes, once the bounds of its buckets are chosen.
#[derive(Debug)]
pub struct Known {
    /// What is kept of each group.
    pub shape: Arc<Shape>,
    /// The bounds of each key's buckets.
    pub bounds: Vec<Option<Vec<String>>>,
}

/// One question about a summary.
#[derive(Clone, Debug)]
pub struct Question {
    /// The summary.
    pub summary: SummaryNumber,
    /// Which life of it: an answer for an earlier one is of no use.
    pub life: u64,
    /// What it means.
    pub plan: Arc<SummaryPlan>,
    /// `None` if bounds are to be chosen first; such a question is asked by itself.
    pub known: Option<Arc<Known>>,
    /// What is asked.
    pub asked: Asked,
}

/// Questions for one statement.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Whether they are what batches have made necessary, for all summaries.
    pub is_together: bool,
    /// The questions.
    pub questions: Vec<Question>,
}

/// What is asked about a summary.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Every group.
    Groups,
    /// Extreme values that were lost.
    Doubts(Vec<Doubt>),
}

/// What was found out about a summary.
#[derive(Debug)]
pub struct Reply {
    /// The summary.
    pub summary: SummaryNumber,
    /// Which life of it.
    pub life: u64,
    /// What it computes.
    pub known: Arc<Known>,
    /// What was asked.
    pub found: Found,
}

/// What was asked about a summary.
#[derive(Debug)]
pub enum Found {
    /// Every group.
    Groups(Vec<BuiltGroup>),
    /// Extreme values.
    Settled(Vec<Settled>),
}

/// The answer to questions that were asked together.
#[derive(Debug)]
pub struct Answer {
    /// Whether they are what batches have made necessary, for all summaries.
    pub is_together: bool,
    /// Which summaries were asked about, in which life.
    pub questions: Vec<(SummaryNumber, u64)>,
    /// What was found out, at one snapshot.
    pub outcome: Result<(Snapshot, Vec<Reply>), Failure>,
}

/// Asks until there is an answer: as long as PostgreSQL cannot be reached, again and again.
pub async fn answer(
    Questions {
        is_together,
        questions,
    }: Questions,
    around: Surroundings,
    table: Arc<TableDef>,
) -> Answer {
    let asked = questions.iter().map(|one| (one.summary, one.life));
    let asked = asked.collect();
    loop {
        // Never closed; and if it were, the pool would still bound the queries.
        let room = around.fetches.acquire().await;
        let tried = attempt(&questions, &around, &table).await;
        drop(room);
        let outcome = match tried {
            Ok(found) => Ok(found),
            Err(Fault::Unreadable) => Err(Failure::SchemaChanged),
            Err(Fault::Database(error)) => match failure(&error) {
                Some(failure) => Err(failure),
                None => {
                    tracing::debug!(%error, "a summary cannot be counted; trying again");
                    sleep(FETCH_RETRY).await;
                    continue;
                }
            },
        };
        return Answer {
            is_together,
            questions: asked,
            outcome,
        };
    }
}

enum Fault {
    Database(sqlx::Error),
    /// The answer is not of the table as the catalogue described it.
    Unreadable,
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn attempt(
    questions: &[Question],
    around: &Surroundings,
    table: &TableDef,
) -> Result<(Snapshot, Vec<Reply>), Fault> {
    let mut known = Vec::with_capacity(questions.len());
    for question in questions {
        known.push(match &question.known {
            Some(known) => known.clone(),
            None => Arc::new(choose(question, around, table).await?),
        });
    }
    let mut parts = Vec::new();
    for (question, known) in questions.iter().zip(&known) {
        question.add_parts(table, known, &mut parts);
    }
    let answers = ask(&around.pool, table, &parts).await?;
    drop(parts);
    let mut rows = answers.parts.into_iter();
    let replies = questions.iter().zip(known).map(|(question, known)| {
        let found = question.read(table, &known.shape, &mut rows)?;
        Some(Reply {
            summary: question.summary,
            life: question.life,
            known,
            found,
        })
    });
    let replies: Option<Vec<Reply>> = replies.collect();
    Ok((answers.snapshot, replies.ok_or(Fault::Unreadable)?))
}

/// Chooses the bounds of buckets.
async fn choose(
    question: &Question,
    around: &Surroundings,
    table: &TableDef,
) -> Result<Known, Fault> {
    let plan = &question.plan;
    let open = plan.keys.iter().filter_map(|key| match key.buckets {
        Some(BucketPlan::Count(count)) => Some((key, count)),
        _ => None,
    });
    let open: Vec<(&KeyPlan, u32)> = open.collect();
    let columns: Vec<usize> = open.iter().map(|(key, _)| key.column).collect();
    let ranges = ranges(&around.pool, table, &plan.rows.condition, &columns).await?;
    let mut chosen = HashMap::new();
    for ((key, count), range) in open.into_iter().zip(ranges) {
        let def = &table.columns[key.column];
        // Without a value there is nothing to tell apart.
        let (Some((least, greatest)), Some(axis)) = (range, axis(def)) else {
            chosen.insert((key.column, count), Vec::new());
            continue;
        };
        let nice = nice_bounds(axis, &least, &greatest, count);
        let constants = nice.into_iter().map(|bound| Constant::Value(def, bound));
        let constants: Vec<_> = constants.collect();
        let mut bounds = match canonical(&around.pool, &constants, PLAN_TIMEOUT).await {
            Ok(bounds) => bounds,
            // A round number may be none of the column's type (a domain).
            Err(sqlx::Error::Database(_)) => vec![least],
            Err(error) => return Err(error.into()),
        };
        // Two round numbers may be one value of the column's type (`real`).
        bounds.dedup();
        chosen.insert((key.column, count), bounds);
    }
    let bounds = plan.keys.iter().map(|key| match &key.buckets {
        None => None,
        Some(BucketPlan::Bounds(bounds)) => Some(bounds.clone()),
        Some(BucketPlan::Count(count)) => chosen.get(&(key.column, *count)).cloned(),
    });
    let bounds: Vec<_> = bounds.collect();
    let shape = plan.shape(table, &bounds).map_err(|_| Fault::Unreadable)?;
    Ok(Known {
        shape: Arc::new(shape),
        bounds,
    })
}

impl Question {
    /// How many parts of a statement it takes, and how many parameters.
    pub fn size(&self) -> (usize, usize) {
        let parts = match &self.asked {
            Asked::Groups => 1,
            Asked::Doubts(doubts) => doubts.len(),
        };
        let each = self.plan.rows.condition.params.len() + 2 * self.plan.keys.len();
        (parts, parts * each)
    }

    fn add_parts<'a>(&'a self, table: &TableDef, known: &'a Known, parts: &mut Vec<Part<'a>>) {
        match &self.asked {
            Asked::Groups => {
                let keys = self.plan.keys.iter().zip(&known.bounds);
                let keys = keys.map(|(key, bounds)| KeySql {
                    column: key.column,
                    bounds: bounds.clone(),
                });
                parts.push(Part::Groups {
                    condition: &self.plan.rows.condition,
                    keys: keys.collect(),
                    accounts: &known.shape.accounts,
                    limit: self.plan.groups_max() + 1,
                });
            }
            Asked::Doubts(doubts) => parts.extend(doubts.iter().map(|doubt| Part::Best {
                condition: self.group_condition(table, known, doubt),
                account: &known.shape.accounts[doubt.account],
                limit: EXTREMES_FETCHED,
            })),
        }
    }

    /// The rows of one group.
    fn group_condition(&self, table: &TableDef, known: &Known, doubt: &Doubt) -> Condition {
        let mut all = vec![self.plan.rows.condition.clone()];
        let keys = self.plan.keys.iter().zip(&known.bounds);
        for ((key, bounds), value) in keys.zip(doubt.shown.iter()) {
            let mut test =
                |op, values: &[String]| all.push(Condition::test(table, key.column, op, values));
            match (bounds, value, value.to_postgres_text()) {
                (_, Value::Null, _) | (_, _, None) => test(FilterOp::IsNull, &[]),
                (Some(bounds), Value::Int(bucket), _) => {
                    let bucket = usize::try_from(*bucket).unwrap_or(0);
                    if let Some(lower) = bucket.checked_sub(1).and_then(|at| bounds.get(at)) {
                        test(FilterOp::Ge, std::slice::from_ref(lower));
                    }
                    if let Some(upper) = bounds.get(bucket) {
                        test(FilterOp::Lt, std::slice::from_ref(upper));
                    }
                }
                (_, _, Some(text)) => test(FilterOp::Eq, &[text]),
            }
        }
        Condition::join(all, true)
    }

    /// Takes its parts' rows; `None` if they make no sense.
    fn read(
        &self,
        table: &TableDef,
        shape: &Shape,
        parts: &mut impl Iterator<Item = Vec<PartRow>>,
    ) -> Option<Found> {
        match &self.asked {
            Asked::Groups => {
                let rows = parts.next()?.into_iter();
                let groups: Option<_> = rows.map(|row| self.group(table, shape, row)).collect();
                Some(Found::Groups(groups?))
            }
            Asked::Doubts(doubts) => {
                let settled = doubts.iter().map(|doubt| {
                    let values = parts.next()?.into_iter().next()?.cells.into_iter();
                    let account = &shape.accounts[doubt.account];
                    let best = values.map(|text| extreme_value(table, account, &text?));
                    let best: Vec<Value> = best.collect::<Option<_>>()?;
                    let is_all = best.len() < EXTREMES_FETCHED;
                    Some(Settled {
                        doubt: doubt.clone(),
                        best,
                        is_all,
                    })
                });
                Some(Found::Settled(settled.collect::<Option<_>>()?))
            }
        }
    }

    fn group(&self, table: &TableDef, shape: &Shape, row: PartRow) -> Option<BuiltGroup> {
        let key = |(key, text): (&KeyPlan, Option<String>)| match (text, &key.buckets) {
            (None, _) => Some(Value::Null),
            (Some(text), Some(_)) => text.parse().ok().map(Value::Int),
            (Some(text), None) => Some(value_of(&table.columns[key.column], &text)),
        };
        let keys = self.plan.keys.iter().zip(row.keys).map(key);
        let mut cells = row.cells.into_iter();
        let rows = cells.next()??.parse().ok()?;
        let accounts = shape.accounts.iter().map(|account| {
            let cells: Vec<Option<String>> = cells.by_ref().take(cell_count(account)).collect();
            built_account(table, account, &cells)
        });
        let accounts = accounts.collect::<Option<_>>()?;
        Some(BuiltGroup {
            key: keys.collect::<Option<_>>()?,
            rows,
            accounts,
        })
    }
}

fn extreme_value(table: &TableDef, account: &Account, text: &str) -> Option<Value> {
    match account {
        Account::Extreme { column, .. } => Some(value_of(&table.columns[*column], text)),
        _ => text.parse().ok().map(Value::Int),
    }
}

fn built_account(
    table: &TableDef,
    account: &Account,
    cells: &[Option<String>],
) -> Option<BuiltAccount> {
    let text = |at: usize| cells.get(at)?.as_deref();
    let count = |at: usize| text(at)?.parse::<i64>().ok();
    let values = count(0)?;
    let finite = || text(1).unwrap_or("0").to_owned();
    Some(match account {
        Account::Values { .. } => BuiltAccount::Values(values),
        Account::Sum {
            numbers: Numbers::Int | Numbers::BigInt,
            ..
        } => BuiltAccount::Sum {
            values,
            finite: finite(),
            special: [0; 3],
        },
        Account::Sum { .. } => BuiltAccount::Sum {
            values,
            finite: finite(),
            special: [count(2)?, count(3)?, count(4)?],
        },
        Account::Extreme { .. } => {
            let best = text(1).and_then(|text| extreme_value(table, account, text));
            let best = best.into_iter().map(|value| (value, 1)).collect();
            BuiltAccount::Extreme { values, best }
        }
        Account::Scale { .. } => {
            // Where all values have as many digits, it is known how many have the most.
            let times = if text(1) == text(2) { values } else { 1 };
            let best = text(1).and_then(|text| text.parse().ok()).map(Value::Int);
            let best = best.into_iter().map(|value| (value, times)).collect();
            BuiltAccount::Extreme { values, best }
        }
    })
}

impl Reply {
    /// Adds the texts whose place in PostgreSQL's order must be known.
    pub fn collect_texts(&self, texts: &mut HashMap<DomainId, HashSet<String>>) {
        let mut add = |class: OrderClass, value: &Value| {
            if let (OrderClass::Asked(domain), Some(text)) = (class, value.to_postgres_text()) {
                texts.entry(domain).or_default().insert(text);
            }
        };
        let shape = &self.known.shape;
        let class = |at: usize| match shape.accounts.get(at) {
            Some(Account::Extreme { class, .. }) => *class,
            _ => OrderClass::Int,
        };
        match &self.found {
            Found::Groups(groups) => {
                for group in groups {
                    for (key, value) in shape.keys.iter().zip(&group.key) {
                        if key.bounds.is_none() {
                            add(key.class, value);
                        }
                    }
                    for (at, account) in group.accounts.iter().enumerate() {
                        if let BuiltAccount::Extreme { best, .. } = account {
                            best.iter().for_each(|(value, _)| add(class(at), value));
                        }
                    }
                }
            }
            Found::Settled(settled) => {
                for one in settled {
                    let class = class(one.doubt.account);
                    one.best.iter().for_each(|value| add(class, value));
                }
            }
        }
    }
}
