//! Summaries of the stage's table: counted anew for every question, which is enough for a screen.

use std::collections::BTreeMap;

use protocol::{
    AggregateOp, Buckets, ColumnKind, GroupOrder, GroupTerm, Row, RowOp, ServerMsg, Summarize,
    Summarized, SummaryKey, SummaryUpdate, SummaryValue, TableSchema, Value, Version,
};

/// One group: its key, and its rows.
#[derive(Default)]
struct Group<'a> {
    key: Vec<Value>,
    rows: Vec<&'a [Value]>,
}

/// What a server says to `ask` about `rows`.
pub fn answer(ask: &Summarize, schema: &TableSchema, rows: &[Vec<Value>]) -> [ServerMsg; 2] {
    let keys: Vec<SummaryKey> = ask
        .by
        .iter()
        .map(|by| SummaryKey {
            column: schema.columns[place(schema, &by.column)].clone(),
            bounds: by.buckets.as_ref().map(bounds),
        })
        .collect();
    let values = values(ask, schema);
    let mut all: Vec<Row> = groups(&keys, schema, rows)
        .into_iter()
        .map(|group| {
            let cells = values.iter();
            let cells = cells.map(|value| aggregate(value, schema, &group.rows));
            Row {
                cells: cells.collect(),
                key: group.key,
            }
        })
        .collect();
    for term in ask.order.iter().rev() {
        all.sort_by(|a, b| compare(term, a, b));
    }
    let groups = all.len() as u64;
    let held = all.into_iter().skip(ask.start as usize);
    let held: Vec<Row> = held.take(ask.count as usize).collect();
    let in_held: u64 = held.iter().map(rows_in).sum();
    let update = SummaryUpdate {
        summary: ask.summary,
        generation: ask.generation,
        number: 1,
        from: None,
        to: Version("1".to_owned()),
        start: ask.start,
        groups,
        rows: rows.len() as u64,
        rest: rows.len() as u64 - in_held,
        shown: held.into_iter().map(RowOp::Row).collect(),
        changed_at_micros: None,
    };
    let summarized = Summarized {
        summary: ask.summary,
        table: schema.name.clone(),
        keys,
        values,
    };
    [
        ServerMsg::Summarized(summarized),
        ServerMsg::Summary(update),
    ]
}

fn place(schema: &TableSchema, name: &str) -> usize {
    let mut columns = schema.columns.iter();
    columns
        .position(|column| column.name == name)
        .expect("a column of the stage's table")
}

fn groups<'a>(keys: &[SummaryKey], schema: &TableSchema, rows: &'a [Vec<Value>]) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Vec<String>, Group<'a>> = BTreeMap::new();
    if keys.is_empty() {
        groups.insert(Vec::new(), Group::default());
    }
    for row in rows {
        let of = |key: &SummaryKey| key_of(key, &row[place(schema, &key.column.name)]);
        let key: Vec<Value> = keys.iter().map(of).collect();
        let text = key.iter().map(|value| format!("{value:?}")).collect();
        let group = groups.entry(text).or_default();
        group.key = key;
        group.rows.push(row);
    }
    groups.into_values().collect()
}

fn values(ask: &Summarize, schema: &TableSchema) -> Vec<SummaryValue> {
    let rows = SummaryValue {
        op: AggregateOp::Count,
        column: None,
        kind: ColumnKind::Int,
    };
    let chosen = ask.aggregates.iter().map(|aggregate| {
        let column = aggregate.column.clone();
        let kind = match (&column, aggregate.op) {
            (_, AggregateOp::Count) | (None, _) => ColumnKind::Int,
            (Some(column), _) => schema.columns[place(schema, column)].kind,
        };
        let op = aggregate.op;
        SummaryValue { op, column, kind }
    });
    std::iter::once(rows).chain(chosen).collect()
}

fn compare(term: &GroupOrder, a: &Row, b: &Row) -> std::cmp::Ordering {
    let of = |row: &Row| match term.by {
        GroupTerm::Key(n) => row.key[n as usize].to_string(),
        GroupTerm::Value(n) => format!("{:>20}", row.cells[n as usize].to_string()),
    };
    let order = of(a).cmp(&of(b));
    if term.descending {
        order.reverse()
    } else {
        order
    }
}

fn rows_in(row: &Row) -> u64 {
    match row.cells[0] {
        Value::Int(count) => count as u64,
        _ => 0,
    }
}

fn bounds(buckets: &Buckets) -> Vec<Value> {
    match buckets {
        Buckets::Bounds(bounds) => bounds.clone(),
        Buckets::Count(_) => (0..=20)
            .map(|n| Value::text((n * 100).to_string()))
            .collect(),
    }
}

fn key_of(key: &SummaryKey, value: &Value) -> Value {
    match (&key.bounds, number(value)) {
        (None, _) => value.clone(),
        (Some(_), None) => Value::Null,
        (Some(bounds), Some(value)) => {
            let below = bounds.iter().filter(|bound| number(bound) <= Some(value));
            Value::Int(below.count() as i64)
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.to_postgres_text()?.parse().ok()
}

fn aggregate(value: &SummaryValue, schema: &TableSchema, rows: &[&[Value]]) -> Value {
    let Some(column) = &value.column else {
        return Value::Int(rows.len() as i64);
    };
    let column = place(schema, column);
    let numbers = rows.iter().filter_map(|row| number(&row[column]));
    let count = rows.iter().filter(|row| !row[column].is_null()).count();
    let result = match value.op {
        AggregateOp::Count => return Value::Int(count as i64),
        AggregateOp::Sum => numbers.sum(),
        AggregateOp::Avg => numbers.sum::<f64>() / count.max(1) as f64,
        AggregateOp::Min => numbers.fold(f64::INFINITY, f64::min),
        AggregateOp::Max => numbers.fold(f64::NEG_INFINITY, f64::max),
    };
    match value.kind {
        ColumnKind::Int if value.op != AggregateOp::Avg => Value::Int(result as i64),
        _ => Value::text(format!("{result:.2}")),
    }
}
