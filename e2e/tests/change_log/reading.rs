//! What a reader of the log relies on: being woken, the epoch, the record of what is pruned.

use e2e::TestDatabase;
use e2e::eventually::SOON;
use sqlx::postgres::PgListener;

use crate::{ITEMS, READINGS, installed, take_log, texts};

/// The advisory lock that an awake reader holds.
const AWAKE: i64 = 7_813_014_321_550_001;

#[tokio::test]
async fn an_awake_reader_is_not_notified() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let mut listener = PgListener::connect(database.url()).await.unwrap();
    listener.listen("rowcast").await.unwrap();
    let mut next = async || {
        let notification = tokio::time::timeout(SOON, listener.recv()).await;
        notification
            .expect("no notification")
            .unwrap()
            .payload()
            .to_owned()
    };
    let reader = database.connect().await;
    reader
        .execute("SELECT pg_advisory_lock($1)", &[&AWAKE])
        .await
        .unwrap();
    client
        .batch_execute("INSERT INTO items VALUES (1)")
        .await
        .unwrap();
    client
        .batch_execute("NOTIFY rowcast, 'awake'")
        .await
        .unwrap();
    assert_eq!(
        next().await,
        "awake",
        "a writer paid for waking an awake reader"
    );

    reader
        .execute("SELECT pg_advisory_unlock($1)", &[&AWAKE])
        .await
        .unwrap();
    client
        .batch_execute("INSERT INTO items VALUES (2)")
        .await
        .unwrap();
    assert_eq!(next().await, "", "a sleeping reader was not woken");
    client
        .batch_execute("UPDATE items SET id = 3 WHERE false")
        .await
        .unwrap();
    client.batch_execute("NOTIFY rowcast, 'end'").await.unwrap();
    assert_eq!(
        next().await,
        "end",
        "a statement that changed nothing woke the reader"
    );
    let held = "SELECT count(*)::text FROM pg_locks JOIN pg_database ON oid = database
                WHERE locktype = 'advisory' AND datname = current_database()
                  AND NOT (classid = 78130143 AND mode = 'ShareLock')";
    assert_eq!(
        texts(&client, held).await,
        ["0"],
        "writers give the lock back"
    );
}

/// Whoever shows a table says so by a lock (the test's other connection does); the log holds nothing else.
#[tokio::test]
async fn a_table_that_nobody_attends_logs_only_what_everybody_must_know() {
    let database = TestDatabase::new().await;
    let tables = format!("{ITEMS}{READINGS}");
    database.install(&tables, &["items", "readings"]).await;
    let client = database.connect().await;
    take_log(&client).await;
    let write = "INSERT INTO items SELECT n, 'name', n FROM generate_series(1, 200) AS n;
                 UPDATE items SET price = 1; DELETE FROM items WHERE id > 100;
                 INSERT INTO readings VALUES (1, 1, 'a'), (2, 12, 'b'); UPDATE readings_2a SET value = 'c'";
    client.batch_execute(write).await.unwrap();
    assert_eq!(take_log(&client).await, Vec::<String>::new());
    let held = "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    assert_eq!(texts(&client, held).await, ["0"], "the lock is given back");
    client
        .batch_execute("TRUNCATE items; ALTER TABLE items ADD COLUMN more int")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await, ["S", "T"]);

    // A partition's writers look for the root of its tree.
    database.attend(&["readings"]).await;
    client
        .batch_execute("INSERT INTO items VALUES (1); UPDATE readings_2a SET value = 'd'")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await.len(), 2);
}

#[tokio::test]
async fn prepared_transactions_work_and_a_crash_begins_a_new_epoch() {
    let database = TestDatabase::in_own_cluster().await;
    database.install(ITEMS, &["items"]).await;
    let epoch = async || texts(&database.connect().await, "SELECT rowcast.epoch()::text").await;
    let before = epoch().await;
    assert_eq!(epoch().await, before);

    database
        .execute("ALTER SYSTEM SET max_prepared_transactions = 2")
        .await;
    database.cluster().restart().await;
    database.attend(&["items"]).await;
    let client = database.connect().await;
    client
        .batch_execute("BEGIN; INSERT INTO items VALUES (1); PREPARE TRANSACTION 'one'")
        .await
        .unwrap();
    take_log(&client).await;
    client.batch_execute("COMMIT PREPARED 'one'").await.unwrap();
    assert_eq!(take_log(&client).await.len(), 1);
    assert_eq!(epoch().await, before, "an orderly restart keeps the log");

    client
        .batch_execute("INSERT INTO items VALUES (2)")
        .await
        .unwrap();
    database.cluster().crash_backend().await;
    // It may still answer for a moment before it notices that it is to recover.
    e2e::eventually("PostgreSQL recovers with a new epoch", SOON, async || {
        let Some(client) = database.try_connect().await else {
            return false;
        };
        let epoch = client.query_one("SELECT rowcast.epoch()::text", &[]).await;
        epoch.is_ok_and(|epoch| epoch.get::<_, String>(0) != before[0])
    })
    .await;
    assert_eq!(
        take_log(&database.connect().await).await,
        Vec::<String>::new()
    );
    database.attend(&["items"]).await;
    database.execute("INSERT INTO items VALUES (3)").await;
    assert_eq!(take_log(&database.connect().await).await.len(), 1);
}

#[tokio::test]
async fn pruning_deletes_what_the_snapshot_sees_and_says_so() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let slow = database.connect().await;
    slow.batch_execute("BEGIN; INSERT INTO items VALUES (1, 'begun before', 1)")
        .await
        .unwrap();
    client
        .batch_execute("INSERT INTO items VALUES (2, 'seen', 2)")
        .await
        .unwrap();
    let keep = texts(&client, "SELECT pg_current_snapshot()::text")
        .await
        .remove(0);
    slow.batch_execute("COMMIT").await.unwrap();
    client
        .batch_execute("INSERT INTO items VALUES (3, 'after', 3)")
        .await
        .unwrap();

    let prune = async |keep: &str| {
        texts(&client, &format!("SELECT rowcast.prune('{keep}')::text"))
            .await
            .remove(0)
    };
    assert_eq!(prune(&keep).await, "1");
    let left = "SELECT image->>'id' FROM rowcast.change_log ORDER BY 1";
    assert_eq!(texts(&client, left).await, ["1", "3"]);
    let pruned = "SELECT pruned::text FROM rowcast.log_state";
    assert_eq!(texts(&client, pruned).await, [keep.as_str()]);
    // Another server that is behind must not take the record back.
    assert_eq!(prune("3:3:").await, "0");
    assert_eq!(texts(&client, pruned).await, [keep.as_str()]);
}
