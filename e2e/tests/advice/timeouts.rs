//! How long queries may take, by what they are for: a coded error that says so and helps, and a connection that is
//! fit for the next.

use std::time::{Duration, Instant};

use e2e::eventually::{SOON, eventually};
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{ClientMsg, Edit, EditOutcome, ErrorCode, ServerMsg, Value};
use server::ServerOptions;
use server::db::pool;
use server::db::timeouts::{QueryClass, Timeouts, begin};

use crate::messages::open;
use crate::support::{database, more_rows};

/// No query of the server's runs in this database any more.
async fn idle(database: &TestDatabase) -> bool {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name = 'rowcast' AND state <> 'idle'";
    let row = database.connect().await.query_one(sql, &[]).await.unwrap();
    row.get::<_, i64>(0) == 0
}

#[tokio::test]
async fn every_class_has_its_limit() {
    let database = TestDatabase::new().await;
    let timeouts = Timeouts {
        first_rows: Duration::from_secs(11),
        count: Duration::from_secs(12),
        summary: Duration::from_secs(13),
        export: Duration::from_secs(14),
        edit: Duration::from_secs(15),
        catalogue: Duration::from_secs(16),
    };
    let pool = pool::connect(database.url(), 2, timeouts).await.unwrap();
    let read = "SELECT current_setting('statement_timeout')";
    for (class, expected) in QueryClass::ALL.into_iter().zip(11..) {
        let mut transaction = begin(&pool, class).await.unwrap();
        let limit: String = sqlx::query_scalar(read)
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(limit, format!("{expected}s"), "{class:?}");
    }
    let limit: String = sqlx::query_scalar(read).fetch_one(&pool).await.unwrap();
    assert_eq!(limit, "11s");
}

/// Rows whose text takes long to write: a type with a cast to `json` is told as its own text.
const SLOW_STAGE: &str = "
    CREATE FUNCTION quoted(stage) RETURNS json LANGUAGE sql AS $$ SELECT to_json(enum_out($1)::text) $$;
    CREATE FUNCTION slowly(stage) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.3); RETURN enum_out($1); END $$;
    CREATE CAST (stage AS json) WITH FUNCTION quoted(stage);
    CREATE CAST (stage AS text) WITH FUNCTION slowly(stage);";

#[tokio::test]
async fn rows_that_take_too_long_are_refused_with_the_index_that_helps() {
    let (database, _pool) = database(&format!("{}; {SLOW_STAGE}", more_rows())).await;
    let timeouts = Timeouts {
        first_rows: Duration::from_secs(1),
        ..Timeouts::default()
    };
    let options = ServerOptions {
        timeouts,
        ..TestServer::options(&database)
    };
    let server = TestServer::with(options).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket
        .send(&open(1, r#"{"sort":[{"column":"name"}]}"#, false))
        .await;
    let refused = socket
        .expect("a refusal", |message| {
            matches!(message, ServerMsg::Error(_))
        })
        .await;
    let ServerMsg::Error(error) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (error.code, error.window),
        (ErrorCode::QueryTimeout, Some(1))
    );
    for part in ["1 s", "CREATE INDEX CONCURRENTLY rowcast_orders_name_id_"] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    eventually("no query is left", SOON, async || idle(&database).await).await;
    server.stop().await;
}

#[tokio::test]
async fn an_edit_does_not_wait_for_ever() {
    let (database, _pool) = database("SELECT").await;
    let timeouts = Timeouts {
        edit: Duration::from_secs(1),
        ..Timeouts::default()
    };
    let options = ServerOptions {
        timeouts,
        ..TestServer::options(&database)
    };
    let server = TestServer::with(options).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open(1, "{}", false)).await;
    socket
        .expect("rows", |message| matches!(message, ServerMsg::Update(_)))
        .await;
    let holder = database.connect().await;
    let lock = "BEGIN; SELECT FROM orders WHERE id = 1 FOR UPDATE";
    holder.batch_execute(lock).await.unwrap();
    let edit = |id, expected: &str, value: &str| {
        ClientMsg::Edit(Edit {
            id,
            window: 1,
            key: vec![Value::Int(1)],
            column: "name".to_owned(),
            expected: Value::text(expected),
            value: Value::text(value),
        })
    };
    let began = Instant::now();
    let name = "order c4ca4238a0b923820dcc509a6f75849b";
    socket.send(&edit(1, name, "changed")).await;
    let is_result = |message: &ServerMsg| matches!(message, ServerMsg::EditResult(_));
    let result = socket.expect("a result", is_result).await;
    let ServerMsg::EditResult(result) = result else {
        panic!("{result:?}")
    };
    let EditOutcome::Rejected { code, message } = result.outcome else {
        panic!("{result:?}")
    };
    assert_eq!(code, ErrorCode::QueryTimeout);
    assert!(message.contains("another transaction"), "{message}");
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    eventually("no query is left", SOON, async || idle(&database).await).await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    socket.send(&edit(2, name, "changed")).await;
    let result = socket.expect("a result", is_result).await;
    assert!(
        matches!(&result, ServerMsg::EditResult(result) if result.outcome == EditOutcome::Applied),
        "{result:?}"
    );
    server.stop().await;
}
