//! Where rows stand in an order, as SQL that an index can follow.
//!
//! "At or behind this key" over several columns is a chain of ranges with equal beginnings: for `(a, b)` the
//! rows with `a` equal and `b` at or behind, then those with `a` behind. `NULL`s are a range of their
//! own. Joined by `OR` the chain would be one filter over the whole table; as one query for each range, taken
//! one after the other and only as far as needed, each is an index scan.

use view_index::{Bound, OrderColumn};

use super::catalog::TableDef;
use super::query::{Condition, order_by};

/// A place in an order: the texts of a key's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before every row.
    Start,
    /// At the key; `inclusive` of a row that has it.
    Key {
        /// The key's values; `None` for `NULL`.
        texts: Vec<Option<String>>,
        /// Whether a row of this very key stands behind the place.
        inclusive: bool,
    },
}

impl Place {
    /// The place of a block's bound.
    pub fn of(bound: &Bound, order: &[OrderColumn]) -> Self {
        let (key, inclusive) = match bound {
            Bound::Min => return Self::Start,
            Bound::At(key) => (key, true),
            Bound::After(key) => (key, false),
        };
        let columns = order.iter().zip(key.iter());
        Self::Key {
            texts: columns
                .map(|(by, part)| part.to_postgres_text(by.class))
                .collect(),
            inclusive,
        }
    }
}

/// Whether one comparison of rows serves the whole order: one direction, no `NULL`s, the usual operators.
pub fn is_uniform(table: &TableDef, order: &[OrderColumn]) -> bool {
    let descending = order.first().is_some_and(|by| by.descending);
    order.iter().all(|by| {
        let def = &table.columns[by.column];
        by.descending == descending && !def.shown.nullable && def.operators.is_none()
    })
}

/// The rows behind a place, in the view's order, as conditions that exclude each other; in each, the rows
/// come before those of the next.
pub fn behind(table: &TableDef, order: &[OrderColumn], place: &Place) -> Vec<Condition> {
    let Place::Key { texts, inclusive } = place else {
        return vec![Condition::join(Vec::new(), true)];
    };
    if is_uniform(table, order) {
        return vec![compared(table, order, texts, *inclusive)];
    }
    let mut ranges = Vec::new();
    for last in (0..order.len()).rev() {
        let inclusive = *inclusive && last + 1 == order.len();
        for beyond in beyond(table, &order[last], texts[last].as_deref(), inclusive) {
            let equal = (0..last).map(|nth| equal(table, &order[nth], texts[nth].as_deref()));
            let mut all: Vec<Condition> = equal.collect();
            all.push(beyond);
            ranges.push(Condition::join(all, true));
        }
    }
    ranges
}

/// The rows before a place: one condition, with a range of the first column that an index can use.
pub fn before(table: &TableDef, order: &[OrderColumn], place: &Place) -> Condition {
    let Place::Key { texts, .. } = place else {
        return Condition::join(Vec::new(), false);
    };
    let not_behind = Condition::join(behind(table, order, place), false).negate_known();
    let (Some(by), Some(Some(text))) = (order.first(), texts.first()) else {
        return not_behind;
    };
    let def = &table.columns[by.column];
    let operator = if by.descending { ">=" } else { "<=" };
    let range = Condition {
        sql: format!(
            "t.{} {} {}",
            def.sql_name,
            def.operator(operator),
            def.read("$1::text")
        ),
        params: vec![text.clone()],
        ..Condition::default()
    };
    if def.shown.nullable && by.nulls_first {
        return not_behind;
    }
    Condition::join(vec![range, not_behind], true)
}

/// `(a, b) >= ($1, $2)`.
fn compared(
    table: &TableDef,
    order: &[OrderColumn],
    texts: &[Option<String>],
    inclusive: bool,
) -> Condition {
    let descending = order.first().is_some_and(|by| by.descending);
    let operator = match (descending, inclusive) {
        (false, true) => ">=",
        (false, false) => ">",
        (true, true) => "<=",
        (true, false) => "<",
    };
    let columns = |of: &dyn Fn(usize, &OrderColumn) -> String| {
        let list = order.iter().enumerate().map(|(nth, by)| of(nth, by));
        list.collect::<Vec<_>>().join(", ")
    };
    let left = columns(&|_, by| format!("t.{}", table.columns[by.column].sql_name));
    let right = columns(&|nth, by| table.columns[by.column].read(&format!("${}::text", nth + 1)));
    Condition {
        sql: format!("({left}) {operator} ({right})"),
        params: texts
            .iter()
            .map(|text| text.clone().unwrap_or_default())
            .collect(),
        ..Condition::default()
    }
}

fn equal(table: &TableDef, by: &OrderColumn, text: Option<&str>) -> Condition {
    against(table, by, "=", text)
}

fn against(table: &TableDef, by: &OrderColumn, operator: &str, text: Option<&str>) -> Condition {
    let def = &table.columns[by.column];
    match text {
        Some(text) => Condition {
            sql: format!(
                "t.{} {} {}",
                def.sql_name,
                def.operator(operator),
                def.read("$1::text")
            ),
            params: vec![text.to_owned()],
            ..Condition::default()
        },
        None => Condition {
            sql: def.is_null(&format!("t.{}", def.sql_name)),
            params: Vec::new(),
            ..Condition::default()
        },
    }
}

/// The values of one column behind another value of it, as ranges in their order.
fn beyond(
    table: &TableDef,
    by: &OrderColumn,
    text: Option<&str>,
    inclusive: bool,
) -> Vec<Condition> {
    let def = &table.columns[by.column];
    let not_null = || Condition {
        sql: def.is_not_null(&format!("t.{}", def.sql_name)),
        params: Vec::new(),
        ..Condition::default()
    };
    let operator = match (by.descending, inclusive) {
        (false, true) => ">=",
        (false, false) => ">",
        (true, true) => "<=",
        (true, false) => "<",
    };
    let nullable = def.shown.nullable;
    match text {
        Some(_) if nullable && !by.nulls_first => vec![
            against(table, by, operator, text),
            against(table, by, "=", None),
        ],
        Some(_) => vec![against(table, by, operator, text)],
        None => {
            let mut ranges = Vec::new();
            if inclusive {
                ranges.push(against(table, by, "=", None));
            }
            if by.nulls_first {
                ranges.push(not_null());
            }
            ranges
        }
    }
}

/// A query of rows of a view from a place on, in the view's order: `columns` of `t`, so many rows after so
/// many skipped ones. Its parameters begin with those of `filter`. The text is the same for every place of the same kind (`NULL`s in the same columns) and any
/// number of rows, so that it is prepared once; those are parameters.
pub fn select_behind(
    table: &TableDef,
    filter: &Condition,
    order: &[OrderColumn],
    place: &Place,
    columns: &str,
    (skipped, count): (u64, u64),
) -> Condition {
    let enough = skipped.saturating_add(count);
    let ranges: Vec<Condition> = behind(table, order, place)
        .into_iter()
        .map(|range| Condition::join(vec![filter.clone(), range], true))
        .collect();
    let before: usize = ranges.iter().map(|range| range.params.len()).sum();
    let number = |nth: usize| format!("${}::text::int8", before + nth);
    let page = format!("OFFSET {} LIMIT {}", number(1), number(2));
    let (limit, numbers) = if ranges.len() == 1 {
        (page.clone(), vec![skipped, count])
    } else {
        (format!("LIMIT {}", number(3)), vec![skipped, count, enough])
    };
    let mut params = Vec::with_capacity(before + numbers.len());
    let mut queries = Vec::with_capacity(ranges.len());
    for both in ranges {
        queries.push(format!(
            "SELECT {columns} FROM {} AS t WHERE {} ORDER BY {} {limit}",
            table.sql_name,
            both.renumbered(params.len()),
            order_by(table, order),
        ));
        params.extend(both.params);
    }
    let sql = match queries.as_slice() {
        [] => format!("SELECT {columns} FROM {} AS t WHERE false", table.sql_name),
        [only] => only.clone(),
        _ => format!(
            "SELECT * FROM (({})) AS u {page}",
            queries.join(") UNION ALL (")
        ),
    };
    if !queries.is_empty() {
        params.extend(numbers.iter().map(u64::to_string));
    }
    Condition {
        sql,
        params,
        ..Condition::default()
    }
}
