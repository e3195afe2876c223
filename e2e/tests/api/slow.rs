//! Clients that connect and then say little: they hold up nobody, and are let go of.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use e2e::eventually::SOON;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::fixture::Fixture;

/// Connections of each kind: together fewer than the kernel's queue takes before they are accepted.
const OF_EACH: usize = 30;
/// How long the server may wait for the head of a request, and for the body of a write, and some more.
const PATIENCE: Duration = Duration::from_secs(15 + 20);

/// What a slow client sends at once; it goes on by a byte a second.
const BEGINNINGS: [&str; 4] = [
    "",
    "GET /api/v1/tables HTTP/1.1\r\nX-Slow: ",
    "POST /api/v1/tables/items/rows HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    // HTTP/2 is not spoken, so its floods of frames reach nobody.
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Says what the server answered before it closed the connection.
async fn last_words(to: SocketAddr, beginning: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut from, mut into) = stream.split();
    let mut said = Vec::new();
    let trickle = async {
        let mut second = interval(Duration::from_secs(1));
        while !beginning.is_empty() && into.write_all(b"x").await.is_ok() {
            second.tick().await;
        }
        std::future::pending::<()>().await;
    };
    let hear = timeout(PATIENCE, from.read_to_end(&mut said));
    tokio::select! {
        heard = hear => {
            // Reset or ended: both are closed.
            if heard.is_err() {
                panic!("never let go of: {beginning:?}, told {:?}", String::from_utf8_lossy(&said));
            }
        }
        () = trickle => {}
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn slow_clients_hold_up_nobody() {
    let fixture = Fixture::start().await;
    let before = fixture.checksum().await;
    let to = fixture.server.address();
    let slow = (0..OF_EACH)
        .flat_map(|_| BEGINNINGS)
        .map(|beginning| async move { (beginning, last_words(to, beginning).await) });
    let quick = async {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            let answer = timeout(SOON, fixture.get("/tables/items/rows?limit=5")).await;
            assert_eq!(answer.expect("nobody else is answered").status, 200);
        }
    };
    let (slow, ()) = tokio::join!(join_all(slow), quick);
    for (beginning, said) in slow {
        let status = said.split(' ').nth(1);
        let expected: &[Option<&str>] = match beginning {
            "" => &[None, Some("408")],
            _ if beginning.starts_with("POST") => &[Some("408")],
            _ => &[None, Some("400"), Some("408")],
        };
        assert!(
            expected.contains(&status),
            "{beginning:?} was answered: {said}"
        );
    }
    assert_eq!(fixture.checksum().await, before);
}
