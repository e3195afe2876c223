//! What a batch costs does not depend on the number of summaries.

use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{AckSummary, ClientMsg, ServerMsg, Value};

/// How statements for lost extremes, and for groups, look in PostgreSQL's log.
const BEST: &str = "AS b ORDER BY b.v";
const GROUPS: &str = "AS g";

/// Takes the least value away again and again, while so many summaries show it; returns how many statements
/// asked for lost values and for groups.
async fn statements(summaries: u32) -> (usize, usize) {
    let database = TestDatabase::in_own_cluster().await;
    let table = "CREATE TABLE items (id integer PRIMARY KEY, price integer);
                 INSERT INTO items SELECT n, n FROM generate_series(1, 400) AS n";
    database.install(table, &["items"]).await;
    let name = database.url().rsplit('/').next().unwrap().to_owned();
    let log_all = format!("ALTER DATABASE {name} SET log_statement = 'all'");
    database.execute(&log_all).await;
    let server = TestServer::start(&database).await;
    let mut sockets = Vec::new();
    for id in 0..summaries {
        let mut socket = RawSocket::connect(&server.socket_url()).await;
        let asked = format!(
            r#"{{"summarize":{{"summary":1,"view":{{"table":"items","filter":{{"test":{{"column":"id","op":">","values":[{}]}}}}}},
                "aggregates":[{{"op":"min","column":"price"}}],"count":1}}}}"#,
            -i64::from(id)
        );
        socket.send_text(&asked).await;
        sockets.push(socket);
    }
    for least in 1..=70_i64 {
        for socket in &mut sockets {
            shows(socket, least).await;
        }
        let delete = format!("DELETE FROM items WHERE price = {least}");
        database.execute(&delete).await;
    }
    let log = database.cluster().log().await;
    server.stop().await;
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    (count(BEST), count(GROUPS))
}

async fn shows(socket: &mut RawSocket, least: i64) {
    loop {
        let is_summary = |message: &ServerMsg| matches!(message, ServerMsg::Summary(_));
        let ServerMsg::Summary(update) = socket.expect("a summary", is_summary).await else {
            unreachable!("as described");
        };
        let ack = AckSummary {
            summary: update.summary,
            number: update.number,
        };
        socket.send(&ClientMsg::AckSummary(ack)).await;
        let text = format!("{:?}", update.shown);
        if text.contains(&format!("{:?}", Value::Int(least))) {
            return;
        }
    }
}

#[tokio::test]
async fn lost_extremes_of_all_summaries_are_asked_for_together() {
    let (one, built) = statements(1).await;
    // One value was known at first, then 64.
    assert_eq!((one, built), (2, 1));
    let (many, built) = statements(16).await;
    assert_eq!(built, 16, "each is built by a query of its own");
    assert!(
        many <= one + 2,
        "{many} statements for 16 summaries, {one} for one"
    );
}
