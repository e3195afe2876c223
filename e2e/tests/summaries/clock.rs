//! Summaries of relative dates move along with time.

use e2e::summaries::SummaryViewer as Viewer;
use e2e::{SetClock, TestDatabase, TestServer};
use server::ServerOptions;

/// 2026-02-27 23:59:00 UTC.
const BEGIN: i64 = 1_772_236_740;

const EVENTS: &str = "
    CREATE TABLE events (id integer PRIMARY KEY, at timestamptz, kind text, amount numeric);
    INSERT INTO events
    SELECT n, to_timestamp(1772236740) + (n - 300) * interval '3 seconds', (array['a', 'b', NULL])[1 + n % 3], n / 4.0
    FROM generate_series(1, 600) AS n;
    CREATE INDEX ON events (at);";

/// The same in SQL: what is within the last ten minutes, looked at every second.
fn query(now: i64) -> String {
    format!(
        "SELECT coalesce(kind, '∅') || ': ' || concat_ws(' ', count(*), sum(amount), \
                to_json(min(at)) #>> '{{}}', max(id)) \
           FROM events WHERE at > to_timestamp({now}) - interval '10 minutes' \
            AND at <= to_timestamp({now} + 1) GROUP BY kind ORDER BY kind"
    )
}

#[tokio::test]
async fn a_summary_of_the_last_minutes_moves_along_with_time() {
    let database = TestDatabase::new().await;
    database.install(EVENTS, &["events"]).await;
    let clock = SetClock::at(BEGIN);
    let server = TestServer::with(ServerOptions {
        clock: clock.clock(),
        ..TestServer::options(&database)
    })
    .await;
    let asked = r#"{"summary":1,"view":{"table":"events","filter":{"test":{"column":"at","op":"within_last","values":["10 minutes"]}}},
        "by":[{"column":"kind"}],"count":9,
        "aggregates":[{"op":"sum","column":"amount"},{"op":"min","column":"at"},{"op":"max","column":"id"}]}"#;
    let mut viewer = Viewer::open(&server.socket_url(), asked).await;
    let client = database.connect().await;
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    for (seconds, change) in [
        (0, "UPDATE events SET kind = 'a' WHERE id = 250"),
        (1, "DELETE FROM events WHERE id = 299"),
        (
            90,
            "INSERT INTO events VALUES (1000, to_timestamp(1772236700), 'new', 1.25)",
        ),
        (
            300,
            "UPDATE events SET amount = amount + 0.001 WHERE id % 7 = 0",
        ),
        (400, "UPDATE events SET at = at + interval '1 second'"),
    ] {
        let second = clock.pass(seconds);
        client.batch_execute(change).await.unwrap();
        let expected = client.query(&query(second), &[]).await.unwrap();
        let expected: Vec<String> = expected.iter().map(|row| row.get(0)).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        viewer.shows(&expected).await;
    }
    server.stop().await;
}
