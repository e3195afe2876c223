//! Relative dates: a view moves along with time, by deltas, and is what PostgreSQL says at its instant.

use e2e::viewing::{open, shows};
use e2e::{RawSocket, SetClock, TestDatabase, TestServer};
use protocol::{Filter, FilterOp, RowOp, ServerMsg, SummaryUpdate, Update, Version, ViewSpec};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use server::ServerOptions;
use server::db::catalog::Catalog;
use server::views::answers::Answers;
use server::views::plan::Plan;

use crate::{connect, ids, shows_query, test};

/// 2026-02-27 23:59:00 UTC: soon it will be the last day of a short month.
const BEGIN: i64 = 1_772_236_740;

/// Rows around the beginning, near and far.
const TABLE: &str = "
    CREATE FUNCTION around(n integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
        SELECT to_timestamp(1772236740) + CASE n % 4
            WHEN 0 THEN (n - 100) * interval '1.5 seconds'
            WHEN 1 THEN (n - 100) * interval '61 seconds'
            WHEN 2 THEN (n - 100) * interval '7 hours'
            ELSE (n - 100) * interval '1 day' END $$;
    CREATE TABLE events (
        id integer PRIMARY KEY, at timestamptz, local timestamp, day date, kind text, note text
    );
    INSERT INTO events
    SELECT n, around(n), around(n) AT TIME ZONE 'UTC', (around(n) AT TIME ZONE 'UTC')::date,
           (array['a', 'b', 'c'])[1 + n % 3], 'note ' || n
    FROM generate_series(1, 200) AS n;
    INSERT INTO events VALUES
        (1001, NULL, NULL, NULL, 'a', NULL),
        (1002, 'infinity', 'infinity', 'infinity', 'a', 'note'),
        (1003, '-infinity', '-infinity', '-infinity', 'b', 'note');
    CREATE INDEX ON events (at);";

async fn started(clock: &SetClock) -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    database.install(TABLE, &["events"]).await;
    let options = ServerOptions {
        clock: clock.clock(),
        ..TestServer::options(&database)
    };
    let server = TestServer::with(options).await;
    (database, server)
}

fn within(column: &str, op: FilterOp, interval: &str) -> Filter {
    test(column, op, &[interval])
}

fn view(filter: Filter) -> ViewSpec {
    ViewSpec {
        filter: Some(filter),
        ..ViewSpec::table("events")
    }
}

/// The same in SQL at a second, as the protocol defines it.
fn condition(filter: &Filter, now: i64) -> String {
    let list = |inner: &[Filter], with: &str| {
        let each: Vec<String> = inner.iter().map(|inner| condition(inner, now)).collect();
        format!("({})", each.join(with))
    };
    let test = match filter {
        Filter::And(inner) => return list(inner, " AND "),
        Filter::Or(inner) => return list(inner, " OR "),
        Filter::Not(inner) => return format!("(NOT {})", condition(inner, now)),
        Filter::Test(test) => test,
    };
    let (column, value) = (&test.column, &test.values[0]);
    let is_next = match test.op {
        FilterOp::Eq => return format!("({column} = '{value}')"),
        FilterOp::Contains => return format!("({column} ILIKE '%{value}%')"),
        FilterOp::WithinLast => false,
        FilterOp::WithinNext => true,
        other => panic!("{other:?}"),
    };
    if column == "day" {
        let today = format!("(to_timestamp({now}) AT TIME ZONE 'UTC')::date");
        return if is_next {
            format!("(day > {today} AND day <= ({today} + interval '{value}')::date)")
        } else {
            format!("(day > ({today} - interval '{value}')::date AND day <= {today})")
        };
    }
    let step = match value.to_string().as_str() {
        "10 minutes" | "1 hour" | "90 seconds" => 1,
        "1 day" | "P0DT23H" => 10,
        "7 days" | "31 days" => 60,
        "2 months" | "1 year" => 600,
        other => panic!("{other}"),
    };
    let instant = |second: i64| match column.as_str() {
        "local" => format!("(to_timestamp({second}) AT TIME ZONE 'UTC')"),
        _ => format!("to_timestamp({second})"),
    };
    let (from, until) = (instant(now - now % step), instant(now - now % step + step));
    if is_next {
        format!("({column} > {from} AND {column} <= {until} + interval '{value}')")
    } else {
        format!("({column} > {from} - interval '{value}' AND {column} <= {until})")
    }
}

/// Views with relative dates, alone and among other tests.
fn views() -> Vec<Filter> {
    use FilterOp::{WithinLast, WithinNext};
    let kind = |kind: &str| test("kind", FilterOp::Eq, &[kind]);
    vec![
        within("at", WithinLast, "10 minutes"),
        within("at", WithinNext, "1 hour"),
        within("local", WithinLast, "1 day"),
        within("local", WithinNext, "P0DT23H"),
        within("day", WithinLast, "3 days"),
        within("day", WithinNext, "2 months"),
        Filter::And(vec![within("at", WithinLast, "7 days"), kind("a")]),
        Filter::Or(vec![within("at", WithinLast, "90 seconds"), kind("b")]),
        Filter::Not(Box::new(within("at", WithinLast, "31 days"))),
        Filter::And(vec![
            within("at", WithinNext, "1 year"),
            test("note", FilterOp::Contains, &["1"]),
            Filter::Not(Box::new(within("day", WithinNext, "7 days"))),
        ]),
    ]
}

/// Changes that move rows across the views' edges as time moves the edges.
fn change(rng: &mut ChaCha8Rng, now: i64) -> String {
    let id = rng.random_range(1..=210);
    let from_now: i64 = match rng.random_range(0..3) {
        0 => rng.random_range(-900..900),
        1 => rng.random_range(-90_000..90_000),
        _ => rng.random_range(-7_000_000..7_000_000),
    };
    let at = format!("to_timestamp({})", now + from_now);
    match rng.random_range(0..5) {
        0 => format!("DELETE FROM events WHERE id = {id}"),
        1 => format!("UPDATE events SET kind = 'b', note = 'x1' WHERE id = {id}"),
        _ => format!(
            "INSERT INTO events VALUES ({id}, {at}, {at} AT TIME ZONE 'UTC', ({at} AT TIME ZONE 'UTC')::date,
             'a', 'new') ON CONFLICT (id) DO UPDATE SET at = excluded.at, local = excluded.local, day = excluded.day"
        ),
    }
}

#[tokio::test]
async fn views_move_along_with_time_as_rows_change() {
    let seed = rand::random();
    #[allow(clippy::print_stdout, reason = "a test prints what repeats it")]
    {
        println!("seed {seed}");
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    let client = connect(&database).await;
    let mut viewer = server.viewer().await;
    let mut windows = Vec::new();
    for filter in views() {
        let view = view(filter.clone());
        let window = viewer.open(view.clone(), vec!["id".into()], 0, 300);
        windows.push((window, view, filter));
    }
    for round in 0..14 {
        // Every other round things happen while the views move.
        for _ in 0..if round % 2 == 0 { 1 } else { 6 } {
            clock.pass(match rng.random_range(0..4) {
                0 => 1,
                1 => rng.random_range(1..120),
                2 => rng.random_range(1..20_000),
                _ => rng.random_range(1..400_000),
            });
            for _ in 0..rng.random_range(0..6) {
                let change = change(&mut rng, clock.now());
                client.batch_execute(&change).await.unwrap();
            }
            let pause = rng.random_range(0..150);
            tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        }
        for (window, view, filter) in &windows {
            let sql = format!(
                "SELECT id::text AS shown FROM events WHERE {} ORDER BY id",
                condition(filter, clock.now())
            );
            let expected = ids(&client, &sql).await;
            shows_query(&mut viewer, *window, view, &sql, &expected).await;
        }
    }
}

async fn next_update(socket: &mut RawSocket) -> Update {
    let is_update = |message: &ServerMsg| matches!(message, ServerMsg::Update(_));
    match socket.expect("an update", is_update).await {
        ServerMsg::Update(update) => {
            let (window, number) = (update.window, update.number);
            let ack = serde_json::json!({"ack": {"window": window, "number": number}});
            socket.send_text(&ack.to_string()).await;
            update
        }
        _ => unreachable!(),
    }
}

/// What time changes reaches a window as any other change: rows kept, rows gone, rows come.
#[tokio::test]
async fn a_step_is_a_delta() {
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    database
        .execute(
            "DELETE FROM events;
             INSERT INTO events (id, at) SELECT n, to_timestamp(1772236740 - 600 + n * 10)
             FROM generate_series(1, 70) AS n",
        )
        .await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let open = serde_json::json!({"open": {
        "window": 1, "count": 100, "columns": ["id"],
        "view": view(within("at", FilterOp::WithinLast, "10 minutes")),
    }});
    socket.send_text(&open.to_string()).await;
    let first = next_update(&mut socket).await;
    // Rows 1 to 60 are of the last ten minutes.
    assert_eq!((first.total, first.rows.len()), (60, 60));
    clock.pass(25);
    let step = next_update(&mut socket).await;
    assert_eq!((step.must_refetch, step.total), (None, 60));
    assert_eq!(step.from.as_ref(), Some(&first.to), "nothing was committed");
    let kept: u32 = step
        .rows
        .iter()
        .map(|row| match row {
            RowOp::Keep { count, .. } => *count,
            _ => 0,
        })
        .sum();
    let new = step.rows.iter().filter(|row| matches!(row, RowOp::Row(_)));
    assert_eq!((kept, new.count()), (58, 2), "{:?}", step.rows);
}

/// Whoever asks later for the same relative dates gets the same view.
#[tokio::test]
async fn the_same_dates_are_the_same_view() {
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    let spec = view(within("at", FilterOp::WithinLast, "7 days"));
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let catalog = Catalog::load(&pool).await.unwrap();
    let table = catalog.find("events").unwrap();
    let mut answers = Answers::new(clock.clock());
    let earlier = Plan::new(&spec, table, &mut answers, &pool).await.unwrap();
    clock.pass(100_000);
    let week = view(within("at", FilterOp::WithinLast, "1 week"));
    let later = Plan::new(&week, table, &mut answers, &pool).await.unwrap();
    assert_eq!(earlier, later);
    assert_ne!(earlier.condition, later.condition);
    assert!(earlier.is_behind(clock.now()) && !later.is_behind(clock.now()));

    // A view without windows is found again within half a minute, and stands where time is.
    let mut viewer = server.viewer().await;
    let rare = view(Filter::And(vec![
        within("at", FilterOp::WithinLast, "90 seconds"),
        test("kind", FilterOp::Eq, &["c"]),
    ]));
    let row = |id: i32, second: i64| {
        format!("INSERT INTO events (id, at, kind) VALUES ({id}, to_timestamp({second}), 'c')")
    };
    database.execute(&row(501, clock.now())).await;
    let first = open(&mut viewer, rare.clone(), 0, 5).await;
    shows(&mut viewer, first, "id", &["501"]).await;
    viewer.act(|model, _| model.close(first));
    clock.pass(120);
    database.execute(&row(502, clock.now())).await;
    let second = open(&mut viewer, rare, 0, 5).await;
    shows(&mut viewer, second, "id", &["502"]).await;
}

/// A socket that has sent a message.
async fn asking(server: &TestServer, message: &serde_json::Value) -> RawSocket {
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send_text(&message.to_string()).await;
    socket
}

/// What has to be counted again while nobody shows it begins at the present instant, not where it stood.
#[tokio::test]
async fn what_was_forgotten_begins_where_time_is() {
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    let recent = view(within("at", FilterOp::WithinLast, "90 seconds"));
    let rows = serde_json::json!({"open": {"window": 1, "count": 5, "view": recent}});
    let groups = serde_json::json!({"summarize": {"summary": 1, "count": 1, "view": recent}});
    let mut of_rows = asking(&server, &rows).await;
    next_update(&mut of_rows).await;
    let mut of_groups = asking(&server, &groups).await;
    next_groups(&mut of_groups).await;
    // Once the table's task answers with another window it has ended what was asked before.
    let all = r#"{"open":{"window":2,"count":1,"view":{"table":"events"}}}"#;
    of_rows.send_text(r#"{"close":{"window":1}}"#).await;
    of_rows.send_text(all).await;
    next_update(&mut of_rows).await;
    of_groups
        .send_text(r#"{"unsummarize":{"summary":1}}"#)
        .await;
    of_groups.send_text(all).await;
    next_update(&mut of_groups).await;
    database.execute("TRUNCATE events").await;
    while next_update(&mut of_rows).await.total > 0 {}

    let now = clock.pass(1_000);
    let is_now = |version: &Version| version.0.ends_with(&format!("@{now}"));
    let rows = next_update(&mut asking(&server, &rows).await).await.to;
    assert!(is_now(&rows), "{rows:?} at {now}");
    let groups = next_groups(&mut asking(&server, &groups).await).await.to;
    assert!(is_now(&groups), "{groups:?} at {now}");
}

async fn next_groups(socket: &mut RawSocket) -> SummaryUpdate {
    let is_summary = |message: &ServerMsg| matches!(message, ServerMsg::Summary(_));
    match socket.expect("groups", is_summary).await {
        ServerMsg::Summary(update) => update,
        _ => unreachable!(),
    }
}

/// A table that is not live is looked at for the present instant.
#[tokio::test]
async fn a_polled_view_moves_too() {
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    database
        .execute(
            "CREATE TABLE quiet (id integer PRIMARY KEY, at timestamptz);
             INSERT INTO quiet SELECT n, to_timestamp(1772236740 + n * 100)
             FROM generate_series(0, 9) AS n",
        )
        .await;
    let mut viewer = server.viewer().await;
    let recent = ViewSpec {
        filter: Some(within("at", FilterOp::WithinLast, "90 seconds")),
        ..ViewSpec::table("quiet")
    };
    let window = open(&mut viewer, recent, 0, 5).await;
    shows(&mut viewer, window, "id", &["0"]).await;
    clock.pass(150);
    shows(&mut viewer, window, "id", &["1"]).await;
}

/// Groups and totals of relative dates are counted anew at every step.
#[tokio::test]
async fn a_summary_moves_too() {
    let clock = SetClock::at(BEGIN);
    let (database, server) = started(&clock).await;
    database
        .execute(
            "DELETE FROM events;
             INSERT INTO events (id, at) SELECT n, to_timestamp(1772236740 + n * 10)
             FROM generate_series(-99, 99) AS n",
        )
        .await;
    let client = connect(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let filter = within("at", FilterOp::WithinLast, "90 seconds");
    let asked =
        serde_json::json!({"summarize": {"summary": 1, "view": view(filter.clone()), "count": 1}});
    socket.send_text(&asked.to_string()).await;
    for seconds in [0, 949, 33, 28, 100_000] {
        clock.pass(seconds);
        let now = condition(&filter, clock.now());
        let sql = format!("SELECT id::text FROM events WHERE {now}");
        let expected = ids(&client, &sql).await.len() as u64;
        let is_it = |message: &ServerMsg| match message {
            ServerMsg::Summary(summary) => summary.rows == expected,
            _ => false,
        };
        let what = format!("{expected} rows after {seconds} s");
        let ServerMsg::Summary(summary) = socket.expect(&what, is_it).await else {
            unreachable!()
        };
        let ack = format!(
            r#"{{"ack_summary":{{"summary":1,"number":{}}}}}"#,
            summary.number
        );
        socket.send_text(&ack).await;
    }
}
