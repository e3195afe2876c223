//! Rows and counts that queries found, brought from their query's state to the table's.

use std::sync::Arc;

use protocol::{ErrorCode, ResetReason};
use view_index::{Bound, ChartBlock, Fetched, Sizes, Snapshot, TableChanges, TableRow, Verdicts};
use view_index::{Total, ViewError, ViewIndex};

use super::{TableTask, rows_of};
use crate::views::budget::Share;
use crate::views::fetching::{Answer, Asked, Contents, Failure, Found, Kind, Outcome, Question};
use crate::views::view::ViewId;

impl TableTask {
    pub(super) async fn take_answer(&mut self, answer: Answer) {
        let view = answer.question.view;
        self.place_answer(answer).await;
        self.refresh(view, None);
        self.tell_opening(view);
    }

    /// Adds what was found to its view once the table's state covers the query's.
    pub(super) async fn place_answer(&mut self, answer: Answer) {
        let Answer { question, outcome } = answer;
        let Some(view) = self.views.get_mut(&question.view) else {
            return;
        };
        if view.life != question.life {
            return view.answered(&question);
        }
        let found = match outcome {
            Outcome::Found(found) => found,
            Outcome::Needless => return view.answered(&question),
            Outcome::Failed(Failure::SchemaChanged) if self.is_described_anew().await => return,
            Outcome::Failed(failure) => return self.report_failure(&question, failure),
        };
        if !self.mark.snapshot.covers(&found.snapshot) {
            let outcome = Outcome::Found(found);
            self.early.push(Answer { question, outcome });
            self.around.wake.requested.notify_one();
            return;
        }
        view.answered(&question);
        match self.catch_up(&question, found).await {
            Ok(()) => {}
            Err(CatchUpError::Database(error)) => {
                tracing::debug!(%error, "fetched rows cannot be placed; fetching them again");
            }
            Err(CatchUpError::View(error)) => {
                tracing::warn!(table = self.table.sql_name, %error, "rebuilding a view");
                if let Some(view) = self.views.get_mut(&question.view) {
                    view.rebuild(ResetReason::TooManyChanges);
                }
            }
        }
    }

    fn report_failure(&mut self, question: &Question, failure: Failure) {
        let Some(view) = self.views.get_mut(&question.view) else {
            return;
        };
        let (code, message) = match failure {
            Failure::SchemaChanged => {
                let message = "the table's columns changed: open the window again";
                (ErrorCode::UnknownColumn, message.to_owned())
            }
            Failure::Timeout if question.what.kind() == Kind::Rows => {
                view.answered(question);
                return self.refuse_slow(question);
            }
            Failure::Timeout => {
                let limit = self.around.timeouts.count.as_secs_f64();
                let message = format!(
                    "counting the view took longer than the {limit} s that are allowed; its first and last rows can \
                     be shown, others need the index that its advice names"
                );
                (ErrorCode::QueryTimeout, message)
            }
            Failure::Refused(message) => (ErrorCode::Internal, message),
            Failure::NoIndex(message) => (ErrorCode::NoIndex, message),
        };
        view.answered(question);
        match &question.what {
            // The chart may tell all the same, or why there is none.
            Asked::Count { .. } => view.is_untallied = true,
            Asked::Chart { .. } => {
                view.give_up_counting(message, code == ErrorCode::NoIndex);
            }
            // Without its first rows nothing of the view can be shown.
            Asked::First { .. } => view.refuse_if(|_| true, code, &message),
            Asked::Rows { .. } | Asked::Listed { .. } => {
                view.refuse(question.what.positions().as_ref(), code, &message);
            }
        }
    }

    /// Brings what was found from the query's state to the table's, and into its view.
    async fn catch_up(&mut self, question: &Question, found: Found) -> Result<(), CatchUpError> {
        let since = match &question.what {
            Asked::Listed { listed_at, .. } => listed_at,
            _ => &found.snapshot,
        };
        let Some(changes) = self.history.since(since) else {
            return Ok(());
        };
        let Some(plan) = self.views.get(&question.view).map(|view| view.plan.clone()) else {
            return Ok(());
        };
        let changes = self.ranked_for(&plan, changes).await?;
        let verdicts = self.ask_verdicts(&changes).await?;
        let pool = &self.around.pool;
        let order = std::iter::once(plan.order.as_slice());
        let rows = found.contents.rows().map(AsRef::as_ref);
        self.answers
            .place(pool, order, rows.chain(rows_of(&changes)))
            .await?;
        let caught_up = CaughtUp {
            changes,
            verdicts,
            seen: since.clone(),
        };
        match found.contents {
            Contents::Rows(fetched, position) => {
                self.hold(question.view, found.total, (fetched, position), &caught_up)?;
            }
            Contents::Count(rows) => self.tally(question.view, rows, &caught_up)?,
            Contents::Chart(blocks) => {
                if let Asked::Chart { lower, upper, .. } = &question.what {
                    let range = (lower.clone(), upper.clone());
                    self.divide(question.view, range, (blocks, found.room), &caught_up)?;
                }
            }
        }
        Ok(())
    }

    /// Holds fetched rows; makes the view's index if these are its first.
    fn hold(
        &mut self,
        view: ViewId,
        total: Option<Total>,
        fetched: (Fetched, u64),
        since: &CaughtUp,
    ) -> Result<(), ViewError> {
        let Some(view) = self.views.get_mut(&view) else {
            return Ok(());
        };
        let ranks = self.answers.ranks();
        let order = view_index::Order::new(view.plan.order.clone());
        view.hold_at((&fetched.0, fetched.1), &order, ranks)?;
        let (changes, seen) = ((&since.changes, &since.verdicts), &since.seen);
        if let (None, Some(total)) = (&view.index, total) {
            let predicate = view.predicate.clone();
            let mut index = ViewIndex::new(order, predicate, total, Sizes::default());
            index.apply(changes.0, changes.1, ranks, seen)?;
            view.index = Some(index);
        }
        let Some(index) = &mut view.index else {
            return Ok(());
        };
        let mut piece = index.piece(fetched.0, ranks)?;
        index.bring(&mut piece, changes, ranks, seen)?;
        index.adopt(piece)?;
        Ok(())
    }

    /// Makes a view's total exact.
    fn tally(&mut self, view: ViewId, rows: u64, since: &CaughtUp) -> Result<(), ViewError> {
        let index = self
            .views
            .get_mut(&view)
            .and_then(|view| view.index.as_mut());
        let Some(index) = index else {
            return Ok(());
        };
        let mut tally = index.tally(rows);
        let (changes, ranks) = ((&since.changes, &since.verdicts), self.answers.ranks());
        index.bring_tally(&mut tally, changes, ranks, &since.seen)?;
        index.adopt_tally(tally)?;
        Ok(())
    }

    /// Divides a view as a chart says.
    fn divide(
        &mut self,
        view: ViewId,
        range: (Bound, Option<Bound>),
        (blocks, room): (Vec<ChartBlock>, Option<Share>),
        since: &CaughtUp,
    ) -> Result<(), ViewError> {
        let Some(view) = self.views.get_mut(&view) else {
            return Ok(());
        };
        let Some(index) = &mut view.index else {
            return Ok(());
        };
        let remembers_keys = blocks.first().is_some_and(|block| block.keys.is_some());
        view.opening.divided(remembers_keys);
        let ranks = self.answers.ranks();
        let mut chart = index.chart(range, blocks, ranks)?;
        let changes = (&since.changes, &since.verdicts);
        index.bring_chart(&mut chart, changes, ranks, &since.seen)?;
        index.adopt_chart(chart)?;
        let is_counted = index.total_is_exact();
        let (rows, blocks, bytes) = (index.total(), index.blocks(), index.bytes());
        tracing::debug!(
            table = self.table.sql_name,
            rows,
            blocks,
            bytes,
            "a view is divided"
        );
        if is_counted {
            view.break_off_count();
        }
        // The room that was made for it is the view's share from now on.
        if let Some(room) = room {
            view.share = Some(room);
        }
        let budget = &self.around.budget;
        let share = view.share.get_or_insert_with(|| budget.take());
        share.divided(bytes, view.id, &self.own_commands);
        Ok(())
    }
}

/// What happened between a query and the table's state.
struct CaughtUp {
    changes: TableChanges,
    verdicts: Verdicts,
    /// The state that the query saw.
    seen: Snapshot,
}

impl Contents {
    /// Every row in it.
    fn rows(&self) -> impl Iterator<Item = &Arc<TableRow>> + Clone {
        let (rows, blocks): (&[Arc<TableRow>], &[ChartBlock]) = match self {
            Self::Rows(fetched, _) => (&fetched.rows, &[]),
            Self::Count(_) => (&[], &[]),
            Self::Chart(blocks) => (&[], blocks),
        };
        rows.iter().chain(blocks.iter().map(|block| &block.first))
    }
}

#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    View(#[from] ViewError),
}

impl From<view_index::KeyError> for CatchUpError {
    fn from(error: view_index::KeyError) -> Self {
        Self::View(error.into())
    }
}
