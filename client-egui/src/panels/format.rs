//! Numbers and times for people.

use std::time::Duration;

use protocol::{ColumnKind, Value};

use crate::model::display_value;

/// An estimated number, no more exact than it is: `10,000,000` for 10,000,021.
pub fn roughly(number: u64) -> String {
    // Three digits of it say what an estimate knows.
    let step = 10_u64.pow(number.max(1).ilog10().saturating_sub(2));
    thousands(number.saturating_add(step / 2) / step * step)
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as exact text, for reading: `1234567.5` as `1,234,567.5`, with at most four decimals. Any other
/// text as it is.
pub fn figure(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !is_number(whole) || !is_number(decimals) {
        return text.to_owned();
    }
    let is_short = decimals.len() <= DECIMALS_MAX;
    let rounded = text
        .parse::<f64>()
        .ok()
        .filter(|_| !is_short && whole.len() < 12);
    if let Some(rounded) = rounded {
        return figure(&format!("{rounded:.DECIMALS_MAX$}"));
    }
    let mut shown = String::with_capacity(text.len() + whole.len() / 3);
    shown.push_str(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if !decimals.is_empty() {
        shown.push('.');
        shown.push_str(decimals);
    }
    shown
}

/// A number as exact text, for ever less room: its [`figure`], with two decimals, with three digits and a
/// unit (`5.02M`). An ellipsis in the middle of a number would make a smaller one of it. Never empty; of
/// any other text only that text.
pub fn narrowing_figures(text: &str) -> Vec<String> {
    let mut figures = vec![figure(text)];
    let is_plain = |byte| matches!(byte, b'0'..=b'9' | b'.' | b'-');
    let number = text.parse::<f64>().ok();
    if let Some(number) = number.filter(|_| text.bytes().all(is_plain)) {
        if text.contains('.') {
            figures.push(figure(&format!("{number:.2}")));
        }
        figures.extend(abbreviated(number));
    }
    figures
}

/// Three digits of a large number and its unit; `None` for small numbers and for those without a unit.
fn abbreviated(number: f64) -> Option<String> {
    if number.abs() >= 1e15 {
        return None;
    }
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    // What rounds up to a unit is of that unit.
    let of = |(least, _): &(f64, &str)| number.abs() >= least * 0.9995;
    let (least, unit) = units.into_iter().find(of)?;
    let value = number / least;
    let decimals = match value.abs() {
        0.0..9.995 => 2,
        9.995..99.95 => 1,
        _ => 0,
    };
    Some(format!("{value:.decimals$}{unit}"))
}

/// A bound of a range of values: midnight as the day alone.
pub fn bound(kind: ColumnKind, value: &Value) -> String {
    let text = display_value(kind, value);
    let local = text.strip_suffix(" UTC").unwrap_or(&text);
    match local.strip_suffix(" 00:00:00") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

/// A range of values from `low` up to but not including `high`.
pub fn range_text(low: Option<String>, high: Option<String>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{low} up to {high}"),
        (Some(low), None) => format!("{low} and above"),
        (None, Some(high)) => format!("below {high}"),
        (None, None) => "all".to_owned(),
    }
}

/// A file's size: `0.1 MB`, `12.3 MB`.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The most decimals of a [`figure`].
const DECIMALS_MAX: usize = 4;

/// `"row"` or `"rows"`.
pub fn rows(count: u64) -> &'static str {
    if count == 1 { "row" } else { "rows" }
}

/// A reason as a sentence of its own: it starts with a capital letter, unless its first word is a name of
/// the database's (`public.events`, `unit_price`), which would be another name then.
pub fn sentence(reason: &str) -> String {
    let first_word = reason.split_whitespace().next().unwrap_or_default();
    let inside = first_word.trim_end_matches(|c: char| !c.is_alphanumeric());
    if inside.contains(['.', '_']) {
        return reason.to_owned();
    }
    let mut rest = reason.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + rest.as_str()
}

/// A latency: `0.8 ms`, `12 ms`, `1.4 s`.
pub fn latency(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1e3;
    if millis < 9.95 {
        format!("{millis:.1} ms")
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.1} s", millis / 1e3)
    }
}

/// About how many: `950`, `12k`, `1.2M`.
pub fn about(number: u64) -> String {
    let (value, unit) = match number {
        0..1_000 => return number.to_string(),
        1_000..1_000_000 => (number as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (number as f64 / 1e6, "M"),
        _ => (number as f64 / 1e9, "G"),
    };
    if value < 9.95 && (value * 10.0).round() % 10.0 != 0.0 {
        format!("{value:.1}{unit}")
    } else {
        format!("{value:.0}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (10_000_000, "10,000,000"),
        ];
        for (number, text) in cases {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn figures_are_for_reading() {
        let cases = [
            ("1234567.50", "1,234,567.50"),
            ("-1234", "-1,234"),
            ("3.45678901", "3.4568"),
            ("-0.123456", "-0.1235"),
            ("123456789012345678901.5", "123,456,789,012,345,678,901.5"),
            ("2026-11-21 13:45:00 UTC", "2026-11-21 13:45:00 UTC"),
            ("NaN", "NaN"),
            ("1e+20", "1e+20"),
            ("", ""),
        ];
        for (text, shown) in cases {
            assert_eq!(figure(text), shown);
        }
    }

    #[test]
    fn figures_are_rounded_where_there_is_less_room() {
        let cases = [
            ("994.5844123", vec!["994.5844", "994.58"]),
            ("5018651.54", vec!["5,018,651.54", "5,018,651.54", "5.02M"]),
            ("-14753540", vec!["-14,753,540", "-14.8M"]),
            ("999600", vec!["999,600", "1.00M"]),
            ("9996", vec!["9,996", "10.0k"]),
            ("42", vec!["42"]),
            ("1e+20", vec!["1e+20"]),
            ("2026-11-21", vec!["2026-11-21"]),
            ("", vec![""]),
        ];
        for (text, shown) in cases {
            assert_eq!(narrowing_figures(text), shown);
        }
    }

    #[test]
    fn sentences_start_with_a_capital() {
        assert_eq!(sentence("élan is gone"), "Élan is gone");
        assert_eq!(sentence("wait. it counts"), "Wait. it counts");
        assert_eq!(sentence("public.events has no"), "public.events has no");
        assert_eq!(sentence("unit_price: a number"), "unit_price: a number");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn large_numbers_are_rounded() {
        let cases = [
            (7, "7"),
            (1_000, "1k"),
            (1_234, "1.2k"),
            (99_960, "100k"),
            (10_000_000, "10M"),
        ];
        for (number, text) in cases {
            assert_eq!(about(number), text);
        }
    }

    #[test]
    fn latencies_have_fitting_units() {
        let cases = [(0.8, "0.8 ms"), (12.3, "12 ms"), (1_400.0, "1.4 s")];
        for (millis, text) in cases {
            assert_eq!(latency(Duration::from_secs_f64(millis / 1e3)), text);
        }
    }
}
