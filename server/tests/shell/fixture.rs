//! A server to ask, and a client that sends exactly what it is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use private_postgres::{Options, PrivatePostgres};
use server::{Database, RunningServer, ServerOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a PostgreSQL of its own.
pub(crate) struct Fixture {
    pub(crate) server: RunningServer,
    pub(crate) postgres: PrivatePostgres,
    /// With the web viewer in `web`.
    pub(crate) folder: TempDir,
    /// After `postgres`, which is dropped first.
    _data: TempDir,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = tempfile::tempdir().unwrap();
        let postgres = PrivatePostgres::start(Options::throwaway(data.path()))
            .await
            .unwrap();
        let mut options = ServerOptions::new(Database::Url(postgres.url()));
        options.web_dir = folder.path().join("web");
        options.allowed_origins = vec!["https://good.example".parse().unwrap()];
        let server = server::start(options, any_port().await).await.unwrap();
        Self {
            server,
            postgres,
            folder,
            _data: data,
        }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(self.server.address(), "GET", path, headers).await
    }
}

pub(crate) async fn any_port() -> TcpListener {
    server::start::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
        .await
        .unwrap()
}

/// An answer as it came over the socket.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends exactly this: an HTTP library would tidy the path up.
pub(crate) async fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request += &format!("Host: {to}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream
        .write_all((request + "\r\n").as_bytes())
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // A refusal may reset the connection while a long request is still being sent.
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .unwrap();
    assert!(
        read.is_ok() || !bytes.is_empty(),
        "{method} {path}: {read:?}"
    );
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

/// Only the first line: an open socket does not end.
pub(crate) async fn upgrade_status(to: SocketAddr, headers: &[(&str, &str)]) -> u16 {
    let mut request = "GET /ws HTTP/1.1\r\n".to_owned();
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request += &format!("Host: {to}\r\n");
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream
        .write_all((request + "\r\n").as_bytes())
        .await
        .unwrap();
    let mut line = [0; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut line))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&line[9..]).parse().unwrap()
}
