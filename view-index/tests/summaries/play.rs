//! Keeps a summary through a history, and compares it with a recount after each batch.

use std::sync::Arc;

use protocol::{RowOp, Value, Version};
use rand::Rng;
use view_index::summary::{Doubt, Shape, ShownGroups, SummaryIndex};
use view_index::{Comparison, KeyPart, OrderClass, Predicate, Ranks, TableChanges, Verdicts};

use super::history::{History, Rows, snapshot};
use super::recount::{built, expected, number, settled, shape};

const TRANSACTIONS: usize = 40;

/// Rows whose column 4 is not 0.
fn predicate() -> Predicate {
    let predicate = Predicate::Not(Box::new(Predicate::Compare {
        column: 4,
        class: OrderClass::Int,
        holds: Comparison {
            less: false,
            equal: true,
            greater: false,
        },
        value: KeyPart::Int(0),
    }));
    // A null in the filter's column is no row; the recount calls it one, so such rows are let in here.
    Predicate::Any(vec![predicate, Predicate::IsNull { column: 4 }])
}

/// Keeps a random summary through a random history; panics where it differs from a recount.
pub(crate) fn play(rng: &mut impl Rng) {
    let history = History::random(rng, TRANSACTIONS);
    let shape = shape(rng);
    let (ranks, verdicts) = (Ranks::default(), Verdicts::default());
    let query = rng.random_range(0..5);
    let built = built(&shape, &history.states[query]);
    let mut index = SummaryIndex::new(Arc::new(shape.clone()), predicate(), built, &ranks).unwrap();
    compare(&index, &shape, &history.states[query]);
    let mut client = Client::new();
    // The first batch begins before the query and ends after it.
    let (mut from, mut seen) = (query.saturating_sub(2), snapshot(query));
    let mut doubts: Vec<Doubt> = Vec::new();
    while from < TRANSACTIONS {
        let next = from.max(query);
        let to = rng.random_range(next + 1..next + 6).min(TRANSACTIONS);
        let changes = history.changes(rng, from, to);
        index.apply(&changes, &verdicts, &ranks, &seen).unwrap();
        let asked_at = rng.random_range(next..=to);
        let answers = settled(
            &shape,
            std::mem::take(&mut doubts),
            &history.states[asked_at],
        );
        index
            .settle(answers, &changes, &verdicts, &ranks, &snapshot(asked_at))
            .unwrap();
        if index.is_in_doubt() {
            doubts = index.doubts();
        } else {
            compare(&index, &shape, &history.states[to]);
            client.follow(rng, &index, to);
        }
        (from, seen) = (to, snapshot(to));
    }
    let last = &history.states[TRANSACTIONS];
    let answers = settled(&shape, index.doubts(), last);
    index
        .settle(answers, &TableChanges::default(), &verdicts, &ranks, &seen)
        .unwrap();
    compare(&index, &shape, last);
}

/// Numbers by their value: which of 1.0 and 1.00 is shown as the greatest is nobody's business.
fn alike(at: usize, value: &Value) -> Value {
    if at == 5 {
        number(value).map_or(Value::Null, |n| Value::text(n.to_string()))
    } else {
        value.clone()
    }
}

fn compare(index: &SummaryIndex, shape: &Shape, rows: &Rows) {
    let expected = expected(shape, rows);
    let by_place = |cells: &[Value]| -> Vec<Value> {
        cells
            .iter()
            .enumerate()
            .map(|(at, cell)| alike(at, cell))
            .collect()
    };
    let shown: Vec<Vec<Value>> = index
        .groups(0, usize::MAX)
        .map(|(_, cells)| by_place(cells))
        .collect();
    let cells: Vec<Vec<Value>> = expected.iter().map(|(_, cells)| by_place(cells)).collect();
    assert_eq!(shown, cells);
    for ((key, _), (shown, _)) in expected.iter().zip(index.groups(0, usize::MAX)) {
        for ((column, (is_null, text)), value) in shape.keys.iter().zip(key).zip(shown.iter()) {
            let same = match column.column {
                _ if *is_null => value.is_null(),
                2 => format!("{:030}", number(value).unwrap() + 1_000) == *text,
                _ => value.to_string() == *text,
            };
            assert!(same, "{value:?} is shown for {text}");
        }
    }
    let rows: i64 = expected
        .iter()
        .map(|(_, cells)| match cells[0] {
            Value::Int(n) => n,
            _ => 0,
        })
        .sum();
    assert_eq!(index.rows(), rows as u64);
}

/// A client that applies messages as the protocol's documentation says.
struct Client {
    groups: ShownGroups,
    held: Vec<(Vec<Value>, Vec<Value>)>,
    version: Option<Version>,
    start: usize,
    generation: u32,
}

impl Client {
    fn new() -> Self {
        let groups = ShownGroups::new(1, 0, 0, 5);
        Self {
            groups,
            held: Vec::new(),
            version: None,
            start: 0,
            generation: 0,
        }
    }

    fn follow(&mut self, rng: &mut impl Rng, index: &SummaryIndex, to: usize) {
        if rng.random_bool(0.2) {
            (self.generation, self.start) = (self.generation + 1, rng.random_range(0..6));
            self.groups.move_to(self.generation, self.start as u64, 5);
        }
        self.groups.changed(Some(1));
        let version = Version(to.to_string());
        let Some(message) = self.groups.refresh(index, &version) else {
            return;
        };
        assert_eq!(message.from, self.version);
        let before = std::mem::take(&mut self.held);
        for op in message.shown {
            match op {
                RowOp::Keep { from, count } => {
                    self.held
                        .extend_from_slice(&before[from as usize..(from + count) as usize]);
                }
                RowOp::Patch { from, cells } => {
                    let mut group = before[from as usize].clone();
                    for (at, cell) in cells {
                        group.1[at as usize] = cell;
                    }
                    self.held.push(group);
                }
                RowOp::Row(row) => self.held.push((row.key, row.cells)),
            }
        }
        let expected: Vec<_> = index
            .groups(self.start, 5)
            .map(|(key, cells)| (key.to_vec(), cells.to_vec()))
            .collect();
        assert_eq!(self.held, expected);
        self.version = Some(version);
        if rng.random_bool(0.7) {
            self.groups.acknowledge(message.number);
        }
        self.generation = self.generation.max(message.generation);
    }
}
