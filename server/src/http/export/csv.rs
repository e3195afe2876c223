//! Comma-separated values: RFC 4180, and PostgreSQL's convention for `NULL`.
//!
//! The well-known crate quotes a whole file by one rule, which cannot tell `NULL` (nothing) from an empty text
//! (`""`) as `COPY … WITH (FORMAT csv)` does; hence these few lines.

use std::io::{self, Write};

use protocol::Column;

use super::encode::Encode;
use super::formulas::{is_formula, may_hold_formulas};
use super::output::ChunkWriter;
use crate::db::export::RowBatch;

/// What may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether texts that a spreadsheet would take for formulas get an apostrophe in front.
    pub escape_formulas: bool,
    /// Whether the file begins with the mark by which Excel knows UTF-8.
    pub byte_order_mark: bool,
}

/// Writes a CSV file.
#[derive(Debug)]
pub struct Csv<W> {
    out: W,
    /// For each column, whether its texts may have to be escaped.
    guarded: Vec<bool>,
}

impl<W: Write> Csv<W> {
    /// Begins a file with its header.
    ///
    /// # Errors
    /// If the client is gone.
    pub fn new(mut out: W, columns: &[Column], options: CsvOptions) -> io::Result<Self> {
        if options.byte_order_mark {
            out.write_all("\u{feff}".as_bytes())?;
        }
        for (at, column) in columns.iter().enumerate() {
            separate(&mut out, at)?;
            write_field(&mut out, &column.name, options.escape_formulas)?;
        }
        out.write_all(b"\r\n")?;
        let guarded = |column| options.escape_formulas && may_hold_formulas(column);
        Ok(Self {
            out,
            guarded: columns.iter().map(guarded).collect(),
        })
    }

    fn write_batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        for row in batch.rows() {
            for (at, (cell, &guarded)) in row.zip(&self.guarded).enumerate() {
                separate(&mut self.out, at)?;
                if let Some(text) = cell {
                    write_field(&mut self.out, text, guarded)?;
                }
            }
            self.out.write_all(b"\r\n")?;
        }
        Ok(())
    }
}

impl Encode for Csv<ChunkWriter> {
    fn batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        self.write_batch(batch)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.out.complete()
    }
}

fn separate(out: &mut impl Write, at: usize) -> io::Result<()> {
    if at > 0 { out.write_all(b",") } else { Ok(()) }
}

fn write_field(out: &mut impl Write, text: &str, guarded: bool) -> io::Result<()> {
    let apostrophe = if guarded && is_formula(text) { "'" } else { "" };
    // `\.` alone on a line ends what older versions of COPY read.
    let is_plain = !text.is_empty()
        && text != "\\."
        && !text.contains([',', '"', '\r', '\n'])
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if is_plain {
        out.write_all(apostrophe.as_bytes())?;
        return out.write_all(text.as_bytes());
    }
    out.write_all(b"\"")?;
    out.write_all(apostrophe.as_bytes())?;
    for (nth, part) in text.split('"').enumerate() {
        if nth > 0 {
            out.write_all(b"\"\"")?;
        }
        out.write_all(part.as_bytes())?;
    }
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::super::encode::test_column;
    use super::{Csv, CsvOptions, RowBatch};
    use protocol::ColumnKind;

    fn written(options: CsvOptions, rows: &[[Option<&str>; 2]]) -> String {
        let columns = [
            test_column("=name", ColumnKind::Text, "text"),
            test_column("n,m", ColumnKind::Numeric, "numeric"),
        ];
        let mut batch = RowBatch::new(2);
        rows.iter().flatten().for_each(|&cell| batch.push(cell));
        let mut csv = Csv::new(Vec::new(), &columns, options).unwrap();
        csv.write_batch(&batch).unwrap();
        String::from_utf8(csv.out).unwrap()
    }

    const SAFE: CsvOptions = CsvOptions {
        escape_formulas: true,
        byte_order_mark: false,
    };

    #[test]
    fn null_is_nothing_and_the_empty_text_is_quoted() {
        let rows = [[None, Some("1")], [Some(""), None]];
        assert_eq!(written(SAFE, &rows), "'=name,\"n,m\"\r\n,1\r\n\"\",\r\n");
    }

    #[test]
    fn quotes_are_doubled_and_lines_may_break_within_them() {
        let rows = [[Some("say \"a\", b"), None], [Some("two\nlines"), None]];
        let body = "\"say \"\"a\"\", b\",\r\n\"two\nlines\",\r\n";
        assert!(written(SAFE, &rows).ends_with(body));
    }

    #[test]
    fn formulas_are_escaped_in_texts_and_not_in_numbers() {
        let rows = [[Some("=1+1"), Some("-5")], [Some("\t@x"), Some("+1")]];
        assert!(written(SAFE, &rows).ends_with("\r\n'=1+1,-5\r\n'\t@x,+1\r\n"));
        let raw = CsvOptions {
            escape_formulas: false,
            byte_order_mark: true,
        };
        let text = written(raw, &rows);
        assert!(text.starts_with("\u{feff}=name,") && text.contains("\r\n=1+1,-5\r\n"));
    }
}
