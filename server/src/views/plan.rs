//! What a view asked for means: checked against the catalogue, in SQL and in Rust.

use protocol::{ErrorCode, Filter, FilterOp, Test, ViewSpec};
use sqlx::postgres::PgPool;
use view_index::{Comparison, KeyPart, OrderClass, OrderColumn, Predicate, Ranks};

use super::answers::Answers;
use crate::db::asks::{canonical, value_of};
use crate::db::catalog::{ColumnDef, Ordering, TableDef};
use crate::db::query::{Condition, nulls_first};
use crate::limits::{FILTER_TESTS_MAX, FILTER_VALUES_MAX, SORT_COLUMNS_MAX};

/// A view, ready to be built. Two clients that ask for the same one get equal plans.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// `WHERE`.
    pub condition: Condition,
    /// `ORDER BY`, ending in the primary key.
    pub order: Vec<OrderColumn>,
    /// The filter with every value as PostgreSQL reads it.
    filter: Resolved,
}

/// Why a view is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// A filter whose columns are known and whose values PostgreSQL has read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Resolved {
    And(Vec<Resolved>),
    Or(Vec<Resolved>),
    Not(Box<Resolved>),
    Test {
        column: usize,
        op: FilterOp,
        values: Vec<String>,
    },
}

impl Plan {
    /// Checks a request and asks PostgreSQL what its constants mean.
    ///
    /// # Errors
    /// [`Refusal`] if the request makes no sense for this table.
    pub async fn new(
        spec: &ViewSpec,
        table: &TableDef,
        answers: &mut Answers,
        pool: &PgPool,
    ) -> Result<Self, Refusal> {
        let order = order(spec, table, answers)?;
        let all = Filter::And(Vec::new());
        let mut checked = resolve(spec.filter.as_ref().unwrap_or(&all), table)?;
        let mut constants = Vec::new();
        checked.collect(table, &mut constants);
        if checked.tests() > FILTER_TESTS_MAX {
            let message = format!("a filter may hold {FILTER_TESTS_MAX} tests");
            return Err(Refusal::new(ErrorCode::BadFilter, message));
        }
        let read = canonical(pool, &constants)
            .await
            .map_err(|error| unreadable(&error))?;
        checked.replace(&mut read.into_iter());
        Ok(Self {
            condition: checked.condition(table),
            order,
            filter: checked,
        })
    }

    /// The filter, to be evaluated here; what Rust does not evaluate becomes a condition of `answers`.
    pub fn predicate(&self, table: &TableDef, answers: &mut Answers) -> Predicate {
        self.filter.predicate(table, answers)
    }
}

fn unknown_column(table: &TableDef, name: &str) -> Refusal {
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let message = format!(
        "{} has no column {name:?}; it has {}",
        table.sql_name,
        names.join(", ")
    );
    Refusal::new(ErrorCode::UnknownColumn, message)
}

/// The places of the named columns; all for an empty list.
///
/// # Errors
/// If the table has no such column.
pub fn columns(table: &TableDef, names: &[String]) -> Result<Vec<usize>, Refusal> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    if names.len() > table.columns.len() {
        let message = "a window may show each column once".to_owned();
        return Err(Refusal::new(ErrorCode::UnknownColumn, message));
    }
    names
        .iter()
        .map(|name| {
            table
                .column(name)
                .ok_or_else(|| unknown_column(table, name))
        })
        .collect()
}

fn order(
    spec: &ViewSpec,
    table: &TableDef,
    answers: &mut Answers,
) -> Result<Vec<OrderColumn>, Refusal> {
    if spec.sort.len() > SORT_COLUMNS_MAX {
        let message = format!("a sort may name {SORT_COLUMNS_MAX} columns");
        return Err(Refusal::new(ErrorCode::BadSort, message));
    }
    let mut order: Vec<OrderColumn> = Vec::new();
    for by in &spec.sort {
        let column = table
            .column(&by.column)
            .ok_or_else(|| unknown_column(table, &by.column))?;
        if order.iter().any(|before| before.column == column) {
            let message = format!("the sort names {:?} twice", by.column);
            return Err(Refusal::new(ErrorCode::BadSort, message));
        }
        let class = answers.class(&table.columns[column]).ok_or_else(|| {
            let type_name = &table.columns[column].shown.type_name;
            let message = format!(
                "{:?} cannot be sorted by: {type_name} has no order",
                by.column
            );
            Refusal::new(ErrorCode::BadSort, message)
        })?;
        let nulls_first = nulls_first(by.descending, by.nulls);
        order.push(OrderColumn {
            column,
            class,
            descending: by.descending,
            nulls_first,
        });
    }
    // The key makes the order total, in the last column's direction, so that one index serves it.
    let descending = order.last().is_some_and(|by| by.descending);
    for &column in &table.key {
        if order.iter().all(|by| by.column != column) {
            let class = answers.class(&table.columns[column]).ok_or_else(|| {
                let message = "the primary key has a type without an order".to_owned();
                Refusal::new(ErrorCode::BadSort, message)
            })?;
            order.push(OrderColumn {
                column,
                class,
                descending,
                nulls_first: descending,
            });
        }
    }
    Ok(order)
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
    let (wanted, takes) = match test.op {
        FilterOp::IsNull => (0..=0, "no value"),
        FilterOp::Between => (2..=2, "two values"),
        FilterOp::In => (1..=FILTER_VALUES_MAX, "1 to 500 values"),
        _ => (1..=1, "one value"),
    };
    if !wanted.contains(&test.values.len()) {
        return refuse(format!("the test of {:?} takes {takes}", test.column));
    }
    let needs_type = !matches!(
        test.op,
        FilterOp::IsNull | FilterOp::Contains | FilterOp::StartsWith
    );
    if needs_type && def.ordering == Ordering::None {
        return refuse(format!(
            "{:?} is {}, which can only be tested by contains, starts_with and is_null",
            test.column, def.shown.type_name
        ));
    }
    let values: Option<Vec<String>> = test
        .values
        .iter()
        .map(protocol::Value::to_postgres_text)
        .collect();
    match values {
        Some(values) if values.iter().any(|value| value.contains('\0')) => {
            let message = format!("a value for {:?} holds a zero byte", test.column);
            Err(Refusal::new(ErrorCode::BadValue, message))
        }
        Some(values) => Ok(Resolved::Test {
            column,
            op: test.op,
            values,
        }),
        None => refuse(format!(
            "nothing compares with null; use is_null for {:?}",
            test.column
        )),
    }
}

fn unreadable(error: &sqlx::Error) -> Refusal {
    match error.as_database_error() {
        Some(error) => Refusal::new(ErrorCode::BadValue, error.message()),
        None => Refusal::new(
            ErrorCode::DatabaseUnavailable,
            "the database cannot be reached now; try again in a moment",
        ),
    }
}

impl Resolved {
    fn tests(&self) -> usize {
        match self {
            Self::And(list) | Self::Or(list) => list.iter().map(Self::tests).sum(),
            Self::Not(inner) => inner.tests(),
            Self::Test { .. } => 1,
        }
    }

    /// Every constant that is a value of its column's type.
    fn collect<'a>(&self, table: &'a TableDef, constants: &mut Vec<(&'a ColumnDef, String)>) {
        match self {
            Self::And(list) | Self::Or(list) => {
                list.iter()
                    .for_each(|inner| inner.collect(table, constants));
            }
            Self::Not(inner) => inner.collect(table, constants),
            Self::Test {
                op: FilterOp::Contains | FilterOp::StartsWith,
                ..
            } => {}
            Self::Test { column, values, .. } => {
                constants.extend(values.iter().map(|v| (&table.columns[*column], v.clone())));
            }
        }
    }

    /// Puts what PostgreSQL read in their places, in the order of [`Self::collect`].
    fn replace(&mut self, read: &mut impl Iterator<Item = String>) {
        match self {
            Self::And(list) | Self::Or(list) => {
                list.iter_mut().for_each(|inner| inner.replace(read));
            }
            Self::Not(inner) => inner.replace(read),
            Self::Test {
                op: FilterOp::Contains | FilterOp::StartsWith,
                ..
            } => {}
            Self::Test { values, .. } => {
                for (value, read) in values.iter_mut().zip(read) {
                    *value = read;
                }
            }
        }
    }

    fn condition(&self, table: &TableDef) -> Condition {
        let list = |inner: &[Self]| inner.iter().map(|inner| inner.condition(table)).collect();
        match self {
            Self::And(inner) => Condition::join(list(inner), true),
            Self::Or(inner) => Condition::join(list(inner), false),
            Self::Not(inner) => inner.condition(table).negate(),
            Self::Test { column, op, values } => Condition::test(table, *column, *op, values),
        }
    }

    fn predicate(&self, table: &TableDef, answers: &mut Answers) -> Predicate {
        let list = |inner: &[Self], answers: &mut Answers| {
            inner
                .iter()
                .map(|inner| inner.predicate(table, answers))
                .collect()
        };
        match self {
            Self::And(inner) => Predicate::All(list(inner, answers)),
            Self::Or(inner) => Predicate::Any(list(inner, answers)),
            Self::Not(inner) => Predicate::Not(Box::new(inner.predicate(table, answers))),
            Self::Test {
                column,
                op: FilterOp::IsNull,
                ..
            } => Predicate::IsNull { column: *column },
            Self::Test { column, op, values } => native(table, *column, *op, values)
                .unwrap_or_else(|| Predicate::Asked {
                    column: *column,
                    condition: answers.condition(Condition::test(table, *column, *op, values)),
                }),
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
        FilterOp::Contains | FilterOp::StartsWith | FilterOp::IsNull => None,
    }
}

fn native_class(ordering: &Ordering) -> Option<OrderClass> {
    Some(match ordering {
        Ordering::Bool => OrderClass::Bool,
        Ordering::Int => OrderClass::Int,
        Ordering::Float => OrderClass::Float,
        Ordering::Numeric => OrderClass::Numeric,
        Ordering::Date => OrderClass::Date,
        Ordering::Timestamp => OrderClass::Timestamp,
        Ordering::Bytes => OrderClass::Bytes,
        Ordering::Asked { .. } | Ordering::None => return None,
    })
}

/// How a column's values compare; `domain` numbers what only PostgreSQL knows.
pub fn order_class(
    column: &ColumnDef,
    domain: impl FnOnce(&str, Option<&str>) -> OrderClass,
) -> Option<OrderClass> {
    match &column.ordering {
        Ordering::Asked { collation } => Some(domain(&column.sql_type, collation.as_deref())),
        native => native_class(native),
    }
}
