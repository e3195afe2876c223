//! Sockets that break the rules of WebSocket itself, below the messages: each is ended with the code that says why,
//! in bounded memory, and nobody else notices.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use e2e::eventually::SOON;
use e2e::ports::free_port;
use e2e::viewing::{open, shows};
use e2e::{ServerProcess, TestDatabase};
use protocol::ViewSpec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TABLE: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'one')";

/// A socket after its handshake.
struct Raw {
    stream: TcpStream,
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Close(Option<u16>),
    Other(u8),
    /// The connection is closed.
    End,
}

impl Raw {
    async fn connect(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {to}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            protocol::Encoding::Json.subprotocol()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        Self { stream }
    }

    /// The next frame.
    async fn next(&mut self) -> Said {
        let reading = async {
            let kind = self.stream.read_u8().await? & 0x0f;
            let length = match self.stream.read_u8().await? {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                length => length.into(),
            };
            let mut bytes = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut bytes).await?;
            std::io::Result::Ok(match kind {
                1 => Said::Text(String::from_utf8(bytes).unwrap()),
                8 => Said::Close(
                    bytes
                        .get(..2)
                        .map(|code| u16::from_be_bytes([code[0], code[1]])),
                ),
                other => Said::Other(other),
            })
        };
        let said = timeout(SOON, reading).await;
        said.expect("the server says nothing").unwrap_or(Said::End)
    }

    /// What the server says of what was sent, after its greetings.
    async fn answer(&mut self) -> Said {
        loop {
            match self.next().await {
                Said::Text(text) if text.contains("\"hello\"") || text.contains("\"status\"") => {}
                said => return said,
            }
        }
    }
}

/// A frame as a client sends it: masked, here with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// The first byte of a frame: whether it is the last of its message, and its kind.
const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const PING: u8 = 0x89;

/// Close codes of RFC 6455.
const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;

/// What is sent, and the code that the socket is closed with.
fn broken() -> Vec<(&'static str, Vec<u8>, u16)> {
    let gigabyte = [
        &[TEXT, 0x80 | 127][..],
        &(1_u64 << 30).to_be_bytes(),
        &[0; 4],
        b"{",
    ]
    .concat();
    let endless = [
        frame(TEXT_BEGINS, &[b' '; 60_000]),
        frame(GOES_ON, &[b' '; 60_000]).repeat(20),
    ];
    vec![
        ("a gigabyte is declared", gigabyte, TOO_BIG),
        (
            "a message too large",
            frame(TEXT, &[b' '; 300_000]),
            TOO_BIG,
        ),
        ("fragments without an end", endless.concat(), TOO_BIG),
        ("not masked", vec![TEXT, 2, b'{', b'}'], PROTOCOL_ERROR),
        ("a reserved bit", frame(TEXT | 0x40, b"{}"), PROTOCOL_ERROR),
        ("a reserved kind", frame(0x83, b"{}"), PROTOCOL_ERROR),
        (
            "a reserved kind of control",
            frame(0x8b, b""),
            PROTOCOL_ERROR,
        ),
        ("a long ping", frame(PING, &[0; 126]), PROTOCOL_ERROR),
        ("a ping in pieces", frame(0x09, b""), PROTOCOL_ERROR),
        (
            "an end without a beginning",
            frame(ENDS, b"{}"),
            PROTOCOL_ERROR,
        ),
        (
            "two beginnings",
            [frame(TEXT_BEGINS, b"{"), frame(TEXT_BEGINS, b"}")].concat(),
            PROTOCOL_ERROR,
        ),
        ("not UTF-8", frame(TEXT, b"{\"ping\":\"\xff\"}"), NOT_UTF8),
        ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), NOT_UTF8),
    ]
}

#[tokio::test]
async fn what_breaks_the_rules_ends_its_socket_alone() {
    let database = TestDatabase::new().await;
    database.install(TABLE, &["items"]).await;
    let server = ServerProcess::start(&database, None, free_port()).await;
    let mut viewer = e2e::server::viewer(&server.socket_url()).await;
    let window = open(&mut viewer, ViewSpec::table("items"), 0, 2).await;
    let before = server.resident_kib();

    for (what, bytes, code) in broken() {
        let mut socket = Raw::connect(server.address()).await;
        // The server may close before it has taken all of it.
        drop(socket.stream.write_all(&bytes).await);
        let said = socket.answer().await;
        // A close that crosses data is lost on some systems.
        assert!(
            [Said::Close(Some(code)), Said::End].contains(&said),
            "{what}: {said:?}"
        );
        if what != "fragments without an end" && what != "a message too large" {
            assert_eq!(said, Said::Close(Some(code)), "{what}");
        }
        assert!(matches!(socket.next().await, Said::End), "{what}");
    }

    // Many empty pieces are one message, which is then answered as any other.
    let mut socket = Raw::connect(server.address()).await;
    let pieces = [
        frame(TEXT_BEGINS, b"{"),
        frame(GOES_ON, b"").repeat(200_000),
        frame(ENDS, b"}"),
    ];
    socket.stream.write_all(&pieces.concat()).await.unwrap();
    let Said::Text(text) = socket.answer().await else {
        panic!("no answer")
    };
    assert!(text.contains("bad_message"), "{text}");
    // Pings without an end, whose answers nobody reads, do not pile up.
    let mut flood = Raw::connect(server.address()).await;
    let pings = frame(PING, &[7; 125]).repeat(1_000);
    for _ in 0..100 {
        let sending = flood.stream.write_all(&pings);
        if !matches!(timeout(Duration::from_secs(2), sending).await, Ok(Ok(()))) {
            break;
        }
    }

    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 40_000, "{grown} KiB more");
    database
        .execute("UPDATE items SET name = 'still here'")
        .await;
    shows(&mut viewer, window, "name", &["still here"]).await;
}
