//! The text format of COPY: <https://www.postgresql.org/docs/current/sql-copy.html>.

use std::io::Write;

use crate::calendar::{Micros, write_instant};

/// Builds the lines of one COPY.
#[derive(Default)]
pub(crate) struct CopyLines {
    bytes: Vec<u8>,
    in_row: bool,
}

impl CopyLines {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            in_row: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        self.escape(text.as_bytes(), false);
    }

    pub(crate) fn number(&mut self, number: impl std::fmt::Display) {
        self.separate();
        // Writing into a vector cannot fail.
        let _ = write!(self.bytes, "{number}");
    }

    pub(crate) fn instant(&mut self, at: Micros) {
        self.separate();
        write_instant(&mut self.bytes, at);
    }

    pub(crate) fn null(&mut self) {
        self.separate();
        self.bytes.extend_from_slice(b"\\N");
    }

    /// A `text[]`; every item is quoted.
    pub(crate) fn texts(&mut self, items: &[&str]) {
        self.separate();
        self.bytes.push(b'{');
        for (index, item) in items.iter().enumerate() {
            self.bytes
                .extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            self.escape(item.as_bytes(), true);
            self.bytes.push(b'"');
        }
        self.bytes.push(b'}');
    }

    pub(crate) fn end_row(&mut self) {
        self.bytes.push(b'\n');
        self.in_row = false;
    }

    fn separate(&mut self) {
        if self.in_row {
            self.bytes.push(b'\t');
        }
        self.in_row = true;
    }

    fn escape(&mut self, text: &[u8], in_array: bool) {
        for &byte in text {
            match byte {
                b'\\' if in_array => self.bytes.extend_from_slice(br"\\\\"),
                b'"' if in_array => self.bytes.extend_from_slice(br#"\\""#),
                b'\\' => self.bytes.extend_from_slice(br"\\"),
                b'\t' => self.bytes.extend_from_slice(br"\t"),
                b'\n' => self.bytes.extend_from_slice(br"\n"),
                b'\r' => self.bytes.extend_from_slice(br"\r"),
                _ => self.bytes.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        let mut lines = CopyLines::default();
        lines.text("a\tb\\c\n");
        lines.null();
        lines.texts(&["x\"y", "z\\"]);
        lines.number(1.5);
        lines.end_row();
        assert_eq!(
            String::from_utf8(lines.into_bytes()).unwrap(),
            "a\\tb\\\\c\\n\t\\N\t{\"x\\\\\"y\",\"z\\\\\\\\\"}\t1.5\n"
        );
    }
}
