//! Cursors: where a page of rows ended, for a client to hand back.
//!
//! A cursor holds the values that the page's last row has in the view's order. It is signed together with the
//! view and the table's columns, so that one of another table, sort or filter is told from one of this. The
//! signature's key follows from the database, so every server on it understands the cursors of the others.
//! It keeps mistakes out, not thieves: a cursor says nothing that its request could not ask for anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use protocol::{Value, ViewSpec};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::codes::Code;
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::CURSOR_BYTES_MAX;

/// Bytes of the signature that a cursor carries.
const SIGNATURE_BYTES: usize = 16;

/// Where a page starts: next to a row, whether or not it is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Whether the page ends there rather than starts.
    pub backwards: bool,
    /// The row's values in the view's order.
    pub values: Vec<Value>,
}

/// Signs the cursors of one view and knows them again.
#[derive(Clone, Debug)]
pub struct Signer {
    mac: Hmac<Sha256>,
}

impl Signer {
    /// For the cursors of a view. `key` is the database's.
    ///
    /// # Errors
    /// If the view cannot be written, which no view can cause.
    pub fn new(key: &str, table: &TableDef, view: &ViewSpec) -> Result<Self, postcard::Error> {
        let view = postcard::to_stdvec(&(table.oid, table.layout(), view))?;
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
            return Err(postcard::Error::SerializeBufferFull);
        };
        mac.update(b"rowcast cursor 1");
        mac.update(&view);
        Ok(Self { mac })
    }

    /// The cursor as clients hold it; `None` if it would be longer than an address can carry.
    pub fn write(&self, cursor: &Cursor) -> Option<String> {
        let mut bytes = postcard::to_stdvec(cursor).ok()?;
        let signature = self
            .mac
            .clone()
            .chain_update(&bytes)
            .finalize()
            .into_bytes();
        bytes.extend_from_slice(&signature[..SIGNATURE_BYTES]);
        (bytes.len() <= CURSOR_BYTES_MAX).then(|| URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A cursor that a client handed back.
    ///
    /// # Errors
    /// If it is not one of this view.
    pub fn read(&self, text: &str) -> Result<Cursor, Problem> {
        self.verified(text).ok_or_else(invalid)
    }

    fn verified(&self, text: &str) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let content = bytes.len().checked_sub(SIGNATURE_BYTES)?;
        let (content, signature) = bytes.split_at(content);
        let mac = self.mac.clone().chain_update(content);
        mac.verify_truncated_left(signature).ok()?;
        postcard::from_bytes(content).ok()
    }
}

/// A cursor that is not one of the view.
pub fn invalid() -> Problem {
    let detail = "this is not a cursor of this table, sort and filter, with the columns that the table has \
                  now; repeat the parameters of the page that it came with, or start without a cursor";
    Code::InvalidCursor.because(detail)
}
