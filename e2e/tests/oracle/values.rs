//! Values for numbers, no two of them equal, and other spellings of a value.

fn spread(n: u64) -> u64 {
    // An odd factor permutes 32-bit numbers.
    n.wrapping_mul(2_654_435_761) % (1 << 32)
}

pub(crate) fn label(n: u64) -> String {
    format!("\"k\"=>\"{}\"", spread(n))
}

pub(crate) fn list_of_one(n: u64) -> String {
    format!("{{{n}}}")
}

pub(crate) fn fact(n: u64) -> String {
    format!("({n},null,)")
}

pub(crate) fn number(n: u64) -> String {
    n.to_string()
}

pub(crate) fn below_zero_too(n: u64) -> String {
    format!("{}", i64::try_from(n).unwrap() - 100)
}

pub(crate) fn fraction(n: u64) -> String {
    format!("{n}.50")
}

pub(crate) fn other_scale(text: &str) -> String {
    match text.strip_suffix("00") {
        Some(shorter) if text.contains('.') && !shorter.ends_with('.') => shorter.to_owned(),
        _ if text.contains('.') => format!("{text}00"),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => format!("{text}.00"),
        _ => text.to_owned(),
    }
}

pub(crate) fn name(n: u64) -> String {
    format!("k{:08x}", spread(n))
}

pub(crate) fn short_name(n: u64) -> String {
    format!("k{n}")
}

pub(crate) fn other_case(text: &str) -> String {
    let swap = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars().map(swap).collect()
}

pub(crate) fn day(n: u64) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        1900 + n / 336,
        n / 28 % 12 + 1,
        n % 28 + 1
    )
}

pub(crate) fn clock(n: u64) -> String {
    format!("{:02}:{:02}:{:02}.5", n / 3600 % 24, n / 60 % 60, n % 60)
}

pub(crate) fn instant(n: u64) -> String {
    format!("{}T{}+00:00", day(spread(n) % 50_000), clock(n))
}

pub(crate) fn local_instant(n: u64) -> String {
    format!("{}T{}", day(spread(n) % 50_000), clock(n))
}

/// As a Julian day.
pub(crate) fn day_of(second: i64) -> String {
    format!("J{}", second.div_euclid(86_400) + 2_440_588)
}

pub(crate) fn local_time_of(second: i64) -> String {
    let of_day = second.rem_euclid(86_400);
    let (hours, minutes, seconds) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{} {hours:02}:{minutes:02}:{seconds:02}.25", day_of(second))
}

pub(crate) fn time_of(second: i64) -> String {
    format!("{}+00", local_time_of(second))
}

pub(crate) fn uuid(n: u64) -> String {
    format!("{:08x}-0000-4000-8000-{n:012x}", spread(n))
}

pub(crate) fn hex(n: u64) -> String {
    format!("\\x{:08x}", spread(n))
}

pub(crate) fn address(n: u64) -> String {
    format!("10.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255)
}

pub(crate) fn days(n: u64) -> String {
    format!("{n} days")
}

pub(crate) fn in_hours(text: &str) -> String {
    // Shown in ISO 8601, since that is how a key comes back.
    let days = text
        .strip_prefix('P')
        .and_then(|rest| rest.strip_suffix('D'))
        .and_then(|days| days.parse::<u64>().ok());
    days.map_or_else(|| text.to_owned(), |days| format!("{} hours", days * 24))
}
