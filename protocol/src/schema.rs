//! Tables and columns as a client sees them.

use serde::{Deserialize, Serialize};

/// One table in the list of tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    /// `schema.table`, quoted where SQL needs it; the name to ask for it by.
    pub name: String,
    /// PostgreSQL's own estimate of the row count; `None` before the first `ANALYZE`.
    pub estimated_rows: Option<u64>,
    /// The table's comment in PostgreSQL.
    pub comment: Option<String>,
}

/// A table's columns, as a window on it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// `schema.table`, quoted where SQL needs it.
    pub name: String,
    /// The primary key's columns in key order; a row's `key` holds their values.
    pub key: Vec<String>,
    /// The window's columns; a row's `cells` hold their values, in this order.
    pub columns: Vec<Column>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name, not quoted.
    pub name: String,
    /// What its values are, for formatting and validation.
    pub kind: ColumnKind,
    /// PostgreSQL's name of the type, e.g. `numeric(12,2)`.
    pub type_name: String,
    /// Whether it may be `NULL`.
    pub nullable: bool,
    /// Whether [`ClientMsg::Edit`](crate::ClientMsg::Edit) may name it.
    pub editable: bool,
    /// Whether a sort may name it.
    pub sortable: bool,
    /// An enum's labels in their order; empty for other types.
    pub labels: Vec<String>,
    /// The column's comment in PostgreSQL.
    pub comment: Option<String>,
}

/// What a column's values are: how to align, format, compare and validate them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// `boolean`: [`Value::Bool`](crate::Value::Bool).
    Bool,
    /// `smallint`, `integer`, `bigint`: [`Value::Int`](crate::Value::Int).
    Int,
    /// `real`, `double precision`: [`Value::Float`](crate::Value::Float).
    Float,
    /// `numeric` of any precision, as text.
    Numeric,
    /// `text`, `varchar`, `char`.
    Text,
    /// `2026-11-21`.
    Date,
    /// `13:45:00`, with or without a zone.
    Time,
    /// `2026-11-21T13:45:00.123456`, without a zone.
    Timestamp,
    /// `2026-11-21T13:45:00.123456+00:00`, always UTC on the wire.
    TimestampTz,
    /// `interval` as PostgreSQL writes it.
    Interval,
    /// Lower-case with hyphens.
    Uuid,
    /// `json` and `jsonb`, as their text.
    Json,
    /// An array, as a JSON array.
    Array,
    /// An enum; the labels are in [`Column::labels`].
    Enum,
    /// `bytea` as `\x` and hex digits.
    Bytes,
    /// Any other type, as its text.
    Other,
}
