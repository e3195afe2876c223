//! A view's index against a sorted vector: batches, charts, pieces and windows in any order. (The model is that
//! of the property test.)

#[path = "../../view-index/tests/index_model/answers.rs"]
mod answers;
#[path = "../../view-index/tests/index_model/driver.rs"]
mod driver;
#[path = "../../view-index/tests/index_model/model.rs"]
mod model;
#[path = "../../view-index/tests/index_model/scenario.rs"]
#[allow(dead_code, reason = "the property test draws its scenarios itself")]
mod scenario;

use rand::Rng;
use view_index::Sizes;

use super::bytes::Bytes;
use scenario::{Cells, Change, Scenario, Step};

/// Keys are drawn from here.
const KEYS: i64 = 800;
const STEPS_MAX: usize = 80;

pub(crate) fn run(bytes: &[u8]) {
    driver::play(&scenario(&mut Bytes(bytes)));
}

fn scenario(bytes: &mut Bytes<'_>) -> Scenario {
    let mut scenario = Scenario {
        rows: i64::try_from(bytes.below(400)).unwrap(),
        descending: bytes.flip(),
        nulls_first: bytes.flip(),
        filtered: bytes.flip(),
        estimate: bytes.flip().then(|| bytes.below(1_000)),
        listed: bytes.flip(),
        sizes: Sizes {
            counted: 1 + bytes.below(40),
            listed: 1 + bytes.below(20),
            skipped_max: 1 + bytes.below(200),
            ahead_max: 1 + bytes.below(300),
            looked_up_max: 1 + bytes.below(100),
        },
        steps: Vec::new(),
    };
    while !bytes.are_used_up() && scenario.steps.len() < STEPS_MAX {
        scenario.steps.push(step(bytes));
    }
    scenario
}

fn step(bytes: &mut Bytes<'_>) -> Step {
    match bytes.below(8) {
        0 | 1 => {
            let changes = 1 + bytes.index(12);
            Step::Change((0..changes).map(|_| change(bytes)).collect())
        }
        2 => Step::Show {
            place: place(bytes),
            count: bytes.below(60),
            margin: bytes.below(20),
        },
        3 => Step::ShowEnd {
            count: 1 + bytes.below(60),
        },
        4 => Step::Chart,
        5 => Step::Arrive(1 + bytes.index(3)),
        6 => {
            let places = bytes.index(4);
            Step::Release {
                places: (0..places).map(|_| place(bytes)).collect(),
                count: 1 + bytes.below(60),
            }
        }
        _ => Step::Collapse,
    }
}

fn place(bytes: &mut Bytes<'_>) -> u8 {
    u8::try_from(bytes.below(256)).unwrap()
}

fn change(bytes: &mut Bytes<'_>) -> Change {
    // Two bytes: one decides about a neighbourhood, the other in it.
    let key = bytes.random_range(0..KEYS) + bytes.random_range(0..4);
    let many = |bytes: &mut Bytes<'_>| bytes.random_range(1..80_i64);
    match bytes.below(8) {
        0..=3 => Change::Put(key, cells(bytes)),
        4 | 5 => Change::Delete(key),
        6 => Change::DeleteMany(key, many(bytes)),
        _ => Change::Flatten(key, many(bytes), cells(bytes)),
    }
}

fn cells(bytes: &mut Bytes<'_>) -> Cells {
    let group = bytes.random_range(0..13_i64);
    ((group < 12).then_some(group), bytes.flip())
}
