//! What breaks heals by itself, and nothing is missed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client_egui::model::{ConnectionState, Headless, WindowId};
use e2e::eventually::SOON;
use e2e::ports::free_port;
use e2e::server::viewer;
use e2e::viewing::{column, open, shows, until};
use e2e::{RawSocket, ServerProcess, TcpProxy, TestDatabase, TestRedis, TestServer, eventually};
use protocol::{Ack, ClientMsg, OpenWindow, ResetReason, ServerMsg, Update, Value, ViewSpec};
use server::{Database, ServerOptions};

const ITEMS: &str = "
    CREATE TABLE items (id integer PRIMARY KEY, stock integer NOT NULL, note text);
    INSERT INTO items SELECT n, n, repeat('x', 500) FROM generate_series(1, 1000) AS n;";

/// How long PostgreSQL and the connections to it may take to come back.
const RECOVERY: Duration = Duration::from_secs(45);

async fn installed(database: TestDatabase) -> TestDatabase {
    database.install(ITEMS, &["items"]).await;
    database
}

fn set_stock(id: i32, stock: i32) -> String {
    format!("UPDATE items SET stock = {stock} WHERE id = {id}")
}

async fn shows_within(viewer: &mut Headless, window: WindowId, stock: &[&str], patience: Duration) {
    let shown = viewer
        .wait_until(|model| column(model, window, "stock") == stock, patience)
        .await;
    shown.unwrap_or_else(|error| panic!("{:?}: {error}", column(viewer.model(), window, "stock")));
}

fn epoch(viewer: &Headless, window: WindowId) -> String {
    let version = viewer
        .model()
        .window(window)
        .unwrap()
        .cache()
        .version()
        .unwrap();
    version.0.split_once('/').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_killed_listener_loses_nothing() {
    let database = installed(TestDatabase::new().await).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    for round in 100..104 {
        // The change commits while nobody listens, and no other one follows to give it away.
        assert_eq!(database.kill_listeners().await, 1, "one connection listens");
        database.execute(&set_stock(1, round)).await;
        shows(&mut viewer, window, "stock", &[&round.to_string(), "2"]).await;
        eventually("somebody listens again", SOON, async || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND query ILIKE 'LISTEN %'";
            database
                .connect()
                .await
                .query_one(sql, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
                == 1
        })
        .await;
    }
    // Killed with nothing to miss; the next change is seen as ever.
    database.kill_listeners().await;
    database.execute(&set_stock(2, 7)).await;
    shows(&mut viewer, window, "stock", &["103", "7"]).await;
}

#[tokio::test]
async fn every_connection_to_postgres_may_break_at_once() {
    let database = installed(TestDatabase::new().await).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    let log = epoch(&viewer, window);
    database
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid(); \
             UPDATE items SET stock = 50 WHERE id = 2",
        )
        .await;
    shows_within(&mut viewer, window, &["1", "50"], RECOVERY).await;
    until(&mut viewer, "live again", |model| {
        *model.connection() == ConnectionState::Live
    })
    .await;
    assert_eq!(epoch(&viewer, window), log, "the change log went on");
}

#[tokio::test]
async fn a_restarted_postgres_is_followed_again() {
    let database = installed(TestDatabase::in_own_cluster().await).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    let log = epoch(&viewer, window);

    database.cluster().stop().await;
    let is_stale = |state: &ConnectionState| {
        matches!(
            state,
            ConnectionState::Stale {
                since_micros: 1..,
                ..
            }
        )
    };
    until(&mut viewer, "said to be stale", |model| {
        is_stale(model.connection())
    })
    .await;
    // What was true stays on the screen.
    assert_eq!(column(viewer.model(), window, "stock"), ["1", "2"]);

    database.cluster().restart().await;
    database.execute(&set_stock(1, 10)).await;
    shows_within(&mut viewer, window, &["10", "2"], RECOVERY).await;
    let live = |state: &ConnectionState| *state == ConnectionState::Live;
    until(&mut viewer, "live again", |model| live(model.connection())).await;
    assert_eq!(
        epoch(&viewer, window),
        log,
        "a restart in order keeps the change log"
    );
    let value = Value::Int(20);
    viewer
        .act(|model, now| model.edit(window, &[Value::Int(2)], "stock", value, now))
        .unwrap();
    shows(&mut viewer, window, "stock", &["10", "20"]).await;
}

#[tokio::test]
async fn a_crashed_backend_begins_a_new_change_log() {
    let database = installed(TestDatabase::in_own_cluster().await).await;
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open_all(1)).await;
    let before = next_update(&mut socket).await;
    acknowledge(&mut socket, &before).await;

    // A transaction takes a number and writes nothing durable: the crash makes PostgreSQL give the
    // same number to another one.
    let lost = database.connect().await;
    lost.batch_execute("BEGIN").await.unwrap();
    let row = lost
        .query_one("SELECT pg_current_xact_id()::text", &[])
        .await
        .unwrap();
    let number: u64 = row.get::<_, String>(0).parse().unwrap();
    database.cluster().crash_backend().await;
    let mut after = None;
    eventually("PostgreSQL recovers", RECOVERY, async || {
        let Some(client) = database.try_connect().await else {
            return false;
        };
        after = client
            .query_one("SELECT pg_current_xact_id()::text", &[])
            .await
            .ok();
        after.is_some()
    })
    .await;
    let reused: u64 = after.unwrap().get::<_, String>(0).parse().unwrap();
    assert!(
        reused <= number,
        "{reused} was not used before the crash ({number})"
    );
    database.execute(&set_stock(1, -1)).await;
    database.execute(&set_stock(3, -3)).await;

    let mut rows = None;
    let mut reasons = Vec::new();
    while rows != Some(vec![-1, 2, -3]) {
        let update = next_update(&mut socket).await;
        acknowledge(&mut socket, &update).await;
        reasons.extend(update.must_refetch);
        let same_log = update.to.0.split('/').next() == before.to.0.split('/').next();
        assert!(!same_log || update.must_refetch.is_none());
        rows = snapshot_stock(&update).or(rows);
    }
    assert_eq!(reasons[0], ResetReason::EpochChanged);
}

fn open_all(window: u32) -> ClientMsg {
    ClientMsg::Open(OpenWindow {
        window,
        generation: 0,
        view: ViewSpec::table("items"),
        columns: vec!["stock".into()],
        start: 0,
        count: 3,
        from_end: false,
        resume: None,
        allow_expensive: false,
    })
}

async fn next_update(socket: &mut RawSocket) -> Update {
    let deadline = Instant::now() + RECOVERY;
    loop {
        assert!(Instant::now() < deadline, "no update came");
        if let ServerMsg::Update(update) = socket.next().await.unwrap() {
            return update;
        }
    }
}

async fn acknowledge(socket: &mut RawSocket, update: &Update) {
    socket
        .send(&ClientMsg::Ack(Ack {
            window: update.window,
            number: update.number,
        }))
        .await;
}

/// The rows, if all of them are in the update.
fn snapshot_stock(update: &Update) -> Option<Vec<i64>> {
    let cell = |op: &protocol::RowOp| match op {
        protocol::RowOp::Row(row) => match row.cells[..] {
            [Value::Int(stock)] => Some(stock),
            _ => None,
        },
        protocol::RowOp::Patch { cells, .. } => match cells[..] {
            [(0, Value::Int(stock))] => Some(stock),
            _ => None,
        },
        // Kept from the very first update, in which it was its number.
        protocol::RowOp::Keep { from, count: 1 } => Some(i64::from(*from) + 1),
        protocol::RowOp::Keep { .. } => None,
    };
    update.rows.iter().map(cell).collect()
}

#[tokio::test]
async fn a_database_that_falls_silent_is_noticed() {
    let database = installed(TestDatabase::new().await).await;
    let port: u16 = database
        .url()
        .rsplit([':', '/'])
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let proxy = TcpProxy::start(([127, 0, 0, 1], port).into()).await;
    let through = format!("127.0.0.1:{}", proxy.address().port());
    let url = database
        .url()
        .replace(&format!("127.0.0.1:{port}"), &through);
    let options = ServerOptions {
        database: Database::Url(url),
        ..TestServer::options(&database)
    };
    let server = TestServer::with(options).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;

    proxy.blackhole();
    database.execute(&set_stock(1, 11)).await;
    let stale = |state: &ConnectionState| matches!(state, ConnectionState::Stale { .. });
    let noticed = viewer
        .wait_until(|model| stale(model.connection()), RECOVERY)
        .await;
    noticed.expect("a silent database is noticed");
    proxy.clear();
    shows_within(&mut viewer, window, &["11", "2"], RECOVERY).await;
    until(&mut viewer, "live again", |model| {
        *model.connection() == ConnectionState::Live
    })
    .await;
}

#[tokio::test]
async fn redis_may_be_away() {
    let database = installed(TestDatabase::new().await).await;
    let mut redis = TestRedis::start().await;
    let first = TestServer::start_with_redis(&database, &redis).await;
    let second = TestServer::start_with_redis(&database, &redis).await;
    let (mut left, mut right) = (first.viewer().await, second.viewer().await);
    let shown_left = open(&mut left, ViewSpec::table("items"), 0, 2).await;
    let shown_right = open(&mut right, ViewSpec::table("items"), 0, 2).await;

    redis.kill();
    let away = Instant::now();
    let mut stock = 1_000;
    while away.elapsed() < Duration::from_secs(21) {
        stock += 1;
        let edited = Value::Int(i64::from(stock));
        left.act(|model, now| model.edit(shown_left, &[Value::Int(1)], "stock", edited, now))
            .unwrap();
        database.execute(&set_stock(2, stock)).await;
        let expected = stock.to_string();
        shows(&mut right, shown_right, "stock", &[&expected, &expected]).await;
        shows(&mut left, shown_left, "stock", &[&expected, &expected]).await;
        until(&mut left, "the edit is settled", |model| {
            model.edits().next().is_none()
        })
        .await;
    }
    redis.resume().await;
    database.execute(&set_stock(1, 5)).await;
    shows(&mut right, shown_right, "stock", &["5", &stock.to_string()]).await;
    shows(&mut left, shown_left, "stock", &["5", &stock.to_string()]).await;
}

#[tokio::test]
async fn the_leading_server_may_vanish() {
    let database = installed(TestDatabase::new().await).await;
    let redis = TestRedis::start().await;
    let mut leader = ServerProcess::start(&database, Some(&redis), free_port()).await;
    let follower = TestServer::start_with_redis(&database, &redis).await;
    let mut viewer = follower.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    database.execute(&set_stock(1, 10)).await;
    shows(&mut viewer, window, "stock", &["10", "2"]).await;
    leader.kill();
    for stock in ["20", "21", "22"] {
        database
            .execute(&format!("UPDATE items SET stock = {stock} WHERE id = 2"))
            .await;
        shows(&mut viewer, window, "stock", &["10", stock]).await;
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_and_its_client_goes_on() {
    let database = installed(TestDatabase::new().await).await;
    let port = free_port();
    let mut server = ServerProcess::start(&database, None, port).await;
    let mut viewer = viewer(&server.socket_url()).await;
    let window = open(&mut viewer, ViewSpec::table("items"), 500, 2).await;
    server.kill();
    until(&mut viewer, "the loss is noticed", |model| {
        model.hello().is_none()
    })
    .await;
    assert_eq!(column(viewer.model(), window, "stock"), ["501", "502"]);
    database.execute(&set_stock(501, 0)).await;
    let _server = ServerProcess::start(&database, None, port).await;
    shows_within(&mut viewer, window, &["0", "502"], RECOVERY).await;
    database.execute(&set_stock(502, 0)).await;
    shows(&mut viewer, window, "stock", &["0", "0"]).await;
}

const SLOW_CLIENTS: u32 = 8;
const SLOW_WINDOWS: u32 = 4;
const CHANGES: i32 = 60;

/// A client with large windows that never reads.
async fn slow_client(url: &str) -> RawSocket {
    let mut socket = RawSocket::connect(url).await;
    for window in 0..SLOW_WINDOWS {
        let open = OpenWindow {
            count: 1_000,
            columns: vec![],
            ..opened(window)
        };
        socket.send(&ClientMsg::Open(open)).await;
    }
    socket
}

/// Changes every row again and again; how long a viewer waited for the middle one of the changes.
async fn median_wait(database: &TestDatabase, viewer: &mut Headless, window: WindowId) -> Duration {
    let writer = database.connect().await;
    let mut waits = Vec::new();
    for stock in 0..CHANGES {
        let note = format!("UPDATE items SET note = repeat('{}', 500)", stock % 10);
        writer
            .batch_execute(&format!("{}; {note}", set_stock(1, stock)))
            .await
            .unwrap();
        let began = Instant::now();
        let expected = stock.to_string();
        until(viewer, "the change", |model| {
            column(model, window, "stock")[0] == expected
        })
        .await;
        waits.push(began.elapsed());
    }
    waits.sort();
    waits[waits.len() / 2]
}

#[tokio::test]
async fn clients_that_never_read_hold_bounded_memory_and_slow_nobody() {
    let database = installed(TestDatabase::new().await).await;
    let server = ServerProcess::start(&database, None, free_port()).await;
    let mut viewer = viewer(&server.socket_url()).await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 1).await;
    let alone = median_wait(&database, &mut viewer, window).await;

    let baseline = server.resident_kib();
    let mut slow = Vec::new();
    for _ in 0..SLOW_CLIENTS {
        slow.push(slow_client(&server.socket_url()).await);
    }
    let together = median_wait(&database, &mut viewer, window).await;
    let grown = server.resident_kib().saturating_sub(baseline) / 1024;
    println!("{grown} MiB more; {alone:?} alone, {together:?} beside clients that never read");
    // Half a megabyte in each of 32 windows, changed 60 times, would be 1 GB.
    assert!(grown < 150, "the server holds {grown} MiB more than before");
    assert!(
        together < alone * 3 + Duration::from_millis(200),
        "{together:?} after {alone:?}"
    );
}

#[tokio::test]
async fn a_client_that_lies_about_reading_is_cut() {
    let database = installed(TestDatabase::new().await).await;
    let server = TestServer::start(&database).await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 1).await;
    let mut liar = slow_client(&server.socket_url()).await;
    let is_cut = Arc::new(AtomicBool::new(false));
    let noticed = is_cut.clone();
    let lying = tokio::spawn(async move {
        for number in 1.. {
            // Says that it has applied everything, and reads nothing.
            for window in 0..SLOW_WINDOWS {
                let ack = ClientMsg::Ack(Ack { window, number });
                if liar
                    .try_send_text(&serde_json::to_string(&ack).unwrap())
                    .await
                    .is_err()
                {
                    return noticed.store(true, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let began = Instant::now();
    while !is_cut.load(Ordering::Relaxed) {
        assert!(
            began.elapsed() < RECOVERY * 2,
            "the server keeps on buffering"
        );
        median_wait(&database, &mut viewer, window).await;
    }
    lying.await.unwrap();
}

fn opened(window: u32) -> OpenWindow {
    match open_all(window) {
        ClientMsg::Open(open) => open,
        other => unreachable!("{other:?}"),
    }
}
