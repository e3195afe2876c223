//! Sums of decimals without rounding, from which what was added can be taken away again.

/// Decimal digits in one limb.
const LIMB_DIGITS: i64 = 9;
const BASE: i64 = 1_000_000_000;
/// Additions after which carries are settled; far fewer than would overflow a limb.
const CARRY_AFTER: u32 = 1 << 30;
/// Places beyond which nothing is a number of PostgreSQL's (131,072 before the point, 16,383 behind).
const PLACES_MAX: i64 = 200_000;

/// An exact sum. Adding does not depend on the order, so taking away is adding with the other sign.
///
/// The value is the sum of `limbs[i] × 10^(9 × (low + i))`. Limbs may be negative or too large until
/// `settle`.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    low: i64,
    limbs: Vec<i64>,
    additions: u32,
}

/// The size of a settled sum: `0.digits × 10^point`, without zeros at either end.
struct Magnitude {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl ExactSum {
    /// Adds a finite decimal `times` times: 1, or -1 to take it away. `None` if the text is not one; the
    /// sum is unchanged then.
    pub fn add(&mut self, text: &str, times: i64) -> Option<()> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        let is_number = digits().all(|digit| digit.is_ascii_digit()) && digits().next().is_some();
        let top = i64::try_from(whole.len()).ok()?.checked_add(power)? - 1;
        let bottom = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if !is_number || top > PLACES_MAX || bottom < -PLACES_MAX {
            return None;
        }
        self.reach(bottom.div_euclid(LIMB_DIGITS), top.div_euclid(LIMB_DIGITS));
        let times = if negative { -times } else { times };
        for (place, digit) in (bottom..=top).rev().zip(digits()) {
            let limb = place.div_euclid(LIMB_DIGITS) - self.low;
            let weight = 10_i64.pow(u32::try_from(place.rem_euclid(LIMB_DIGITS)).unwrap_or(0));
            self.limbs[usize::try_from(limb).unwrap_or(0)] +=
                times * i64::from(digit - b'0') * weight;
        }
        self.additions += 1;
        if self.additions > CARRY_AFTER {
            self.settle();
        }
        Some(())
    }

    /// Makes room for these limbs.
    fn reach(&mut self, low: i64, high: i64) {
        if self.limbs.is_empty() {
            self.low = low;
        }
        if low < self.low {
            let more = usize::try_from(self.low - low).unwrap_or(0);
            self.limbs.splice(0..0, std::iter::repeat_n(0, more));
            self.low = low;
        }
        let needed = usize::try_from(high - self.low + 1).unwrap_or(0);
        if self.limbs.len() < needed {
            self.limbs.resize(needed, 0);
        }
    }

    /// Brings every limb but the highest into `0..BASE`; the highest has the sum's sign.
    fn settle(&mut self) {
        self.additions = 0;
        let mut carry = 0;
        for limb in &mut self.limbs {
            let value = *limb + carry;
            *limb = value.rem_euclid(BASE);
            carry = value.div_euclid(BASE);
        }
        if carry != 0 {
            self.limbs.push(carry);
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|&&limb| limb == 0).count();
        self.limbs.drain(..zeros);
        self.low += i64::try_from(zeros).unwrap_or(0);
    }

    fn magnitude(&mut self) -> Magnitude {
        self.settle();
        let negative = self.limbs.last().is_some_and(|&top| top < 0);
        let mut positive = self.clone();
        if negative {
            positive.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            positive.settle();
        }
        let mut digits = Vec::new();
        for (index, limb) in positive.limbs.iter().rev().enumerate() {
            let text = if index == 0 {
                limb.to_string()
            } else {
                format!("{limb:09}")
            };
            digits.extend_from_slice(text.as_bytes());
        }
        let point = i64::try_from(digits.len()).unwrap_or(0) + positive.low * LIMB_DIGITS;
        let trailing = digits.iter().rev().take_while(|&&d| d == b'0').count();
        digits.truncate(digits.len() - trailing);
        Magnitude {
            negative,
            digits,
            point,
        }
    }

    /// The sum with `scale` digits behind the point; more than that no summand may have.
    pub fn to_text(&mut self, scale: u32) -> String {
        let magnitude = self.magnitude();
        let digits = magnitude.at_scale(i64::from(scale));
        written(magnitude.negative, &digits, scale)
    }

    /// The nearest float: the sum, rounded once.
    pub fn to_f64(&mut self) -> f64 {
        let Magnitude {
            negative,
            digits,
            point,
        } = self.magnitude();
        let sign = if negative { "-" } else { "" };
        let digits = String::from_utf8_lossy(&digits);
        format!("{sign}0.{digits}0e{point}").parse().unwrap_or(0.0)
    }

    /// The sum divided by a positive count, with as many digits, and rounded, as PostgreSQL's `avg` of
    /// `numeric` is, if the sum has `scale` digits behind the point.
    pub fn average(&mut self, count: u64, scale: u32) -> String {
        let magnitude = self.magnitude();
        let scale = quotient_scale(&magnitude, count, scale);
        let dividend = magnitude.at_scale(i64::from(scale));
        let (mut quotient, mut rest) = (Vec::with_capacity(dividend.len()), 0_u128);
        for digit in dividend {
            rest = rest * 10 + u128::from(digit - b'0');
            let digit = u8::try_from(rest / u128::from(count)).unwrap_or(9);
            quotient.push(b'0' + digit);
            rest %= u128::from(count);
        }
        if rest * 2 >= u128::from(count) {
            increment(&mut quotient);
        }
        let is_zero = quotient.iter().all(|&digit| digit == b'0');
        written(magnitude.negative && !is_zero, &quotient, scale)
    }
}

impl Magnitude {
    /// The digits of the number times `10^scale`, at least one more than `scale`.
    fn at_scale(&self, scale: i64) -> Vec<u8> {
        let wanted = usize::try_from((self.point + scale).max(0)).unwrap_or(0);
        let mut digits = self.digits.clone();
        digits.resize(wanted, b'0');
        let least = usize::try_from(scale + 1).unwrap_or(1);
        let missing = least.saturating_sub(digits.len());
        digits.splice(0..0, std::iter::repeat_n(b'0', missing));
        digits
    }
}

/// Digits behind the point of a `numeric` quotient, as PostgreSQL chooses them (`select_div_scale`): at
/// least 16 significant ones, counted in groups of four.
fn quotient_scale(dividend: &Magnitude, count: u64, scale: u32) -> u32 {
    let (weight, first) = leading_group(&dividend.digits, dividend.point);
    let count = count.to_string();
    let point = i64::try_from(count.len()).unwrap_or(0);
    let (count_weight, count_first) = leading_group(count.as_bytes(), point);
    let weight = weight - count_weight - i64::from(first <= count_first);
    let significant = 16 - weight * 4;
    let scale = significant.max(i64::from(scale)).clamp(0, 1_000);
    u32::try_from(scale).unwrap_or(0)
}

/// The first group of four decimal digits, counted from the point, that is not zero: its weight in powers
/// of 10,000, and its value.
fn leading_group(digits: &[u8], point: i64) -> (i64, u32) {
    if digits.is_empty() {
        return (0, 0);
    }
    let length = usize::try_from((point - 1).rem_euclid(4) + 1).unwrap_or(1);
    let digit = |at: usize| digits.get(at).map_or(0, |digit| u32::from(digit - b'0'));
    let value = (0..length).fold(0, |value, at| value * 10 + digit(at));
    ((point - 1).div_euclid(4), value)
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// Digits with a point before the last `scale` of them.
fn written(negative: bool, digits: &[u8], scale: u32) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    let zeros = whole.iter().take_while(|&&digit| digit == b'0').count();
    let whole = &whole[zeros.min(whole.len().saturating_sub(1))..];
    let mut text = String::with_capacity(digits.len() + 2);
    if negative {
        text.push('-');
    }
    text.push_str(&String::from_utf8_lossy(whole));
    if scale > 0 {
        text.push('.');
        text.push_str(&String::from_utf8_lossy(fraction));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(texts: &[&str]) -> ExactSum {
        let mut sum = ExactSum::default();
        for text in texts {
            sum.add(text, 1).unwrap();
        }
        sum
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(sum(&[]).to_text(2), "0.00");
        assert_eq!(sum(&["1.0", "1.00"]).to_text(2), "2.00");
        assert_eq!(sum(&["0.1", "0.2", "-0.3"]).to_text(1), "0.0");
        assert_eq!(sum(&["-0.5", "-99.75"]).to_text(2), "-100.25");
        assert_eq!(
            sum(&["1e30", "1e-30"]).to_text(30),
            format!("1{}.{}1", "0".repeat(30), "0".repeat(29))
        );
        assert_eq!(sum(&["-1000000000", "1"]).to_text(0), "-999999999");
        let mut there_and_back = sum(&["123456789012345678901234567890.5"]);
        there_and_back
            .add("123456789012345678901234567890.5", -1)
            .unwrap();
        assert_eq!(there_and_back.to_text(0), "0");
        for text in ["", "-", ".", "x", "1.2.3", "NaN", "1e999999"] {
            assert_eq!(ExactSum::default().add(text, 1), None, "{text}");
        }
    }

    #[test]
    fn floats_are_rounded_once() {
        assert_eq!(sum(&["0.1", "0.2"]).to_f64(), 0.3);
        assert_eq!(sum(&["1e300", "1", "-1e300"]).to_f64(), 1.0);
        assert_eq!(sum(&["-2.5"]).to_f64(), -2.5);
        assert_eq!(sum(&[]).to_f64(), 0.0);
    }

    /// Each as `SELECT avg(x)` prints it.
    #[test]
    fn averages_are_written_as_postgres_writes_them() {
        let average = |texts: &[&str], scale| {
            let mut sum = sum(texts);
            sum.average(texts.len() as u64, scale)
        };
        assert_eq!(average(&["1", "2"], 0), "1.5000000000000000");
        assert_eq!(average(&["1", "2", "2"], 0), "1.6666666666666667");
        assert_eq!(average(&["0", "0"], 0), "0.00000000000000000000");
        assert_eq!(average(&["0", "0", "1"], 0), "0.33333333333333333333");
        assert_eq!(average(&["-1", "-2"], 0), "-1.5000000000000000");
        assert_eq!(average(&["100000", "200001"], 0), "150000.500000000000");
    }
}
