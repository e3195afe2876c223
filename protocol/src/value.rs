//! One cell.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One cell as PostgreSQL sees it.
///
/// `bool`, the integers and the floats have variants of their own. Every other type (numeric, text,
/// dates, uuid, json, arrays, enums, types that Rowcast has never heard of) travels as the text that
/// PostgreSQL's `to_json` writes for it, unquoted, under fixed session settings (ISO 8601 dates, UTC).
/// The column's [`ColumnKind`](crate::ColumnKind) tells what the text means.
///
/// In JSON a value is the plain JSON value. A float that JSON cannot write (`NaN`, `Infinity`) is a
/// string there, so it reads back as [`Value::Text`].
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// SQL `NULL`.
    #[default]
    Null,
    /// `boolean`.
    Bool(bool),
    /// `smallint`, `integer`, `bigint`.
    Int(i64),
    /// `real`, `double precision`.
    Float(f64),
    /// The text form of any other type.
    Text(String),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether this is SQL `NULL`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as PostgreSQL's input functions accept it; `None` for `NULL`.
    pub fn to_postgres_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(postgres_float(*value)),
            Self::Text(value) => Some(value.clone()),
        }
    }

    /// Bytes this value holds on the heap and inline, for memory bounds.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Self>()
            + if let Self::Text(text) = self {
                text.len()
            } else {
                0
            }
    }
}

/// Equal means the same bytes (`NaN` equals itself, `-0` differs from `0`): this asks "did the cell
/// change?", never what SQL's `=` would say.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            Self::Int(value) => value.hash(state),
            Self::Float(value) => value.to_bits().hash(state),
            Self::Text(value) => value.hash(state),
        }
    }
}

/// The value as a person reads it; `NULL` is empty.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&postgres_float(*value)),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// As PostgreSQL writes a `double precision`: the fewest digits that tell it from others, with an exponent
/// where there would be many zeros.
fn postgres_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    } else if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if !(-4..15).contains(&exponent.parse().unwrap_or(0)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        _ => value.to_string(),
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// The tagged form that the binary encoding writes; its variants' order is the wire format.
#[derive(Serialize, Deserialize)]
enum Tagged<T> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(T),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return match self {
                Self::Null => Tagged::Null,
                Self::Bool(value) => Tagged::Bool(*value),
                Self::Int(value) => Tagged::Int(*value),
                Self::Float(value) => Tagged::Float(*value),
                Self::Text(value) => Tagged::Text(value.as_str()),
            }
            .serialize(serializer);
        }
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Float(value) => serializer.serialize_str(&postgres_float(*value)),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(PlainValue);
        }
        Ok(match Tagged::<String>::deserialize(deserializer)? {
            Tagged::Null => Self::Null,
            Tagged::Bool(value) => Self::Bool(value),
            Tagged::Int(value) => Self::Int(value),
            Tagged::Float(value) => Self::Float(value),
            Tagged::Text(value) => Self::Text(value),
        })
    }
}

struct PlainValue;

impl Visitor<'_> for PlainValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a boolean, a number or a string")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        // Larger than any bigint: numeric columns still take it, as text.
        Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_postgresql_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(
                Value::Float(value).to_postgres_text().as_deref(),
                Some(text)
            );
        }
    }
}
