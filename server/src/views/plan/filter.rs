//! Which rows a view holds: the filter, checked, in SQL and in Rust.

use std::slice::Iter;

use protocol::{ColumnKind, ErrorCode, Filter, FilterOp, Test};
use sqlx::postgres::PgPool;
use view_index::{Comparison, KeyPart, Predicate, Ranks};

use super::relative::Relative;
use super::sort::native_class;
use super::{Refusal, unknown_column, unreadable};
use crate::db::asks::value_of;
use crate::db::catalog::{ColumnDef, Ordering, TableDef};
use crate::db::constants::{Constant, canonical};
use crate::db::query::Condition;
use crate::db::relative::Bounds;
use crate::limits::{
    FILTER_TESTS_MAX, FILTER_TEXT_CHARS_MAX, FILTER_VALUES_MAX, PLAN_TIMEOUT, RELATIVE_SECONDS_MAX,
};
use crate::views::answers::Answers;

/// A filter whose columns are known and whose values PostgreSQL has read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Resolved {
    And(Vec<Resolved>),
    Or(Vec<Resolved>),
    Not(Box<Resolved>),
    /// The values are as [`canonical`] writes them once they are read.
    Test {
        column: usize,
        op: FilterOp,
        values: Vec<String>,
    },
}

/// Checks a filter, and asks PostgreSQL what its constants mean.
///
/// # Errors
/// If it makes no sense for this table.
pub(super) async fn read(
    filter: Option<&Filter>,
    table: &TableDef,
    pool: &PgPool,
) -> Result<Resolved, Refusal> {
    let all = Filter::And(Vec::new());
    let filter = filter.unwrap_or(&all);
    if tests(filter) > FILTER_TESTS_MAX {
        let message = format!("a filter may hold {FILTER_TESTS_MAX} tests");
        return Err(Refusal::new(ErrorCode::BadFilter, message));
    }
    let mut resolved = resolve(filter, table)?;
    let mut constants = Vec::new();
    resolved.collect(table, &mut constants);
    let texts = canonical(pool, &constants, PLAN_TIMEOUT)
        .await
        .map_err(|error| unreadable(&error))?;
    resolved.replace(table, &mut texts.into_iter());
    if resolved.relatives(table).iter().any(Option::is_none) {
        let message = "a relative date takes a positive interval of at most 1000 years, such as \
                       \"7 days\" or \"1 month\"";
        return Err(Refusal::new(ErrorCode::BadValue, message));
    }
    Ok(resolved)
}

fn tests(filter: &Filter) -> usize {
    match filter {
        Filter::And(list) | Filter::Or(list) => list.iter().map(tests).sum(),
        Filter::Not(inner) => tests(inner),
        Filter::Test(_) => 1,
    }
}

/// The operators that a column's type takes.
fn takes(def: &ColumnDef) -> impl Iterator<Item = FilterOp> + '_ {
    use FilterOp as Op;
    FilterOp::ALL.into_iter().filter(|op| match op {
        Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge | Op::Between | Op::In => {
            def.ordering != Ordering::None
        }
        Op::Contains | Op::StartsWith | Op::Matches | Op::IMatches | Op::IsNull => true,
        Op::ArrayContains | Op::ArrayContained | Op::Overlaps => def.is_array,
        Op::JsonContains | Op::JsonPath => def.is_jsonb,
        Op::WithinLast | Op::WithinNext => matches!(
            def.shown.kind,
            ColumnKind::Date | ColumnKind::Timestamp | ColumnKind::TimestampTz
        ),
    })
}

fn resolve(filter: &Filter, table: &TableDef) -> Result<Resolved, Refusal> {
    let list = |inner: &[Filter]| -> Result<Vec<Resolved>, Refusal> {
        inner.iter().map(|inner| resolve(inner, table)).collect()
    };
    Ok(match filter {
        Filter::And(inner) => Resolved::And(list(inner)?),
        Filter::Or(inner) => Resolved::Or(list(inner)?),
        Filter::Not(inner) => Resolved::Not(Box::new(resolve(inner, table)?)),
        Filter::Test(test) => resolve_test(test, table)?,
    })
}

fn resolve_test(test: &Test, table: &TableDef) -> Result<Resolved, Refusal> {
    let column = table
        .column(&test.column)
        .ok_or_else(|| unknown_column(table, &test.column))?;
    let def = &table.columns[column];
    let refuse = |message: String| Err(Refusal::new(ErrorCode::BadFilter, message));
    if takes(def).all(|op| op != test.op) {
        let names: Vec<&str> = takes(def).map(FilterOp::name).collect();
        return refuse(format!(
            "{:?} is {}, which takes no {}; it takes {}",
            test.column,
            def.shown.type_name,
            test.op.name(),
            names.join(", ")
        ));
    }
    let (wanted, described) = values_taken(test.op);
    if !wanted.contains(&test.values.len()) {
        let (column, op) = (&test.column, test.op.name());
        return refuse(format!("the test {op} of {column:?} takes {described}"));
    }
    let values: Option<Vec<String>> = test
        .values
        .iter()
        .map(protocol::Value::to_postgres_text)
        .collect();
    let Some(values) = values else {
        return refuse(format!(
            "nothing compares with null; use is_null for {:?}",
            test.column
        ));
    };
    if values.iter().any(|value| value.contains('\0')) {
        let message = format!("a value for {:?} holds a zero byte", test.column);
        return Err(Refusal::new(ErrorCode::BadValue, message));
    }
    let is_long = |value: &String| value.chars().count() > FILTER_TEXT_CHARS_MAX;
    if is_text(test.op) && values.iter().any(is_long) {
        let op = test.op.name();
        let message = format!("{op} takes a text of at most {FILTER_TEXT_CHARS_MAX} characters");
        return Err(Refusal::new(ErrorCode::BadValue, message));
    }
    Ok(Resolved::Test {
        column,
        op: test.op,
        values,
    })
}

/// How many values an operator takes, for programs and for people.
fn values_taken(op: FilterOp) -> (std::ops::RangeInclusive<usize>, String) {
    match op {
        FilterOp::IsNull => (0..=0, "no value".to_owned()),
        FilterOp::Between => (2..=2, "two values".to_owned()),
        FilterOp::In | FilterOp::ArrayContains | FilterOp::ArrayContained | FilterOp::Overlaps => {
            let described = format!("1 to {FILTER_VALUES_MAX} values");
            (1..=FILTER_VALUES_MAX, described)
        }
        _ => (1..=1, "one value".to_owned()),
    }
}

/// Whether the value is a text of the operator's own and not one of the column's type.
fn is_text(op: FilterOp) -> bool {
    matches!(
        op,
        FilterOp::Contains
            | FilterOp::StartsWith
            | FilterOp::Matches
            | FilterOp::IMatches
            | FilterOp::JsonPath
            | FilterOp::WithinLast
            | FilterOp::WithinNext
    )
}

fn is_relative(op: FilterOp) -> bool {
    matches!(op, FilterOp::WithinLast | FilterOp::WithinNext)
}

/// The next relative date's bounds.
fn next<'a>(bounds: &mut Iter<'a, Bounds>) -> (&'a str, &'a str) {
    bounds
        .next()
        .map_or(("", ""), |it| (it.lower.as_str(), it.upper.as_str()))
}

/// What PostgreSQL has to read of one test.
fn constants<'a>(def: &'a ColumnDef, op: FilterOp, values: &[String]) -> Vec<Constant<'a>> {
    let each = |of: fn(String) -> Constant<'a>| values.iter().cloned().map(of).collect();
    match op {
        FilterOp::Contains | FilterOp::StartsWith | FilterOp::IsNull => Vec::new(),
        FilterOp::Matches | FilterOp::IMatches => each(Constant::Pattern),
        FilterOp::ArrayContains | FilterOp::ArrayContained | FilterOp::Overlaps => {
            vec![Constant::Elements(def, values.to_vec())]
        }
        FilterOp::JsonContains => each(Constant::Json),
        FilterOp::JsonPath => each(Constant::JsonPath),
        FilterOp::WithinLast | FilterOp::WithinNext => each(Constant::Interval),
        _ => values
            .iter()
            .map(|value| Constant::Value(def, value.clone()))
            .collect(),
    }
}

impl Resolved {
    /// Everything that PostgreSQL has to read.
    fn collect<'a>(&self, table: &'a TableDef, all: &mut Vec<Constant<'a>>) {
        match self {
            Self::And(list) | Self::Or(list) => {
                list.iter().for_each(|inner| inner.collect(table, all));
            }
            Self::Not(inner) => inner.collect(table, all),
            Self::Test { column, op, values } => {
                all.extend(constants(&table.columns[*column], *op, values));
            }
        }
    }

    /// Puts what PostgreSQL read in its place, in the order of [`Self::collect`].
    fn replace(&mut self, table: &TableDef, read: &mut impl Iterator<Item = String>) {
        match self {
            Self::And(list) | Self::Or(list) => {
                list.iter_mut().for_each(|inner| inner.replace(table, read));
            }
            Self::Not(inner) => inner.replace(table, read),
            Self::Test { column, op, values } => {
                let constants = constants(&table.columns[*column], *op, values);
                let texts: usize = constants.iter().map(Constant::texts).sum();
                if texts > 0 {
                    *values = read.take(texts).collect();
                }
            }
        }
    }

    /// The relative dates, in the order of the tests; `None` for one of an unsound length.
    pub(super) fn relatives(&self, table: &TableDef) -> Vec<Option<Relative>> {
        match self {
            Self::And(list) | Self::Or(list) => {
                let each = list.iter().map(|inner| inner.relatives(table));
                each.flatten().collect()
            }
            Self::Not(inner) => inner.relatives(table),
            Self::Test { column, op, values } if is_relative(*op) => {
                let seconds = values.get(1).and_then(|text| text.parse().ok());
                let is_sound = |seconds: &f64| (0.0..=RELATIVE_SECONDS_MAX).contains(seconds);
                let relative = seconds.filter(is_sound).filter(|&it| it > 0.0);
                vec![relative.map(|seconds| {
                    let kind = table.columns[*column].shown.kind;
                    let is_next = *op == FilterOp::WithinNext;
                    Relative::new(*column, kind, is_next, values[0].clone(), seconds)
                })]
            }
            Self::Test { .. } => Vec::new(),
        }
    }

    /// The filter in SQL, with the bounds of its relative dates in the order of the tests.
    pub(super) fn condition(&self, table: &TableDef, bounds: &mut Iter<'_, Bounds>) -> Condition {
        let mut list = |inner: &[Self]| {
            let each = inner.iter().map(|inner| inner.condition(table, bounds));
            each.collect()
        };
        match self {
            Self::And(inner) => Condition::join(list(inner), true),
            Self::Or(inner) => Condition::join(list(inner), false),
            Self::Not(inner) => inner.condition(table, bounds).negate(),
            Self::Test { column, op, .. } if is_relative(*op) => {
                let (lower, upper) = next(bounds);
                Condition::test(table, *column, *op, &[lower.to_owned(), upper.to_owned()])
            }
            Self::Test { column, op, values } => Condition::test(table, *column, *op, values),
        }
    }

    /// The filter in Rust; what Rust does not evaluate becomes a condition of `answers`.
    pub(super) fn predicate(
        &self,
        table: &TableDef,
        answers: &mut Answers,
        bounds: &mut Iter<'_, Bounds>,
    ) -> Predicate {
        let mut list = |inner: &[Self]| {
            let each = inner
                .iter()
                .map(|inner| inner.predicate(table, answers, bounds));
            each.collect()
        };
        match self {
            Self::And(inner) => Predicate::All(list(inner)),
            Self::Or(inner) => Predicate::Any(list(inner)),
            Self::Not(inner) => Predicate::Not(Box::new(inner.predicate(table, answers, bounds))),
            Self::Test {
                column,
                op: FilterOp::IsNull,
                ..
            } => Predicate::IsNull { column: *column },
            Self::Test { column, op, values } => {
                let (lower, upper) = if is_relative(*op) {
                    next(bounds)
                } else {
                    ("", "")
                };
                let relative = [lower.to_owned(), upper.to_owned()];
                let values = if is_relative(*op) {
                    &relative
                } else {
                    &values[..]
                };
                native(table, *column, *op, values).unwrap_or_else(|| Predicate::Asked {
                    columns: Box::new([*column]),
                    condition: answers.condition(Condition::test(table, *column, *op, values)),
                })
            }
        }
    }
}

/// The test as Rust evaluates it, if it does exactly what PostgreSQL does.
fn native(table: &TableDef, column: usize, op: FilterOp, values: &[String]) -> Option<Predicate> {
    let def = &table.columns[column];
    let compare = |less, equal, greater, text: &String| {
        let holds = Comparison {
            less,
            equal,
            greater,
        };
        if !less && !greater && def.equal_is_same_text {
            return Some(Predicate::Same {
                column,
                text: text.as_str().into(),
            });
        }
        let class = native_class(&def.ordering)?;
        let value = value_of(def, text);
        let value = KeyPart::new(column, class, &value, &Ranks::default()).ok()?;
        Some(Predicate::Compare {
            column,
            class,
            holds,
            value,
        })
    };
    let equal = |text: &String| compare(false, true, false, text);
    match op {
        FilterOp::Eq => equal(&values[0]),
        FilterOp::Ne => Some(Predicate::Not(Box::new(equal(&values[0])?))),
        FilterOp::Lt => compare(true, false, false, &values[0]),
        FilterOp::Le => compare(true, true, false, &values[0]),
        FilterOp::Gt => compare(false, false, true, &values[0]),
        FilterOp::Ge => compare(false, true, true, &values[0]),
        FilterOp::Between => Some(Predicate::All(vec![
            compare(false, true, true, &values[0])?,
            compare(true, true, false, &values[1])?,
        ])),
        FilterOp::In => Some(Predicate::Any(
            values.iter().map(equal).collect::<Option<_>>()?,
        )),
        FilterOp::WithinLast | FilterOp::WithinNext => Some(Predicate::All(vec![
            compare(false, false, true, &values[0])?,
            compare(true, true, false, &values[1])?,
        ])),
        _ => None,
    }
}
