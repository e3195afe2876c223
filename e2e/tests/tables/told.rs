//! Whatever happens to a table is told to every client of every server, and never shown wrongly meanwhile.

use client_egui::model::{Model, WindowId};
use e2e::events::EventStream;
use e2e::viewing::{column, open, until};
use e2e::{TestDatabase, TestRedis, TestServer};
use protocol::{ErrorCode, ResetReason, Update, ViewSpec};

use crate::{equals, error_code, schema, serve, watcher};

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, a text, b text);
    INSERT INTO notes SELECT n, 'a' || n, 'b' || n FROM generate_series(1, 40) AS n;";

#[tokio::test]
async fn every_client_of_every_server_is_told_of_ddl() {
    let (database, redis) = (TestDatabase::new().await, TestRedis::start().await);
    database.install(NOTES, &["notes"]).await;
    let servers = [
        TestServer::start_with_redis(&database, &redis).await,
        TestServer::start_with_redis(&database, &redis).await,
    ];
    let mut viewers = Vec::new();
    let mut streams = Vec::new();
    for server in &servers {
        for _ in 0..2 {
            let mut viewer = watcher(server).await;
            let window = open(&mut viewer, ViewSpec::table("notes"), 0, 3).await;
            viewers.push((viewer, window));
        }
        let path = "/api/v1/tables/notes/stream?limit=3";
        let mut stream = EventStream::open(server.address(), path, &[])
            .await
            .unwrap();
        stream.expect("snapshot").await;
        streams.push(stream);
    }
    for (ddl, names) in [
        (
            "ALTER TABLE notes ADD COLUMN c int DEFAULT 7",
            &["id", "a", "b", "c"][..],
        ),
        (
            "ALTER TABLE notes RENAME COLUMN a TO d",
            &["id", "d", "b", "c"],
        ),
        ("ALTER TABLE notes DROP COLUMN b", &["id", "d", "c"]),
    ] {
        database.execute(ddl).await;
        for (viewer, window) in &mut viewers {
            until(viewer, ddl, |model| {
                let schema = schema(model, *window);
                schema.is_some_and(|it| it.columns.iter().map(|column| &column.name).eq(names))
            })
            .await;
            equals(
                viewer,
                &database,
                *window,
                "SELECT * FROM notes ORDER BY id LIMIT 3",
            )
            .await;
        }
        for stream in &mut streams {
            let schema = stream.expect("schema").await;
            let last = format!("\"{}\"", names[names.len() - 2]);
            assert!(schema.data.contains(&last), "{ddl}: {}", schema.data);
            stream.expect("snapshot").await;
        }
    }
    database
        .execute("DROP TABLE notes; CREATE TABLE notes (id int PRIMARY KEY)")
        .await;
    for (viewer, window) in &mut viewers {
        until(viewer, "the table is gone", |model| {
            error_code(model, *window) == Some(ErrorCode::UnknownTable)
        })
        .await;
    }
    for stream in &mut streams {
        assert!(stream.expect("error").await.data.contains("unknown_table"));
    }
}

/// Whether each value under a column's name begins with that name, as all do in every state of the database.
fn is_sound(model: &Model, window: WindowId) -> bool {
    ["a", "b"].iter().all(|name| {
        column(model, window, name)
            .iter()
            .all(|cell| cell.starts_with(name))
    })
}

#[tokio::test]
async fn no_value_is_ever_shown_under_another_columns_name() {
    for watched in [&["notes"][..], &[]] {
        let database = TestDatabase::new().await;
        database.install(NOTES, watched).await;
        let server = serve(&database).await;
        let mut viewer = watcher(&server).await;
        let window = open(&mut viewer, ViewSpec::table("notes"), 0, 30).await;
        let by_a = open(&mut viewer, crate::by("notes", &[("a", true)]), 0, 10).await;
        let client = database.connect().await;
        let writer = tokio::spawn(async move {
            for round in 0..15 {
                let swap = format!(
                    "BEGIN; ALTER TABLE notes RENAME a TO c; ALTER TABLE notes RENAME b TO a;
                     ALTER TABLE notes RENAME c TO b; UPDATE notes SET a = 'a' || id, b = 'b{round}'; COMMIT"
                );
                client.batch_execute(&swap).await.unwrap();
                let write = format!(
                    "UPDATE notes SET a = 'a{round}.' || id, b = b || '!' WHERE id % 3 = 0"
                );
                client.batch_execute(&write).await.unwrap();
            }
        });
        let last = |model: &Model| {
            for window in [window, by_a] {
                assert!(is_sound(model, window), "{:?}", crate::grid(model, window));
            }
            column(model, window, "b")
                .get(2)
                .is_some_and(|cell| cell == "b14!")
        };
        until(&mut viewer, "the last round", last).await;
        writer.await.unwrap();
        equals(
            &mut viewer,
            &database,
            window,
            "SELECT * FROM notes ORDER BY id LIMIT 30",
        )
        .await;
        let sql = "SELECT * FROM notes ORDER BY a DESC, id DESC LIMIT 10";
        equals(&mut viewer, &database, by_a, sql).await;
    }
}

#[tokio::test]
async fn a_truncated_table_or_partition_is_told_as_what_it_is() {
    let parts = "
        CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
        -- Its columns stand in another order.
        CREATE TABLE parts_2 (note text, id int PRIMARY KEY);
        ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20);
        INSERT INTO parts VALUES (1, 'one'), (11, 'eleven');";
    let database = TestDatabase::new().await;
    database.install(parts, &["parts"]).await;
    let server = serve(&database).await;
    let path = "/api/v1/tables/parts/stream?limit=10";
    let mut stream = EventStream::open(server.address(), path, &[])
        .await
        .unwrap();
    stream.expect("snapshot").await;
    for (sql, total, reason) in [
        ("UPDATE parts_2 SET note = 'direct' WHERE id = 11", 2, None),
        ("TRUNCATE parts_1", 1, Some(ResetReason::Truncated)),
        ("INSERT INTO parts_1 VALUES (2, 'two')", 2, None),
        ("TRUNCATE parts", 0, Some(ResetReason::Truncated)),
        (
            "BEGIN; TRUNCATE parts; ALTER TABLE parts ADD more int; COMMIT",
            0,
            Some(ResetReason::SchemaChanged),
        ),
    ] {
        database.execute(sql).await;
        let name = if reason.is_some() {
            "snapshot"
        } else {
            "update"
        };
        let event = stream.expect(name).await;
        let update: Update = serde_json::from_str(&event.data).unwrap();
        assert_eq!(
            (update.total, update.must_refetch),
            (total, reason),
            "{sql}"
        );
    }
}
