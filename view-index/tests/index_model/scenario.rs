//! Random scenarios, generated so that a failing one shrinks to a few steps.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use view_index::Sizes;

/// A row's other columns: a group, which many rows share, and whether the filter lets it through.
pub(crate) type Cells = (Option<i64>, bool);

/// One change of the table.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The row with this key is written, whether or not it was there.
    Put(i64, Cells),
    Delete(i64),
    /// Rows with neighbouring keys go.
    DeleteMany(i64, i64),
    /// Rows with neighbouring keys get the same cells.
    Flatten(i64, i64, Cells),
}

/// One step. A place is a share of the view, in 1/256.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// One batch.
    Change(Vec<Change>),
    /// Somebody wants to see rows there.
    Show { place: u8, count: u64, margin: u64 },
    /// Somebody wants to see the last rows.
    ShowEnd { count: u64 },
    /// What is not divided is charted.
    Chart,
    /// All rows are counted.
    Count,
    /// So many of the answers under way arrive.
    Arrive(usize),
    /// All rows are let go but those at these places.
    Release { places: Vec<u8>, count: u64 },
    /// Memory is short.
    Collapse,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Rows that are there at first.
    pub(crate) rows: i64,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
    pub(crate) filtered: bool,
    /// What the planner thinks; `None`: the view is counted when it is opened.
    pub(crate) estimate: Option<u64>,
    /// No index serves the view.
    pub(crate) listed: bool,
    pub(crate) sizes: Sizes,
    pub(crate) steps: Vec<Step>,
}

/// Keys are drawn from here; some of the first rows' among them.
const KEYS: i64 = 800;

fn cells() -> impl Strategy<Value = Cells> {
    (option::weighted(0.9, 0..12_i64), any::<bool>())
}

fn change() -> impl Strategy<Value = Change> {
    let many = 1..80_i64;
    prop_oneof![
        10 => (0..KEYS, cells()).prop_map(|(key, cells)| Change::Put(key, cells)),
        6 => (0..KEYS).prop_map(Change::Delete),
        1 => (0..KEYS, many.clone()).prop_map(|(key, count)| Change::DeleteMany(key, count)),
        1 => (0..KEYS, many, cells())
            .prop_map(|(key, count, cells)| Change::Flatten(key, count, cells)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(change(), 1..20).prop_map(Step::Change),
        6 => (any::<u8>(), 0..60_u64, 0..20_u64)
            .prop_map(|(place, count, margin)| Step::Show { place, count, margin }),
        1 => (1..60_u64).prop_map(|count| Step::ShowEnd { count }),
        2 => Just(Step::Chart),
        2 => Just(Step::Count),
        6 => (1..4_usize).prop_map(Step::Arrive),
        2 => (vec(any::<u8>(), 0..4), 1..60_u64)
            .prop_map(|(places, count)| Step::Release { places, count }),
        1 => Just(Step::Collapse),
    ]
}

fn sizes() -> impl Strategy<Value = Sizes> {
    (1..40_u64, 1..20_u64, 1..200_u64, 1..300_u64, 1..100_u64).prop_map(
        |(counted, listed, skipped_max, ahead_max, looked_up_max)| Sizes {
            counted,
            listed,
            skipped_max,
            ahead_max,
            looked_up_max,
        },
    )
}

/// Any scenario.
pub(crate) fn scenario() -> impl Strategy<Value = Scenario> {
    (
        prop_oneof![0..40_i64, 0..500_i64],
        (any::<bool>(), any::<bool>(), any::<bool>()),
        option::of(0..1_000_u64),
        any::<bool>(),
        sizes(),
        vec(step(), 0..60),
    )
        .prop_map(
            |(rows, (descending, nulls_first, filtered), estimate, listed, sizes, steps)| {
                Scenario {
                    rows,
                    descending,
                    nulls_first,
                    filtered,
                    estimate,
                    listed,
                    sizes,
                    steps,
                }
            },
        )
}
