//! Rows as PostgreSQL's `to_json` writes them, read into [`TableRow`]s.
//!
//! The change log's images and the rows that queries return go through the same two functions (`to_json`
//! there, [`row_from_json`] here) under the same settings, so the same value always has the same bytes. What `to_json`
//! does not write so that it can be read back is told as its type's own text, by both.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use protocol::{ColumnKind, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use view_index::{RowKey, TableRow};

use super::catalog::{ColumnDef, TableDef};

/// The row is not one of this table as the catalogue describes it: its columns changed.
#[derive(Debug, thiserror::Error)]
#[error("not a row of the table: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

/// SQL for the text of a row called `row`, for [`row_from_json`].
pub fn row_sql(table: &TableDef, row: &str) -> String {
    part_sql(table, 0..table.columns.len(), row)
}

/// The same for a row that has only these columns. JSON's own null in a `json` column is the same to `to_json`
/// as SQL's `NULL`, so the places of those stand before the row: `3,7,{…}`.
pub fn part_sql(table: &TableDef, columns: impl IntoIterator<Item = usize>, row: &str) -> String {
    let columns: Vec<usize> = columns.into_iter().collect();
    let nulls: Vec<String> = columns
        .iter()
        .map(|&at| (at, &table.columns[at]))
        .filter(|(_, column)| column.is_json() && column.shown.nullable)
        .map(|(at, column)| {
            let name = &column.sql_name;
            format!("CASE json_typeof({row}.{name}::json) WHEN 'null' THEN '{at},' END")
        })
        .collect();
    let whole = whole_sql(table, &columns, row);
    if nulls.is_empty() {
        return whole;
    }
    format!(
        "array_to_string(ARRAY[{}], '') || {whole}",
        nulls.join(", ")
    )
}

/// SQL for the row as JSON, with the own texts of what is told so.
fn whole_sql(table: &TableDef, columns: &[usize], row: &str) -> String {
    let columns = columns.iter().map(|&at| &table.columns[at]);
    if columns.clone().all(|column| !column.worded) {
        return format!("to_json({row}.*)::text");
    }
    let cell = |column: &ColumnDef| {
        let name = &column.sql_name;
        format!("{} AS {name}", column.in_json(&format!("{row}.{name}")))
    };
    let cells: Vec<String> = columns.map(cell).collect();
    format!(
        "(SELECT to_json(told.*)::text FROM (SELECT {}) AS told)",
        cells.join(", ")
    )
}

/// Reads one row: as `to_json` wrote it, or as [`row_sql`] did.
///
/// # Errors
/// If it has other columns than the table, or a value that is not of its column's type.
pub fn row_from_json(table: &TableDef, text: &str) -> Result<TableRow, DecodeError> {
    let (nulls, json) = text.split_at(text.find('{').unwrap_or(0));
    let mut row = read_row(table, json)?.row;
    for at in nulls.split(',').filter_map(|at| at.parse::<usize>().ok()) {
        if let Some(cell) = row.cells.get_mut(at) {
            *cell = json_null();
        }
    }
    Ok(row)
}

/// Reads a key: an array of its values, in key order.
///
/// # Errors
/// If a value is not of its column's type.
pub fn key_from_json(table: &TableDef, json: &str) -> Result<RowKey, DecodeError> {
    let values: Vec<&RawValue> = serde_json::from_str(json)?;
    let columns = table.key.iter().map(|&key| &table.columns[key]);
    let values = columns
        .zip(values)
        .map(|(column, value)| value_from_json(column, value.get()));
    Ok(values.collect::<Result<Vec<_>, _>>()?.into())
}

pub(super) fn unfit(what: &str) -> DecodeError {
    use serde::de::Error;
    DecodeError(serde_json::Error::custom(what))
}

pub(super) fn json_null() -> Value {
    Value::text("null")
}

/// The key of a row with these cells.
pub fn row_key(table: &TableDef, cells: &[Value]) -> RowKey {
    table
        .key
        .iter()
        .map(|&column| cells[column].clone())
        .collect::<Vec<_>>()
        .into()
}

/// A row, and the places of its columns in the order in which they were written.
pub(super) struct RowRead {
    pub(super) row: TableRow,
    pub(super) places: Vec<usize>,
}

pub(super) fn read_row(table: &TableDef, json: &str) -> Result<RowRead, DecodeError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let read = RowSeed(table).deserialize(&mut reader)?;
    reader.end()?;
    Ok(read)
}

struct RowSeed<'a>(&'a TableDef);

impl RowSeed<'_> {
    /// The place of a column: most come in the table's order, except that some may be left out; those of a
    /// partition may have an order of their own.
    fn place(&self, name: &str, next: usize) -> Option<usize> {
        let is_called = |&at: &usize| self.0.columns[at].name == name;
        let columns = self.0.columns.len();
        (next..columns)
            .find(is_called)
            .or_else(|| (0..next).find(is_called))
    }
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = RowRead;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RowRead, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = RowRead;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {}", self.0.sql_name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowRead, A::Error> {
        use serde::de::Error;
        let table = self.0;
        let mut cells: Vec<Option<Value>> = vec![None; table.columns.len()];
        let mut places = Vec::with_capacity(cells.len());
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let raw: &RawValue = map.next_value()?;
            let next = places.last().map_or(0, |last| last + 1);
            let place = self
                .place(&name, next)
                .ok_or_else(|| A::Error::custom(format_args!("unexpected column {name:?}")))?;
            let value = value_from_json(&table.columns[place], raw.get())
                .map_err(|error| A::Error::custom(format_args!("column {name:?}: {error}")))?;
            cells[place] = Some(value);
            places.push(place);
        }
        let is_omitted = |&column: &usize| cells[column].is_none();
        let omitted: Box<[u32]> = (0..cells.len())
            .filter(is_omitted)
            .filter_map(|at| u32::try_from(at).ok())
            .collect();
        if table.key.iter().any(is_omitted) {
            return Err(A::Error::custom("a column of the primary key is missing"));
        }
        let cells: Box<[Value]> = cells.into_iter().map(Option::unwrap_or_default).collect();
        let row = TableRow {
            key: row_key(table, &cells),
            cells,
            omitted,
        };
        Ok(RowRead { row, places })
    }
}

/// One value as `to_json` writes it.
fn value_from_json(column: &ColumnDef, json: &str) -> Result<Value, serde_json::Error> {
    if json == "null" {
        let is_json_null = column.is_json() && !column.shown.nullable;
        return Ok(if is_json_null {
            json_null()
        } else {
            Value::Null
        });
    }
    Ok(match column.shown.kind {
        ColumnKind::Bool => Value::Bool(serde_json::from_str(json)?),
        ColumnKind::Int => Value::Int(serde_json::from_str(json)?),
        ColumnKind::Float => match json {
            "\"NaN\"" => Value::Float(f64::NAN),
            "\"Infinity\"" => Value::Float(f64::INFINITY),
            "\"-Infinity\"" => Value::Float(f64::NEG_INFINITY),
            _ => Value::Float(serde_json::from_str(json)?),
        },
        _ if !column.is_nested() && json.starts_with('"') => {
            Value::Text(serde_json::from_str(json)?)
        }
        _ => Value::Text(json.to_owned()),
    })
}

/// A row as JSON again, for [`record_sql`]: JSON as a string of its text.
pub fn row_to_json(table: &TableDef, row: &TableRow) -> String {
    let mut json = String::from("{");
    for (column, value) in table.columns.iter().zip(&row.cells) {
        if value.is_null() {
            continue;
        }
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&serde_json::Value::from(column.name.as_str()).to_string());
        json.push(':');
        match value {
            Value::Text(text) if column.from_record() => json.push_str(text),
            Value::Text(text) => json.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Value::Float(float) if !float.is_finite() => json.push_str(&format!("\"{value}\"")),
            _ => json.push_str(&value.to_string()),
        }
    }
    json.push('}');
    json
}

/// SQL for the row that a JSON text (SQL too) of [`row_to_json`] describes, as it stands behind `FROM`.
pub fn record_sql(table: &TableDef, json: &str) -> String {
    let is_plain = |column: &ColumnDef| !column.is_json() && !column.refuses_null;
    if table.columns.iter().all(is_plain) {
        let name = &table.sql_name;
        return format!("json_populate_record(NULL::{name}, {json}::json)");
    }
    // `json_populate_record` would make a missing value of JSON's null, and refuse one in some domains.
    let (mut shown, mut read) = (Vec::new(), Vec::new());
    for column in &table.columns {
        let (name, sql_type) = (&column.sql_name, &column.sql_type);
        let collate = column.collation.as_ref();
        let collate = collate.map_or_else(String::new, |name| format!(" COLLATE {name}"));
        if is_plain(column) {
            shown.push(format!("r.{name}{collate} AS {name}"));
            read.push(format!("{name} {sql_type}"));
        } else {
            let value = column.read(&format!("r.{name}"));
            shown.push(format!(
                "CASE WHEN r.{name} IS NOT NULL THEN {value}{collate} END AS {name}"
            ));
            read.push(format!("{name} text"));
        }
    }
    format!(
        "(SELECT {} FROM json_to_record({json}::json) AS r ({}))",
        shown.join(", "),
        read.join(", ")
    )
}

/// Reads many rows.
///
/// # Errors
/// See [`row_from_json`].
pub fn rows_from_json(
    table: &TableDef,
    rows: &[String],
) -> Result<Vec<Arc<TableRow>>, DecodeError> {
    rows.iter()
        .map(|json| row_from_json(table, json).map(Arc::new))
        .collect()
}
