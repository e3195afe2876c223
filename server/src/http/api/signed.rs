//! What clients hold for the server and hand back: readable by every server on the database, and by none as something
//! that it is not.
//!
//! The signature's key follows from the database. It keeps mistakes out, not thieves: nothing is signed that a request
//! could not ask for anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Bytes of a signature.
const SIGNATURE_BYTES: usize = 16;

/// Signs what belongs to one request, and knows it again.
#[derive(Clone, Debug)]
pub struct Signer {
    mac: Hmac<Sha256>,
}

/// A text that nothing signed looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Signer {
    /// For what serves a purpose and belongs to `of`. `key` is the database's.
    ///
    /// # Errors
    /// If `of` cannot be written.
    pub fn new(key: &str, purpose: &str, of: &impl Serialize) -> Result<Self, postcard::Error> {
        let of = postcard::to_stdvec(of)?;
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
            return Err(postcard::Error::SerializeBufferFull);
        };
        mac.update(purpose.as_bytes());
        mac.update(&of);
        Ok(Self { mac })
    }

    /// The content as clients hold it; `None` if that would be more than `max` bytes before they are written as
    /// text.
    pub fn write(&self, content: &impl Serialize, max: usize) -> Option<String> {
        let mut bytes = postcard::to_stdvec(content).ok()?;
        let mac = self.mac.clone().chain_update(&bytes);
        let signature = mac.finalize().into_bytes();
        bytes.extend_from_slice(&signature[..SIGNATURE_BYTES]);
        (bytes.len() <= max).then(|| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a client handed back; `None` if it was signed for something else, or by another database.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<Option<T>, Malformed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Malformed)?;
        let content = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(Malformed)?;
        let (content, signature) = bytes.split_at(content);
        let mac = self.mac.clone().chain_update(content);
        let is_ours = mac.verify_truncated_left(signature).is_ok();
        Ok(is_ours
            .then(|| postcard::from_bytes(content).ok())
            .flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_for_the_same_is_read() {
        let signer = |key, purpose, of: u32| Signer::new(key, purpose, &of).unwrap();
        let ours = signer("a", "p", 1);
        let text = ours.write(&(7_u32, "x"), 100).unwrap();
        assert_eq!(ours.read(&text), Ok(Some((7_u32, "x".to_owned()))));
        for other in [
            signer("b", "p", 1),
            signer("a", "q", 1),
            signer("a", "p", 2),
        ] {
            assert_eq!(other.read::<(u32, String)>(&text), Ok(None));
        }
        for text in ["", "x", "not base64!", "AAAA"] {
            assert_eq!(ours.read::<u32>(text), Err(Malformed), "{text}");
        }
        assert_eq!(ours.write(&"x".repeat(100), 100), None);
    }
}
