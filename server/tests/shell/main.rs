//! The server's shell over real sockets, on a real PostgreSQL: files, health, refusals, starting and
//! stopping.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod fixture;
mod process;
mod refusals;
mod startup;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use private_postgres::StopMode;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::fixture::{Fixture, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn serves_the_viewer_and_refuses_the_rest() {
    let fixture = Fixture::start().await;
    files::a_missing_viewer_is_explained(&fixture).await;
    files::write_viewer(&fixture.folder.path().join("web"));
    files::files_are_negotiated_and_cached(&fixture).await;
    files::nothing_else_can_be_read(&fixture).await;
    refusals::browsers_are_told_what_pages_may_do(&fixture).await;
    refusals::methods_are_checked(&fixture).await;
    refusals::only_own_pages_get_a_socket(&fixture).await;
    fixture.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_follows_postgres_and_stopping_says_goodbye() {
    let mut fixture = Fixture::start().await;
    wait_for_readiness(&fixture, 200).await;
    fixture.postgres.stop(StopMode::Fast).await.unwrap();
    wait_for_readiness(&fixture, 503).await;
    let answer = fixture.get("/readyz", &[]).await.text();
    assert!(
        answer.contains(r#""ready":false"#) && answer.contains(r#""postgres":{"status":"down""#)
    );
    assert_eq!(fixture.get("/livez", &[]).await.status, 200);
    fixture.postgres.restart().await.unwrap();
    wait_for_readiness(&fixture, 200).await;
    let health = fixture.get("/health", &[]).await.text();
    assert!(
        health.contains("uptime_seconds") && health.contains(r#""redis":{"status":"disabled"}"#)
    );

    let to = fixture.server.address();
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{to}/ws"))
        .await
        .unwrap();
    let first = socket.next().await.unwrap().unwrap();
    assert!(first.to_text().unwrap().contains("hello"), "{first}");
    // A connection that never says anything does not hold up the end.
    let silent = TcpStream::connect(to).await.unwrap();
    let started = Instant::now();
    fixture.server.stop().await;
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let close = loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(frame))) => break frame.unwrap(),
            Some(Ok(_)) => {}
            other => panic!("no goodbye: {other:?}"),
        }
    };
    assert_eq!(close.code, CloseCode::Away);
    assert!(TcpStream::connect(to).await.is_err());
    drop(silent);
}

async fn wait_for_readiness(fixture: &Fixture, status: u16) {
    let started = Instant::now();
    while fixture.get("/readyz", &[]).await.status != status {
        assert!(
            started.elapsed() < PATIENCE,
            "/readyz did not become {status}"
        );
        tokio::task::yield_now().await;
    }
}
