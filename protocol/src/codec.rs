//! The two encodings of a message.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How messages are written on a socket; chosen by the WebSocket subprotocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text frames of JSON: for people and scripts. The default without a subprotocol.
    #[default]
    Json,
    /// Binary frames of postcard (<https://postcard.jamesmunns.com/wire-format>): for viewers.
    Binary,
}

impl Encoding {
    /// Every encoding, the server's favourite first.
    pub const ALL: [Self; 2] = [Self::Binary, Self::Json];

    /// The WebSocket subprotocol that asks for it.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "rowcast.v2.json",
            Self::Binary => "rowcast.v2.binary",
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// Only if the message cannot be represented, which no message of this crate can cause.
    pub fn encode<T: Serialize>(self, message: &T) -> Result<Vec<u8>, CodecError> {
        Ok(match self {
            Self::Json => serde_json::to_vec(message)?,
            Self::Binary => postcard::to_stdvec(message)?,
        })
    }

    /// Reads a message that fills `bytes` exactly.
    ///
    /// # Errors
    /// If the bytes are not such a message; the error says where and what was expected.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, CodecError> {
        Ok(match self {
            Self::Json => serde_json::from_slice(bytes)?,
            Self::Binary => {
                let (message, rest) = postcard::take_from_bytes(bytes)?;
                if !rest.is_empty() {
                    return Err(CodecError::TrailingBytes(rest.len()));
                }
                message
            }
        })
    }
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not JSON, or not a message of this protocol.
    #[error("not a message: {0}")]
    Json(#[from] serde_json::Error),
    /// Not postcard, or not a message of this protocol.
    #[error("not a message: {0}")]
    Binary(#[from] postcard::Error),
    /// A message, and bytes behind it.
    #[error("not a message: {0} bytes follow it")]
    TrailingBytes(usize),
}
