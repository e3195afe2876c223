//! `numeric` values of any precision, compared as PostgreSQL compares them.

use std::cmp::Ordering;
use std::fmt;

/// A `numeric`: exact, of any size; `NaN` equals itself and is above `Infinity`, as in PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// `-Infinity`.
    NegativeInfinity,
    /// A finite number.
    Finite(Digits),
    /// `Infinity`.
    Infinity,
    /// `NaN`.
    NaN,
}

/// A finite number, normalized so that equal numbers have equal fields: `0.digits × 10^exponent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    negative: bool,
    exponent: i64,
    /// ASCII digits without leading or trailing zeros; empty for zero.
    digits: Box<[u8]>,
}

impl fmt::Display for Decimal {
    /// The number as PostgreSQL reads it.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NegativeInfinity => to.write_str("-Infinity"),
            Self::Infinity => to.write_str("Infinity"),
            Self::NaN => to.write_str("NaN"),
            Self::Finite(number) if number.digits.is_empty() => to.write_str("0"),
            Self::Finite(number) => {
                let digits: String = number.digits.iter().copied().map(char::from).collect();
                let sign = if number.negative { "-" } else { "" };
                write!(to, "{sign}0.{digits}e{}", number.exponent)
            }
        }
    }
}

impl Decimal {
    /// Memory held on the heap, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Finite(number) => number.digits.len(),
            _ => 0,
        }
    }

    /// Reads PostgreSQL's (or JSON's) text of a number; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "NaN" => return Some(Self::NaN),
            "Infinity" => return Some(Self::Infinity),
            "-Infinity" => return Some(Self::NegativeInfinity),
            _ => {}
        }
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 {
            return None;
        }
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if !all.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leading = all.iter().take_while(|&&digit| digit == b'0').count();
        let trailing = all[leading..]
            .iter()
            .rev()
            .take_while(|&&digit| digit == b'0')
            .count();
        let digits: Box<[u8]> = all[leading..all.len() - trailing].into();
        if digits.is_empty() {
            return Some(Self::Finite(Digits {
                negative: false,
                exponent: 0,
                digits,
            }));
        }
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(Self::Finite(Digits {
            negative,
            exponent: point.checked_add(power)?,
            digits,
        }))
    }
}

impl Digits {
    /// -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sign().cmp(&other.sign()).then_with(|| {
            let magnitude = self
                .exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits));
            if self.negative {
                magnitude.reverse()
            } else {
                magnitude
            }
        })
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let class = |decimal: &Self| match decimal {
            Self::NegativeInfinity => 0,
            Self::Finite(_) => 1,
            Self::Infinity => 2,
            Self::NaN => 3,
        };
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => a.cmp(b),
            _ => class(self).cmp(&class(other)),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascends_as_in_postgres() {
        let ascending = [
            "-Infinity",
            "-1e30",
            "-100",
            "-99.5",
            "-1",
            "-0.001",
            "0",
            "1e-30",
            "0.09",
            "0.1",
            "0.10000000000000000000000000000000000001",
            "9.99",
            "10",
            "10.01",
            "123456789012345678901234567890",
            "1e400",
            "Infinity",
            "NaN",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                let (x, y) = (Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
                assert_eq!(x.cmp(&y), i.cmp(&j), "{a} against {b}");
            }
        }
    }

    #[test]
    fn scale_does_not_distinguish() {
        for (a, b) in [
            ("1.0", "1.00"),
            ("-0", "0.000"),
            ("100", "1e2"),
            ("0012.50", "+12.5"),
        ] {
            assert_eq!(Decimal::parse(a), Decimal::parse(b));
        }
        for text in ["", "-", ".", "1.2.3", "1e", "abc", "1 "] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
