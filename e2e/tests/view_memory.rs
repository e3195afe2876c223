//! The memory for the divisions of all views is bounded: what does not fit is forgotten and made again, and what
//! is shown is exact all the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "oracle/snapshots.rs"]
mod snapshots;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use e2e::eventually::{SOON, eventually};
use e2e::http::ask;
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{
    Ack, ClientMsg, Filter, FilterOp, MoveWindow, OpenWindow, RowOp, ServerMsg, SortColumn, Update,
    Value, ViewSpec,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value as Json;
use server::ServerOptions;

use crate::snapshots::{Named, Snapshots};

/// An index serves the orders by `a` and `b`, none those by `name` and `note`. A quarter of the rows has each `part`:
/// their keys take a quarter of a MiB or less.
const ROWS: i64 = 100_000;
const THINGS: &str = "
    CREATE TABLE things (id bigint PRIMARY KEY, part int NOT NULL, a int NOT NULL, b int NOT NULL,
                         name text COLLATE \"C\" NOT NULL, note text COLLATE \"C\" NOT NULL);
    INSERT INTO things SELECT n, n % 4, n * 7919 % 1000, n * 31 % 5003, md5(n::text), md5((n * 3)::text)
        FROM generate_series(1, 100000) AS n;
    CREATE INDEX ON things (a, id);
    CREATE INDEX ON things (b, id);
    VACUUM ANALYZE things;";

async fn things() -> TestDatabase {
    let database = TestDatabase::new().await;
    database.install("", &[]).await;
    for statement in THINGS.split_inclusive(';') {
        database.execute(statement).await;
    }
    database.execute("SELECT rowcast.watch('things')").await;
    database
}

fn options(database: &TestDatabase) -> ServerOptions {
    ServerOptions {
        view_memory_mib: 1,
        ..TestServer::options(database)
    }
}

/// What `/health` says of the memory for views.
async fn memory(server: &TestServer) -> Json {
    let health = ask(server.address(), "GET", "/health", &[], b"").await;
    health.json()["view_memory"].clone()
}

fn number(memory: &Json, name: &str) -> u64 {
    memory[name].as_u64().unwrap()
}

/// Of all rows, or of one part of them, by one column.
#[derive(Clone, Debug)]
struct View {
    part: Option<i64>,
    by: &'static str,
    descending: bool,
}

impl View {
    /// Twenty, of which an index serves four.
    fn all() -> Vec<Self> {
        let mut views = Vec::new();
        for descending in [false, true] {
            for by in ["a", "b"] {
                let part = None;
                views.push(Self {
                    part,
                    by,
                    descending,
                });
            }
            for by in ["name", "note"] {
                views.extend((0..4).map(|part| Self {
                    part: Some(part),
                    by,
                    descending,
                }));
            }
        }
        views
    }

    fn spec(&self) -> ViewSpec {
        ViewSpec {
            filter: self
                .part
                .map(|part| Filter::test("part", FilterOp::Eq, part)),
            sort: vec![SortColumn {
                column: self.by.to_owned(),
                descending: self.descending,
                nulls: None,
            }],
            ..ViewSpec::table("things")
        }
    }

    fn from(&self) -> String {
        let part = self
            .part
            .map_or_else(String::new, |part| format!(" WHERE part = {part}"));
        format!("FROM things{part}")
    }

    fn page(&self, start: u64, count: usize) -> String {
        let (from, by) = (self.from(), self.by);
        let way = if self.descending { "DESC" } else { "ASC" };
        format!("SELECT id {from} ORDER BY {by} {way}, id {way} LIMIT {count} OFFSET {start}")
    }
}

/// Windows on several views, on one socket.
struct Client {
    socket: RawSocket,
    views: Vec<View>,
    windows: Vec<Shown>,
}

#[derive(Clone, Default)]
struct Shown {
    ids: Vec<i64>,
    generation: u32,
    number: u64,
}

impl Client {
    async fn open(server: &TestServer, views: Vec<View>) -> Self {
        let mut socket = RawSocket::connect(&server.socket_url()).await;
        for (window, view) in (0..).zip(&views) {
            let open = OpenWindow {
                window,
                generation: 0,
                view: view.spec(),
                columns: vec!["id".into()],
                start: 0,
                count: 9,
                from_end: false,
                resume: None,
                allow_expensive: true,
            };
            socket.send(&ClientMsg::Open(open)).await;
        }
        let windows = vec![Shown::default(); views.len()];
        Self {
            socket,
            views,
            windows,
        }
    }

    /// Takes updates until this holds of one.
    async fn until(&mut self, what: &str, holds: impl Fn(&Update) -> bool) -> Update {
        loop {
            let message = self.socket.expect(what, |message| {
                matches!(message, ServerMsg::Update(_) | ServerMsg::Error(_))
            });
            let update = match message.await {
                ServerMsg::Update(update) => update,
                other => panic!("{what}: {other:?}"),
            };
            let shown = &mut self.windows[update.window as usize];
            let before = std::mem::take(&mut shown.ids);
            for op in &update.rows {
                match op {
                    RowOp::Keep { from, count } => {
                        let kept = *from as usize..(*from + *count) as usize;
                        shown.ids.extend_from_slice(&before[kept]);
                    }
                    RowOp::Patch { from, .. } => shown.ids.push(before[*from as usize]),
                    RowOp::Row(row) => match row.key[0] {
                        Value::Int(id) => shown.ids.push(id),
                        ref other => panic!("{other:?}"),
                    },
                }
            }
            shown.number = update.number;
            let ack = Ack {
                window: update.window,
                number: update.number,
            };
            self.socket.send(&ClientMsg::Ack(ack)).await;
            if holds(&update) {
                return update;
            }
        }
    }

    /// Shows other rows of a window, and compares them with the same in PostgreSQL at their version. Where rows come
    /// or go before them meanwhile, they have other positions by then, which the update says.
    async fn jump(&mut self, window: usize, start: u64, snapshots: &Snapshots) {
        let shown = &mut self.windows[window];
        shown.generation += 1;
        let generation = shown.generation;
        let moved = MoveWindow {
            window: window as u32,
            generation,
            start,
            count: 9,
            from_end: false,
            received: shown.number,
        };
        self.socket.send(&ClientMsg::Move(moved)).await;
        let is_there = |update: &Update| {
            update.window as usize == window
                && update.generation == generation
                && update.total_is_exact
        };
        let update = self.until("the rows of a jump", is_there).await;
        let (view, ids) = (&self.views[window], &self.windows[window].ids);
        let named = Named::by(&update.to);
        assert_eq!(named.second, None, "a view without relative dates");
        let held = snapshots.of(&named);
        let rows = held.client().query(&view.page(update.start, 9), &[]).await;
        let expected: Vec<i64> = rows.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(*ids, expected, "{view:?} at {start}");
        let count = format!("SELECT count(*) {}", view.from());
        let count: i64 = held.client().query_one(&count, &[]).await.unwrap().get(0);
        assert_eq!(i64::try_from(update.total), Ok(count), "{view:?}");
    }
}

/// Changes some rows again and again, in ways that move them in every order and from part to part.
async fn write(database: TestDatabase, seed: u64, is_over: Arc<AtomicBool>) {
    let client = database.connect().await;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut next = ROWS + 1 + i64::try_from(seed % 2).unwrap() * ROWS;
    while !is_over.load(Ordering::Relaxed) {
        let id = rng.random_range(1..ROWS);
        let some = format!("id BETWEEN {id} AND {}", id + rng.random_range(0..9));
        let sql = match rng.random_range(0..5) {
            0 => format!("UPDATE things SET a = (a + 77) % 1000, b = b + 1 WHERE {some}"),
            1 => format!("UPDATE things SET name = md5(name), part = (part + 1) % 4 WHERE {some}"),
            2 => format!("UPDATE things SET note = md5(note) WHERE {some}"),
            3 => format!("DELETE FROM things WHERE {some}"),
            _ => {
                next += 20;
                format!(
                    "INSERT INTO things SELECT n, n % 4, n % 1000, n % 5003, md5(n::text), md5('n' || n) \
                     FROM generate_series({next}, {next} + 4) AS n"
                )
            }
        };
        client.batch_execute(&sql).await.unwrap();
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..40))).await;
    }
}

/// Twenty views of some 3.5 MiB share one.
#[tokio::test]
async fn views_are_exact_in_less_memory_than_they_want() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let database = things().await;
    let snapshots = Snapshots::new(database.clone());
    let server = TestServer::with(ServerOptions {
        hook: Some(snapshots.hook()),
        ..options(&database)
    })
    .await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writers = [0, 1].map(|writer| {
        tokio::spawn(write(
            database.clone(),
            (seed & !1) + writer,
            is_over.clone(),
        ))
    });
    let mut clients = Vec::new();
    for views in View::all().chunks(7) {
        clients.push(Client::open(&server, views.to_vec()).await);
    }
    let jumps = clients.into_iter().enumerate().map(|(nth, mut client)| {
        let snapshots = snapshots.clone();
        tokio::spawn(async move {
            let mut rng = ChaCha8Rng::seed_from_u64(seed + nth as u64);
            for _ in 0..50 {
                let window = rng.random_range(0..client.views.len());
                let most = if client.views[window].part.is_some() {
                    23_000
                } else {
                    95_000
                };
                let start = rng.random_range(0..most);
                client.jump(window, start, &snapshots).await;
            }
            client
        })
    });
    let jumps: Vec<_> = jumps.collect();
    // What is accounted for never exceeds the limit, whoever looks at it.
    let mut highest = 0;
    while !jumps.iter().all(tokio::task::JoinHandle::is_finished) {
        let memory = memory(&server).await;
        highest = highest.max(number(&memory, "bytes"));
        assert!(highest <= number(&memory, "limit"), "{memory}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut clients = Vec::new();
    for jump in jumps {
        clients.push(jump.await.unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let memory = memory(&server).await;
    println!("at most {highest} bytes: {memory}");
    assert!(number(&memory, "forgotten") >= 10, "{memory}");
    assert!(
        highest > number(&memory, "limit") / 2,
        "it is used, too: {memory}"
    );
    drop(clients);
    server.stop().await;
}

/// Views that nobody shows are dropped with all that they remember; those that somebody shows stay.
#[tokio::test]
async fn unused_views_are_dropped() {
    let database = things().await;
    let snapshots = Snapshots::new(database.clone());
    let server = TestServer::with(ServerOptions {
        view_idle: Duration::from_millis(100),
        hook: Some(snapshots.hook()),
        ..options(&database)
    })
    .await;
    let views = View::all();
    let mut stays = Client::open(&server, views[..1].to_vec()).await;
    let mut goes = Client::open(&server, views[1..4].to_vec()).await;
    stays.jump(0, 50_000, &snapshots).await;
    for window in 0..3 {
        goes.jump(window, 20_000, &snapshots).await;
    }
    let before = memory(&server).await;
    assert_eq!(number(&before, "divisions"), 4, "{before}");
    drop(goes);
    eventually("the unused views are dropped", SOON, async || {
        number(&memory(&server).await, "divisions") == 1
    })
    .await;
    let after = memory(&server).await;
    assert!(
        number(&after, "bytes") * 4 < number(&before, "bytes"),
        "{after}"
    );
    stays.jump(0, 90_000, &snapshots).await;
    drop(stays);
    eventually("the last one is dropped", SOON, async || {
        number(&memory(&server).await, "bytes") == 0
    })
    .await;
    // Another client has it made again.
    let mut again = Client::open(&server, views[..1].to_vec()).await;
    again.jump(0, 70_000, &snapshots).await;
    server.stop().await;
}
