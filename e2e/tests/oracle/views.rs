//! Random views of a table: as the protocol asks for them, and as SQL.

use protocol::{NullsOrder, SortColumn, ViewSpec};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::filters::random_filter;
use crate::table::{NAME, Table};

/// A view as a client asks for it, and the same in SQL.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) spec: ViewSpec,
    pub(crate) condition: String,
    pub(crate) order: String,
}

impl View {
    pub(crate) fn random(table: &Table, rng: &mut ChaCha8Rng) -> Self {
        let (filter, condition) = if rng.random_bool(0.4) {
            (None, "true".to_owned())
        } else {
            let (filter, condition) = random_filter(table, 3, rng);
            (Some(filter), condition)
        };
        let sort = random_sort(table, rng);
        let order = order_by(table, &sort);
        let spec = ViewSpec {
            filter,
            sort,
            ..ViewSpec::table(NAME)
        };
        Self {
            spec,
            condition,
            order,
        }
    }
}

/// Up to four columns; often those of an index, in its direction or the other.
fn random_sort(table: &Table, rng: &mut ChaCha8Rng) -> Vec<SortColumn> {
    let mut by: Vec<(usize, bool)> = Vec::new();
    if let Some(index) = table.indexes.choose(rng)
        && rng.random_bool(0.4)
    {
        let reversed = rng.random_bool(0.5);
        let wanted = rng.random_range(1..=index.len());
        by.extend(
            index[..wanted]
                .iter()
                .map(|&(at, descends)| (at, descends != reversed)),
        );
    } else if rng.random_bool(0.15) {
        // The key, descending.
        by.extend(table.key.iter().map(|&at| (at, true)));
    } else {
        for _ in 0..*[0, 1, 1, 1, 2, 2, 3, 4].choose(rng).unwrap() {
            by.push((
                rng.random_range(0..table.columns.len()),
                rng.random_bool(0.5),
            ));
        }
    }
    let any_nulls = rng.random_bool(0.5);
    let mut sort: Vec<SortColumn> = Vec::new();
    for (at, descending) in by {
        let column = &table.columns[at];
        if !column.sortable || sort.iter().any(|before| before.column == column.name) {
            continue;
        }
        let nulls = [None, Some(NullsOrder::First), Some(NullsOrder::Last)];
        let nulls = if any_nulls {
            *nulls.choose(rng).unwrap()
        } else {
            None
        };
        sort.push(SortColumn {
            column: column.name.clone(),
            descending,
            nulls,
        });
    }
    sort
}

/// `ORDER BY` as the protocol defines it.
fn order_by(table: &Table, sort: &[SortColumn]) -> String {
    let direction = |descending| if descending { "DESC" } else { "ASC" };
    let nulls = |nulls| match nulls {
        None => "",
        Some(NullsOrder::First) => " NULLS FIRST",
        Some(NullsOrder::Last) => " NULLS LAST",
    };
    let name = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let by = |by: &SortColumn| {
        let (direction, nulls) = (direction(by.descending), nulls(by.nulls));
        format!("{} {direction}{nulls}", name(&by.column))
    };
    let mut parts: Vec<String> = sort.iter().map(by).collect();
    let last = direction(sort.last().is_some_and(|by| by.descending));
    parts.extend(
        table
            .key
            .iter()
            .map(|&at| format!("{} {last}", table.columns[at].sql())),
    );
    parts.join(", ")
}
