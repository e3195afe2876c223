//! Creating the index that is suggested: for administrators, with progress, cancellable, and leaving nothing
//! behind.

use e2e::eventually::SOON;
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{ClientMsg, CreateIndex, ErrorCode, IndexState, ServedVerdict, ServerMsg};
use server::ServerOptions;
use server::db::indexes::indexes;

use crate::messages::{advice, open};
use crate::support::{database, more_rows, spec};

pub(crate) const TOKEN: &str = "a token of the tests";
pub(crate) const BY_NAME: &str = r#"{"sort":[{"column":"name"}]}"#;

pub(crate) async fn started(database: &TestDatabase) -> TestServer {
    TestServer::with(ServerOptions {
        admin_token: Some(TOKEN.parse().unwrap()),
        ..TestServer::options(database)
    })
    .await
}

fn create(id: u64, name: &str, token: &str) -> ClientMsg {
    create_for(BY_NAME, id, name, token)
}

/// Asks for the index that a view is advised to have.
pub(crate) fn create_for(view: &str, id: u64, name: &str, token: &str) -> ClientMsg {
    ClientMsg::CreateIndex(CreateIndex {
        id,
        view: spec(view),
        name: name.to_owned(),
        token: token.to_owned(),
    })
}

/// The states of an index's creation, up to one for which `until` holds.
pub(crate) async fn states(
    socket: &mut RawSocket,
    id: u64,
    until: impl Fn(&IndexState) -> bool,
) -> Vec<IndexState> {
    let mut states = Vec::new();
    loop {
        let is_it =
            |message: &ServerMsg| matches!(message, ServerMsg::IndexProgress(it) if it.id == id);
        let ServerMsg::IndexProgress(progress) = socket.expect("progress", is_it).await else {
            unreachable!()
        };
        states.push(progress.state);
        if states.last().is_some_and(&until) {
            return states;
        }
    }
}

pub(crate) fn is_last(state: &IndexState) -> bool {
    !matches!(state, IndexState::Running { .. })
}

/// Opens the view and returns the name of the index that is suggested for it.
pub(crate) async fn suggested(socket: &mut RawSocket) -> String {
    suggested_for(BY_NAME, 1, socket).await
}

/// The same for another view and window.
pub(crate) async fn suggested_for(view: &str, window: u32, socket: &mut RawSocket) -> String {
    socket.send(&open(window, view, false)).await;
    let advice = advice(socket, window).await;
    assert_eq!(advice.served_by.verdict, ServedVerdict::Unserved);
    advice.suggestion.expect("a suggestion").name
}

/// The names of the table's indexes that are Rowcast's.
pub(crate) async fn ours(database: &TestDatabase) -> Vec<(String, bool)> {
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let there = indexes(&pool, None).await.unwrap().into_iter();
    let ours = there.filter(|index| index.name.starts_with("rowcast_"));
    ours.map(|index| (index.name, index.is_valid)).collect()
}

#[tokio::test]
async fn an_administrator_creates_the_index_that_is_suggested() {
    let (database, _pool) = database(&more_rows()).await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    socket.send(&create(7, &name, TOKEN)).await;
    let states = states(&mut socket, 7, is_last).await;
    assert!(matches!(states.first(), Some(IndexState::Running { .. })));
    assert!(
        matches!(states.last(), Some(IndexState::Done { .. })),
        "{states:?}"
    );
    assert_eq!(ours(&database).await, [(name.clone(), true)]);
    // Whoever shows the view is told.
    let is_served = |message: &ServerMsg| {
        matches!(message, ServerMsg::Advice(advice)
            if advice.served_by.verdict == ServedVerdict::Ordered && advice.served_by.indexes == [name.as_str()])
    };
    socket.expect("advice", is_served).await;
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_creates_anything() {
    let (database, _pool) = database(&more_rows()).await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    let refused = async |socket: &mut RawSocket, message: ClientMsg| {
        socket.send(&message).await;
        match states(socket, 1, is_last).await.pop() {
            Some(IndexState::Failed { code, message }) => (code, message),
            other => panic!("{other:?}"),
        }
    };
    for token in ["", "a token of the test", "a token of the testsX"] {
        let (code, _) = refused(&mut socket, create(1, &name, token)).await;
        assert_eq!(code, ErrorCode::Forbidden, "{token}");
    }
    // Not even an administrator creates what was not suggested.
    let (code, message) = refused(
        &mut socket,
        create(1, "rowcast_x; DROP TABLE orders", TOKEN),
    )
    .await;
    assert_eq!(code, ErrorCode::StaleAdvice);
    assert!(message.contains(&name), "{message}");
    // Guessing ends the socket.
    for _ in 0..2 {
        socket.send(&create(1, &name, "guess")).await;
    }
    assert!(socket.closes_within(SOON).await.is_some());
    server.stop().await;
    // A server without a token says how it gets one.
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let (code, message) = refused(&mut socket, create(1, &name, "")).await;
    assert_eq!(code, ErrorCode::Forbidden);
    assert!(message.contains("ROWCAST_ADMIN_TOKEN"), "{message}");
    assert!(ours(&database).await.is_empty());
    server.stop().await;
}

/// Two equal names: what is there already, and what a failed attempt left.
#[tokio::test]
async fn a_leftover_of_this_name_is_replaced() {
    let (database, _pool) = database(&more_rows()).await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    let leftover = format!(
        "CREATE INDEX {name} ON orders (price); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass"
    );
    database.execute(&leftover).await;
    socket.send(&create(1, &name, TOKEN)).await;
    let states = states(&mut socket, 1, is_last).await;
    assert!(
        matches!(states.last(), Some(IndexState::Done { .. })),
        "{states:?}"
    );
    assert_eq!(ours(&database).await, [(name, true)]);
    server.stop().await;
}

/// What cannot be created leaves nothing: here a value that is too long for an index.
#[tokio::test]
async fn what_fails_leaves_nothing() {
    let (database, _pool) = database(&more_rows()).await;
    database
        .execute(
            "ALTER TABLE orders ALTER name SET STORAGE EXTERNAL; \
             UPDATE orders SET name = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300) n) WHERE id = 3",
        )
        .await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    socket.send(&create(1, &name, TOKEN)).await;
    let states = states(&mut socket, 1, is_last).await;
    let Some(IndexState::Failed { code, message }) = states.last() else {
        panic!("{states:?}")
    };
    assert_eq!(*code, ErrorCode::IndexFailed);
    assert!(
        message.contains("index row") && message.contains("nothing of it is left"),
        "{message}"
    );
    assert!(ours(&database).await.is_empty());
    server.stop().await;
}
