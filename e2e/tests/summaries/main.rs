//! Summaries: groups, grand totals, facets and histograms that follow every commit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod cost;
mod nonsense;

use e2e::summaries::SummaryViewer as Viewer;
use e2e::viewing::open;
use e2e::{TestDatabase, TestServer};
use protocol::{ClientMsg, ErrorCode, ServerMsg, ShowGroups, ViewSpec};

const ITEMS: &str = "
    CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE items (
        id integer PRIMARY KEY, kind text, name text COLLATE ci, price numeric(8,2), stock bigint,
        weight float8, made date, tags text[], place point, note json
    );
    INSERT INTO items
    SELECT n, (array['tool', 'toy', NULL])[1 + n % 3], (array['Ann', 'ann', 'Bob'])[1 + n % 3],
           n + 0.5, n * 10, n / 4.0, date '2026-01-01' + n * 30, array['a'], point(n, n), '{}'
    FROM generate_series(1, 9) AS n;";

async fn started() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items"]).await;
    let server = TestServer::start(&database).await;
    (database, server)
}

#[tokio::test]
async fn grand_totals_follow() {
    let (database, server) = started().await;
    let asked = r#"{"summary":1,"view":{"table":"items","filter":{"test":{"column":"id","op":"<=","values":[4]}}},
        "aggregates":[{"op":"sum","column":"price"},{"op":"avg","column":"stock"},{"op":"min","column":"made"},
                      {"op":"max","column":"kind"},{"op":"sum","column":"weight"},{"op":"count","column":"kind"}],"count":1}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    viewer
        .shows(&[": 4 12.00 25.0000000000000000 2026-01-31 toy 2.5 3"])
        .await;
    assert_eq!((viewer.replica.groups, viewer.replica.rows), (1, 4));
    database
        .execute("UPDATE items SET price = price + 100, stock = NULL WHERE id = 1")
        .await;
    viewer
        .shows(&[": 4 112.00 30.0000000000000000 2026-01-31 toy 2.5 3"])
        .await;
    // The least date goes: it is asked for.
    database.execute("DELETE FROM items WHERE id = 1").await;
    viewer
        .shows(&[": 3 10.50 30.0000000000000000 2026-03-02 toy 2.25 2"])
        .await;
    database.execute("DELETE FROM items").await;
    viewer.shows(&[": 0 ∅ ∅ ∅ ∅ ∅ 0"]).await;
    server.stop().await;
}

#[tokio::test]
async fn facets_follow_and_can_be_expanded() {
    let (database, server) = started().await;
    let asked = r#"{"summary":1,"view":{"table":"items"},"by":[{"column":"kind"}],
        "order":[{"by":{"value":0},"descending":true}],"count":2}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    viewer.shows(&["tool: 3", "toy: 3"]).await;
    assert_eq!((viewer.replica.groups, viewer.replica.rest), (3, 3));
    database
        .execute("UPDATE items SET kind = NULL WHERE id = 1")
        .await;
    viewer.shows(&["∅: 4", "tool: 3"]).await;
    database
        .execute("INSERT INTO items (id, kind) SELECT n, 'new' FROM generate_series(100, 109) AS n")
        .await;
    viewer.shows(&["new: 10", "∅: 4"]).await;
    assert_eq!((viewer.replica.groups, viewer.replica.rest), (4, 5));
    let show = ShowGroups {
        summary: 1,
        generation: 1,
        start: 2,
        count: 9,
        received: viewer.replica.number,
    };
    viewer.socket.send(&ClientMsg::ShowGroups(show)).await;
    viewer.shows(&["tool: 3", "toy: 2"]).await;
    // A group's rows are a window whose filter is the group's key.
    let mut rows = server.viewer().await;
    for (op, values, count) in [("=", r#"["toy"]"#, 2), ("is_null", "[]", 4)] {
        let view = format!(
            r#"{{"table":"items","filter":{{"test":{{"column":"kind","op":"{op}","values":{values}}}}}}}"#
        );
        let view: ViewSpec = serde_json::from_str(&view).unwrap();
        let window = open(&mut rows, view, 0, 20).await;
        assert_eq!(e2e::viewing::total(rows.model(), window), Some(count));
    }
    server.stop().await;
}

/// What is told as its type's own text (JSON in an array, hstore) is either a value or none.
#[tokio::test]
async fn values_told_as_their_own_texts_are_counted() {
    let database = TestDatabase::new().await;
    let lists = "CREATE EXTENSION hstore;
        CREATE TABLE lists (id int PRIMARY KEY, list jsonb[], pairs hstore);
        INSERT INTO lists VALUES (1, '{1,null}', NULL), (2, NULL, 'a=>1'), (3, '{}', 'b=>2')";
    database.install(lists, &["lists"]).await;
    let server = TestServer::start(&database).await;
    let asked = r#"{"summary":1,"view":{"table":"lists"},"count":1,
        "aggregates":[{"op":"count"},{"op":"count","column":"list"},{"op":"count","column":"pairs"}]}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    assert_eq!(viewer.replica.texts(), [": 3 3 2 2"]);
    for (change, counts) in [
        ("INSERT INTO lists VALUES (4, NULL, NULL)", ": 4 4 2 2"),
        (
            "INSERT INTO lists VALUES (5, '{null}', 'c=>NULL')",
            ": 5 5 3 3",
        ),
        ("DELETE FROM lists WHERE id = 4", ": 4 4 3 3"),
        ("UPDATE lists SET list = NULL WHERE id < 5", ": 4 4 1 3"),
        ("UPDATE lists SET list = '{1}', pairs = NULL", ": 4 4 4 0"),
    ] {
        database.execute(change).await;
        viewer
            .until(change, |replica| replica.texts() == [counts])
            .await;
    }
    server.stop().await;
}

/// A value that the log leaves out for its size is none of those that it tells of: JSON's null counts, and NULL does not.
#[tokio::test]
async fn nulls_of_large_rows_are_told_apart() {
    let database = TestDatabase::new().await;
    let documents = "CREATE TABLE documents (id int PRIMARY KEY, body text, said jsonb);
        INSERT INTO documents SELECT n, repeat('x', 9000), CASE n WHEN 1 THEN NULL WHEN 2 THEN 'null' ELSE '{}' END::jsonb
            FROM generate_series(1, 3) AS n";
    database.install(documents, &["documents"]).await;
    let server = TestServer::start(&database).await;
    let asked = r#"{"summary":1,"view":{"table":"documents"},"count":1,
        "aggregates":[{"op":"count"},{"op":"count","column":"said"},{"op":"count","column":"body"}]}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    let counts = "SELECT format(': %s %s %s %s', count(*), count(*), count(said), count(body)) FROM documents";
    let connection = database.connect().await;
    for change in [
        "UPDATE documents SET said = 'null' WHERE id = 1",
        "UPDATE documents SET said = NULL WHERE id = 2",
        "UPDATE documents SET said = NULL, body = repeat('y', 9000) WHERE id < 3",
        // Many at once are logged in arrays.
        "INSERT INTO documents SELECT n, repeat('z', 9000), CASE WHEN n % 2 = 0 THEN 'null'::jsonb END
            FROM generate_series(4, 60) AS n",
        "UPDATE documents SET said = CASE WHEN said IS NULL THEN 'null'::jsonb END WHERE id % 3 > 0",
        "DELETE FROM documents WHERE said IS NULL",
    ] {
        database.execute(change).await;
        let row = connection.query_one(counts, &[]).await.unwrap();
        let expected: String = row.get(0);
        viewer
            .until(change, |replica| replica.texts() == [expected.as_str()])
            .await;
    }
    server.stop().await;
}

/// Whether two texts are one group is the collation's business.
#[tokio::test]
async fn equal_is_what_postgres_calls_equal() {
    let (database, server) = started().await;
    let asked = r#"{"summary":1,"view":{"table":"items"},"by":[{"column":"name"}],"count":9}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    let counts = |viewer: &Viewer| -> Vec<String> {
        let texts = viewer.replica.texts();
        texts.iter().map(|text| text.to_lowercase()).collect()
    };
    assert_eq!(counts(&viewer), ["ann: 6", "bob: 3"]);
    database
        .execute("UPDATE items SET name = 'BOB' WHERE lower(name::text COLLATE \"C\") = 'ann' AND id > 5")
        .await;
    viewer
        .until("bobs", |replica| {
            replica
                .shown
                .first()
                .is_some_and(|(_, cells)| cells[0] != 6.into())
        })
        .await;
    let by_name = "SELECT folded || ': ' || count(*) FROM \
                   (SELECT lower(name::text COLLATE \"C\") AS folded FROM items) AS n GROUP BY folded ORDER BY 1";
    let expected = database.connect().await.query(by_name, &[]).await.unwrap();
    let expected: Vec<String> = expected.iter().map(|row| row.get(0)).collect();
    assert_eq!(counts(&viewer), expected);
    server.stop().await;
}

#[tokio::test]
async fn histograms_keep_their_bounds() {
    let (database, server) = started().await;
    let asked = r#"{"summary":1,"view":{"table":"items"},"by":[{"column":"price","buckets":{"count":3}}],"count":20}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    let bounds = viewer.told.as_ref().unwrap().keys[0]
        .bounds
        .clone()
        .unwrap();
    let bounds: Vec<_> = bounds
        .iter()
        .filter_map(protocol::Value::to_postgres_text)
        .collect();
    assert_eq!(bounds, ["0", "5", "10"]);
    viewer.shows(&["1: 4", "2: 5"]).await;
    database
        .execute("UPDATE items SET price = -1 WHERE id = 1; UPDATE items SET price = 10 WHERE id = 2; UPDATE items SET price = NULL WHERE id = 3")
        .await;
    viewer
        .shows(&["0: 1", "1: 1", "2: 5", "3: 1", "∅: 1"])
        .await;
    let by_month = r#"{"summary":1,"view":{"table":"items"},"by":[{"column":"made","buckets":{"bounds":["2026-04-01","2026-07-01"]}}],"count":20}"#;
    let mut viewer = Viewer::open(&server.socket_url(), by_month).await;
    viewer.shows(&["0: 2", "1: 4", "2: 3"]).await;
    database.execute("TRUNCATE items").await;
    viewer.shows(&[]).await;
    server.stop().await;
}

/// Columns may come and go under a summary.
#[tokio::test]
async fn a_changed_table_is_summarized_anew_or_refused() {
    let (database, server) = started().await;
    let by = |column: &str| {
        format!(
            r#"{{"summary":1,"view":{{"table":"items"}},"by":[{{"column":"{column}"}}],"count":9}}"#
        )
    };
    let mut kept = Viewer::open(&server.socket_url(), &by("kind")).await;
    let mut lost = Viewer::open(&server.socket_url(), &by("weight")).await;
    database
        .execute(
            "ALTER TABLE items DROP COLUMN weight; INSERT INTO items (id, kind) VALUES (50, 'new')",
        )
        .await;
    kept.shows(&["new: 1", "tool: 3", "toy: 3", "∅: 3"]).await;
    let is_refused = |message: &ServerMsg| matches!(message, ServerMsg::SummaryRefused(refused) if refused.code == ErrorCode::UnknownColumn);
    lost.socket.expect("a refusal", is_refused).await;
    server.stop().await;
}

/// A summary that is too large says so, at once or when it grows.
#[tokio::test]
async fn too_many_groups_are_refused() {
    let (database, server) = started().await;
    let asked = r#"{"summary":1,"view":{"table":"items"},"by":[{"column":"name"}],"count":5}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    database
        .execute("INSERT INTO items (id, name) SELECT n, 'name ' || n FROM generate_series(100, 10200) AS n")
        .await;
    let is_refused = |message: &ServerMsg| matches!(message, ServerMsg::SummaryRefused(refused) if refused.code == ErrorCode::TooManyGroups);
    viewer.socket.expect("a refusal", is_refused).await;
    let asked = r#"{"summarize":{"summary":2,"view":{"table":"items"},"by":[{"column":"name"}],"count":5}}"#;
    viewer.socket.send_text(asked).await;
    viewer.socket.expect("a refusal", is_refused).await;
    server.stop().await;
}

/// Too large is too large even if rows of groups that were not counted any more change meanwhile.
#[tokio::test]
async fn too_many_groups_are_refused_while_they_change() {
    let (database, server) = started().await;
    database
        .execute("INSERT INTO items (id, name) SELECT n, 'name ' || n FROM generate_series(100, 30000) AS n")
        .await;
    let client = database.connect().await;
    let writer = tokio::spawn(async move {
        let sql = "UPDATE items SET name = name || '.' WHERE id % 100 = $1";
        for n in (0..100).cycle() {
            client.execute(sql, &[&n]).await.unwrap();
        }
    });
    let mut socket = e2e::RawSocket::connect(&server.socket_url()).await;
    let asked = r#"{"summarize":{"summary":1,"view":{"table":"items"},"by":[{"column":"name"}],"count":5}}"#;
    socket.send_text(asked).await;
    let is_refused = |message: &ServerMsg| matches!(message, ServerMsg::SummaryRefused(_));
    match socket.expect("a refusal", is_refused).await {
        ServerMsg::SummaryRefused(refused) => assert_eq!(refused.code, ErrorCode::TooManyGroups),
        other => panic!("{other:?}"),
    }
    writer.abort();
    server.stop().await;
}
