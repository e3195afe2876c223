//! A table with a history of transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Value;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use view_index::{Side, Snapshot, TableChanges, TableRow};

const FIRST_XID: u64 = 10;

fn numeric(rng: &mut impl Rng) -> Value {
    let texts = [
        "1",
        "1.0",
        "1.00",
        "-0.5",
        "99.99",
        "12345678901234567890",
        "0",
    ];
    Value::text(*texts.choose(rng).unwrap())
}

fn or_null(rng: &mut impl Rng, value: Value) -> Value {
    if rng.random_bool(0.2) {
        Value::Null
    } else {
        value
    }
}

/// Columns: 0 id, 1 group (text), 2 level (numeric), 3 amount (numeric), 4 small (int), 5 ratio (float).
fn row(rng: &mut impl Rng, id: i64) -> Arc<TableRow> {
    let group = Value::text(*["a", "b", "B"].choose(rng).unwrap());
    let small = Value::Int(rng.random_range(-2..4));
    let ratio = Value::Float(f64::from(rng.random_range(-4..4)) / 4.0);
    let (level, amount) = (numeric(rng), numeric(rng));
    let cells = [
        Value::Int(id),
        or_null(rng, group),
        or_null(rng, level),
        or_null(rng, amount),
        or_null(rng, small),
        or_null(rng, ratio),
    ];
    Arc::new(TableRow {
        key: vec![Value::Int(id)].into(),
        cells: cells.into(),
        omitted: Box::default(),
    })
}

/// The table's rows by their id.
pub(crate) type Rows = BTreeMap<i64, Arc<TableRow>>;

/// A history: one transaction after another, and the table after each.
pub(crate) struct History {
    pub(crate) states: Vec<Rows>,
    sides: Vec<Vec<Side>>,
}

impl History {
    pub(crate) fn random(rng: &mut impl Rng, transactions: usize) -> Self {
        let first: Rows = (0..rng.random_range(0..8))
            .map(|id| (id, row(rng, id)))
            .collect();
        let (mut states, mut sides) = (vec![first], Vec::new());
        for nth in 0..transactions {
            let mut state = states[nth].clone();
            let mut made = Vec::new();
            let xid = FIRST_XID + nth as u64;
            for _ in 0..rng.random_range(1..4) {
                let id = rng.random_range(0..12);
                if let Some(old) = state.remove(&id) {
                    made.push(Side {
                        xid,
                        appeared: false,
                        row: old,
                    });
                }
                if rng.random_bool(0.6) {
                    let new = row(rng, id);
                    made.push(Side {
                        xid,
                        appeared: true,
                        row: new.clone(),
                    });
                    state.insert(id, new);
                }
            }
            states.push(state);
            sides.push(made);
        }
        Self { states, sides }
    }

    pub(crate) fn changes(&self, rng: &mut impl Rng, from: usize, to: usize) -> TableChanges {
        let mut sides = self.sides[from..to].concat();
        sides.shuffle(rng);
        TableChanges {
            sides,
            current: Vec::new(),
            changed_at_micros: Some(1),
        }
    }
}

/// After the first `nth` transactions.
pub(crate) fn snapshot(nth: usize) -> Snapshot {
    let xmax = FIRST_XID + nth as u64;
    Snapshot::new(xmax, xmax, [])
}
