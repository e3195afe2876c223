//! Round bounds for the buckets of a histogram.

use crate::datetime::{parse_date, parse_timestamp};

/// What the bounds are values of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Whole numbers.
    Whole,
    /// Any numbers.
    Number,
    /// `date`.
    Day,
    /// `timestamp`.
    Local,
    /// `timestamptz`; written in UTC.
    Zoned,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The steps that a time axis may have, ascending, up to a year.
const STEPS: [Step; 30] = [
    Step::Micros(1),
    Step::Micros(10),
    Step::Micros(100),
    Step::Micros(1_000),
    Step::Micros(10_000),
    Step::Micros(100_000),
    Step::Micros(500_000),
    Step::Micros(SECOND),
    Step::Micros(5 * SECOND),
    Step::Micros(15 * SECOND),
    Step::Micros(30 * SECOND),
    Step::Micros(MINUTE),
    Step::Micros(5 * MINUTE),
    Step::Micros(15 * MINUTE),
    Step::Micros(30 * MINUTE),
    Step::Micros(HOUR),
    Step::Micros(3 * HOUR),
    Step::Micros(6 * HOUR),
    Step::Micros(12 * HOUR),
    Step::Micros(DAY),
    Step::Micros(7 * DAY),
    Step::Months(1),
    Step::Months(3),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(240),
    Step::Months(600),
    Step::Months(1_200),
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Micros(i64),
    Months(i64),
}

/// Ascending bounds, as texts that PostgreSQL reads, such that about `count` buckets between them hold every
/// value from `least` to `greatest` (finite, as PostgreSQL writes them). Where no round ones can be found,
/// the two values themselves.
pub fn nice_bounds(axis: Axis, least: &str, greatest: &str, count: u32) -> Vec<String> {
    let count = i64::from(count.max(1));
    let found = match axis {
        Axis::Whole | Axis::Number => numbers(axis, least, greatest, count),
        Axis::Day => match (parse_date(least), parse_date(greatest)) {
            (Some(least), Some(greatest)) => least
                .checked_mul(DAY)
                .zip(greatest.checked_mul(DAY))
                .and_then(|(least, greatest)| times(axis, least, greatest, count)),
            _ => None,
        },
        Axis::Local | Axis::Zoned => match (parse_timestamp(least), parse_timestamp(greatest)) {
            (Some(least), Some(greatest)) => times(axis, least, greatest, count),
            _ => None,
        },
    };
    found.unwrap_or_else(|| {
        let mut bounds = vec![least.to_owned(), greatest.to_owned()];
        bounds.dedup();
        bounds
    })
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn numbers(axis: Axis, least: &str, greatest: &str, count: i64) -> Option<Vec<String>> {
    let (low, high): (f64, f64) = (least.parse().ok()?, greatest.parse().ok()?);
    if !low.is_finite() || !high.is_finite() || low > high {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let wanted = ((high - low) / count as f64).max(low.abs() / 1e9);
    let wanted = if wanted > 0.0 { wanted } else { 1.0 };
    let (mantissa, power) = round_up(wanted, axis)?;
    let step = f64::from(mantissa) * 10_f64.powi(power);
    let (first, last) = ((low / step).floor(), (high / step).floor() + 1.0);
    if !step.is_normal() || first.abs() > 1e12 || last.abs() > 1e12 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 1e12, and whole")]
    let (first, last) = (first as i64, last as i64);
    let bounds = (first..=last).take(usize::try_from(count).ok()? * 2 + 4);
    let bounds = bounds.filter_map(|nth| {
        let bound = nth * i64::from(mantissa);
        fits(bound, power, low, high).then(|| shifted(bound, power))
    });
    Some(bounds.collect())
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below; whole for whole numbers.
fn round_up(wanted: f64, axis: Axis) -> Option<(i32, i32)> {
    let exponent = wanted.log10().floor();
    if !(-300.0..=300.0).contains(&exponent) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -300 and 300")]
    let power = exponent as i32;
    if axis == Axis::Whole && power < 0 {
        return Some((1, 0));
    }
    let unit = 10_f64.powi(power);
    let fitting = [1, 2, 5]
        .into_iter()
        .find(|&m| f64::from(m) * unit >= wanted * (1.0 - 1e-9));
    Some(fitting.map_or((1, power + 1), |mantissa| (mantissa, power)))
}

/// Whether a bound is in the range of every type that both ends are in.
fn fits(bound: i64, power: i32, low: f64, high: f64) -> bool {
    #[expect(
        clippy::cast_precision_loss,
        reason = "compared with the ends of types"
    )]
    let bound = bound as f64 * 10_f64.powi(power);
    let types = [32_767.0, 2_147_483_647.0, 9.2e18, 3.4e38, 1.7e308];
    types
        .iter()
        .all(|end| low.abs() > *end || high.abs() > *end || bound.abs() <= *end)
}

/// `number × 10^power`.
fn shifted(number: i64, power: i32) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let digits = number.unsigned_abs().to_string();
    let zeros = usize::try_from(power.unsigned_abs()).unwrap_or(0);
    if power >= 0 {
        let zeros = if number == 0 { 0 } else { zeros };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    }
    let digits = format!("{digits:0>width$}", width = zeros + 1);
    let (whole, fraction) = digits.split_at(digits.len() - zeros);
    format!("{sign}{whole}.{fraction}")
}

/// Whole seconds, hours, days, Mondays, months, years and so on.
fn times(axis: Axis, least: i64, greatest: i64, count: i64) -> Option<Vec<String>> {
    if least > greatest || least == i64::MIN || greatest == i64::MAX {
        return None;
    }
    let steps = STEPS.iter().filter(|step| match step {
        Step::Micros(micros) => axis != Axis::Day || *micros >= DAY,
        Step::Months(_) => true,
    });
    let number = |step: &Step| step.index(greatest) - step.index(least) + 1;
    let step = *steps
        .filter(|step| number(step) <= count + 1)
        .min_by_key(|step| {
            // The finest that has few enough; they ascend.
            -number(step)
        })?;
    let bounds = step.index(least)..=step.index(greatest) + 1;
    Some(bounds.map(|nth| written(axis, step.start(nth))).collect())
}

impl Step {
    /// Which step a time falls into.
    fn index(self, micros: i64) -> i64 {
        match self {
            // Weeks begin on Mondays; 1970-01-05 was one.
            Self::Micros(step) if step == 7 * DAY => (micros.div_euclid(DAY) - 4).div_euclid(7),
            Self::Micros(step) => micros.div_euclid(step),
            Self::Months(step) => {
                let (year, month, _) = civil(micros.div_euclid(DAY));
                (year * 12 + month - 1).div_euclid(step)
            }
        }
    }

    /// When a step begins.
    fn start(self, index: i64) -> i64 {
        match self {
            Self::Micros(step) if step == 7 * DAY => (index * 7 + 4) * DAY,
            Self::Micros(step) => index * step,
            Self::Months(step) => {
                let months = index * step;
                first_of(months.div_euclid(12), months.rem_euclid(12) + 1) * DAY
            }
        }
    }
}

/// Year, month and day of days since 1970-01-01, by Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>). The year before 1 is 0.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days since 1970-01-01 of the first day of a month.
fn first_of(year: i64, month: i64) -> i64 {
    let text = dated(year, month, 1);
    parse_date(&text).unwrap_or(0)
}

fn dated(year: i64, month: i64, day: i64) -> String {
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{:04}-{month:02}-{day:02} BC", 1 - year)
    }
}

fn written(axis: Axis, micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    let date = dated(year, month, day);
    if axis == Axis::Day {
        return date;
    }
    let rest = micros.rem_euclid(DAY);
    let (hour, minute, second) = (rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60);
    let fraction = rest % SECOND;
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:06}")
    };
    let zone = if axis == Axis::Zoned { "+00" } else { "" };
    let (date, era) = date
        .strip_suffix(" BC")
        .map_or((date.as_str(), ""), |date| (date, " BC"));
    format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}{era}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_round_bounds() {
        let ends = |axis, least: &str, greatest: &str, count| {
            let bounds = nice_bounds(axis, least, greatest, count);
            (
                bounds.len(),
                bounds[0].clone(),
                bounds[bounds.len() - 1].clone(),
            )
        };
        let is = |len, first: &str, last: &str| (len, first.to_owned(), last.to_owned());
        assert_eq!(ends(Axis::Whole, "0", "99", 10), is(11, "0", "100"));
        assert_eq!(ends(Axis::Whole, "3", "5", 20), is(4, "3", "6"));
        assert_eq!(ends(Axis::Whole, "7", "7", 20), is(2, "7", "8"));
        assert_eq!(
            ends(Axis::Number, "0.07", "2499.99", 20),
            is(14, "0", "2600")
        );
        assert_eq!(ends(Axis::Number, "-0.5", "0.5", 10), is(12, "-0.5", "0.6"));
        // No bound that is no integer.
        assert_eq!(ends(Axis::Whole, "0", "2147483647", 4).2, "2000000000");
        assert_eq!(
            ends(Axis::Number, "1e400", "2e400", 4),
            is(2, "1e400", "2e400")
        );
        assert_eq!(ends(Axis::Number, "0", "0", 4), is(2, "0", "1"));
    }

    #[test]
    fn times_get_natural_bounds() {
        let bounds = nice_bounds(Axis::Day, "2026-01-15", "2026-11-21", 20);
        assert_eq!(bounds.len(), 12, "{bounds:?}");
        assert_eq!((&*bounds[0], &*bounds[11]), ("2026-01-01", "2026-12-01"));
        let bounds = nice_bounds(
            Axis::Zoned,
            "2026-11-20T23:59:59.5+00:00",
            "2026-11-21T12:00:00+00:00",
            20,
        );
        assert_eq!(bounds[0], "2026-11-20 23:00:00+00");
        assert_eq!(bounds.len(), 15);
        let bounds = nice_bounds(Axis::Day, "2026-11-02", "2027-02-20", 20);
        assert_eq!((&*bounds[0], &*bounds[1]), ("2026-11-02", "2026-11-09"));
        assert_eq!(
            nice_bounds(Axis::Day, "0044-03-15 BC", "2026-01-01", 24)[0],
            "0101-01-01 BC"
        );
        assert_eq!(
            nice_bounds(Axis::Local, "infinity", "infinity", 9),
            ["infinity"]
        );
    }

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for days in (-800_000..4_000_000).step_by(997) {
            let (year, month, day) = civil(days);
            assert_eq!(parse_date(&dated(year, month, day)), Some(days));
        }
    }
}
