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
    /// The schema's name alone, not quoted.
    pub schema: String,
    /// The table's name alone, not quoted.
    pub table: String,
    /// What it is.
    pub kind: TableKind,
    /// How its changes arrive.
    pub liveness: Liveness,
    /// What the server's role may do with its rows.
    pub may: Privileges,
    /// Why none of its cells can be edited, for people; `None` if those can that are
    /// [`editable`](Column::editable).
    pub not_editable: Option<String>,
}

impl TableInfo {
    /// A live table of the schema `public` of which nothing else is known.
    pub fn named(table: &str) -> Self {
        Self {
            name: format!("public.{table}"),
            estimated_rows: None,
            comment: None,
            schema: "public".to_owned(),
            table: table.to_owned(),
            kind: TableKind::Table,
            liveness: Liveness::Live,
            may: Privileges {
                insert: true,
                update: true,
                delete: true,
            },
            not_editable: None,
        }
    }
}

/// What a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// An ordinary table.
    Table,
    /// A table in partitions; they are not listed by themselves.
    Partitioned,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A table on another server.
    Foreign,
}

/// How a table's changes arrive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// Every commit, as it happens.
    Live,
    /// The windows are asked again and again.
    Polled {
        /// The pause between two looks, in milliseconds; longer where a look takes long.
        every_millis: u32,
        /// Why it is not live, and what would make it so, for people.
        reason: String,
    },
}

/// What the server's role may do with a table's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Privileges {
    /// Add rows.
    pub insert: bool,
    /// Change at least one column.
    pub update: bool,
    /// Delete rows.
    pub delete: bool,
}

/// A table's columns, as a window on it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// `schema.table`, quoted where SQL needs it.
    pub name: String,
    /// The key's columns in key order; a row's `key` holds their values. Empty for a table without a
    /// key: a row's `key` is then a mark of its content, and a number among rows of the same content.
    pub key: Vec<String>,
    /// The window's columns; a row's `cells` hold their values, in this order.
    pub columns: Vec<Column>,
    /// How the window's changes arrive.
    pub liveness: Liveness,
    /// As [`TableInfo::not_editable`].
    pub not_editable: Option<String>,
}

impl TableSchema {
    /// The columns of a live table that can be edited.
    pub fn live(name: impl Into<String>, key: Vec<String>, columns: Vec<Column>) -> Self {
        Self {
            name: name.into(),
            key,
            columns,
            liveness: Liveness::Live,
            not_editable: None,
        }
    }
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
