//! A commit, by anyone, on every screen: each path a change can take.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod returning;
mod vanishing;

use std::sync::{Arc, Mutex};

use e2e::eventually::SOON;
use e2e::viewing::{cells, column, open, shows, total, until};
use e2e::{RawSocket, TestDatabase, TestRedis, TestServer};
use protocol::{
    Ack, ClientMsg, Edit, EditOutcome, ErrorCode, Filter, FilterOp, OpenWindow, Resume, ServerMsg,
    SortColumn, Update, Value, ViewSpec,
};

const ITEMS: &str = "
    CREATE TABLE items (
        id bigint PRIMARY KEY,
        name text NOT NULL UNIQUE,
        price numeric(10,2) CHECK (price >= 0),
        stock integer NOT NULL DEFAULT 0
    );
    INSERT INTO items SELECT n, 'item ' || n, n * 1.5, n % 7 FROM generate_series(1, 2000) AS n;";

async fn items() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items"]).await;
    database
}

fn by(column: &str, descending: bool) -> ViewSpec {
    let sort = SortColumn {
        column: column.to_owned(),
        descending,
        nulls: None,
    };
    ViewSpec {
        sort: vec![sort],
        ..ViewSpec::table("items")
    }
}

#[tokio::test]
async fn an_update_in_psql_reaches_the_viewer() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let top = open(&mut viewer, ViewSpec::table("items"), 0, 3).await;
    let middle = open(&mut viewer, ViewSpec::table("items"), 1_500, 2).await;
    let dearest = open(&mut viewer, by("price", true), 0, 2).await;
    assert_eq!(column(viewer.model(), dearest, "id"), ["2000", "1999"]);
    assert_eq!(total(viewer.model(), top), Some(2_000));

    database
        .execute("UPDATE items SET price = 9999 WHERE id IN (2, 1501)")
        .await;
    shows(&mut viewer, top, "price", &["1.50", "9999.00", "4.50"]).await;
    shows(&mut viewer, middle, "price", &["9999.00", "2253.00"]).await;
    shows(&mut viewer, dearest, "id", &["1501", "2"]).await;

    database.execute("DELETE FROM items WHERE id = 1").await;
    shows(&mut viewer, top, "id", &["2", "3", "4"]).await;
    // A window in the middle stays with its rows, not with its number.
    shows(&mut viewer, middle, "id", &["1501", "1502"]).await;
    until(&mut viewer, "one row less above it", |model| {
        let start = model.window(middle).map(|window| window.cache().start());
        (start, total(model, middle)) == (Some(1_499), Some(1_999))
    })
    .await;
}

#[tokio::test]
async fn a_viewers_edit_reaches_another_servers_client_through_redis() {
    let database = items().await;
    let redis = TestRedis::start().await;
    let first = TestServer::start_with_redis(&database, &redis).await;
    let second = TestServer::start_with_redis(&database, &redis).await;
    let (mut editor, mut watcher) = (first.viewer().await, second.viewer().await);
    let edited = open(&mut editor, ViewSpec::table("items"), 0, 2).await;
    let watched = open(&mut watcher, ViewSpec::table("items"), 0, 2).await;

    // Each server could read the change for itself; that it came through Redis is seen there.
    let mut bus = redis.listen().await;
    let (key, value) = ([Value::Int(1)], Value::text("seen everywhere"));
    let edit = editor
        .act(|model, now| model.edit(edited, &key, "name", value, now))
        .unwrap();
    shows(
        &mut watcher,
        watched,
        "name",
        &["seen everywhere", "item 2"],
    )
    .await;
    shows(&mut editor, edited, "name", &["seen everywhere", "item 2"]).await;
    until(&mut editor, "the edit is settled", |model| {
        model.edit_state(edit).is_none()
    })
    .await;

    let carried = tokio::time::timeout(SOON, bus.carries("seen everywhere")).await;
    carried.expect("a batch travels through Redis");

    // And the other way round, so that whichever server leads has been a follower too.
    let (key, value) = ([Value::Int(2)], Value::text("and back"));
    watcher
        .act(|model, now| model.edit(watched, &key, "name", value, now))
        .unwrap();
    shows(
        &mut editor,
        edited,
        "name",
        &["seen everywhere", "and back"],
    )
    .await;
}

#[tokio::test]
async fn a_thousand_changes_in_one_statement_arrive_at_once() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 500).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    viewer.on_applied(move |_, cache, _| {
        let changed = cells(cache, "stock")
            .iter()
            .filter(|stock| *stock == "777")
            .count();
        record.lock().unwrap().push(changed);
    });
    database
        .execute("UPDATE items SET stock = 777 WHERE id <= 1000")
        .await;
    until(&mut viewer, "all rows changed", |model| {
        column(model, window, "stock")
            .iter()
            .all(|stock| stock == "777")
    })
    .await;
    // A transaction is seen whole or not at all.
    assert!(
        seen.lock()
            .unwrap()
            .iter()
            .all(|&changed| changed == 0 || changed == 500)
    );
}

#[tokio::test]
async fn a_rolled_back_transaction_shows_nothing() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 5).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    viewer.on_applied(move |_, cache, _| {
        record
            .lock()
            .unwrap()
            .push((cache.total().unwrap(), cells(cache, "stock")));
    });
    database
        .execute("BEGIN; UPDATE items SET stock = -1; DELETE FROM items WHERE id = 3; ROLLBACK")
        .await;
    database
        .execute(
            "BEGIN; UPDATE items SET stock = 50 WHERE id = 1; SAVEPOINT s; \
             UPDATE items SET stock = 51 WHERE id = 2; ROLLBACK TO s; \
             UPDATE items SET stock = 52 WHERE id = 4; COMMIT",
        )
        .await;
    shows(&mut viewer, window, "stock", &["50", "2", "3", "52", "5"]).await;
    for (total, stock) in seen.lock().unwrap().iter() {
        assert_eq!(*total, 2_000);
        assert!(
            stock.iter().all(|stock| stock != "-1" && stock != "51"),
            "{stock:?}"
        );
    }
}

#[tokio::test]
async fn the_first_number_may_commit_last() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 3).await;
    let slow = database.connect().await;
    slow.batch_execute("BEGIN; UPDATE items SET stock = 100 WHERE id = 1")
        .await
        .unwrap();
    let fast = database.connect().await;
    for stock in 200..230 {
        fast.execute("UPDATE items SET stock = $1 WHERE id = 2", &[&stock])
            .await
            .unwrap();
        let expected = stock.to_string();
        // Nobody waits for the open transaction.
        until(&mut viewer, "the later transaction", |model| {
            column(model, window, "stock")[1] == expected
        })
        .await;
        assert_eq!(column(viewer.model(), window, "stock")[0], "1");
    }
    slow.batch_execute("COMMIT").await.unwrap();
    shows(&mut viewer, window, "stock", &["100", "229", "3"]).await;
}

#[tokio::test]
async fn a_row_written_three_times_in_one_transaction_is_shown_once() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, by("stock", true), 0, 2).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    viewer.on_applied(move |_, cache, _| {
        let stock = cache.cell(&[Value::Int(9)], "stock").cloned();
        record.lock().unwrap().push((cache.total().unwrap(), stock));
    });
    database
        .execute(
            "BEGIN; UPDATE items SET stock = 1001 WHERE id = 9; \
             DELETE FROM items WHERE id = 9; INSERT INTO items VALUES (9, 'again', 1, 1002); \
             UPDATE items SET stock = 1003 WHERE id = 9; \
             INSERT INTO items VALUES (-1, 'short-lived', 1, 1); DELETE FROM items WHERE id = -1; \
             COMMIT",
        )
        .await;
    let first = ["9", "1994"];
    shows(&mut viewer, window, "id", &first).await;
    for (total, stock) in seen.lock().unwrap().iter() {
        assert_eq!(*total, 2_000);
        assert!([None, Some(Value::Int(1003))].contains(stock), "{stock:?}");
    }
}

#[tokio::test]
async fn truncate_empties_every_window() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 5).await;
    database.execute("TRUNCATE items").await;
    until(&mut viewer, "nothing left", |model| {
        total(model, window) == Some(0)
    })
    .await;
    assert!(column(viewer.model(), window, "id").is_empty());
    database
        .execute("INSERT INTO items VALUES (7, 'first again', 1, 1)")
        .await;
    shows(&mut viewer, window, "name", &["first again"]).await;
}

#[tokio::test]
async fn copy_into_a_leaf_partition_is_seen() {
    let database = TestDatabase::new().await;
    let sql = "
        CREATE TABLE visits (at date, id bigint, page text, PRIMARY KEY (at, id))
            PARTITION BY RANGE (at);
        CREATE TABLE visits_2025 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE visits_2026 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        INSERT INTO visits VALUES ('2025-06-01', 1, '/old');";
    database.install(sql, &["visits"]).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("visits"), 0, 10).await;
    let client = database.connect().await;
    let copy = client.copy_in("COPY visits_2026 FROM STDIN").await.unwrap();
    let rows = futures_util::stream::iter(["2026-01-02\t2\t/leaf\n", "2026-01-03\t3\t/leaf too\n"]);
    use futures_util::{SinkExt, StreamExt};
    let mut copy = std::pin::pin!(copy);
    let mut rows = rows.map(|row| Ok::<_, tokio_postgres::Error>(row.as_bytes()));
    copy.send_all(&mut rows).await.unwrap();
    copy.finish().await.unwrap();
    shows(&mut viewer, window, "page", &["/old", "/leaf", "/leaf too"]).await;
    // A row that moves to another partition, by a statement on the root.
    database
        .execute("UPDATE visits SET at = '2026-05-05' WHERE id = 1")
        .await;
    shows(&mut viewer, window, "page", &["/leaf", "/leaf too", "/old"]).await;
    // A partition made later is watched as well.
    database
        .execute(
            "CREATE TABLE visits_2027 PARTITION OF visits \
             FOR VALUES FROM ('2027-01-01') TO ('2028-01-01'); \
             INSERT INTO visits_2027 VALUES ('2027-01-01', 4, '/new leaf')",
        )
        .await;
    shows(
        &mut viewer,
        window,
        "page",
        &["/leaf", "/leaf too", "/old", "/new leaf"],
    )
    .await;
}

#[tokio::test]
async fn filters_follow_rows_in_and_out() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let filter = Some(Filter::And(vec![
        Filter::test("stock", FilterOp::Eq, 6_i64),
        Filter::test("name", FilterOp::Contains, "ITEM 1"),
    ]));
    let view = ViewSpec {
        filter,
        ..by("name", false)
    };
    let window = open(&mut viewer, view, 0, 3).await;
    let expected = "SELECT id::text FROM items WHERE stock = 6 AND name ILIKE '%item 1%' \
                    ORDER BY name LIMIT 3";
    for change in [
        "UPDATE items SET stock = 6 WHERE id IN (1, 10)",
        "UPDATE items SET name = 'ITEM 1 too' WHERE id = 20",
        "UPDATE items SET stock = 6 WHERE id = 20",
        "UPDATE items SET stock = 5 WHERE id = 1",
        "DELETE FROM items WHERE id = 10",
    ] {
        database.execute(change).await;
        let rows = database.connect().await.query(expected, &[]).await.unwrap();
        let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        shows(&mut viewer, window, "id", &ids).await;
    }
}

#[tokio::test]
async fn an_edit_ends_in_one_of_five_ways() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open_items(1, None)).await;
    let first = first_update(&mut socket).await;
    let mut shown = Vec::new();
    acknowledge(&mut socket, &first, &mut shown).await;
    let edits = [
        edit(1, 1, "stock", Value::Int(1), Value::Int(42)),
        edit(2, 2, "stock", Value::Int(999), Value::Int(42)),
        edit(3, -5, "stock", Value::Int(1), Value::Int(42)),
        edit(4, 3, "name", Value::text("item 3"), Value::text("item 4")),
        edit(5, 3, "price", Value::text("4.50"), Value::text("-1")),
        edit(6, 3, "price", Value::text("4.50"), Value::text("four")),
        edit(7, 3, "stock", Value::Int(3), Value::Null),
        edit(8, 3, "nothing", Value::Int(3), Value::Int(4)),
    ];
    let mut outcomes = Vec::new();
    for message in &edits {
        socket.send(message).await;
        loop {
            match socket.next().await.unwrap() {
                ServerMsg::EditResult(result) => break outcomes.push(result.outcome),
                ServerMsg::Update(update) => acknowledge(&mut socket, &update, &mut shown).await,
                _ => {}
            }
        }
    }
    let conflict = EditOutcome::Conflict {
        theirs: Value::Int(2),
    };
    assert_eq!(
        outcomes[..3],
        [EditOutcome::Applied, conflict, EditOutcome::Gone]
    );
    let rejected = [
        ErrorCode::EditRejected,
        ErrorCode::EditRejected,
        ErrorCode::BadValue,
        ErrorCode::EditRejected,
        ErrorCode::UnknownColumn,
    ];
    assert_eq!(
        outcomes[3..].iter().map(rejection).collect::<Vec<_>>(),
        rejected
    );
    // The update that contains the edit says so, and nothing else was written.
    while !shown.contains(&1) {
        if let ServerMsg::Update(update) = socket.next().await.unwrap() {
            acknowledge(&mut socket, &update, &mut shown).await;
        }
    }
    assert_eq!(shown, [1]);
    let sql = "SELECT sum(stock), sum(price)::text FROM items WHERE id <= 3";
    let row = database.connect().await.query_one(sql, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, String>(1)),
        (47, "9.00".to_owned())
    );
}

/// An edit of an item in window 1.
fn edit(id: u64, item: i64, column: &str, expected: Value, value: Value) -> ClientMsg {
    let (key, column) = (vec![Value::Int(item)], column.to_owned());
    ClientMsg::Edit(Edit {
        id,
        window: 1,
        key,
        column,
        expected,
        value,
    })
}

/// Why an edit was refused.
fn rejection(outcome: &EditOutcome) -> ErrorCode {
    match outcome {
        EditOutcome::Rejected { code, message } if !message.is_empty() => *code,
        other => panic!("not refused with a reason: {other:?}"),
    }
}

async fn acknowledge(socket: &mut RawSocket, update: &Update, shown: &mut Vec<u64>) {
    shown.extend(&update.edits);
    socket
        .send(&ClientMsg::Ack(Ack {
            window: update.window,
            number: update.number,
        }))
        .await;
}

fn open_items(window: u32, resume: Option<Resume>) -> ClientMsg {
    ClientMsg::Open(OpenWindow {
        window,
        generation: 0,
        view: ViewSpec::table("items"),
        columns: vec!["id".into(), "stock".into()],
        start: 0,
        count: 4,
        from_end: false,
        resume,
        allow_expensive: false,
    })
}

async fn first_update(socket: &mut RawSocket) -> Update {
    match socket
        .expect("an update", |message| {
            matches!(message, ServerMsg::Update(_))
        })
        .await
    {
        ServerMsg::Update(update) => update,
        other => panic!("{other:?}"),
    }
}
