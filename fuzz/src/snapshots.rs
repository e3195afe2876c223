//! Views and windows against a toy multi-version database: transactions that interleave with batches and
//! queries. (The database is that of the property test.)

#[path = "../../view-index/tests/toy_mvcc/database.rs"]
mod database;
#[path = "../../view-index/tests/toy_mvcc/driver.rs"]
mod driver;
#[path = "../../view-index/tests/toy_mvcc/pending.rs"]
mod pending;
#[path = "../../view-index/tests/toy_mvcc/sabotage.rs"]
#[allow(dead_code, reason = "only the property test makes mistakes on purpose")]
mod sabotage;
#[path = "../../view-index/tests/toy_mvcc/scenario.rs"]
#[allow(dead_code, reason = "the property test draws its scenarios itself")]
mod scenario;
#[path = "../../view-index/tests/toy_mvcc/table.rs"]
mod table;
#[path = "../../view-index/tests/toy_mvcc/viewer.rs"]
mod viewer;

use super::bytes::Bytes;
use scenario::{Scenario, Step};
use table::{ASKED, COLUMNS, Condition, NOTE, Picks, SortBy, normalize, values_of};

const STEPS_MAX: usize = 150;
const CONDITION_DEPTH_MAX: u32 = 3;

pub(crate) fn run(bytes: &[u8]) {
    driver::play(&scenario(&mut Bytes(bytes)), None);
}

fn scenario(bytes: &mut Bytes<'_>) -> Scenario {
    let (rows, sort) = (bytes.index(12), bytes.index(4));
    let mut scenario = Scenario {
        rows: (0..rows).map(|_| row(bytes)).collect(),
        sort: (0..sort).map(|_| sort_by(bytes)).collect(),
        condition: condition(bytes, CONDITION_DEPTH_MAX),
        estimate: bytes.flip().then(|| bytes.below(40)),
        listed: bytes.flip(),
        seed: bytes.below(1 << 32),
        steps: Vec::new(),
    };
    while !bytes.are_used_up() && scenario.steps.len() < STEPS_MAX {
        scenario.steps.push(step(bytes));
    }
    scenario
}

fn row(bytes: &mut Bytes<'_>) -> Picks {
    normalize(std::array::from_fn(|_| pick(bytes)))
}

fn pick(bytes: &mut Bytes<'_>) -> u8 {
    u8::try_from(bytes.below(256)).unwrap()
}

fn sort_by(bytes: &mut Bytes<'_>) -> SortBy {
    SortBy {
        column: bytes.index(COLUMNS),
        descending: bytes.flip(),
        nulls_first: bytes.flip(),
    }
}

fn condition(bytes: &mut Bytes<'_>, depth: u32) -> Condition {
    let list = |bytes: &mut Bytes<'_>| -> Vec<Condition> {
        let count = bytes.index(3);
        (0..count).map(|_| condition(bytes, depth - 1)).collect()
    };
    match bytes.below(if depth > 0 { 8 } else { 5 }) {
        0 => Condition::And(Vec::new()),
        1 => Condition::IsNull(bytes.index(COLUMNS)),
        2 => {
            let column = bytes.index(COLUMNS);
            Condition::Compare {
                column,
                pick: pick(bytes) % values_of(column),
                holds: pick(bytes) % 8,
            }
        }
        3 => Condition::NoteIs(pick(bytes) % values_of(NOTE)),
        4 => Condition::Asked(bytes.index(ASKED)),
        5 => Condition::And(list(bytes)),
        6 => Condition::Or(list(bytes)),
        _ => Condition::Not(Box::new(condition(bytes, depth - 1))),
    }
}

fn step(bytes: &mut Bytes<'_>) -> Step {
    let start = |bytes: &mut Bytes<'_>| (bytes.below(5) > 0).then(|| bytes.below(24));
    let count = |bytes: &mut Bytes<'_>| u32::try_from(1 + bytes.below(7)).unwrap();
    match bytes.below(20) {
        0 | 1 => Step::Begin,
        2 | 3 => Step::Insert {
            writer: bytes.index(4),
            row: row(bytes),
        },
        4 | 5 => Step::Update {
            writer: bytes.index(4),
            target: bytes.index(40),
            row: row(bytes),
            keep_key: bytes.flip(),
        },
        6 => Step::Delete {
            writer: bytes.index(4),
            target: bytes.index(40),
        },
        7 | 8 => Step::Commit {
            writer: bytes.index(4),
        },
        9 => Step::Abort {
            writer: bytes.index(4),
        },
        10 | 11 => Step::Read,
        12 => Step::Fetch {
            start: bytes.below(24),
            count: bytes.below(8),
        },
        13 => Step::Release {
            margin: bytes.below(3),
        },
        14 => match bytes.below(4) {
            0 => Step::Forget,
            1 => Step::Rebuild,
            2 => Step::Collapse,
            _ => Step::Chart,
        },
        15 => Step::Chart,
        16 => Step::Open {
            start: start(bytes),
            count: count(bytes),
            columns: bytes.index(COLUMNS),
        },
        17 => Step::Move {
            window: bytes.index(3),
            start: start(bytes),
            count: count(bytes),
        },
        18 => Step::Acknowledge {
            window: bytes.index(3),
        },
        _ => Step::Reconnect {
            window: bytes.index(3),
        },
    }
}
