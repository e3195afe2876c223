//! Summaries with relative dates, moved along with time as views are (see [`super::clockwork`]).

use protocol::ErrorCode;
use tokio::task::JoinSet;

use super::clockwork::{Found, as_they_are, find};
use super::{TableTask, rows_of};
use crate::db::rows::FetchError;
use crate::views::fetching::{Failure, failure};
use crate::views::summaries::query::SummaryNumber;

/// Steps under way.
#[derive(Debug, Default)]
pub(super) struct SummarySteps {
    /// Those that PostgreSQL is asked about.
    pub(super) queries: JoinSet<SummaryStep>,
    /// Those from a state that the table has not reached yet.
    early: Vec<SummaryStep>,
}

/// One summary's step.
#[derive(Debug)]
pub(super) struct SummaryStep {
    summary: SummaryNumber,
    life: u64,
    found: Result<Found, FetchError>,
}

impl TableTask {
    /// Begins the steps that are due at this second since 1970.
    pub(super) fn begin_summary_steps(&mut self, second: i64) {
        for (summary, life, plan) in self.summaries.begin_steps(second) {
            let (around, table) = (self.around.clone(), self.table.clone());
            self.summary_steps.queries.spawn(async move {
                let room = around.fetches.acquire().await;
                let found = find(&around, &table, &plan.rows, second).await;
                drop(room);
                SummaryStep {
                    summary,
                    life,
                    found,
                }
            });
        }
    }

    /// Tries the steps again that were ahead of the table.
    pub(super) async fn take_early_summary_steps(&mut self) {
        for step in std::mem::take(&mut self.summary_steps.early) {
            self.place_summary_step(step).await;
        }
    }

    /// What was ahead of a state that is left behind is of no use.
    pub(super) fn forget_early_steps(&mut self) {
        for step in std::mem::take(&mut self.summary_steps.early) {
            self.summaries.step_ended(step.summary, step.life);
        }
    }

    pub(super) async fn take_summary_step(&mut self, step: SummaryStep) {
        self.place_summary_step(step).await;
        self.refresh_summaries();
    }

    /// Takes a step once the table's state covers the query's.
    async fn place_summary_step(&mut self, step: SummaryStep) {
        let is_ahead = step
            .found
            .as_ref()
            .is_ok_and(|found| !self.mark.snapshot.covers(&found.snapshot));
        if is_ahead {
            self.summary_steps.early.push(step);
            self.around.wake.requested.notify_one();
            return;
        }
        let SummaryStep {
            summary,
            life,
            found,
        } = step;
        if !self.summaries.step_ended(summary, life) {
            return;
        }
        let stepped = match found {
            Ok(found) => self.step_summary(summary, found).await,
            Err(FetchError::Database(error)) => Err(error),
            // The table is about to be planned again.
            Err(FetchError::Decode(_)) => return,
        };
        let Err(error) = stepped else { return };
        match failure(&error) {
            Some(Failure::Timeout) => {
                let message = "moving this summary along with time takes too long; an index on the \
                               column of the relative date would help";
                let code = ErrorCode::QueryTimeout;
                self.summaries.refuse(summary, code, message);
            }
            _ => tracing::debug!(%error, "a summary's step is tried again"),
        }
    }

    async fn step_summary(
        &mut self,
        summary: SummaryNumber,
        found: Found,
    ) -> Result<(), sqlx::Error> {
        let Some(since) = self.history.since(&found.snapshot) else {
            return Ok(());
        };
        let Some(rows) = found.rows else {
            let (table, answers) = (&self.table, &mut self.answers);
            self.summaries
                .step(summary, found.later, None, table, answers);
            return Ok(());
        };
        let rows = as_they_are(rows, since);
        let verdicts = self.ask_verdicts(&rows).await?;
        let pool = &self.around.pool;
        let orders = self.summaries.orders();
        self.answers.place(pool, orders, rows_of(&rows)).await?;
        let (table, answers) = (&self.table, &mut self.answers);
        let moved = Some((&rows, &verdicts));
        self.summaries
            .step(summary, found.later, moved, table, answers);
        Ok(())
    }
}
