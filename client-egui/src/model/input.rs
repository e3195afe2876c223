//! Reading what a person types into a cell.

use std::fmt::Display;
use std::ops::RangeInclusive;

use protocol::{Column, ColumnKind, Value};

use super::calendar::{Date, TimeOfDay, Timestamp, split_zone};

/// What a person types for SQL `NULL`, in any column. (`\NULL` is that text itself; see
/// [`edit_text`].)
pub const NULL_INPUT: &str = "NULL";

/// Why typed text is not a value of the column. The text tells the person what to type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub(super) String);

/// Reads what a person typed into a cell. `NULL` is SQL `NULL` in every column; no text at all is the
/// empty text in a text column and `NULL` in any other.
///
/// # Errors
/// If the text is not a value of the column's type.
pub fn parse_input(column: &Column, text: &str) -> Result<Value, InputError> {
    let is_text = column.kind == ColumnKind::Text;
    if text.trim() == NULL_INPUT || (!is_text && text.trim().is_empty()) {
        return if column.nullable {
            Ok(Value::Null)
        } else {
            Err(InputError(format!("“{}” must have a value", column.name)))
        };
    }
    parse_value(column, text)
}

/// The text that a person edits: [`parse_input`] reads the value back from it.
pub fn edit_text(column: &Column, value: &Value) -> String {
    match value {
        Value::Null => NULL_INPUT.to_owned(),
        Value::Text(text) if is_escaped(text) => format!("\\{text}"),
        Value::Text(text)
            if matches!(column.kind, ColumnKind::Timestamp | ColumnKind::TimestampTz) =>
        {
            text.replacen('T', " ", 1)
        }
        value => value.to_string(),
    }
}

/// Whether this is `NULL` behind any number of backslashes: one is added when it is edited.
fn is_escaped(text: &str) -> bool {
    text.trim().trim_start_matches('\\') == NULL_INPUT
}

/// Reads a value that is not `NULL`.
pub(super) fn parse_value(column: &Column, text: &str) -> Result<Value, InputError> {
    let trimmed = text.trim();
    match column.kind {
        ColumnKind::Text => text_value(column, text),
        ColumnKind::Bool => bool_value(trimmed),
        ColumnKind::Int => int_value(column, trimmed),
        ColumnKind::Float => float_value(column, trimmed),
        ColumnKind::Numeric => numeric_value(column, trimmed),
        ColumnKind::Date | ColumnKind::Time | ColumnKind::Timestamp | ColumnKind::TimestampTz => {
            time_value(column.kind, trimmed)
        }
        ColumnKind::Uuid => uuid_value(trimmed),
        ColumnKind::Json => json_value(text),
        ColumnKind::Array => array_value(text),
        ColumnKind::Enum => enum_value(column, trimmed),
        ColumnKind::Bytes => bytes_value(trimmed),
        // Only PostgreSQL knows; it says so if it is wrong.
        ColumnKind::Interval | ColumnKind::Other => Ok(Value::text(text)),
    }
}

fn type_it_as<T>(example: impl Display) -> Result<T, InputError> {
    Err(InputError(format!("type {example}")))
}

fn text_value(column: &Column, text: &str) -> Result<Value, InputError> {
    let text = match text.strip_prefix('\\') {
        Some(rest) if is_escaped(rest) => rest,
        _ => text,
    };
    if let [max] = modifiers(&column.type_name)[..] {
        let count = text.chars().count() as i64;
        if count > max {
            return Err(InputError(format!(
                "at most {max} characters; these are {count}"
            )));
        }
    }
    if text.contains('\0') {
        return Err(InputError(
            "PostgreSQL cannot store the character 0".to_owned(),
        ));
    }
    Ok(Value::text(text))
}

fn bool_value(text: &str) -> Result<Value, InputError> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Value::Bool(true)),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(Value::Bool(false)),
        _ => type_it_as("true or false"),
    }
}

fn int_value(column: &Column, text: &str) -> Result<Value, InputError> {
    let range: RangeInclusive<i64> = match column.type_name.as_str() {
        "smallint" | "int2" => i64::from(i16::MIN)..=i64::from(i16::MAX),
        "integer" | "int" | "int4" => i64::from(i32::MIN)..=i64::from(i32::MAX),
        _ => i64::MIN..=i64::MAX,
    };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return type_it_as("a whole number, like 42");
    }
    match text.parse::<i64>() {
        Ok(value) if range.contains(&value) => Ok(Value::Int(value)),
        _ => type_it_as(format!(
            "a whole number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

fn float_value(column: &Column, text: &str) -> Result<Value, InputError> {
    let Ok(value) = text.parse::<f64>() else {
        return type_it_as("a number, like 3.14");
    };
    let is_real = matches!(column.type_name.as_str(), "real" | "float4");
    let overflows = value.is_infinite() && text.contains(|c: char| c.is_ascii_digit());
    if overflows || (is_real && value.is_finite() && (value as f32).is_infinite()) {
        return type_it_as("a number that is not so large");
    }
    // A real keeps about seven digits: what is sent is what comes back.
    let kept = if is_real {
        (value as f32).to_string().parse().unwrap_or(value)
    } else {
        value
    };
    Ok(Value::Float(kept))
}

/// Exact at any length, in the form that PostgreSQL writes: as many decimals as the type has.
fn numeric_value(column: &Column, text: &str) -> Result<Value, InputError> {
    if text.eq_ignore_ascii_case("nan") {
        return Ok(Value::text("NaN"));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all = whole.bytes().chain(decimals.bytes());
    if whole.len() + decimals.len() == 0 || !all.all(|byte| byte.is_ascii_digit()) {
        return type_it_as("a number, like 19.90");
    }
    let whole = whole.trim_start_matches('0');
    let mut decimals = decimals.to_owned();
    if let Some((precision, scale)) = precision_and_scale(&column.type_name) {
        let significant = decimals.trim_end_matches('0').len();
        if significant > scale {
            return Err(InputError(format!("at most {scale} decimals")));
        }
        if whole.len() + scale > precision {
            let whole_max = precision.saturating_sub(scale);
            return Err(InputError(format!(
                "at most {whole_max} digits before the point"
            )));
        }
        decimals.truncate(significant);
        decimals.extend(std::iter::repeat_n('0', scale - significant));
    }
    let is_zero = whole.is_empty() && decimals.bytes().all(|byte| byte == b'0');
    let sign = if is_zero { "" } else { sign };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if decimals.is_empty() { "" } else { "." };
    Ok(Value::Text(format!("{sign}{whole}{point}{decimals}")))
}

/// Of `numeric(12,2)`; `None` where the type has none, or a negative scale (PostgreSQL will tell).
fn precision_and_scale(type_name: &str) -> Option<(usize, usize)> {
    let (precision, scale) = match modifiers(type_name)[..] {
        [precision] => (precision, 0),
        [precision, scale] => (precision, scale),
        _ => return None,
    };
    Some((
        usize::try_from(precision).ok()?,
        usize::try_from(scale).ok()?,
    ))
}

/// The numbers in the parentheses of a type's name.
fn modifiers(type_name: &str) -> Vec<i64> {
    let inside = type_name
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let numbers = inside.map_or("", |(inside, _)| inside).split(',');
    numbers
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}

fn time_value(kind: ColumnKind, text: &str) -> Result<Value, InputError> {
    let endless = text.to_lowercase();
    if kind != ColumnKind::Time && matches!(endless.as_str(), "infinity" | "-infinity") {
        return Ok(Value::Text(endless));
    }
    let written = match kind {
        ColumnKind::Date => Date::parse(text).map(|date| date.to_string()),
        ColumnKind::Time => split_zone(text).and_then(|(clock, _)| {
            // The zone stays as typed: only PostgreSQL knows whether the type has one.
            Some(format!(
                "{}{}",
                TimeOfDay::parse(clock)?,
                text[clock.len()..].trim_start()
            ))
        }),
        ColumnKind::TimestampTz => Timestamp::parse(text)
            .map(|(timestamp, zone)| format!("{}+00:00", timestamp.to_utc(zone.unwrap_or(0)))),
        _ => match Timestamp::parse(text) {
            Some((timestamp, None)) => Some(timestamp.to_string()),
            _ => None,
        },
    };
    match (written, kind) {
        (Some(text), _) => Ok(Value::Text(text)),
        (None, ColumnKind::Date) => type_it_as("a date like 2026-11-21"),
        (None, ColumnKind::Time) => type_it_as("a time like 13:45:00"),
        (None, ColumnKind::TimestampTz) => {
            type_it_as("a time like 2026-11-21 13:45 (UTC), or with a zone: 2026-11-21 13:45+01")
        }
        (None, _) => type_it_as("a time like 2026-11-21 13:45:00"),
    }
}

fn uuid_value(text: &str) -> Result<Value, InputError> {
    let bare = text
        .trim_start_matches('{')
        .trim_end_matches('}')
        .replace('-', "")
        .to_lowercase();
    if bare.len() != 32 || !bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return type_it_as("a UUID: 32 hexadecimal digits, with or without hyphens");
    }
    let parts = [
        &bare[..8],
        &bare[8..12],
        &bare[12..16],
        &bare[16..20],
        &bare[20..],
    ];
    Ok(Value::Text(parts.join("-")))
}

fn json_value(text: &str) -> Result<Value, InputError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(Value::text(text)),
        Err(error) => Err(InputError(format!("this is not JSON: {error}"))),
    }
}

fn array_value(text: &str) -> Result<Value, InputError> {
    match serde_json::from_str::<Vec<serde::de::IgnoredAny>>(text) {
        Ok(_) => Ok(Value::text(text)),
        Err(_) => type_it_as("a list like [\"a\", \"b\"] or [1, 2]"),
    }
}

fn enum_value(column: &Column, text: &str) -> Result<Value, InputError> {
    let exact = column.labels.iter().find(|label| *label == text);
    let lenient = || {
        column
            .labels
            .iter()
            .find(|label| label.to_lowercase() == text.to_lowercase())
    };
    match exact.or_else(lenient) {
        Some(label) => Ok(Value::text(label)),
        None => type_it_as(format!("one of: {}", column.labels.join(", "))),
    }
}

fn bytes_value(text: &str) -> Result<Value, InputError> {
    let digits = text
        .strip_prefix("\\x")
        .filter(|digits| digits.len() % 2 == 0);
    match digits {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Value::Text(text.to_lowercase()))
        }
        _ => type_it_as("bytes as \\x and pairs of hexadecimal digits, like \\x00ff"),
    }
}
