//! The sorted vector, and the table it is of.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Value;
use view_index::{
    Comparison, KeyPart, Order, OrderClass, OrderColumn, Predicate, RowKey, Side, Snapshot,
    TableChanges, TableRow, Xid,
};

use super::scenario::{Cells, Change, Scenario};

const ID: usize = 0;
const GROUP: usize = 1;
const FLAG: usize = 2;

/// A row of the table.
pub(crate) type Picked = (i64, Cells);

/// One batch: a transaction by itself.
pub(crate) struct Batch {
    /// What the state before it sees.
    pub(crate) previous: Snapshot,
    pub(crate) changes: TableChanges,
}

/// The table as it is now, and how a view sorts and filters it.
pub(crate) struct Model {
    table: BTreeMap<i64, Cells>,
    next: Xid,
    descending: bool,
    nulls_first: bool,
    filtered: bool,
}

pub(crate) fn row_of((id, (group, flag)): Picked) -> Arc<TableRow> {
    let group = group.map_or(Value::Null, Value::Int);
    Arc::new(TableRow {
        key: key_of(id),
        cells: [Value::Int(id), group, Value::Bool(flag)].into(),
        omitted: Box::default(),
    })
}

pub(crate) fn key_of(id: i64) -> RowKey {
    vec![Value::Int(id)].into()
}

/// A row that is there at first. (Derived, not drawn, so that a failing scenario shrinks fast.)
fn first_row(id: i64) -> Picked {
    let group = Some(id * 7 % 13).filter(|&group| group < 12);
    (id, (group, id % 3 > 0))
}

impl Model {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            table: (0..scenario.rows).map(first_row).collect(),
            next: 100,
            descending: scenario.descending,
            nulls_first: scenario.nulls_first,
            filtered: scenario.filtered,
        }
    }

    pub(crate) fn order(&self) -> Order {
        let by = |column, nulls_first| OrderColumn {
            column,
            class: OrderClass::Int,
            descending: self.descending,
            nulls_first,
        };
        Order::new(vec![by(GROUP, self.nulls_first), by(ID, self.descending)])
    }

    pub(crate) fn predicate(&self) -> Predicate {
        if !self.filtered {
            return Predicate::All(Vec::new());
        }
        Predicate::Compare {
            column: FLAG,
            class: OrderClass::Bool,
            holds: Comparison {
                less: false,
                equal: true,
                greater: false,
            },
            value: KeyPart::Int(1),
        }
    }

    /// What is committed by now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.next, self.next, [])
    }

    /// The view's rows in order.
    pub(crate) fn rows(&self) -> Vec<Picked> {
        let shown = |(_, (_, flag)): &Picked| *flag || !self.filtered;
        let rows = self.table.iter().map(|(&id, &cells)| (id, cells));
        let mut rows: Vec<Picked> = rows.filter(shown).collect();
        rows.sort_by(|a, b| self.compare(a, b));
        rows
    }

    fn compare(&self, (id, (group, _)): &Picked, (other_id, (other, _)): &Picked) -> Ordering {
        let nulls = match (group.is_none(), other.is_none()) {
            (a, b) if self.nulls_first => b.cmp(&a),
            (a, b) => a.cmp(&b),
        };
        nulls.then_with(|| {
            let (a, b) = ((group, id), (other, other_id));
            if self.descending {
                Reverse(a).cmp(&Reverse(b))
            } else {
                a.cmp(&b)
            }
        })
    }

    /// Makes these changes in one transaction.
    pub(crate) fn change(&mut self, changes: &[Change]) -> Batch {
        let previous = self.snapshot();
        let mut batch = TableChanges::default();
        let mut named: Vec<i64> = Vec::new();
        for change in changes {
            let (ids, cells) = match *change {
                Change::Put(id, cells) => (id..id + 1, Some(cells)),
                Change::Delete(id) => (id..id + 1, None),
                Change::DeleteMany(id, count) => (id..id + count, None),
                Change::Flatten(id, count, cells) => {
                    let held: Vec<i64> =
                        self.table.range(id..id + count).map(|row| *row.0).collect();
                    for id in held {
                        self.put(id, Some(cells), &mut batch, &mut named);
                    }
                    continue;
                }
            };
            for id in ids {
                self.put(id, cells, &mut batch, &mut named);
            }
        }
        named.sort_unstable();
        named.dedup();
        let current = |id: i64| {
            (
                key_of(id),
                self.table.get(&id).map(|&cells| row_of((id, cells))),
            )
        };
        batch.current = named.into_iter().map(current).collect();
        self.next += 1;
        Batch {
            previous,
            changes: batch,
        }
    }

    fn put(
        &mut self,
        id: i64,
        cells: Option<Cells>,
        batch: &mut TableChanges,
        named: &mut Vec<i64>,
    ) {
        let before = match cells {
            Some(cells) => self.table.insert(id, cells),
            None => self.table.remove(&id),
        };
        let mut side = |appeared, cells| {
            batch.sides.push(Side {
                xid: self.next,
                appeared,
                row: row_of((id, cells)),
            });
        };
        // As an upsert's trigger writes them: the new image may come first.
        if let Some(cells) = cells {
            side(true, cells);
        }
        if let Some(before) = before {
            side(false, before);
        }
        if cells.is_some() || before.is_some() {
            named.push(id);
        }
    }
}
