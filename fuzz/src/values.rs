//! Numbers, dates and snapshots as PostgreSQL writes them: what is read is ordered, and writes back.

use std::cmp::Ordering;
use std::fmt::Debug;

use view_index::Snapshot;
use view_index::datetime::{
    format_date, format_timestamp, parse_date, parse_timestamp, parse_timestamp_since_2000,
};
use view_index::decimal::Decimal;

/// Texts, one a line; the first few of them.
const TEXTS: usize = 4;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let texts: Vec<&str> = text.lines().take(TEXTS).collect();
    let decimals: Vec<Decimal> = read(&texts, Decimal::parse, |it| it.to_string());
    are_ordered(&decimals);
    read(&texts, parse_date, |days| format_date(*days));
    read(&texts, parse_timestamp_since_2000, |it| {
        format_timestamp(*it)
    });
    for text in &texts {
        // An offset only renames an instant, so this one need not write back.
        let _ = parse_timestamp(text);
    }
    let snapshot = |text: &str| text.parse::<Snapshot>().ok();
    let snapshots: Vec<Snapshot> = read(&texts, snapshot, |it| it.to_string());
    cover_each_other(&snapshots);
}

/// What these texts mean; each meaning is written as a text that means the same.
fn read<T: PartialEq + Debug>(
    texts: &[&str],
    parse: impl Fn(&str) -> Option<T>,
    write: impl Fn(&T) -> String,
) -> Vec<T> {
    let all: Vec<T> = texts.iter().filter_map(|text| parse(text)).collect();
    for value in &all {
        let written = write(value);
        assert_eq!(parse(&written).as_ref(), Some(value), "{written}");
    }
    all
}

/// The order is total, antisymmetric and transitive, and agrees with equality.
fn are_ordered<T: Ord + Debug>(values: &[T]) {
    for a in values {
        assert_eq!(a.cmp(a), Ordering::Equal, "{a:?}");
        for b in values {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a:?} and {b:?}");
            assert_eq!(a == b, a.cmp(b).is_eq(), "{a:?} and {b:?}");
            for c in values {
                let is_chain = a <= b && b <= c;
                assert!(!is_chain || a <= c, "{a:?}, {b:?} and {c:?}");
            }
        }
    }
}

/// Covering is reflexive and transitive, and means to see all that the other sees.
fn cover_each_other(snapshots: &[Snapshot]) {
    let ends = |it: &Snapshot| [it.running(), &[it.xmax()]].concat();
    let near = |xid: u64| [xid.saturating_sub(1), xid, xid.saturating_add(1)];
    let ends: Vec<u64> = snapshots.iter().flat_map(ends).flat_map(near).collect();
    for a in snapshots {
        assert!(a.covers(a), "{a}");
        for b in snapshots.iter().filter(|b| a.covers(b)) {
            let is_seen = |&&xid: &&u64| b.sees(xid) && !a.sees(xid);
            assert_eq!(ends.iter().find(is_seen), None, "{a} covers {b}");
            for c in snapshots.iter().filter(|c| b.covers(c)) {
                assert!(a.covers(c), "{a}, {b} and {c}");
            }
        }
    }
}
