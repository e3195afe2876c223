//! A table with every kind of value, and what PostgreSQL itself says that it holds.

use e2e::{TestDatabase, TestServer};
use tokio_postgres::SimpleQueryMessage;

/// The columns: name, type, whether `to_json` nests it. The last two are told as their types' own texts.
pub(crate) const COLUMNS: [(&str, &str, bool); 28] = [
    ("id", "bigint", false),
    ("yes", "boolean", false),
    ("small", "smallint", false),
    ("int", "integer", false),
    ("single", "real", false),
    ("double", "double precision", false),
    ("price", "numeric(12,2)", false),
    ("tiny", "numeric(9,0)", false),
    ("wide", "numeric(38,10)", false),
    ("free", "numeric", false),
    ("name", "text", false),
    ("padded", "char(5)", false),
    ("day", "date", false),
    ("clock", "time", false),
    ("local", "timestamp", false),
    ("moment", "timestamptz", false),
    ("span", "interval", false),
    ("uid", "uuid", false),
    ("doc", "json", true),
    ("docb", "jsonb", true),
    ("raw", "bytea", false),
    ("list", "text[]", true),
    ("mood", "mood", false),
    ("address", "inet", false),
    ("period", "daterange", false),
    ("cash", "money", false),
    ("pairs", "hstore", false),
    ("docs", "jsonb[]", false),
];

const ROWS: &str = r#"
INSERT INTO kinds VALUES (1, true, 1, 2, 0.1, 0.1, 12.50, 7, 1.5, 1.500, 'plain', 'ab', '2026-11-21', '13:45', '2026-11-21 13:45:00.123456',
 '2026-11-21 13:45:00.5+02', '1 day 02:03:04', '6f1d2c1e-0000-4000-8000-000000000000', '{"a": 1,
 "b":[1,2]}', '{"b":[1, 2],"a":null}', '\x00ff7e', '{a,"b c",NULL}', 'so so', '10.0.0.1', '[2026-01-01,2026-02-01)', -1234.5);
INSERT INTO kinds VALUES (2);
INSERT INTO kinds VALUES (3, false, -32768, -2147483648, '-Infinity', 'NaN', -0.01, -999999999, -9999999999999999999999999999.9999999999,
 'NaN', '', '', '0044-03-15 BC', '24:00:00', 'infinity', '-infinity', '-1 mon', '00000000-0000-0000-0000-000000000000',
 'null', 'null', '', '{}', 'glad', '::1/64', 'empty', 0);
INSERT INTO kinds VALUES (4, true, 32767, 2147483647, 3.4028235e38, 1.7976931348623157e308, 'NaN', 999999999, 'NaN', 1e-40,
 E'two\nlines, "quoted"', 'x', 'infinity', '00:00:00.000001', '1899-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999Z',
 '0', NULL, '"=1"', '"a\nb"', '\x3d', '{"=1+1"}', 'sad', NULL, '(,)', 99);
INSERT INTO kinds VALUES (9223372036854775807, NULL, 0, 0, 1e-45, -0.0, 0, 0, 0, 123456789012345678901234567890.123456789,
 '=HYPERLINK("http://x")', '-5', '1970-01-01', '00:00', '1970-01-01', '1970-01-01Z', NULL, NULL, '[]', '{}', '\x', '{{1,2},{3,4}}',
 NULL, NULL, NULL, NULL);
INSERT INTO kinds VALUES (-9223372036854775808, NULL, 0, 0, 5, 1e15, 0, 0, 0, -0.10, E'\t@SUM(A1)', NULL, '0001-01-01', '12:00', '0001-01-01', '4000-01-01 BC',
 NULL, NULL, NULL, '1e30', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO kinds VALUES (7, NULL, 0, 0, 5, 123456789.125, 0, 0, 0, 12345678901234567, E'\\.', ' x ', '1900-03-01', '12:00', '1900-03-01 06:00', '2026-01-01',
 NULL, NULL, '"\u2028"', '"é𝄞"', NULL, '{"\"",""}', NULL, NULL, NULL, NULL);
INSERT INTO kinds (id, name) VALUES (8, '-3'), (9, '+x'), (10, '@x'), (11, E'\r=1'), (12, '''=1'), (13, E'é𝄞\u202e'), (14, '1;2'),
 (15, repeat('long ', 8000)), (16, E'a\u0001b'), (17, ' lead'), (18, '_x0041_');
UPDATE kinds SET pairs = '"a b"=>"=1", c=>NULL', docs = '{"{\"a, b\": [1.0, \"\\\\\"]}",null,NULL}' WHERE id = 1;
UPDATE kinds SET pairs = '', docs = '{}' WHERE id = 2;
"#;

/// A server on a database with the table `kinds`.
pub(crate) async fn server() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|(name, kind, _)| format!("\"{name}\" {kind}"))
        .collect();
    let sql = format!(
        "CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'so so', 'glad'); \
         SET timezone = 'UTC'; SET lc_monetary = 'C'; \
         CREATE TABLE kinds ({}, PRIMARY KEY (id)); {ROWS}",
        columns.join(", ")
    );
    database.install(&sql, &["kinds"]).await;
    let server = TestServer::start(&database).await;
    (database, server)
}

/// What PostgreSQL answers to a query, as texts, under the settings that rows are written under.
pub(crate) async fn texts(database: &TestDatabase, sql: &str) -> Vec<Vec<Option<String>>> {
    let settings = "SET extra_float_digits = 1; SET bytea_output = hex; SET datestyle = 'ISO, MDY'; \
                    SET intervalstyle = iso_8601; SET timezone = 'UTC'; SET lc_monetary = 'C'";
    let client = database.connect().await;
    client.batch_execute(settings).await.unwrap();
    let messages = client.simple_query(sql).await.unwrap();
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            let cells = (0..row.len()).map(|at| row.get(at).map(str::to_owned));
            Some(cells.collect())
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// SQL for a cell's text as windows show it.
pub(crate) fn shown(name: &str, nested: bool) -> String {
    if ["pairs", "docs"].contains(&name) {
        return format!("\"{name}\"::text");
    }
    if nested {
        return format!("to_json(\"{name}\")::text");
    }
    format!("to_json(\"{name}\") #>> '{{}}'")
}

/// Every cell of `kinds` as windows show it, in the order of `order_by`.
pub(crate) async fn shown_rows(
    database: &TestDatabase,
    order_by: &str,
) -> Vec<Vec<Option<String>>> {
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|&(name, _, nested)| shown(name, nested))
        .collect();
    let sql = format!("SELECT {} FROM kinds ORDER BY {order_by}", cells.join(", "));
    texts(database, &sql).await
}
