//! Instants as microseconds since 1970 (UTC), and when people are awake.

use std::io::Write;

use crate::dice::Dice;

/// Microseconds since 1970-01-01 00:00 UTC.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const HOUR: Micros = 3600 * SECOND;
pub(crate) const DAY: Micros = 24 * HOUR;

/// Visits per hour of the day (local time): asleep, lunch, evening.
const HOURS: [f64; 24] = [
    0.9, 0.5, 0.3, 0.2, 0.2, 0.4, 0.9, 1.8, 2.8, 3.4, 3.8, 4.2, 4.6, 4.0, 3.7, 3.8, 4.1, 4.6, 5.2,
    6.0, 6.4, 5.8, 4.0, 2.0,
];

/// Visits per day of the week, from Monday.
const WEEKDAYS: [f64; 7] = [1.05, 1.0, 1.0, 1.05, 0.95, 0.8, 1.15];

/// Reads a date as `YYYY-MM-DD`; its first instant (UTC) in microseconds since 1970.
///
/// # Errors
/// If it is none; the message is for the user.
pub fn parse_date(text: &str) -> Result<i64, String> {
    let parts: Vec<i64> = text
        .split('-')
        .map_while(|part| part.parse().ok())
        .collect();
    match *parts {
        [year @ 1971..=9998, month @ 1..=12, day @ 1..=31] if text.len() == 10 => {
            let days = days_from_civil(year, month, day);
            if civil_from_days(days) == (year, month, day) {
                return Ok(days * DAY);
            }
        }
        _ => {}
    }
    Err(format!("{text:?} is not a date like 2026-01-31"))
}

/// Writes an instant as PostgreSQL reads it.
pub(crate) fn write_instant(out: &mut Vec<u8>, at: Micros) {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY));
    let in_day = at.rem_euclid(DAY);
    let (hours, minutes) = (in_day / HOUR, in_day / (60 * SECOND) % 60);
    let (seconds, fraction) = (in_day / SECOND % 60, in_day % SECOND);
    // Writing into a vector cannot fail.
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{fraction:06}+00"
    );
}

/// An instant within `span` before `until`, where most people are awake; `offset_hours` is their
/// time zone.
pub(crate) fn waking_instant(
    dice: &mut Dice,
    until: Micros,
    span: Micros,
    offset_hours: i64,
) -> Micros {
    let days = (span / DAY).max(1) as u64;
    // Rejection, with the busiest hour of the busiest day as the bound.
    loop {
        let day = until - (dice.below(days) as i64 + 1) * DAY;
        let hour = dice.below(24);
        let local = day + hour as i64 * HOUR + offset_hours * HOUR;
        // 1970-01-01 was a Thursday.
        let weekday = (local.div_euclid(DAY) + 3).rem_euclid(7) as usize;
        let hour_of_day = (local.rem_euclid(DAY) / HOUR) as usize;
        if dice.unit() * 6.4 * 1.15 < HOURS[hour_of_day] * WEEKDAYS[weekday] {
            return day + hour as i64 * HOUR + dice.below(HOUR as u64) as i64;
        }
    }
}

/// Howard Hinnant's algorithm: years from March, eras of 400 years.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Stream;

    #[test]
    fn dates_are_read_and_written() {
        let mut out = Vec::new();
        write_instant(&mut out, parse_date("2024-02-29").unwrap() + HOUR + 1);
        assert_eq!(out, b"2024-02-29 01:00:00.000001+00");
        for bad in [
            "2023-02-29",
            "2024-13-01",
            "yesterday",
            "2024-1-1",
            "",
            "2024-02-29x",
        ] {
            assert!(parse_date(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_date("1971-01-01"), Ok(365 * DAY));
    }

    #[test]
    fn evenings_are_busier_than_nights() {
        let until = parse_date("2026-01-31").unwrap();
        let mut dice = Dice::of_row(1, Stream::Visits, 0);
        let mut by_hour = [0; 24];
        for _ in 0..10_000 {
            let at = waking_instant(&mut dice, until, 30 * DAY, 0);
            assert!((until - 30 * DAY..until).contains(&at));
            by_hour[(at.rem_euclid(DAY) / HOUR) as usize] += 1;
        }
        assert!(by_hour[20] > 8 * by_hour[3], "{by_hour:?}");
    }
}
