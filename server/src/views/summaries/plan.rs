//! What a summary asked for means: checked against the catalogue, and turned into a [`Shape`].

use std::sync::Arc;

use protocol::{
    Aggregate, AggregateOp, Buckets, ColumnKind, ErrorCode, GroupBy, GroupOrder, GroupTerm,
    Summarize, Summarized, SummaryId, SummaryKey, SummaryValue, Value,
};
use sqlx::postgres::PgPool;
use view_index::summary::nice::Axis;
use view_index::summary::{Account, GroupColumn, Numbers, Output, Scale, Shape, Term, TermOf};
use view_index::{KeyPart, OrderClass, Ranks};

use crate::db::asks::value_of;
use crate::db::catalog::{ColumnDef, Ordering, TableDef};
use crate::db::constants::{Constant, canonical};
use crate::db::query::nulls_first;
use crate::limits::{
    ASKED_GROUPS_MAX, BUCKETS_MAX, GROUPS_MAX, PLAN_TIMEOUT, SUMMARY_AGGREGATES_MAX,
    SUMMARY_KEYS_MAX,
};
use crate::views::answers::Answers;
use crate::views::plan::{Plan, Refusal, columns};

/// A summary, ready to be built. Two clients that ask for the same one get equal plans.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryPlan {
    /// Which rows; their order means nothing.
    pub rows: Plan,
    /// What they are grouped by.
    pub keys: Vec<KeyPlan>,
    aggregates: Vec<AggregatePlan>,
    order: Vec<Term>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlan {
    /// The column's place in the table.
    pub column: usize,
    class: OrderClass,
    /// Its buckets; `None` to group by the value.
    pub buckets: Option<BucketPlan>,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AggregatePlan {
    op: AggregateOp,
    /// The column's place in the table; `None` for rows.
    column: Option<usize>,
    /// How the column's values compare, for `min` and `max`.
    class: Option<OrderClass>,
}

/// The buckets of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketPlan {
    /// So many, with bounds that are chosen when the summary is first built.
    Count(u32),
    /// With these bounds, as PostgreSQL writes them.
    Bounds(Vec<String>),
}

fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, Refusal> {
    let message = message.into();
    Err(Refusal { code, message })
}

impl SummaryPlan {
    /// Checks a request and asks PostgreSQL what its constants mean.
    ///
    /// # Errors
    /// [`Refusal`] if the request makes no sense for this table.
    pub async fn new(
        asked: &Summarize,
        table: &TableDef,
        answers: &mut Answers,
        pool: &PgPool,
    ) -> Result<Self, Refusal> {
        let too_many = |what: &str, most: usize| {
            refuse(
                ErrorCode::BadSummary,
                format!("a summary may have {most} {what}"),
            )
        };
        if asked.by.len() > SUMMARY_KEYS_MAX || asked.order.len() > SUMMARY_KEYS_MAX {
            return too_many("keys, and terms of its order", SUMMARY_KEYS_MAX);
        }
        if asked.aggregates.len() > SUMMARY_AGGREGATES_MAX {
            return too_many("aggregates", SUMMARY_AGGREGATES_MAX);
        }
        let aggregates = asked.aggregates.iter();
        let aggregates = aggregates.map(|one| aggregate(one, table, answers));
        let aggregates: Vec<_> = aggregates.collect::<Result<_, _>>()?;
        let order = order(&asked.order, asked.by.len(), aggregates.len() + 1)?;
        let mut keys = Vec::new();
        for (at, by) in asked.by.iter().enumerate() {
            let is_ordered = order.iter().any(|term| term.of == TermOf::Key(at));
            let key = key(by, is_ordered, table, answers, pool).await?;
            if keys.contains(&key) {
                let message = format!("the summary is grouped by {:?} twice", by.column);
                return refuse(ErrorCode::BadSummary, message);
            }
            keys.push(key);
        }
        let mut view = asked.view.clone();
        view.sort.clear();
        Ok(Self {
            rows: Plan::of_rows(&view, table, answers, pool).await?,
            keys,
            aggregates,
            order,
        })
    }

    /// The same of other rows.
    #[must_use]
    pub fn of(&self, rows: Plan) -> Self {
        Self {
            rows,
            ..self.clone()
        }
    }

    /// Whether bounds of buckets are still to be chosen.
    pub fn needs_bounds(&self) -> bool {
        let is_open = |key: &KeyPlan| matches!(key.buckets, Some(BucketPlan::Count(_)));
        self.keys.iter().any(is_open)
    }

    /// The bounds that the client has named.
    pub fn given_bounds(&self) -> Vec<Option<Vec<String>>> {
        let given = |key: &KeyPlan| match &key.buckets {
            Some(BucketPlan::Bounds(bounds)) => Some(bounds.clone()),
            _ => None,
        };
        self.keys.iter().map(given).collect()
    }

    /// The most groups it may have.
    pub fn groups_max(&self) -> usize {
        let is_asked = |key: &KeyPlan| matches!(key.class, OrderClass::Asked(_));
        if self.keys.iter().any(is_asked) {
            ASKED_GROUPS_MAX
        } else {
            GROUPS_MAX
        }
    }

    /// What is kept of each group, given the bounds of each key's buckets.
    ///
    /// # Errors
    /// [`Refusal`] if bounds do not ascend.
    pub fn shape(
        &self,
        table: &TableDef,
        bounds: &[Option<Vec<String>>],
    ) -> Result<Shape, Refusal> {
        let mut accounts = Vec::new();
        let mut outputs = vec![Output::Rows];
        for aggregate in &self.aggregates {
            outputs.push(aggregate.output(table, &mut accounts));
        }
        let keys = self.keys.iter().zip(bounds).map(|(key, bounds)| {
            let parts = bounds.as_ref().map(|bounds| parts(key, bounds, table));
            Ok(GroupColumn {
                column: key.column,
                class: key.class,
                bounds: parts.transpose()?,
            })
        });
        Ok(Shape {
            keys: keys.collect::<Result<_, _>>()?,
            accounts,
            outputs,
            order: self.order.clone(),
        })
    }

    /// What a client is told of the summary.
    pub fn summarized(
        &self,
        summary: SummaryId,
        table: &TableDef,
        bounds: &[Option<Vec<String>>],
    ) -> Summarized {
        let keys = self.keys.iter().zip(bounds).map(|(key, bounds)| {
            let def = &table.columns[key.column];
            let values =
                |texts: &Vec<String>| texts.iter().map(|text| value_of(def, text)).collect();
            SummaryKey {
                column: def.shown.clone(),
                bounds: bounds.as_ref().map(values),
            }
        });
        let rows = SummaryValue {
            op: AggregateOp::Count,
            column: None,
            kind: ColumnKind::Int,
        };
        let values = self.aggregates.iter().map(|aggregate| {
            let def = aggregate.column.map(|column| &table.columns[column]);
            SummaryValue {
                op: aggregate.op,
                column: def.map(|def| def.name.clone()),
                kind: def.map_or(ColumnKind::Int, |def| result_kind(aggregate.op, def)),
            }
        });
        Summarized {
            summary,
            table: table.sql_name.clone(),
            keys: keys.collect(),
            values: [rows].into_iter().chain(values).collect(),
        }
    }
}

impl AggregatePlan {
    /// The account that it is read from, made if there is none.
    fn output(&self, table: &TableDef, accounts: &mut Vec<Account>) -> Output {
        let Some(column) = self.column else {
            return Output::Rows;
        };
        match (self.op, self.class) {
            (AggregateOp::Min | AggregateOp::Max, Some(class)) => {
                let descending = self.op == AggregateOp::Max;
                let account = Account::Extreme {
                    column,
                    class,
                    descending,
                };
                Output::Of(place(accounts, account))
            }
            (AggregateOp::Count | AggregateOp::Min | AggregateOp::Max, _) => {
                Output::Of(place(accounts, Account::Values { column }))
            }
            (AggregateOp::Sum | AggregateOp::Avg, _) => {
                let numbers = numbers(&table.columns[column], || {
                    place(accounts, Account::Scale { column })
                });
                let at = place(accounts, Account::Sum { column, numbers });
                if self.op == AggregateOp::Avg {
                    Output::Average(at)
                } else {
                    Output::Of(at)
                }
            }
        }
    }
}

fn place(accounts: &mut Vec<Account>, account: Account) -> usize {
    let known = accounts.iter().position(|known| *known == account);
    known.unwrap_or_else(|| {
        accounts.push(account);
        accounts.len() - 1
    })
}

/// What kind of sum PostgreSQL makes of a column; `tracked` keeps account of its digits behind the point.
fn numbers(def: &ColumnDef, tracked: impl FnOnce() -> usize) -> Numbers {
    match def.shown.kind {
        ColumnKind::Int if ["smallint", "integer"].contains(&def.sql_type.as_str()) => Numbers::Int,
        ColumnKind::Int => Numbers::BigInt,
        ColumnKind::Float => Numbers::Float,
        _ => Numbers::Numeric(
            fixed_scale(&def.shown.type_name)
                .map_or_else(|| Scale::Tracked(tracked()), Scale::Fixed),
        ),
    }
}

/// The digits behind the point that every value of `numeric(precision,scale)` has.
fn fixed_scale(type_name: &str) -> Option<u32> {
    let modifiers = type_name.strip_prefix("numeric(")?.strip_suffix(')')?;
    let scale: i32 = modifiers.split_once(',')?.1.parse().ok()?;
    u32::try_from(scale.max(0)).ok()
}

fn result_kind(op: AggregateOp, def: &ColumnDef) -> ColumnKind {
    match (op, numbers(def, || 0)) {
        (AggregateOp::Count, _) | (AggregateOp::Sum, Numbers::Int) => ColumnKind::Int,
        (AggregateOp::Sum | AggregateOp::Avg, Numbers::Float) => ColumnKind::Float,
        (AggregateOp::Sum | AggregateOp::Avg, _) => ColumnKind::Numeric,
        (AggregateOp::Min | AggregateOp::Max, _) => def.shown.kind,
    }
}

fn column(table: &TableDef, name: &str) -> Result<usize, Refusal> {
    let places = columns(table, &[name.to_owned()])?;
    Ok(places.first().copied().unwrap_or(0))
}

/// The names of the columns that something can be done with.
fn fitting(table: &TableDef, fits: impl Fn(&ColumnDef) -> bool) -> String {
    let names = table.columns.iter().filter(|def| fits(def));
    let names: Vec<&str> = names.map(|def| def.name.as_str()).collect();
    if names.is_empty() {
        format!("{} has none", table.sql_name)
    } else {
        format!("{} has {}", table.sql_name, names.join(", "))
    }
}

fn is_number(def: &ColumnDef) -> bool {
    matches!(
        def.shown.kind,
        ColumnKind::Int | ColumnKind::Float | ColumnKind::Numeric
    )
}

/// Whether PostgreSQL has `min` and `max` for the type, or Rowcast knows another way to ask.
fn has_extremes(def: &ColumnDef) -> bool {
    def.ordering != Ordering::None
        && !def.is_nested()
        && !matches!(
            def.shown.kind,
            ColumnKind::Other | ColumnKind::Json | ColumnKind::Array
        )
}

fn aggregate(
    asked: &Aggregate,
    table: &TableDef,
    answers: &mut Answers,
) -> Result<AggregatePlan, Refusal> {
    let op = asked.op;
    let Some(name) = &asked.column else {
        if op == AggregateOp::Count {
            return Ok(AggregatePlan {
                op,
                column: None,
                class: None,
            });
        }
        let message = "only count goes without a column; name one for sum, avg, min and max";
        return refuse(ErrorCode::BadSummary, message);
    };
    let column = column(table, name)?;
    let def = &table.columns[column];
    let type_name = &def.shown.type_name;
    let is_extreme = matches!(op, AggregateOp::Min | AggregateOp::Max);
    match op {
        AggregateOp::Sum | AggregateOp::Avg if !is_number(def) => {
            let others = fitting(table, is_number);
            let message =
                format!("sum and avg take a column of numbers; {name:?} is {type_name}. {others}");
            refuse(ErrorCode::BadSummary, message)
        }
        AggregateOp::Min | AggregateOp::Max if !has_extremes(def) => {
            let others = fitting(table, has_extremes);
            let message = format!(
                "min and max take a column with an order; {name:?} is {type_name}. {others}"
            );
            refuse(ErrorCode::BadSummary, message)
        }
        _ => Ok(AggregatePlan {
            op,
            column: Some(column),
            class: is_extreme.then(|| answers.class(def)).flatten(),
        }),
    }
}

fn order(asked: &[GroupOrder], keys: usize, values: usize) -> Result<Vec<Term>, Refusal> {
    if asked.is_empty() {
        let ascending = |at| Term {
            of: TermOf::Key(at),
            descending: false,
            nulls_first: false,
        };
        return Ok((0..keys).map(ascending).collect());
    }
    let term = |order: &GroupOrder| {
        let (at, there, what) = match order.by {
            GroupTerm::Key(at) => (at, keys, "key"),
            GroupTerm::Value(at) => (at, values, "value"),
        };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if at >= there {
            let message = format!("the order names {what} {at}; there are {there}, from 0");
            return refuse(ErrorCode::BadSummary, message);
        }
        Ok(Term {
            of: match order.by {
                GroupTerm::Key(_) => TermOf::Key(at),
                GroupTerm::Value(_) => TermOf::Output(at),
            },
            descending: order.descending,
            nulls_first: nulls_first(order.descending, order.nulls),
        })
    };
    asked.iter().map(term).collect()
}

async fn key(
    by: &GroupBy,
    is_ordered: bool,
    table: &TableDef,
    answers: &mut Answers,
    pool: &PgPool,
) -> Result<KeyPlan, Refusal> {
    let column = column(table, &by.column)?;
    let def = &table.columns[column];
    // A client could not name a group of arrays or composites told as JSON in a filter.
    let class = (!def.from_record()).then(|| answers.class(def)).flatten();
    let Some(class) = class else {
        let others = fitting(table, |def| {
            def.ordering != Ordering::None && !def.from_record()
        });
        let message = format!(
            "{:?} is {}, which cannot be grouped by. {others}",
            by.column, def.shown.type_name
        );
        return refuse(ErrorCode::BadSummary, message);
    };
    // Where only equality matters, and that is the text's, PostgreSQL need not be asked.
    let by_bytes = def.equal_is_same_text && !is_ordered;
    let buckets = match &by.buckets {
        None => None,
        Some(_) if axis(def).is_none() => {
            let others = fitting(table, |def| axis(def).is_some());
            let message = format!(
                "only numbers, dates and timestamps have buckets; {:?} is {}. {others}",
                by.column, def.shown.type_name
            );
            return refuse(ErrorCode::BadSummary, message);
        }
        Some(Buckets::Count(count)) if !(1..=BUCKETS_MAX).contains(count) => {
            let message = format!("a key may have 1 to {BUCKETS_MAX} buckets");
            return refuse(ErrorCode::BadSummary, message);
        }
        Some(Buckets::Count(count)) => Some(BucketPlan::Count(*count)),
        Some(Buckets::Bounds(bounds)) => {
            Some(BucketPlan::Bounds(bounds_read(def, bounds, pool).await?))
        }
    };
    Ok(KeyPlan {
        column,
        class: if by_bytes { OrderClass::Bytes } else { class },
        buckets,
    })
}

/// What the bounds of a histogram of a column are; `None` if it has none.
pub fn axis(def: &ColumnDef) -> Option<Axis> {
    Some(match def.shown.kind {
        ColumnKind::Int => Axis::Whole,
        ColumnKind::Float | ColumnKind::Numeric => Axis::Number,
        ColumnKind::Date => Axis::Day,
        ColumnKind::Timestamp => Axis::Local,
        ColumnKind::TimestampTz => Axis::Zoned,
        _ => return None,
    })
}

/// A client's bounds, as PostgreSQL writes them.
async fn bounds_read(
    def: &ColumnDef,
    bounds: &[Value],
    pool: &PgPool,
) -> Result<Vec<String>, Refusal> {
    let most = usize::try_from(BUCKETS_MAX).unwrap_or(usize::MAX);
    if !(1..=most).contains(&bounds.len()) {
        let message = format!("a key may have 1 to {BUCKETS_MAX} bounds");
        return refuse(ErrorCode::BadSummary, message);
    }
    let texts: Option<Vec<String>> = bounds.iter().map(Value::to_postgres_text).collect();
    let Some(texts) = texts.filter(|texts| texts.iter().all(|text| !text.contains('\0'))) else {
        let message = format!("a bound of {:?} is null, or holds a zero byte", def.name);
        return refuse(ErrorCode::BadValue, message);
    };
    let constants = texts.into_iter().map(|text| Constant::Value(def, text));
    let constants: Vec<_> = constants.collect();
    let read = canonical(pool, &constants, PLAN_TIMEOUT).await;
    read.map_err(|error| match error.as_database_error() {
        Some(error) => Refusal {
            code: ErrorCode::BadValue,
            message: error.message().to_owned(),
        },
        None => Refusal {
            code: ErrorCode::DatabaseUnavailable,
            message: "the database cannot be reached now; try again in a moment".to_owned(),
        },
    })
}

/// Bounds, as values of the key's column are compared.
fn parts(key: &KeyPlan, bounds: &[String], table: &TableDef) -> Result<Arc<[KeyPart]>, Refusal> {
    let def = &table.columns[key.column];
    let part = |text: &String| {
        KeyPart::new(
            key.column,
            key.class,
            &value_of(def, text),
            &Ranks::default(),
        )
    };
    let read: Result<Arc<[KeyPart]>, _> = bounds.iter().map(part).collect();
    let read = read.ok();
    let ascend =
        |parts: &Arc<[KeyPart]>| parts.windows(2).all(|two| two[0].compare(&two[1]).is_lt());
    match read.filter(ascend) {
        Some(parts) => Ok(parts),
        None => {
            let message = format!("the bounds of {:?} must ascend", def.name);
            refuse(ErrorCode::BadSummary, message)
        }
    }
}
