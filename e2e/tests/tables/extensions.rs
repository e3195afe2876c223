//! Types that somebody made: those of extensions, and types inside of types. What has an order in PostgreSQL is sorted
//! and compared by it.

use client_egui::model::WindowId;
use e2e::TestDatabase;
use e2e::viewing::open;
use protocol::{Filter, FilterOp, ViewSpec};

use crate::{by, equals, listed, schema, serve, watcher};

/// A column's name, its type, whether it is sorted by, and four values of it, of which two are equal or nearly.
const COLUMNS: &[(&str, &str, bool, [&str; 4])] = &[
    ("folded", "citext", true, ["Zoo", "zoo", "Äpfel", ""]),
    ("tree", "ltree", true, ["a.b", "a", "a.b.c", "B"]),
    (
        "book",
        "isbn",
        true,
        [
            "978-0-393-04002-9",
            "0-901690-54-6",
            "0-393-04002-X",
            "3-16-148410-X",
        ],
    ),
    (
        "solid",
        "cube",
        true,
        ["(1,2)", "(0,0),(1,1)", "(1,2,3)", "(-1)"],
    ),
    ("stretch", "seg", true, ["1 .. 2", "0", "1.0 .. 2", "<5"]),
    (
        "pairs",
        "hstore",
        true,
        ["a=>1", "a=>NULL", "", "b=>2,a=>1"],
    ),
    ("said", "document", true, ["null", "1.0", "1", "[]"]),
    (
        "listed",
        "jsonb[]",
        true,
        ["{null}", "{\"null\"}", "{}", "{1}"],
    ),
    (
        "inside",
        "fact",
        true,
        ["(1,null)", "(1,)", "(,1)", "(2,\"[1]\")"],
    ),
    (
        "spread",
        "floatrange",
        true,
        ["[1,2)", "empty", "[1.0,2)", "(,5]"],
    ),
    (
        "spreads",
        "floatmultirange",
        true,
        ["{[1,2)}", "{}", "{[1,2),[3,4)}", "{(,0)}"],
    ),
    (
        "several",
        "mood_list",
        true,
        ["{glad,sad}", "{}", "{sad}", "{glad}"],
    ),
    (
        "moody",
        "moody",
        true,
        ["(sad,1)", "(glad,0)", "(,2)", "(sad,0)"],
    ),
    ("named", "pg_lsn", true, ["1/0", "0/FF", "0/1", "FF/0"]),
    (
        "counted",
        "xid8",
        true,
        ["9", "10", "0", "18446744073709551615"],
    ),
];

fn setup() -> String {
    let columns: String = COLUMNS
        .iter()
        .map(|(name, of, ..)| format!(", {name} {of}"))
        .collect();
    let row = |at: usize| {
        let values: String = COLUMNS
            .iter()
            .map(|(_, of, _, values)| format!(", '{}'::{of}", values[at]))
            .collect();
        format!("INSERT INTO made VALUES ({at}{values});")
    };
    let rows: String = (0..4).map(row).collect();
    format!(
        "CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION isn; CREATE EXTENSION cube;
         CREATE EXTENSION seg; CREATE EXTENSION hstore;
         CREATE TYPE mood AS ENUM ('sad', 'glad');
         CREATE DOMAIN document AS jsonb CHECK (value <> '13');
         CREATE DOMAIN mood_list AS mood[]; CREATE TYPE moody AS (mood mood, n int);
         CREATE TYPE fact AS (n int, said jsonb);
         CREATE TYPE floatrange AS RANGE (subtype = float8);
         CREATE TABLE made (id int PRIMARY KEY{columns}); {rows} INSERT INTO made (id) VALUES (4);
         CREATE TABLE spare AS SELECT * FROM made;"
    )
}

/// What happens to the rows, such that each value goes and comes.
const CHANGES: &[&str] = &[
    "INSERT INTO made SELECT (r).* FROM (SELECT spare #= hstore('id', (id + 10)::text) AS r FROM spare) AS x",
    "DELETE FROM made WHERE id IN (0, 12); UPDATE made SET id = 20 WHERE id = 4",
    "UPDATE made SET id = id + 1 WHERE id IN (3, 11)",
];

async fn made() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(&setup(), &["made"]).await;
    database
}

#[tokio::test]
async fn types_of_extensions_and_types_in_types_are_sorted_if_postgresql_sorts_them() {
    let database = made().await;
    let server = serve(&database).await;
    assert_eq!(listed(&server).await.len(), 2);
    let mut viewer = watcher(&server).await;
    let all = open(&mut viewer, ViewSpec::table("made"), 0, 20).await;
    let columns = schema(viewer.model(), all).unwrap().columns;
    for ((name, _, is_sorted, _), column) in COLUMNS.iter().zip(&columns[1..]) {
        assert_eq!(column.sortable, *is_sorted, "{name}");
    }
    viewer.act(|model, _| model.close(all));
    let sorted: Vec<&str> = COLUMNS
        .iter()
        .filter(|(_, _, is_sorted, _)| *is_sorted)
        .map(|(name, ..)| *name)
        .collect();
    for names in sorted.chunks(6) {
        let mut windows: Vec<(WindowId, String)> = Vec::new();
        for name in names {
            for descending in [false, true] {
                let view = by("made", &[(*name, descending)]);
                let window = open(&mut viewer, view, 0, 20).await;
                let to = if descending { "DESC" } else { "ASC" };
                let sql = format!("SELECT * FROM made ORDER BY {name} {to}, id {to}");
                windows.push((window, sql));
            }
        }
        for change in ["SELECT"].iter().chain(CHANGES) {
            database.execute(change).await;
            for (window, sql) in &windows {
                equals(&mut viewer, &database, *window, sql).await;
            }
        }
        for (window, _) in windows {
            viewer.act(|model, _| model.close(window));
        }
        let back = "TRUNCATE made; INSERT INTO made SELECT * FROM spare";
        database.execute(back).await;
    }
}

#[tokio::test]
async fn types_of_extensions_and_types_in_types_are_tested_as_postgresql_tests_them() {
    let database = made().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for columns in COLUMNS.chunks(3) {
        let mut windows: Vec<(WindowId, String)> = Vec::new();
        for (name, of, is_sorted, values) in columns {
            let mut tests = vec![
                (
                    Filter::test(*name, FilterOp::Contains, "1"),
                    format!("{name}::text LIKE '%1%'"),
                ),
                (
                    Filter::Test(protocol::Test {
                        column: (*name).to_owned(),
                        op: FilterOp::IsNull,
                        values: Vec::new(),
                    }),
                    format!("{name} IS NULL"),
                ),
            ];
            for (op, sign) in [(FilterOp::Eq, "="), (FilterOp::Ge, ">=")] {
                if *is_sorted {
                    // As hstore calls it.
                    let sign = if *of == "hstore" && sign == ">=" {
                        "#>=#"
                    } else {
                        sign
                    };
                    let sql = format!("{name} {sign} '{}'::{of}", values[1]);
                    tests.push((Filter::test(*name, op, values[1]), sql));
                }
            }
            for (filter, condition) in tests {
                let view = ViewSpec {
                    filter: Some(filter),
                    ..ViewSpec::table("made")
                };
                let window = open(&mut viewer, view, 0, 20).await;
                windows.push((
                    window,
                    format!("SELECT * FROM made WHERE {condition} ORDER BY id"),
                ));
            }
        }
        for change in ["SELECT"].iter().chain(CHANGES) {
            database.execute(change).await;
            for (window, sql) in &windows {
                equals(&mut viewer, &database, *window, sql).await;
            }
        }
        for (window, _) in windows {
            viewer.act(|model, _| model.close(window));
        }
        let back = "TRUNCATE made; INSERT INTO made SELECT * FROM spare";
        database.execute(back).await;
    }
}

#[tokio::test]
async fn a_label_with_another_name_or_place_is_followed_wherever_it_is() {
    let database = made().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let mut windows: Vec<(WindowId, String)> = Vec::new();
    for name in ["several", "moody"] {
        let window = open(&mut viewer, by("made", &[(name, false)]), 0, 20).await;
        windows.push((window, format!("SELECT * FROM made ORDER BY {name}, id")));
    }
    for change in [
        "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
        "ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'glad'",
        "UPDATE made SET several = '{so-so}', moody = '(so-so,3)' WHERE id IN (1, 4)",
        "ALTER TYPE moody RENAME ATTRIBUTE n TO number",
        "UPDATE made SET moody = '(blue,0)' WHERE id = 1",
    ] {
        database.execute(change).await;
        for (window, sql) in &windows {
            equals(&mut viewer, &database, *window, sql).await;
        }
    }
}

#[tokio::test]
async fn a_domain_that_refuses_null_is_followed_where_there_is_one_or_none_is_told() {
    let database = TestDatabase::new().await;
    let sql = "CREATE DOMAIN body AS text NOT NULL; CREATE DOMAIN tags AS text[] NOT NULL;
               CREATE TABLE docs (id int PRIMARY KEY, body body, tags tags, title text COLLATE \"und-x-icu\");
               INSERT INTO docs VALUES (1, 'b', '{x}', 'ab'), (2, 'a', '{y,z}', 'Ba'), (3, 'c', '{}', 'c');
               -- PostgreSQL lets NULL in by the back door.
               INSERT INTO docs VALUES (4, (SELECT body FROM docs WHERE false), (SELECT tags FROM docs WHERE false), 'a')";
    database.install(sql, &["docs"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let mut windows: Vec<(WindowId, String)> = Vec::new();
    for (filter, condition) in [
        (
            Filter::test("title", FilterOp::Contains, "a"),
            "title ILIKE '%a%'",
        ),
        (
            Filter::test("body", FilterOp::Contains, "b"),
            "body ILIKE '%b%'",
        ),
        (
            Filter::test("tags", FilterOp::Overlaps, "x"),
            "tags && '{x}'::tags",
        ),
    ] {
        let view = ViewSpec {
            filter: Some(filter),
            ..by("docs", &[("body", false)])
        };
        let window = open(&mut viewer, view, 0, 10).await;
        let sql = format!("SELECT * FROM docs WHERE {condition} ORDER BY body, id");
        windows.push((window, sql));
    }
    for change in [
        "SELECT",
        "UPDATE docs SET title = 'aa' WHERE id IN (3, 4)",
        "INSERT INTO docs VALUES (5, repeat('b', 9000), '{x}', 'large')",
        "UPDATE docs SET tags = '{x,w}' WHERE id = 5",
        "DELETE FROM docs WHERE id IN (1, 4)",
    ] {
        database.execute(change).await;
        for (window, sql) in &windows {
            equals(&mut viewer, &database, *window, sql).await;
        }
    }
}

#[tokio::test]
async fn json_is_a_key_like_any_other() {
    let database = TestDatabase::new().await;
    let sql = "CREATE TABLE facts (said jsonb PRIMARY KEY, note text);
               INSERT INTO facts VALUES ('null', 'n'), ('1.0', 'one'), ('\"x\"', 'x'), ('[]', 'list')";
    database.install(sql, &["facts"]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("facts"), 0, 10).await;
    let all = "SELECT * FROM facts ORDER BY said";
    for change in [
        "SELECT",
        "UPDATE facts SET note = 'none' WHERE said = 'null'",
        "UPDATE facts SET said = '1.00' WHERE said = '1'",
        "DELETE FROM facts WHERE said = 'null'; INSERT INTO facts VALUES ('{\"a\": 1}', 'object')",
        "INSERT INTO facts VALUES ('null', 'again')",
    ] {
        database.execute(change).await;
        equals(&mut viewer, &database, window, all).await;
    }
}
