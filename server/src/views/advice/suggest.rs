//! Which index would serve a view.
//!
//! Columns tested for equality come first, since within one value of them the rest of the index is in order;
//! then the sort columns in their directions, then the key. A test for `NULL` becomes the condition of a
//! partial index. Tests that remain are made on the rows along the way, if enough of them match; if few do,
//! an index that finds those few serves better, and they are sorted.

use protocol::{ColumnKind, Filter, FilterOp, TableKind, Test, Value, ViewSpec};
use sqlx::postgres::PgPool;
use view_index::OrderColumn;

use crate::db::advice::{Serving, Thresholds, Verdict, estimated_rows};
use crate::db::catalog::TableDef;
use crate::db::indexes::{IndexDef, IndexInfo, IndexKey, Trigrams, indexes, trigrams};
use crate::db::query::Condition;
use crate::limits::{ADVICE_FIRST_ROWS, INDEX_COLUMNS_MAX, ROW_READ_COST};

/// An index that would serve, or why there is none to suggest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suggested {
    /// The index.
    pub index: Option<IndexDef>,
    /// What it does for the view; or what is in the way of one.
    pub why: String,
}

impl Suggested {
    /// None, and why.
    pub fn none(why: impl Into<String>) -> Self {
        Self {
            index: None,
            why: why.into(),
        }
    }
}

/// What a filter asks that an index may answer.
#[derive(Debug, Default)]
struct Tests<'a> {
    /// Columns tested for one value.
    equal: Vec<usize>,
    /// Columns tested for `NULL`.
    null: Vec<usize>,
    /// Tests of one column that keep several values.
    others: Vec<(usize, &'a Test)>,
    /// Conditions of the equal and null tests.
    prefix: Vec<Condition>,
    /// Whether there is more: `or`, `not`, a search.
    more: bool,
}

impl<'a> Tests<'a> {
    fn of(table: &TableDef, spec: &'a ViewSpec, order: &[OrderColumn]) -> Self {
        let mut tests = Self {
            more: spec.search.is_some(),
            ..Self::default()
        };
        if let Some(filter) = &spec.filter {
            tests.take(table, filter);
        }
        // The planner does not see that `NOT flag` leaves nothing to sort by `flag`.
        let is_flag = |column: usize| table.columns[column].shown.kind == ColumnKind::Bool;
        tests
            .equal
            .retain(|&column| !is_flag(column) || order.iter().all(|by| by.column != column));
        tests
    }

    fn take(&mut self, table: &TableDef, filter: &'a Filter) {
        match filter {
            Filter::And(list) => list.iter().for_each(|inner| self.take(table, inner)),
            Filter::Or(list) if list.len() == 1 => self.take(table, &list[0]),
            Filter::Test(test) => self.take_test(table, test),
            _ => self.more = true,
        }
    }

    fn take_test(&mut self, table: &TableDef, test: &'a Test) {
        let Some(column) = table.column(&test.column) else {
            return;
        };
        match test.op {
            FilterOp::Eq | FilterOp::In if test.values.len() == 1 => self.equal.push(column),
            FilterOp::IsNull => self.null.push(column),
            _ => return self.others.push((column, test)),
        }
        self.prefix.extend(condition(table, column, test));
    }
}

/// The test in SQL; `None` where its values would have to be read by PostgreSQL first.
fn condition(table: &TableDef, column: usize, test: &Test) -> Option<Condition> {
    let as_they_are = matches!(
        test.op,
        FilterOp::Eq
            | FilterOp::Ne
            | FilterOp::Lt
            | FilterOp::Le
            | FilterOp::Gt
            | FilterOp::Ge
            | FilterOp::Between
            | FilterOp::In
            | FilterOp::Contains
            | FilterOp::StartsWith
            | FilterOp::IsNull
    );
    if !as_they_are {
        return None;
    }
    let texts: Option<Vec<String>> = test.values.iter().map(Value::to_postgres_text).collect();
    Some(Condition::test(table, column, test.op, &texts?))
}

/// Which index would serve a view that is served as `serving` says.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn suggest(
    pool: &PgPool,
    table: &TableDef,
    spec: &ViewSpec,
    order: &[OrderColumn],
    serving: &Serving,
    thresholds: &Thresholds,
) -> Result<Suggested, sqlx::Error> {
    if !wants_index(serving, thresholds) {
        return Ok(Suggested::default());
    }
    let has_indexes = matches!(
        table.kind,
        TableKind::Table | TableKind::Partitioned | TableKind::MaterializedView
    );
    if !has_indexes {
        let why = "it has no indexes of its own: those of the tables that it reads serve it";
        return Ok(Suggested::none(why));
    }
    let tests = Tests::of(table, spec, order);
    let suggested = choose(pool, table, &tests, order, serving, thresholds).await?;
    let Some(index) = &suggested.index else {
        return Ok(suggested);
    };
    if index.keys.is_empty() {
        let why = "its rows have no order that an index could deliver";
        return Ok(Suggested::none(why));
    }
    if index.keys.len() > INDEX_COLUMNS_MAX {
        return Ok(Suggested::none(format!(
            "an index on {} columns would be needed; PostgreSQL allows {INDEX_COLUMNS_MAX}",
            index.keys.len()
        )));
    }
    let there = indexes(pool, Some(table.oid)).await?;
    Ok(match there.iter().find(|there| index.is_done_by(there)) {
        // What is left of an attempt to create it: the next one replaces it.
        Some(there) if !there.is_valid && there.name == index.name() => Suggested {
            why: format!(
                "{}; it is there, but not valid: it is being created, or that failed, and creating it replaces it",
                suggested.why
            ),
            ..suggested
        },
        Some(there) => Suggested::none(already(there)),
        None => suggested,
    })
}

/// Whether an index would be worth having: none serves, or the one that does has too much read besides.
fn wants_index(serving: &Serving, thresholds: &Thresholds) -> bool {
    let reads_besides = |serving: &Serving| {
        serving.walk.as_ref().is_some_and(|walk| !walk.is_whole())
            && serving.cost > thresholds.first_cost
    };
    match serving.verdict {
        Verdict::Small | Verdict::Found => false,
        Verdict::Ordered => reads_besides(serving),
        Verdict::Unserved => true,
    }
}

fn already(index: &IndexInfo) -> String {
    let name = &index.sql_name;
    if index.is_valid {
        format!(
            "{name} is an index on just this, but the planner prefers not to use it; ANALYZE may help"
        )
    } else {
        format!(
            "{name} would serve, but it is not valid: it is being created, or that failed; \
             `rowcast index drop-invalid` removes what failed"
        )
    }
}

async fn choose(
    pool: &PgPool,
    table: &TableDef,
    tests: &Tests<'_>,
    order: &[OrderColumn],
    serving: &Serving,
    thresholds: &Thresholds,
) -> Result<Suggested, sqlx::Error> {
    let ordered = Suggested {
        index: Some(in_order(table, tests, order)),
        why: "it delivers the rows in this order".to_owned(),
    };
    if tests.others.is_empty() && !tests.more {
        return Ok(ordered);
    }
    let mut asked = vec![Condition::join(tests.prefix.clone(), true)];
    let mut finders = Vec::new();
    // A second test of a column that has one value finds nothing more.
    let others = tests.others.iter();
    for (column, test) in others.filter(|(column, _)| !tests.equal.contains(column)) {
        let finder = finder(pool, table, tests, order, (*column, test)).await?;
        let mut all = match &finder {
            Finder::Index(_, true) => tests.prefix.clone(),
            _ => Vec::new(),
        };
        // What cannot be estimated alone keeps about as many rows as the whole filter.
        let place = condition(table, *column, test).map(|condition| {
            all.push(condition);
            asked.push(Condition::join(all, true));
            asked.len() - 1
        });
        finders.push((finder, place));
    }
    let rows = estimated_rows(pool, table, &asked).await?;
    let mut found: Vec<(Finder, f64)> = finders
        .into_iter()
        .map(|(finder, place)| (finder, place.map_or(serving.rows, |place| rows[place])))
        .collect();
    let share = (serving.rows / rows[0].max(1.0)).clamp(1e-9, 1.0);
    let first_cost = f64::from(ADVICE_FIRST_ROWS) / share * ROW_READ_COST;
    if !serving.is_served() && first_cost <= thresholds.first_cost {
        return Ok(ordered);
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut reasons = Vec::new();
    for (finder, rows) in found {
        match finder {
            Finder::Index(index, _) if rows <= thresholds.found_rows => {
                return Ok(Suggested {
                    index: Some(index),
                    why: format!("it finds the {rows:.0} or so rows, which are then sorted"),
                });
            }
            Finder::Index(..) => {}
            Finder::None(reason) => reasons.push(reason),
        }
    }
    let mut why = "few rows match, and no single index finds them".to_owned();
    if !reasons.is_empty() {
        why = format!("{why}: {}", reasons.join("; "));
    }
    Ok(Suggested::none(why))
}

/// The index that delivers the view's order.
fn in_order(table: &TableDef, tests: &Tests<'_>, order: &[OrderColumn]) -> IndexDef {
    let mut index = IndexDef {
        table: table.sql_name.clone(),
        method: "btree",
        keys: prefix(table, tests),
        predicate: predicate(table, tests),
        extension: None,
    };
    let rest = order.iter().filter(|by| !tests.equal.contains(&by.column));
    index.keys.extend(rest.map(|by| IndexKey {
        descending: by.descending,
        nulls_first: by.nulls_first,
        ..IndexKey::ascending(&table.columns[by.column].sql_name)
    }));
    index
}

fn prefix(table: &TableDef, tests: &Tests<'_>) -> Vec<IndexKey> {
    let mut keys: Vec<IndexKey> = Vec::new();
    for &column in &tests.equal {
        let key = IndexKey::ascending(&table.columns[column].sql_name);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn predicate(table: &TableDef, tests: &Tests<'_>) -> Option<String> {
    let mut columns = tests.null.clone();
    columns.sort_unstable();
    columns.dedup();
    let test = |&column: &usize| {
        let def = &table.columns[column];
        def.is_null(&def.sql_name)
    };
    let tests: Vec<String> = columns.iter().map(test).collect();
    (!tests.is_empty()).then(|| tests.join(" AND "))
}

/// An index that finds the rows of one test.
enum Finder {
    /// The index, and whether the tests for equality are answered by it too.
    Index(IndexDef, bool),
    /// None, and why.
    None(String),
}

async fn finder(
    pool: &PgPool,
    table: &TableDef,
    tests: &Tests<'_>,
    order: &[OrderColumn],
    (column, test): (usize, &Test),
) -> Result<Finder, sqlx::Error> {
    let def = &table.columns[column];
    match test.op {
        FilterOp::Lt
        | FilterOp::Le
        | FilterOp::Gt
        | FilterOp::Ge
        | FilterOp::Between
        | FilterOp::In
        | FilterOp::WithinLast
        | FilterOp::WithinNext => {
            let mut index = in_order(table, tests, order);
            let tested = IndexKey::ascending(&def.sql_name);
            let equal = prefix(table, tests).len();
            // The rest of the order lets the keys be read without the table.
            index.keys.retain(|key| key.column != tested.column);
            let place = equal.min(index.keys.len());
            index.keys.insert(place, tested);
            Ok(Finder::Index(index, true))
        }
        FilterOp::Contains | FilterOp::StartsWith | FilterOp::Matches | FilterOp::IMatches => {
            let is_text = matches!(def.sql_type.as_str(), "text" | "character varying");
            if !is_text || !def.equal_is_same_text {
                let message = format!("{:?} is not plain text", def.name);
                return Ok(Finder::None(message));
            }
            if !has_trigram(&test.values) {
                let message = format!(
                    "what {:?} is searched for has no three letters in a row",
                    def.name
                );
                return Ok(Finder::None(message));
            }
            Ok(match trigrams(pool).await? {
                Trigrams::Installed(schema) => Finder::Index(trigram(table, column, schema), false),
                Trigrams::Available => {
                    let mut index = trigram(table, column, String::new());
                    index.extension = Some("pg_trgm");
                    Finder::Index(index, false)
                }
                Trigrams::Missing => Finder::None(
                    "the extension pg_trgm, which finds parts of texts, is not on this server"
                        .to_owned(),
                ),
            })
        }
        FilterOp::ArrayContains | FilterOp::Overlaps => {
            Ok(Finder::Index(inside(table, column, None), false))
        }
        FilterOp::JsonContains | FilterOp::JsonPath => {
            let opclass = (String::new(), "jsonb_path_ops");
            Ok(Finder::Index(inside(table, column, Some(opclass)), false))
        }
        _ => {
            let message = format!("no index answers this test of {:?}", def.name);
            Ok(Finder::None(message))
        }
    }
}

/// Whether a text has three letters or digits in a row: with fewer, an index of trigrams finds nothing.
fn has_trigram(values: &[Value]) -> bool {
    let text = values.first().and_then(Value::to_postgres_text);
    let text = text.unwrap_or_default();
    let mut words = text.split(|char: char| !char.is_alphanumeric());
    words.any(|word| word.chars().count() >= 3)
}

fn trigram(table: &TableDef, column: usize, schema: String) -> IndexDef {
    inside(table, column, Some((schema, "gin_trgm_ops")))
}

/// An index of what is inside a column's values.
fn inside(table: &TableDef, column: usize, opclass: Option<(String, &'static str)>) -> IndexDef {
    IndexDef {
        table: table.sql_name.clone(),
        method: "gin",
        keys: vec![IndexKey {
            opclass,
            ..IndexKey::ascending(&table.columns[column].sql_name)
        }],
        predicate: None,
        extension: None,
    }
}
