//! Which tables are watched, and what becomes of them.

use e2e::eventually::SOON;
use migrations::Error;

use crate::{ITEMS, READINGS, connect, installed, take_log, texts};

#[tokio::test]
async fn ddl_never_aborts_a_write_and_asks_for_a_rebuild() {
    let (_database, client) = installed(ITEMS, &["items"]).await;
    // One session, whose cached plans know the old columns.
    client
        .batch_execute("INSERT INTO items VALUES (1, 'a', 1)")
        .await
        .unwrap();
    client
        .batch_execute("UPDATE items SET price = 2")
        .await
        .unwrap();
    take_log(&client).await;
    for (ddl, image) in [
        (
            "ADD COLUMN extra int DEFAULT 7",
            r#"{"id": 1, "name": "a", "extra": 7, "price": 2.00}"#,
        ),
        (
            "DROP COLUMN name",
            r#"{"id": 1, "extra": 7, "price": 2.00}"#,
        ),
        (
            "ALTER COLUMN extra TYPE int USING extra * 2",
            r#"{"id": 1, "extra": 14, "price": 2.00}"#,
        ),
        (
            "ALTER COLUMN extra TYPE text",
            r#"{"id": 1, "extra": "14", "price": 2.00}"#,
        ),
        (
            "RENAME COLUMN extra TO more",
            r#"{"id": 1, "more": "14", "price": 2.00}"#,
        ),
    ] {
        client
            .batch_execute(&format!("ALTER TABLE items {ddl}"))
            .await
            .unwrap();
        assert_eq!(take_log(&client).await, ["S"], "{ddl}");
        client
            .batch_execute("UPDATE items SET id = 1")
            .await
            .unwrap();
        assert_eq!(
            take_log(&client).await,
            [format!("+ {image}"), format!("- {image}")],
            "{ddl}"
        );
    }
    client.batch_execute("DROP TABLE items").await.unwrap();
    assert_eq!(take_log(&client).await, ["S"]);
    assert_eq!(
        texts(&client, "SELECT relation::text FROM rowcast.watched")
            .await
            .len(),
        0
    );
}

/// What an ordinary owner of a database gets: no superuser, so no event triggers.
const WITHOUT_EVENT_TRIGGERS: &str =
    "DROP EVENT TRIGGER rowcast_on_ddl; DROP EVENT TRIGGER rowcast_on_drop;";

#[tokio::test]
async fn reconcile_finds_what_happened_behind_its_back() {
    let (database, client) = installed(
        &format!("{READINGS}{WITHOUT_EVENT_TRIGGERS}"),
        &["readings"],
    )
    .await;
    let mut connection = connect(&database).await;
    assert_eq!(
        migrations::reconcile(&mut connection).await.unwrap(),
        Vec::<String>::new()
    );
    let mut reconcile = async |what: &str| {
        assert_eq!(
            migrations::reconcile(&mut connection).await.unwrap(),
            ["readings"],
            "{what}"
        );
        assert_eq!(take_log(&client).await, ["S"], "{what}");
        let again = migrations::reconcile(&mut connection).await.unwrap();
        assert_eq!(
            again,
            Vec::<String>::new(),
            "{what}: the second time there is nothing to do"
        );
    };
    let run = async |sql: &str| database.execute(sql).await;

    run("CREATE TABLE readings_3 PARTITION OF readings FOR VALUES FROM (20) TO (30)").await;
    reconcile("a partition was created").await;
    run("INSERT INTO readings_3 VALUES (1, 21, 'x')").await;
    assert_eq!(
        take_log(&client).await,
        [r#"+ {"id": 1, "day": 21, "value": "x"}"#]
    );

    run("ALTER TABLE readings_1 DISABLE TRIGGER ALL").await;
    reconcile("triggers were disabled").await;
    run("DROP TRIGGER rowcast_log_update ON readings_2a").await;
    reconcile("a trigger was dropped").await;
    run("ALTER TABLE readings ALTER COLUMN value TYPE varchar(50)").await;
    reconcile("a column changed").await;
    run("DROP TABLE readings_1").await;
    reconcile("a partition was dropped").await;

    run("ALTER TABLE readings DETACH PARTITION readings_3").await;
    let mut touched = migrations::reconcile(&mut connect(&database).await)
        .await
        .unwrap();
    touched.sort();
    assert_eq!(touched, ["readings", "readings_3"]);
    take_log(&client).await;
    run("INSERT INTO readings_3 VALUES (2, 22, 'not ours any more')").await;
    assert_eq!(take_log(&client).await, Vec::<String>::new());

    run("DROP TABLE readings").await;
    migrations::reconcile(&mut connect(&database).await)
        .await
        .unwrap();
    assert_eq!(take_log(&client).await, ["S"]);
    assert_eq!(
        texts(&client, "SELECT relation::text FROM rowcast.watched")
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn a_locked_table_does_not_keep_reconcile_from_the_others() {
    let sql = format!("{READINGS}{ITEMS}{WITHOUT_EVENT_TRIGGERS}");
    let (database, client) = installed(&sql, &["readings", "items"]).await;
    for table in ["readings_1", "items"] {
        let sql = format!("DROP TRIGGER rowcast_log_update ON {table}");
        database.execute(&sql).await;
    }
    let writer = database.connect().await;
    writer
        .batch_execute("BEGIN; INSERT INTO readings_1 VALUES (1, 1, 'slow')")
        .await
        .unwrap();
    let mut connection = connect(&database).await;
    let touched = migrations::reconcile(&mut connection).await.unwrap();
    assert_eq!(touched, ["items"]);
    assert_eq!(take_log(&client).await, ["S"]);
    writer.batch_execute("COMMIT").await.unwrap();
    let touched = migrations::reconcile(&mut connection).await.unwrap();
    assert_eq!(touched, ["readings"]);
}

#[tokio::test]
async fn with_event_triggers_a_new_partition_is_logged_from_its_first_row() {
    let (_database, client) = installed(READINGS, &["readings"]).await;
    client
        .batch_execute(
            "BEGIN;
             CREATE TABLE readings_3 (LIKE readings INCLUDING ALL);
             ALTER TABLE readings ATTACH PARTITION readings_3 FOR VALUES FROM (20) TO (30);
             INSERT INTO readings_3 VALUES (1, 21, 'x');
             COMMIT",
        )
        .await
        .unwrap();
    assert_eq!(
        take_log(&client).await,
        [r#"+ {"id": 1, "day": 21, "value": "x"}"#, "S"]
    );
}

#[tokio::test]
async fn watching_is_idempotent_and_unwatching_leaves_nothing() {
    let sql = format!("{ITEMS}{READINGS}");
    let (database, client) = installed(&sql, &[]).await;
    let traces = "SELECT tgname || ' ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal
                  UNION ALL SELECT relation::text FROM rowcast.watched";
    let before = texts(&client, traces).await;
    let mut connection = connect(&database).await;
    for table in ["items", "readings"] {
        migrations::watch(&mut connection, table).await.unwrap();
        assert_eq!(take_log(&client).await, ["S"], "servers learn of {table}");
        migrations::watch(&mut connection, table).await.unwrap();
        assert_eq!(
            take_log(&client).await,
            Vec::<String>::new(),
            "nothing new about {table}"
        );
    }
    assert_eq!(
        texts(&client, traces).await.len(),
        before.len() + 4 * (1 + 4) + 2
    );
    for table in ["items", "readings"] {
        migrations::unwatch(&mut connection, table).await.unwrap();
        assert_eq!(take_log(&client).await, ["S"]);
        migrations::unwatch(&mut connection, table).await.unwrap();
    }
    assert_eq!(texts(&client, traces).await, before);
    client
        .batch_execute("INSERT INTO items VALUES (1)")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_with_the_remedy() {
    let sql = format!(
        "{READINGS}
         CREATE TABLE keyless (id int); CREATE VIEW seen AS SELECT 1 AS one;
         CREATE TABLE parent (id int PRIMARY KEY);
         CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);"
    );
    let (database, _client) = installed(&sql, &[]).await;
    let mut connection = connect(&database).await;
    for (table, remedy) in [
        ("keyless", "ALTER TABLE public.keyless ADD PRIMARY KEY"),
        ("seen", "Watch the tables that it reads"),
        ("readings_1", "Watch public.readings."),
        ("parent", "declarative partitioning"),
        ("child", "declarative partitioning"),
        ("pg_class", "a table of your own"),
        ("rowcast.change_log", "a table of your own"),
        ("nowhere", "does not exist"),
        ("no such name", "syntax"),
    ] {
        let error = migrations::watch(&mut connection, table).await.unwrap_err();
        assert!(
            matches!(error, Error::NotWatchable { .. }),
            "{table}: {error:?}"
        );
        assert!(error.to_string().contains(remedy), "{table}: {error}");
    }
}

#[tokio::test]
async fn watching_lets_a_running_writer_finish() {
    let (database, client) = installed(ITEMS, &[]).await;
    client
        .batch_execute("BEGIN; INSERT INTO items VALUES (1, 'before', 1)")
        .await
        .unwrap();
    let mut connection = connect(&database).await;
    let watching = tokio::spawn(async move { migrations::watch(&mut connection, "items").await });
    // Another writer gets in between two attempts: nobody queues behind the watcher for long.
    let other = database.connect().await;
    let write = other.batch_execute("INSERT INTO items VALUES (2, 'meanwhile', 2)");
    tokio::time::timeout(SOON, write)
        .await
        .expect("the writer hung")
        .unwrap();
    assert!(
        !watching.is_finished(),
        "the triggers are there although a writer runs"
    );
    client.batch_execute("COMMIT").await.unwrap();
    tokio::time::timeout(SOON, watching)
        .await
        .expect("watch hung")
        .unwrap()
        .unwrap();
    database.attend(&["items"]).await;
    take_log(&client).await;
    client
        .batch_execute("DELETE FROM items WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await.len(), 1);
}
