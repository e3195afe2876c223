//! What a batch of changes costs PostgreSQL: as many statements for one window of each order as for ten thousand.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::time::Duration;

use e2e::{RawSocket, TestDatabase, TestServer, eventually};
use futures_util::stream::{self, StreamExt};
use protocol::{
    Ack, ClientMsg, Filter, FilterOp, OpenWindow, ServerMsg, SortColumn, Update, Value, ViewSpec,
};

/// `word` is ordered by a collation that only PostgreSQL knows: places of new values are asked for.
const ITEMS: &str = "
    CREATE TABLE items (id int PRIMARY KEY, price int, stock int, word text COLLATE \"und-x-icu\");
    INSERT INTO items SELECT n, n * 7 % 2003, n % 50, 'word ' || n * 13 % 2003
    FROM generate_series(1, 2000) AS n;
    CREATE INDEX ON items (price, id); CREATE INDEX ON items (stock, id); CREATE INDEX ON items (word, id);";

/// Windows on one socket.
const PER_SOCKET: usize = 16;
/// Sockets that open windows at the same time.
const OPENING: usize = 16;
/// What ten thousand windows may take to be told.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server says to PostgreSQL whether or not anything changed: looks at the log, and housekeeping; and what its
/// driver asks when a connection meets a type for the first time.
const ALWAYS: [&str; 9] = [
    "BEGIN",
    "COMMIT",
    "SET LOCAL",
    "rowcast.",
    "pg_advisory",
    "pg_try_advisory",
    "SELECT pg_current_snapshot()::text$",
    "SELECT 1$",
    "SELECT pg_type.oid,",
];

#[tokio::test]
async fn statements_per_batch_do_not_depend_on_the_number_of_windows() {
    let database = TestDatabase::in_own_cluster().await;
    for setting in ["log_statement = 'all'", "log_line_prefix = '%a|'"] {
        database
            .execute(&format!("ALTER SYSTEM SET {setting}"))
            .await;
    }
    database.execute("SELECT pg_reload_conf()").await;
    database.install(ITEMS, &["items"]).await;
    let server = TestServer::start(&database).await;
    let mut sockets: Vec<RawSocket> = Vec::new();
    let mut opened = 0;
    let mut counts = Vec::new();
    for windows in [4, 100, 1_000, 10_000] {
        while sockets.len() * PER_SOCKET < windows {
            sockets.push(RawSocket::connect(&server.socket_url()).await);
        }
        open_all(&mut sockets, opened..windows).await;
        opened = windows;
        let before = settled(&database).await;
        // Moves the row in every order, and changes what every window with it shows.
        let change = "UPDATE items SET price = price + 2, word = word || '!' WHERE id IN (3, 5)";
        database.execute(change).await;
        // The first window shows the table from its first row on.
        let shown = sockets[0]
            .expect("the change", |message| {
                matches!(message, ServerMsg::Update(update) if update.window == 0 && !update.rows.is_empty())
            })
            .await;
        if let ServerMsg::Update(update) = shown {
            ack(&mut sockets[0], &update).await;
        }
        settled(&database).await;
        let statements = asked(&database).await.split_off(before);
        assert!(
            !statements.is_empty(),
            "the server learnt of a change without a question"
        );
        counts.push((windows, statements));
        acknowledge(&mut sockets).await;
    }
    let numbers: Vec<usize> = counts
        .iter()
        .map(|(_, statements)| statements.len())
        .collect();
    assert!(
        numbers.iter().all(|number| *number == numbers[0]),
        "statements per batch for 4, 100, 1,000 and 10,000 windows: {numbers:?}\n{counts:#?}"
    );
}

/// Opens windows on the sockets that they belong to.
async fn open_all(sockets: &mut [RawSocket], windows: Range<usize>) {
    let open_its = async |(nth, socket): (usize, &mut RawSocket)| {
        let its = nth * PER_SOCKET..(nth + 1) * PER_SOCKET;
        for window in its.start.max(windows.start)..its.end.min(windows.end) {
            open(socket, window).await;
        }
    };
    stream::iter(sockets.iter_mut().enumerate())
        .for_each_concurrent(OPENING, open_its)
        .await;
}

/// Opens a window of one of many views, and waits for its rows.
async fn open(socket: &mut RawSocket, nth: usize) {
    let sort = |column: &str| SortColumn {
        column: column.to_owned(),
        descending: nth % 2 == 1,
        nulls: None,
    };
    let window = u32::try_from(nth % PER_SOCKET).unwrap();
    let view = ViewSpec {
        sort: match nth % 4 {
            0 => Vec::new(),
            1 => vec![sort("price")],
            2 => vec![sort("word")],
            _ => vec![sort("stock"), sort("word")],
        },
        // The first window is alone with the view that is asked about least and changes surely.
        filter: (nth > 3).then(|| {
            Filter::test(
                "stock",
                FilterOp::Ge,
                Value::Int(i64::try_from(nth % 40).unwrap()),
            )
        }),
        ..ViewSpec::table("items")
    };
    socket
        .send(&ClientMsg::Open(OpenWindow {
            window,
            generation: 0,
            view,
            columns: Vec::new(),
            start: 0,
            count: 20,
            from_end: false,
            resume: None,
            allow_expensive: true,
        }))
        .await;
    let update = socket
        .expect(
            "rows",
            |message| matches!(message, ServerMsg::Update(update) if update.window == window),
        )
        .await;
    if let ServerMsg::Update(update) = update {
        ack(socket, &update).await;
    }
}

async fn ack(socket: &mut RawSocket, update: &Update) {
    let (window, number) = (update.window, update.number);
    socket.send(&ClientMsg::Ack(Ack { window, number })).await;
}

/// Reads what the sockets were sent, so that the next change is sent to every window.
async fn acknowledge(sockets: &mut [RawSocket]) {
    for socket in sockets {
        let id = 1;
        socket.send(&ClientMsg::Ping(protocol::Ping { id })).await;
        loop {
            match socket.next().await {
                Ok(ServerMsg::Update(update)) => ack(socket, &update).await,
                Ok(ServerMsg::Pong(_)) => break,
                Ok(_) => {}
                Err(closed) => panic!("closed: {closed:?}"),
            }
        }
    }
}

/// The server's statements that a change or a window gave rise to.
async fn asked(database: &TestDatabase) -> Vec<String> {
    let log = database.cluster().log().await;
    let statement = |line: &str| -> Option<String> {
        let said = line.strip_prefix("rowcast|LOG:  ")?;
        let (kind, text) = said.split_once(": ")?;
        let is_statement = kind == "statement" || kind.starts_with("execute ");
        let is_always = ALWAYS.iter().any(|always| match always.strip_suffix('$') {
            Some(whole) => text == whole,
            None => text.contains(always),
        });
        (is_statement && !is_always).then(|| text.to_owned())
    };
    log.lines().filter_map(statement).collect()
}

/// Waits until the server has nothing more to ask; returns how much it has asked in all.
async fn settled(database: &TestDatabase) -> usize {
    let mut last = None;
    eventually("the server asks nothing more", PATIENCE, async || {
        let before = last.replace(asked(database).await.len());
        let client = database.connect().await;
        client.batch_execute("SELECT pg_sleep(0.3)").await.unwrap();
        before.is_some() && before == last && asked(database).await.len() == last.unwrap()
    })
    .await;
    last.unwrap()
}
