//! Random filters: as the protocol writes them, and as SQL.

use protocol::{Filter, FilterOp, Test, Value};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::table::{Column, Table, quoted};

/// A filter nested at most so deep.
pub(crate) fn random_filter(table: &Table, depth: u32, rng: &mut ChaCha8Rng) -> (Filter, String) {
    let list = |rng: &mut ChaCha8Rng| -> (Vec<Filter>, Vec<String>) {
        (0..rng.random_range(1..4))
            .map(|_| random_filter(table, depth - 1, rng))
            .unzip()
    };
    match rng.random_range(0..if depth > 0 { 6 } else { 3 }) {
        3 => {
            let (filters, conditions) = list(rng);
            let condition = format!("({})", conditions.join(" AND "));
            (Filter::And(filters), condition)
        }
        4 => {
            let (filters, conditions) = list(rng);
            let condition = format!("({})", conditions.join(" OR "));
            (Filter::Or(filters), condition)
        }
        5 => {
            let (filter, condition) = random_filter(table, depth - 1, rng);
            (Filter::Not(Box::new(filter)), format!("(NOT {condition})"))
        }
        _ => random_test(table.columns.choose(rng).unwrap(), rng),
    }
}

fn random_test(column: &Column, rng: &mut ChaCha8Rng) -> (Filter, String) {
    if column.kind.near.is_some() && rng.random_bool(0.5) {
        return within(column, rng);
    }
    let name = column.sql();
    let choice = if column.sortable {
        rng.random_range(0..12)
    } else {
        rng.random_range(0..3)
    };
    let (op, texts, condition) = match choice {
        0 => (
            FilterOp::IsNull,
            vec![],
            format!("({name} IS NOT DISTINCT FROM NULL)"),
        ),
        1 | 2 => return like(column, choice == 1, rng),
        3 => {
            let texts = vec![constant(column, rng), constant(column, rng)];
            let [a, b] = [&texts[0], &texts[1]].map(|text| column.constant(text));
            (
                FilterOp::Between,
                texts,
                format!(
                    "({name} {} {a} AND {name} {} {b})",
                    column.kind.operator(">="),
                    column.kind.operator("<=")
                ),
            )
        }
        4 | 5 => {
            let texts: Vec<String> = (0..rng.random_range(1..5))
                .map(|_| constant(column, rng))
                .collect();
            let list: Vec<String> = texts.iter().map(|text| column.constant(text)).collect();
            (
                FilterOp::In,
                texts,
                format!("({name} IN ({}))", list.join(", ")),
            )
        }
        _ => {
            let compared = [
                (FilterOp::Eq, "="),
                (FilterOp::Ne, "<>"),
                (FilterOp::Lt, "<"),
                (FilterOp::Le, "<="),
                (FilterOp::Gt, ">"),
                (FilterOp::Ge, ">="),
            ];
            let (op, sign) = *compared.choose(rng).unwrap();
            let text = constant(column, rng);
            let sign = column.kind.operator(sign);
            let condition = format!("({name} {sign} {})", column.constant(&text));
            (op, vec![text], condition)
        }
    };
    let values = texts.iter().map(|text| value(column, text, rng)).collect();
    (test(column, op, values), condition)
}

fn test(column: &Column, op: FilterOp, values: Vec<Value>) -> Filter {
    Filter::Test(Test {
        column: column.name.clone(),
        op,
        values,
    })
}

/// A value to compare with; some are in no row.
fn constant(column: &Column, rng: &mut ChaCha8Rng) -> String {
    if !column.kind.others.is_empty() && rng.random_bool(0.3) {
        return (*column.kind.others.choose(rng).unwrap()).to_owned();
    }
    loop {
        if let Some(text) = column.value(rng) {
            return text;
        }
    }
}

/// A constant as a client may send it: a number as a number or as a text.
fn value(column: &Column, text: &str, rng: &mut ChaCha8Rng) -> Value {
    let as_text = rng.random_bool(0.5);
    match column.kind.cast {
        "smallint" | "integer" | "bigint" | "numeric" if !as_text => match text.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::text(text),
        },
        "real" | "float8" if !as_text => Value::Float(text.parse().unwrap()),
        "boolean" if !as_text => Value::Bool(text == "true"),
        _ => Value::text(text),
    }
}

/// `contains` or `starts_with`, with a piece of a value in any case.
fn like(column: &Column, anywhere: bool, rng: &mut ChaCha8Rng) -> (Filter, String) {
    let text: Vec<char> = constant(column, rng).chars().take(12).collect();
    let start = if anywhere {
        rng.random_range(0..=text.len())
    } else {
        0
    };
    let end = rng.random_range(start..=text.len());
    let mut piece: String = text[start..end].iter().collect();
    if rng.random_bool(0.5) {
        piece = piece.to_uppercase();
    }
    let pattern = piece
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    let before = if anywhere { "%" } else { "" };
    let condition = ilike(column, &format!("{before}{pattern}%"));
    let op = if anywhere {
        FilterOp::Contains
    } else {
        FilterOp::StartsWith
    };
    (test(column, op, vec![Value::text(piece)]), condition)
}

/// Whether a column's text is like a pattern, in any case.
pub(crate) fn ilike(column: &Column, pattern: &str) -> String {
    let (name, pattern) = (column.sql(), quoted(pattern));
    // ILIKE refuses collations that call different bytes equal; the database's own is none of them.
    let collate = if column.kind.folds() {
        " COLLATE \"default\""
    } else {
        ""
    };
    format!("(({name}::text{collate}) ILIKE {pattern})")
}

/// Where the second at which a view stands is to be put into its condition.
pub(crate) const NOW: &str = ":now";

/// How far relative dates reach, and how many seconds there are between the instants that they stand at.
const INTERVALS: [(&str, i64); 7] = [
    ("90 seconds", 1),
    ("10 minutes", 1),
    ("1 hour", 1),
    ("1 day", 10),
    ("7 days", 60),
    ("2 months", 600),
    ("1 year", 600),
];

/// The seconds between two instants of every relative date.
pub(crate) fn steps(table: &Table, filter: &Filter) -> Vec<i64> {
    match filter {
        Filter::And(inner) | Filter::Or(inner) => {
            inner.iter().flat_map(|inner| steps(table, inner)).collect()
        }
        Filter::Not(inner) => steps(table, inner),
        Filter::Test(test) if matches!(test.op, FilterOp::WithinLast | FilterOp::WithinNext) => {
            let is_day = |column: &Column| column.name == test.column && column.kind.sql == "date";
            let text = test.values[0].to_postgres_text();
            let of = |(interval, _): &&(&str, i64)| text.as_deref() == Some(*interval);
            let step = INTERVALS.iter().find(of).map_or(1, |(_, step)| *step);
            vec![if table.columns.iter().any(is_day) {
                86_400
            } else {
                step
            }]
        }
        Filter::Test(_) => Vec::new(),
    }
}

/// `within_last` or `within_next`, as the protocol defines them.
fn within(column: &Column, rng: &mut ChaCha8Rng) -> (Filter, String) {
    let (interval, step) = *INTERVALS.choose(rng).unwrap();
    let is_next = rng.random_bool(0.4);
    let name = column.sql();
    let (op, sign) = if is_next {
        (FilterOp::WithinNext, "+")
    } else {
        (FilterOp::WithinLast, "-")
    };
    let condition = if column.kind.sql == "date" {
        let today = format!("(to_timestamp({NOW}) AT TIME ZONE 'UTC')::date");
        let there = format!("({today} {sign} interval '{interval}')::date");
        let (from, until) = if is_next {
            (today, there)
        } else {
            (there, today)
        };
        format!("({name} > {from} AND {name} <= {until})")
    } else {
        let zone = if column.kind.cast == "timestamptz" {
            ""
        } else {
            " AT TIME ZONE 'UTC'"
        };
        let instant =
            |later: i64| format!("(to_timestamp({NOW} - {NOW} % {step} + {later}){zone})");
        let (mut from, mut until) = (instant(0), instant(step));
        let far = if is_next { &mut until } else { &mut from };
        far.push_str(&format!(" {sign} interval '{interval}'"));
        format!("({name} > {from} AND {name} <= {until})")
    };
    (test(column, op, vec![Value::text(interval)]), condition)
}
