//! One column of a Parquet file: its type, and the values of the row group that is being gathered.

use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
};
use ::parquet::errors::ParquetError;
use ::parquet::file::writer::SerializedColumnWriter;
use ::parquet::schema::types::{Type, TypePtr};
use axum::body::Bytes;
use protocol::{Column, ColumnKind};
use view_index::datetime::{parse_date, parse_timestamp};

/// Bytes of a decimal that does not fit 64 bits.
const WIDE_DECIMAL_BYTES: usize = 16;

/// One column.
#[derive(Debug)]
pub struct ParquetColumn {
    name: String,
    form: Form,
    values: Values,
    /// For each row of the group, 1 if it has a value and 0 if it is null.
    levels: Vec<i16>,
    /// Values of the whole file that the type could not hold.
    lost: u64,
}

/// What a column's texts are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A truth value.
    Bool,
    /// An integer of 16 or 32 bits.
    Small(i8),
    /// An integer of 64 bits.
    Int,
    /// A float of 32 bits.
    Single,
    /// A float of 64 bits.
    Double,
    /// Days.
    Date,
    /// Microseconds.
    Timestamp {
        /// Whether they count from a moment in UTC, rather than on some clock.
        utc: bool,
    },
    /// An exact number.
    Decimal {
        /// All digits.
        precision: i32,
        /// Those after the point.
        scale: i32,
    },
    /// A JSON text.
    Json,
    /// Bytes.
    Bytes,
    /// UTF-8.
    Text,
}

#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    /// All values in a row, and where each ends.
    Bytes(Vec<u8>, Vec<usize>),
    Wide(Vec<FixedLenByteArray>),
}

impl Form {
    /// The narrowest type that holds the column's values; text where none does.
    pub fn of(column: &Column) -> Self {
        match (column.kind, column.type_name.as_str()) {
            (ColumnKind::Bool, _) => Self::Bool,
            (ColumnKind::Int, "smallint") => Self::Small(16),
            (ColumnKind::Int, "integer") => Self::Small(32),
            (ColumnKind::Int, _) => Self::Int,
            (ColumnKind::Float, "real") => Self::Single,
            (ColumnKind::Float, _) => Self::Double,
            (ColumnKind::Date, _) => Self::Date,
            (ColumnKind::Timestamp, _) => Self::Timestamp { utc: false },
            (ColumnKind::TimestampTz, _) => Self::Timestamp { utc: true },
            (ColumnKind::Numeric, name) => decimal(name).unwrap_or(Self::Text),
            (ColumnKind::Json, _) => Self::Json,
            (ColumnKind::Bytes, _) => Self::Bytes,
            _ => Self::Text,
        }
    }

    fn physical(self) -> Physical {
        match self {
            Self::Bool => Physical::BOOLEAN,
            Self::Small(_) | Self::Date => Physical::INT32,
            Self::Int | Self::Timestamp { .. } => Physical::INT64,
            Self::Single => Physical::FLOAT,
            Self::Double => Physical::DOUBLE,
            Self::Decimal { precision, .. } if precision <= 9 => Physical::INT32,
            Self::Decimal { precision, .. } if precision <= 18 => Physical::INT64,
            Self::Decimal { .. } => Physical::FIXED_LEN_BYTE_ARRAY,
            Self::Json | Self::Bytes | Self::Text => Physical::BYTE_ARRAY,
        }
    }

    fn logical(self) -> Option<LogicalType> {
        match self {
            Self::Small(bits) => Some(LogicalType::integer(bits, true)),
            Self::Date => Some(LogicalType::Date),
            Self::Timestamp { utc } => Some(LogicalType::timestamp(utc, TimeUnit::MICROS)),
            Self::Decimal { precision, scale } => Some(LogicalType::decimal(scale, precision)),
            Self::Json => Some(LogicalType::Json),
            Self::Text => Some(LogicalType::String),
            Self::Bool | Self::Int | Self::Single | Self::Double | Self::Bytes => None,
        }
    }
}

/// `numeric(12,2)` if Parquet has such a type: it knows no negative scale, and none above the precision.
fn decimal(type_name: &str) -> Option<Form> {
    let inner = type_name.strip_prefix("numeric(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
    let fits = (1..=38).contains(&precision) && (0..=precision).contains(&scale);
    fits.then_some(Form::Decimal { precision, scale })
}

/// The digits of a decimal with `scale` of them after the point: `-1.5` with 2 is -150.
fn unscaled(text: &str, scale: i32) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::try_from(scale).ok()?.checked_sub(fraction.len())?;
    let digits = format!("{whole}{fraction}{}", "0".repeat(missing));
    digits.parse().ok()
}

impl ParquetColumn {
    /// An empty one.
    pub fn new(column: &Column) -> Self {
        let form = Form::of(column);
        let values = match form.physical() {
            Physical::BOOLEAN => Values::Bool(Vec::new()),
            Physical::INT32 => Values::Int32(Vec::new()),
            Physical::INT64 => Values::Int64(Vec::new()),
            Physical::FLOAT => Values::Float(Vec::new()),
            Physical::DOUBLE => Values::Double(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => Values::Wide(Vec::new()),
            _ => Values::Bytes(Vec::new(), Vec::new()),
        };
        Self {
            name: column.name.clone(),
            form,
            values,
            levels: Vec::new(),
            lost: 0,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Values that its type could not hold.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Its type. Every column may be null: a value that the type cannot hold is.
    pub fn schema(&self) -> Result<TypePtr, ParquetError> {
        let mut builder = Type::primitive_type_builder(&self.name, self.form.physical())
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(self.form.logical());
        if let Form::Decimal { precision, scale } = self.form {
            builder = builder.with_precision(precision).with_scale(scale);
            if self.form.physical() == Physical::FIXED_LEN_BYTE_ARRAY {
                builder = builder.with_length(i32::try_from(WIDE_DECIMAL_BYTES).unwrap_or(16));
            }
        }
        builder.build().map(Arc::new)
    }

    /// Adds a cell; returns about how many bytes it takes.
    pub fn push(&mut self, cell: Option<&str>) -> usize {
        let held = cell.and_then(|text| self.values.push(self.form, text));
        self.lost += u64::from(cell.is_some() && held.is_none());
        self.levels.push(i16::from(held.is_some()));
        size_of::<i16>() + held.unwrap_or(0)
    }

    /// Writes the group's values and forgets them.
    pub fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        match &mut self.values {
            Values::Bool(values) => write::<BoolType>(writer, values, &levels),
            Values::Int32(values) => write::<Int32Type>(writer, values, &levels),
            Values::Int64(values) => write::<Int64Type>(writer, values, &levels),
            Values::Float(values) => write::<FloatType>(writer, values, &levels),
            Values::Double(values) => write::<DoubleType>(writer, values, &levels),
            Values::Wide(values) => write::<FixedLenByteArrayType>(writer, values, &levels),
            Values::Bytes(bytes, ends) => {
                let all = Bytes::from(std::mem::take(bytes));
                let mut start = 0;
                let cut = |end| {
                    let from = std::mem::replace(&mut start, end);
                    ByteArray::from(all.slice(from..end))
                };
                let mut values: Vec<ByteArray> = ends.drain(..).map(cut).collect();
                write::<ByteArrayType>(writer, &mut values, &levels)
            }
        }
    }
}

fn write<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    let column = writer.typed::<T>();
    column.write_batch(values, Some(levels), None)?;
    values.clear();
    Ok(())
}

impl Values {
    /// Adds a value and returns its size in bytes; `None` if the type cannot hold it.
    fn push(&mut self, form: Form, text: &str) -> Option<usize> {
        match self {
            Self::Bool(values) => values.push(text.parse().ok()?),
            Self::Int32(values) => values.push(match form {
                Form::Date => parse_date(text)?.try_into().ok()?,
                Form::Decimal { scale, .. } => unscaled(text, scale)?.try_into().ok()?,
                _ => text.parse().ok()?,
            }),
            Self::Int64(values) => values.push(match form {
                Form::Timestamp { .. } if text.ends_with("infinity") => return None,
                Form::Timestamp { .. } => parse_timestamp(text)?,
                Form::Decimal { scale, .. } => unscaled(text, scale)?.try_into().ok()?,
                _ => text.parse().ok()?,
            }),
            Self::Float(values) => values.push(text.parse().ok()?),
            Self::Double(values) => values.push(text.parse().ok()?),
            Self::Wide(values) => {
                let Form::Decimal { scale, .. } = form else {
                    return None;
                };
                let digits = unscaled(text, scale)?.to_be_bytes().to_vec();
                values.push(digits.into());
                return Some(WIDE_DECIMAL_BYTES + size_of::<FixedLenByteArray>());
            }
            Self::Bytes(bytes, ends) => {
                let before = bytes.len();
                match form {
                    Form::Bytes => push_hex(bytes, text)?,
                    _ => bytes.extend_from_slice(text.as_bytes()),
                }
                ends.push(bytes.len());
                return Some(bytes.len() - before + size_of::<usize>());
            }
        }
        Some(size_of::<u64>())
    }
}

/// The bytes of `\x0aff`; nothing is added if it is not that.
fn push_hex(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let before = bytes.len();
    for pair in digits.chunks(2) {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2);
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => bytes.push(byte),
            None => {
                bytes.truncate(before);
                return None;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::super::encode::test_column;
    use super::{Form, ParquetColumn, push_hex, unscaled};
    use protocol::ColumnKind;

    fn form(kind: ColumnKind, type_name: &str) -> Form {
        Form::of(&test_column("c", kind, type_name))
    }

    #[test]
    fn types_are_as_narrow_as_the_column() {
        let decimal = |precision, scale| Form::Decimal { precision, scale };
        let numeric = |name| form(ColumnKind::Numeric, name);
        assert_eq!(numeric("numeric(12,2)"), decimal(12, 2));
        assert_eq!(numeric("numeric(38,38)"), decimal(38, 38));
        for name in [
            "numeric",
            "numeric(39,0)",
            "numeric(3,-2)",
            "numeric(3,5)",
            "price",
        ] {
            assert_eq!(numeric(name), Form::Text, "{name}");
        }
        assert_eq!(form(ColumnKind::Int, "smallint"), Form::Small(16));
        assert_eq!(form(ColumnKind::Int, "some_domain"), Form::Int);
        assert_eq!(form(ColumnKind::Interval, "interval"), Form::Text);
    }

    #[test]
    fn decimals_are_scaled_exactly() {
        assert_eq!(unscaled("-1.50", 2), Some(-150));
        assert_eq!(unscaled("-0.05", 2), Some(-5));
        assert_eq!(unscaled("7", 2), Some(700));
        let all_nines = "9".repeat(38);
        assert_eq!(unscaled(&all_nines, 0), all_nines.parse().ok());
        assert_eq!(unscaled("NaN", 2), None);
        assert_eq!(unscaled("1.234", 2), None);
    }

    #[test]
    fn what_a_type_cannot_hold_is_null_and_counted() {
        let mut price = ParquetColumn::new(&test_column("p", ColumnKind::Numeric, "numeric(4,2)"));
        for cell in [Some("1.00"), None, Some("NaN")] {
            price.push(cell);
        }
        assert_eq!(
            (price.levels.as_slice(), price.lost()),
            ([1, 0, 0].as_slice(), 1)
        );
        let mut day = ParquetColumn::new(&test_column("d", ColumnKind::Date, "date"));
        for cell in ["infinity", "-infinity", "0044-03-15 BC"] {
            day.push(Some(cell));
        }
        assert_eq!(
            (day.levels.as_slice(), day.lost()),
            ([0, 0, 1].as_slice(), 2)
        );
    }

    #[test]
    fn bytes_are_read_from_hex() {
        let mut bytes = vec![1];
        assert_eq!(push_hex(&mut bytes, "\\x00ff7e"), Some(()));
        assert_eq!(bytes, [1, 0, 255, 126]);
        assert_eq!(push_hex(&mut bytes, "\\x0"), None);
        assert_eq!(push_hex(&mut bytes, "abc"), None);
        assert_eq!(bytes.len(), 4);
    }
}
