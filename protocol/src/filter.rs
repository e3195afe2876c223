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
    /// What it is compared with: none for `is_null`, two for `between`, any number for `in` and for
    /// the operators of arrays, else one.
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
    /// The column's text matches the regular expression (PostgreSQL's `~`).
    #[serde(rename = "matches")]
    Matches,
    /// The column's text matches the regular expression, ignoring case (`~*`).
    #[serde(rename = "imatches")]
    IMatches,
    /// The array has every one of the values (`@>`).
    #[serde(rename = "array_contains")]
    ArrayContains,
    /// The array has no other elements than the values (`<@`).
    #[serde(rename = "array_contained")]
    ArrayContained,
    /// The array has at least one of the values (`&&`).
    #[serde(rename = "overlaps")]
    Overlaps,
    /// The `jsonb` contains the value, which is JSON (`@>`).
    #[serde(rename = "json_contains")]
    JsonContains,
    /// The `jsonb` satisfies the path: a predicate is true (`@@`), or any other path finds something
    /// (`@?`).
    #[serde(rename = "json_path")]
    JsonPath,
    /// The date or time is at most so long ago, and not in the future; the value is an interval.
    #[serde(rename = "within_last")]
    WithinLast,
    /// The date or time is in the future, and at most so far; the value is an interval.
    #[serde(rename = "within_next")]
    WithinNext,
}

impl FilterOp {
    /// Every operator, in the order of the binary encoding.
    pub const ALL: [Self; 20] = [
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
        Self::Between,
        Self::In,
        Self::Contains,
        Self::StartsWith,
        Self::IsNull,
        Self::Matches,
        Self::IMatches,
        Self::ArrayContains,
        Self::ArrayContained,
        Self::Overlaps,
        Self::JsonContains,
        Self::JsonPath,
        Self::WithinLast,
        Self::WithinNext,
    ];

    /// Its name on the wire in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Between => "between",
            Self::In => "in",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::IsNull => "is_null",
            Self::Matches => "matches",
            Self::IMatches => "imatches",
            Self::ArrayContains => "array_contains",
            Self::ArrayContained => "array_contained",
            Self::Overlaps => "overlaps",
            Self::JsonContains => "json_contains",
            Self::JsonPath => "json_path",
            Self::WithinLast => "within_last",
            Self::WithinNext => "within_next",
        }
    }
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
