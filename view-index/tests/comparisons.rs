//! Decimals, timestamps, ranks and snapshots against simple models of what they stand for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cmp::Ordering;
use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use view_index::datetime::{
    format_date, format_timestamp, parse_date, parse_timestamp, parse_timestamp_since_2000,
};
use view_index::decimal::Decimal;
use view_index::{DomainId, Placement, Rank, Ranks, Snapshot};

/// `digits × 10^-scale`, written as PostgreSQL writes a `numeric` of that scale.
fn decimal_text(digits: i64, scale: usize) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = all.split_at(all.len() - scale);
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn scaled(digits: i64, scale: usize) -> i128 {
    i128::from(digits) * 10_i128.pow(12 - u32::try_from(scale).unwrap())
}

/// Numbers with many near-equal neighbours.
fn digits() -> impl Strategy<Value = i64> {
    prop_oneof![-20..20_i64, -100_000..100_000_i64, any::<i64>()]
}

/// What PostgreSQL writes, with a few characters changed, taken out or put in.
fn nearly() -> impl Strategy<Value = String> {
    let written = prop::sample::select(vec![
        "2026-11-21",
        "0044-03-15 BC",
        "5874897-12-31",
        "2026-11-21T13:45:00.123456+00:00",
        "294276-12-31T23:59:59.999999",
        "4714-11-24 00:00:00+05:30 BC",
        "infinity",
        "-99.50",
        "1e400",
        "12345678901234567890.123",
        "NaN",
        "10:20:10,14,15",
        "18446744073709551000:18446744073709551615:",
    ]);
    let damage = (
        any::<prop::sample::Index>(),
        0..3_u8,
        "[-+0-9.:,eETZ BC]|\\PC",
    );
    (written, vec(damage, 0..4)).prop_map(|(written, damage)| {
        let mut text: Vec<char> = written.chars().collect();
        for (place, how, with) in damage {
            let (place, with) = (
                place.index(text.len() + 1),
                with.chars().next().unwrap_or('0'),
            );
            match how {
                0 => text.insert(place, with),
                1 if place < text.len() => text[place] = with,
                _ if place < text.len() => drop(text.remove(place)),
                _ => {}
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn decimals_compare_as_the_numbers_do(
        (a, a_scale) in (digits(), 0..12_usize),
        (b, b_scale) in (digits(), 0..12_usize),
    ) {
        let parse = |digits, scale| Decimal::parse(&decimal_text(digits, scale)).unwrap();
        let (x, y) = (parse(a, a_scale), parse(b, b_scale));
        let expected = scaled(a, a_scale).cmp(&scaled(b, b_scale));
        prop_assert_eq!(x.cmp(&y), expected);
        prop_assert_eq!(x == y, expected == Ordering::Equal);
        let with_exponent = format!("{a}e-{a_scale}");
        prop_assert_eq!(Decimal::parse(&with_exponent), Some(x));
    }

    #[test]
    fn any_text_is_a_decimal_or_none(text in "[-+]?[0-9.eE+-]{0,12}|\\PC*") {
        if let Some(decimal) = Decimal::parse(&text) {
            prop_assert_eq!(decimal.cmp(&decimal), Ordering::Equal);
        }
        let _ = (parse_date(&text), parse_timestamp(&text));
    }

    #[test]
    fn days_follow_each_other(year in -4_700..290_000_i64, month in 1..=12_i64, day in 1..=27_i64) {
        let text = |day: i64| {
            let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
            format!("{year:04}-{month:02}-{day:02}{era}")
        };
        prop_assert_eq!(parse_date(&text(day)).unwrap() + 1, parse_date(&text(day + 1)).unwrap());
        let noon = |day: i64| {
            let text = text(day);
            let (date, era) = text.split_once(' ').unwrap_or((&text, ""));
            let era = if era.is_empty() { "" } else { " BC" };
            parse_timestamp(&format!("{date}T12:00:00+00:00{era}")).unwrap()
        };
        prop_assert_eq!(noon(day), parse_date(&text(day)).unwrap() * 86_400_000_000 + 43_200_000_000);
    }

    /// Over PostgreSQL's whole range, from 4714 BC to the last year of each type.
    #[test]
    fn what_is_written_reads_back(
        days in -2_440_588..2_145_042_542_i64,
        micros in -211_813_488_000_000_000..9_223_371_331_200_000_000_i64,
        (digits, scale) in (digits(), 0..12_usize),
    ) {
        prop_assert_eq!(parse_date(&format_date(days)), Some(days));
        prop_assert_eq!(parse_timestamp_since_2000(&format_timestamp(micros)), Some(micros));
        let decimal = Decimal::parse(&decimal_text(digits, scale)).unwrap();
        prop_assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
    }

    /// Texts that are nearly right: whatever is read as a number, date or snapshot is written as one that
    /// reads the same; nothing panics.
    #[test]
    fn what_is_read_writes_back(text in nearly()) {
        if let Some(decimal) = Decimal::parse(&text) {
            prop_assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
        }
        if let Some(days) = parse_date(&text) {
            prop_assert_eq!(parse_date(&format_date(days)), Some(days));
        }
        if let Some(micros) = parse_timestamp_since_2000(&text) {
            prop_assert_eq!(parse_timestamp_since_2000(&format_timestamp(micros)), Some(micros));
        }
        if let Ok(snapshot) = text.parse::<Snapshot>() {
            prop_assert_eq!(snapshot.to_string().parse::<Snapshot>(), Ok(snapshot));
        }
    }

    #[test]
    fn an_offset_only_renames_an_instant(
        seconds in 0..86_400_i64,
        micros in 0..1_000_000_i64,
        quarters in -56..=56_i64,
    ) {
        let text = |seconds: i64, offset: &str| {
            let (days, seconds) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
            let (hours, rest) = (seconds / 3_600, seconds % 3_600);
            let clock = format!("{hours:02}:{:02}:{:02}.{micros:06}", rest / 60, rest % 60);
            format!("2026-11-{:02}T{clock}{offset}", 10 + days)
        };
        let sign = if quarters < 0 { '-' } else { '+' };
        let minutes = quarters.abs() * 15;
        let offset = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        let local = text(seconds + quarters * 900, &offset);
        prop_assert_eq!(parse_timestamp(&local), parse_timestamp(&text(seconds, "+00:00")));
    }
}

/// One thing done to a [`Ranks`].
#[derive(Clone, Debug)]
enum Step {
    /// Asks about these and remembers the answers; of which so many are held by keys.
    Learn(Vec<String>, usize),
    /// The oldest held ranks go.
    Drop(usize),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let word = prop_oneof!["[aAbB]{0,3}", "a{0,6}", "[a-zA-Z]{1,2}"];
    prop_oneof![
        6 => (vec(word, 1..8), 0..6_usize).prop_map(|(words, held)| Step::Learn(words, held)),
        2 => (0..6_usize).prop_map(Step::Drop),
        2 => Just(Step::Forget),
    ]
}

const DOMAIN: DomainId = DomainId(1);

/// What PostgreSQL answers under a case-insensitive collation.
fn ask(bounds: &[String], texts: &[String]) -> Vec<Placement> {
    let mut distinct: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    distinct.sort();
    distinct.dedup();
    let answer = |text: &String| {
        let folded = text.to_lowercase();
        let bucket = bounds
            .iter()
            .filter(|bound| bound.to_lowercase() <= folded)
            .count();
        Placement {
            text: text.clone(),
            bucket,
            equals_bound: bucket > 0 && bounds[bucket - 1].to_lowercase() == folded,
            place: i64::try_from(distinct.binary_search(&folded).unwrap()).unwrap(),
        }
    };
    texts.iter().map(answer).collect()
}

proptest! {
    #[test]
    fn held_ranks_keep_postgres_order(steps in vec(step(), 0..60)) {
        let mut ranks = Ranks::default();
        let mut held: Vec<(String, Rank)> = Vec::new();
        for step in steps {
            match step {
                Step::Learn(mut words, keep) => {
                    words.sort();
                    words.dedup();
                    let wanted = words.clone();
                    words.retain(|word| ranks.get(DOMAIN, word).is_none());
                    ranks.learn(DOMAIN, ask(&ranks.bounds(DOMAIN), &words));
                    for word in &wanted {
                        prop_assert!(ranks.get(DOMAIN, word).is_some(), "{} was learnt", word);
                    }
                    let keep = wanted.into_iter().take(keep);
                    held.extend(keep.filter_map(|word| {
                        let rank = ranks.get(DOMAIN, &word)?;
                        Some((word, rank))
                    }));
                }
                Step::Drop(count) => drop(held.drain(..count.min(held.len()))),
                Step::Forget => {
                    ranks.forget_unused();
                    let places: HashMap<String, ()> =
                        held.iter().map(|(text, _)| (text.to_lowercase(), ())).collect();
                    prop_assert_eq!(ranks.bounds(DOMAIN).len(), places.len());
                }
            }
            for (text, rank) in &held {
                prop_assert!(ranks.get(DOMAIN, text).is_some_and(|known| known == *rank));
                for (other, other_rank) in &held {
                    let expected = text.to_lowercase().cmp(&other.to_lowercase());
                    prop_assert_eq!(rank.cmp(other_rank), expected, "{} and {}", text, other);
                    prop_assert_eq!(rank == other_rank, expected == Ordering::Equal);
                }
            }
        }
    }

    /// `covers` by its definition: nothing that one sees is unseen by the other.
    #[test]
    fn covering_is_seeing_all_the_same(
        (a_xmax, a_running) in (3..12_u64, vec(1..12_u64, 0..5)),
        (b_xmax, b_running) in (3..12_u64, vec(1..12_u64, 0..5)),
    ) {
        let snapshot = |xmax, running: Vec<u64>| {
            let running: Vec<u64> = running.into_iter().filter(|&xid| xid < xmax).collect();
            Snapshot::new(running.iter().copied().min().unwrap_or(xmax), xmax, running)
        };
        let (a, b) = (snapshot(a_xmax, a_running), snapshot(b_xmax, b_running));
        let sees_all = (0..14).all(|xid| !b.sees(xid) || a.sees(xid));
        if a.covers(&b) {
            prop_assert!(sees_all, "{} covers {}", a, b);
        } else {
            // Not covering although nothing is missing is allowed only where `b` has seen nothing
            // of what lies between the two ends.
            prop_assert!(!sees_all || a.xmax() < b.xmax(), "{} should cover {}", a, b);
        }
        prop_assert_eq!(a.to_string().parse::<Snapshot>(), Ok(a));
    }
}
