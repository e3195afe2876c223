//! What a client is told of its view's cost, and what it must confirm.

use e2e::{RawSocket, TestServer};
use protocol::{Advice, ClientMsg, CloseWindow, ErrorCode, OpenWindow, ServedVerdict, ServerMsg};
use server::ServerOptions;

use crate::support::{database, more_rows, spec};

pub(crate) fn open(window: u32, view: &str, allow_expensive: bool) -> ClientMsg {
    ClientMsg::Open(OpenWindow {
        window,
        generation: 0,
        view: spec(view),
        columns: Vec::new(),
        start: 0,
        count: 10,
        from_end: false,
        resume: None,
        allow_expensive,
    })
}

pub(crate) async fn advice(socket: &mut RawSocket, window: u32) -> Advice {
    let is_it = |message: &ServerMsg| matches!(message, ServerMsg::Advice(advice) if advice.window == window);
    match socket.expect("advice", is_it).await {
        ServerMsg::Advice(advice) => *advice,
        other => panic!("{other:?}"),
    }
}

const BY_NAME: &str = r#"{"sort":[{"column":"name"}]}"#;

#[tokio::test]
async fn a_window_is_told_what_serves_it_and_what_would() {
    let (database, _pool) = database("CREATE INDEX by_price ON orders (price, id)").await;
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket
        .send(&open(
            1,
            r#"{"sort":[{"column":"price","descending":true}]}"#,
            false,
        ))
        .await;
    let served = advice(&mut socket, 1).await;
    assert_eq!(served.served_by.verdict, ServedVerdict::Ordered);
    assert_eq!(served.served_by.indexes, ["by_price"]);
    assert_eq!((&served.suggestion, &served.warning), (&None, &None));
    let estimated = served.cost.rows;
    assert!((50_000..70_000).contains(&estimated), "{served:?}");

    // Sorting these rows costs 6,000 units or so: slow enough to say so only for a larger table.
    database.execute(&more_rows()).await;
    socket.send(&open(2, BY_NAME, false)).await;
    let unserved = advice(&mut socket, 2).await;
    assert_eq!(unserved.served_by.verdict, ServedVerdict::Unserved);
    let suggestion = unserved.suggestion.expect("a suggestion");
    let expected = format!(
        "CREATE INDEX CONCURRENTLY {} ON public.orders USING btree (name, id)",
        suggestion.name
    );
    assert_eq!(suggestion.sql, expected);
    assert!(unserved.warning.is_some() && unserved.cost.millis > 0);
    server.stop().await;
}

#[tokio::test]
async fn an_expensive_view_is_opened_when_that_is_meant() {
    let (database, _pool) = database("CREATE INDEX by_price ON orders (price, id)").await;
    let options = ServerOptions {
        expensive_cost: 3_000,
        ..TestServer::options(&database)
    };
    // The verdict of a table of this size is `small` unless it is made to cost more.
    database.execute(&more_rows()).await;
    let server = TestServer::with(options).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open(1, BY_NAME, false)).await;
    let refused = socket
        .expect("a refusal", |message| {
            !matches!(message, ServerMsg::Status(_))
        })
        .await;
    let ServerMsg::Error(error) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((error.code, error.window), (ErrorCode::Expensive, Some(1)));
    for part in [
        "until the first row can be shown",
        "CREATE INDEX CONCURRENTLY rowcast_orders_name_id_",
    ] {
        assert!(error.message.contains(part), "{part}: {}", error.message);
    }
    // What an index serves needs no confirmation, however many rows there are; nor the key's order.
    for (window, view) in [(2, r#"{"sort":[{"column":"price"}]}"#), (3, "{}")] {
        socket.send(&open(window, view, false)).await;
        let is_update = |message: &ServerMsg| matches!(message, ServerMsg::Update(update) if update.window == window);
        socket.expect("rows", is_update).await;
    }
    // The number is free again, and the view opens once that is meant.
    socket.send(&open(1, BY_NAME, true)).await;
    let is_update =
        |message: &ServerMsg| matches!(message, ServerMsg::Update(update) if update.window == 1);
    socket.expect("rows", is_update).await;
    // It is open now: another client shares it at no cost.
    let mut other = RawSocket::connect(&server.socket_url()).await;
    other.send(&open(1, BY_NAME, false)).await;
    other.expect("rows", is_update).await;
    socket
        .send(&ClientMsg::Close(CloseWindow { window: 1 }))
        .await;
    server.stop().await;
}
