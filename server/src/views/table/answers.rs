//! Fetched rows, brought from their query's state to the table's.

use protocol::{ErrorCode, ResetReason};
use view_index::{ViewError, ViewIndex};

use super::{TableTask, rows_of};
use crate::db::rows::Slice;
use crate::views::fetching::{Answer, Failure, Question};

impl TableTask {
    pub(super) async fn take_answer(&mut self, answer: Answer) {
        let view = answer.question.view;
        self.place_answer(answer).await;
        self.refresh(view, None);
    }

    /// Adds fetched rows to their view once the table's state covers the query's.
    pub(super) async fn place_answer(&mut self, answer: Answer) {
        let Answer { question, slice } = answer;
        let Some(view) = self.views.get_mut(&question.view) else {
            return;
        };
        if view.life != question.life {
            return view.answered(&question);
        }
        let slice = match slice {
            Ok(slice) => slice,
            Err(failure) => return self.report_failure(&question, failure),
        };
        let reached = self
            .mark
            .as_ref()
            .is_some_and(|mark| mark.snapshot.covers(&slice.snapshot));
        if !reached {
            self.early.push(Answer {
                question,
                slice: Ok(slice),
            });
            self.around.wake.requested.notify_one();
            return;
        }
        view.answered(&question);
        match self.catch_up(&question, slice).await {
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
            Failure::Timeout => {
                let message = "the query took too long; an index on the sorted and filtered \
                               columns would help";
                (ErrorCode::QueryTimeout, message.to_owned())
            }
            Failure::Refused(message) => (ErrorCode::Internal, message),
        };
        view.answered(question);
        view.refuse(&question.range, code, &message);
    }

    /// Brings fetched rows from the query's state to the table's, and into their view.
    async fn catch_up(&mut self, question: &Question, slice: Slice) -> Result<(), CatchUpError> {
        let Some(changes) = self.history.since(&slice.snapshot) else {
            return Ok(());
        };
        let verdicts = self.ask_verdicts(&changes).await?;
        let Some(view) = self.views.get_mut(&question.view) else {
            return Ok(());
        };
        let pool = &self.around.pool;
        let order = std::iter::once(view.plan.order.as_slice());
        let rows = slice
            .fetched
            .rows
            .iter()
            .map(AsRef::as_ref)
            .chain(rows_of(&changes));
        self.answers.place(pool, order, rows).await?;
        let ranks = self.answers.ranks();
        let order = view_index::Order::new(view.plan.order.clone());
        view.hold_at(&slice.fetched, &order, ranks)
            .map_err(ViewError::from)?;
        let mut piece = match (&view.index, slice.total) {
            (Some(index), _) => index.piece(slice.fetched, ranks)?,
            (None, Some(total)) => {
                ViewIndex::new(order, view.predicate.clone(), slice.fetched, total, ranks)?
            }
            (None, None) => return Ok(()),
        };
        piece.apply(&changes, &verdicts, ranks, &slice.snapshot)?;
        match &mut view.index {
            Some(index) => index.adopt(piece).map_err(ViewError::from)?,
            None => {
                piece.check().map_err(ViewError::from)?;
                view.index = Some(piece);
            }
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    View(#[from] ViewError),
}
