//! Random summaries of a table: as the protocol asks for them, and as SQL.

use protocol::{
    Aggregate, AggregateOp, Buckets, ColumnKind, GroupBy, GroupOrder, GroupTerm, NullsOrder,
    Summarize, Summarized, Value,
};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::table::{Column, Table, quoted};
use crate::views::View;

/// A summary as a client asks for it, and what it must know to ask PostgreSQL the same.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) spec: Summarize,
    /// Which rows.
    pub(crate) view: View,
    /// Places in the table, and whether they are buckets.
    pub(crate) keys: Vec<(usize, bool)>,
    /// Function and place; the first, the number of rows, is left out.
    pub(crate) values: Vec<(AggregateOp, usize)>,
}

/// How a group's text is compared with PostgreSQL's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is the same.
    Same,
    /// It is the same number but for rounding.
    About,
    /// PostgreSQL calls it equal: which of several texts stands for a value is its choice.
    Equal(usize),
}

fn is_number(column: &Column) -> bool {
    use ColumnKind::{Float, Int, Numeric};
    matches!(column.shape, Int | Float | Numeric)
}

/// Bounds of buckets, ascending; none for a type that has no buckets.
fn bounds(column: &Column) -> &'static [&'static str] {
    match column.shape {
        ColumnKind::Int => &["-1", "0", "5"],
        ColumnKind::Float | ColumnKind::Numeric => &["0", "0.1", "100"],
        ColumnKind::Date | ColumnKind::Timestamp => &["2026-01-01", "2026-06-01", "2026-07-01"],
        ColumnKind::TimestampTz => &["2026-01-01T00:00:00+00:00", "2026-07-01T00:00:00+00:00"],
        _ => &[],
    }
}

fn can_be_key(column: &Column) -> bool {
    column.sortable && (!column.kind.is_nested || column.shape == ColumnKind::Json)
}

fn fits(op: AggregateOp, column: &Column) -> bool {
    use ColumnKind::{Array, Json, Other};
    match op {
        AggregateOp::Count => true,
        AggregateOp::Sum | AggregateOp::Avg => is_number(column),
        AggregateOp::Min | AggregateOp::Max => {
            can_be_key(column) && !matches!(column.shape, Other | Json | Array)
        }
    }
}

impl Asked {
    pub(crate) fn random(table: &Table, rng: &mut ChaCha8Rng) -> Self {
        let view = View::random(table, rng);
        let (mut keys, mut by) = (Vec::new(), Vec::new());
        for _ in 0..*[0, 1, 1, 1, 2, 2, 3].choose(rng).unwrap() {
            let at = rng.random_range(0..table.columns.len());
            let column = &table.columns[at];
            if !can_be_key(column) || keys.iter().any(|(key, _)| *key == at) {
                continue;
            }
            let bounds = bounds(column);
            let buckets = match rng.random_range(0..4) {
                _ if bounds.is_empty() => None,
                0 => Some(Buckets::Count(rng.random_range(1..12))),
                1 => Some(Buckets::Bounds(
                    bounds.iter().map(|bound| Value::text(*bound)).collect(),
                )),
                _ => None,
            };
            keys.push((at, buckets.is_some()));
            let column = column.name.clone();
            by.push(GroupBy { column, buckets });
        }
        let mut values = Vec::new();
        for _ in 0..rng.random_range(0..6) {
            use AggregateOp::{Avg, Count, Max, Min, Sum};
            let at = rng.random_range(0..table.columns.len());
            let op = *[Count, Min, Min, Max, Max, Sum, Avg].choose(rng).unwrap();
            if fits(op, &table.columns[at]) {
                values.push((op, at));
            }
        }
        let aggregate = |&(op, at): &(AggregateOp, usize)| Aggregate {
            op,
            column: Some(table.columns[at].name.clone()),
        };
        let spec = Summarize {
            summary: 0,
            generation: 0,
            view: view.spec.clone(),
            by,
            aggregates: values.iter().map(aggregate).collect(),
            order: random_order(table, keys.len(), &values, rng),
            start: 0,
            count: 1,
        };
        Self {
            spec,
            view,
            keys,
            values,
        }
    }

    /// The same as SQL at the second that a version names: every group in order, keys and cells as texts.
    pub(crate) fn sql(
        &self,
        table: &Table,
        told: &Summarized,
        second: Option<i64>,
    ) -> Result<String, String> {
        let mut inner = Vec::new();
        let mut keys = Vec::new();
        for (nth, ((at, is_bucket), key)) in self.keys.iter().zip(&told.keys).enumerate() {
            let column = &table.columns[*at];
            inner.push(match (&key.bounds, is_bucket) {
                (Some(bounds), true) => format!("{} AS k{nth}", bucket(column, bounds)),
                (None, false) => format!("{} AS k{nth}", column.sql()),
                _ => return Err(format!("buckets of {}: {told:?}", column.name)),
            });
            keys.push(format!("k{nth}"));
        }
        let mut cells = vec!["count(*)".to_owned()];
        for (nth, &(op, at)) in self.values.iter().enumerate() {
            inner.push(format!("{} AS v{nth}", table.columns[at].sql()));
            cells.push(aggregate_sql(op, &table.columns[at], nth));
        }
        // A table of no columns has rows all the same.
        inner.push("1 AS one".to_owned());
        let order = self.order_by(table, &keys, &cells);
        let text = |sql: &String| format!("to_json({sql}) #>> '{{}}'");
        let key_texts = self.keys.iter().zip(&keys).map(|((at, _), key)| {
            // JSON's own null is a value.
            let column = &table.columns[*at];
            if column.shape == ColumnKind::Json || column.kind.is_worded {
                format!("{key}::text AS shown")
            } else {
                text(key)
            }
        });
        let texts: Vec<String> = key_texts.chain(cells.iter().map(text)).collect();
        let clause = |words: &str, list: &[String]| match list {
            [] => String::new(),
            list => format!(" {words} {}", list.join(", ")),
        };
        Ok(format!(
            "SELECT {} FROM (SELECT {} FROM {} WHERE {}) AS g{}{}",
            texts.join(", "),
            inner.join(", "),
            table.name,
            self.view.condition(second)?,
            clause("GROUP BY", &keys),
            clause("ORDER BY", &order),
        ))
    }

    /// Groups that tie stand by their keys; text goes by its bytes then, if its collation tells all texts
    /// apart and the order does not name it.
    fn order_by(&self, table: &Table, keys: &[String], cells: &[String]) -> Vec<String> {
        let mut order = Vec::new();
        for term in &self.spec.order {
            let place = |at: u32| usize::try_from(at).unwrap();
            let sql = match term.by {
                GroupTerm::Key(at) => &keys[place(at)],
                GroupTerm::Value(at) => &cells[place(at)],
            };
            let direction = if term.descending { "DESC" } else { "ASC" };
            let nulls = match term.nulls {
                None => "",
                Some(NullsOrder::First) => " NULLS FIRST",
                Some(NullsOrder::Last) => " NULLS LAST",
            };
            order.push(format!("{sql} {direction}{nulls}"));
        }
        for (nth, (key, (at, is_bucket))) in keys.iter().zip(&self.keys).enumerate() {
            let named = GroupTerm::Key(u32::try_from(nth).unwrap());
            let is_named = self.spec.order.iter().any(|term| term.by == named);
            let kind = table.columns[*at].kind;
            let by_bytes = kind.is_text() && !kind.folds() && !is_bucket;
            order.push(if by_bytes && !is_named && !self.spec.order.is_empty() {
                format!("{key} COLLATE \"C\"")
            } else {
                key.clone()
            });
        }
        order
    }

    /// How each text of a group is compared: keys, the number of rows, values.
    pub(crate) fn manners(&self, table: &Table) -> Vec<Manner> {
        let key = |&(at, is_bucket): &(usize, bool)| {
            if is_bucket {
                Manner::Same
            } else {
                Manner::Equal(at)
            }
        };
        let value = |&(op, at): &(AggregateOp, usize)| match (op, table.columns[at].shape) {
            (AggregateOp::Sum | AggregateOp::Avg, ColumnKind::Float) => Manner::About,
            (AggregateOp::Min | AggregateOp::Max, _) => Manner::Equal(at),
            _ => Manner::Same,
        };
        let keys = self.keys.iter().map(key);
        let values = self.values.iter().map(value);
        keys.chain([Manner::Same]).chain(values).collect()
    }
}

fn bucket(column: &Column, bounds: &[Value]) -> String {
    let bounds = bounds.iter().filter_map(Value::to_postgres_text);
    let bounds: Vec<String> = bounds.map(|bound| quoted(&bound)).collect();
    let bare = match column.kind.cast {
        "small_number" => "integer",
        cast => cast,
    };
    let (name, bounds) = (column.sql(), bounds.join(", "));
    format!("width_bucket({name}::{bare}, array[{bounds}]::{bare}[])")
}

/// PostgreSQL has no `min` and `max` of some types that have an order. Its sums of floats are rounded at
/// every step, and its averages overflow: exactly they are those of the values' texts.
fn aggregate_sql(op: AggregateOp, column: &Column, nth: usize) -> String {
    let value = match column.shape {
        ColumnKind::Float => format!("v{nth}::text::numeric"),
        _ => format!("v{nth}"),
    };
    match op {
        AggregateOp::Count => format!("count(v{nth})"),
        AggregateOp::Sum => format!("sum({value})"),
        AggregateOp::Avg => format!("avg({value})"),
        AggregateOp::Min => format!("(array_agg(v{nth} ORDER BY v{nth} ASC NULLS LAST))[1]"),
        AggregateOp::Max => format!("(array_agg(v{nth} ORDER BY v{nth} DESC NULLS LAST))[1]"),
    }
}

fn random_order(
    table: &Table,
    keys: usize,
    values: &[(AggregateOp, usize)],
    rng: &mut ChaCha8Rng,
) -> Vec<GroupOrder> {
    let mut order = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        let is_key = keys > 0 && rng.random_bool(0.4);
        let at = rng.random_range(0..if is_key { keys } else { values.len() + 1 });
        let value = at.checked_sub(1).and_then(|at| values.get(at));
        // Sums of floats that are about the same have no order.
        let is_about = value.is_some_and(|&(op, at)| {
            let is_sum = matches!(op, AggregateOp::Sum | AggregateOp::Avg);
            is_sum && table.columns[at].shape == ColumnKind::Float
        });
        if !is_key && is_about {
            continue;
        }
        let place = u32::try_from(at).unwrap();
        let nulls = [None, Some(NullsOrder::First), Some(NullsOrder::Last)];
        order.push(GroupOrder {
            by: if is_key {
                GroupTerm::Key(place)
            } else {
                GroupTerm::Value(place)
            },
            descending: rng.random_bool(0.5),
            nulls: *nulls.choose(rng).unwrap(),
        });
    }
    order
}
