//! Tables that are not live: looked at again and again, and shown as ever.

use std::time::{Duration, Instant};

use client_egui::model::Model;
use e2e::eventually::SOON;
use e2e::viewing::{column, open, shows, total, until};
use e2e::{RawSocket, TestDatabase};
use protocol::{
    ClientMsg, Edit, EditOutcome, ErrorCode, Filter, FilterOp, Liveness, OpenWindow, ServerMsg,
    Value, ViewSpec,
};

use crate::{by, equals, error_code, grid, schema, scroll, serve, watcher};

const UNWATCHED: &str = "
    CREATE TABLE plain (id int PRIMARY KEY, name text, price numeric);
    INSERT INTO plain SELECT n, 'item ' || n, n % 10 FROM generate_series(1, 3000) AS n;
    CREATE TABLE heap (word text, number int, extra json);
    INSERT INTO heap SELECT 'word ' || n % 5, n % 3, '{}' FROM generate_series(1, 60) AS n;
    CREATE VIEW cheap AS SELECT name, price FROM plain WHERE price < 2 ORDER BY name DESC;
    CREATE MATERIALIZED VIEW totals AS SELECT price, count(*) AS items FROM plain GROUP BY price;";

async fn unwatched() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(UNWATCHED, &[]).await;
    database
}

#[tokio::test]
async fn windows_on_an_unwatched_table_follow_it() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let top = open(&mut viewer, ViewSpec::table("plain"), 0, 4).await;
    let dear = open(
        &mut viewer,
        by("plain", &[("price", true), ("name", false)]),
        0,
        5,
    )
    .await;
    let deep = open(&mut viewer, ViewSpec::table("plain"), 2_500, 3).await;
    let filtered = ViewSpec {
        filter: Some(Filter::test("name", FilterOp::Contains, "299")),
        ..by("plain", &[("id", true)])
    };
    let filtered = open(&mut viewer, filtered, 0, 20).await;
    let polled = schema(viewer.model(), top).unwrap().liveness;
    assert!(
        matches!(
            polled,
            Liveness::Polled {
                every_millis: 150,
                ..
            }
        ),
        "{polled:?}"
    );
    for change in [
        "SELECT 1",
        "UPDATE plain SET price = 77 WHERE id IN (2, 2502)",
        "DELETE FROM plain WHERE id = 1",
        "INSERT INTO plain VALUES (-1, 'item 2990 too', 99)",
        "UPDATE plain SET name = 'renamed' WHERE id = 2999",
    ] {
        database.execute(change).await;
        equals(
            &mut viewer,
            &database,
            top,
            "SELECT * FROM plain ORDER BY id LIMIT 4",
        )
        .await;
        let sql = "SELECT * FROM plain ORDER BY price DESC, name, id LIMIT 5";
        equals(&mut viewer, &database, dear, sql).await;
        let sql = "SELECT * FROM plain ORDER BY id LIMIT 3 OFFSET 2500";
        equals(&mut viewer, &database, deep, sql).await;
        let sql = "SELECT * FROM plain WHERE name LIKE '%299%' ORDER BY id DESC LIMIT 20";
        equals(&mut viewer, &database, filtered, sql).await;
    }
    assert_eq!(total(viewer.model(), top), Some(3_000));
    let sql = "SELECT * FROM plain ORDER BY id LIMIT 6 OFFSET 1000";
    scroll(&mut viewer, &database, top, 1_000, sql).await;
}

#[tokio::test]
async fn rows_without_a_key_are_told_apart_by_content_and_number() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let all = open(&mut viewer, ViewSpec::table("heap"), 0, 100).await;
    equals(&mut viewer, &database, all, "SELECT * FROM heap").await;
    assert_eq!(total(viewer.model(), all), Some(60));
    let keys: std::collections::HashSet<_> = {
        let rows = viewer.model().window(all).unwrap().cache().rows();
        rows.iter().map(|row| row.key().to_vec()).collect()
    };
    assert_eq!(keys.len(), 60, "every row has an identity of its own");
    let sorted = open(&mut viewer, by("heap", &[("number", true)]), 0, 100).await;
    for change in [
        "SELECT 1",
        "INSERT INTO heap VALUES ('word 1', 1, NULL), ('word 1', 1, '[1]')",
        "DELETE FROM heap WHERE ctid = (SELECT min(ctid) FROM heap WHERE word = 'word 2')",
        "UPDATE heap SET number = 9 WHERE word = 'word 3'",
        "TRUNCATE heap",
    ] {
        database.execute(change).await;
        equals(&mut viewer, &database, all, "SELECT * FROM heap").await;
        let sql = "SELECT * FROM heap ORDER BY number DESC, word, extra::text COLLATE \"C\"";
        equals(&mut viewer, &database, sorted, sql).await;
    }
}

#[tokio::test]
async fn views_and_materialized_views_follow_what_they_read() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let view = open(&mut viewer, ViewSpec::table("cheap"), 0, 7).await;
    let stored = open(
        &mut viewer,
        by("totals", &[("items", true), ("price", false)]),
        0,
        50,
    )
    .await;
    let refused = schema(viewer.model(), view).unwrap().not_editable;
    assert!(refused.unwrap().contains("edit the tables that it reads"));
    // The view's own order.
    let sql = "SELECT * FROM cheap LIMIT 7";
    equals(&mut viewer, &database, view, sql).await;
    let sql = "UPDATE plain SET price = 1, name = 'zz' || id WHERE id % 7 = 0";
    database.execute(sql).await;
    equals(&mut viewer, &database, view, "SELECT * FROM cheap LIMIT 7").await;
    database.execute("REFRESH MATERIALIZED VIEW totals").await;
    let sql = "SELECT * FROM totals ORDER BY items DESC, price";
    equals(&mut viewer, &database, stored, sql).await;
    let sql = "CREATE OR REPLACE VIEW cheap AS SELECT name, price FROM plain WHERE price > 8";
    database.execute(sql).await;
    equals(&mut viewer, &database, view, "SELECT * FROM cheap LIMIT 7").await;
    let sql = "SELECT * FROM cheap LIMIT 7 OFFSET 250";
    scroll(&mut viewer, &database, view, 250, sql).await;
}

#[tokio::test]
async fn cells_of_a_table_with_a_key_can_be_edited_before_it_is_watched() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("plain"), 0, 3).await;
    let value = Value::text("edited");
    let edit = viewer.act(|model, now| model.edit(window, &[Value::Int(2)], "name", value, now));
    let edit = edit.unwrap();
    shows(&mut viewer, window, "name", &["item 1", "edited", "item 3"]).await;
    until(&mut viewer, "the edit is settled", |model| {
        model.edit_state(edit).is_none()
    })
    .await;
}

fn open_window(window: u32, table: &str, count: u32) -> ClientMsg {
    ClientMsg::Open(OpenWindow {
        window,
        generation: 0,
        view: ViewSpec::table(table),
        columns: Vec::new(),
        start: 0,
        count,
        from_end: false,
        allow_expensive: false,
        resume: None,
    })
}

#[tokio::test]
async fn an_edit_of_a_view_or_a_row_without_identity_is_refused_with_the_reason() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    for (window, table, column, reason) in [
        (1, "cheap", "name", "it is a view"),
        (2, "heap", "word", "cannot be told apart"),
        (3, "totals", "items", "materialized view"),
    ] {
        socket.send(&open_window(window, table, 3)).await;
        let edit = Edit {
            id: window.into(),
            window,
            key: vec![Value::Int(1)],
            column: column.to_owned(),
            expected: Value::text("x"),
            value: Value::text("y"),
        };
        socket.send(&ClientMsg::Edit(edit)).await;
        let answer = socket
            .expect("a result", |message| {
                matches!(message, ServerMsg::EditResult(_))
            })
            .await;
        let ServerMsg::EditResult(result) = answer else {
            unreachable!()
        };
        let EditOutcome::Rejected { code, message } = result.outcome else {
            panic!("{table}: {:?}", result.outcome)
        };
        assert_eq!(code, ErrorCode::NotEditable);
        assert!(message.contains(reason), "{table}: {message}");
    }
}

#[tokio::test]
async fn watching_and_unwatching_change_an_open_window_without_a_gap() {
    let database = unwatched().await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("plain"), 0, 3).await;
    let is_live =
        |model: &Model| schema(model, window).is_some_and(|it| it.liveness == Liveness::Live);
    assert!(!is_live(viewer.model()));
    let sql = "SELECT * FROM plain ORDER BY id LIMIT 3";
    for turn in 1..=2 {
        database.execute("SELECT rowcast.watch('plain')").await;
        until(&mut viewer, "live", is_live).await;
        database
            .execute(&format!(
                "UPDATE plain SET name = 'live {turn}' WHERE id = 2"
            ))
            .await;
        equals(&mut viewer, &database, window, sql).await;
        database.execute("SELECT rowcast.unwatch('plain')").await;
        until(&mut viewer, "polled", |model| !is_live(model)).await;
        database
            .execute(&format!(
                "UPDATE plain SET name = 'polled {turn}' WHERE id = 3"
            ))
            .await;
        equals(&mut viewer, &database, window, sql).await;
    }
}

const FOREIGN: &str = "
    CREATE EXTENSION postgres_fdw; CREATE SCHEMA far;
    CREATE TABLE local (id int PRIMARY KEY, name text); INSERT INTO local VALUES (1, 'here');
    CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'HOST', port 'PORT', dbname 'NAME');
    CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user 'USER', password 'PASSWORD');
    CREATE FOREIGN TABLE far.local (id int, name text) SERVER here OPTIONS (schema_name 'public');
    CREATE VIEW stuck AS SELECT 1 AS one, pg_sleep(120)::text AS two;
    CREATE VIEW broken AS SELECT 1 / (id - id) AS one FROM local;";

#[tokio::test]
async fn a_foreign_table_is_followed_and_one_that_hangs_hurts_nobody() {
    let database = unwatched().await;
    let url = database.url().strip_prefix("postgres://").unwrap();
    let (login, place) = url.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (address, name) = place.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let mut sql = FOREIGN.to_owned();
    for (word, value) in [
        ("HOST", host),
        ("PORT", port),
        ("NAME", name),
        ("USER'", &format!("{user}'")),
        ("PASSWORD", password),
    ] {
        sql = sql.replace(&format!("'{word}"), &format!("'{value}"));
    }
    database.execute(&sql).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let far = open(&mut viewer, ViewSpec::table("far.local"), 0, 5).await;
    assert_eq!(grid(viewer.model(), far), [["1", "here"]]);
    database
        .execute("INSERT INTO local VALUES (2, 'there')")
        .await;
    equals(
        &mut viewer,
        &database,
        far,
        "SELECT * FROM local ORDER BY id",
    )
    .await;

    // Many that hang at once take their own connections, and nobody else's.
    let stuck: Vec<_> = (0..6)
        .map(|n| viewer.open(by("stuck", &[("one", n % 2 == 0)]), Vec::new(), n, 1))
        .collect();
    let broken = viewer.open(ViewSpec::table("broken"), Vec::new(), 0, 1);
    until(&mut viewer, "the division by zero is told", |model| {
        error_code(model, broken) == Some(ErrorCode::QueryFailed)
    })
    .await;
    database.execute("SELECT rowcast.watch('plain')").await;
    let live = open(&mut viewer, ViewSpec::table("plain"), 0, 1).await;
    let polled = open(&mut viewer, ViewSpec::table("heap"), 0, 1).await;
    let began = Instant::now();
    database
        .execute("UPDATE plain SET name = 'quick' WHERE id = 1")
        .await;
    shows(&mut viewer, live, "name", &["quick"]).await;
    database.execute("UPDATE heap SET word = 'quick'").await;
    shows(&mut viewer, polled, "word", &["quick"]).await;
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "it waited for the stuck ones"
    );
    let is_told = |model: &Model| {
        stuck
            .iter()
            .all(|&window| error_code(model, window) == Some(ErrorCode::QueryTimeout))
    };
    viewer.wait_until(is_told, SOON * 3).await.unwrap();
    assert_eq!(column(viewer.model(), live, "name"), ["quick"]);
}

#[tokio::test]
async fn a_large_view_says_that_its_total_is_an_estimate() {
    let database = TestDatabase::new().await;
    let sql = "CREATE VIEW many AS SELECT n, n % 7 AS seven FROM generate_series(1, 1500000) AS n";
    database.install(sql, &[]).await;
    let server = serve(&database).await;
    let mut viewer = watcher(&server).await;
    let window = open(&mut viewer, ViewSpec::table("many"), 0, 3).await;
    let cache = viewer.model().window(window).unwrap().cache();
    assert!(!cache.total_is_exact());
    assert!(cache.total().unwrap() > 1_000_000);
    // Where the end is seen, the total is known.
    let end = viewer.open(ViewSpec::table("many"), Vec::new(), 1_499_995, 50);
    shows(
        &mut viewer,
        end,
        "n",
        &["1499996", "1499997", "1499998", "1499999", "1500000"],
    )
    .await;
    let cache = viewer.model().window(end).unwrap().cache();
    assert_eq!(
        (cache.total(), cache.total_is_exact()),
        (Some(1_500_000), true)
    );
}
