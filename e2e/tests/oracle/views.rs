//! Random views of a table: as the protocol asks for them, and as SQL.

use protocol::{NullsOrder, SortColumn, ViewSpec};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::filters::{NOW, random_filter, steps};
use crate::searches::Search;
use crate::table::{Column, Table};

/// A view as a client asks for it, and the same in SQL.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) spec: ViewSpec,
    /// `WHERE`, at a second that is to be put in.
    condition: String,
    order: String,
    /// The order if the server ranks the rows.
    ranked_order: Option<String>,
    /// The seconds between two instants of each relative date in it.
    steps: Vec<i64>,
}

impl View {
    pub(crate) fn random(table: &Table, rng: &mut ChaCha8Rng) -> Self {
        let (filter, mut condition) = if rng.random_bool(0.4) {
            (None, "true".to_owned())
        } else {
            let (filter, condition) = random_filter(table, 3, rng);
            (Some(filter), condition)
        };
        let search = if rng.random_bool(0.25) {
            Search::random(table, rng)
        } else {
            None
        };
        let sort = match &search {
            Some(_) if rng.random_bool(0.6) => Vec::new(),
            _ => random_sort(table, rng),
        };
        if let Some(search) = &search {
            condition = format!("{condition} AND {}", search.condition);
        }
        let rank = search.as_ref().and_then(|search| search.rank.clone());
        let best_first = |rank| {
            let key = table.key.iter();
            let key: String = key
                .map(|&at| format!(", {} DESC", table.columns[at].sql()))
                .collect();
            format!("{rank} DESC{key}")
        };
        Self {
            ranked_order: rank.filter(|_| sort.is_empty()).map(best_first),
            order: order_by(table, &sort),
            condition,
            steps: filter.as_ref().map_or(Vec::new(), |it| steps(table, it)),
            spec: ViewSpec {
                filter,
                sort,
                search: search.map(|search| search.words),
                ..ViewSpec::table(table.name)
            },
        }
    }

    /// `WHERE`, at the second that a version names.
    pub(crate) fn condition(&self, second: Option<i64>) -> Result<String, String> {
        match second {
            Some(second) => Ok(self.condition.replace(NOW, &second.to_string())),
            None if self.is_relative() => Err("a version that names no instant".to_owned()),
            None => Ok(self.condition.clone()),
        }
    }

    /// `ORDER BY`; empty where the order is PostgreSQL's choice.
    pub(crate) fn order(&self, is_ranked: bool) -> Result<&str, String> {
        if !is_ranked {
            return Ok(&self.order);
        }
        let order = self.ranked_order.as_deref();
        order.ok_or("ranked without a search by full text".to_owned())
    }

    /// Whether it moves along with time.
    pub(crate) fn is_relative(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether a view that stands at a second stands where one of `other` does.
    pub(crate) fn has_reached(&self, second: i64, other: i64) -> bool {
        let instant = |second: i64, step: &i64| second.div_euclid(*step);
        let mut steps = self.steps.iter();
        steps.all(|step| instant(second, step) >= instant(other, step))
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
    if table.key.is_empty() && !sort.is_empty() {
        // All the other columns make the order total.
        let is_other = |column: &&Column| sort.iter().all(|by| by.column != column.name);
        let others = table.columns.iter().filter(is_other);
        parts.extend(others.map(|column| match column.sortable {
            true => column.sql(),
            false => format!("{}::text COLLATE \"C\"", column.sql()),
        }));
    }
    let last = direction(sort.last().is_some_and(|by| by.descending));
    parts.extend(
        table
            .key
            .iter()
            .map(|&at| format!("{} {last}", table.columns[at].sql())),
    );
    parts.join(", ")
}
