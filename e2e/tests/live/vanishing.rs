//! Clients that are gone and have not said so.

use std::time::{Duration, Instant};

use e2e::eventually::{SOON, eventually};
use e2e::server::{socket_url, viewer};
use e2e::viewing::open;
use e2e::{RawSocket, TcpProxy, TestServer};
use protocol::ViewSpec;
use server::ServerOptions;
use server::limits::{CLIENT_SILENCE_MAX, HEARTBEAT_INTERVAL};

use super::items;

/// A machine that vanishes says nothing: its socket stays open, and takes bytes for a quarter of an hour.
#[tokio::test]
async fn a_client_that_vanishes_is_forgotten_and_a_quiet_one_is_not() {
    let database = items().await;
    let server = TestServer::with(ServerOptions {
        view_idle: Duration::from_millis(40),
        ..TestServer::options(&database)
    })
    .await;
    let proxy = TcpProxy::start(server.address()).await;
    let mut vanishing = viewer(&socket_url(proxy.address())).await;
    open(&mut vanishing, ViewSpec::table("items"), 0, 2).await;
    let mut quiet = RawSocket::connect(&server.socket_url()).await;
    assert_eq!(database.attending().await.len(), 1);
    proxy.blackhole();
    let vanished = Instant::now();
    // Who has nothing to say, and only answers pings, stays.
    let silence = CLIENT_SILENCE_MAX + HEARTBEAT_INTERVAL * 2;
    let closed = quiet.closes_within(silence).await;
    assert_eq!(closed, None, "a quiet client was cut");
    eventually("the view is dropped", SOON, async || {
        database.attending().await.is_empty()
    })
    .await;
    assert!(vanished.elapsed() >= CLIENT_SILENCE_MAX);
}
