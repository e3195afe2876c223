//! Apache Parquet: typed columns, in row groups of bounded size.

pub mod column;

use std::io;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use protocol::Column;

use self::column::ParquetColumn;
use super::encode::Encode;
use super::output::ChunkWriter;
use crate::db::export::RowBatch;
use crate::limits::{PARQUET_GROUP_BYTES, PARQUET_GROUP_ROWS};

/// Writes a Parquet file.
pub struct Parquet {
    file: SerializedFileWriter<ChunkWriter>,
    /// The row group that is being gathered.
    columns: Vec<ParquetColumn>,
    rows: usize,
    bytes: usize,
}

impl Parquet {
    /// Begins a file.
    ///
    /// # Errors
    /// If the client is gone.
    pub fn new(out: ChunkWriter, columns: &[Column]) -> io::Result<Self> {
        let columns: Vec<_> = columns.iter().map(ParquetColumn::new).collect();
        let fields: Result<_, _> = columns.iter().map(ParquetColumn::schema).collect();
        let schema = Type::group_type_builder("row")
            .with_fields(fields.map_err(failed)?)
            .build()
            .map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("rowcast ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        Ok(Self {
            file: file.map_err(failed)?,
            columns,
            rows: 0,
            bytes: 0,
        })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut writer) = group.next_column()? {
                column.write(&mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Says in the file which values the types could not hold.
    fn write_notes(&mut self) {
        for column in &self.columns {
            if column.lost() > 0 {
                let key = format!("rowcast.null_instead:{}", column.name());
                let note = format!(
                    "{} values that the column's type cannot hold (such as NaN or infinity) are null",
                    column.lost()
                );
                self.file
                    .append_key_value_metadata(KeyValue::new(key, note));
            }
        }
    }
}

impl Encode for Parquet {
    fn batch(&mut self, batch: &RowBatch) -> io::Result<()> {
        for row in batch.rows() {
            for (cell, column) in row.zip(&mut self.columns) {
                self.bytes += column.push(cell);
            }
            self.rows += 1;
            if self.rows >= PARQUET_GROUP_ROWS || self.bytes >= PARQUET_GROUP_BYTES {
                self.write_group().map_err(failed)?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group().map_err(failed)?;
        self.write_notes();
        self.file.into_inner().map_err(failed)?.complete()
    }
}

/// Keeps what the writer below said, so that a client that left is told from a fault.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
