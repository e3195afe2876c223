//! Which functions the triggers call, and how much they write.

use e2e::TestDatabase;

use crate::{ITEMS, READINGS, assert_adds_up, connect, installed, take_log, texts};

const CALLED: &str = "SELECT DISTINCT tgfoid::regproc::text FROM pg_trigger
    WHERE tgrelid = 'items'::regclass AND tgname = 'rowcast_log_update'";

#[tokio::test]
async fn a_column_of_another_type_exchanges_the_functions() {
    let types = "CREATE TYPE mood AS ENUM ('fine', 'bad');";
    let (database, client) = installed(&format!("{types}{ITEMS}"), &["items"]).await;
    assert_eq!(texts(&client, CALLED).await, ["rowcast.log_update"]);
    for (ddl, function) in [
        ("ADD COLUMN mood mood[]", "log_update"),
        (
            "ADD COLUMN at timestamptz DEFAULT '2026-01-01 00:00+00'",
            "log_update_usual",
        ),
        ("ADD COLUMN span interval DEFAULT '1 day'", "log_update_any"),
        ("DROP COLUMN span", "log_update_usual"),
        (
            "ALTER COLUMN name TYPE bytea USING convert_to(name, 'UTF8')",
            "log_update_any",
        ),
    ] {
        // In one transaction: the very next write must be logged rightly.
        client
            .batch_execute(&format!(
                "BEGIN; ALTER TABLE items {ddl};
                 SET LOCAL timezone = 'Asia/Tokyo'; SET LOCAL intervalstyle = postgres_verbose;
                 INSERT INTO items (id) VALUES (1); COMMIT; UPDATE items SET id = 1; DELETE FROM items"
            ))
            .await
            .unwrap();
        assert_eq!(
            texts(&client, CALLED).await,
            [format!("rowcast.{function}")],
            "{ddl}"
        );
        assert_adds_up(&client, "items").await;
        take_log(&client).await;
    }
    client
        .batch_execute("ALTER TABLE items DROP COLUMN name, DROP COLUMN at")
        .await
        .unwrap();
    assert_eq!(texts(&client, CALLED).await, ["rowcast.log_update"]);
    // to_json would call this with the rights of the function's owner.
    database
        .execute(
            "CREATE FUNCTION told(mood) RETURNS json LANGUAGE sql AS $$ SELECT '1'::json $$;
             CREATE CAST (mood AS json) WITH FUNCTION told(mood)",
        )
        .await;
    migrations::reconcile(&mut connect(&database).await)
        .await
        .unwrap();
    assert_eq!(
        texts(&client, CALLED).await,
        ["rowcast.log_update_any_worded"]
    );
}

#[tokio::test]
async fn without_event_triggers_every_setting_is_fixed() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    database
        .execute("DROP EVENT TRIGGER rowcast_on_ddl; DROP EVENT TRIGGER rowcast_on_drop")
        .await;
    migrations::reconcile(&mut connect(&database).await)
        .await
        .unwrap();
    assert_eq!(texts(&client, CALLED).await, ["rowcast.log_update_any"]);
}

#[tokio::test]
async fn the_triggers_of_an_earlier_version_are_exchanged() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    client
        .batch_execute(
            "CREATE OR REPLACE TRIGGER rowcast_log_update AFTER UPDATE ON items
             REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
             FOR EACH STATEMENT EXECUTE FUNCTION rowcast.log_change();
             INSERT INTO items VALUES (1, 'a', 1); UPDATE items SET name = 'b'",
        )
        .await
        .unwrap();
    assert_adds_up(&client, "items").await;
    let touched = migrations::reconcile(&mut connect(&database).await)
        .await
        .unwrap();
    assert_eq!(touched, ["items"]);
    assert_eq!(texts(&client, CALLED).await, ["rowcast.log_update"]);
}

#[tokio::test]
async fn statements_of_any_size_add_up_in_few_log_rows() {
    let (_database, client) =
        installed(&format!("{ITEMS}{READINGS}"), &["items", "readings"]).await;
    for rows in [1, 15, 16, 17, 99, 100, 101, 116, 117, 1000] {
        for sql in [
            format!("INSERT INTO items SELECT n, 'i', n FROM generate_series(1, {rows}) AS n"),
            "UPDATE items SET name = 'u', id = -id".to_owned(),
            "DELETE FROM items".to_owned(),
            format!(
                "INSERT INTO readings SELECT n, n % 20, 'i' FROM generate_series(1, {rows}) AS n"
            ),
            "UPDATE readings SET day = (day + 7) % 20".to_owned(),
            "DELETE FROM readings".to_owned(),
        ] {
            client.batch_execute(&sql).await.unwrap();
            assert_adds_up(&client, "items").await;
            assert_adds_up(&client, "readings").await;
            let most = "SELECT max(json_array_length(image))::text FROM rowcast.change_log
                        WHERE op IN ('m', 'p')";
            let most: usize = texts(&client, most).await[0].parse().unwrap_or(0);
            assert!(most <= 100, "{sql}: {most} images in a log row");
        }
        let log_rows = "SELECT count(*)::text FROM rowcast.change_log";
        let log_rows: usize = texts(&client, log_rows).await[0].parse().unwrap();
        assert!(
            log_rows <= 8 * (16 + rows / 100 + 2),
            "{rows}: {log_rows} log rows"
        );
        take_log(&client).await;
    }
}

#[tokio::test]
async fn a_statement_that_changes_very_many_rows_asks_for_a_rebuild() {
    let (_database, client) = installed(ITEMS, &["items"]).await;
    for sql in [
        "INSERT INTO items SELECT n, 'i', n FROM generate_series(1, 18001) AS n",
        "UPDATE items SET price = 0 WHERE id <= 9001",
        "DELETE FROM items",
    ] {
        client.batch_execute(sql).await.unwrap();
        let ops = "SELECT DISTINCT op::text FROM rowcast.change_log WHERE op NOT IN ('-', '+')";
        assert_eq!(texts(&client, ops).await, ["B"], "{sql}");
        let rows = "SELECT (count(*) <= 33)::text FROM rowcast.change_log";
        assert_eq!(texts(&client, rows).await, ["true"], "{sql}");
        take_log(&client).await;
    }
}

#[tokio::test]
async fn only_who_is_granted_it_may_call_the_functions() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let role = format!("caller_{}", name_of(&database));
    client
        .batch_execute(&format!(
            "CREATE ROLE {role}; GRANT USAGE ON SCHEMA rowcast TO {role}; GRANT ALL ON items TO {role};
             SET ROLE {role}"
        ))
        .await
        .unwrap();
    for call in [
        "rowcast.epoch()",
        "rowcast.prune(pg_current_snapshot())",
        "rowcast.log_rebuild(1)",
        "rowcast.reconcile()",
        "rowcast.reconcile_one('items')",
        "rowcast.watch('items')",
        "rowcast.wake()",
    ] {
        let error = client
            .batch_execute(&format!("SELECT {call}"))
            .await
            .unwrap_err();
        let code = error.code().map(|code| code.code().to_owned());
        assert_eq!(code.as_deref(), Some("42501"), "{call}");
    }
    // Its writes are logged all the same, one row or many, also with a schema of its own in front.
    client
        .batch_execute(
            "SET search_path = pg_temp, public;
             INSERT INTO items SELECT n FROM generate_series(1, 50) AS n;
             UPDATE items SET id = -id; DELETE FROM items WHERE id < -1; RESET ROLE; RESET search_path",
        )
        .await
        .unwrap();
    assert_adds_up(&client, "items").await;
}

#[tokio::test]
async fn a_copied_database_begins_an_epoch_of_its_own() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let epoch = "SELECT rowcast.epoch()::text";
    let before = texts(&client, epoch).await;
    client
        .batch_execute("INSERT INTO items VALUES (1)")
        .await
        .unwrap();
    assert_eq!(texts(&client, epoch).await, before);
    drop(client);
    let copy = database.copy().await;
    let client = copy.connect().await;
    assert_ne!(texts(&client, epoch).await, before);
    assert_eq!(
        take_log(&client).await,
        Vec::<String>::new(),
        "it has other transactions"
    );
    assert_eq!(
        texts(&database.connect().await, epoch).await,
        before,
        "the original keeps its own"
    );
    copy.attend(&["items"]).await;
    client
        .batch_execute("INSERT INTO items VALUES (2)")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await.len(), 1);
}

fn name_of(database: &TestDatabase) -> String {
    let (_, name) = database.url().rsplit_once('/').unwrap();
    name.to_owned()
}

/// The images as they are in the log, and how they tell their nulls apart.
const TOLD: &str = "
    SELECT concat_ws(' ', log.op::text, one ->> 'id', json_array_length(whole)::text, whole ->> 1)
    FROM rowcast.change_log AS log
    CROSS JOIN LATERAL json_array_elements(
        CASE WHEN op IN ('m', 'p') THEN image ELSE json_build_array(image) END) AS side (image)
    CROSS JOIN LATERAL (SELECT CASE WHEN json_typeof(side.image) = 'array' THEN side.image
                                    ELSE '[]' END, CASE WHEN json_typeof(side.image) = 'array'
                                    THEN side.image -> 0 ELSE side.image END) AS told (whole, one)
    WHERE log.op IN ('+', '-', 'm', 'p')
    ORDER BY (one ->> 'id')::int, log.op::text";

#[tokio::test]
async fn a_null_in_json_is_told_from_a_missing_value() {
    let facts = "CREATE TABLE facts (id int PRIMARY KEY, said jsonb, note text, must jsonb NOT NULL DEFAULT '0');";
    let (_database, client) = installed(facts, &["facts"]).await;
    let called = "SELECT DISTINCT tgfoid::regproc::text FROM pg_trigger
                  WHERE tgrelid = 'facts'::regclass AND tgname = 'rowcast_log_insert'";
    assert_eq!(texts(&client, called).await, ["rowcast.log_insert_json"]);
    let sql = r#"
        INSERT INTO facts VALUES (1, 'null', 'a,"b"'), (2, NULL, 'b'), (3, '{"a": null}', 'c'),
                                 (4, '1', NULL), (5, NULL, 'null');
        INSERT INTO facts (id, must) SELECT n, 'null' FROM generate_series(6, 40) AS n;
        INSERT INTO facts SELECT n, 'null' FROM generate_series(41, 41) AS n"#;
    client.batch_execute(sql).await.unwrap();
    let told = texts(&client, TOLD).await;
    assert_eq!(
        told[..5],
        [
            r#"+ 1 2 (1,null,"a,""b""",0)"#,
            "+ 2 1",
            "+ 3 0",
            "+ 4 1",
            "+ 5 2 (5,,null,0)"
        ]
    );
    assert_eq!(told[5], "+ 6 2 (6,,,null)");
    assert_eq!(told[39], "p 40 2 (40,,,null)");
    assert_eq!(told[40], "+ 41 2 (41,null,,0)");
    assert_adds_up(&client, "facts").await;
    // Images of every size around the one from which they are trimmed.
    let sql =
        "INSERT INTO facts SELECT n, CASE WHEN n % 2 = 0 THEN 'null'::jsonb END, repeat('x', n)
               FROM generate_series(4000, 8300) AS n; DELETE FROM facts WHERE id = 8200";
    client.batch_execute(sql).await.unwrap();
    let large = "SELECT count(*)::text FROM rowcast.change_log
                 WHERE op IN ('+', '-') AND pg_column_size(image) > 8192";
    assert_eq!(texts(&client, large).await, ["0"]);
    let sql = "UPDATE facts SET said = '0'; ALTER TABLE facts ALTER said SET NOT NULL";
    client.batch_execute(sql).await.unwrap();
    assert_eq!(texts(&client, called).await, ["rowcast.log_insert"]);
}
