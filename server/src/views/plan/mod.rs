//! What a view asked for means: checked against the catalogue, in SQL and in Rust.
//!
//! `filter` (with `relative` dates) and `search` say which rows it holds, `sort` and `rank` in
//! which order.

mod filter;
mod rank;
mod relative;
mod search;
mod sort;

use std::hash::{Hash, Hasher};

use protocol::{ErrorCode, Highlight, ViewSpec};
use sqlx::postgres::PgPool;
use view_index::{OrderColumn, Predicate};

use self::filter::Resolved;
pub use self::rank::Ranking;
use self::relative::Relative;
use self::search::Search;
pub use self::sort::order_class;
use super::answers::Answers;
use crate::db::catalog::TableDef;
use crate::db::query::Condition;
use crate::db::relative::Bounds;
use crate::limits::PLAN_TIMEOUT;

/// A view, ready to be built. Two clients that ask for the same one get equal plans.
#[derive(Clone, Debug)]
pub struct Plan {
    /// `WHERE`.
    pub condition: Condition,
    /// `ORDER BY`, ending in the primary key.
    pub order: Vec<OrderColumn>,
    /// What a client may mark; two may ask for the same view in different words.
    pub highlight: Option<Highlight>,
    /// The filter with every value as PostgreSQL reads it.
    filter: Resolved,
    search: Option<Search>,
    /// How the search ranks its rows, if they are ordered by that.
    ranking: Option<Ranking>,
    /// The filter's relative dates.
    relatives: Vec<Relative>,
    /// The second since 1970 that they stand at: not a part of what the view means.
    second: i64,
    /// Where each of them begins and ends then.
    bounds: Vec<Bounds>,
}

impl Plan {
    /// All that tells it from another view.
    fn meaning(&self) -> (&[OrderColumn], &Resolved, Option<&Search>) {
        (&self.order, &self.filter, self.search.as_ref())
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }
}

impl Eq for Plan {}

impl Hash for Plan {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.meaning().hash(state);
    }
}

/// Why a view is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl Plan {
    /// Checks a request and asks PostgreSQL what its constants mean.
    ///
    /// # Errors
    /// [`Refusal`] if the request makes no sense for this table.
    pub async fn new(
        spec: &ViewSpec,
        table: &TableDef,
        answers: &mut Answers,
        pool: &PgPool,
    ) -> Result<Self, Refusal> {
        let plan = Self::of_rows(spec, table, answers, pool).await?;
        if !spec.sort.is_empty() {
            return Ok(plan);
        }
        let ranked = plan.ranked(table, pool).await;
        ranked.map_err(|error| unreadable(&error))
    }

    /// The same for somebody to whom the order of the rows means nothing: a search is not ranked.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub async fn of_rows(
        spec: &ViewSpec,
        table: &TableDef,
        answers: &mut Answers,
        pool: &PgPool,
    ) -> Result<Self, Refusal> {
        let order = sort::order(spec, table, answers)?;
        let filter = filter::read(spec.filter.as_ref(), table, pool).await?;
        let search = search::read(spec.search.as_deref(), table, pool).await?;
        let (search, highlight) = search.unzip();
        let relatives = filter.relatives(table).into_iter().flatten().collect();
        let plan = Self {
            condition: Condition::default(),
            order,
            highlight,
            filter,
            search,
            ranking: None,
            relatives,
            second: 0,
            bounds: Vec::new(),
        };
        let now = answers.clock().now();
        let made = plan.at(now, table, pool).await;
        made.map_err(|error| unreadable(&error))
    }

    fn in_sql(&self, table: &TableDef) -> Condition {
        let mut conditions = vec![self.filter.condition(table, &mut self.bounds.iter())];
        let search = self.search.as_ref();
        conditions.extend(search.map(|search| search.condition(table)));
        Condition::join(conditions, true)
    }

    /// The filter and the search, to be evaluated here; what Rust does not evaluate becomes a condition
    /// of `answers`.
    pub fn predicate(&self, table: &TableDef, answers: &mut Answers) -> Predicate {
        let bounds = &mut self.bounds.iter();
        let filter = self.filter.predicate(table, answers, bounds);
        match &self.search {
            None => filter,
            Some(search) => Predicate::All(vec![filter, search.predicate(table, answers)]),
        }
    }
}

fn unknown_column(table: &TableDef, name: &str) -> Refusal {
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let message = format!(
        "{} has no column {name:?}; it has {}",
        table.sql_name,
        names.join(", ")
    );
    Refusal::new(ErrorCode::UnknownColumn, message)
}

/// The places of the named columns; all for an empty list.
///
/// # Errors
/// If the table has no such column.
pub fn columns(table: &TableDef, names: &[String]) -> Result<Vec<usize>, Refusal> {
    if names.is_empty() {
        return Ok((0..table.columns.len()).collect());
    }
    if names.len() > table.columns.len() {
        let message = "a window may show each column once".to_owned();
        return Err(Refusal::new(ErrorCode::UnknownColumn, message));
    }
    names
        .iter()
        .map(|name| {
            table
                .column(name)
                .ok_or_else(|| unknown_column(table, name))
        })
        .collect()
}

/// Why PostgreSQL could not read what was asked for.
fn unreadable(error: &sqlx::Error) -> Refusal {
    let unavailable = || {
        let message = "the database cannot be reached now; try again in a moment";
        Refusal::new(ErrorCode::DatabaseUnavailable, message)
    };
    let Some(error) = error.as_database_error() else {
        return unavailable();
    };
    let code = error.code().unwrap_or_default();
    match code.as_bytes() {
        b"57014" => {
            let message = format!(
                "PostgreSQL needs more than {} ms to read this filter; simplify its patterns",
                PLAN_TIMEOUT.as_millis()
            );
            Refusal::new(ErrorCode::QueryTimeout, message)
        }
        [b'5', b'7' | b'3', ..] | [b'0', b'8', ..] => unavailable(),
        // The type lacks what the operator needs; but a value may have a syntax too.
        [b'4', b'2', ..] if code != "42601" => Refusal::new(ErrorCode::BadFilter, error.message()),
        _ => Refusal::new(ErrorCode::BadValue, error.message()),
    }
}
