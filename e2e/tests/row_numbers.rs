//! Any row by its number, under any order, in a table too large to be counted at once.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::eventually::{SOON, eventually};
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{
    Ack, ClientMsg, CloseWindow, ErrorCode, Filter, FilterOp, MoveWindow, NullsOrder, OpenWindow,
    RowOp, ServerMsg, SortColumn, Update, Value, ViewSpec, WindowId,
};

const ROWS: u64 = 60_000;

/// Sorted by `rank` an index serves it, by `name` (under a linguistic collation) none does.
const THINGS: &str = "
    CREATE TABLE things (
        id bigint PRIMARY KEY,
        rank integer NOT NULL,
        mark integer,
        name text COLLATE \"und-x-icu\" NOT NULL,
        note text NOT NULL
    );
    INSERT INTO things SELECT n, n * 7919 % 1000, nullif(n * 31 % 50, 0),
        chr(97 + n * 17 % 26) || CASE n % 3 WHEN 0 THEN 'É' WHEN 1 THEN 'e' ELSE 'E' END || n % 500,
        repeat('ab', 60) || n
        FROM generate_series(1, 60000) AS n;
    CREATE INDEX ON things (rank, id);
    CREATE INDEX ON things (mark DESC NULLS LAST, id DESC);
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

fn sorted(columns: &[(&str, bool, Option<NullsOrder>)]) -> ViewSpec {
    let column = |&(column, descending, nulls): &(&str, bool, Option<NullsOrder>)| SortColumn {
        column: column.to_owned(),
        descending,
        nulls,
    };
    ViewSpec {
        sort: columns.iter().map(column).collect(),
        ..ViewSpec::table("things")
    }
}

/// One window on a socket of its own, with the rows that it was sent.
struct Shown {
    socket: RawSocket,
    ids: Vec<i64>,
    last: Option<Update>,
    generation: u32,
    progress: usize,
}

impl Shown {
    async fn open(server: &TestServer, view: ViewSpec, start: u64, count: u32) -> Self {
        Self::asked(server, view, start, count, false).await
    }

    async fn asked(
        server: &TestServer,
        view: ViewSpec,
        start: u64,
        count: u32,
        from_end: bool,
    ) -> Self {
        let mut socket = RawSocket::connect(&server.socket_url()).await;
        let open = OpenWindow {
            window: 1,
            generation: 0,
            view,
            columns: vec!["id".into()],
            start,
            count,
            from_end,
            resume: None,
            allow_expensive: true,
        };
        socket.send(&ClientMsg::Open(open)).await;
        Self {
            socket,
            ids: Vec::new(),
            last: None,
            generation: 0,
            progress: 0,
        }
    }

    /// The next update, applied and acknowledged.
    async fn update(&mut self) -> Update {
        loop {
            let message = self.socket.expect("an update", |message| {
                matches!(
                    message,
                    ServerMsg::Update(_) | ServerMsg::Progress(_) | ServerMsg::Error(_)
                )
            });
            match message.await {
                ServerMsg::Update(update) => {
                    self.apply(&update).await;
                    return update;
                }
                ServerMsg::Progress(progress) => {
                    assert!(progress.counted <= progress.expected);
                    self.progress += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    async fn apply(&mut self, update: &Update) {
        let before = if update.from.is_some() {
            std::mem::take(&mut self.ids)
        } else {
            Vec::new()
        };
        self.ids = Vec::new();
        for op in &update.rows {
            match op {
                RowOp::Keep { from, count } => {
                    let kept = *from as usize..(*from + *count) as usize;
                    self.ids.extend_from_slice(&before[kept]);
                }
                RowOp::Patch { from, .. } => self.ids.push(before[*from as usize]),
                RowOp::Row(row) => match row.key[0] {
                    Value::Int(id) => self.ids.push(id),
                    ref other => panic!("{other:?}"),
                },
            }
        }
        self.last = Some(update.clone());
        let ack = Ack {
            window: 1,
            number: update.number,
        };
        self.socket.send(&ClientMsg::Ack(ack)).await;
    }

    /// Updates until the total is exact.
    async fn counted(&mut self) -> Update {
        loop {
            match &self.last {
                Some(update) if update.total_is_exact => return update.clone(),
                _ => drop(self.update().await),
            }
        }
    }

    /// The rows from another position on.
    async fn jump(&mut self, start: u64, count: u32) -> Update {
        self.generation += 1;
        let moved = MoveWindow {
            window: 1,
            generation: self.generation,
            start,
            count,
            from_end: false,
            received: self.last.as_ref().map_or(0, |update| update.number),
        };
        self.socket.send(&ClientMsg::Move(moved)).await;
        loop {
            let update = self.update().await;
            if update.generation == self.generation {
                return update;
            }
        }
    }

    async fn refusal(&mut self) -> (ErrorCode, String, Option<WindowId>) {
        let message = self
            .socket
            .expect("an error", |message| matches!(message, ServerMsg::Error(_)));
        match message.await {
            ServerMsg::Error(error) => (error.code, error.message, error.window),
            other => panic!("{other:?}"),
        }
    }
}

async fn ids(database: &TestDatabase, query: &str) -> Vec<i64> {
    let rows = database.connect().await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn first_rows_come_before_the_count() {
    let database = things().await;
    let server = TestServer::start(&database).await;
    let mut top = Shown::open(&server, sorted(&[("rank", false, None)]), 0, 20).await;
    let first = top.update().await;
    assert!(!first.total_is_exact, "{first:?}");
    assert!(first.total.abs_diff(ROWS) < ROWS / 10, "{}", first.total);
    let query = "SELECT id FROM things ORDER BY rank, id LIMIT 20";
    assert_eq!(top.ids, ids(&database, query).await);
    assert_eq!(top.counted().await.total, ROWS);
    assert_eq!(top.ids, ids(&database, query).await);
}

#[tokio::test]
async fn last_rows_come_before_the_count_and_follow_the_end() {
    let database = things().await;
    let server = TestServer::start(&database).await;
    let mut end = Shown::asked(&server, ViewSpec::table("things"), 0, 10, true).await;
    let first = end.update().await;
    assert!(!first.total_is_exact, "{first:?}");
    let last: Vec<i64> = (59_991..=60_000).collect();
    assert_eq!(end.ids, last);
    let counted = end.counted().await;
    assert_eq!((counted.total, counted.start), (ROWS, ROWS - 10));
    assert_eq!(end.ids, last);
    database
        .execute("INSERT INTO things VALUES (60001, 1, 1, 'x', 'y')")
        .await;
    let grown = end.update().await;
    assert_eq!((grown.total, grown.start), (ROWS + 1, ROWS - 9));
    assert_eq!(end.ids, (59_992..=60_001).collect::<Vec<i64>>());
}

/// Jumps anywhere under orders that an index serves in one direction, in mixed directions and with NULLs, and
/// under one that none serves.
#[tokio::test]
async fn every_row_number_is_the_databases() {
    let database = things().await;
    let server = TestServer::start(&database).await;
    let orders = [
        (sorted(&[]), "id"),
        (sorted(&[("rank", true, None)]), "rank DESC, id DESC"),
        (
            sorted(&[("mark", true, Some(NullsOrder::Last))]),
            "mark DESC NULLS LAST, id DESC",
        ),
        (
            sorted(&[
                ("mark", false, Some(NullsOrder::First)),
                ("rank", true, None),
            ]),
            "mark NULLS FIRST, rank DESC, id DESC",
        ),
        (sorted(&[("name", false, None)]), "name, id"),
    ];
    for (view, order) in orders {
        let mut shown = Shown::open(&server, view, 30_000, 7).await;
        for start in [30_000, 59_995, 0, 1_023, 1_025, 44_444, 58_999, 255, 12_345] {
            let update = shown.jump(start, 7).await;
            assert!(update.total_is_exact && update.total == ROWS, "{update:?}");
            assert_eq!(update.start, start);
            let query = format!("SELECT id FROM things ORDER BY {order} LIMIT 7 OFFSET {start}");
            assert_eq!(
                shown.ids,
                ids(&database, &query).await,
                "{order} at {start}"
            );
        }
        // Every row moves; what is shown stays shown, and a jump finds the new order.
        database
            .execute("UPDATE things SET rank = (rank + 500) % 1000 WHERE id % 3 = 0 AND id < 3000")
            .await;
        let marker = shown.jump(20_000, 5).await;
        let query = format!(
            "SELECT id FROM things ORDER BY {order} LIMIT 5 OFFSET {}",
            marker.start
        );
        let mut expected = ids(&database, &query).await;
        while shown.ids != expected {
            let update = shown.update().await;
            let query = format!(
                "SELECT id FROM things ORDER BY {order} LIMIT 5 OFFSET {}",
                update.start
            );
            expected = ids(&database, &query).await;
        }
    }
}

/// Inserts into the view's beginning change the number of every later row at once.
#[tokio::test]
async fn counts_follow_changes_anywhere() {
    let database = things().await;
    let server = TestServer::start(&database).await;
    let view = ViewSpec {
        filter: Some(Filter::test("rank", FilterOp::Lt, 900_i64)),
        ..sorted(&[("name", true, None)])
    };
    let mut shown = Shown::open(&server, view, 40_000, 5).await;
    shown.counted().await;
    let all = "SELECT count(*) FROM things WHERE rank < 900";
    for change in [
        "DELETE FROM things WHERE id % 4 = 0",
        "INSERT INTO things SELECT n, n % 1000, 1, 'zz' || n, 'new' FROM generate_series(70000, 72000) AS n",
        "UPDATE things SET rank = 999 WHERE id BETWEEN 100 AND 2000",
        "UPDATE things SET name = 'a' || id WHERE id BETWEEN 5000 AND 6000",
    ] {
        database.execute(change).await;
        let total = ids(&database, all).await[0];
        loop {
            let update = shown.jump(30_123, 9).await;
            let query = format!(
                "SELECT id FROM things WHERE rank < 900 ORDER BY name DESC, id DESC LIMIT 9 OFFSET {}",
                update.start
            );
            if i64::try_from(update.total) == Ok(total) {
                assert_eq!(shown.ids, ids(&database, &query).await, "{change}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_no_index_serves_needs_memory() {
    let database = things().await;
    let mut options = TestServer::options(&database);
    options.view_memory_mib = 1;
    let server = TestServer::with(options).await;
    let mut shown = Shown::open(&server, sorted(&[("name", false, None)]), 0, 5).await;
    let first = shown.update().await;
    assert!(!first.total_is_exact);
    let query = "SELECT id FROM things ORDER BY name, id LIMIT 5";
    assert_eq!(shown.ids, ids(&database, query).await);
    let far = MoveWindow {
        window: 1,
        generation: 1,
        start: 50_000,
        count: 5,
        from_end: false,
        received: first.number,
    };
    shown.socket.send(&ClientMsg::Move(far)).await;
    let (code, message, window) = shown.refusal().await;
    assert_eq!((code, window), (ErrorCode::NoIndex, Some(1)));
    let (_, sql) = message.split_once("This index would serve it: ").unwrap();
    assert!(
        sql.starts_with("CREATE INDEX CONCURRENTLY rowcast_things_name_id_"),
        "{message}"
    );
    // An index serves this one, in the same memory.
    let mut served = Shown::open(&server, sorted(&[("rank", false, None)]), 50_000, 5).await;
    let query = "SELECT id FROM things ORDER BY rank, id LIMIT 5 OFFSET 50000";
    served.update().await;
    assert_eq!(served.ids, ids(&database, query).await);
    // So is the other one, once it has that index.
    database.execute(sql).await;
    let mut shown = Shown::open(&server, sorted(&[("name", false, None)]), 0, 5).await;
    shown.counted().await;
    shown.jump(50_000, 5).await;
    let query = "SELECT id FROM things ORDER BY name, id LIMIT 5 OFFSET 50000";
    assert_eq!(shown.ids, ids(&database, query).await);
}

/// What cannot be divided is counted all the same.
#[tokio::test]
async fn an_order_too_large_to_list_has_an_exact_total() {
    let database = things().await;
    let mut options = TestServer::options(&database);
    options.view_memory_mib = 1;
    let server = TestServer::with(options).await;
    let view = sorted(&[("name", false, None)]);
    let mut shown = Shown::asked(&server, view, 0, 5, false).await;
    assert!(!shown.update().await.total_is_exact);
    assert_eq!(shown.counted().await.total, ROWS);
    for change in [
        "DELETE FROM things WHERE id % 5 = 0",
        "INSERT INTO things SELECT n, 1, 1, '~' || n, 'new' FROM generate_series(70001, 70700) AS n",
    ] {
        database.execute(change).await;
        let total = ids(&database, "SELECT count(*) FROM things").await[0];
        while shown.last.as_ref().map(|last| last.total) != u64::try_from(total).ok() {
            assert!(shown.update().await.total_is_exact);
        }
        let query = "SELECT id FROM things ORDER BY name, id LIMIT 5";
        assert_eq!(shown.ids, ids(&database, query).await, "{change}");
    }
    // Its last rows have numbers that are known, so they are found from the end.
    let total = shown.last.as_ref().unwrap().total;
    let update = shown.jump(total - 7, 5).await;
    assert_eq!((update.start, update.total), (total - 7, total));
    let query = format!(
        "SELECT id FROM things ORDER BY name, id LIMIT 5 OFFSET {}",
        total - 7
    );
    assert_eq!(shown.ids, ids(&database, &query).await);
    shown.jump(0, 5).await;
    let far = MoveWindow {
        window: 1,
        generation: shown.generation + 1,
        start: 30_000,
        count: 5,
        from_end: false,
        received: shown.last.as_ref().unwrap().number,
    };
    shown.socket.send(&ClientMsg::Move(far)).await;
    assert_eq!(shown.refusal().await.0, ErrorCode::NoIndex);
}

/// Reading a value of `gated` waits for the gate; showing or counting one does not.
const GATE: [&str; 7] = [
    "CREATE FUNCTION is_open(integer) RETURNS boolean LANGUAGE plpgsql
     AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END'",
    "CREATE DOMAIN gated AS integer",
    "ALTER TABLE things ADD COLUMN gate gated",
    "UPDATE things SET gate = id * 7919 % 1000",
    "CREATE INDEX ON things (gate, id)",
    "ALTER DOMAIN gated ADD CHECK (is_open(VALUE)) NOT VALID",
    "VACUUM ANALYZE things",
];

/// Where a view's blocks begin is read as values of its columns: that waits, and the total does not.
#[tokio::test]
async fn the_total_does_not_wait_for_the_division() {
    let database = things().await;
    for statement in GATE {
        database.execute(statement).await;
    }
    let server = TestServer::start(&database).await;
    let gatekeeper = database.connect().await;
    gatekeeper
        .execute("SELECT pg_advisory_lock(7)", &[])
        .await
        .unwrap();
    let view = sorted(&[("gate", false, None)]);
    let mut shown = Shown::open(&server, view, 0, 5).await;
    assert!(!shown.update().await.total_is_exact);
    assert_eq!(shown.counted().await.total, ROWS);
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted";
    eventually("the division waits", SOON, async || {
        ids(&database, waiting).await == [1]
    })
    .await;
    database.execute("DELETE FROM things WHERE id <= 3").await;
    while shown.last.as_ref().unwrap().total != ROWS - 3 {
        assert!(shown.update().await.total_is_exact);
    }
    gatekeeper
        .execute("SELECT pg_advisory_unlock(7)", &[])
        .await
        .unwrap();
    let update = shown.jump(30_000, 5).await;
    assert_eq!((update.start, update.total), (30_000, ROWS - 3));
    let query = "SELECT id FROM things ORDER BY gate, id LIMIT 5 OFFSET 30000";
    assert_eq!(shown.ids, ids(&database, query).await);
}

/// Counting with a pattern that takes long for every row is broken off when the window closes.
#[tokio::test]
async fn a_count_that_nobody_waits_for_is_cancelled() {
    let database = things().await;
    // The pattern reads all of a text: seconds for so many of this length.
    let lengthen = "UPDATE things SET note = repeat('ab', 10000) || id";
    for statement in [lengthen, "VACUUM ANALYZE things"] {
        database.execute(statement).await;
    }
    let server = TestServer::start(&database).await;
    let slow = Filter::test("note", FilterOp::Matches, "^(ab|a|b)*(ab|b)+(a|b|ab)*c$");
    let view = ViewSpec {
        filter: Some(Filter::Not(Box::new(slow))),
        ..sorted(&[("rank", false, None)])
    };
    let mut shown = Shown::open(&server, view, 0, 5).await;
    assert!(!shown.update().await.total_is_exact);
    // The count, and the walk that divides the view.
    let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                  AND datname = current_database() AND leader_pid IS NULL AND pid <> pg_backend_pid() \
                  AND (query LIKE '%FROM walk%' OR query LIKE '%count(*) FROM public.things%')";
    eventually("the counts run", SOON, async || {
        ids(&database, active).await == [2]
    })
    .await;
    let close = CloseWindow { window: 1 };
    shown.socket.send(&ClientMsg::Close(close)).await;
    eventually("the counts have ended", SOON, async || {
        ids(&database, active).await == [0]
    })
    .await;
    assert!(!shown.last.unwrap().total_is_exact);
}
