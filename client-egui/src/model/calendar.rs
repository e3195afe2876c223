//! Dates and times of day as PostgreSQL writes them (ISO 8601, proleptic Gregorian).

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;

/// A day of the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// Reads `2026-11-21`; the day must exist.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let [year, month, day] = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() || year.len() != 4 {
            return None;
        }
        let date = Self {
            year: number(year)?,
            month: number(month)?,
            day: number(day)?,
        };
        // Only a day that exists survives the way to its number and back.
        (date.year > 0 && (1..=12).contains(&date.month) && Self::from_days(date.to_days()) == date)
            .then_some(date)
    }

    /// Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    fn to_days(self) -> i64 {
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let era = year.div_euclid(400);
        let year_of_era = year - era * 400;
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// The inverse of [`Date::to_days`].
    fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days - era * 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        }
    }

    pub(super) fn next(self) -> Self {
        Self::from_days(self.to_days() + 1)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TimeOfDay {
    seconds: i64,
    micros: u32,
}

impl TimeOfDay {
    /// Reads `13:45`, `13:45:00` or `13:45:00.123456`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let mut parts = clock.split(':');
        let hours = number(parts.next()?)?;
        let minutes = number(parts.next()?)?;
        let seconds = parts.next().map_or(Some(0), number)?;
        let in_range = hours < 24 && minutes < 60 && seconds < 60;
        if parts.next().is_some() || !in_range || !(1..=6).contains(&fraction.len()) {
            return None;
        }
        let micros = u32::try_from(number(&format!("{fraction:0<6}"))?).ok()?;
        Some(Self {
            seconds: hours * 3_600 + minutes * 60 + seconds,
            micros,
        })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, seconds) = (self.seconds / 60, self.seconds % 60);
        write!(f, "{:02}:{:02}:{:02}", minutes / 60, minutes % 60, seconds)?;
        if self.micros > 0 {
            write!(
                f,
                ".{}",
                format!("{:06}", self.micros).trim_end_matches('0')
            )?;
        }
        Ok(())
    }
}

/// A day and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp {
    pub(super) date: Date,
    pub(super) time: TimeOfDay,
}

impl Timestamp {
    /// Reads a date, with or without a time of day behind a `T` or a space; and what follows, if it
    /// is a zone, as seconds east of UTC.
    pub(super) fn parse(text: &str) -> Option<(Self, Option<i64>)> {
        let Some((date, rest)) = text.split_once(['T', 't', ' ']) else {
            return Some((
                Self {
                    date: Date::parse(text)?,
                    time: TimeOfDay::default(),
                },
                None,
            ));
        };
        let (time, zone) = split_zone(rest.trim_start())?;
        Some((
            Self {
                date: Date::parse(date)?,
                time: TimeOfDay::parse(time)?,
            },
            zone,
        ))
    }

    /// Seconds since 1970, as if this were in UTC.
    pub(super) fn seconds(self) -> f64 {
        let whole = self.date.to_days() * SECONDS_PER_DAY + self.time.seconds;
        whole as f64 + f64::from(self.time.micros) / 1e6
    }

    /// The same instant in UTC, where this is so many seconds east of it.
    pub(super) fn to_utc(self, seconds_east: i64) -> Self {
        let seconds = self.time.seconds - seconds_east;
        let days = self.date.to_days() + seconds.div_euclid(SECONDS_PER_DAY);
        let time = TimeOfDay {
            seconds: seconds.rem_euclid(SECONDS_PER_DAY),
            ..self.time
        };
        Self {
            date: Date::from_days(days),
            time,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.date, self.time)
    }
}

/// Splits a time of day from the zone behind it: `Z`, `UTC`, `+01`, `-0330`, `+05:30`.
pub(super) fn split_zone(text: &str) -> Option<(&str, Option<i64>)> {
    let upper = text.to_ascii_uppercase();
    for name in ["UTC", "Z"] {
        if upper.ends_with(name) {
            return Some((text[..text.len() - name.len()].trim_end(), Some(0)));
        }
    }
    let Some(sign) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let digits = text[sign + 1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number(&digits)?, 0),
        4 => (number(&digits[..2])?, number(&digits[2..])?),
        _ => return None,
    };
    if hours > 15 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3_600 + minutes * 60;
    let east = if text[sign..].starts_with('-') {
        -seconds
    } else {
        seconds
    };
    Some((text[..sign].trim_end(), Some(east)))
}

/// Digits only: no sign, no spaces.
fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        for good in [
            "2026-11-21",
            "2024-02-29",
            "2000-02-29",
            "0001-01-01",
            "9999-12-31",
        ] {
            assert_eq!(
                Date::parse(good).map(|date| date.to_string()).as_deref(),
                Some(good)
            );
        }
        for bad in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "2026-4",
            "",
            "26-01-01",
            "0000-01-01",
            "2026-01-01-01",
            "2026-01-+1",
            "２０２６-01-01",
        ] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
        assert_eq!(Date::parse("1970-01-01").map(Date::to_days), Some(0));
        assert_eq!(
            Date::parse("2026-12-31").unwrap().next().to_string(),
            "2027-01-01"
        );
    }

    #[test]
    fn times_are_written_as_postgres_does() {
        for (typed, written) in [
            ("13:45", "13:45:00"),
            ("1:05", "01:05:00"),
            ("13:45:00.120", "13:45:00.12"),
            ("23:59:59.000001", "23:59:59.000001"),
        ] {
            assert_eq!(TimeOfDay::parse(typed).unwrap().to_string(), written);
        }
        for bad in [
            "24:00",
            "12:60",
            "12:00:60",
            "12",
            "12:00:00.1234567",
            "12:00:00.",
            "-1:00",
        ] {
            assert_eq!(TimeOfDay::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn zones_are_taken_to_utc() {
        for (typed, utc) in [
            ("2026-11-21T00:30:00+01:00", "2026-11-20T23:30:00"),
            ("2026-11-21 23:30 -0330", "2026-11-22T03:00:00"),
            ("2026-11-21 13:45Z", "2026-11-21T13:45:00"),
            ("2026-11-21 13:45:00.5 utc", "2026-11-21T13:45:00.5"),
            ("2026-11-21", "2026-11-21T00:00:00"),
        ] {
            let (timestamp, zone) = Timestamp::parse(typed).unwrap();
            assert_eq!(
                timestamp.to_utc(zone.unwrap_or(0)).to_string(),
                utc,
                "{typed}"
            );
        }
        for bad in [
            "2026-11-21 13:45+16",
            "2026-11-21 13:45+1:2:3",
            "2026-11-21T",
            "yesterday",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }
}
