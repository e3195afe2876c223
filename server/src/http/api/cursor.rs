//! Cursors: where a page of rows ended, for a client to hand back.
//!
//! A cursor holds the values that the page's last row has in the view's order, [signed](super::signed) together with
//! the view and the table's columns, so that one of another table, sort or filter is told from one of this.

use protocol::{Value, ViewSpec};
use serde::{Deserialize, Serialize};

use super::codes::Code;
use super::signed::Signer;
use crate::db::catalog::TableDef;
use crate::http::problem::Problem;
use crate::limits::CURSOR_BYTES_MAX;

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
pub struct Cursors(Signer);

impl Cursors {
    /// For the cursors of a view. `key` is the database's.
    ///
    /// # Errors
    /// If the view cannot be written, which no view can cause.
    pub fn new(key: &str, table: &TableDef, view: &ViewSpec) -> Result<Self, postcard::Error> {
        let of = (table.oid, table.layout(), view);
        Ok(Self(Signer::new(key, "rowcast cursor 1", &of)?))
    }

    /// The cursor as clients hold it; `None` if it would be longer than an address can carry.
    pub fn write(&self, cursor: &Cursor) -> Option<String> {
        self.0.write(cursor, CURSOR_BYTES_MAX)
    }

    /// A cursor that a client handed back.
    ///
    /// # Errors
    /// If it is not one of this view.
    pub fn read(&self, text: &str) -> Result<Cursor, Problem> {
        self.0.read(text).ok().flatten().ok_or_else(invalid)
    }
}

/// A cursor that is not one of the view.
pub fn invalid() -> Problem {
    let detail = "this is not a cursor of this table, sort and filter, with the columns that the table has \
                  now; repeat the parameters of the page that it came with, or start without a cursor";
    Code::InvalidCursor.because(detail)
}
