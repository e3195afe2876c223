//! Every built-in type: what cells say, orders and comparisons, all as PostgreSQL has them.

use client_egui::model::{Headless, WindowId};
use e2e::TestDatabase;
use e2e::viewing::open;
use protocol::{Filter, FilterOp, Test, Value, ViewSpec};

use crate::{by, equals, serve, watcher};

/// A column's name, its type, and four values of it: among them the least and the greatest, and what is odd.
const TYPES: &[(&str, &str, [&str; 4])] = &[
    ("small", "smallint", ["-32768", "32767", "0", "7"]),
    ("whole", "int", ["-2147483648", "2147483647", "0", "-1"]),
    (
        "big",
        "bigint",
        [
            "-9223372036854775808",
            "9223372036854775807",
            "9007199254740993",
            "0",
        ],
    ),
    (
        "single",
        "real",
        ["-Infinity", "NaN", "-0", "1.17549435e-38"],
    ),
    (
        "double",
        "double precision",
        ["-1.7976931348623157e308", "NaN", "-0", "5e-324"],
    ),
    (
        "exact",
        "numeric",
        [
            "-Infinity",
            "NaN",
            "-0.00",
            "123456789012345678901234567890.12345678901234567890",
        ],
    ),
    (
        "priced",
        "numeric(10,2)",
        ["-99999999.99", "NaN", "0", "19.90"],
    ),
    (
        "cash",
        "money",
        [
            "-92233720368547758.08",
            "92233720368547758.07",
            "0",
            "1234.5",
        ],
    ),
    (
        "words",
        "text",
        ["", "Zebra", "äpfel", "a\tb\nc \"quoted\" \\ '"],
    ),
    ("limited", "varchar(20)", ["", "zz", "Ä", "NULL"]),
    ("padded", "char(5)", ["", "zz", "a", "b c"]),
    ("named", "name", ["", "zz", "B", "a"]),
    ("letter", "\"char\"", ["", "z", "A", "a"]),
    ("bytes", "bytea", ["\\x", "\\xffff", "\\x00", "\\x0061"]),
    ("truth", "boolean", ["false", "true", "false", "true"]),
    (
        "day",
        "date",
        ["-infinity", "infinity", "0044-03-15 BC", "2024-02-29"],
    ),
    (
        "hour",
        "time",
        ["00:00", "24:00:00", "23:59:59.999999", "12:00"],
    ),
    (
        "hour_there",
        "timetz",
        ["00:00+14", "24:00:00-12", "12:00+02", "12:00-02"],
    ),
    (
        "moment",
        "timestamp",
        [
            "-infinity",
            "infinity",
            "4713-01-01 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
        ],
    ),
    (
        "instant",
        "timestamptz",
        [
            "-infinity",
            "infinity",
            "0001-01-01 00:00:00+00 BC",
            "2026-03-29 02:30+01",
        ],
    ),
    (
        "length",
        "interval",
        [
            "-178000000 years",
            "178000000 years",
            "1 mon -30 days 00:00:00.000001",
            "30 days",
        ],
    ),
    (
        "id128",
        "uuid",
        [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "10000000-0000-0000-0000-000000000000",
        ],
    ),
    (
        "plain_json",
        "json",
        ["{\"b\": 1,  \"a\": [null]}", "[1e400]", "\"text\"", "12.50"],
    ),
    (
        "binary_json",
        "jsonb",
        ["{\"b\": 1, \"a\": [null]}", "[]", "\"text\"", "12.50"],
    ),
    ("markup", "xml", ["<a/>", "<a>&lt;</a>", "x", ""]),
    (
        "address",
        "inet",
        ["0.0.0.0/0", "ffff::/16", "10.0.0.1/24", "::1"],
    ),
    (
        "network",
        "cidr",
        ["0.0.0.0/0", "ffff::/16", "10.0.0.0/24", "::1"],
    ),
    (
        "card",
        "macaddr",
        [
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "08:00:2b:01:02:03",
            "01:00:00:00:00:00",
        ],
    ),
    (
        "card8",
        "macaddr8",
        [
            "00:00:00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff:ff:ff",
            "08:00:2b:01:02:03:04:05",
            "01:00:00:00:00:00:00:00",
        ],
    ),
    ("bits", "bit(4)", ["0000", "1111", "0101", "1000"]),
    ("more_bits", "varbit", ["", "111111111", "0", "01"]),
    (
        "spot",
        "point",
        ["(0,0)", "(Infinity,-Infinity)", "(1.5,-2)", "(NaN,1)"],
    ),
    (
        "endless",
        "line",
        ["{1,0,0}", "{0,1,5}", "{1,1,1}", "{-1,2,3}"],
    ),
    (
        "segment",
        "lseg",
        [
            "[(0,0),(0,0)]",
            "[(0,0),(1,1)]",
            "[(1,2),(3,4)]",
            "[(-1,0),(0,0)]",
        ],
    ),
    (
        "square",
        "box",
        ["(0,0),(0,0)", "(1,1),(0,0)", "(3,4),(1,2)", "(1,1),(-1,-1)"],
    ),
    (
        "trail",
        "path",
        ["((0,0))", "[(0,0),(1,1)]", "((0,0),(1,1),(2,0))", "[(0,0)]"],
    ),
    (
        "shape",
        "polygon",
        [
            "((0,0))",
            "((0,0),(1,1),(2,0))",
            "((0,0),(0,1),(1,1),(1,0))",
            "((1,1))",
        ],
    ),
    (
        "round",
        "circle",
        ["<(0,0),0>", "<(0,0),1>", "<(1,2),3>", "<(-1,0),2>"],
    ),
    (
        "document",
        "tsvector",
        ["", "'zebra':1A", "'a' 'b'", "'it''s':1,2"],
    ),
    (
        "question",
        "tsquery",
        ["", "'zebra'", "'a' & 'b'", "!'a' | 'b' <-> 'c'"],
    ),
    ("span", "int4range", ["empty", "(,)", "[1,5)", "[1,)"]),
    ("long_span", "int8range", ["empty", "(,)", "[1,5)", "(,0)"]),
    (
        "exact_span",
        "numrange",
        ["empty", "(,)", "[1.0,1.00]", "(1,2]"],
    ),
    (
        "day_span",
        "daterange",
        [
            "empty",
            "(,)",
            "[2026-01-01,infinity)",
            "[-infinity,infinity]",
        ],
    ),
    (
        "time_span",
        "tsrange",
        [
            "empty",
            "(,)",
            "[2026-01-01,infinity)",
            "[2026-01-01,2026-01-02]",
        ],
    ),
    (
        "zone_span",
        "tstzrange",
        [
            "empty",
            "(,)",
            "[2026-01-01,infinity)",
            "[2026-01-01,2026-01-02]",
        ],
    ),
    (
        "spans",
        "int4multirange",
        ["{}", "{(,)}", "{[1,2),[5,8)}", "{[1,3)}"],
    ),
    ("number", "oid", ["0", "4294967295", "1", "16384"]),
    ("transaction", "xid", ["0", "4294967295", "3", "7"]),
    (
        "transaction8",
        "xid8",
        ["0", "18446744073709551615", "3", "7"],
    ),
    (
        "position",
        "pg_lsn",
        ["0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848", "0/1"],
    ),
    (
        "place",
        "tid",
        ["(0,0)", "(4294967295,65535)", "(1,2)", "(0,1)"],
    ),
    (
        "seen",
        "pg_snapshot",
        ["10:10:", "10:20:11,12", "10:12:10", "3:4:"],
    ),
    (
        "way",
        "jsonpath",
        ["$", "strict $.a[*] ? (@ > 1)", "$.\"b c\"", "$[0]"],
    ),
    (
        "list",
        "int[]",
        ["{}", "{NULL}", "{1,2,3}", "{{1,2},{3,4}}"],
    ),
    (
        "texts",
        "text[]",
        [
            "{}",
            "{\"\",NULL,\"NULL\"}",
            "{ä,z}",
            "{\"a,b\",\"c\\\"d\",\"e\\\\f\"}",
        ],
    ),
    (
        "moments",
        "timestamptz[]",
        [
            "{}",
            "{infinity,NULL}",
            "{2026-01-01 00:00+01}",
            "{-infinity}",
        ],
    ),
    (
        "floats",
        "float8[]",
        ["{}", "{NaN,Infinity}", "{-0,1e-7}", "{-Infinity}"],
    ),
    ("fixed", "char(3)[]", ["{}", "{ab,c}", "{abc}", "{b}"]),
    ("mood", "mood", ["sad", "very happy", "it's \"ok\"", "sad"]),
    (
        "moods",
        "mood[]",
        ["{}", "{very happy,sad}", "{sad}", "{NULL}"],
    ),
    ("count", "amount", ["0", "1000", "5", "7"]),
    (
        "pair",
        "pair",
        ["(,)", "(1,zz)", "(1,\"a,b\")", "(-5,\"\")"],
    ),
    (
        "nested",
        "nest",
        [
            "(,,)",
            "(\"(1,a)\",\"{1,2}\",\"2026-01-01 00:00+00\")",
            "(\"(1,b)\",{},)",
            "(\"(,)\",,)",
        ],
    ),
    (
        "pairs",
        "pair[]",
        [
            "{}",
            "{\"(1,a)\",NULL}",
            "{\"(1,a)\",\"(2,b)\"}",
            "{\"(0,z)\"}",
        ],
    ),
];

/// Types that PostgreSQL does not order.
const UNORDERED: &[&str] = &[
    "plain_json",
    "markup",
    "spot",
    "endless",
    "segment",
    "square",
    "trail",
    "shape",
    "round",
    "transaction",
    "seen",
    "way",
];

fn table() -> String {
    let columns = TYPES.iter().map(|(name, of, _)| format!(", {name} {of}"));
    let row = |at: usize| {
        let values = TYPES
            .iter()
            .map(|(_, of, values)| format!(", '{}'::{of}", values[at].replace('\'', "''")));
        format!(
            "INSERT INTO every VALUES ({at}{});",
            values.collect::<String>()
        )
    };
    let rows: String = (0..4).map(row).collect();
    let columns: String = columns.collect();
    format!(
        "CREATE TYPE mood AS ENUM ('very happy', 'it''s \"ok\"', 'sad');
         CREATE DOMAIN amount AS numeric(10, 2) CHECK (value >= 0);
         CREATE TYPE pair AS (number int, word text);
         CREATE TYPE nest AS (inside pair, list int[], moment timestamptz);
         SET standard_conforming_strings = on;
         CREATE TABLE every (id int PRIMARY KEY{columns});
         {rows}
         INSERT INTO every (id) VALUES (4), (5);
         INSERT INTO every SELECT (json_populate_record(every, '{{\"id\": 6}}')).* FROM every WHERE id = 2;"
    )
}

fn sortable() -> impl Iterator<Item = &'static (&'static str, &'static str, [&'static str; 4])> {
    let is_sortable = |name: &&str| !UNORDERED.contains(name);
    TYPES.iter().filter(move |(name, ..)| is_sortable(name))
}

async fn every(watched: &[&str]) -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(&table(), watched).await;
    database
}

const CHANGES: &[&str] = &[
    "INSERT INTO every SELECT (json_populate_record(every, '{\"id\": 11}')).* FROM every WHERE id = 1",
    "UPDATE every SET id = 12 WHERE id = 3",
    "DELETE FROM every WHERE id = 0",
    "INSERT INTO every (id) VALUES (-1)",
];

#[tokio::test]
async fn cells_say_what_postgresql_writes() {
    for watched in [&["every"][..], &[]] {
        let database = every(watched).await;
        let server = serve(&database).await;
        let mut viewer = watcher(&server).await;
        let window = open(&mut viewer, ViewSpec::table("every"), 0, 50).await;
        equals(
            &mut viewer,
            &database,
            window,
            "SELECT * FROM every ORDER BY id",
        )
        .await;
        for change in CHANGES {
            database.execute(change).await;
            equals(
                &mut viewer,
                &database,
                window,
                "SELECT * FROM every ORDER BY id",
            )
            .await;
        }
    }
}

#[tokio::test]
async fn every_type_is_sorted_as_postgresql_sorts_it() {
    for watched in [&["every"][..], &[]] {
        let database = every(watched).await;
        let server = serve(&database).await;
        let mut viewer = watcher(&server).await;
        let all: Vec<_> = sortable().collect();
        for columns in all.chunks(7) {
            let mut windows: Vec<(WindowId, String)> = Vec::new();
            for (name, ..) in columns {
                for (descending, sql) in [(false, "id"), (true, "id DESC")] {
                    let direction = if descending { " DESC" } else { "" };
                    let window =
                        open(&mut viewer, by("every", &[(*name, descending)]), 0, 20).await;
                    let sql = format!("SELECT * FROM every ORDER BY {name}{direction}, {sql}");
                    windows.push((window, sql));
                }
            }
            check(&mut viewer, &database, &windows).await;
            // What is looked at needs no proof that it follows each of them.
            for change in CHANGES.iter().filter(|_| !watched.is_empty()) {
                database.execute(change).await;
                check(&mut viewer, &database, &windows).await;
            }
            for (window, _) in windows {
                viewer.act(|model, _| model.close(window));
            }
            if watched.is_empty() {
                continue;
            }
            database
                .execute("DELETE FROM every WHERE id IN (11, -1)")
                .await;
            database
                .execute("UPDATE every SET id = 3 WHERE id = 12")
                .await;
            let again = "INSERT INTO every SELECT (json_populate_record(every, '{\"id\": 0}')).* \
                         FROM every WHERE id = 2";
            database.execute(again).await;
        }
    }
}

async fn check(viewer: &mut Headless, database: &TestDatabase, windows: &[(WindowId, String)]) {
    for (window, sql) in windows {
        equals(viewer, database, *window, sql).await;
    }
}

#[tokio::test]
async fn every_type_is_compared_as_postgresql_compares_it() {
    let database = every(&["every"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (name, of, values) in sortable() {
        let mut windows = Vec::new();
        for (op, sql) in [(FilterOp::Eq, "="), (FilterOp::Lt, "<")] {
            for value in &values[1..] {
                let test = Test {
                    column: (*name).to_owned(),
                    op,
                    values: vec![Value::text(*value)],
                };
                let view = ViewSpec {
                    filter: Some(Filter::Test(test)),
                    ..ViewSpec::table("every")
                };
                let window = open(&mut viewer, view, 0, 20).await;
                let value = value.replace('\'', "''");
                let sql =
                    format!("SELECT * FROM every WHERE {name} {sql} '{value}'::{of} ORDER BY id");
                windows.push((window, sql));
            }
        }
        check(&mut viewer, &database, &windows).await;
        let change = "INSERT INTO every SELECT (json_populate_record(every, '{\"id\": 11}')).* \
                      FROM every WHERE id = 1; DELETE FROM every WHERE id = 2; \
                      UPDATE every SET id = 12 WHERE id = 3";
        database.execute(change).await;
        check(&mut viewer, &database, &windows).await;
        let back = "UPDATE every SET id = 2 WHERE id = 11; UPDATE every SET id = 3 WHERE id = 12";
        database.execute(back).await;
        for (window, _) in windows {
            viewer.act(|model, _| model.close(window));
        }
    }
}
