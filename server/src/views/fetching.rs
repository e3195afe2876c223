//! Queries for the rows of a view that are under way.

use std::ops::Range;
use std::sync::Arc;

use tokio::time::sleep;

use super::plan::Plan;
use super::table::Surroundings;
use super::view::ViewId;
use crate::db::catalog::TableDef;
use crate::db::rows::{FetchError, Slice, fetch};
use crate::limits::{FETCH_MARGIN, FETCH_RETRY};

/// A query's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The view.
    pub view: ViewId,
    /// Which life of the view: an answer for an earlier one is of no use.
    pub life: u64,
    /// The positions asked for.
    pub range: Range<u64>,
    /// Whether the view's total is asked for too.
    pub with_total: bool,
}

/// A query's answer.
#[derive(Debug)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The rows, or why there are none.
    pub slice: Result<Slice, Failure>,
}

/// Why a query has no answer and is not tried again.
#[derive(Debug)]
pub enum Failure {
    /// The table's columns changed; its views are about to be rebuilt.
    SchemaChanged,
    /// PostgreSQL refused it.
    Refused(String),
    /// It took too long.
    Timeout,
}

impl Question {
    /// A missing range, and some rows around it.
    pub fn around(view: ViewId, life: u64, missing: &Range<u64>, with_total: bool) -> Self {
        let start = missing.start.saturating_sub(FETCH_MARGIN);
        let end = missing.end.saturating_add(FETCH_MARGIN);
        Self {
            view,
            life,
            range: start..end,
            with_total,
        }
    }

    /// Asks until there is an answer: as long as PostgreSQL cannot be reached, again and again.
    pub async fn ask(self, around: Surroundings, table: Arc<TableDef>, plan: Arc<Plan>) -> Answer {
        loop {
            // Never closed; and if it were, the pool would still bound the queries.
            let room = around.fetches.acquire().await;
            let Range { start, end } = self.range;
            let asked = fetch(
                &around.pool,
                &table,
                &plan.condition,
                &plan.order,
                start,
                end - start,
                self.with_total,
            );
            let asked = asked.await;
            drop(room);
            let failure = match asked {
                Ok(slice) => {
                    return Answer {
                        question: self,
                        slice: Ok(slice),
                    };
                }
                Err(FetchError::Decode(_)) => Failure::SchemaChanged,
                Err(FetchError::Database(error)) => match failure(&error) {
                    Some(failure) => failure,
                    None => {
                        tracing::debug!(%error, "a view's rows cannot be fetched; trying again");
                        sleep(FETCH_RETRY).await;
                        continue;
                    }
                },
            };
            return Answer {
                question: self,
                slice: Err(failure),
            };
        }
    }
}

/// What an error says about the query itself; `None` if it says something about the connection.
fn failure(error: &sqlx::Error) -> Option<Failure> {
    let error = error.as_database_error()?;
    match error.code()?.as_bytes() {
        b"57014" => Some(Failure::Timeout),
        // The table is being altered: what comes of it is told by the change log.
        b"55P03" => None,
        b"42703" | b"42P01" | b"42804" | b"42883" | b"0A000" => Some(Failure::SchemaChanged),
        // The server stops or starts, has no room for a connection, or lost a race.
        [b'5', b'7', ..] | [b'5', b'3', ..] | [b'0', b'8', ..] | [b'4', b'0', ..] => None,
        _ => Some(Failure::Refused(error.message().to_owned())),
    }
}
