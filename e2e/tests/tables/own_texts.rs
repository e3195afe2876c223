//! Values that `to_json` does not write so that they can be read back (hstore, JSON inside of arrays and composites): they
//! are told as their types' own texts, and sorted, tested, counted and edited like any others.

use client_egui::model::{EditRefused, Headless, WindowId};
use e2e::summaries::SummaryViewer;
use e2e::viewing::{open, until};
use e2e::{TestDatabase, http};
use protocol::{ErrorCode, Filter, FilterOp, Value, ViewSpec};
use serde_json::json;

use crate::{by, equals, error_code, grid, scroll, serve, watcher};

/// A column's name, its type, and values of it. Some are equal though they are written differently.
const COLUMNS: &[(&str, &str, [&str; 7])] = &[
    (
        "pairs",
        "hstore",
        [
            "a=>1",
            "",
            "a=>NULL",
            "b=>2, a=>1",
            r#""q \" \\ , (é)"=>"=>""#,
            r#"a=>"""#,
            "a=>1",
        ],
    ),
    (
        "facts",
        "jsonb[]",
        [
            "{1}",
            "{}",
            r#"{"null"}"#,
            "{NULL}",
            r#"{"{\"a, b\": [null, \"\\\\(é)\"]}"}"#,
            "{1.0}",
            "[0:1]={1,2}",
        ],
    ),
    (
        "inside",
        "fact",
        [
            "(1,null,)",
            "(1,,)",
            "(,,)",
            r#"(2,"{""a, b"": ""\\\\(é)""}",2026-01-01 12:00+02)"#,
            "(2,1.0,infinity)",
            "(2,1.00,infinity)",
            r#"(1,"""x""","2026-01-01 10:00:00.5+00")"#,
        ],
    ),
    (
        "labels",
        "labels",
        [
            "a=>1",
            "",
            "a=>NULL",
            "b=>2",
            "c=>\"'\"",
            "a=>1",
            "b=>\"ü\"",
        ],
    ),
    (
        "several",
        "hstore[]",
        [
            "{a=>1}",
            "{}",
            "{NULL}",
            "{a=>NULL,b=>1}",
            r#"{"\"a b\"=>\"\\\",\""}"#,
            "{a=>1}",
            "{{a=>1},{b=>2}}",
        ],
    ),
];

/// Some columns are served by an index, others not; rows of 70 have every value beside several others.
fn setup() -> String {
    let columns: String = COLUMNS
        .iter()
        .map(|(name, of, _)| format!(", {name} {of}"))
        .collect();
    let row = |at: usize| {
        let value = |(nth, (_, of, values)): (usize, &(&str, &str, [&str; 7]))| match values
            .get((at + at / 8 * nth) % 8)
        {
            Some(value) => format!(", '{}'::{of}", value.replace('\'', "''")),
            None => ", NULL".to_owned(),
        };
        let values: String = COLUMNS.iter().enumerate().map(value).collect();
        format!("INSERT INTO told VALUES ({at}, 'row {at}'{values});")
    };
    let rows: String = (0..70).map(row).collect();
    format!(
        "CREATE EXTENSION hstore; CREATE DOMAIN labels AS hstore CHECK (NOT value ? 'refused');
         CREATE TYPE fact AS (n int, said jsonb, at timestamptz);
         CREATE TABLE told (id int PRIMARY KEY, note text{columns}); {rows}
         CREATE INDEX ON told (pairs, id); CREATE INDEX ON told (facts, id); CREATE INDEX ON told (inside, id);
         CREATE TABLE spare AS SELECT * FROM told; ANALYZE;"
    )
}

/// What happens to the rows. The values move on by one row, among others.
const CHANGES: &[&str] = &[
    "SELECT",
    "UPDATE told SET (pairs, facts, inside, labels, several) =
        (SELECT pairs, facts, inside, labels, several FROM spare WHERE id = told.id + 1) WHERE id < 60",
    "DELETE FROM told WHERE id % 5 = 1",
    "INSERT INTO told SELECT id + 100, note, pairs, facts, inside, labels, several FROM spare WHERE id < 40",
    "UPDATE told SET pairs = pairs || hstore('new', id::text), facts = facts || jsonb_build_object('\"', '\\'),
        inside = ROW(id, 'null', now()), several = ARRAY[hstore('x', '(\"\\,)')] WHERE id % 7 = 2",
    // Larger than an image may be, with small values and with large ones.
    "UPDATE told SET note = repeat('x', 9000) WHERE id IN (2, 3)",
    "UPDATE told SET note = repeat('x', 5000), pairs = hstore('long', repeat('\"', 3000)) WHERE id IN (4, 5)",
    "UPDATE told SET pairs = 'z=>9', facts = '{9}', inside = '(9,9,)', labels = 'z=>9', several = '{z=>9}'
        WHERE id BETWEEN 2 AND 5",
    "UPDATE told SET pairs = hstore('large', repeat('y', 9000)) WHERE id IN (2, 7)",
    "UPDATE told SET note = 'short', pairs = NULL, facts = NULL, inside = NULL, labels = NULL, several = NULL
        WHERE id IN (2, 3, 4, 7)",
    "TRUNCATE told; INSERT INTO told SELECT * FROM spare",
];

async fn told() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(&setup(), &["told"]).await;
    database
}

async fn follow(viewer: &mut Headless, database: &TestDatabase, windows: Vec<(WindowId, String)>) {
    for change in CHANGES {
        database.execute(change).await;
        for (window, sql) in &windows {
            equals(viewer, database, *window, sql).await;
        }
    }
    for (window, _) in windows {
        viewer.act(|model, _| model.close(window));
    }
}

#[tokio::test]
async fn they_are_sorted_as_postgresql_sorts_them() {
    let database = told().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (name, ..) in COLUMNS {
        let mut windows = Vec::new();
        for (descending, to) in [(false, "ASC"), (true, "DESC")] {
            let view = by("told", &[(*name, descending)]);
            let window = open(&mut viewer, view, 0, 200).await;
            windows.push((
                window,
                format!("SELECT * FROM told ORDER BY {name} {to}, id {to}"),
            ));
            let view = by("told", &[("note", false), (*name, descending)]);
            let window = open(&mut viewer, view, 0, 200).await;
            let sql = format!("SELECT * FROM told ORDER BY note, {name} {to}, id {to}");
            windows.push((window, sql));
        }
        follow(&mut viewer, &database, windows).await;
    }
}

#[tokio::test]
async fn they_are_tested_as_postgresql_tests_them() {
    let database = told().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (name, of, values) in COLUMNS {
        let (first, list) = (
            values[3],
            format!("'{}'::{of}, '{}'::{of}", values[0], values[1]),
        );
        let above = match *of {
            "hstore" | "labels" => "#>#",
            _ => ">",
        };
        let test = |op, values: &[&str]| {
            Filter::Test(protocol::Test {
                column: (*name).to_owned(),
                op,
                values: values.iter().map(|&text| Value::text(text)).collect(),
            })
        };
        let mut tests = vec![
            (
                test(FilterOp::Eq, &[first]),
                format!("{name} = '{first}'::{of}"),
            ),
            (
                test(FilterOp::In, &values[..2]),
                format!("{name} IN ({list})"),
            ),
            (
                test(FilterOp::Gt, &[first]),
                format!("{name} {above} '{first}'::{of}"),
            ),
            (
                test(FilterOp::Contains, &["é)"]),
                format!("{name}::text LIKE '%é)%'"),
            ),
            (
                test(FilterOp::IsNull, &[]),
                format!("{name} IS NOT DISTINCT FROM NULL"),
            ),
        ];
        if of.ends_with("[]") {
            let element = if *of == "jsonb[]" { "1" } else { "a=>1" };
            let sql = format!("{name} @> '{{{element}}}'");
            tests.push((test(FilterOp::ArrayContains, &[element]), sql));
        }
        let mut windows = Vec::new();
        for (filter, condition) in tests {
            let view = ViewSpec {
                filter: Some(filter),
                ..ViewSpec::table("told")
            };
            let window = open(&mut viewer, view, 0, 200).await;
            let sql = format!("SELECT * FROM told WHERE {condition} ORDER BY id");
            windows.push((window, sql));
        }
        follow(&mut viewer, &database, windows).await;
    }
}

#[tokio::test]
async fn rows_far_down_are_found_by_them() {
    let database = told().await;
    let more = "INSERT INTO told SELECT n, 'many', hstore('n', (n % 900)::text), ARRAY[to_jsonb(n % 900)],
                    ROW(n % 900, to_jsonb(n), NULL)::fact, hstore('l', (n % 90)::text), ARRAY[hstore('s', n::text)]
                FROM generate_series(1000, 6000) AS n; ANALYZE told";
    database.execute(more).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (name, ..) in COLUMNS {
        let window = open(&mut viewer, by("told", &[(*name, false)]), 0, 20).await;
        for first in [4000, 40, 2500] {
            database
                .execute("UPDATE told SET note = note || '.' WHERE id % 13 = 0")
                .await;
            let sql = format!("SELECT * FROM told ORDER BY {name}, id OFFSET {first} LIMIT 20");
            scroll(&mut viewer, &database, window, first, &sql).await;
        }
        viewer.act(|model, _| model.close(window));
    }
}

async fn texts(database: &TestDatabase, sql: &str) -> Vec<String> {
    let client = database.connect().await;
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The groups of a column, as a summary tells them.
async fn groups(database: &TestDatabase, name: &str) -> Vec<String> {
    let sql = format!(
        "SELECT concat(coalesce(min({name}::text), '∅'), ': ', count(*), ' ', count(*), ' ', count({name}))
           FROM told GROUP BY {name}"
    );
    texts(database, &sql).await
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[tokio::test]
async fn they_are_grouped_and_counted() {
    let database = told().await;
    let server = serve(&database).await;
    for name in ["pairs", "inside", "several"] {
        // One text of several that are equal would do as well.
        let even = format!("UPDATE told SET {name} = NULL WHERE {name}::text LIKE '%1.0%'");
        database.execute(&even).await;
        let asked = format!(
            r#"{{"summary":1,"view":{{"table":"told"}},"by":[{{"column":"{name}"}}],"count":50,
                "aggregates":[{{"op":"count"}},{{"op":"count","column":"{name}"}}]}}"#
        );
        let mut viewer = SummaryViewer::open(&server.socket_url(), &asked).await;
        for change in [
            "SELECT".to_owned(),
            format!(
                "UPDATE told SET {name} = (SELECT {name} FROM spare WHERE id = 3) WHERE id % 4 = 0"
            ),
            "DELETE FROM told WHERE id % 3 = 0".to_owned(),
            format!(
                "INSERT INTO told (id, {name}) SELECT id + 200, {name} FROM spare WHERE id < 30 AND id <> 5"
            ),
        ] {
            database.execute(&change).await;
            let wanted = sorted(groups(&database, name).await);
            viewer
                .until(&change, |replica| sorted(replica.texts()) == wanted)
                .await;
        }
        database
            .execute("TRUNCATE told; INSERT INTO told SELECT * FROM spare")
            .await;
    }
    server.stop().await;
}

#[tokio::test]
async fn they_are_edited() {
    let database = told().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("told"), 0, 200).await;
    for (name, _, values) in COLUMNS {
        for (nth, text) in values.iter().enumerate() {
            let key = [Value::Int(i64::try_from(nth).unwrap())];
            let value = Value::text(*text);
            let edit = viewer.act(|model, now| model.edit(window, &key, name, value, now));
            let is_new = edit.is_ok();
            assert!(
                is_new || matches!(edit, Err(EditRefused::Unchanged)),
                "{edit:?}"
            );
            equals(
                &mut viewer,
                &database,
                window,
                "SELECT * FROM told ORDER BY id",
            )
            .await;
        }
        let key = [Value::Int(30)];
        let edit = viewer.act(|model, now| model.edit(window, &key, name, Value::Null, now));
        assert!(
            edit.is_ok() || matches!(edit, Err(EditRefused::Unchanged)),
            "{edit:?}"
        );
        until(&mut viewer, "no value", |model| {
            let at = COLUMNS.iter().position(|(of, ..)| of == name).unwrap();
            grid(model, window)[30][at + 2] == "∅"
        })
        .await;
    }
    assert_eq!(error_code(viewer.model(), window), None::<ErrorCode>);
}

#[tokio::test]
async fn programs_sort_by_them_and_write_them() {
    let database = told().await;
    let server = serve(&database).await;
    let to = server.address();
    let path = |rest: &str| format!("/api/v1/tables/told/{rest}");
    for (name, ..) in COLUMNS {
        let answer = http::ask(
            to,
            "GET",
            &path(&format!("rows?sort=-{name}&limit=100")),
            &[],
            b"",
        )
        .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let shown: Vec<Option<&str>> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[name].as_str())
            .collect();
        let sql = format!("SELECT array_agg({name}::text ORDER BY {name} DESC, id DESC) FROM told");
        let client = database.connect().await;
        client.batch_execute("SET timezone = 'UTC'").await.unwrap();
        let wanted: Vec<Option<String>> = client.query_one(&sql, &[]).await.unwrap().get(0);
        let wanted: Vec<Option<&str>> = wanted.iter().map(Option::as_deref).collect();
        assert_eq!(shown, wanted, "{name}");
        let mut ids = Vec::new();
        let mut behind = String::new();
        loop {
            let rest = format!("rows?sort=-{name}&columns=id&limit=9{behind}");
            let page = http::ask(to, "GET", &path(&rest), &[], b"").await.json();
            let rows = page["rows"].as_array().unwrap();
            ids.extend(rows.iter().map(|row| row["id"].to_string()));
            match page["next_cursor"].as_str() {
                Some(cursor) => behind = format!("&cursor={}", http::encoded(cursor)),
                None => break,
            }
        }
        let sql = format!("SELECT id::text FROM told ORDER BY {name} DESC, told.id DESC");
        assert_eq!(ids, texts(&database, &sql).await, "{name}");
    }
    let json = [("content-type", "application/json")];
    let row = json!({"id": 500, "pairs": "\"a b\"=>\"1\"", "facts": "{\"{\\\"a\\\": null}\",NULL}",
        "inside": "(1,\"{\"\"a\"\": 1}\",)", "labels": "\"l\"=>NULL", "several": null});
    let made = http::ask(to, "POST", &path("rows"), &json, row.to_string().as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut made = made.json();
    made = made.get("row").cloned().unwrap_or(made);
    for (name, value) in row.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn they_are_keys() {
    let database = TestDatabase::new().await;
    let sql = "CREATE EXTENSION hstore; CREATE TYPE fact AS (n int, said jsonb);
        CREATE TABLE by_pairs (key hstore PRIMARY KEY, note text);
        INSERT INTO by_pairs SELECT hstore('n', n::text), 'row ' || n FROM generate_series(1, 3000) AS n;
        CREATE TABLE by_facts (key jsonb[], note text, n int, PRIMARY KEY (n, key));
        INSERT INTO by_facts SELECT ARRAY[to_jsonb(n), 'null'], 'row ' || n, n % 7 FROM generate_series(1, 3000) AS n;
        CREATE TABLE by_fact (key fact PRIMARY KEY, note text);
        INSERT INTO by_fact SELECT ROW(n, '{\"a\": null}')::fact, 'row ' || n FROM generate_series(1, 3000) AS n;
        ANALYZE;";
    database
        .install(sql, &["by_pairs", "by_facts", "by_fact"])
        .await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (table, new) in [
        ("by_pairs", "('\"new, \\\"\"=>NULL', 'row 0')"),
        ("by_facts", "('{\"\\\"new, \\\\\\\\ \\\"\"}', 'row 0', 0)"),
        ("by_fact", "('(0,\"\"\"new, \\\\\\\\ \"\"\")', 'row 0')"),
    ] {
        let key = if table == "by_facts" { "n, key" } else { "key" };
        let all = open(&mut viewer, ViewSpec::table(table), 0, 20).await;
        // No index serves this one: its keys are listed.
        let noted = open(&mut viewer, by(table, &[("note", true)]), 0, 20).await;
        for (nth, change) in [
            "SELECT".to_owned(),
            format!("INSERT INTO {table} VALUES {new}"),
            format!("UPDATE {table} SET note = note || '!' WHERE note LIKE 'row %0'"),
            // Larger than an image may be.
            format!("UPDATE {table} SET note = repeat('z', 9000) WHERE note IN ('row 7', 'row 9')"),
            format!("DELETE FROM {table} WHERE note LIKE 'row 1%' OR note LIKE 'zz%'"),
        ]
        .iter()
        .enumerate()
        {
            database.execute(change).await;
            let first = [0, 900, 1700, 30, 100][nth];
            let descending = key.replace(',', " DESC,") + " DESC";
            for (window, order) in [
                (all, key.to_owned()),
                (noted, format!("note DESC, {descending}")),
            ] {
                let sql = format!("SELECT * FROM {table} ORDER BY {order} OFFSET {first} LIMIT 20");
                scroll(&mut viewer, &database, window, first, &sql).await;
            }
        }
    }
    let path = format!(
        "/api/v1/tables/by_pairs/rows/{}",
        http::encoded("\"n\"=>\"2000\"")
    );
    let answer = http::ask(server.address(), "GET", &path, &[], b"").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.stop().await;
}

/// Types, whether their values are told as their own texts, and a value of each.
const TYPES: [(&str, bool, &str); 17] = [
    ("text", false, "1"),
    ("jsonb", false, "1"),
    ("json", false, "1"),
    ("document", false, "1"),
    ("number", false, "1"),
    ("mood", true, "glad"),
    ("moody", true, "glad"),
    ("plain", false, r#"(1,"{a,b}")"#),
    ("plain[]", false, r#"{"(1,{a})"}"#),
    ("mood[]", true, "{glad}"),
    ("document[]", true, "{null}"),
    ("documents", true, "{null}"),
    ("hstore", true, "a=>1"),
    ("labels", true, "a=>1"),
    ("fact", true, "(1,null)"),
    ("nested", true, r#"(,"{""(1,null)""}")"#),
    ("facts", true, "{}"),
];

const MADE: &str = "CREATE EXTENSION hstore; CREATE DOMAIN document AS jsonb; CREATE DOMAIN number AS int;
        CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN moody AS mood; CREATE TYPE plain AS (a int, b text[]);
        CREATE FUNCTION written(mood) RETURNS json LANGUAGE sql AS $$ SELECT '[null]'::json $$;
        CREATE CAST (mood AS json) WITH FUNCTION written(mood);
        CREATE FUNCTION written(int) RETURNS json LANGUAGE sql AS $$ SELECT '[1]'::json $$;
        CREATE CAST (int AS json) WITH FUNCTION written(int);
        CREATE DOMAIN documents AS document[]; CREATE DOMAIN labels AS hstore; CREATE TYPE fact AS (a int, b document);
        CREATE TYPE nested AS (a plain, b fact[]); CREATE DOMAIN facts AS nested[];";

/// What is told so is decided where the catalogue is read and where the triggers are chosen, and must be the same.
#[tokio::test]
async fn the_triggers_are_chosen_by_the_rule_of_the_catalogue() {
    let database = TestDatabase::new().await;
    let mut sql = MADE.to_owned();
    let names: Vec<String> = (0..TYPES.len()).map(|nth| format!("of_{nth}")).collect();
    for (name, (of, ..)) in names.iter().zip(TYPES) {
        sql.push_str(&format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, v {of}); INSERT INTO {name} VALUES (1, NULL);"
        ));
    }
    let tables: Vec<&str> = names.iter().map(String::as_str).collect();
    database.install(&sql, &tables).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    for (name, (of, worded, value)) in names.iter().zip(TYPES) {
        let decided = texts(
            &database,
            &format!("SELECT rowcast.has_worded('{name}')::text"),
        )
        .await;
        assert_eq!(decided, [worded.to_string()], "{of}");
        let window = open(&mut viewer, ViewSpec::table(name), 0, 5).await;
        let text = if worded {
            "v::text"
        } else {
            "to_json(v)::text"
        };
        for change in [
            format!("UPDATE {name} SET v = '{value}'"),
            format!("INSERT INTO {name} SELECT 2, v FROM {name}"),
            format!("UPDATE {name} SET v = NULL WHERE id = 1"),
        ] {
            database.execute(&change).await;
            let sql = format!("SELECT coalesce({text}, '∅') FROM {name} ORDER BY id");
            let wanted = texts(&database, &sql).await;
            let shown = |text: &String| text.trim_matches('"').to_owned();
            until(&mut viewer, of, |model| {
                let rows = grid(model, window);
                let cells: Vec<String> = rows.iter().map(|row| shown(&row[1])).collect();
                cells == wanted.iter().map(shown).collect::<Vec<_>>()
            })
            .await;
        }
        viewer.act(|model, _| model.close(window));
    }
}
