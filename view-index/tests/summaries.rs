//! Summaries against a naive recount, under random changes, late queries and shuffled sides.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;
use protocol::{RowOp, Value, Version};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use view_index::summary::{
    Account, BuiltAccount, BuiltGroup, Doubt, GroupColumn, Numbers, Output, Scale, Settled, Shape,
    ShownGroups, SummaryIndex, Term, TermOf,
};
use view_index::{
    Comparison, KeyPart, OrderClass, Predicate, Ranks, Side, Snapshot, TableChanges, TableRow,
    Verdicts,
};

/// Columns: 0 id, 1 group (text), 2 level (numeric), 3 amount (numeric), 4 small (int), 5 ratio (float).
const FIRST_XID: u64 = 10;
/// Extremes that a settled doubt names; few, so that lists run out.
const SETTLED_MAX: usize = 3;

fn numeric(rng: &mut ChaCha8Rng) -> Value {
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

fn row(rng: &mut ChaCha8Rng, id: i64) -> Arc<TableRow> {
    let or_null = |rng: &mut ChaCha8Rng, value: Value| {
        if rng.random_bool(0.2) {
            Value::Null
        } else {
            value
        }
    };
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

/// A history: one transaction after another, and the table after each.
struct History {
    states: Vec<BTreeMap<i64, Arc<TableRow>>>,
    sides: Vec<Vec<Side>>,
}

impl History {
    fn random(rng: &mut ChaCha8Rng, transactions: usize) -> Self {
        let first: BTreeMap<_, _> = (0..rng.random_range(0..8))
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

    fn changes(&self, rng: &mut ChaCha8Rng, from: usize, to: usize) -> TableChanges {
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
fn snapshot(nth: usize) -> Snapshot {
    let xmax = FIRST_XID + nth as u64;
    Snapshot::new(xmax, xmax, [])
}

fn shape(rng: &mut ChaCha8Rng) -> Shape {
    let key = |column, class| GroupColumn {
        column,
        class,
        bounds: None,
    };
    let bounds = [KeyPart::Int(-1), KeyPart::Int(2)];
    let buckets = GroupColumn {
        bounds: Some(bounds.into()),
        ..key(4, OrderClass::Int)
    };
    let all = [
        key(1, OrderClass::Bytes),
        key(2, OrderClass::Numeric),
        buckets,
    ];
    let keys = all.into_iter().filter(|_| rng.random_bool(0.5)).collect();
    let extreme = |column, class, descending| Account::Extreme {
        column,
        class,
        descending,
    };
    let outputs = [0, 1, 3, 4, 5].map(Output::Of);
    let of = [
        TermOf::Output(0),
        TermOf::Output(2),
        TermOf::Output(4),
        TermOf::Output(6),
    ];
    let mut order = Vec::new();
    for of in of {
        if rng.random_bool(0.3) {
            order.push(Term {
                of,
                descending: rng.random_bool(0.5),
                nulls_first: rng.random_bool(0.5),
            });
        }
    }
    Shape {
        keys,
        order,
        accounts: vec![
            Account::Values { column: 3 },
            Account::Sum {
                column: 3,
                numbers: Numbers::Numeric(Scale::Tracked(2)),
            },
            Account::Scale { column: 3 },
            Account::Sum {
                column: 5,
                numbers: Numbers::Float,
            },
            extreme(4, OrderClass::Int, false),
            extreme(3, OrderClass::Numeric, true),
        ],
        outputs: [Output::Rows]
            .into_iter()
            .chain(outputs)
            .chain([Output::Average(3)])
            .collect(),
    }
}

/// A cell as a number that sorts; the tests' numbers are exact in it.
fn number(value: &Value) -> Option<i128> {
    let text = match value {
        Value::Null => return None,
        Value::Int(int) => return Some(i128::from(*int) * 100),
        Value::Float(float) => return Some((float * 100.0) as i128),
        other => other.to_postgres_text()?,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    Some(format!("{whole}{fraction:0<2}").parse().unwrap())
}

fn scale(value: &Value) -> usize {
    let text = value.to_postgres_text().unwrap();
    text.split_once('.')
        .map_or(0, |(_, fraction)| fraction.len())
}

fn scaled(hundredths: i128, scale: usize) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    let fraction = &format!("{rest:02}")[..scale];
    format!(
        "{sign}{whole}{}{fraction}",
        if scale > 0 { "." } else { "" }
    )
}

/// The values of a column that are not null.
fn values(rows: &[Arc<TableRow>], column: usize) -> Vec<Value> {
    let all = rows.iter().map(|row| row.cells[column].clone());
    all.filter(|value| !value.is_null()).collect()
}

fn sorted(rows: &[Arc<TableRow>], column: usize, descending: bool) -> Vec<Value> {
    let mut values = values(rows, column);
    values.sort_by_key(number);
    if descending {
        values.reverse();
    }
    values
}

/// Comparable keys: whether each is null, and a text that sorts as the value does.
type Keys = Vec<(bool, String)>;
type Groups = BTreeMap<Keys, Vec<Arc<TableRow>>>;

/// The rows of each group, by comparable keys: nulls last.
fn grouped(shape: &Shape, rows: &BTreeMap<i64, Arc<TableRow>>) -> Groups {
    let mut groups = Groups::new();
    if shape.keys.is_empty() {
        groups.insert(Vec::new(), Vec::new());
    }
    for row in rows.values().filter(|row| row.cells[4] != Value::Int(0)) {
        let part = |key: &GroupColumn| match (key.column, &row.cells[key.column]) {
            (_, Value::Null) => (true, String::new()),
            (4, Value::Int(small)) => (
                false,
                [-1, 2]
                    .iter()
                    .filter(|bound| *bound <= small)
                    .count()
                    .to_string(),
            ),
            (2, value) => (false, format!("{:030}", number(value).unwrap() + 1_000)),
            (_, value) => (false, value.to_string()),
        };
        groups
            .entry(shape.keys.iter().map(part).collect())
            .or_default()
            .push(row.clone());
    }
    groups
}

fn shown_key(shape: &Shape, key: &[(bool, String)], rows: &[Arc<TableRow>]) -> Vec<Value> {
    let value = |(column, (is_null, text)): (&GroupColumn, &(bool, String))| match column.column {
        _ if *is_null => Value::Null,
        4 => Value::Int(text.parse().unwrap()),
        at => rows[0].cells[at].clone(),
    };
    shape.keys.iter().zip(key).map(value).collect()
}

fn built(shape: &Shape, rows: &BTreeMap<i64, Arc<TableRow>>) -> Vec<BuiltGroup> {
    let group = |(key, rows): (Keys, Vec<Arc<TableRow>>)| {
        let account = |account: &Account| match account {
            Account::Values { column } => BuiltAccount::Values(values(&rows, *column).len() as i64),
            Account::Sum { column, .. } => {
                let values = values(&rows, *column);
                BuiltAccount::Sum {
                    values: values.len() as i64,
                    finite: scaled(values.iter().filter_map(number).sum(), 2),
                    special: [0; 3],
                }
            }
            Account::Extreme {
                column, descending, ..
            } => {
                let sorted = sorted(&rows, *column, *descending);
                let best = sorted.first().map(|value| (value.clone(), 1));
                BuiltAccount::Extreme {
                    values: sorted.len() as i64,
                    best: best.into_iter().collect(),
                }
            }
            Account::Scale { column } => {
                let values = values(&rows, *column);
                let most = values.iter().map(scale).max();
                let best = most.map(|scale| (Value::Int(scale as i64), 1));
                BuiltAccount::Extreme {
                    values: values.len() as i64,
                    best: best.into_iter().collect(),
                }
            }
        };
        BuiltGroup {
            key: shown_key(shape, &key, &rows),
            rows: rows.len() as i64,
            accounts: shape.accounts.iter().map(account).collect(),
        }
    };
    grouped(shape, rows).into_iter().map(group).collect()
}

/// What PostgreSQL would show: comparable keys and cells, in order.
fn expected(shape: &Shape, rows: &BTreeMap<i64, Arc<TableRow>>) -> Vec<(Keys, Vec<Value>)> {
    let group = |(key, rows): (Keys, Vec<Arc<TableRow>>)| {
        let (amounts, ratios) = (values(&rows, 3), values(&rows, 5));
        let sum = (!amounts.is_empty()).then(|| {
            let scale = amounts.iter().map(scale).max().unwrap();
            Value::Text(scaled(amounts.iter().filter_map(number).sum(), scale))
        });
        let ratio: f64 = ratios
            .iter()
            .map(|ratio| number(ratio).unwrap() as f64 / 100.0)
            .sum();
        let float = |value: f64| {
            if ratios.is_empty() {
                Value::Null
            } else {
                Value::Float(value)
            }
        };
        let cells = vec![
            Value::Int(rows.len() as i64),
            Value::Int(amounts.len() as i64),
            sum.unwrap_or_default(),
            float(ratio),
            sorted(&rows, 4, false).first().cloned().unwrap_or_default(),
            sorted(&rows, 3, true).first().cloned().unwrap_or_default(),
            float(ratio / ratios.len() as f64),
        ];
        (key, cells)
    };
    let mut groups: Vec<_> = grouped(shape, rows).into_iter().map(group).collect();
    groups.sort_by(|(_, a), (_, b)| {
        let compare = |term: &Term| {
            let TermOf::Output(at) = term.of else {
                unreachable!()
            };
            let place = |cells: &[Value]| match (number(&cells[at]), term.descending) {
                (None, _) => (if term.nulls_first { 0 } else { 2 }, 0),
                (Some(number), true) => (1, -number),
                (Some(number), false) => (1, number),
            };
            place(a).cmp(&place(b))
        };
        shape
            .order
            .iter()
            .map(compare)
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    groups
}

/// Numbers by their value: which of 1.0 and 1.00 is shown as the greatest is nobody's business.
fn alike(at: usize, value: &Value) -> Value {
    if at == 5 {
        number(value).map_or(Value::Null, |n| Value::text(n.to_string()))
    } else {
        value.clone()
    }
}

fn compare(
    index: &SummaryIndex,
    shape: &Shape,
    rows: &BTreeMap<i64, Arc<TableRow>>,
) -> Result<(), TestCaseError> {
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
    prop_assert_eq!(shown, cells);
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
    prop_assert_eq!(index.rows(), rows as u64);
    Ok(())
}

/// What PostgreSQL answers to doubts at a state.
fn settled(shape: &Shape, doubts: Vec<Doubt>, rows: &BTreeMap<i64, Arc<TableRow>>) -> Vec<Settled> {
    let groups = grouped(shape, rows);
    let answer = |doubt: Doubt| {
        let group = groups.iter().find(|(key, rows)| {
            !rows.is_empty()
                && shown_key(shape, key, rows)
                    .iter()
                    .zip(doubt.shown.iter())
                    .all(|(a, b)| {
                        // As SQL's `=` has it, not by the text.
                        number_or_text(a) == number_or_text(b)
                    })
        });
        let rows = group.map_or(&[][..], |(_, rows)| rows);
        let mut best = match &shape.accounts[doubt.account] {
            Account::Extreme {
                column, descending, ..
            } => sorted(rows, *column, *descending),
            _ => {
                let mut scales: Vec<usize> = values(rows, 3).iter().map(scale).collect();
                scales.sort_unstable_by(|a, b| b.cmp(a));
                scales
                    .into_iter()
                    .map(|scale| Value::Int(scale as i64))
                    .collect()
            }
        };
        let is_all = best.len() < SETTLED_MAX;
        best.truncate(SETTLED_MAX);
        Settled {
            doubt,
            best,
            is_all,
        }
    };
    doubts.into_iter().map(answer).collect()
}

fn number_or_text(value: &Value) -> String {
    match value {
        Value::Text(text) if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            number(value).unwrap().to_string()
        }
        other => format!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_summary_is_what_a_recount_gives(seed in any::<u64>()) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let history = History::random(rng, 40);
        let shape = shape(rng);
        let predicate = Predicate::Not(Box::new(Predicate::Compare {
            column: 4,
            class: OrderClass::Int,
            holds: Comparison { less: false, equal: true, greater: false },
            value: KeyPart::Int(0),
        }));
        // A null in the filter's column is no row; the recount calls it one, so such rows are let in here.
        let predicate = Predicate::Any(vec![predicate, Predicate::IsNull { column: 4 }]);
        let (ranks, verdicts) = (Ranks::default(), Verdicts::default());
        let query = rng.random_range(0..5);
        let built = built(&shape, &history.states[query]);
        let mut index = SummaryIndex::new(Arc::new(shape.clone()), predicate, built, &ranks).unwrap();
        compare(&index, &shape, &history.states[query])?;
        let mut client = Client::new();
        // The first batch begins before the query and ends after it.
        let (mut from, mut seen) = (query.saturating_sub(2), snapshot(query));
        let mut doubts: Vec<Doubt> = Vec::new();
        while from < 40 {
            let to = rng.random_range(from.max(query) + 1..from.max(query) + 6).min(40);
            let changes = history.changes(rng, from, to);
            index.apply(&changes, &verdicts, &ranks, &seen).unwrap();
            let asked_at = rng.random_range(from.max(query)..=to);
            let answers = settled(&shape, std::mem::take(&mut doubts), &history.states[asked_at]);
            index.settle(answers, &changes, &verdicts, &ranks, &snapshot(asked_at)).unwrap();
            if index.is_in_doubt() {
                doubts = index.doubts();
            } else {
                compare(&index, &shape, &history.states[to])?;
                client.follow(rng, &index, to);
            }
            (from, seen) = (to, snapshot(to));
        }
        let answers = settled(&shape, index.doubts(), &history.states[40]);
        index.settle(answers, &TableChanges::default(), &verdicts, &ranks, &seen).unwrap();
        compare(&index, &shape, &history.states[40])?;
    }
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

    fn follow(&mut self, rng: &mut ChaCha8Rng, index: &SummaryIndex, to: usize) {
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
