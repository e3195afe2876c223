//! Applying updates to a window's rows: every kind, every malformed one, flashes and anchoring.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model_support;

use std::time::Duration;

use client_egui::model::{ChainError, Slot, WindowCache};
use model_support::{delta, fresh, keep, key, rename, row, schema, snapshot, version};
use protocol::{ResetReason, Row, RowOp, Update, Value};
use web_time::Instant;

/// A window on rows 0..5 of 100.
fn held() -> (WindowCache, Update, Instant) {
    let now = Instant::now();
    let mut cache = WindowCache::default();
    cache.set_schema(schema());
    let update = snapshot(0, 100, fresh(0..5));
    cache.apply(update.clone(), now).unwrap();
    (cache, update, now)
}

fn names(cache: &WindowCache) -> Vec<String> {
    cache
        .rows()
        .iter()
        .map(|row| row.cells()[1].to_string())
        .collect()
}

#[test]
fn snapshots_and_deltas_are_applied_by_the_same_function() {
    let (mut cache, first, now) = held();
    assert_eq!(
        (cache.start(), cache.total(), cache.rows().len()),
        (0, Some(100), 5)
    );
    assert_eq!(cache.version(), Some(&version(1)));

    let rows = vec![
        keep(0, 1),
        RowOp::Row(row(77, "new")),
        rename(1, "renamed"),
        keep(3, 2),
    ];
    let second = delta(&first, 100, rows);
    let applied = cache.apply(second.clone(), now).unwrap();
    assert_eq!(
        (applied.number, applied.changed_at_micros),
        (2, Some(1_000))
    );
    assert_eq!(names(&cache), ["n0", "new", "renamed", "n3", "n4"]);
    assert_eq!(cache.position_of(&key(77)), Some(1));
    assert_eq!(cache.position_of(&key(2)), None);

    let must_refetch = Some(ResetReason::HistoryExpired);
    let third = Update {
        number: 3,
        must_refetch,
        ..snapshot(50, 90, fresh(50..53))
    };
    cache
        .apply(
            Update {
                to: version(9),
                ..third
            },
            now,
        )
        .unwrap();
    assert_eq!(names(&cache), ["n50", "n51", "n52"]);
    assert_eq!((cache.start(), cache.total()), (50, Some(90)));
    assert!(matches!(cache.row(50), Slot::Loaded(_)));
    for outside in [0, 49, 53, u64::MAX] {
        assert_eq!(cache.row(outside), Slot::Loading);
    }
}

#[test]
fn rows_may_be_reordered_and_dropped() {
    let (mut cache, first, now) = held();
    cache
        .apply(
            delta(&first, 98, vec![keep(4, 1), rename(0, "zero"), keep(2, 1)]),
            now,
        )
        .unwrap();
    assert_eq!(names(&cache), ["n4", "zero", "n2"]);
}

/// What does not follow from the five rows held at version 1, and why.
type Refusal = (&'static str, Update, ChainError);

fn ops(rows: Vec<RowOp>) -> Update {
    delta(&snapshot(0, 100, Vec::new()), 100, rows)
}

fn updates_out_of_place() -> Vec<Refusal> {
    let all = || ops(vec![keep(0, 5)]);
    let old = ChainError::OldNumber { last: 1, number: 1 };
    let overflow = ChainError::BeyondTotal {
        end: u64::MAX,
        total: 100,
    };
    let beyond = ChainError::BeyondTotal { end: 5, total: 4 };
    vec![
        (
            "another version",
            Update {
                from: Some(version(7)),
                ..all()
            },
            ChainError::WrongVersion,
        ),
        ("an old number", Update { number: 1, ..all() }, old),
        ("beyond the total", Update { total: 4, ..all() }, beyond),
        (
            "a position that would overflow",
            Update {
                start: u64::MAX,
                ..all()
            },
            overflow,
        ),
    ]
}

fn rows_out_of_place() -> Vec<Refusal> {
    let no_row = |index| ChainError::NoSuchRow { index, len: 5 };
    let no_column = ChainError::NoSuchColumn { index: 2, len: 2 };
    let past_columns = vec![RowOp::Patch {
        from: 0,
        cells: vec![(2, Value::Null)],
    }];
    let overflow = 2 * u64::from(u32::MAX) - 1;
    vec![
        ("keep beyond the end", ops(vec![keep(3, 3)]), no_row(5)),
        (
            "keep that would overflow",
            ops(vec![keep(u32::MAX, u32::MAX)]),
            no_row(overflow),
        ),
        ("patch beyond the end", ops(vec![rename(5, "x")]), no_row(5)),
        ("patch of no column", ops(past_columns), no_column),
    ]
}

fn rows_malformed() -> Vec<Refusal> {
    let short = Row {
        key: key(9),
        cells: vec![Value::Int(9)],
    };
    let no_key = Row {
        key: Vec::new(),
        ..row(9, "n9")
    };
    let width = |expected, found| ChainError::WrongWidth { expected, found };
    let again = || RowOp::Row(row(1, "x"));
    vec![
        (
            "kept twice",
            ops(vec![keep(0, 2), keep(1, 1)]),
            ChainError::RowTwice,
        ),
        (
            "kept and patched",
            ops(vec![keep(0, 2), rename(1, "x")]),
            ChainError::RowTwice,
        ),
        (
            "kept and sent again",
            ops(vec![keep(0, 2), again()]),
            ChainError::RowTwice,
        ),
        (
            "sent and kept",
            ops(vec![again(), keep(0, 2)]),
            ChainError::RowTwice,
        ),
        ("sent twice", ops(fresh([8, 8])), ChainError::RowTwice),
        (
            "many, one twice",
            ops(fresh([5, 6, 7, 8, 9, 10, 5])),
            ChainError::RowTwice,
        ),
        (
            "many, one held",
            ops([vec![keep(0, 5)], fresh(4..12)].concat()),
            ChainError::RowTwice,
        ),
        ("too few cells", ops(vec![RowOp::Row(short)]), width(2, 1)),
        ("no key", ops(vec![RowOp::Row(no_key)]), width(1, 0)),
    ]
}

#[test]
fn an_update_that_does_not_follow_is_refused_and_changes_nothing() {
    let refusals = [
        updates_out_of_place(),
        rows_out_of_place(),
        rows_malformed(),
    ];
    for (name, update, expected) in refusals.into_iter().flatten() {
        let (mut cache, _, now) = held();
        assert_eq!(cache.apply(update, now), Err(expected), "{name}");
        assert_eq!(names(&cache), ["n0", "n1", "n2", "n3", "n4"], "{name}");
        assert_eq!(
            (cache.version(), cache.number()),
            (Some(&version(1)), 1),
            "{name}"
        );
    }
}

#[test]
fn a_delta_needs_a_snapshot_and_both_need_columns() {
    let now = Instant::now();
    let mut cache = WindowCache::default();
    let update = snapshot(0, 1, fresh(0..1));
    assert_eq!(cache.apply(update.clone(), now), Err(ChainError::NoSchema));
    cache.set_schema(schema());
    assert_eq!(
        cache.apply(delta(&update, 1, Vec::new()), now),
        Err(ChainError::WrongVersion)
    );
    cache.apply(update, now).unwrap();
}

#[test]
fn other_columns_drop_the_rows() {
    let (mut cache, first, now) = held();
    cache.set_schema(schema());
    assert_eq!(
        cache.rows().len(),
        5,
        "the same columns again change nothing"
    );
    let mut other = schema();
    other.columns.pop();
    cache.set_schema(other);
    assert_eq!((cache.rows().len(), cache.version()), (0, None));
    assert_eq!(
        cache.apply(delta(&first, 100, vec![keep(0, 1)]), now),
        Err(ChainError::WrongVersion)
    );
}

/// Which of the rows flash: `c` for a changed name, `i` for an inserted row.
fn flashes(cache: &WindowCache) -> String {
    let flash = |row: &std::sync::Arc<client_egui::model::RowEntry>| match (
        row.inserted_at(),
        row.cell_changed_at(1),
    ) {
        (Some(_), _) => 'i',
        (None, Some(_)) => 'c',
        (None, None) => '.',
    };
    cache.rows().iter().map(flash).collect()
}

#[test]
fn only_changes_flash() {
    let by_change = |start, rows| {
        let (mut cache, mut first, now) = held();
        first.start = start;
        cache.apply(delta(&first, 100, rows), now).unwrap();
        flashes(&cache)
    };
    assert_eq!(
        by_change(0, vec![keep(0, 2), rename(2, "x"), keep(3, 2)]),
        "..c.."
    );
    assert_eq!(
        by_change(0, vec![keep(0, 2), RowOp::Row(row(9, "x")), keep(2, 2)]),
        "..i.."
    );
    // At the top of the view nothing can have been pushed in.
    assert_eq!(
        by_change(0, vec![RowOp::Row(row(9, "x")), keep(0, 4)]),
        "i...."
    );
    // At the bottom of the range something was, when a row above it went.
    assert_eq!(
        by_change(0, vec![keep(1, 4), RowOp::Row(row(9, "x"))]),
        "....."
    );
    // A row that moved is sent whole: its cells tell what changed.
    let moved = vec![keep(1, 4), RowOp::Row(row(0, "x"))];
    assert_eq!(by_change(0, moved), "....c");
    let unchanged = vec![keep(1, 4), RowOp::Row(row(0, "n0"))];
    assert_eq!(by_change(0, unchanged), ".....");
    // The range moved up while something changed: the row above came into range.
    assert_eq!(
        by_change(7, vec![RowOp::Row(row(9, "x")), keep(0, 4)]),
        "....."
    );
}

#[test]
fn moves_and_snapshots_do_not_flash() {
    let (mut cache, first, now) = held();
    let rows = vec![keep(2, 3), RowOp::Row(row(5, "n5"))];
    let moved = Update {
        start: 2,
        changed_at_micros: None,
        ..delta(&first, 100, rows)
    };
    cache.apply(moved.clone(), now).unwrap();
    assert_eq!(flashes(&cache), "....");
    let again = Update {
        number: 3,
        changed_at_micros: Some(5),
        ..snapshot(2, 100, fresh(2..6))
    };
    cache.apply(again, now).unwrap();
    assert_eq!(flashes(&cache), "....");
}

#[test]
fn the_bottom_of_the_view_flashes_what_is_appended() {
    let now = Instant::now();
    let mut cache = WindowCache::default();
    cache.set_schema(schema());
    let first = snapshot(0, 2, fresh(0..2));
    cache.apply(first.clone(), now).unwrap();
    let second = delta(&first, 3, vec![keep(0, 2), RowOp::Row(row(2, "n2"))]);
    cache.apply(second, now).unwrap();
    assert_eq!(flashes(&cache), "..i");
}

#[test]
fn a_flash_is_as_old_as_its_last_change() {
    let (mut cache, first, now) = held();
    let second = delta(&first, 100, vec![rename(0, "a"), keep(1, 4)]);
    cache.apply(second.clone(), now).unwrap();
    let later = now + Duration::from_secs(3);
    let third = delta(&second, 100, vec![rename(0, "b"), keep(1, 4)]);
    cache.apply(third.clone(), later).unwrap();
    assert_eq!(cache.rows()[0].cell_changed_at(1), Some(later));
    assert_eq!(cache.rows()[0].cell_changed_at(0), None);
    let fourth = delta(&third, 100, vec![keep(0, 5)]);
    cache.apply(fourth, later + Duration::from_secs(1)).unwrap();
    assert_eq!(
        cache.rows()[0].cell_changed_at(1),
        Some(later),
        "kept rows keep their flash"
    );
}
