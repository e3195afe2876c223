//! Clients that were away: what they are told when they return.

use client_egui::model::{ConnectionState, EditPhase, Headless};
use e2e::ports::free_port;
use e2e::server::{socket_url, viewer};
use e2e::viewing::{column, open, shows, until};
use e2e::{RawSocket, TcpProxy, TestServer};
use protocol::{Encoding, ResetReason, Resume, RowOp, Update, Value, ViewSpec};

use super::{first_update, items, open_items};

fn held(update: &Update) -> Resume {
    let key = |op: &RowOp| match op {
        RowOp::Row(row) => row.key.clone(),
        other => panic!("a snapshot keeps nothing: {other:?}"),
    };
    Resume {
        version: update.to.clone(),
        keys: update.rows.iter().map(key).collect(),
    }
}

#[tokio::test]
async fn a_client_that_returns_gets_only_what_changed() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open_items(1, None)).await;
    let snapshot = first_update(&mut socket).await;
    drop(socket);
    database
        .execute("UPDATE items SET stock = 70 WHERE id = 2")
        .await;
    database.execute("DELETE FROM items WHERE id = 3").await;
    let mut other = server.viewer().await;
    let window = open(&mut other, ViewSpec::table("items"), 0, 3).await;
    shows(&mut other, window, "stock", &["1", "70", "4"]).await;

    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open_items(9, Some(held(&snapshot)))).await;
    let delta = first_update(&mut socket).await;
    assert_eq!(delta.from, Some(snapshot.to.clone()));
    assert_eq!(
        (delta.must_refetch, delta.window, delta.total),
        (None, 9, 1_999)
    );
    let [kept, changed, kept_too, new] = &delta.rows[..] else {
        panic!("{:?}", delta.rows)
    };
    assert_eq!(*kept, RowOp::Keep { from: 0, count: 1 });
    assert!(matches!(changed, RowOp::Row(row) if row.cells == [Value::Int(2), Value::Int(70)]));
    assert_eq!(*kept_too, RowOp::Keep { from: 3, count: 1 });
    assert!(matches!(new, RowOp::Row(row) if row.cells == [Value::Int(5), Value::Int(5)]));

    // Nothing changed while it was away: nothing is sent again.
    drop(socket);
    let keys = [1, 2, 4, 5].map(|id| vec![Value::Int(id)]).to_vec();
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let resume = Resume {
        version: delta.to.clone(),
        keys,
    };
    socket.send(&open_items(1, Some(resume))).await;
    let delta = first_update(&mut socket).await;
    assert!(delta.from.is_some());
    assert_eq!(delta.rows, [RowOp::Keep { from: 0, count: 4 }]);
}

#[tokio::test]
async fn a_client_that_returns_too_late_is_told_why_it_must_start_again() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&open_items(1, None)).await;
    let snapshot = first_update(&mut socket).await;
    let (_, state) = snapshot.to.0.split_once('/').unwrap();
    let resume_at = |version: String| {
        let version = protocol::Version(version);
        open_items(
            1,
            Some(Resume {
                version,
                ..held(&snapshot)
            }),
        )
    };

    // Another change log, from before a crash.
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let other_log = format!("00000000-0000-4000-8000-000000000000/{state}");
    socket.send(&resume_at(other_log)).await;
    let again = first_update(&mut socket).await;
    assert_eq!(
        (again.from, again.must_refetch),
        (None, Some(ResetReason::EpochChanged))
    );
    assert_eq!(again.rows.len(), 4);

    // Longer ago than anything the server knows of.
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    let (epoch, _) = snapshot.to.0.split_once('/').unwrap();
    socket.send(&resume_at(format!("{epoch}/3:3:"))).await;
    let again = first_update(&mut socket).await;
    assert_eq!(
        (again.from, again.must_refetch),
        (None, Some(ResetReason::HistoryExpired))
    );

    // Nonsense is no reason to close the socket.
    let mut socket = RawSocket::connect(&server.socket_url()).await;
    socket.send(&resume_at("yesterday".to_owned())).await;
    let again = first_update(&mut socket).await;
    assert!(again.from.is_none() && again.must_refetch.is_some());
}

#[tokio::test]
async fn a_viewer_behind_a_broken_network_catches_up() {
    let database = items().await;
    let server = TestServer::start(&database).await;
    let proxy = TcpProxy::start(server.address()).await;
    let mut viewer = viewer(&socket_url(proxy.address())).await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 3).await;
    proxy.cut();
    until(&mut viewer, "the break is noticed", |model| {
        model.hello().is_none()
    })
    .await;
    // What was held stays on the screen.
    assert_eq!(column(viewer.model(), window, "stock"), ["1", "2", "3"]);
    let value = Value::Int(31);
    let edit = viewer.act(|model, now| model.edit(window, &[Value::Int(3)], "stock", value, now));
    let edit = edit.unwrap();
    assert_eq!(
        *viewer.model().edit_state(edit).unwrap().phase(),
        EditPhase::Queued
    );
    database
        .execute("UPDATE items SET stock = 21 WHERE id = 2")
        .await;
    proxy.clear();
    shows(&mut viewer, window, "stock", &["1", "21", "31"]).await;
    until(&mut viewer, "the edit is settled", |model| {
        model.edit_state(edit).is_none()
    })
    .await;
}

#[tokio::test]
async fn a_viewer_may_be_there_before_its_server() {
    let database = items().await;
    let port = free_port();
    let url = socket_url(([127, 0, 0, 1], port).into());
    let mut viewer = Headless::start(&url, Encoding::Binary);
    let window = viewer.open(ViewSpec::table("items"), Vec::new(), 0, 2);
    until(&mut viewer, "a failed attempt", |model| {
        matches!(
            model.connection(),
            ConnectionState::Reconnecting { attempt: 2.., .. }
        )
    })
    .await;
    let _server = TestServer::at(TestServer::options(&database), port).await;
    shows(&mut viewer, window, "id", &["1", "2"]).await;
}
