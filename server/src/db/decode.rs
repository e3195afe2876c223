//! Rows as PostgreSQL's `to_json` writes them, read into [`TableRow`]s.
//!
//! The change log's images and the rows that queries return go through the same two functions (`to_json`
//! there, [`row_from_json`] here) under the same settings, so the same value always has the same bytes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use protocol::{ColumnKind, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use view_index::{RowKey, TableRow};

use super::catalog::TableDef;

/// The row is not one of this table as the catalogue describes it: its columns changed.
#[derive(Debug, thiserror::Error)]
#[error("not a row of the table: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

/// SQL for the text of a row called `row`, for [`row_from_json`]. JSON's own null in a `json` column is the same
/// to `to_json` as SQL's `NULL`, so the places of those stand before the row: `3,7,{…}`.
pub fn row_sql(table: &TableDef, row: &str) -> String {
    let columns = table.columns.iter().enumerate();
    let json = columns.filter(|(_, column)| column.shown.kind == ColumnKind::Json);
    let nulls: Vec<String> = json
        .map(|(at, column)| {
            let name = &column.sql_name;
            format!("CASE json_typeof({row}.{name}::json) WHEN 'null' THEN '{at},' END")
        })
        .collect();
    let whole = format!("to_json({row}.*)::text");
    if nulls.is_empty() {
        return whole;
    }
    format!(
        "array_to_string(ARRAY[{}], '') || {whole}",
        nulls.join(", ")
    )
}

/// Reads one row: as `to_json` wrote it, or as [`row_sql`] did.
///
/// # Errors
/// If it has other columns than the table, or a value that is not of its column's type.
pub fn row_from_json(table: &TableDef, text: &str) -> Result<TableRow, DecodeError> {
    let (nulls, json) = text.split_at(text.find('{').unwrap_or(0));
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut row = RowSeed(table).deserialize(&mut reader)?;
    reader.end()?;
    for at in nulls.split(',').filter_map(|at| at.parse::<usize>().ok()) {
        if let Some(cell) = row.cells.get_mut(at) {
            *cell = Value::text("null");
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
        .map(|(column, value)| value_from_json(column.shown.kind, column.nested, value.get()));
    Ok(values.collect::<Result<Vec<_>, _>>()?.into())
}

/// Reads an image of the change log. In a `json` column that may be `NULL`, a null can be either, so such a
/// value counts as left out: what depends on it is asked of the table.
///
/// # Errors
/// See [`row_from_json`].
pub fn image_row(table: &TableDef, json: &str) -> Result<TableRow, DecodeError> {
    let mut row = row_from_json(table, json)?;
    let columns = table.columns.iter().enumerate();
    for (at, column) in columns.filter(|(_, column)| column.shown.kind == ColumnKind::Json) {
        if row.cells[at].is_null() {
            if column.shown.nullable {
                omit(&mut row, at);
            } else {
                row.cells[at] = Value::text("null");
            }
        }
    }
    Ok(row)
}

/// Reads a changed row as it is now. Its JSON nulls are shown, but count as left out too: conditions are asked
/// about rows that are written without them.
///
/// # Errors
/// See [`row_from_json`].
pub fn current_row(table: &TableDef, text: &str) -> Result<TableRow, DecodeError> {
    let mut row = row_from_json(table, text)?;
    let columns = table.columns.iter().enumerate();
    for (at, _) in columns.filter(|(_, column)| column.shown.kind == ColumnKind::Json) {
        if matches!(&row.cells[at], Value::Text(text) if text == "null") {
            omit(&mut row, at);
        }
    }
    Ok(row)
}

fn omit(row: &mut TableRow, column: usize) {
    let mut omitted = std::mem::take(&mut row.omitted).into_vec();
    if let Ok(column) = u32::try_from(column)
        && let Err(at) = omitted.binary_search(&column)
    {
        omitted.insert(at, column);
    }
    row.omitted = omitted.into();
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

struct RowSeed<'a>(&'a TableDef);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = TableRow;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<TableRow, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = TableRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row of {}", self.0.sql_name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TableRow, A::Error> {
        use serde::de::Error;
        let table = self.0;
        let mut cells: Vec<Option<Value>> = vec![None; table.columns.len()];
        // Columns come in the table's order, except that some may be left out.
        let mut next = 0;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let raw: &RawValue = map.next_value()?;
            let place = table.columns[next..]
                .iter()
                .position(|column| column.name == *name)
                .ok_or_else(|| A::Error::custom(format_args!("unexpected column {name:?}")))?;
            next += place + 1;
            let column = &table.columns[next - 1];
            let value = value_from_json(column.shown.kind, column.nested, raw.get())
                .map_err(|error| A::Error::custom(format_args!("column {name:?}: {error}")))?;
            cells[next - 1] = Some(value);
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
        Ok(TableRow {
            key: row_key(table, &cells),
            cells,
            omitted,
        })
    }
}

/// One value as `to_json` writes it.
fn value_from_json(kind: ColumnKind, nested: bool, json: &str) -> Result<Value, serde_json::Error> {
    if json == "null" {
        return Ok(Value::Null);
    }
    Ok(match kind {
        ColumnKind::Bool => Value::Bool(serde_json::from_str(json)?),
        ColumnKind::Int => Value::Int(serde_json::from_str(json)?),
        ColumnKind::Float => match json {
            "\"NaN\"" => Value::Float(f64::NAN),
            "\"Infinity\"" => Value::Float(f64::INFINITY),
            "\"-Infinity\"" => Value::Float(f64::NEG_INFINITY),
            _ => Value::Float(serde_json::from_str(json)?),
        },
        _ if !nested && json.starts_with('"') => Value::Text(serde_json::from_str(json)?),
        _ => Value::Text(json.to_owned()),
    })
}

/// A row as JSON again, as `json_populate_record` reads it.
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
            Value::Text(text) if column.nested => json.push_str(text),
            Value::Text(text) => json.push_str(&serde_json::Value::from(text.as_str()).to_string()),
            Value::Float(float) if !float.is_finite() => json.push_str(&format!("\"{value}\"")),
            _ => json.push_str(&value.to_string()),
        }
    }
    json.push('}');
    json
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
