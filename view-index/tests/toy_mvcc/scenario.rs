//! Random scenarios, generated so that a failing one shrinks to a few steps.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::table::{ASKED, COLUMNS, Condition, NOTE, Picks, SortBy, normalize, values_of};

/// One step. Numbers choose among what there is at that moment, modulo how much there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Begin,
    Insert {
        writer: usize,
        row: Picks,
    },
    Update {
        writer: usize,
        target: usize,
        row: Picks,
        keep_key: bool,
    },
    Delete {
        writer: usize,
        target: usize,
    },
    Commit {
        writer: usize,
    },
    Abort {
        writer: usize,
    },
    /// The reader takes a snapshot and reads the log up to it.
    Read,
    /// Somebody fetches rows, at a snapshot the reader has not reached yet.
    Fetch {
        start: u64,
        count: u64,
    },
    /// Rows no window needs are let go, except for some around.
    Release {
        margin: u64,
    },
    /// PostgreSQL's answers about values nobody holds are forgotten.
    Forget,
    /// The view is built anew.
    Rebuild,
    /// What is not divided is charted.
    Chart,
    /// All rows are counted.
    Count,
    /// Memory is short: the view's division is forgotten.
    Collapse,
    Open {
        start: Option<u64>,
        count: u32,
        columns: usize,
    },
    Move {
        window: usize,
        start: Option<u64>,
        count: u32,
    },
    Acknowledge {
        window: usize,
    },
    /// The client's socket breaks and it comes back with what it holds.
    Reconnect {
        window: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) rows: Vec<Picks>,
    pub(crate) sort: Vec<SortBy>,
    pub(crate) condition: Condition,
    /// What the planner thinks of the view's size; `None`: it is counted when it is opened.
    pub(crate) estimate: Option<u64>,
    /// No index serves the view.
    pub(crate) listed: bool,
    /// Mixes the order of what has none.
    pub(crate) seed: u64,
    pub(crate) steps: Vec<Step>,
}

fn row() -> impl Strategy<Value = Picks> {
    any::<Picks>().prop_map(normalize)
}

fn sort_by() -> impl Strategy<Value = SortBy> {
    (0..COLUMNS, any::<bool>(), any::<bool>()).prop_map(|(column, descending, nulls_first)| {
        SortBy {
            column,
            descending,
            nulls_first,
        }
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        3 => Just(Condition::And(vec![])),
        1 => (0..COLUMNS).prop_map(Condition::IsNull),
        3 => (0..COLUMNS, any::<u8>(), 0..8_u8).prop_map(|(column, pick, holds)| {
            Condition::Compare { column, pick: pick % values_of(column), holds }
        }),
        1 => (0..values_of(NOTE)).prop_map(Condition::NoteIs),
        1 => (0..ASKED).prop_map(Condition::Asked),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Condition::And),
            vec(inner.clone(), 0..3).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn step() -> impl Strategy<Value = Step> {
    let writer = 0..4_usize;
    let target = 0..40_usize;
    let start = 0..24_u64;
    let place = prop_oneof![5 => start.clone().prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => Just(Step::Begin),
        6 => (writer.clone(), row()).prop_map(|(writer, row)| Step::Insert { writer, row }),
        8 => (writer.clone(), target.clone(), row(), any::<bool>()).prop_map(
            |(writer, target, row, keep_key)| Step::Update { writer, target, row, keep_key }
        ),
        4 => (writer.clone(), target).prop_map(|(writer, target)| Step::Delete { writer, target }),
        5 => writer.clone().prop_map(|writer| Step::Commit { writer }),
        1 => writer.prop_map(|writer| Step::Abort { writer }),
        8 => Just(Step::Read),
        4 => (start.clone(), 0..8_u64).prop_map(|(start, count)| Step::Fetch { start, count }),
        2 => (0..3_u64).prop_map(|margin| Step::Release { margin }),
        1 => Just(Step::Forget),
        1 => Just(Step::Rebuild),
        2 => Just(Step::Chart),
        2 => Just(Step::Count),
        1 => Just(Step::Collapse),
        1 => (place.clone(), 1..8_u32, 0..COLUMNS).prop_map(|(start, count, columns)| {
            Step::Open { start, count, columns }
        }),
        3 => (0..3_usize, place, 1..8_u32).prop_map(|(window, start, count)| {
            Step::Move { window, start, count }
        }),
        6 => (0..3_usize).prop_map(|window| Step::Acknowledge { window }),
        2 => (0..3_usize).prop_map(|window| Step::Reconnect { window }),
    ]
}

/// Any scenario.
pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    (
        vec(row(), 0..24),
        vec(sort_by(), 0..4),
        condition(),
        (option::of(0..40_u64), any::<bool>()),
        any::<u64>(),
        vec(step(), 0..120),
    )
        .prop_map(
            |(rows, sort, condition, (estimate, listed), seed, steps)| Scenario {
                rows,
                sort,
                condition,
                estimate,
                listed,
                seed,
                steps,
            },
        )
}
