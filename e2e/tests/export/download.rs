//! Downloads an export as a program would: piece by piece, or not to the end.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than any export of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Download {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()));
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// An answer whose body is still coming. Dropped, it closes the connection.
#[derive(Debug)]
pub(crate) struct Coming {
    response: Response<Incoming>,
    connection: tokio::task::AbortHandle,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Coming {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The next piece; `None` at the end, an error if the answer was cut short.
    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = tokio::time::timeout(PATIENCE, self.response.body_mut().frame());
        let frame = frame.await.expect("no piece comes")?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// Everything that is left.
    pub(crate) async fn rest(&mut self) -> Result<Vec<u8>, hyper::Error> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend_from_slice(&piece?);
        }
        Ok(body)
    }
}

/// The address of an export of `table`, with these parameters.
pub(crate) fn address(table: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", percent(value)))
        .collect();
    let table = percent(table);
    format!("/api/v1/tables/{table}/export?{}", pairs.join("&"))
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Asks for `path`, and returns when the head of the answer is there.
pub(crate) async fn begin(server: SocketAddr, method: &str, path: &str) -> Coming {
    let stream = TcpStream::connect(server)
        .await
        .expect("the server listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection).abort_handle();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", server.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let answer = tokio::time::timeout(PATIENCE, sender.send_request(request));
    let response = answer.await.expect("no answer").expect("an answer");
    Coming {
        response,
        connection,
    }
}

/// Asks for `path` and reads the answer to its end.
pub(crate) async fn get(server: SocketAddr, path: &str) -> Download {
    let mut coming = begin(server, "GET", path).await;
    let body = coming.rest().await.expect("the whole body");
    Download {
        status: coming.status(),
        headers: coming.response.headers().clone(),
        body,
    }
}
