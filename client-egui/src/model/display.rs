//! Writing a value for a person to read.

use std::fmt::Write;

use protocol::{Column, ColumnKind, Value};

/// The most characters of one cell; longer ones end in an ellipsis. A wide screen shows no more.
const CHARS_MAX: usize = 500;

/// A value as a cell shows it, in one line; `NULL` as the empty string. Numbers are exact, times are
/// shown to the millisecond, and characters that would not show, or would reorder the text, are
/// written as escapes.
pub fn display_cell(column: &Column, value: &Value) -> String {
    display_value(column.kind, value)
}

/// The same for a value that is not of a column.
pub fn display_value(kind: ColumnKind, value: &Value) -> String {
    let Value::Text(text) = value else {
        return value.to_string();
    };
    match kind {
        ColumnKind::Timestamp => short_timestamp(text),
        ColumnKind::TimestampTz => match text.strip_suffix("+00:00") {
            Some(utc) => short_timestamp(utc) + " UTC",
            None => visible(text),
        },
        _ => visible(text),
    }
}

/// `2026-11-21T13:45:00.123456` as `2026-11-21 13:45:00.123`.
fn short_timestamp(text: &str) -> String {
    let spaced = visible(text).replacen('T', " ", 1);
    match spaced.split_once('.') {
        Some((seconds, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{seconds}.{}", &fraction[..fraction.len().min(3)])
        }
        _ => spaced,
    }
}

fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(CHARS_MAX * 4));
    for (index, character) in text.chars().enumerate() {
        if index == CHARS_MAX {
            shown.push('…');
            break;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            character if is_invisible(character) => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", character as u32);
            }
            character => shown.push(character),
        }
    }
    shown
}

/// Controls, and the marks that change the direction of what follows. (Joiners inside words and emoji
/// are text like any other.)
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'
                ..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}
