//! Rows as plain JSON objects.

use std::collections::HashMap;

use protocol::{Column, ColumnKind, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::db::catalog::TableDef;

/// How one column is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    name: String,
    /// Whether the value is JSON itself, to be written as it is.
    inline: bool,
}

/// How these columns of a table are written.
pub fn members(columns: &[Column], table: &TableDef) -> Vec<Member> {
    let nested: HashMap<&str, bool> = table
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.is_nested()))
        .collect();
    let inline = |column: &Column| {
        matches!(column.kind, ColumnKind::Json | ColumnKind::Array)
            || nested.get(column.name.as_str()) == Some(&true)
    };
    columns
        .iter()
        .map(|column| Member {
            inline: inline(column),
            name: column.name.clone(),
        })
        .collect()
}

/// A row as an object. Numbers that JSON holds exactly (`bool`, integers, floats) are plain, `json`,
/// arrays and composites are inline, everything else is text.
#[derive(Clone, Copy, Debug)]
pub struct RowObject<'a> {
    /// The columns to write, in this order.
    pub members: &'a [Member],
    /// Their values.
    pub cells: &'a [Value],
}

impl Serialize for RowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.members.len()))?;
        for (member, value) in self.members.iter().zip(self.cells) {
            match value {
                Value::Text(text) if member.inline => {
                    match serde_json::from_str::<&RawValue>(text) {
                        Ok(json) => object.serialize_entry(&member.name, json)?,
                        Err(_) => object.serialize_entry(&member.name, text)?,
                    }
                }
                _ => object.serialize_entry(&member.name, value)?,
            }
        }
        object.end()
    }
}
