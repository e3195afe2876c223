//! A table's changes are logged only while somebody shows it, and nobody misses any.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use client_egui::model::{Headless, WindowId};
use e2e::eventually::{SOON, eventually};
use e2e::viewing::{column, open, shows, total, until};
use e2e::{TestDatabase, TestRedis, TestServer};
use protocol::ViewSpec;
use server::changes::Sabotage;

const ITEMS: &str = "
    CREATE TABLE items (id int PRIMARY KEY, name text);
    INSERT INTO items SELECT n, 'item ' || n FROM generate_series(1, 5) AS n;
    CREATE TABLE parts (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    INSERT INTO parts VALUES (1, 'part 1');";

async fn items() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items", "parts"]).await;
    database
}

async fn logged(database: &TestDatabase) -> i64 {
    let images = "SELECT count(*) FROM rowcast.change_sides WHERE op IN ('-', '+')";
    let client = database.connect().await;
    client.query_one(images, &[]).await.unwrap().get(0)
}

async fn open_items(viewer: &mut Headless) -> WindowId {
    open(viewer, ViewSpec::table("items"), 0, 10).await
}

#[tokio::test]
async fn what_a_writer_wrote_before_anybody_looked_arrives_when_it_commits() {
    let database = items().await;
    let [first, second, third] = [
        database.connect().await,
        database.connect().await,
        database.connect().await,
    ];
    for (writer, write) in [
        (
            &first,
            "UPDATE items SET name = 'early' WHERE id = 1; SAVEPOINT s; DELETE FROM items WHERE id = 2",
        ),
        (&second, "DELETE FROM items WHERE id = 5"),
        (&third, "UPDATE parts_1 SET name = 'early'"),
    ] {
        writer
            .batch_execute(&format!("BEGIN; {write}"))
            .await
            .unwrap();
    }
    assert_eq!(logged(&database).await, 0, "nobody attends");
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open_items(&mut viewer).await;
    let parts = open(&mut viewer, ViewSpec::table("parts"), 0, 10).await;
    assert_eq!(total(viewer.model(), window), Some(5));

    // Later changes, and those of the same transaction, come as always.
    first
        .batch_execute("UPDATE items SET name = 'later' WHERE id = 3")
        .await
        .unwrap();
    database
        .execute("UPDATE items SET name = 'meanwhile' WHERE id = 4")
        .await;
    shows(
        &mut viewer,
        window,
        "name",
        &["item 1", "item 2", "item 3", "meanwhile", "item 5"],
    )
    .await;
    first.batch_execute("COMMIT").await.unwrap();
    shows(
        &mut viewer,
        window,
        "name",
        &["early", "later", "meanwhile", "item 5"],
    )
    .await;
    second.batch_execute("ROLLBACK").await.unwrap();
    third.batch_execute("COMMIT").await.unwrap();
    shows(&mut viewer, parts, "name", &["early"]).await;
    database
        .execute("UPDATE items SET name = 'last' WHERE id = 5")
        .await;
    shows(
        &mut viewer,
        window,
        "name",
        &["early", "later", "meanwhile", "last"],
    )
    .await;
}

/// A snapshot ends before the youngest of the running transactions, and does not name them.
#[tokio::test]
async fn a_writer_that_is_the_youngest_of_all_is_waited_for() {
    let database = TestDatabase::in_own_cluster().await;
    let names: Vec<String> = (0..9).map(|nth| format!("items_{nth}")).collect();
    let tables: String = names
        .iter()
        .map(|name| {
            format!("CREATE TABLE {name} (id int PRIMARY KEY); INSERT INTO {name} VALUES (1), (2);")
        })
        .collect();
    let watched: Vec<&str> = names.iter().map(String::as_str).collect();
    database.install(&tables, &watched).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let writer = database.connect().await;
    for name in &names {
        writer
            .batch_execute(&format!("BEGIN; DELETE FROM {name} WHERE id = 1"))
            .await
            .unwrap();
        let window = open(&mut viewer, ViewSpec::table(name), 0, 10).await;
        // The server takes a number of its own now and then: the next table will do.
        let youngest = "SELECT pg_current_xact_id() >= pg_snapshot_xmax(pg_current_snapshot())";
        let is_youngest: bool = writer.query_one(youngest, &[]).await.unwrap().get(0);
        writer.batch_execute("COMMIT").await.unwrap();
        until(&mut viewer, "the change", |model| {
            total(model, window) == Some(1)
        })
        .await;
        if is_youngest {
            return;
        }
    }
    panic!("other transactions ended all the time");
}

/// The tests above would notice.
#[tokio::test]
async fn a_server_that_trusts_such_a_writer_misses_what_it_wrote() {
    let database = items().await;
    let writer = database.connect().await;
    writer
        .batch_execute("BEGIN; DELETE FROM items WHERE id = 1")
        .await
        .unwrap();
    let server = TestServer::with(server::ServerOptions {
        sabotage: Some(Sabotage::TrustWriters),
        ..TestServer::options(&database)
    })
    .await;
    let mut viewer = server.viewer().await;
    let window = open_items(&mut viewer).await;
    writer.batch_execute("COMMIT").await.unwrap();
    database.execute("DELETE FROM items WHERE id = 2").await;
    until(&mut viewer, "the later change", |model| {
        total(model, window) == Some(4)
    })
    .await;
    assert_eq!(column(viewer.model(), window, "id"), ["1", "3", "4", "5"]);
}

#[tokio::test]
async fn nothing_is_logged_once_nobody_looks_and_everything_when_somebody_does_again() {
    let database = items().await;
    let server = TestServer::with(server::ServerOptions {
        view_idle: Duration::from_millis(40),
        ..TestServer::options(&database)
    })
    .await;
    for round in 0..3 {
        let mut viewer = server.viewer().await;
        let window = open_items(&mut viewer).await;
        assert_eq!(database.attending().await.len(), 1);
        let before = logged(&database).await;
        database
            .execute(&format!(
                "UPDATE items SET name = 'round {round}' WHERE id = 1"
            ))
            .await;
        until(&mut viewer, "the change", |model| {
            column(model, window, "name")[0] == format!("round {round}")
        })
        .await;
        assert_eq!(logged(&database).await, before + 2);
        drop(viewer);
        eventually("nobody attends", SOON, async || {
            database.attending().await.is_empty()
        })
        .await;
        // Another name while nobody looks is no news to whoever looks next.
        database
            .execute("ALTER TABLE items RENAME COLUMN name TO other")
            .await;
        database.execute("UPDATE items SET other = 'unseen'").await;
        database
            .execute("ALTER TABLE items RENAME COLUMN other TO name")
            .await;
        assert_eq!(logged(&database).await, before + 2);
        let mut viewer = server.viewer().await;
        let window = open_items(&mut viewer).await;
        assert_eq!(column(viewer.model(), window, "name"), ["unseen"; 5]);
    }
}

#[tokio::test]
async fn a_server_that_loses_the_connection_misses_nothing() {
    let database = items().await;
    let redis = TestRedis::start().await;
    let servers = [
        TestServer::start_with_redis(&database, &redis).await,
        TestServer::start_with_redis(&database, &redis).await,
    ];
    let mut viewers = Vec::new();
    for server in &servers {
        let mut viewer = server.viewer().await;
        let window = open_items(&mut viewer).await;
        viewers.push((viewer, window));
    }
    let writer = database.connect().await;
    for round in 0..6 {
        // One of the two, then the other: the leader and the follower.
        let pids = database.attending().await;
        let pid = pids[round % pids.len()];
        writer
            .batch_execute("BEGIN; UPDATE items SET name = 'begun' WHERE id = 1")
            .await
            .unwrap();
        database.end_connection(pid).await;
        database
            .execute(&format!(
                "UPDATE items SET name = 'round {round}' WHERE id = 2"
            ))
            .await;
        writer
            .batch_execute(&format!(
                "UPDATE items SET name = 'ended {round}' WHERE id = 1; COMMIT"
            ))
            .await
            .unwrap();
        for (viewer, window) in &mut viewers {
            until(viewer, "both changes", |model| {
                column(model, *window, "name")[..2]
                    == [format!("ended {round}"), format!("round {round}")]
            })
            .await;
        }
        eventually("both servers attend", SOON, async || {
            database.attending().await.len() == 2
        })
        .await;
    }
}

/// A writer tries the same lock, for a moment. One that never gave it back would keep the table closed, and no other.
#[tokio::test]
async fn a_lock_that_somebody_keeps_holds_up_one_table() {
    let database = items().await;
    let holder = database.connect().await;
    let lock = "SELECT pg_advisory_lock(78130143, 'items'::regclass::oid::int4)";
    holder.batch_execute(lock).await.unwrap();
    let server = TestServer::start(&database).await;
    let (mut kept, mut other) = (server.viewer().await, server.viewer().await);
    let mut opening = Box::pin(async move {
        let window = open_items(&mut kept).await;
        (kept, window)
    });
    let parts = tokio::select! {
        _ = opening.as_mut() => panic!("opened without the lock"),
        parts = open(&mut other, ViewSpec::table("parts"), 0, 10) => parts,
    };
    database.execute("UPDATE parts SET name = 'changed'").await;
    tokio::select! {
        _ = opening.as_mut() => panic!("opened without the lock"),
        () = shows(&mut other, parts, "name", &["changed"]) => {}
    }
    holder
        .batch_execute("SELECT pg_advisory_unlock_all()")
        .await
        .unwrap();
    let (mut kept, window) = opening.await;
    database
        .execute("UPDATE items SET name = 'changed' WHERE id < 5")
        .await;
    shows(
        &mut kept,
        window,
        "name",
        &["changed", "changed", "changed", "changed", "item 5"],
    )
    .await;
}
