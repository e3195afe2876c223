//! What a client asks to see.

use serde::{Deserialize, Serialize};

use crate::Filter;

/// Which rows of which table, in which order. Clients that ask for the same one share it on the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSpec {
    /// The table's name as [`TableInfo::name`](crate::TableInfo::name) gives it; a table of the schema
    /// `public` may be named without it.
    pub table: String,
    /// Which rows; all without it.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// The order, most significant column first. The primary key always ends it, in the last column's
    /// direction, so the order is total.
    #[serde(default)]
    pub sort: Vec<SortColumn>,
    /// Words to look for, besides the filter: every one must be found, the last one also as the
    /// beginning of a word. Under an empty `sort` the best matches come first, if the table has an
    /// index for full-text search.
    #[serde(default)]
    pub search: Option<String>,
}

impl ViewSpec {
    /// All rows of a table in primary key order.
    pub fn table(name: impl Into<String>) -> Self {
        Self {
            table: name.into(),
            filter: None,
            sort: Vec::new(),
            search: None,
        }
    }
}

/// One column of a sort.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortColumn {
    /// The column's name.
    pub column: String,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
    /// Where `NULL`s go; without it PostgreSQL's default: last if ascending, first if descending.
    #[serde(default)]
    pub nulls: Option<NullsOrder>,
}

/// Where `NULL`s go in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullsOrder {
    /// Before every value.
    First,
    /// After every value.
    Last,
}
