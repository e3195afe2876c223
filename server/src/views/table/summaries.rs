//! What sessions ask of a table's summaries, and when batches and answers are applied to them.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{ErrorCode, ResetReason, ServerMsg, Summarize, SummaryRefused};
use view_index::summary::ShownGroups;

use super::{TableTask, rows_of};
use crate::db::catalog::TableDef;
use crate::views::client::{ClientRef, SessionId};
use crate::views::summaries::ClientSummary;
use crate::views::summaries::plan::SummaryPlan;
use crate::views::summaries::query::{Answer, Found, answer};

/// What a session asks of a table's summaries.
#[derive(Debug)]
pub enum SummaryCommand {
    /// Keeps a summary; the session holds its number taken for as long as the lease is held.
    Summarize(ClientRef, Arc<()>, Box<Summarize>),
    /// Shows other groups.
    Show(SessionId, protocol::ShowGroups),
    /// A message has been applied.
    Acknowledge(SessionId, protocol::AckSummary),
    /// Ends a summary.
    End(SessionId, protocol::SummaryId),
}

impl SummaryCommand {
    /// Tells the client, if it asked for a summary, why there is none.
    pub fn refuse(self, code: ErrorCode, message: impl Into<String>) {
        if let Self::Summarize(client, _, asked) = self {
            client.send(ServerMsg::SummaryRefused(SummaryRefused {
                summary: asked.summary,
                code,
                message: message.into(),
            }));
        }
    }
}

impl TableTask {
    pub(super) async fn take_summary_command(&mut self, command: SummaryCommand) {
        let mark = &self.mark;
        match command {
            SummaryCommand::Summarize(client, lease, asked) => {
                let Summarize {
                    summary,
                    generation,
                    start,
                    count,
                    ..
                } = *asked;
                self.keep_or_refuse(ClientSummary {
                    client,
                    _lease: lease,
                    groups: ShownGroups::new(summary, generation, start, count),
                    asked: *asked,
                    is_told: false,
                })
                .await;
                self.refresh_summaries();
            }
            SummaryCommand::Show(session, show) => {
                self.summaries.with(session, show.summary, mark, |groups| {
                    groups.acknowledge(show.received);
                    groups.move_to(show.generation, show.start, show.count);
                });
            }
            SummaryCommand::Acknowledge(session, ack) => {
                self.summaries.with(session, ack.summary, mark, |groups| {
                    groups.acknowledge(ack.number);
                });
            }
            SummaryCommand::End(session, summary) => {
                self.summaries.remove(|shown| shown.is(session, summary));
            }
        }
    }

    async fn keep_or_refuse(&mut self, shown: ClientSummary) {
        let pool = &self.around.pool;
        let plan = SummaryPlan::new(&shown.asked, &self.table, &mut self.answers, pool).await;
        // Bounds that do not ascend are found out here.
        let checked = plan.and_then(|plan| {
            if plan.needs_bounds() {
                return Ok(plan);
            }
            let bounds = plan.given_bounds();
            plan.shape(&self.table, &bounds).map(|_| plan)
        });
        match checked {
            Ok(plan) => {
                self.summaries
                    .show(shown, plan, &self.table, &mut self.answers);
            }
            Err(refusal) if refusal.code == ErrorCode::DatabaseUnavailable => {
                self.summaries.unplanned.push(shown);
            }
            Err(refusal) => shown.refuse(refusal.code, refusal.message),
        }
    }

    /// Tries the summaries again that could not be planned.
    pub(super) async fn keep_unplanned(&mut self) {
        for shown in std::mem::take(&mut self.summaries.unplanned) {
            self.keep_or_refuse(shown).await;
        }
    }

    /// Plans every summary again for the table's new columns; what no longer fits is refused.
    pub(super) async fn replan_summaries(&mut self) {
        for shown in self.summaries.take_clients() {
            self.keep_or_refuse(shown).await;
        }
    }

    /// The table is gone, or no longer live.
    pub(super) fn leave_summaries(&mut self) {
        let name = &self.table.sql_name;
        let (code, message) = match &self.leaving {
            Some(Some(table)) => (ErrorCode::BadSummary, not_live(table)),
            _ => (
                ErrorCode::UnknownTable,
                format!("{name} is no longer there"),
            ),
        };
        for shown in self.summaries.take_clients() {
            shown.refuse(code, message.as_str());
        }
    }

    /// Sends every client what is due, and asks what must be asked first.
    pub(super) fn refresh_summaries(&mut self) {
        self.summaries.refresh(&self.mark);
        for questions in self.summaries.due() {
            let (around, table) = (self.around.clone(), self.table.clone());
            self.summaries
                .queries
                .spawn(answer(questions, around, table));
        }
    }

    pub(super) async fn take_summary_answer(&mut self, answer: Answer) {
        self.place_summary_answer(answer).await;
        self.refresh_summaries();
    }

    /// Applies the answers that came from a state which the table has reached by now.
    pub(super) async fn place_early_summaries(&mut self) {
        for answer in std::mem::take(&mut self.summaries.early) {
            self.place_summary_answer(answer).await;
        }
        self.take_early_summary_steps().await;
    }

    /// Starts anew at a state to which no known way leads.
    pub(super) fn reset_summaries(&mut self, reason: ResetReason) {
        self.forget_early_steps();
        let begin = matches!(reason, ResetReason::EpochChanged);
        self.summaries.reset(begin);
    }

    async fn place_summary_answer(&mut self, mut answer: Answer) {
        if let Ok((snapshot, replies)) = &mut answer.outcome {
            // Whatever the table's state: while many rows change it may be a while until it is the query's.
            self.summaries.sift(replies);
            let is_ahead = !self.mark.snapshot.covers(snapshot);
            if is_ahead && !replies.is_empty() {
                self.summaries.early.push(answer);
                self.around.wake.requested.notify_one();
                return;
            }
        }
        self.summaries.answered(&answer);
        if let Err(failure) = &answer.outcome {
            return self.summaries.failed(&answer, failure);
        }
        if let Err(error) = self.catch_up_summaries(answer).await {
            tracing::debug!(%error, "groups cannot be placed; asking for them again");
        }
    }

    /// Brings groups from the query's state to the table's.
    async fn catch_up_summaries(&mut self, answer: Answer) -> Result<(), sqlx::Error> {
        let Ok((snapshot, replies)) = answer.outcome else {
            return Ok(());
        };
        if replies.is_empty() {
            return Ok(());
        }
        // Asked again if what has changed since is no longer known.
        let Some(changes) = self.history.since(&snapshot) else {
            return Ok(());
        };
        let verdicts = self.ask_verdicts(&changes).await?;
        let pool = &self.around.pool;
        let mut texts = HashMap::new();
        for reply in &replies {
            reply.collect_texts(&mut texts);
        }
        self.answers.learn(pool, texts).await?;
        let asked: Vec<_> = replies
            .iter()
            .map(|reply| reply.known.shape.asked())
            .collect();
        let orders = asked.iter().map(Vec::as_slice);
        self.answers.place(pool, orders, rows_of(&changes)).await?;
        let ranks = self.answers.ranks();
        for mut reply in replies {
            if let (Some(sabotage), Found::Settled(settled)) =
                (self.around.sabotage, &mut reply.found)
            {
                sabotage.settled(settled);
            }
            self.summaries
                .settle(reply, &self.table, &changes, &verdicts, ranks, &snapshot);
        }
        Ok(())
    }
}

/// Why a table that is polled has no summaries.
pub fn not_live(table: &TableDef) -> String {
    format!(
        "{} is not live, and only live tables have summaries; SELECT rowcast.watch('{}') in the \
         database makes a table live that can be",
        table.sql_name,
        table.sql_name.replace('\'', "''"),
    )
}
