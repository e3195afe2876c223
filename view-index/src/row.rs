//! Rows of a table, and how a batch changed them.

use std::sync::Arc;

use protocol::Value;
use serde::{Deserialize, Serialize};

use crate::snapshot::Xid;

/// A row's primary key: its values in key order, by their bytes.
pub type RowKey = Arc<[Value]>;

/// One row of a table, or one image of it from the change log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRow {
    /// The primary key's values.
    pub key: RowKey,
    /// All columns' values in the table's column order; `NULL` where omitted.
    pub cells: Box<[Value]>,
    /// Columns whose value the change log left out for its size, ascending. Empty for a row that was
    /// read from the table.
    pub omitted: Box<[u32]>,
}

impl TableRow {
    /// The value of a column; `None` if the change log left it out.
    pub fn cell(&self, column: usize) -> Option<&Value> {
        let left_out = !self.omitted.is_empty()
            && self
                .omitted
                .iter()
                .any(|&omitted| omitted as usize == column);
        if left_out {
            None
        } else {
            self.cells.get(column)
        }
    }
}

/// One side of a change: the image of a row that a transaction took away or put there.
///
/// An update is two sides. Sides are only ever summed, so their order does not matter: within one
/// transaction the log's order can differ from the order of effects (triggers that write again).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The transaction.
    pub xid: Xid,
    /// Whether the image appeared (`true`) or went (`false`).
    pub appeared: bool,
    /// The image.
    pub row: Arc<TableRow>,
}

/// What a batch did to one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChanges {
    /// Every image that appeared or went.
    pub sides: Vec<Side>,
    /// Every row that a side names, as it is at the end of the batch; `None` if it is gone.
    pub current: Vec<(RowKey, Option<Arc<TableRow>>)>,
    /// When the oldest change was made, in microseconds since 1970 by PostgreSQL's clock.
    pub changed_at_micros: Option<i64>,
}

/// PostgreSQL's verdicts on conditions that Rowcast does not evaluate itself
/// ([`Predicate::Asked`](crate::Predicate::Asked)), for every image and row of one [`TableChanges`].
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// Conditions asked of each row.
    pub conditions: usize,
    /// `conditions` verdicts for each of [`TableChanges::sides`].
    pub sides: Vec<Option<bool>>,
    /// `conditions` verdicts for each of [`TableChanges::current`].
    pub current: Vec<Option<bool>>,
}

impl Verdicts {
    /// The verdicts on one side's image.
    pub fn side(&self, index: usize) -> &[Option<bool>] {
        slice(&self.sides, self.conditions, index)
    }

    /// The verdicts on one current row.
    pub fn current(&self, index: usize) -> &[Option<bool>] {
        slice(&self.current, self.conditions, index)
    }
}

fn slice(verdicts: &[Option<bool>], conditions: usize, index: usize) -> &[Option<bool>] {
    verdicts
        .get(index * conditions..(index + 1) * conditions)
        .unwrap_or_default()
}
