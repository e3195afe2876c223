//! A socket spoken to by hand, in the JSON encoding: for what no viewer would say.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMsg, Encoding, ServerMsg};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::eventually::SOON;

/// A JSON socket.
#[derive(Debug)]
pub struct RawSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl RawSocket {
    /// Connects, and takes the server's greeting.
    ///
    /// # Panics
    /// If there is none.
    pub async fn connect(url: &str) -> Self {
        let mut request = url.into_client_request().expect("an address");
        let subprotocol = HeaderValue::from_static(Encoding::Json.subprotocol());
        request
            .headers_mut()
            .insert("sec-websocket-protocol", subprotocol);
        let (stream, _) = tokio_tungstenite::connect_async(request)
            .await
            .expect("no socket");
        let mut socket = Self { stream };
        socket
            .expect("a greeting", |message| {
                matches!(message, ServerMsg::Hello(_))
            })
            .await;
        socket
    }

    /// Sends a text frame as it is.
    ///
    /// # Panics
    /// If the socket is closed.
    pub async fn send_text(&mut self, text: &str) {
        self.stream
            .send(Message::text(text))
            .await
            .expect("the socket is closed");
    }

    /// Sends a text frame as it is, if the socket is open.
    ///
    /// # Errors
    /// If it is closed, or closes meanwhile.
    pub async fn try_send_text(&mut self, text: &str) -> Result<(), Error> {
        self.stream.send(Message::text(text)).await
    }

    /// Sends a binary frame as it is.
    ///
    /// # Panics
    /// If the socket is closed.
    pub async fn send_binary(&mut self, bytes: Vec<u8>) {
        self.stream
            .send(Message::binary(bytes))
            .await
            .expect("the socket is closed");
    }

    /// Sends a message.
    ///
    /// # Panics
    /// If the socket is closed.
    pub async fn send(&mut self, message: &ClientMsg) {
        let text = serde_json::to_string(message).expect("a message can be written");
        self.send_text(&text).await;
    }

    /// The next message; `Err` when the server closed the socket, with its code if it said one.
    ///
    /// # Errors
    /// When the socket is closed.
    ///
    /// # Panics
    /// If a frame is not a message of the protocol, or nothing comes.
    pub async fn next(&mut self) -> Result<ServerMsg, Option<CloseCode>> {
        loop {
            let frame = tokio::time::timeout(SOON, self.stream.next()).await;
            match frame.expect("the server says nothing") {
                Some(Ok(Message::Text(text))) => {
                    let message = serde_json::from_str(&text);
                    return Ok(message.unwrap_or_else(|error| panic!("{error}: {text}")));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(_))) => panic!("a binary frame on a JSON socket"),
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                    return Err(None);
                }
                Some(Err(_)) => return Err(None),
            }
        }
    }

    /// The next message that is as described; others are passed over.
    ///
    /// # Panics
    /// If none comes in time, or the socket is closed.
    pub async fn expect(&mut self, what: &str, is: impl Fn(&ServerMsg) -> bool) -> ServerMsg {
        let search = async {
            loop {
                match self.next().await {
                    Ok(message) if is(&message) => return message,
                    Ok(_) => {}
                    Err(code) => panic!("expected {what}; the server closed the socket: {code:?}"),
                }
            }
        };
        let found = tokio::time::timeout(SOON, search).await;
        found.unwrap_or_else(|_| panic!("expected {what}; nothing of the kind came"))
    }

    /// Whether the server closes the socket within a time, and with which code.
    pub async fn closes_within(&mut self, deadline: Duration) -> Option<Option<CloseCode>> {
        let closing = async {
            loop {
                if let Err(code) = self.next().await {
                    return code;
                }
            }
        };
        tokio::time::timeout(deadline, closing).await.ok()
    }
}
