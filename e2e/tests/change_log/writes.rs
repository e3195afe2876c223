//! Every way to write a table.

use std::time::Duration;

use crate::{ITEMS, READINGS, assert_adds_up, installed, take_log, texts};

#[tokio::test]
async fn each_side_of_a_change_is_logged() {
    let (_database, client) = installed(ITEMS, &["items"]).await;
    let run = async |sql: &str| client.batch_execute(sql).await.unwrap();
    run("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 'NaN')").await;
    assert_eq!(
        take_log(&client).await,
        [
            r#"+ {"id": 1, "name": "a", "price": 1.00}"#,
            r#"+ {"id": 2, "name": "b", "price": "NaN"}"#
        ]
    );
    run("UPDATE items SET id = 3, name = NULL WHERE id = 1").await;
    assert_eq!(
        take_log(&client).await,
        [
            r#"+ {"id": 3, "name": null, "price": 1.00}"#,
            r#"- {"id": 1, "name": "a", "price": 1.00}"#
        ]
    );
    run("DELETE FROM items WHERE id = 3").await;
    assert_eq!(
        take_log(&client).await,
        [r#"- {"id": 3, "name": null, "price": 1.00}"#]
    );
    run("UPDATE items SET name = 'x' WHERE false; DELETE FROM items WHERE false").await;
    run("INSERT INTO items SELECT 1 WHERE false").await;
    assert_eq!(
        take_log(&client).await,
        Vec::<String>::new(),
        "statements that changed no row"
    );
}

#[tokio::test]
async fn the_log_adds_up_whatever_wrote_the_table() {
    let children = "CREATE TABLE parts (
        id int PRIMARY KEY, item int REFERENCES items ON DELETE CASCADE ON UPDATE CASCADE);";
    let (_database, client) = installed(&format!("{ITEMS}{children}"), &["items", "parts"]).await;
    for sql in [
        "INSERT INTO items SELECT n, 'item ' || n, n FROM generate_series(1, 1000) AS n",
        "INSERT INTO parts SELECT n, n % 50 + 1 FROM generate_series(1, 500) AS n",
        "INSERT INTO items VALUES (1, 'again', 1), (2000, 'new', 2)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        "INSERT INTO items VALUES (1, 'ignored', 1) ON CONFLICT DO NOTHING",
        "MERGE INTO items USING (VALUES (1, 'merged'), (2, NULL), (3000, 'born')) AS m (id, name)
         ON items.id = m.id
         WHEN MATCHED AND m.name IS NULL THEN DELETE
         WHEN MATCHED THEN UPDATE SET name = m.name
         WHEN NOT MATCHED THEN INSERT VALUES (m.id, m.name, 3)",
        "COPY items FROM PROGRAM 'printf \"4000\\tcopied\\t4.5\\n4001\\t\\\\\\\\N\\t\\\\\\\\N\\n\"'",
        "WITH gone AS (DELETE FROM items WHERE id > 990 AND id < 1000 RETURNING *)
         INSERT INTO items SELECT id + 10000, name, price FROM gone",
        "UPDATE items SET id = 5000 WHERE id = 5",
        "DELETE FROM items WHERE id IN (6, 7, 5000)",
        "BEGIN; UPDATE items SET name = 'never'; DELETE FROM parts; ROLLBACK",
        "BEGIN; UPDATE items SET price = 1 WHERE id = 10; SAVEPOINT s;
         UPDATE items SET price = 2 WHERE id = 10; ROLLBACK TO s;
         UPDATE items SET price = 3 WHERE id = 10; UPDATE items SET price = 4 WHERE id = 10; COMMIT",
    ] {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_adds_up(&client, "items").await;
        assert_adds_up(&client, "parts").await;
    }
    let xids = "SELECT count(DISTINCT xid)::text FROM rowcast.change_log WHERE image->>'id' = '10'
                AND image->>'price' IN ('1.00', '3.00', '4.00')";
    assert_eq!(
        texts(&client, xids).await,
        ["1"],
        "savepoints keep the transaction's id"
    );
}

#[tokio::test]
async fn a_transaction_rolled_back_leaves_no_trace() {
    let (_database, client) = installed(ITEMS, &["items"]).await;
    client
        .batch_execute("BEGIN; INSERT INTO items VALUES (1); TRUNCATE items; ROLLBACK")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await, Vec::<String>::new());
}

#[tokio::test]
async fn writes_to_any_level_of_a_partition_tree_are_the_roots() {
    let (_database, client) = installed(READINGS, &["readings"]).await;
    for sql in [
        "INSERT INTO readings VALUES (1, 1, 'root'), (2, 11, 'root')",
        "INSERT INTO readings_2 VALUES (3, 12, 'middle')",
        "INSERT INTO readings_2a VALUES (13, 'leaf', 4)",
        "COPY readings_1 FROM PROGRAM 'printf \"5\\t5\\tcopied\\n\"'",
        "COPY readings FROM PROGRAM 'printf \"6\\t6\\tcopied\\n7\\t17\\tcopied\\n\"'",
        "UPDATE readings SET day = 15 WHERE id = 1",
        "UPDATE readings_2 SET value = 'moved' WHERE id = 1",
        "DELETE FROM readings_2a WHERE id = 2",
        "DELETE FROM readings WHERE id = 3",
    ] {
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_adds_up(&client, "readings").await;
    }
    let others = "SELECT DISTINCT table_oid::regclass::text FROM rowcast.change_log";
    assert_eq!(texts(&client, others).await, ["readings"]);
}

#[tokio::test]
async fn truncating_a_table_or_a_partition_is_told_as_what_it_is() {
    let (_database, client) =
        installed(&format!("{ITEMS}{READINGS}"), &["items", "readings"]).await;
    client.batch_execute("TRUNCATE items").await.unwrap();
    assert_eq!(take_log(&client).await, ["T"]);
    client.batch_execute("TRUNCATE readings_1").await.unwrap();
    assert_eq!(take_log(&client).await, ["T"]);
    client.batch_execute("TRUNCATE readings").await.unwrap();
    let told = take_log(&client).await;
    assert!(told.iter().all(|op| op == "T"), "{told:?}");
    client.batch_execute("VACUUM FULL items").await.unwrap();
    client
        .batch_execute("SELECT rowcast.reconcile()")
        .await
        .unwrap();
    assert_eq!(
        take_log(&client).await,
        Vec::<String>::new(),
        "nothing that is not logged yet"
    );
}

#[tokio::test]
async fn session_replication_role_does_not_silence_the_log() {
    let (_database, client) = installed(ITEMS, &["items"]).await;
    client
        .batch_execute("SET session_replication_role = replica; INSERT INTO items VALUES (1)")
        .await
        .unwrap();
    assert_eq!(take_log(&client).await.len(), 1);
}

#[tokio::test]
async fn writers_need_no_privilege_on_the_log() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    client
        .batch_execute(&format!(
            "CREATE ROLE writer_{name}; GRANT ALL ON items TO writer_{name};
             SET ROLE writer_{name}; INSERT INTO items VALUES (1); TRUNCATE items; RESET ROLE"
        ))
        .await
        .unwrap();
    assert_eq!(
        take_log(&client).await,
        [r#"+ {"id": 1, "name": null, "price": null}"#, "T"]
    );
}

#[tokio::test]
async fn many_writers_at_once_are_all_logged() {
    let (database, client) = installed(ITEMS, &["items"]).await;
    let writers: Vec<_> = (0..6)
        .map(|writer| {
            let database = database.clone();
            tokio::spawn(async move {
                let client = database.connect().await;
                for n in 0..100 {
                    let id = writer * 1_000 + n;
                    let sql = format!(
                        "INSERT INTO items VALUES ({id}, 'w', {n});
                         UPDATE items SET price = price + 1 WHERE id % 1000 = {n};
                         DELETE FROM items WHERE id = {}",
                        id - 3
                    );
                    client.batch_execute(&sql).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        tokio::time::timeout(Duration::from_secs(60), writer)
            .await
            .expect("deadlock")
            .unwrap();
    }
    assert_adds_up(&client, "items").await;
}
