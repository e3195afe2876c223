//! Which rows a view holds.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Value;

/// How deep `and`, `or` and `not` may nest. The limit is checked while reading, so that a hostile
/// frame cannot exhaust the stack.
pub const FILTER_DEPTH_MAX: usize = 32;

/// Which rows a view holds, with SQL's three-valued logic.
///
/// In JSON: `{"test":{"column":"price","op":">","values":[10]}}`, `{"and":[…]}`, `{"or":[…]}`,
/// `{"not":…}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Every one holds; an empty list always does.
    And(Vec<Filter>),
    /// At least one holds; an empty list never does.
    Or(Vec<Filter>),
    /// The inner one does not hold (and is not null).
    Not(Box<Filter>),
    /// One column against values.
    Test(Test),
}

/// One column against values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The column's name.
    pub column: String,
    /// What is asked of it.
    pub op: FilterOp,
    /// What it is compared with: none for `is_null`, two for `between`, any number for `in`, else one.
    #[serde(default)]
    pub values: Vec<Value>,
}

/// What a [`Test`] asks. Comparisons are PostgreSQL's own, in the column's type and collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FilterOp {
    /// `=`
    #[serde(rename = "=")]
    Eq,
    /// `<>`
    #[serde(rename = "!=")]
    Ne,
    /// `<`
    #[serde(rename = "<")]
    Lt,
    /// `<=`
    #[serde(rename = "<=")]
    Le,
    /// `>`
    #[serde(rename = ">")]
    Gt,
    /// `>=`
    #[serde(rename = ">=")]
    Ge,
    /// Both ends included.
    #[serde(rename = "between")]
    Between,
    /// Equal to one of the values.
    #[serde(rename = "in")]
    In,
    /// The column's text contains the value, ignoring case.
    #[serde(rename = "contains")]
    Contains,
    /// The column's text starts with the value, ignoring case.
    #[serde(rename = "starts_with")]
    StartsWith,
    /// The column is `NULL`.
    #[serde(rename = "is_null")]
    IsNull,
}

impl Filter {
    /// A test of one column against one value.
    pub fn test(column: impl Into<String>, op: FilterOp, value: impl Into<Value>) -> Self {
        Self::Test(Test {
            column: column.into(),
            op,
            values: vec![value.into()],
        })
    }
}

/// The derived reading of [`Filter`]; [`Filter`]'s own adds the depth limit.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", remote = "Filter")]
enum Derived {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Test(Test),
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                DEPTH.with(|depth| depth.set(depth.get() - 1));
            }
        }
        let depth = DEPTH.with(|depth| {
            depth.set(depth.get() + 1);
            depth.get()
        });
        let _leave = Leave;
        if depth > FILTER_DEPTH_MAX {
            return Err(serde::de::Error::custom(format!(
                "the filter nests deeper than {FILTER_DEPTH_MAX} levels"
            )));
        }
        Derived::deserialize(deserializer)
    }
}
