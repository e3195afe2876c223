//! Columns: their kinds, types and orders.

use protocol::{Column, ColumnKind};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::oid;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnDef {
    /// The bare name.
    pub name: String,
    /// The name, quoted where SQL needs it.
    pub sql_name: String,
    /// The type without modifiers, as SQL: what text is cast to.
    pub sql_type: String,
    /// Its collation, quoted; `None` for types without one.
    pub collation: Option<String>,
    /// How its values are ordered.
    pub ordering: Ordering,
    /// Whether it is `jsonb`, or a domain over it.
    pub is_jsonb: bool,
    /// Whether its values have elements.
    pub is_array: bool,
    /// Whether its values have fields: one whose fields are all NULL is not NULL itself, though `IS NULL` says so.
    pub is_composite: bool,
    /// Whether its values are told as its type's own texts, because what `to_json` writes of them cannot be read back:
    /// it calls a cast (`hstore`), or there is JSON inside of arrays and composites, where a null can be JSON's own or a
    /// missing value.
    pub worded: bool,
    /// What its type calls `<`, `<=`, `>=` and `>`, if it calls them otherwise (`hstore`).
    pub operators: Option<Vec<String>>,
    /// Whether its type is a domain that refuses `NULL`, which the column may hold all the same.
    pub refuses_null: bool,
    /// Whether an `INSERT` may name it.
    pub insertable: bool,
    /// Whether `=` means the same bytes (text under a deterministic collation).
    pub equal_is_same_text: bool,
    /// What clients are told.
    pub shown: Column,
}

/// How a column's values are ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ordering {
    /// `boolean`
    Bool,
    /// Integers.
    Int,
    /// Floats.
    Float,
    /// `numeric`
    Numeric,
    /// `date`
    Date,
    /// `timestamp`, `timestamptz`
    Timestamp,
    /// By the bytes of the text.
    Bytes,
    /// Only PostgreSQL knows; text also needs the collation, as SQL.
    Asked {
        /// The collation, quoted; `None` for types without one.
        collation: Option<String>,
    },
    /// The type has no order.
    None,
}

/// One row of [`COLUMNS`](super::sql::COLUMNS).
pub(super) fn column_def(row: &PgRow) -> Result<ColumnDef, sqlx::Error> {
    let base = oid(row, "base_oid")?;
    let type_type: String = row.try_get("type_type")?;
    let category: String = row.try_get("category")?;
    let kind = column_kind(base, &type_type, &category);
    let is_array = kind == ColumnKind::Array;
    let worded = row.try_get("worded")?;
    // Where clients are told of an array, they expect JSON.
    let kind = if worded && is_array {
        ColumnKind::Other
    } else {
        kind
    };
    let has_order: bool = row.try_get("has_order")?;
    let collation: Option<String> = row.try_get("collation")?;
    let ordering = if has_order {
        ordering(base, kind, collation.clone(), row.try_get("by_bytes")?)
    } else {
        Ordering::None
    };
    let name: String = row.try_get("name")?;
    Ok(ColumnDef {
        sql_name: row.try_get("sql_name")?,
        sql_type: row.try_get("sql_type")?,
        collation,
        is_jsonb: base == JSONB,
        is_array,
        is_composite: type_type == "c",
        worded,
        operators: row.try_get("operators")?,
        refuses_null: row.try_get("refuses_null")?,
        insertable: row.try_get("insertable")?,
        equal_is_same_text: kind == ColumnKind::Text
            && base != BPCHAR
            && row.try_get("deterministic")?,
        shown: Column {
            name: name.clone(),
            kind,
            type_name: row.try_get("type_name")?,
            nullable: row.try_get("nullable")?,
            editable: row.try_get("editable")?,
            sortable: ordering != Ordering::None,
            labels: row.try_get("labels")?,
            comment: row.try_get("comment")?,
        },
        ordering,
        name,
    })
}

impl ColumnDef {
    /// Whether it is `json` or `jsonb`, whose own null `to_json` writes like SQL's `NULL`.
    pub fn is_json(&self) -> bool {
        self.shown.kind == ColumnKind::Json
    }

    /// What its type calls an operator that others call so.
    pub fn operator<'a>(&'a self, usual: &'a str) -> &'a str {
        let nth = COMPARISONS.iter().position(|operator| *operator == usual);
        let own = self.operators.as_deref().zip(nth);
        own.and_then(|(own, nth)| own.get(nth))
            .map_or(usual, String::as_str)
    }

    /// Whether its values are made of others.
    pub fn has_parts(&self) -> bool {
        self.is_array || self.is_composite
    }

    /// Whether only `json_to_record` reads what is told of its values.
    pub fn from_record(&self) -> bool {
        self.has_parts() && !self.worded
    }

    /// Whether its values are told as JSON, nested where it stands in JSON itself.
    pub fn is_nested(&self) -> bool {
        self.from_record() || self.is_json()
    }

    /// SQL for the text as which a value of it (SQL too) is told: what `to_json` writes, without the quotes of a string.
    pub fn told(&self, value: &str) -> String {
        if self.worded {
            format!("({value})::text")
        } else if self.is_nested() {
            format!("to_json({value})::text")
        } else {
            format!("(to_json({value}) #>> '{{}}')")
        }
    }

    /// SQL for what `to_json` is given in place of a value of it (SQL too).
    pub fn in_json(&self, value: &str) -> String {
        if self.worded {
            format!("{value}::text")
        } else {
            value.to_owned()
        }
    }

    /// SQL for whether a value of it (SQL too) is missing.
    pub fn is_null(&self, value: &str) -> String {
        if self.is_composite {
            format!("{value} IS NOT DISTINCT FROM NULL")
        } else {
            format!("{value} IS NULL")
        }
    }

    /// SQL for whether there is a value. It is no more the opposite of `IS NULL` where some fields are NULL.
    pub fn is_not_null(&self, value: &str) -> String {
        if self.is_composite {
            format!("{value} IS DISTINCT FROM NULL")
        } else {
            format!("{value} IS NOT NULL")
        }
    }

    /// SQL for the value whose canonical text `text` (SQL too) is: the column's type reads it back.
    pub fn read(&self, text: &str) -> String {
        if self.from_record() {
            let sql_type = &self.sql_type;
            return format!(
                "(SELECT read.value FROM json_to_record(json_build_object('value', {text}::json)) \
                 AS read (value {sql_type}))"
            );
        }
        format!("{text}::{}", self.sql_type)
    }
}

/// In the order of [`ColumnDef::operators`].
const COMPARISONS: [&str; 4] = ["<", "<=", ">=", ">"];
const BPCHAR: u32 = 1042;
const JSONB: u32 = 3802;

fn column_kind(base: u32, type_type: &str, category: &str) -> ColumnKind {
    match (base, type_type, category) {
        (16, ..) => ColumnKind::Bool,
        (20 | 21 | 23, ..) => ColumnKind::Int,
        (700 | 701, ..) => ColumnKind::Float,
        (1700, ..) => ColumnKind::Numeric,
        (25 | 1043 | BPCHAR | 19, ..) => ColumnKind::Text,
        (1082, ..) => ColumnKind::Date,
        (1083 | 1266, ..) => ColumnKind::Time,
        (1114, ..) => ColumnKind::Timestamp,
        (1184, ..) => ColumnKind::TimestampTz,
        (1186, ..) => ColumnKind::Interval,
        (2950, ..) => ColumnKind::Uuid,
        (114 | 3802, ..) => ColumnKind::Json,
        (17, ..) => ColumnKind::Bytes,
        (_, "e", _) => ColumnKind::Enum,
        (_, _, "A") => ColumnKind::Array,
        _ => ColumnKind::Other,
    }
}

fn ordering(base: u32, kind: ColumnKind, collation: Option<String>, by_bytes: bool) -> Ordering {
    match kind {
        ColumnKind::Bool => Ordering::Bool,
        ColumnKind::Int => Ordering::Int,
        ColumnKind::Float => Ordering::Float,
        ColumnKind::Numeric => Ordering::Numeric,
        ColumnKind::Date => Ordering::Date,
        ColumnKind::Timestamp | ColumnKind::TimestampTz => Ordering::Timestamp,
        // Hex digits ascend as the bytes that they write.
        ColumnKind::Uuid | ColumnKind::Bytes => Ordering::Bytes,
        // Blanks at the end of a char(n) do not count, so bytes do not decide.
        ColumnKind::Text if by_bytes && base != BPCHAR => Ordering::Bytes,
        _ => Ordering::Asked { collation },
    }
}
