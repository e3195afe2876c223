//! The toy table: its columns, the few values each may hold, and what PostgreSQL would say of them.
//!
//! Every value carries its place in its column's order by hand, so that the model's order shares no
//! code with the one under test.

use std::cmp::Ordering;
use std::sync::Arc;

use protocol::Value;
use view_index::{
    Comparison, DomainId, KeyPart, Order, OrderClass, OrderColumn, Placement, Predicate, Ranks,
    TableRow,
};

/// The domain of `name`: text under a case-insensitive collation.
pub(crate) const NAMES: DomainId = DomainId(3);
pub(crate) const NAME: usize = 1;
pub(crate) const REGION: usize = 2;
pub(crate) const ID: usize = 6;
pub(crate) const NOTE: usize = 7;
pub(crate) const COLUMNS: usize = 9;
/// The primary key's columns in key order.
pub(crate) const KEY: [usize; 2] = [REGION, ID];

/// One row: for each column, which of its values.
pub(crate) type Picks = [u8; COLUMNS];
/// A row's primary key.
pub(crate) type PickedKey = [u8; 2];

enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
}

use Literal::{Bool, Float, Int, Null, Text};

/// A column's values with their places in its order; equal places are equal values.
type Domain = &'static [(Literal, i64)];

const SMALL: Domain = &[
    (Null, 0),
    (Int(-7), 1),
    (Int(0), 2),
    (Int(1), 3),
    (Int(i64::MAX), 4),
];
const NAME_TEXTS: Domain = &[
    (Null, 0),
    (Text("a"), 1),
    (Text("A"), 1),
    (Text("ab"), 2),
    (Text("B"), 3),
    (Text("b"), 3),
    (Text("C d"), 4),
];
const REGIONS: Domain = &[(Text("Z"), 1), (Text("a"), 2), (Text("é"), 3)];
const AMOUNTS: Domain = &[
    (Null, 0),
    (Text("-Infinity"), 1),
    (Text("-5.0"), 2),
    (Text("-5"), 2),
    (Text("0.00"), 3),
    (Text("9.99"), 4),
    (Text("10"), 5),
    (Text("NaN"), 6),
];
const TIMES: Domain = &[
    (Null, 0),
    (Text("0044-03-15T00:00:00+00:00 BC"), 1),
    (Text("2026-11-21T23:30:00+00:00"), 2),
    (Text("2026-11-22T00:30:00+01:00"), 2),
    (Text("2026-11-21T23:30:00.000001+00:00"), 3),
    (Text("infinity"), 4),
];
const RATIOS: Domain = &[
    (Null, 0),
    (Float(f64::NEG_INFINITY), 1),
    (Float(-0.0), 2),
    (Float(0.0), 2),
    (Float(0.1), 3),
    (Float(f64::NAN), 4),
];
const IDS: Domain = &[
    (Int(-1), 1),
    (Int(2), 2),
    (Int(3), 3),
    (Int(5), 4),
    (Int(8), 5),
    (Int(13), 6),
    (Int(21), 7),
];
const NOTES: Domain = &[(Null, 0), (Text("x"), 1), (Text("xy"), 2), (Text("y"), 3)];
const FLAGS: Domain = &[(Null, 0), (Bool(false), 1), (Bool(true), 2)];

fn domain(column: usize) -> (OrderClass, Domain) {
    match column {
        0 => (OrderClass::Int, SMALL),
        NAME => (OrderClass::Asked(NAMES), NAME_TEXTS),
        REGION => (OrderClass::Bytes, REGIONS),
        3 => (OrderClass::Numeric, AMOUNTS),
        4 => (OrderClass::Timestamp, TIMES),
        5 => (OrderClass::Float, RATIOS),
        ID => (OrderClass::Int, IDS),
        NOTE => (OrderClass::Bytes, NOTES),
        _ => (OrderClass::Bool, FLAGS),
    }
}

/// The row with every choice brought into its column's domain.
pub(crate) fn normalize(raw: Picks) -> Picks {
    std::array::from_fn(|column| {
        let values = domain(column).1.len();
        u8::try_from(usize::from(raw[column]) % values).unwrap()
    })
}

pub(crate) fn key_of(row: &Picks) -> PickedKey {
    KEY.map(|column| row[column])
}

pub(crate) fn value(column: usize, pick: u8) -> Value {
    match domain(column).1[usize::from(pick)].0 {
        Null => Value::Null,
        Bool(value) => Value::Bool(value),
        Int(value) => Value::Int(value),
        Float(value) => Value::Float(value),
        Text(text) => Value::text(text),
    }
}

/// The value's place in its column's order; `None` for `NULL`.
fn place(column: usize, pick: u8) -> Option<i64> {
    let (literal, place) = &domain(column).1[usize::from(pick)];
    (!matches!(literal, Null)).then_some(*place)
}

pub(crate) fn key_values(key: PickedKey) -> Arc<[Value]> {
    KEY.iter()
        .zip(key)
        .map(|(&column, pick)| value(column, pick))
        .collect()
}

pub(crate) fn table_row(row: &Picks) -> Arc<TableRow> {
    Arc::new(TableRow {
        key: key_values(key_of(row)),
        cells: (0..COLUMNS)
            .map(|column| value(column, row[column]))
            .collect(),
        omitted: Box::default(),
    })
}

/// What PostgreSQL answers when asked where texts of [`NAMES`] stand among known bounds.
pub(crate) fn ask_places(bounds: &[String], texts: &[String]) -> Vec<Placement> {
    let fold = |text: &String| text.to_lowercase();
    let mut distinct: Vec<String> = texts.iter().map(fold).collect();
    distinct.sort();
    distinct.dedup();
    let answer = |text: &String| {
        let bucket = bounds
            .iter()
            .filter(|bound| fold(bound) <= fold(text))
            .count();
        Placement {
            text: text.clone(),
            bucket,
            equals_bound: bucket > 0 && fold(&bounds[bucket - 1]) == fold(text),
            place: i64::try_from(distinct.binary_search(&fold(text)).unwrap()).unwrap(),
        }
    };
    texts.iter().map(answer).collect()
}

/// One column of a sort as a client asks for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortBy {
    pub(crate) column: usize,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// The sort, made total as the server does it: by the primary key, in the last column's direction.
pub(crate) fn total_order(sort: &[SortBy]) -> Vec<SortBy> {
    let mut order: Vec<SortBy> = Vec::new();
    for by in sort {
        if order.iter().all(|earlier| earlier.column != by.column) {
            order.push(*by);
        }
    }
    let descending = order.last().is_some_and(|by| by.descending);
    for column in KEY {
        if order.iter().all(|by| by.column != column) {
            order.push(SortBy {
                column,
                descending,
                nulls_first: descending,
            });
        }
    }
    order
}

pub(crate) fn product_order(order: &[SortBy]) -> Order {
    let column = |by: &SortBy| OrderColumn {
        column: by.column,
        class: domain(by.column).0,
        descending: by.descending,
        nulls_first: by.nulls_first,
    };
    Order::new(order.iter().map(column).collect())
}

/// `ORDER BY`.
pub(crate) fn compare(order: &[SortBy], a: &Picks, b: &Picks) -> Ordering {
    for by in order {
        let (x, y) = (
            place(by.column, a[by.column]),
            place(by.column, b[by.column]),
        );
        let ordering = match (x, y) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) | (Some(_), None) => {
                if x.is_none() == by.nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (Some(x), Some(y)) if by.descending => y.cmp(&x),
            (Some(x), Some(y)) => x.cmp(&y),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// A `WHERE`.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    IsNull(usize),
    /// The column against one of its values; bits of `holds`: less, equal, greater.
    Compare {
        column: usize,
        pick: u8,
        holds: u8,
    },
    /// `note =` one of its values.
    NoteIs(u8),
    /// One of the conditions that only PostgreSQL evaluates.
    Asked(usize),
}

/// How many conditions there are that only PostgreSQL evaluates.
pub(crate) const ASKED: usize = 2;

/// PostgreSQL's verdict on such a condition.
pub(crate) fn verdict(condition: usize, row: &Picks) -> Option<bool> {
    match condition {
        0 => place(NOTE, row[NOTE]).map(|place| place < 3),
        _ => place(NAME, row[NAME]).map(|place| place % 2 == 0),
    }
}

impl Condition {
    /// SQL's verdict: true, false or null.
    pub(crate) fn evaluate(&self, row: &Picks) -> Option<bool> {
        let places = |column, pick| place(column, row[column]).zip(place(column, pick));
        match self {
            Self::And(list) => {
                let verdicts: Vec<_> = list.iter().map(|inner| inner.evaluate(row)).collect();
                let is_false = verdicts.contains(&Some(false));
                let is_true = verdicts.iter().all(|verdict| *verdict == Some(true));
                (is_false || is_true).then_some(!is_false)
            }
            Self::Or(list) => Self::Not(Box::new(Self::And(
                list.iter()
                    .map(|inner| Self::Not(Box::new(inner.clone())))
                    .collect(),
            )))
            .evaluate(row),
            Self::Not(inner) => inner.evaluate(row).map(|holds| !holds),
            Self::IsNull(column) => Some(place(*column, row[*column]).is_none()),
            Self::Compare {
                column,
                pick,
                holds,
            } => places(*column, *pick).map(|(a, b)| {
                let bit = match a.cmp(&b) {
                    Ordering::Less => 1,
                    Ordering::Equal => 2,
                    Ordering::Greater => 4,
                };
                holds & bit != 0
            }),
            Self::NoteIs(pick) => places(NOTE, *pick).map(|(a, b)| a == b),
            Self::Asked(condition) => verdict(*condition, row),
        }
    }

    /// The same for the code under test. Names in it must be known to `ranks`.
    pub(crate) fn predicate(&self, ranks: &Ranks) -> Predicate {
        let all = |list: &[Self]| list.iter().map(|inner| inner.predicate(ranks)).collect();
        match self {
            Self::And(list) => Predicate::All(all(list)),
            Self::Or(list) => Predicate::Any(all(list)),
            Self::Not(inner) => Predicate::Not(Box::new(inner.predicate(ranks))),
            Self::IsNull(column) => Predicate::IsNull { column: *column },
            Self::Compare {
                column,
                pick,
                holds,
            } => {
                let class = domain(*column).0;
                Predicate::Compare {
                    column: *column,
                    class,
                    holds: Comparison {
                        less: holds & 1 != 0,
                        equal: holds & 2 != 0,
                        greater: holds & 4 != 0,
                    },
                    value: KeyPart::new(*column, class, &value(*column, *pick), ranks).unwrap(),
                }
            }
            Self::NoteIs(pick) => match value(NOTE, *pick) {
                Value::Text(text) => Predicate::Same {
                    column: NOTE,
                    text: text.into(),
                },
                // `= NULL` is null for every row.
                _ => Predicate::Compare {
                    column: NOTE,
                    class: domain(NOTE).0,
                    holds: Comparison {
                        less: false,
                        equal: true,
                        greater: false,
                    },
                    value: KeyPart::Null,
                },
            },
            Self::Asked(condition) => Predicate::Asked {
                columns: Box::new([0]),
                condition: *condition,
            },
        }
    }
}

/// The number of values a column may hold.
pub(crate) fn values_of(column: usize) -> u8 {
    u8::try_from(domain(column).1.len()).unwrap()
}
