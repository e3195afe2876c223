//! The oracle's table, random summaries of it, and random writers.

use e2e::TestDatabase;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio_postgres::Client;

/// How the test makes two texts of one value the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alike {
    /// They are.
    Exactly,
    /// Zeros at the end do not count.
    Number,
    /// The sign of zero does not count.
    Float,
    /// Nor does rounding.
    About,
    /// Case does not count.
    Folded,
    /// Which of several texts stands for a value is PostgreSQL's choice (`P1D` and `PT24H`).
    Span,
}

/// A column: its name, its SQL type, whether it is a number, and how it is compared.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) sql_type: &'static str,
    pub(crate) is_number: bool,
    pub(crate) has_buckets: bool,
    pub(crate) alike: Alike,
    values: &'static str,
    bounds: &'static [&'static str],
}

const fn kind(
    name: &'static str,
    sql_type: &'static str,
    alike: Alike,
    values: &'static str,
) -> Kind {
    Kind {
        name,
        sql_type,
        is_number: false,
        has_buckets: false,
        alike,
        values,
        bounds: &[],
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is built upon")]
const fn number(kind: Kind, bounds: &'static [&'static str]) -> Kind {
    Kind {
        is_number: true,
        has_buckets: true,
        bounds,
        ..kind
    }
}

pub(crate) const KINDS: [Kind; 16] = [
    kind(
        "kind",
        "text COLLATE \"C\"",
        Alike::Exactly,
        "'a','b','B',NULL",
    ),
    kind(
        "title",
        "text COLLATE \"und-x-icu\"",
        Alike::Exactly,
        "'apple','Apple','äpfel','Zebra','10',NULL",
    ),
    kind(
        "ci",
        "text COLLATE ci",
        Alike::Folded,
        "'Ann','ann','ANN','Bob','bob',NULL",
    ),
    kind(
        "grade",
        "grade",
        Alike::Exactly,
        "'poor','fair','good',NULL",
    ),
    kind("flag", "boolean", Alike::Exactly, "'t','f',NULL"),
    kind(
        "doc",
        "jsonb",
        Alike::Number,
        r#"'null','1','1.0','"a"','{"a": null}','[]',NULL"#,
    ),
    kind(
        "code",
        "uuid",
        Alike::Exactly,
        "'00000000-0000-4000-8000-00000000000a','f0000000-0000-4000-8000-00000000000a',NULL",
    ),
    kind(
        "span",
        "interval",
        Alike::Span,
        "'1 day','24 hours','1 month','-00:00:01',NULL",
    ),
    number(
        kind(
            "small",
            "integer",
            Alike::Exactly,
            "'-3','0','7','2147483647',NULL",
        ),
        &["-1", "0", "5"],
    ),
    number(
        kind(
            "big",
            "bigint",
            Alike::Exactly,
            "'9223372036854775807','-1','12',NULL",
        ),
        &["0", "100"],
    ),
    number(
        kind(
            "amount",
            "numeric",
            Alike::Number,
            "'1','1.0','1.00','-0.5','99.99','NaN','1e30','0.333',NULL",
        ),
        &["0", "1", "50.5"],
    ),
    number(
        kind(
            "price",
            "numeric(8,2)",
            Alike::Exactly,
            "'1.00','2.50','999999.99','-4.25',NULL",
        ),
        &["0.00", "2.50"],
    ),
    number(
        kind(
            "ratio",
            "double precision",
            Alike::Float,
            "'0.1','-0','0','2.5','1e10','NaN','Infinity','-Infinity',NULL",
        ),
        &["0", "0.1", "100"],
    ),
    number(
        kind("single", "real", Alike::Float, "'0.1','3','-7.25',NULL"),
        &["0.1", "3"],
    ),
    Kind {
        has_buckets: true,
        bounds: &["2026-01-01", "2026-06-01"],
        ..kind(
            "day",
            "date",
            Alike::Exactly,
            "'2026-01-01','2026-05-31','0044-03-15 BC','infinity',NULL",
        )
    },
    Kind {
        has_buckets: true,
        bounds: &["2026-01-01T00:00:00+00:00"],
        ..kind(
            "seen",
            "timestamptz",
            Alike::Exactly,
            "'2026-01-01','2026-06-30 23:59:59.999999','-infinity',NULL",
        )
    },
];

/// The table, with few values per column.
pub(crate) fn table(rows: u32) -> String {
    let columns = KINDS
        .iter()
        .map(|kind| format!("{} {}", kind.name, kind.sql_type));
    let columns: Vec<String> = columns.collect();
    let pick = |(at, kind): (usize, &Kind)| {
        let sql_type = kind.sql_type.split(" COLLATE").next().unwrap();
        format!("pick(seed + {at}, array[{}])::{sql_type}", kind.values)
    };
    let picks: Vec<String> = KINDS.iter().enumerate().map(pick).collect();
    format!(
        "CREATE TYPE grade AS ENUM ('poor', 'fair', 'good');
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE things (id bigint PRIMARY KEY, {});
         CREATE FUNCTION pick(seed integer, list text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
           $$ SELECT list[1 + abs(hashint4(seed)) % array_length(list, 1)] $$;
         CREATE FUNCTION thing(id bigint, seed integer) RETURNS things LANGUAGE sql AS
           $$ SELECT id, {} $$;
         INSERT INTO things SELECT t.* FROM generate_series(1, {rows}) AS n, LATERAL thing(n, n * 31) AS t;
         ANALYZE things",
        columns.join(", "),
        picks.join(", "),
    )
}

/// A summary as a client asks for it, and what the test must know to ask PostgreSQL the same.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) json: Json,
    /// Places in [`KINDS`], and whether they are buckets.
    pub(crate) keys: Vec<(usize, bool)>,
    /// Function and place; the first, the number of rows, is left out.
    pub(crate) values: Vec<(&'static str, usize)>,
    /// Whether a key, which, and the rest of the term in SQL.
    pub(crate) order: Vec<(bool, usize, String)>,
    pub(crate) condition: &'static str,
}

fn filters() -> [(Json, &'static str); 6] {
    let test = |column: &str, op: &str, values: Json| json!({"test": {"column": column, "op": op, "values": values}});
    [
        (Json::Null, "true"),
        (test("small", ">", json!([-1])), "small > -1"),
        (
            test("title", "contains", json!(["PP"])),
            "title ILIKE '%PP%'",
        ),
        (test("grade", ">=", json!(["fair"])), "grade >= 'fair'"),
        (
            json!({"not": test("ci", "=", json!(["ANN"]))}),
            "NOT (ci = 'ANN')",
        ),
        (test("amount", "<=", json!(["1.0"])), "amount <= 1.0"),
    ]
}

impl Asked {
    pub(crate) fn random(rng: &mut ChaCha8Rng) -> Self {
        let (filter, condition) = filters().choose(rng).unwrap().clone();
        let (mut keys, mut by) = (Vec::new(), Vec::new());
        for _ in 0..*[0, 1, 1, 2, 2, 3].choose(rng).unwrap() {
            let at = rng.random_range(0..KINDS.len());
            if keys.iter().any(|(key, _)| *key == at) {
                continue;
            }
            let kind = &KINDS[at];
            let buckets = match rng.random_range(0..4) {
                0 if kind.has_buckets => json!({"count": rng.random_range(1..12)}),
                1 if kind.has_buckets => json!({"bounds": kind.bounds}),
                _ => Json::Null,
            };
            keys.push((at, !buckets.is_null()));
            by.push(json!({"column": kind.name, "buckets": buckets}));
        }
        let mut values = Vec::new();
        for _ in 0..rng.random_range(0..6) {
            let at = rng.random_range(0..KINDS.len());
            let function = *["count", "min", "max", "sum", "avg"].choose(rng).unwrap();
            // PostgreSQL has no `min` and `max` of JSON.
            let is_extreme = ["min", "max"].contains(&function);
            if is_extreme && KINDS[at].sql_type == "jsonb" {
                continue;
            }
            if KINDS[at].is_number || !["sum", "avg"].contains(&function) {
                values.push((function, at));
            }
        }
        let aggregates: Vec<Json> = values
            .iter()
            .map(|(function, at)| json!({"op": function, "column": KINDS[*at].name}))
            .collect();
        let (order, terms) = random_order(rng, &keys, &values);
        let json = json!({
            "summary": 0,
            "view": {"table": "things", "filter": filter},
            "by": by,
            "aggregates": aggregates,
            "order": terms,
            "count": 1
        });
        Self {
            json,
            keys,
            values,
            order,
            condition,
        }
    }
}

fn random_order(
    rng: &mut ChaCha8Rng,
    keys: &[(usize, bool)],
    values: &[(&'static str, usize)],
) -> (Vec<(bool, usize, String)>, Vec<Json>) {
    let (mut order, mut terms) = (Vec::new(), Vec::new());
    for _ in 0..rng.random_range(0..3) {
        let is_key = rng.random_bool(0.4) && !keys.is_empty();
        let at = rng.random_range(0..if is_key { keys.len() } else { values.len() + 1 });
        // Sums of floats that are about the same have no order.
        if let Some((function, column)) = at.checked_sub(1).and_then(|at| values.get(at))
            && !is_key
            && ["sum", "avg"].contains(function)
            && KINDS[*column].alike == Alike::Float
        {
            continue;
        }
        let (descending, nulls) = (
            rng.random_bool(0.5),
            [Json::Null, json!("first"), json!("last")]
                .choose(rng)
                .unwrap()
                .clone(),
        );
        let direction = if descending { "DESC" } else { "ASC" };
        let sql = match nulls.as_str() {
            Some(nulls) => format!("{direction} NULLS {nulls}"),
            None => direction.to_owned(),
        };
        order.push((is_key, at, sql));
        let by = if is_key {
            json!({"key": at})
        } else {
            json!({"value": at})
        };
        terms.push(json!({"by": by, "descending": descending, "nulls": nulls}));
    }
    (order, terms)
}

/// Writes until it is aborted.
pub(crate) async fn write(database: TestDatabase, seed: u64, rows: u32) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let client = database.connect().await;
    client
        .batch_execute("SET lock_timeout = '40ms'")
        .await
        .unwrap();
    loop {
        transaction(&client, &mut rng, rows).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(10..80))).await;
    }
}

async fn transaction(client: &Client, rng: &mut ChaCha8Rng, rows: u32) {
    client.batch_execute("BEGIN").await.unwrap();
    for _ in 0..rng.random_range(1..4) {
        let statement = statement(rng, rows);
        let end = if rng.random_bool(0.85) {
            "RELEASE s"
        } else {
            "ROLLBACK TO s"
        };
        let done = client
            .batch_execute(&format!("SAVEPOINT s; {statement}; {end}"))
            .await;
        if done.is_err() {
            client.batch_execute("ROLLBACK TO s").await.unwrap();
        }
        if rng.random_bool(0.2) {
            // Stays open while others commit; their order of ending is not that of beginning.
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..60))).await;
        }
    }
    let end = if rng.random_bool(0.85) {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    if client.batch_execute(end).await.is_err() {
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}

fn statement(rng: &mut ChaCha8Rng, rows: u32) -> String {
    let id = rng.random_range(1..=rows);
    let seed = rng.random_range(0..1_000_000);
    let set = KINDS.choose(rng).unwrap().name;
    match rng.random_range(0..8) {
        0 | 1 => format!(
            "INSERT INTO things SELECT t.* FROM generate_series(1, 4) AS n, \
             LATERAL thing({id} + n, {seed} + n * 100) AS t ON CONFLICT DO NOTHING"
        ),
        2 => format!("DELETE FROM things WHERE id BETWEEN {id} AND {id} + 2"),
        3 => format!(
            "UPDATE things AS t SET {set} = n.{set} FROM thing(0, {seed}) AS n WHERE t.id = {id}; \
             UPDATE things SET small = 7, price = 0.01 WHERE id = {id}"
        ),
        _ => format!(
            "UPDATE things AS t SET {set} = n.{set} FROM thing(0, {seed}) AS n \
             WHERE t.id BETWEEN {id} AND {id} + {}",
            rng.random_range(0..4)
        ),
    }
}
