//! The change log's images, read into [`TableRow`]s.

use std::borrow::Cow;

use protocol::Value;
use serde_json::value::RawValue;
use view_index::TableRow;

use super::catalog::TableDef;
use super::decode::{DecodeError, RowRead, json_null, read_row, row_key, unfit};

/// Reads an image of the change log. What it does not tell counts as left out, and what depends on it is asked
/// of the table: without the row's record, values that are told as their types' own texts, and nulls in a `json`
/// column that may be `NULL`, unless the image says which of the two they are.
///
/// # Errors
/// If it has other columns than the table, or a value that is not of its column's type.
pub fn image_row(table: &TableDef, text: &str) -> Result<TableRow, DecodeError> {
    let image = Image::read(text)?;
    let RowRead { mut row, places } = read_row(table, image.row)?;
    let columns = table.columns.iter().enumerate();
    let unclear: Vec<usize> = columns
        .filter(|&(at, column)| column.worded || column.is_json() && row.cells[at].is_null())
        .map(|(at, _)| at)
        .collect();
    if unclear.is_empty() {
        return Ok(row);
    }
    match image.rest {
        Rest::Unclear => unclear.iter().for_each(|&at| omit(&mut row, at)),
        Rest::NullsAreMissing => {
            let worded = unclear.iter().filter(|&&at| table.columns[at].worded);
            worded.for_each(|&at| omit(&mut row, at));
        }
        Rest::Record(record) => {
            let fields: Vec<&str> = fields(&record).collect();
            if fields.len() != places.len() {
                return Err(unfit("a record of another length"));
            }
            for (at, field) in places.into_iter().zip(fields) {
                if table.columns[at].worded {
                    row.cells[at] = unquoted(field);
                } else if field == "null" && unclear.contains(&at) {
                    row.cells[at] = json_null();
                }
            }
        }
    }
    identify(table, row)
}

/// The row with the key that its cells say it has.
fn identify(table: &TableDef, mut row: TableRow) -> Result<TableRow, DecodeError> {
    if table.key.iter().any(|&at| table.columns[at].worded) {
        if table.key.iter().any(|&at| row.cell(at).is_none()) {
            return Err(unfit("a column of the key is not told"));
        }
        row.key = row_key(table, &row.cells);
    }
    Ok(row)
}

/// An image as the log holds it: a row; or, in an array, a row whose nulls are all missing values; or that row and
/// the same as PostgreSQL writes a record, in which every value is its type's own text, and what is missing is empty.
struct Image<'a> {
    row: &'a str,
    rest: Rest,
}

/// What an image tells besides the row.
enum Rest {
    Unclear,
    NullsAreMissing,
    Record(String),
}

impl<'a> Image<'a> {
    fn read(text: &'a str) -> Result<Self, DecodeError> {
        if !text.starts_with('[') {
            let rest = Rest::Unclear;
            return Ok(Self { row: text, rest });
        }
        let parts: Vec<&RawValue> = serde_json::from_str(text)?;
        let rest = match parts.get(1) {
            None => Rest::NullsAreMissing,
            Some(record) => Rest::Record(serde_json::from_str(record.get())?),
        };
        let row = parts
            .first()
            .ok_or_else(|| unfit("an image without a row"))?;
        let row = row.get();
        Ok(Self { row, rest })
    }
}

/// The fields of a record as PostgreSQL writes it, `(1,,"a ""b""")`, quoted as they are there; one that is
/// missing is empty.
fn fields(record: &str) -> impl Iterator<Item = &str> {
    let inner = record.strip_prefix('(').unwrap_or(record);
    let inner = inner.strip_suffix(')').unwrap_or(inner);
    let mut is_quoted = false;
    // A quote inside is doubled, which ends and begins quoting at once.
    inner.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
}

/// A field's value: nothing if it is empty, else its text, in which quotes and backslashes are doubled if it is quoted.
fn unquoted(field: &str) -> Value {
    if field.is_empty() {
        return Value::Null;
    }
    let inner = field.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let text = match inner {
        None => Cow::Borrowed(field),
        Some(inner) => Cow::Owned(inner.replace("\"\"", "\"").replace("\\\\", "\\")),
    };
    Value::text(text)
}

fn omit(row: &mut TableRow, column: usize) {
    row.cells[column] = Value::Null;
    let mut omitted = std::mem::take(&mut row.omitted).into_vec();
    if let Ok(column) = u32::try_from(column)
        && let Err(at) = omitted.binary_search(&column)
    {
        omitted.insert(at, column);
    }
    row.omitted = omitted.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_falls_into_its_fields() {
        let split = |record| fields(record).collect::<Vec<_>>();
        assert_eq!(split("(1,,null)"), ["1", "", "null"]);
        assert_eq!(
            split(r#"("a ""b"", c",null,"null","{""a"": null}",)"#),
            [
                r#""a ""b"", c""#,
                "null",
                r#""null""#,
                r#""{""a"": null}""#,
                ""
            ]
        );
        assert_eq!(split("()"), [""]);
    }

    #[test]
    fn a_field_is_the_text_that_was_quoted() {
        for (field, text) in [
            ("a", "a"),
            (r#""""#, ""),
            (r#""a ""b"", c""#, r#"a "b", c"#),
            (r#""{""\\""\\\\""}""#, r#"{"\"\\"}"#),
            (r#""""""""#, r#""""#),
        ] {
            assert_eq!(unquoted(field), Value::text(text), "{field}");
        }
        assert_eq!(unquoted(""), Value::Null);
    }
}
