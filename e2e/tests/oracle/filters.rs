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
    let name = column.sql();
    let choice = if column.sortable {
        rng.random_range(0..12)
    } else {
        rng.random_range(0..3)
    };
    let (op, texts, condition) = match choice {
        0 => (FilterOp::IsNull, vec![], format!("({name} IS NULL)")),
        1 | 2 => return like(column, choice == 1, rng),
        3 => {
            let texts = vec![constant(column, rng), constant(column, rng)];
            let [a, b] = [&texts[0], &texts[1]].map(|text| column.constant(text));
            (
                FilterOp::Between,
                texts,
                format!("({name} BETWEEN {a} AND {b})"),
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
    let (name, pattern) = (column.sql(), quoted(&format!("{before}{pattern}%")));
    // ILIKE refuses collations that call different bytes equal; the database's own is none of them.
    let plain = ["nocase", "noaccent", "word", "char("];
    let collate = if plain.iter().any(|name| column.kind.sql.contains(name)) {
        " COLLATE \"default\""
    } else {
        ""
    };
    let condition = format!("(({name}::text{collate}) ILIKE {pattern})");
    let op = if anywhere {
        FilterOp::Contains
    } else {
        FilterOp::StartsWith
    };
    (test(column, op, vec![Value::text(piece)]), condition)
}
