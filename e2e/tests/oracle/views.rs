//! The oracle's table, and random views of it: as the protocol asks for them, and as SQL.

use protocol::{Filter, FilterOp, NullsOrder, SortColumn, Test, Value, ViewSpec};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Few values per column, so that there are many duplicates; every kind of order the server evaluates
/// itself, and two that only PostgreSQL knows.
pub(crate) const TABLE: &str = r#"
    CREATE TYPE grade AS ENUM ('poor', 'fair', 'good');
    CREATE TABLE things (
        region text COLLATE "C" NOT NULL,
        id bigint NOT NULL,
        title text COLLATE "und-x-icu",
        amount numeric,
        ratio double precision,
        small integer,
        seen timestamptz,
        flag boolean,
        grade grade,
        note text NOT NULL DEFAULT '',
        PRIMARY KEY (region, id)
    );
    CREATE FUNCTION pick(seed integer, list text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
        $$ SELECT list[1 + abs(hashint4(seed)) % array_length(list, 1)] $$;
    CREATE FUNCTION thing(region text, id bigint, seed integer) RETURNS things LANGUAGE sql AS $$
        SELECT region, id,
            pick(seed + 1, array['apple', 'Apple', 'äpfel', 'Zebra', 'zoo', 'a-b', 'ab', '10', '9', '%_\', NULL]),
            pick(seed + 2, array['1', '1.0', '-0.5', '99.99', '100', 'NaN', '1e30', NULL])::numeric,
            pick(seed + 3, array['0.1', '-0', '0', '2.5', 'NaN', 'Infinity', NULL])::float8,
            pick(seed + 4, array['-3', '0', '7', '2147483647', NULL])::integer,
            pick(seed + 5, array['2026-01-01', '2026-06-30 23:59:59.999999', '-infinity', '0044-03-15 BC', NULL])::timestamptz,
            pick(seed + 6, array['t', 'f', NULL])::boolean,
            pick(seed + 7, array['poor', 'fair', 'good', NULL])::grade,
            'note ' || abs(hashint4(seed)) % 100 $$;"#;

/// The columns in table order.
pub(crate) const COLUMNS: [&str; 10] = [
    "region", "id", "title", "amount", "ratio", "small", "seen", "flag", "grade", "note",
];

/// Fills the table.
pub(crate) fn fill(rows: u32) -> String {
    format!(
        "INSERT INTO things SELECT t.* FROM generate_series(1, {rows}) AS n, \
         LATERAL thing((array['north', 'South', 'east'])[1 + n % 3], n, n) AS t; ANALYZE things"
    )
}

/// A view as a client asks for it, and the same in SQL.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) spec: ViewSpec,
    pub(crate) condition: String,
    pub(crate) order: String,
}

impl View {
    pub(crate) fn random(rng: &mut ChaCha8Rng) -> Self {
        let (filter, condition) = if rng.random_bool(0.4) {
            (None, "true".to_owned())
        } else {
            let (filter, condition) = random_filter(rng, 2);
            (Some(filter), condition)
        };
        let mut sort: Vec<SortColumn> = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let column = *COLUMNS.choose(rng).unwrap();
            if sort.iter().any(|by| by.column == column) {
                continue;
            }
            let nulls = [None, Some(NullsOrder::First), Some(NullsOrder::Last)];
            sort.push(SortColumn {
                column: column.to_owned(),
                descending: rng.random_bool(0.5),
                nulls: *nulls.choose(rng).unwrap(),
            });
        }
        let order = order_by(&sort);
        let spec = ViewSpec {
            table: "things".to_owned(),
            filter,
            sort,
        };
        Self {
            spec,
            condition,
            order,
        }
    }
}

/// `ORDER BY` as the protocol defines it.
fn order_by(sort: &[SortColumn]) -> String {
    let direction = |descending| if descending { "DESC" } else { "ASC" };
    let nulls = |nulls| match nulls {
        None => "",
        Some(NullsOrder::First) => " NULLS FIRST",
        Some(NullsOrder::Last) => " NULLS LAST",
    };
    let mut parts: Vec<String> = sort
        .iter()
        .map(|by| {
            format!(
                "{} {}{}",
                by.column,
                direction(by.descending),
                nulls(by.nulls)
            )
        })
        .collect();
    let last = sort.last().is_some_and(|by| by.descending);
    parts.extend(["region", "id"].map(|key| format!("{key} {}", direction(last))));
    parts.join(", ")
}

/// Values to compare a column with; some are not in the table.
fn constants(column: &str) -> &'static [&'static str] {
    match column {
        "region" => &["north", "South", "n", "zzz"],
        "id" => &["10", "25", "2000"],
        "title" => &["apple", "Zebra", "b", "AB", "10"],
        "amount" => &["1", "1.00", "-0.5", "NaN", "5"],
        "ratio" => &["0", "2.5", "1"],
        "small" => &["0", "7", "-4"],
        "seen" => &["2026-01-01T00:00:00+00:00", "2000-01-01T00:00:00+00:00"],
        "flag" => &["true", "false"],
        "grade" => &["poor", "good"],
        _ => &["note 5", "note 50", "x"],
    }
}

fn value(column: &str, text: &str) -> Value {
    match column {
        "id" | "small" => Value::Int(text.parse().unwrap()),
        "ratio" => Value::Float(text.parse().unwrap()),
        "flag" => Value::Bool(text == "true"),
        _ => Value::text(text),
    }
}

fn random_filter(rng: &mut ChaCha8Rng, depth: u32) -> (Filter, String) {
    let list = |rng: &mut ChaCha8Rng| -> (Vec<Filter>, Vec<String>) {
        (0..rng.random_range(1..3))
            .map(|_| random_filter(rng, depth - 1))
            .unzip()
    };
    match rng.random_range(0..if depth > 0 { 6 } else { 3 }) {
        3 => {
            let (filters, conditions) = list(rng);
            (
                Filter::And(filters),
                format!("({})", conditions.join(" AND ")),
            )
        }
        4 => {
            let (filters, conditions) = list(rng);
            (
                Filter::Or(filters),
                format!("({})", conditions.join(" OR ")),
            )
        }
        5 => {
            let (filter, condition) = random_filter(rng, depth - 1);
            (Filter::Not(Box::new(filter)), format!("(NOT {condition})"))
        }
        _ => random_test(rng),
    }
}

fn random_test(rng: &mut ChaCha8Rng) -> (Filter, String) {
    let column = *COLUMNS.choose(rng).unwrap();
    let mut constant = || *constants(column).choose(rng).unwrap();
    let (a, b) = (constant(), constant());
    let compared = [
        (FilterOp::Eq, "="),
        (FilterOp::Ne, "<>"),
        (FilterOp::Lt, "<"),
        (FilterOp::Le, "<="),
        (FilterOp::Gt, ">"),
        (FilterOp::Ge, ">="),
    ];
    let (op, texts, condition) = match rng.random_range(0..10) {
        0 => (FilterOp::IsNull, vec![], format!("({column} IS NULL)")),
        1 => (
            FilterOp::Between,
            vec![a, b],
            format!("({column} BETWEEN '{a}' AND '{b}')"),
        ),
        2 => (
            FilterOp::In,
            vec![a, b],
            format!("({column} IN ('{a}', '{b}'))"),
        ),
        3 if column == "title" => (
            FilterOp::Contains,
            vec!["A"],
            "(title ILIKE '%A%')".to_owned(),
        ),
        4 if column == "title" => (
            FilterOp::Contains,
            vec!["%_"],
            r"(title ILIKE '%\%\_%')".to_owned(),
        ),
        5 if column == "note" => (
            FilterOp::StartsWith,
            vec!["NOTE 1"],
            "(note ILIKE 'NOTE 1%')".to_owned(),
        ),
        _ => {
            let (op, sign) = *compared.choose(rng).unwrap();
            (op, vec![a], format!("({column} {sign} '{a}')"))
        }
    };
    let values = texts.iter().map(|text| value(column, text)).collect();
    (
        Filter::Test(Test {
            column: column.to_owned(),
            op,
            values,
        }),
        condition,
    )
}
