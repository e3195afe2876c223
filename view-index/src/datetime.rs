//! Dates and timestamps as numbers, over PostgreSQL's whole range (4713 BC to 294276 AD).

/// 2000-01-01, in days since 1970-01-01.
const DAY_2000: i64 = 10_957;

/// A year has up to seven digits.
const PART_DIGITS_MAX: usize = 9;

/// Microseconds in a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Days since 1970-01-01 of an ISO 8601 date as PostgreSQL writes it (`2026-11-21`,
/// `0044-03-15 BC`, `infinity`); `None` if it is not one.
pub fn parse_date(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    days(text, before_christ)
}

/// Microseconds since 1970-01-01T00:00:00 of an ISO 8601 timestamp as PostgreSQL writes it, with
/// `T` or a blank between date and time, with or without an offset; `None` if it is not one, or after the
/// year 294246.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    timestamp_since(0, text)
}

/// The same since 2000-01-01T00:00:00, as PostgreSQL counts: all of its timestamps have such a number.
pub fn parse_timestamp_since_2000(text: &str) -> Option<i64> {
    timestamp_since(DAY_2000, text)
}

/// Microseconds since the beginning of a day.
fn timestamp_since(day: i64, text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = strip_era(text);
    let (date, time) = text.split_once(['T', ' '])?;
    let (clock, offset_seconds) = match time.rfind(['+', '-']) {
        Some(at) => (&time[..at], parse_offset(&time[at..])?),
        None => (time.strip_suffix('Z').unwrap_or(time), 0),
    };
    let micros = parse_clock(clock)? - offset_seconds * 1_000_000;
    (days(date, before_christ)? - day)
        .checked_mul(DAY_MICROS)?
        .checked_add(micros)
}

/// The date of a number that [`parse_date`] gives, in ISO 8601.
pub fn format_date(days: i64) -> String {
    match days {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        _ => {
            let (date, era) = civil(days);
            date + era
        }
    }
}

/// The timestamp of a number that [`parse_timestamp_since_2000`] gives, in ISO 8601 and UTC.
pub fn format_timestamp(micros: i64) -> String {
    if micros == i64::MAX || micros == i64::MIN {
        return format_date(micros);
    }
    let (date, era) = civil(micros.div_euclid(DAY_MICROS) + DAY_2000);
    let clock = micros.rem_euclid(DAY_MICROS);
    let (seconds, fraction) = (clock / 1_000_000, clock % 1_000_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{date} {hour:02}:{minute:02}:{second:02}.{fraction:06}+00{era}")
}

/// The date of a day since 1970-01-01 and its era, by Howard Hinnant's `civil_from_days` (as below).
fn civil(days: i64) -> (String, &'static str) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // There is no year 0: 1 BC comes before 1 AD.
    let (year, era) = if year <= 0 {
        (1 - year, " BC")
    } else {
        (year, "")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn strip_era(text: &str) -> (&str, bool) {
    text.strip_suffix(" BC")
        .map_or((text, false), |rest| (rest, true))
}

/// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn days(date: &str, before_christ: bool) -> Option<i64> {
    let mut parts = date.splitn(3, '-');
    let year: i64 = parse_digits(parts.next()?)?;
    let month: i64 = parse_digits(parts.next()?)?;
    let day: i64 = parse_digits(parts.next()?)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // There is no year 0: 1 BC comes before 1 AD.
    let year = if before_christ { 1 - year } else { year };
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

fn parse_clock(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':');
    let hours = parse_digits(parts.next()?)?;
    let minutes = parse_digits(parts.next()?)?;
    let seconds = parts.next()?;
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    if fraction.len() > 6 {
        return None;
    }
    let micros = if fraction.is_empty() {
        0
    } else {
        parse_digits(fraction)? * 10_i64.pow(6 - u32::try_from(fraction.len()).ok()?)
    };
    Some(((hours * 60 + minutes) * 60 + parse_digits(seconds)?) * 1_000_000 + micros)
}

/// Seconds east of UTC of `+02`, `+05:30` or `-00:01:15`.
fn parse_offset(offset: &str) -> Option<i64> {
    let (sign, digits) = offset.split_at(1);
    let mut seconds = 0;
    for (index, part) in digits.splitn(3, ':').enumerate() {
        seconds += parse_digits(part)? * [3600, 60, 1][index];
    }
    Some(if sign == "-" { -seconds } else { seconds })
}

/// A part of a date or time. None has as many digits as would make the sums here too large.
fn parse_digits(text: &str) -> Option<i64> {
    let is_short = (1..=PART_DIGITS_MAX).contains(&text.len());
    if !is_short || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2000-02-29"), Some(11_016));
        assert_eq!(parse_date("0001-01-01 BC"), Some(-719_528));
        assert_eq!(parse_date("294276-12-31"), Some(106_762_939));
        assert_eq!(parse_date("2026-13-01"), None);
        assert_eq!(parse_date("yesterday"), None);
    }

    #[test]
    fn timestamps() {
        assert_eq!(
            parse_timestamp("1970-01-01T00:00:01.5+00:00"),
            Some(1_500_000)
        );
        assert_eq!(parse_timestamp("1970-01-01 02:00:00+02"), Some(0));
        assert_eq!(parse_timestamp("1969-12-31T23:59:59.999999"), Some(-1));
        assert_eq!(parse_timestamp("1970-01-01T24:00:00"), Some(DAY_MICROS));
        assert!(parse_timestamp("4714-11-24T00:00:00 BC").unwrap() < -200_000_000_000_000_000);
        assert_eq!(parse_timestamp("infinity"), Some(i64::MAX));
        let greatest = parse_timestamp_since_2000("294276-12-31T23:59:59.999999");
        assert_eq!(greatest, Some(9_223_371_331_199_999_999));
        let least = "4714-11-24T00:00:00 BC";
        let least = parse_timestamp_since_2000(least).unwrap();
        assert_eq!(format_timestamp(least), "4714-11-24 00:00:00.000000+00 BC");
        assert_eq!(parse_timestamp("1970-01-01"), None);
        assert_eq!(parse_timestamp("1970-01-01 11111111111111111:00:00"), None);
    }
}
