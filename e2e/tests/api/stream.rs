//! Streams of events follow the database, and go on where they broke off.

use std::time::Duration;

use e2e::events::{Event, EventStream, Followed};
use e2e::{TestRedis, TestServer};
use protocol::{ResetReason, Update};
use serde_json::json;
use tokio::time::timeout;

use crate::fixture::{Fixture, assert_refused, parameters};

async fn open(fixture: &Fixture, asked: &[(&str, &str)], last: Option<&str>) -> EventStream {
    let path = format!("/api/v1/tables/items/stream?{}", parameters(asked));
    let headers: Vec<(&str, &str)> = last.map(|id| ("Last-Event-ID", id)).into_iter().collect();
    let opened = EventStream::open(fixture.server.address(), &path, &headers).await;
    opened.unwrap_or_else(|answer| panic!("{}", answer.text()))
}

async fn refused(
    fixture: &Fixture,
    asked: &[(&str, &str)],
    headers: &[(&str, &str)],
    status: u16,
    code: &str,
) {
    let path = format!("/api/v1/tables/items/stream?{}", parameters(asked));
    match EventStream::open(fixture.server.address(), &path, headers).await {
        Err(answer) => assert_refused(&format!("{asked:?} {headers:?}"), &answer, status, code),
        Ok(_) => panic!("{asked:?} {headers:?}: a stream"),
    }
}

/// The next snapshot or update, applied.
async fn follow(stream: &mut EventStream, held: &mut Followed) -> (Event, Update) {
    loop {
        let event = stream.next().await.expect("the stream ended");
        if ["snapshot", "update"].contains(&&*event.name) {
            let update = held.apply(&event);
            return (event, update);
        }
    }
}

/// The window's cells, as one JSON text.
fn cells(held: &Followed) -> serde_json::Value {
    json!(held.rows.iter().map(|row| &row.cells).collect::<Vec<_>>())
}

/// Follows until the window shows what PostgreSQL says.
async fn until_shows(stream: &mut EventStream, held: &mut Followed, sql: &str, fixture: &Fixture) {
    let expected = fixture
        .sql(&format!(
            "SELECT coalesce(json_agg(a), '[]') FROM ({sql}) AS q(a)"
        ))
        .await;
    let search = async {
        while cells(held) != expected {
            follow(stream, held).await;
        }
    };
    let found = timeout(Duration::from_secs(15), search).await;
    assert!(found.is_ok(), "{} and not {expected}", cells(held));
}

const ASKED: [(&str, &str); 4] = [
    ("filter", "stock < 100"),
    ("sort", "-stock"),
    ("columns", "id,name"),
    ("limit", "5"),
];
const SHOWN: &str = "SELECT json_build_array(id, name) FROM items WHERE stock < 100 ORDER BY stock DESC, id DESC LIMIT 5";

#[tokio::test]
async fn a_stream_is_a_window_and_its_updates() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute("UPDATE items SET stock = id WHERE id <= 20")
        .await;
    let mut stream = open(&fixture, &ASKED, None).await;
    assert!(
        stream.head.contains("cache-control: no-store")
            && stream.head.contains("x-accel-buffering: no")
    );
    let schema = stream.next().await.unwrap();
    assert_eq!((&*schema.name, &schema.id), ("schema", &None));
    let schema: serde_json::Value = serde_json::from_str(&schema.data).unwrap();
    assert_eq!(schema["columns"][1]["name"], "name");
    let mut held = Followed::default();
    let (event, update) = follow(&mut stream, &mut held).await;
    assert_eq!((&*event.name, update.must_refetch), ("snapshot", None));
    assert_eq!(held.total, 20);
    for change in [
        "UPDATE items SET name = E'line\\nbreak\\r\\n\\ndata: x' WHERE id = 18",
        "UPDATE items SET stock = 50 WHERE id IN (1, 30)",
        "DELETE FROM items WHERE id IN (19, 30)",
        "INSERT INTO items (id, name, stock) VALUES (900, '\u{2028}😀', 99)",
    ] {
        fixture.database.execute(change).await;
        until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
    }
    assert_eq!(
        json!(held.total),
        fixture
            .sql("SELECT count(*) FROM items WHERE stock < 100")
            .await
    );
    drop(stream);
}

#[tokio::test]
async fn a_broken_stream_goes_on_where_it_was() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute("UPDATE items SET stock = id WHERE id <= 20")
        .await;
    let mut held = Followed::default();
    let mut stream = open(&fixture, &ASKED, None).await;
    follow(&mut stream, &mut held).await;
    for round in 0..5 {
        fixture
            .database
            .execute(&format!(
                "UPDATE items SET name = 'seen {round}' WHERE id = 20"
            ))
            .await;
        until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
        drop(stream);
        let unseen = format!(
            "UPDATE items SET name = 'unseen {round}' WHERE id = 18; DELETE FROM items WHERE id = {0}; \
             INSERT INTO items (id, name, stock) VALUES ({0}, 'back', 15)",
            10 + round
        );
        fixture.database.execute(&unseen).await;
        stream = open(&fixture, &ASKED, Some(&held.id)).await;
        let version = held.version.clone();
        let (event, update) = follow(&mut stream, &mut held).await;
        assert_eq!(event.name, "update", "{}", event.data);
        assert_eq!(update.from.map(|from| from.0), version);
        let keeps = update
            .rows
            .iter()
            .any(|row| matches!(row, protocol::RowOp::Keep { .. }));
        assert!(keeps, "{}", event.data);
        until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
    }
    // From an event that is not the last one, too: the client may have missed what was sent.
    let early = held.clone();
    for round in 0..3 {
        fixture
            .database
            .execute(&format!(
                "UPDATE items SET name = 'missed {round}' WHERE id = 20"
            ))
            .await;
        until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
    }
    let mut held = early;
    let mut stream = open(&fixture, &ASKED, Some(&held.id)).await;
    assert_eq!(follow(&mut stream, &mut held).await.0.name, "update");
    until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
}

#[tokio::test]
async fn what_an_id_does_not_tell_is_a_snapshot_that_says_so() {
    let fixture = Fixture::start().await;
    let mut held = Followed::default();
    let mut stream = open(&fixture, &[("limit", "5")], None).await;
    follow(&mut stream, &mut held).await;
    let forged = "A".repeat(held.id.len());
    let (five, six) = ([("limit", "5")], [("limit", "6")]);
    let sorted = [("limit", "5"), ("sort", "name")];
    for (asked, id) in [(&five[..], &forged), (&six, &held.id), (&sorted, &held.id)] {
        let mut again = Followed::default();
        let mut stream = open(&fixture, asked, Some(id)).await;
        let (event, update) = follow(&mut stream, &mut again).await;
        assert_eq!(event.name, "snapshot", "{id}");
        assert_eq!(update.must_refetch, Some(ResetReason::HistoryExpired));
    }
    for id in ["x", "1", "' OR 1=1", "-1", "\u{e4}"] {
        refused(
            &fixture,
            &[],
            &[("Last-Event-ID", id)],
            400,
            "invalid_event_id",
        )
        .await;
    }
    let mut again = Followed::default();
    let (_, update) = follow(&mut open(&fixture, &[], Some("")).await, &mut again).await;
    assert_eq!(update.must_refetch, None);
}

#[tokio::test]
async fn a_stream_goes_on_at_another_server() {
    let redis = TestRedis::start().await;
    let fixture = Fixture::start().await;
    let one = TestServer::start_with_redis(&fixture.database, &redis).await;
    let two = TestServer::start_with_redis(&fixture.database, &redis).await;
    fixture
        .database
        .execute("UPDATE items SET stock = id WHERE id <= 20")
        .await;
    let path = format!("/api/v1/tables/items/stream?{}", parameters(&ASKED));
    // Somebody looks at the table there, so that its changes are held.
    let mut other = Followed::default();
    let mut there = EventStream::open(two.address(), &path, &[]).await.unwrap();
    follow(&mut there, &mut other).await;
    let mut held = Followed::default();
    let mut stream = EventStream::open(one.address(), &path, &[]).await.unwrap();
    follow(&mut stream, &mut held).await;
    for (round, to) in [&two, &one, &two].into_iter().enumerate() {
        drop(stream);
        let sql = format!(
            "UPDATE items SET name = 'unseen {round}' WHERE id = 18; DELETE FROM items WHERE id = {}",
            16 + round
        );
        fixture.database.execute(&sql).await;
        let version = held.version.clone();
        let headers = [("Last-Event-ID", held.id.as_str())];
        stream = EventStream::open(to.address(), &path, &headers)
            .await
            .unwrap();
        let (event, update) = follow(&mut stream, &mut held).await;
        assert_eq!(event.name, "update", "{}", event.data);
        assert_eq!(update.from.map(|from| from.0), version);
        until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
    }
    // Where nobody looked at the table, the changes are not held, and the stream says so.
    let three = TestServer::with(TestServer::options(&fixture.database)).await;
    fixture
        .database
        .execute("UPDATE items SET name = 'unseen' WHERE id = 20")
        .await;
    let headers = [("Last-Event-ID", held.id.as_str())];
    let mut stream = EventStream::open(three.address(), &path, &headers)
        .await
        .unwrap();
    let (event, update) = follow(&mut stream, &mut held).await;
    if event.name == "snapshot" {
        assert_eq!(update.must_refetch, Some(ResetReason::HistoryExpired));
    }
    until_shows(&mut stream, &mut held, SHOWN, &fixture).await;
}

#[tokio::test]
async fn wrong_requests_get_no_stream() {
    let fixture = Fixture::start().await;
    refused(&fixture, &[("sort", "nothing")], &[], 400, "unknown_column").await;
    refused(&fixture, &[("price", "eq.x")], &[], 400, "bad_value").await;
    refused(&fixture, &[("limit", "1001")], &[], 400, "bad_range").await;
    refused(&fixture, &[("cursor", "x")], &[], 400, "unknown_parameter").await;
    refused(
        &fixture,
        &[("total", "exact")],
        &[],
        400,
        "unknown_parameter",
    )
    .await;
    refused(
        &fixture,
        &[],
        &[("Accept", "application/json")],
        406,
        "not_acceptable",
    )
    .await;
    let path = "/api/v1/tables/nothing/stream";
    let answer = EventStream::open(fixture.server.address(), path, &[])
        .await
        .unwrap_err();
    assert_refused(path, &answer, 404, "unknown_table");
    let path = "/api/v1/tables/items/stream";
    let evil = [("Origin", "https://evil.example")];
    let answer = EventStream::open(fixture.server.address(), path, &evil)
        .await
        .unwrap_err();
    assert_eq!(answer.status, 403);
    let accept = [("Accept", "text/event-stream")];
    assert!(
        EventStream::open(fixture.server.address(), path, &accept)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn new_columns_are_told() {
    let fixture = Fixture::start().await;
    let mut held = Followed::default();
    let mut stream = open(&fixture, &[("limit", "2")], None).await;
    follow(&mut stream, &mut held).await;
    fixture
        .database
        .execute("ALTER TABLE items ADD COLUMN later text DEFAULT 'now'")
        .await;
    let schema = stream.expect("schema").await;
    assert!(schema.data.contains("\"later\""));
    let (event, update) = follow(&mut stream, &mut held).await;
    assert_eq!(
        (&*event.name, update.must_refetch),
        ("snapshot", Some(ResetReason::SchemaChanged))
    );
    fixture
        .database
        .execute("UPDATE items SET later = 'then' WHERE id = 1")
        .await;
    follow(&mut stream, &mut held).await;
    drop(stream);
    let mut stream = open(&fixture, &[("limit", "2")], Some(&held.id)).await;
    assert_eq!(follow(&mut stream, &mut held).await.0.name, "update");
    fixture.database.execute("DROP TABLE items").await;
    let error = stream.expect("error").await;
    assert!(error.data.contains("unknown_table"), "{}", error.data);
    assert!(stream.next().await.is_none(), "an error ends the stream");
}

#[tokio::test]
async fn a_reader_that_stops_gets_fewer_newer_updates() {
    let fixture = Fixture::start().await;
    fixture
        .database
        .execute("CREATE TABLE wide (id int PRIMARY KEY, text text)")
        .await;
    fixture
        .database
        .execute("INSERT INTO wide SELECT n, '' FROM generate_series(1, 100) AS n")
        .await;
    fixture
        .database
        .execute("SELECT rowcast.watch('wide')")
        .await;
    let path = "/api/v1/tables/wide/stream";
    let mut slow = EventStream::open(fixture.server.address(), path, &[])
        .await
        .unwrap();
    let mut held = Followed::default();
    follow(&mut slow, &mut held).await;
    // 40 rounds of 1 MB: far more than sockets hold. Another reader sees each round while one sleeps.
    let mut quick = EventStream::open(fixture.server.address(), path, &[])
        .await
        .unwrap();
    let mut other = Followed::default();
    let last = |held: &Followed| held.rows.last().map(|row| row.cells[1].to_string());
    for round in 0..40 {
        let sql = format!("UPDATE wide SET text = repeat('{:02}', 5000)", round);
        fixture.database.execute(&sql).await;
        let expected = Some(format!("{round:02}").repeat(5_000));
        while last(&other) != expected {
            follow(&mut quick, &mut other).await;
        }
    }
    let mut updates = 0;
    while last(&held) != last(&other) {
        follow(&mut slow, &mut held).await;
        updates += 1;
    }
    assert_eq!(held.rows, other.rows);
    assert!(
        updates < 30,
        "{updates} updates of 1 MB were held for a reader that did not read"
    );
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let Fixture {
        database,
        server,
        client,
    } = Fixture::start().await;
    let address = server.address();
    let mut stream = EventStream::open(address, "/api/v1/tables/items/stream?limit=1", &[])
        .await
        .unwrap();
    stream.expect("snapshot").await;
    let stopping = tokio::spawn(server.stop());
    while stream.next().await.is_some() {}
    timeout(Duration::from_secs(10), stopping)
        .await
        .expect("the server stops")
        .unwrap();
    drop((database, client));
}
