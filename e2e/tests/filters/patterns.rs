//! A pattern that takes too long is its own view's trouble.

use std::time::{Duration, Instant};

use e2e::viewing::{open, shows, until};
use e2e::{TestDatabase, TestServer};
use protocol::{ErrorCode, FilterOp, ViewSpec};

use crate::test;

/// Takes PostgreSQL minutes on two hundred letters.
const SLOW: &str = r"^(x*)(x*)(x*)(x*)(x*)\1\2\3\4z$\5";

#[tokio::test]
async fn a_slow_pattern_closes_its_own_view_and_holds_up_nobody() {
    let database = TestDatabase::new().await;
    let table = "CREATE TABLE notes (id integer PRIMARY KEY, note text, doc jsonb);
                 INSERT INTO notes SELECT n, 'note ' || n FROM generate_series(1, 100) AS n";
    database.install(table, &["notes"]).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let filtered = |op, value: &str| ViewSpec {
        filter: Some(test("note", op, &[value])),
        ..ViewSpec::table("notes")
    };
    let plain = open(&mut viewer, ViewSpec::table("notes"), 0, 2).await;
    let quick = open(
        &mut viewer,
        filtered(FilterOp::Matches, "^note 1$|^x"),
        0,
        5,
    )
    .await;
    let slow = open(&mut viewer, filtered(FilterOp::Matches, SLOW), 0, 5).await;
    let contains = open(&mut viewer, filtered(FilterOp::Contains, "xxx"), 0, 5).await;
    let mut other = server.viewer().await;
    let theirs = open(&mut other, filtered(FilterOp::IMatches, SLOW), 0, 5).await;

    let began = Instant::now();
    let long = format!("{}z", "x".repeat(200));
    database
        .execute(&format!("UPDATE notes SET note = '{long}' WHERE id = 2"))
        .await;
    shows(&mut viewer, plain, "note", &["note 1", &long]).await;
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(5), "others waited {waited:?}");
    shows(&mut viewer, quick, "note", &["note 1", &long]).await;
    shows(&mut viewer, contains, "note", &[&long]).await;
    for (viewer, window) in [(&mut viewer, slow), (&mut other, theirs)] {
        until(viewer, "the slow window is closed", |model| {
            let error = model.window(window).and_then(|window| window.error());
            error.is_some_and(|error| error.code == ErrorCode::QueryTimeout)
        })
        .await;
    }
    // From now on the table is as quick as ever.
    let began = Instant::now();
    database
        .execute("UPDATE notes SET note = 'note 2' WHERE id = 2")
        .await;
    shows(&mut viewer, plain, "note", &["note 1", "note 2"]).await;
    shows(&mut viewer, quick, "note", &["note 1"]).await;
    let waited = began.elapsed();
    assert!(waited < Duration::from_secs(2), "still slow: {waited:?}");
}

/// Some paths fail on some values, although the operator is asked to be silent.
#[tokio::test]
async fn a_path_that_fails_on_a_row_closes_its_own_view() {
    let database = TestDatabase::new().await;
    let table = r#"CREATE TABLE notes (id integer PRIMARY KEY, doc jsonb);
                   INSERT INTO notes VALUES (1, '{"at": "2026-11-21T10:00:00+00:00"}')"#;
    database.install(table, &["notes"]).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let path = r#"$.at.datetime() > "2026-01-01T00:00:00+00:00".datetime()"#;
    let view = ViewSpec {
        filter: Some(test("doc", FilterOp::JsonPath, &[path])),
        ..ViewSpec::table("notes")
    };
    let plain = open(&mut viewer, ViewSpec::table("notes"), 0, 2).await;
    let window = open(&mut viewer, view, 0, 2).await;
    shows(&mut viewer, window, "id", &["1"]).await;
    database
        .execute(r#"INSERT INTO notes VALUES (2, '{"at": "2026-11-21"}')"#)
        .await;
    shows(&mut viewer, plain, "id", &["1", "2"]).await;
    until(&mut viewer, "the failing window is closed", |model| {
        let error = model.window(window).and_then(|window| window.error());
        error.is_some_and(|error| error.message.contains("time zone"))
    })
    .await;
}
