//! Creating an index while transactions are open that it has to wait for: its progress names them, and stopping it
//! leaves nothing behind.

use e2e::eventually::SOON;
use e2e::{RawSocket, TestDatabase, TestServer, eventually};
use protocol::{CancelIndex, ClientMsg, ErrorCode, IndexState};
use tokio_postgres::Client;

use crate::creating::{
    BY_NAME, TOKEN, create_for, is_last, ours, started, states, suggested, suggested_for,
};
use crate::support::{database, more_rows};

const BY_BRAND: &str = r#"{"sort":[{"column":"brand"}]}"#;

/// A transaction that has done something and stays open.
pub(crate) struct Open {
    client: Client,
    pub(crate) pid: i32,
}

impl Open {
    pub(crate) async fn begin(database: &TestDatabase, sql: &str) -> Self {
        let client = database.connect().await;
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await;
        let pid = row.unwrap().get(0);
        let begin = format!("SET application_name = 'a writer'; BEGIN; {sql}");
        client.batch_execute(&begin).await.unwrap();
        Self { client, pid }
    }

    /// A transaction that has written to the table.
    pub(crate) async fn writer(database: &TestDatabase) -> Self {
        Self::begin(database, "UPDATE orders SET gift = NOT gift WHERE id = 7").await
    }

    pub(crate) async fn end(self) {
        self.client.batch_execute("COMMIT").await.unwrap();
    }

    /// Whether a state says that it waits for this transaction.
    pub(crate) fn is_named(&self, state: &IndexState, what: &str) -> bool {
        let name = format!("(process {}, a writer, idle in transaction)", self.pid);
        matches!(state, IndexState::Running { phase, .. } if phase.contains(what) && phase.contains(&name))
    }
}

pub(crate) fn cancel(id: u64) -> ClientMsg {
    ClientMsg::CancelIndex(CancelIndex { id })
}

/// A server on a table that wants an index, which a transaction keeps from being created.
struct Scene {
    database: TestDatabase,
    server: TestServer,
    socket: RawSocket,
    name: String,
    writer: Open,
}

impl Scene {
    /// The creation has begun, as number 1, and waits.
    async fn waiting() -> Self {
        let (database, _pool) = database(&more_rows()).await;
        let server = started(&database).await;
        let mut socket = RawSocket::connect(&server.socket_url()).await;
        let name = suggested(&mut socket).await;
        let writer = Open::writer(&database).await;
        let mut scene = Self {
            database,
            server,
            socket,
            name,
            writer,
        };
        scene.create(1).await;
        scene
            .until_named(1, "waiting for writers before build")
            .await;
        scene
    }

    async fn create(&mut self, id: u64) {
        let create = create_for(BY_NAME, id, &self.name, TOKEN);
        self.socket.send(&create).await;
    }

    async fn until_named(&mut self, id: u64, what: &str) {
        let writer = &self.writer;
        let is_named = |state: &IndexState| writer.is_named(state, what) || is_last(state);
        let states = states(&mut self.socket, id, is_named).await;
        let last = states.last().unwrap();
        assert!(writer.is_named(last, what), "{states:?}");
    }

    async fn last(&mut self, id: u64) -> IndexState {
        let states = states(&mut self.socket, id, is_last).await;
        states.last().unwrap().clone()
    }
}

pub(crate) fn is_done(state: &IndexState) -> bool {
    matches!(state, IndexState::Done { .. })
}

/// The code and the message of what failed.
pub(crate) fn failed(state: &IndexState) -> (ErrorCode, &str) {
    match state {
        IndexState::Failed { code, message } => (*code, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn progress_names_the_writer_that_it_waits_for() {
    let mut scene = Scene::waiting().await;
    assert_eq!(ours(&scene.database).await, [(scene.name.clone(), false)]);
    scene.writer.end().await;
    let states = states(&mut scene.socket, 1, is_last).await;
    assert!(is_done(states.last().unwrap()), "{states:?}");
    assert_eq!(ours(&scene.database).await, [(scene.name, true)]);
    scene.server.stop().await;
}

#[tokio::test]
async fn what_is_stopped_is_dropped_as_soon_as_the_writer_allows() {
    let mut scene = Scene::waiting().await;
    scene.socket.send(&cancel(1)).await;
    let dropping = "dropping what was created: waiting for a lock";
    scene.until_named(1, dropping).await;
    // Until it is gone, no other creation begins; the same number and name are no exception.
    scene.create(2).await;
    let refused = scene.last(2).await;
    let (code, message) = failed(&refused);
    assert_eq!(code, ErrorCode::RateLimited);
    assert!(message.contains("is being stopped"), "{message}");

    scene.writer.end().await;
    let last = states(&mut scene.socket, 1, is_last).await.pop().unwrap();
    assert_eq!(
        failed(&last),
        (ErrorCode::Cancelled, "stopped; nothing of it is left")
    );
    assert!(ours(&scene.database).await.is_empty());
    // And it can be asked for again.
    scene
        .socket
        .send(&create_for(BY_NAME, 1, &scene.name, TOKEN))
        .await;
    let last = states(&mut scene.socket, 1, is_last).await.pop().unwrap();
    assert!(is_done(&last), "{last:?}");
    assert_eq!(ours(&scene.database).await, [(scene.name, true)]);
    scene.server.stop().await;
}

/// Whenever it is stopped: the index is there or nothing is, and what is told is true.
#[tokio::test]
async fn stopping_at_any_moment_leaves_all_or_nothing() {
    let (database, _pool) = database(&more_rows()).await;
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let name = suggested(&mut socket).await;
    for (id, heard) in (1..).zip([0, 0, 1, 1, 2, 2, 3, 3]) {
        socket.send(&create_for(BY_NAME, id, &name, TOKEN)).await;
        let mut last = None;
        for _ in 0..heard {
            let state = states(&mut socket, id, |_| true).await.pop().unwrap();
            last = is_last(&state).then_some(state);
            if last.is_some() {
                break;
            }
        }
        let last = match last {
            Some(last) => last,
            None => {
                socket.send(&cancel(id)).await;
                states(&mut socket, id, is_last).await.pop().unwrap()
            }
        };
        if is_done(&last) {
            assert_eq!(ours(&database).await, [(name.clone(), true)]);
            database.execute(&format!("DROP INDEX {name}")).await;
        } else {
            let (code, message) = failed(&last);
            assert_eq!(code, ErrorCode::Cancelled, "{message}");
            assert!(ours(&database).await.is_empty(), "{message}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn it_goes_on_without_whoever_asked_for_it() {
    let scene = Scene::waiting().await;
    drop(scene.socket);
    let mut other = RawSocket::connect(&scene.server.socket_url()).await;
    // Whoever asks for the same follows it from there, and whoever did not ask cannot stop it.
    let create = create_for(BY_NAME, 5, &scene.name, TOKEN);
    other.send(&create).await;
    let writer = &scene.writer;
    states(&mut other, 5, |state| writer.is_named(state, "waiting")).await;
    other.send(&cancel(1)).await;
    let is_refusal = |message: &protocol::ServerMsg| matches!(message, protocol::ServerMsg::Error(error) if error.code == ErrorCode::StaleAdvice);
    other.expect("a refusal", is_refusal).await;
    drop(other);
    scene.writer.end().await;
    eventually("the index is created", SOON, async || {
        ours(&scene.database).await == [(scene.name.clone(), true)]
    })
    .await;
    scene.server.stop().await;
}

#[tokio::test]
async fn one_is_created_at_a_time() {
    let mut scene = Scene::waiting().await;
    let other = suggested_for(BY_BRAND, 2, &mut scene.socket).await;
    assert_ne!(other, scene.name);
    let create = create_for(BY_BRAND, 2, &other, TOKEN);
    scene.socket.send(&create).await;
    let refused = scene.last(2).await;
    let (code, message) = failed(&refused);
    assert_eq!(code, ErrorCode::RateLimited);
    assert!(message.contains(&scene.name), "{message}");
    // A number that is taken is not taken twice.
    scene
        .socket
        .send(&create_for(BY_BRAND, 1, &other, TOKEN))
        .await;
    let refused = scene.last(1).await;
    assert_eq!(failed(&refused).0, ErrorCode::RateLimited);
    assert_eq!(ours(&scene.database).await, [(scene.name.clone(), false)]);
    scene.writer.end().await;
    let last = states(&mut scene.socket, 1, is_last).await.pop().unwrap();
    assert!(is_done(&last), "{last:?}");
    // Now it is the other's turn.
    scene
        .socket
        .send(&create_for(BY_BRAND, 2, &other, TOKEN))
        .await;
    let last = states(&mut scene.socket, 2, is_last).await.pop().unwrap();
    assert!(is_done(&last), "{last:?}");
    assert_eq!(ours(&scene.database).await.len(), 2);
    scene.server.stop().await;
}

/// A server that stops cannot wait for a writer: the leftover is replaced by the next attempt.
#[tokio::test]
async fn a_server_that_stops_leaves_what_the_next_attempt_replaces() {
    let scene = Scene::waiting().await;
    let (database, name, writer) = (scene.database, scene.name, scene.writer);
    drop(scene.socket);
    scene.server.stop().await;
    assert_eq!(ours(&database).await, [(name.clone(), false)]);
    let server = started(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&create_for(BY_NAME, 1, &name, TOKEN)).await;
    states(&mut socket, 1, |state| {
        writer.is_named(state, "waiting for a lock")
    })
    .await;
    writer.end().await;
    let last = states(&mut socket, 1, is_last).await.pop().unwrap();
    assert!(is_done(&last), "{last:?}");
    assert_eq!(ours(&database).await, [(name, true)]);
    server.stop().await;
}
