//! Formats, and the thread that writes one.

use std::io;

use protocol::Column;
use tokio::sync::mpsc;

use super::csv::{Csv, CsvOptions};
use super::jsonl::JsonLines;
use super::output::ChunkWriter;
use super::parquet::Parquet;
use super::xlsx::Xlsx;
use crate::db::export::RowBatch;

/// What a view can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv(CsvOptions),
    /// JSON Lines.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// A workbook of Excel's.
    Xlsx,
}

impl Format {
    /// The names by which they are asked for; also the files' extensions.
    pub const NAMES: [&'static str; 4] = ["csv", "jsonl", "parquet", "xlsx"];

    /// The file's extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// Writes one file.
pub trait Encode {
    /// Writes some rows.
    ///
    /// # Errors
    /// If the client is gone, or a temporary file cannot be written.
    fn batch(&mut self, batch: &RowBatch) -> io::Result<()>;

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// As for [`Self::batch`].
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// What the reader of rows tells the encoder. If it ends without [`Rows::End`], the file is not finished.
#[derive(Debug)]
pub enum Rows {
    /// Some rows.
    Batch(RowBatch),
    /// These were all.
    End,
}

/// A file's shape.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The table's bare name, for titles.
    pub title: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// For each column, whether PostgreSQL writes its values as JSON.
    pub nested: Vec<bool>,
}

/// Writes a file as its rows come, until they end or the client is gone. Blocks.
///
/// # Errors
/// As for [`Encode::batch`].
pub fn run(
    format: Format,
    layout: &Layout,
    out: ChunkWriter,
    mut rows: mpsc::Receiver<Rows>,
) -> io::Result<()> {
    let mut encoder: Box<dyn Encode> = match format {
        Format::Csv(options) => Box::new(Csv::new(out, &layout.columns, options)?),
        Format::JsonLines => Box::new(JsonLines::new(out, &layout.columns, &layout.nested)?),
        Format::Parquet => Box::new(Parquet::new(out, &layout.columns)?),
        Format::Xlsx => Box::new(Xlsx::new(out, layout)?),
    };
    while let Some(message) = rows.blocking_recv() {
        match message {
            Rows::Batch(batch) => encoder.batch(&batch)?,
            Rows::End => return encoder.finish(),
        }
    }
    Ok(())
}

/// A column for tests of encoders.
#[cfg(test)]
pub fn test_column(name: &str, kind: protocol::ColumnKind, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        type_name: type_name.to_owned(),
        nullable: true,
        editable: true,
        sortable: true,
        labels: Vec::new(),
        comment: None,
    }
}
