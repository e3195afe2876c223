//! What PostgreSQL would show of a table: its rows grouped and aggregated from nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Value;
use rand::Rng;
use view_index::summary::{
    Account, BuiltAccount, BuiltGroup, Doubt, GroupColumn, Numbers, Output, Scale, Settled, Shape,
    Term, TermOf,
};
use view_index::{KeyPart, OrderClass, TableRow};

use super::history::Rows;

/// Extremes that a settled doubt names; few, so that lists run out.
const SETTLED_MAX: usize = 3;

/// Random keys, accounts and an order.
pub(crate) fn shape(rng: &mut impl Rng) -> Shape {
    let key = |column, class| GroupColumn {
        column,
        class,
        bounds: None,
    };
    let bounds = [KeyPart::Int(-1), KeyPart::Int(2)];
    let buckets = GroupColumn {
        bounds: Some(bounds.into()),
        ..key(4, OrderClass::Int)
    };
    let all = [
        key(1, OrderClass::Bytes),
        key(2, OrderClass::Numeric),
        buckets,
    ];
    let keys = all.into_iter().filter(|_| rng.random_bool(0.5)).collect();
    let extreme = |column, class, descending| Account::Extreme {
        column,
        class,
        descending,
    };
    let outputs = [0, 1, 3, 4, 5].map(Output::Of);
    let of = [
        TermOf::Output(0),
        TermOf::Output(2),
        TermOf::Output(4),
        TermOf::Output(6),
    ];
    let mut order = Vec::new();
    for of in of {
        if rng.random_bool(0.3) {
            order.push(Term {
                of,
                descending: rng.random_bool(0.5),
                nulls_first: rng.random_bool(0.5),
            });
        }
    }
    Shape {
        keys,
        order,
        accounts: vec![
            Account::Values { column: 3 },
            Account::Sum {
                column: 3,
                numbers: Numbers::Numeric(Scale::Tracked(2)),
            },
            Account::Scale { column: 3 },
            Account::Sum {
                column: 5,
                numbers: Numbers::Float,
            },
            extreme(4, OrderClass::Int, false),
            extreme(3, OrderClass::Numeric, true),
        ],
        outputs: [Output::Rows]
            .into_iter()
            .chain(outputs)
            .chain([Output::Average(3)])
            .collect(),
    }
}

/// A cell as a number that sorts; the tests' numbers are exact in it.
pub(crate) fn number(value: &Value) -> Option<i128> {
    let text = match value {
        Value::Null => return None,
        Value::Int(int) => return Some(i128::from(*int) * 100),
        Value::Float(float) => return Some((float * 100.0) as i128),
        other => other.to_postgres_text()?,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Some(format!("{whole}{fraction:0<2}").parse().unwrap())
}

fn scale(value: &Value) -> usize {
    let text = value.to_postgres_text().unwrap();
    text.split_once('.')
        .map_or(0, |(_, fraction)| fraction.len())
}

fn scaled(hundredths: i128, scale: usize) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    let fraction = &format!("{rest:02}")[..scale];
    format!(
        "{sign}{whole}{}{fraction}",
        if scale > 0 { "." } else { "" }
    )
}

/// The values of a column that are not null.
fn values(rows: &[Arc<TableRow>], column: usize) -> Vec<Value> {
    let all = rows.iter().map(|row| row.cells[column].clone());
    all.filter(|value| !value.is_null()).collect()
}

fn sorted(rows: &[Arc<TableRow>], column: usize, descending: bool) -> Vec<Value> {
    let mut values = values(rows, column);
    values.sort_by_key(number);
    if descending {
        values.reverse();
    }
    values
}

/// Comparable keys: whether each is null, and a text that sorts as the value does.
pub(crate) type Keys = Vec<(bool, String)>;
pub(crate) type Groups = BTreeMap<Keys, Vec<Arc<TableRow>>>;

/// The rows of each group, by comparable keys: nulls last.
pub(crate) fn grouped(shape: &Shape, rows: &Rows) -> Groups {
    let mut groups = Groups::new();
    if shape.keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in rows.values().filter(|row| row.cells[4] != Value::Int(0)) {
        let part = |key: &GroupColumn| match (key.column, &row.cells[key.column]) {
            (_, Value::Null) => (true, String::new()),
            (4, Value::Int(small)) => (
                false,
                [-1, 2]
                    .iter()
                    .filter(|bound| *bound <= small)
                    .count()
                    .to_string(),
            ),
            (2, value) => (false, format!("{:030}", number(value).unwrap() + 1_000)),
            (_, value) => (false, value.to_string()),
        };
        groups
            .entry(shape.keys.iter().map(part).collect())
            .or_default()
            .push(row.clone());
    }
    groups
}

fn shown_key(shape: &Shape, key: &[(bool, String)], rows: &[Arc<TableRow>]) -> Vec<Value> {
    let value = |(column, (is_null, text)): (&GroupColumn, &(bool, String))| match column.column {
        _ if *is_null => Value::Null,
        4 => Value::Int(text.parse().unwrap()),
        at => rows[0].cells[at].clone(),
    };
    shape.keys.iter().zip(key).map(value).collect()
}

pub(crate) fn built(shape: &Shape, rows: &Rows) -> Vec<BuiltGroup> {
    let group = |(key, rows): (Keys, Vec<Arc<TableRow>>)| {
        let account = |account: &Account| match account {
            Account::Values { column } => BuiltAccount::Values(values(&rows, *column).len() as i64),
            Account::Sum { column, .. } => {
                let values = values(&rows, *column);
                BuiltAccount::Sum {
                    values: values.len() as i64,
                    finite: scaled(values.iter().filter_map(number).sum(), 2),
                    special: [0; 3],
                }
            }
            Account::Extreme {
                column, descending, ..
            } => {
                let sorted = sorted(&rows, *column, *descending);
                let best = sorted.first().map(|value| (value.clone(), 1));
                BuiltAccount::Extreme {
                    values: sorted.len() as i64,
                    best: best.into_iter().collect(),
                }
            }
            Account::Scale { column } => {
                let values = values(&rows, *column);
                let most = values.iter().map(scale).max();
                let best = most.map(|scale| (Value::Int(scale as i64), 1));
                BuiltAccount::Extreme {
                    values: values.len() as i64,
                    best: best.into_iter().collect(),
                }
            }
        };
        BuiltGroup {
            key: shown_key(shape, &key, &rows),
            rows: rows.len() as i64,
            accounts: shape.accounts.iter().map(account).collect(),
        }
    };
    grouped(shape, rows).into_iter().map(group).collect()
}

/// What PostgreSQL would show: comparable keys and cells, in order.
pub(crate) fn expected(shape: &Shape, rows: &Rows) -> Vec<(Keys, Vec<Value>)> {
    let group = |(key, rows): (Keys, Vec<Arc<TableRow>>)| {
        let (amounts, ratios) = (values(&rows, 3), values(&rows, 5));
        let sum = (!amounts.is_empty()).then(|| {
            let scale = amounts.iter().map(scale).max().unwrap();
            Value::Text(scaled(amounts.iter().filter_map(number).sum(), scale))
        });
        let ratio: f64 = ratios
            .iter()
            .map(|ratio| number(ratio).unwrap() as f64 / 100.0)
            .sum();
        let float = |value: f64| {
            if ratios.is_empty() {
                Value::Null
            } else {
                Value::Float(value)
            }
        };
        let cells = vec![
            Value::Int(rows.len() as i64),
            Value::Int(amounts.len() as i64),
            sum.unwrap_or_default(),
            float(ratio),
            sorted(&rows, 4, false).first().cloned().unwrap_or_default(),
            sorted(&rows, 3, true).first().cloned().unwrap_or_default(),
            float(ratio / ratios.len() as f64),
        ];
        (key, cells)
    };
    let mut groups: Vec<_> = grouped(shape, rows).into_iter().map(group).collect();
    groups.sort_by(|(_, a), (_, b)| {
        let compare = |term: &Term| {
            let TermOf::Output(at) = term.of else {
                unreachable!()
            };
            let place = |cells: &[Value]| match (number(&cells[at]), term.descending) {
                (None, _) => (if term.nulls_first { 0 } else { 2 }, 0),
                (Some(number), true) => (1, -number),
                (Some(number), false) => (1, number),
            };
            place(a).cmp(&place(b))
        };
        shape
            .order
            .iter()
            .map(compare)
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    groups
}

/// What PostgreSQL answers to doubts at a state.
pub(crate) fn settled(shape: &Shape, doubts: Vec<Doubt>, rows: &Rows) -> Vec<Settled> {
    let groups = grouped(shape, rows);
    let answer = |doubt: Doubt| {
        let group = groups.iter().find(|(key, rows)| {
            !rows.is_empty()
                && shown_key(shape, key, rows)
                    .iter()
                    .zip(doubt.shown.iter())
                    .all(|(a, b)| {
                        // As SQL's `=` has it, not by the text.
                        number_or_text(a) == number_or_text(b)
                    })
        });
        let rows = group.map_or(&[][..], |(_, rows)| rows);
        let mut best = match &shape.accounts[doubt.account] {
            Account::Extreme {
                column, descending, ..
            } => sorted(rows, *column, *descending),
            _ => {
                let mut scales: Vec<usize> = values(rows, 3).iter().map(scale).collect();
                scales.sort_unstable_by(|a, b| b.cmp(a));
                scales
                    .into_iter()
                    .map(|scale| Value::Int(scale as i64))
                    .collect()
            }
        };
        let is_all = best.len() < SETTLED_MAX;
        best.truncate(SETTLED_MAX);
        Settled {
            doubt,
            best,
            is_all,
        }
    };
    doubts.into_iter().map(answer).collect()
}

fn number_or_text(value: &Value) -> String {
    match value {
        Value::Text(text) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            number(value).unwrap().to_string()
        }
        other => format!("{other:?}"),
    }
}
