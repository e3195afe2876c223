//! How long a query may take, by what it is for.
//!
//! Every connection of the pool carries the limits as settings of its own (`rowcast.…_timeout`), so that
//! whoever runs a statement names its class and nothing else. A statement that takes longer is cancelled by
//! PostgreSQL itself, and its connection is as good as before.

use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use crate::limits::{
    CATALOGUE_TIMEOUT, CHART_TIMEOUT, EDIT_TIMEOUT, EXPORT_TIMEOUT, QUERY_TIMEOUT, SUMMARY_TIMEOUT,
};

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryClass {
    /// Rows that somebody waits to see: what every statement has that says nothing else.
    FirstRows,
    /// Counting a view, in the background.
    Count,
    /// Groups, totals and distinct values.
    Summary,
    /// A whole result.
    Export,
    /// Writing a row.
    Edit,
    /// What tables there are.
    Catalogue,
}

/// How long a statement of each class may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// See [`QueryClass::FirstRows`].
    pub first_rows: Duration,
    /// See [`QueryClass::Count`].
    pub count: Duration,
    /// See [`QueryClass::Summary`].
    pub summary: Duration,
    /// See [`QueryClass::Export`].
    pub export: Duration,
    /// See [`QueryClass::Edit`].
    pub edit: Duration,
    /// See [`QueryClass::Catalogue`].
    pub catalogue: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_rows: QUERY_TIMEOUT,
            count: CHART_TIMEOUT,
            summary: SUMMARY_TIMEOUT,
            export: EXPORT_TIMEOUT,
            edit: EDIT_TIMEOUT,
            catalogue: CATALOGUE_TIMEOUT,
        }
    }
}

impl Timeouts {
    /// The limit of one class.
    pub fn of(&self, class: QueryClass) -> Duration {
        match class {
            QueryClass::FirstRows => self.first_rows,
            QueryClass::Count => self.count,
            QueryClass::Summary => self.summary,
            QueryClass::Export => self.export,
            QueryClass::Edit => self.edit,
            QueryClass::Catalogue => self.catalogue,
        }
    }

    /// SQL that gives a new connection its limits.
    pub fn session_settings(&self) -> String {
        let mut sql = setting("statement_timeout", self.first_rows);
        for class in QueryClass::ALL {
            sql.push_str(&setting(class.setting(), self.of(class)));
        }
        sql
    }
}

fn setting(name: &str, limit: Duration) -> String {
    format!("SET {name} = '{} ms';", limit.as_millis().max(1))
}

impl QueryClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::FirstRows,
        Self::Count,
        Self::Summary,
        Self::Export,
        Self::Edit,
        Self::Catalogue,
    ];

    fn setting(self) -> &'static str {
        match self {
            Self::FirstRows => "rowcast.first_rows_timeout",
            Self::Count => "rowcast.count_timeout",
            Self::Summary => "rowcast.summary_timeout",
            Self::Export => "rowcast.export_timeout",
            Self::Edit => "rowcast.edit_timeout",
            Self::Catalogue => "rowcast.catalogue_timeout",
        }
    }

    /// SQL that gives the class's limit to the rest of a transaction; on a connection without limits of its own it
    /// changes nothing.
    pub fn set_local(self) -> String {
        format!(
            "SELECT set_config('statement_timeout', \
             coalesce(current_setting('{}', true), current_setting('statement_timeout')), true)",
            self.setting()
        )
    }
}

/// A transaction whose statements may take as long as their class allows: one round trip.
///
/// # Errors
/// If PostgreSQL cannot be asked.
pub async fn begin(
    pool: &PgPool,
    class: QueryClass,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // Compiling expressions can pay where all rows are read.
    let jit = match class {
        QueryClass::Summary => "SET LOCAL jit TO DEFAULT; ",
        _ => "",
    };
    let sql = format!("BEGIN; {jit}{}", class.set_local());
    pool.begin_with(AssertSqlSafe(sql)).await
}
