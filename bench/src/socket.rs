//! A socket that speaks the binary protocol, as the viewer does.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMsg, Encoding, ServerMsg};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// A socket that speaks the binary protocol.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Connects to a server.
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let request = ClientRequestBuilder::new(url.parse()?)
            .with_sub_protocol(Encoding::Binary.subprotocol())
            .into_client_request()?;
        let (socket, _response) = connect_async_with_config(request, None, true).await?;
        Ok(Self(socket))
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: &ClientMsg) -> anyhow::Result<()> {
        let bytes = Encoding::Binary.encode(message)?;
        Ok(self.0.send(Message::binary(bytes)).await?)
    }

    /// Waits for a message; returns it with the bytes it took.
    pub(crate) async fn receive(&mut self) -> anyhow::Result<(ServerMsg, usize)> {
        loop {
            let frame = self
                .0
                .next()
                .await
                .context("the server closed a socket")??;
            if let Message::Binary(bytes) = frame {
                return Ok((Encoding::Binary.decode(&bytes)?, bytes.len()));
            }
        }
    }
}
