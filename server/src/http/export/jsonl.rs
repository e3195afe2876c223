//! JSON Lines: one object per row.

use std::io::{self, Write};

use protocol::{Column, ColumnKind};

use super::encode::Encode;
use super::output::ChunkWriter;
use crate::db::export::RowBatch;

/// Writes a JSON Lines file.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    columns: Vec<Member>,
}

/// A column as a member of every object.
#[derive(Debug)]
struct Member {
    /// `"name":`
    name: String,
    form: Form,
}

/// How a column's texts become JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The text is JSON.
    Json,
    /// The text is JSON, unless it is `NaN` or an infinity.
    Float,
    /// A string.
    Text,
}

impl<W: Write> JsonLines<W> {
    /// Begins a file. `nested` tells of each column whether PostgreSQL writes its values as JSON (arrays,
    /// composites, json).
    ///
    /// # Errors
    /// If a name cannot be written, which does not happen.
    pub fn new(out: W, columns: &[Column], nested: &[bool]) -> io::Result<Self> {
        let member = |(column, &nested): (&Column, &bool)| {
            let form = match column.kind {
                _ if nested => Form::Json,
                ColumnKind::Bool | ColumnKind::Int => Form::Json,
                ColumnKind::Float => Form::Float,
                _ => Form::Text,
            };
            let name = serde_json::to_string(&column.name)? + ":";
            Ok(Member { name, form })
        };
        let columns: io::Result<_> = columns.iter().zip(nested).map(member).collect();
        Ok(Self {
            out,
            columns: columns?,
        })
    }

    fn write_batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        for row in batch.rows() {
            self.out.write_all(b"{")?;
            for (at, (cell, column)) in row.zip(&self.columns).enumerate() {
                if at > 0 {
                    self.out.write_all(b",")?;
                }
                self.out.write_all(column.name.as_bytes())?;
                match cell {
                    Some(text) => write_value(&mut self.out, text, column.form)?,
                    None => self.out.write_all(b"null")?,
                }
            }
            self.out.write_all(b"}\n")?;
        }
        Ok(())
    }
}

impl Encode for JsonLines<ChunkWriter> {
    fn batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        self.write_batch(batch)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.complete()
    }
}

fn write_value(out: &mut impl Write, text: &str, form: Form) -> io::Result<()> {
    let is_number = || text.ends_with(|last: char| last.is_ascii_digit());
    match form {
        // A line break stands between JSON's tokens only: within a string it is escaped.
        Form::Json if text.contains(['\n', '\r']) => {
            out.write_all(text.replace(['\n', '\r'], " ").as_bytes())
        }
        Form::Json => out.write_all(text.as_bytes()),
        Form::Float if is_number() => out.write_all(text.as_bytes()),
        Form::Float | Form::Text => Ok(serde_json::to_writer(out, text)?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::test_column;
    use super::{JsonLines, RowBatch};
    use protocol::ColumnKind;

    #[test]
    fn every_row_is_one_object_on_one_line() {
        let columns = [
            test_column("a \"b\"", ColumnKind::Text, "text"),
            test_column("f", ColumnKind::Float, "real"),
            test_column("j", ColumnKind::Json, "json"),
            test_column("n", ColumnKind::Numeric, "numeric"),
        ];
        let nested = [false, false, true, false];
        let mut batch = RowBatch::new(4);
        let rows = [
            [
                Some("x\n\"y\""),
                Some("1e-07"),
                Some("{\"a\":\r\n[1]}"),
                Some("1.50"),
            ],
            [None, Some("-Infinity"), None, Some("NaN")],
        ];
        rows.iter().flatten().for_each(|&cell| batch.push(cell));
        let mut lines = JsonLines::new(Vec::new(), &columns, &nested).unwrap();
        lines.write_batch(&batch).unwrap();
        let expected = concat!(
            r#"{"a \"b\"":"x\n\"y\"","f":1e-07,"j":{"a":  [1]},"n":"1.50"}"#,
            "\n",
            r#"{"a \"b\"":null,"f":"-Infinity","j":null,"n":"NaN"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(lines.out).unwrap(), expected);
    }
}
