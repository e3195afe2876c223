//! Creating the index of a partitioned table: partition by partition, and back.

use e2e::{RawSocket, TestDatabase};
use protocol::{ErrorCode, IndexState};

use crate::creating::{TOKEN, create_for, is_last, ours, started, states, suggested_for};
use crate::messages::{advice, open};
use crate::support::{database, more_rows};
use crate::waiting::{Open, cancel, failed, is_done};

const BY_NAME: &str = r#"{"table":"parts","sort":[{"column":"name"}]}"#;

/// Partitions of two levels, with an odd name.
async fn parts() -> TestDatabase {
    let (database, _pool) = database(&more_rows()).await;
    let parts = "
        CREATE TABLE parts (tenant integer NOT NULL, id bigint NOT NULL, name text NOT NULL, PRIMARY KEY (tenant, id))
            PARTITION BY RANGE (tenant);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (16);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (16) TO (64) PARTITION BY LIST (tenant);
        CREATE TABLE \"Parts 3\" PARTITION OF parts_2 FOR VALUES IN (16, 17);
        CREATE TABLE parts_4 PARTITION OF parts_2 DEFAULT;
        INSERT INTO parts SELECT tenant, id, name FROM orders;
        SELECT rowcast.watch('parts')";
    database.execute(parts).await;
    database.execute("VACUUM ANALYZE parts").await;
    database
}

/// The index that is suggested. Nothing is shown from then on, since the transaction that counts a view is one more to
/// wait for.
async fn suggested(socket: &mut RawSocket) -> String {
    let name = suggested_for(BY_NAME, 1, socket).await;
    let close = protocol::CloseWindow { window: 1 };
    socket.send(&protocol::ClientMsg::Close(close)).await;
    name
}

/// Indexes of partitions that are attached to another one.
async fn attached(database: &TestDatabase) -> i64 {
    let sql = "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid \
               WHERE relkind IN ('i', 'I') AND relname LIKE 'rowcast%'";
    let client = database.connect().await;
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Waits for a lock that keeps the partitioned table's own index from being created, after those of the
/// partitions; writers wait for nobody meanwhile.
#[tokio::test]
async fn it_is_all_there_or_nothing_is() {
    let database = parts().await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    let lock = "LOCK TABLE ONLY parts IN ROW EXCLUSIVE MODE";
    for is_cancelled in [true, false] {
        let holder = Open::begin(&database, lock).await;
        socket.send(&create_for(BY_NAME, 1, &name, TOKEN)).await;
        let is_held = |state: &IndexState| {
            let what = "step 4 of 9: waiting for a lock";
            holder.is_named(state, what) || is_last(state)
        };
        let heard = states(&mut socket, 1, is_held).await;
        assert!(!is_last(heard.last().unwrap()), "{heard:?}");
        let three_leaves = ours(&database).await;
        assert_eq!(three_leaves.len(), 3, "{three_leaves:?}");
        // It gives way to writers again and again.
        let insert = "INSERT INTO parts SELECT 3, 1000000 + count(*), 'x' FROM parts";
        database.execute(insert).await;
        if is_cancelled {
            socket.send(&cancel(1)).await;
            let last = states(&mut socket, 1, is_last).await.pop().unwrap();
            let said = (ErrorCode::Cancelled, "stopped; nothing of it is left");
            assert_eq!(failed(&last), said);
            assert!(ours(&database).await.is_empty());
            holder.end().await;
        } else {
            holder.end().await;
            let last = states(&mut socket, 1, is_last).await.pop().unwrap();
            assert!(is_done(&last), "{last:?}");
        }
    }
    let there = ours(&database).await;
    assert!(
        there.len() == 5 && there.iter().all(|(_, valid)| *valid),
        "{there:?}"
    );
    assert_eq!(attached(&database).await, 4);
    server.stop().await;
}

/// Stopped while the indexes of the partitions are attached one by one: what is attached is dropped with the index
/// that it is attached to.
#[tokio::test]
async fn what_is_attached_already_is_dropped_too() {
    let database = parts().await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    let writer = Open::begin(&database, "LOCK TABLE ONLY parts IN ROW EXCLUSIVE MODE").await;
    socket.send(&create_for(BY_NAME, 1, &name, TOKEN)).await;
    states(&mut socket, 1, |state| {
        writer.is_named(state, "waiting for a lock")
    })
    .await;
    // Whoever reads a partition keeps its index from being attached.
    let reader = Open::begin(&database, "SELECT name FROM parts_1 WHERE name = 'x'").await;
    writer.end().await;
    states(&mut socket, 1, |state| {
        reader.is_named(state, "waiting for a lock")
    })
    .await;
    assert!(attached(&database).await > 0);
    socket.send(&cancel(1)).await;
    let dropping = "dropping what was created: waiting for a lock";
    states(&mut socket, 1, |state| reader.is_named(state, dropping)).await;
    reader.end().await;
    let last = states(&mut socket, 1, is_last).await.pop().unwrap();
    let said = (ErrorCode::Cancelled, "stopped; nothing of it is left");
    assert_eq!(failed(&last), said);
    assert!(ours(&database).await.is_empty());
    server.stop().await;
}

/// An earlier attempt created all but one partition's index, and nobody dropped what there was.
#[tokio::test]
async fn what_is_there_already_is_kept() {
    let database = parts().await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open(1, BY_NAME, false)).await;
    let suggestion = advice(&mut socket, 1).await.suggestion.unwrap();
    let statements: Vec<&str> = suggestion.sql.split(";\n").collect();
    assert_eq!(statements.len(), 9, "{statements:#?}");
    for statement in &statements[1..8] {
        database.execute(statement).await;
    }
    let before = ours(&database).await;
    assert_eq!(
        before.iter().filter(|(_, valid)| !valid).count(),
        1,
        "{before:?}"
    );
    let create = create_for(BY_NAME, 2, &suggestion.name, TOKEN);
    socket.send(&create).await;
    let last = states(&mut socket, 2, is_last).await.pop().unwrap();
    assert!(is_done(&last), "{last:?}");
    let there = ours(&database).await;
    assert!(
        there.len() == 5 && there.iter().all(|(_, valid)| *valid),
        "{there:?}"
    );
    server.stop().await;
}
