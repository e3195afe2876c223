//! Every operator on every type, against the same condition in PostgreSQL.

use e2e::{TestDatabase, TestServer};
use protocol::{FilterOp, ViewSpec};

use crate::{connect, ids, shows_query, test};

/// A column of the test's table: its name, its type, and values that it holds, as SQL literals.
type Column = (&'static str, &'static str, &'static [&'static str]);

/// One column of every kind of type, with nulls, extremes, duplicates, and near misses. The numbers of values have
/// few common divisors, so that rows combine them in many ways.
const COLUMNS: &[Column] = &[
    ("flag", "boolean", &["true", "false", "NULL"]),
    ("small", "smallint", &["-32768", "0", "7", "32767", "NULL"]),
    (
        "big",
        "bigint",
        &["-9223372036854775808", "0", "9007199254740993", "NULL"],
    ),
    (
        "ratio",
        "double precision",
        &["'-0'", "0.1", "'NaN'", "'Infinity'", "'-Infinity'", "NULL"],
    ),
    ("short", "real", &["0.1", "16777216", "'NaN'", "NULL"]),
    (
        "amount",
        "numeric",
        &["1", "1.0", "-0.5", "'NaN'", "1e30", "0.30", "NULL"],
    ),
    (
        "title",
        "text",
        &[
            "'apple'",
            "'Apple'",
            "'a%b_c'",
            r"'back\slash'",
            "''",
            "'it''s \"quoted\"'",
            "'äpfel'",
            "NULL",
        ],
    ),
    (
        "folded",
        r#"text COLLATE "folded""#,
        &["'Zoo'", "'zoo'", "'z'", "NULL"],
    ),
    (
        "bytewise",
        r#"text COLLATE "C""#,
        &["'Zoo'", "'zoo'", "'é'", "NULL"],
    ),
    ("code", "varchar(10)", &["'x1'", "'X1'", "'y'", "NULL"]),
    ("padded", "char(4)", &["'ab'", "'ab  '", "'abcd'", "NULL"]),
    (
        "made",
        "date",
        &["'2026-11-21'", "'infinity'", "'0044-03-15 BC'", "NULL"],
    ),
    ("clock", "time", &["'13:45'", "'00:00'", "'24:00'", "NULL"]),
    (
        "local",
        "timestamp",
        &[
            "'2026-11-21 13:45:00.123456'",
            "'-infinity'",
            "'1999-12-31'",
            "NULL",
        ],
    ),
    (
        "seen",
        "timestamptz",
        &[
            "'2026-11-21 13:45+01'",
            "'2026-11-21 12:45+00'",
            "'infinity'",
            "NULL",
        ],
    ),
    (
        "span",
        "interval",
        &["'1 month'", "'30 days'", "'-1 hour'", "NULL"],
    ),
    (
        "ident",
        "uuid",
        &[
            "'6f1d2c1e-0000-4000-8000-000000000000'",
            "'00000000-0000-0000-0000-000000000000'",
            "NULL",
        ],
    ),
    ("grade", "grade", &["'poor'", "'fair'", "'good'", "NULL"]),
    ("bytes", "bytea", &[r"'\x00ff'", r"'\x'", "NULL"]),
    (
        "address",
        "inet",
        &["'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "NULL"],
    ),
    (
        "span4",
        "int4range",
        &["'[1,5)'", "'empty'", "'[3,)'", "NULL"],
    ),
    (
        "tags",
        "text[]",
        &[
            "'{a,b}'",
            "'{}'",
            "'{a}'",
            "'{A,\"it''s\"}'",
            "'{a,NULL}'",
            "'{{a,b},{c,d}}'",
            "NULL",
        ],
    ),
    (
        "counts",
        "integer[]",
        &["'{1,2,3}'", "'{1}'", "'{}'", "NULL"],
    ),
    ("letters", "char[]", &["'{a,b}'", "'{b}'", "NULL"]),
    (
        "doc",
        "jsonb",
        &[
            r#"'{"a": 1, "b": [1, 2]}'"#,
            r#"'{"a": 2, "when": "2026-11-21"}'"#,
            "'[1, 2]'",
            "'5'",
            "'\"a\"'",
            "'null'",
            "'[]'",
            "NULL",
        ],
    ),
    (
        "raw",
        "json",
        &[r#"'{"a":  1}'"#, "'[1,2]'", "'null'", "NULL"],
    ),
    ("place", "point", &["'(1,2)'", "NULL"]),
    ("pairs", "point[]", &["'{\"(1,2)\"}'", "NULL"]),
];

const SETUP: &str = r#"
    CREATE TYPE grade AS ENUM ('poor', 'fair', 'good');
    CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"#;

/// Rows in the table.
const ROWS: usize = 40;

/// Operators whose values are of the column's type, or elements of it.
const ORDERED: [FilterOp; 8] = [
    FilterOp::Eq,
    FilterOp::Ne,
    FilterOp::Lt,
    FilterOp::Le,
    FilterOp::Gt,
    FilterOp::Ge,
    FilterOp::Between,
    FilterOp::In,
];

/// Types without an order.
const UNORDERED: [&str; 3] = ["raw", "place", "pairs"];

/// A window to open, and the same condition in SQL.
struct Case {
    op: FilterOp,
    column: &'static str,
    values: Vec<String>,
    condition: String,
}

fn case(column: &'static str, op: FilterOp, values: &[&str], condition: String) -> Case {
    Case {
        op,
        column,
        values: values.iter().map(|&value| value.to_owned()).collect(),
        condition,
    }
}

/// A literal's text.
fn unquoted(literal: &str) -> String {
    literal.trim_matches('\'').replace("''", "'")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Comparisons with every value that the column holds.
fn ordered((column, sql_type, literals): &Column) -> Vec<Case> {
    let sql_type = sql_type.split(" COLLATE").next().unwrap();
    let sql_type = if sql_type == "char(4)" {
        "bpchar"
    } else {
        sql_type
    };
    let mut cases = Vec::new();
    let values: Vec<String> = literals
        .iter()
        .filter(|literal| **literal != "NULL")
        .map(|literal| unquoted(literal))
        .collect();
    let typed = |value: &String| format!("{}::{sql_type}", quoted(value));
    for (nth, value) in values.iter().enumerate() {
        for (op, sign) in ORDERED.iter().zip(["=", "<>", "<", "<=", ">", ">="]) {
            cases.push(case(
                column,
                *op,
                &[value],
                format!("{column} {sign} {}", typed(value)),
            ));
        }
        let other = &values[(nth + 1) % values.len()];
        let (a, b) = (typed(value), typed(other));
        let between = format!("{column} BETWEEN {a} AND {b}");
        cases.push(case(column, FilterOp::Between, &[value, other], between));
        let among = format!("{column} IN ({a}, {b})");
        cases.push(case(column, FilterOp::In, &[value, other], among));
    }
    cases
}

/// What is asked of a column's text, of every type.
fn of_text(column: &'static str) -> Vec<Case> {
    let text = format!(r#"{column}::text COLLATE "default""#);
    let like = |value: &str| {
        value
            .replace('\\', r"\\")
            .replace('%', r"\%")
            .replace('_', r"\_")
    };
    let mut cases = vec![case(
        column,
        FilterOp::IsNull,
        &[],
        format!("{column} IS NULL"),
    )];
    for value in ["a", "A%b", "_", "\\", "'", "\"", "", "0"] {
        let pattern = |before: &str| quoted(&format!("{before}{}%", like(value)));
        let contains = format!("{text} ILIKE {}", pattern("%"));
        cases.push(case(column, FilterOp::Contains, &[value], contains));
        let starts = format!("{text} ILIKE {}", pattern(""));
        cases.push(case(column, FilterOp::StartsWith, &[value], starts));
    }
    for pattern in ["^a", "[[:digit:]]+$", "", r"\mz|\\", "(?i)APP", "ä"] {
        let matches = format!("{text} ~ {}", quoted(pattern));
        cases.push(case(column, FilterOp::Matches, &[pattern], matches));
        let matches = format!("{text} ~* {}", quoted(pattern));
        cases.push(case(column, FilterOp::IMatches, &[pattern], matches));
    }
    cases
}

/// What is asked of arrays.
fn of_arrays() -> Vec<Case> {
    let lists: [(&str, &str, &[&[&str]]); 3] = [
        (
            "tags",
            "text[]",
            &[&["a"], &["b", "a"], &["it's"], &["none", "c"], &["A", "B"]],
        ),
        ("counts", "integer[]", &[&["1"], &["1", "3"], &["7", " 2 "]]),
        ("letters", "char[]", &[&["a"], &["b", "a"]]),
    ];
    let signs = [
        (FilterOp::ArrayContains, "@>"),
        (FilterOp::ArrayContained, "<@"),
        (FilterOp::Overlaps, "&&"),
    ];
    let mut cases = Vec::new();
    for (column, sql_type, values) in lists {
        for values in values {
            for (op, sign) in signs {
                let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                let condition = format!("{column} {sign} ARRAY[{}]::{sql_type}", list.join(", "));
                cases.push(case(column, op, values, condition));
            }
        }
    }
    cases
}

/// What is asked of jsonb. A path that is a predicate is asked for its truth.
fn of_json() -> Vec<Case> {
    let mut cases = Vec::new();
    for value in [
        r#"{"a": 1}"#,
        "[1]",
        "5",
        "\"a\"",
        "{}",
        "null",
        r#"{"b": [2]}"#,
    ] {
        let condition = format!("doc @> {}", quoted(value));
        cases.push(case("doc", FilterOp::JsonContains, &[value], condition));
    }
    let paths = [
        ("$.a", "@?"),
        ("$.b[*] ? (@ > 1)", "@?"),
        ("$", "@?"),
        ("strict $.a", "@?"),
        ("$.a + 1", "@?"),
        ("$.type()", "@?"),
        ("$.a > 1", "@@"),
        ("exists($.b)", "@@"),
        ("!($.a == 1)", "@@"),
        ("strict $.a == 1", "@@"),
        ("($.a > 0) is unknown", "@@"),
        (r#"$.when starts with "2026""#, "@@"),
        (r#"$ like_regex "^A" flag "i""#, "@@"),
        (r#"$.when.datetime() < "2027-01-01".datetime()"#, "@@"),
    ];
    for (path, sign) in paths {
        let condition = format!("doc {sign} {}::jsonpath", quoted(path));
        cases.push(case("doc", FilterOp::JsonPath, &[path], condition));
    }
    cases
}

/// The table, and a copy whose rows are dealt to it anew.
fn tables() -> String {
    let defined: Vec<String> = COLUMNS
        .iter()
        .map(|(name, sql_type, _)| format!("{name} {sql_type}"))
        .collect();
    let dealt = |seed: &str| {
        let pick = |(at, (_, sql_type, literals)): (usize, &Column)| {
            let sql_type = sql_type.split(" COLLATE").next().unwrap();
            format!(
                "(ARRAY[{}]::text[])[1 + ({seed} * {} + {at}) % {}]::{sql_type}",
                literals.join(", "),
                at % 3 + 1,
                literals.len()
            )
        };
        let picked: Vec<String> = COLUMNS.iter().enumerate().map(pick).collect();
        picked.join(", ")
    };
    let copies = |name: &str, seed: &str| {
        format!(
            "CREATE TABLE {name} (id integer PRIMARY KEY, {});
             INSERT INTO {name} SELECT n, {} FROM generate_series(1, {ROWS}) AS n;",
            defined.join(", "),
            dealt(seed)
        )
    };
    format!(
        "{SETUP} {} {}",
        copies("things", "n"),
        copies("others", "(n / 3)")
    )
}

/// A statement that gives the rows of this kind another's values.
fn deal(kind: usize) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
    let names = names.join(", ");
    format!(
        "UPDATE things SET ({names}) = (SELECT {names} FROM others \
         WHERE others.id = 1 + (things.id * 7 + {kind}) % {ROWS}) WHERE id % 3 = {kind} % 3"
    )
}

#[tokio::test]
async fn every_operator_on_every_type_is_postgres_own() {
    let mut cases: Vec<Case> = COLUMNS
        .iter()
        .filter(|(name, ..)| !UNORDERED.contains(name))
        .flat_map(ordered)
        .collect();
    // Of the texts each column gets a third, its neighbours the others.
    for (at, (name, ..)) in COLUMNS.iter().enumerate() {
        let third = of_text(name).into_iter().skip(at % 3).step_by(3);
        cases.extend(third);
    }
    cases.extend(of_arrays());
    cases.extend(of_json());
    let asked: Vec<FilterOp> = cases.iter().map(|case| case.op).collect();
    for op in FilterOp::ALL {
        let relative = [FilterOp::WithinLast, FilterOp::WithinNext].contains(&op);
        assert!(relative || asked.contains(&op), "{op:?} is not tested");
    }
    let database = TestDatabase::new().await;
    database.install(&tables(), &["things"]).await;
    let client = connect(&database).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    // As many windows as one socket may hold are open while the rows change.
    for (round, cases) in cases.chunks(15).enumerate() {
        let mut windows = Vec::new();
        for case in cases {
            let values: Vec<&str> = case.values.iter().map(String::as_str).collect();
            let inner = test(case.column, case.op, &values);
            // Every other one is negated: null is not false.
            let (filter, condition) = if windows.len() % 2 == 0 {
                (inner, case.condition.clone())
            } else {
                let condition = format!("NOT ({})", case.condition);
                (protocol::Filter::Not(Box::new(inner)), condition)
            };
            let view = ViewSpec {
                filter: Some(filter),
                ..ViewSpec::table("things")
            };
            let sql = format!("SELECT id::text AS shown FROM things WHERE {condition} ORDER BY id");
            let window = viewer.open(view.clone(), vec!["id".into()], 0, 100);
            windows.push((window, view, sql));
        }
        for change in 0..2 {
            for (window, view, sql) in &windows {
                let expected = ids(&client, sql).await;
                shows_query(&mut viewer, *window, view, sql, &expected).await;
            }
            if change == 0 {
                client.batch_execute(&deal(round)).await.unwrap();
            }
        }
        for (window, ..) in windows {
            viewer.act(|model, _| model.close(window));
        }
    }
}
