//! What a client may get wrong: a coded error, a socket that lives where it can, and nobody else who
//! notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::eventually::SOON;
use e2e::viewing::{open, shows};
use e2e::{RawSocket, TestDatabase, TestServer};
use protocol::{ClientMsg, ErrorCode, ErrorMsg, Ping, ServerMsg, ViewSpec};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use protocol::ErrorCode::{BadFilter, BadMessage, BadSort, BadValue, UnknownColumn, UnknownTable};
const ITEMS: &str = "
    CREATE TABLE items (
        id integer PRIMARY KEY, name text, price numeric, made date, tags text[], place point
    );
    INSERT INTO items
    SELECT n, 'item ' || n, n, date '2026-01-01' + n, array['a'], point(n, n)
    FROM generate_series(1, 100) AS n;
";

async fn started() -> (TestDatabase, TestServer) {
    let database = TestDatabase::new().await;
    database.install(ITEMS, &["items"]).await;
    let server = TestServer::start(&database).await;
    (database, server)
}

async fn next_error(socket: &mut RawSocket) -> ErrorMsg {
    match socket
        .expect("an error", |message| matches!(message, ServerMsg::Error(_)))
        .await
    {
        ServerMsg::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The socket still answers.
async fn lives(socket: &mut RawSocket) {
    socket.send(&ClientMsg::Ping(Ping { id: 77 })).await;
    let is_pong = |message: &ServerMsg| matches!(message, ServerMsg::Pong(pong) if pong.id == 77);
    socket.expect("a pong", is_pong).await;
}

/// Sends each request on one socket that must outlive them all; every one is refused by its code.
async fn refused(socket: &mut RawSocket, requests: &[(&str, ErrorCode)]) {
    for (request, code) in requests {
        socket.send_text(request).await;
        let error = next_error(socket).await;
        assert_eq!(error.code, *code, "{request}: {}", error.message);
        assert!(
            error.message.len() > 5,
            "{request}: {:?} helps nobody",
            error.message
        );
    }
    lives(socket).await;
}

/// Views that make no sense.
const VIEWS: &[(&str, ErrorCode)] = &[
    (r#""table":"nothing""#, UnknownTable),
    (r#""table":"pg_catalog.pg_authid""#, UnknownTable),
    (r#""table":"items; DROP TABLE items""#, UnknownTable),
    (r#""table":"rowcast.change_log""#, UnknownTable),
    (
        r#""table":"items","sort":[{"column":"nothing"}]"#,
        UnknownColumn,
    ),
    (
        r#""table":"items","sort":[{"column":"id\" DESC, (SELECT 1) --"}]"#,
        UnknownColumn,
    ),
    (
        r#""table":"items","sort":[{"column":"id"},{"column":"id"}]"#,
        BadSort,
    ),
    (r#""table":"items","sort":[{"column":"place"}]"#, BadSort),
];

/// Tests of the table's columns that make no sense.
const TESTS: &[(&str, ErrorCode)] = &[
    (r#""column":"nothing","op":"=","values":[1]"#, UnknownColumn),
    (r#""column":"id","op":"=","values":["one"]"#, BadValue),
    (r#""column":"made","op":"<","values":["soon"]"#, BadValue),
    (
        r#""column":"id","op":">","values":[99999999999999999999]"#,
        BadValue,
    ),
    (
        r#""column":"name","op":"=","values":["a\u0000b"]"#,
        BadValue,
    ),
    (r#""column":"id","op":"between","values":[1]"#, BadFilter),
    (r#""column":"id","op":"=","values":[]"#, BadFilter),
    (r#""column":"id","op":"is_null","values":[1]"#, BadFilter),
    (r#""column":"id","op":"resembles","values":[1]"#, BadMessage),
];

#[tokio::test]
async fn a_view_that_makes_no_sense_is_refused() {
    let (_database, server) = started().await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let view = |view: &str| format!(r#"{{"open":{{"window":1,"view":{{{view}}},"count":5}}}}"#);
    let filtered = |filter: &str| view(&format!(r#""table":"items","filter":{filter}"#));
    let nested = ["{\"not\":", "}"].map(|bracket| bracket.repeat(40));
    let deep = format!(r#"{}{{"and":[]}}{}"#, nested[0], nested[1]);
    let many = [r#"{"test":{"column":"id","op":"is_null"}}"#; 100].join(",");
    let mut requests = vec![
        (filtered(&deep), BadMessage),
        (filtered(&format!(r#"{{"or":[{many}]}}"#)), BadFilter),
    ];
    requests.extend(VIEWS.iter().map(|(text, code)| (view(text), *code)));
    let test = |test: &str| filtered(&format!(r#"{{"test":{{{test}}}}}"#));
    requests.extend(TESTS.iter().map(|(text, code)| (test(text), *code)));
    let requests: Vec<_> = requests
        .iter()
        .map(|(text, code)| (text.as_str(), *code))
        .collect();
    refused(&mut socket, &requests).await;

    // A number that was refused can be used again.
    socket.send_text(&view(r#""table":"items""#)).await;
    let is_open = |message: &ServerMsg| matches!(message, ServerMsg::Opened(_));
    socket.expect("a window after all", is_open).await;
}

#[tokio::test]
async fn a_request_for_the_wrong_window_is_refused() {
    let (_database, server) = started().await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let open = |window: u32, rest: &str| {
        format!(r#"{{"open":{{"window":{window},"view":{{"table":"items"}},{rest}}}}}"#)
    };
    socket.send_text(&open(1, r#""count":5"#)).await;
    let is_update = |message: &ServerMsg| matches!(message, ServerMsg::Update(_));
    socket.expect("the first rows", is_update).await;
    let edit =
        r#"{"edit":{"id":1,"window":9,"key":[1],"column":"name","expected":null,"value":1}}"#;
    let columns = open(2, r#""count":5,"columns":["id","nothing"]"#);
    use ErrorCode::{BadRange, DuplicateWindow, UnknownWindow};
    let requests = [
        (open(1, r#""count":5"#), DuplicateWindow),
        (open(2, r#""count":100000"#), BadRange),
        (
            open(2, r#""count":5,"start":18446744073709551615"#),
            BadRange,
        ),
        (open(2, r#""count":-5"#), BadMessage),
        (open(2, r#""count":5,"start":1.5"#), BadMessage),
        (columns, UnknownColumn),
        (
            r#"{"move":{"window":1,"generation":1,"start":0,"count":4000000}}"#.into(),
            BadRange,
        ),
        (
            r#"{"move":{"window":9,"generation":1,"start":0,"count":4}}"#.into(),
            UnknownWindow,
        ),
        (r#"{"ack":{"window":9,"number":1}}"#.into(), UnknownWindow),
        (r#"{"close":{"window":9}}"#.into(), UnknownWindow),
        (edit.into(), UnknownWindow),
    ];
    let requests: Vec<_> = requests
        .iter()
        .map(|(text, code)| (text.as_str(), *code))
        .collect();
    refused(&mut socket, &requests).await;

    // Rows far behind the end are none; that is no error.
    socket
        .send_text(&open(3, r#""count":5,"start":4000000000"#))
        .await;
    let is_empty = |message: &ServerMsg| match message {
        ServerMsg::Update(update) => update.window == 3 && update.rows.is_empty(),
        _ => false,
    };
    socket.expect("an empty window", is_empty).await;
    for window in 10..24 {
        socket.send_text(&open(window, r#""count":1"#)).await;
    }
    socket.send_text(&open(99, r#""count":1"#)).await;
    assert_eq!(
        next_error(&mut socket).await.code,
        ErrorCode::TooManyWindows
    );
    // An acknowledgement of what was never sent changes nothing.
    socket
        .send_text(r#"{"ack":{"window":1,"number":900}}"#)
        .await;
    lives(&mut socket).await;
}

#[tokio::test]
async fn garbage_is_answered_and_only_much_of_it_ends_the_socket() {
    let (database, server) = started().await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let garbage = [
        "",
        "hello",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"open":{}}"#,
        r#"{"open":[1,2]}"#,
        r#"{"fly":{"window":1}}"#,
        r#"{"ping":{"id":1},"ping":{"id":2}}"#,
        r#"{"open":{"window":1,"view":{"table":"items"},"count":5,"cuont":5}}"#,
    ];
    for text in garbage {
        socket.send_text(text).await;
        assert_eq!(
            next_error(&mut socket).await.code,
            ErrorCode::BadMessage,
            "{text}"
        );
    }
    socket.send_binary(vec![0xff, 0, 1, 2]).await;
    assert_eq!(next_error(&mut socket).await.code, ErrorCode::BadMessage);
    lives(&mut socket).await;
    for _ in 0..40 {
        // The socket may be closed between two of them.
        if tokio::time::timeout(SOON, socket.try_send_text("more"))
            .await
            .unwrap()
            .is_err()
        {
            break;
        }
    }
    let code = socket
        .closes_within(SOON)
        .await
        .expect("much garbage ends the socket");
    assert!(matches!(code, Some(CloseCode::Policy) | None), "{code:?}");

    database
        .execute("UPDATE items SET name = 'still here' WHERE id = 2")
        .await;
    shows(&mut viewer, window, "name", &["item 1", "still here"]).await;
}

#[tokio::test]
async fn a_frame_too_large_ends_the_socket_with_its_code() {
    let (database, server) = started().await;
    let mut viewer = server.viewer().await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let large = format!(r#"{{"ping":{{"id":1}}}}{}"#, " ".repeat(1 << 20));
    // The server may close before all of it is sent.
    drop(socket.try_send_text(&large).await);
    let code = socket
        .closes_within(SOON)
        .await
        .expect("the socket is closed");
    assert!(matches!(code, Some(CloseCode::Size) | None), "{code:?}");

    database
        .execute("UPDATE items SET name = 'still here' WHERE id = 2")
        .await;
    shows(&mut viewer, window, "name", &["item 1", "still here"]).await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_connect() {
    use tokio_tungstenite::tungstenite::Error;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let (_database, server) = started().await;
    let connect = async |origin: &str| {
        let mut request = server.socket_url().into_client_request().unwrap();
        request
            .headers_mut()
            .insert("origin", origin.parse().unwrap());
        tokio_tungstenite::connect_async(request).await
    };
    let own = format!("http://{}", server.address());
    assert!(connect(&own).await.is_ok());
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1:1",
        "http://localhost.evil.example",
    ] {
        match connect(origin).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403, "{origin}"),
            other => panic!("{origin}: {other:?}"),
        }
    }
}
