//! Summaries: rows grouped and aggregated, kept live. Grand totals, groups, facets and histograms are all
//! summaries; they differ in their keys.

use serde::{Deserialize, Serialize};

use crate::{
    Column, ColumnKind, ErrorCode, Generation, NullsOrder, RowOp, UpdateNumber, Value, Version,
    ViewSpec,
};

/// A summary of this socket; the client chooses the number.
pub type SummaryId = u32;

/// Asks for a summary; answered by `summarized`, then by `summary` messages for as long as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summarize {
    /// The summary's number, not in use on this socket.
    pub summary: SummaryId,
    /// Echoed in `summary` messages; see [`ShowGroups::generation`].
    #[serde(default)]
    pub generation: Generation,
    /// Which rows; the sort has no meaning here.
    pub view: ViewSpec,
    /// What rows are grouped by; nothing for grand totals.
    #[serde(default)]
    pub by: Vec<GroupBy>,
    /// What is told of each group besides its number of rows.
    #[serde(default)]
    pub aggregates: Vec<Aggregate>,
    /// The order of groups; without it by the keys, ascending.
    #[serde(default)]
    pub order: Vec<GroupOrder>,
    /// The position of the first group to show, from 0.
    #[serde(default)]
    pub start: u64,
    /// How many groups to show.
    pub count: u32,
}

/// One key of a summary.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupBy {
    /// The column's name.
    pub column: String,
    /// Ranges of values to group by; without it every distinct value is a group.
    #[serde(default)]
    pub buckets: Option<Buckets>,
}

/// Ranges of a column's values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buckets {
    /// About this many, with round bounds, chosen from the least and the greatest value of now.
    Count(u32),
    /// These bounds, ascending: n bounds make n + 1 buckets, of which the outer two are open-ended.
    Bounds(Vec<Value>),
}

/// What is told of each group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// What to compute.
    pub op: AggregateOp,
    /// Of which column; only `count` may go without, and then counts rows.
    #[serde(default)]
    pub column: Option<String>,
}

/// What is computed of a group's values that are not `NULL`, as PostgreSQL's function of that name does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateOp {
    /// How many.
    Count,
    /// Their sum.
    Sum,
    /// Their average.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// One term of an order of groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupOrder {
    /// What is compared.
    pub by: GroupTerm,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
    /// Where `NULL`s go; without it PostgreSQL's default: last if ascending, first if descending.
    #[serde(default)]
    pub nulls: Option<NullsOrder>,
}

/// What an order of groups compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupTerm {
    /// A key, by its place in [`Summarize::by`].
    Key(u32),
    /// A value, by its place in [`Summarized::values`]: 0 is the number of rows.
    Value(u32),
}

/// Shows other groups of a summary. Like `move`, it never waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowGroups {
    /// The summary.
    pub summary: SummaryId,
    /// Greater than the summary's last; a smaller one is ignored.
    pub generation: Generation,
    /// The position of the first group to show, from 0.
    pub start: u64,
    /// How many groups to show.
    pub count: u32,
    /// The last `summary` message applied (0 for none): acknowledges it.
    #[serde(default)]
    pub received: UpdateNumber,
}

/// Says that a `summary` message has been applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AckSummary {
    /// The summary.
    pub summary: SummaryId,
    /// The message's number; acknowledges the earlier ones too.
    pub number: UpdateNumber,
}

/// Ends a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsummarize {
    /// The summary.
    pub summary: SummaryId,
}

/// A summary is kept, with these keys and values. Sent again if they change, which ends the chain of
/// `summary` messages: the next one starts from nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summarized {
    /// The summary.
    pub summary: SummaryId,
    /// The table, `schema.table`, quoted where SQL needs it.
    pub table: String,
    /// What a group's `key` holds.
    pub keys: Vec<SummaryKey>,
    /// What a group's `cells` hold; the first is always the number of rows.
    pub values: Vec<SummaryValue>,
}

/// One key of a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryKey {
    /// The column.
    pub column: Column,
    /// For buckets, their bounds: the key is then the number of bounds at or below the value, and `NULL`
    /// for `NULL`. Without it the key is a value of the column.
    pub bounds: Option<Vec<Value>>,
}

/// One value of a summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryValue {
    /// What is computed.
    pub op: AggregateOp,
    /// Of which column; rows if `None`.
    pub column: Option<String>,
    /// What the result is.
    pub kind: ColumnKind,
}

/// Brings a summary from one version to the next. As with windows, a snapshot is one that keeps nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummaryUpdate {
    /// The summary.
    pub summary: SummaryId,
    /// The newest generation that the server knew of.
    pub generation: Generation,
    /// This message's number, to acknowledge it by; the first is 1.
    pub number: UpdateNumber,
    /// The version it starts from; `None` marks a snapshot, which starts from nothing.
    pub from: Option<Version>,
    /// The version it ends at.
    pub to: Version,
    /// The position of the first group shown, from 0.
    pub start: u64,
    /// How many groups there are.
    pub groups: u64,
    /// Rows in all groups.
    pub rows: u64,
    /// Rows in the groups that are not shown.
    pub rest: u64,
    /// The shown groups, in order, written in terms of those before.
    pub shown: Vec<RowOp>,
    /// When the oldest change in this message was made, in microseconds since 1970 by PostgreSQL's clock.
    pub changed_at_micros: Option<i64>,
}

/// A summary was refused, or can no longer be kept; its number is free again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryRefused {
    /// The summary.
    pub summary: SummaryId,
    /// Why, for programs.
    pub code: ErrorCode,
    /// Why, and what to do about it, for people.
    pub message: String,
}
