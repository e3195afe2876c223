//! The summaries of one table: shared by every client that asks for the same one, and kept by the batches.
//!
//! [`plan`] says what a summary asked for means; [`query`] asks PostgreSQL for groups; the index that
//! follows the batches is [`view_index::summary`]. What a session asks, and when batches and answers are
//! applied, is the table's task's (`views/table/summaries.rs`).

pub mod plan;
pub mod query;
mod summary;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use protocol::{ErrorCode, SummaryId};
use tokio::task::JoinSet;
use tokio::time::Instant;
use view_index::summary::{ShownGroups, SummaryIndex};
use view_index::{OrderColumn, Ranks, Snapshot, TableChanges, Verdicts};

use self::plan::SummaryPlan;
use self::query::{Answer, Questions, Reply, SummaryNumber};
pub use self::summary::ClientSummary;
use self::summary::Summary;
use crate::changes::Mark;
use crate::db::catalog::TableDef;
use crate::limits::{
    GROUPS_PER_TABLE_MAX, SUMMARY_MISTAKES_MAX, SUMMARY_PARAMETERS_MAX, SUMMARY_PARTS_MAX,
    VIEW_IDLE_MAX,
};
use crate::views::answers::Answers;
use crate::views::client::SessionId;
use crate::views::fetching::Failure;
use crate::views::judging::Fault;
use crate::views::plan::{Plan, Refusal};

/// The summaries of one table.
#[derive(Debug, Default)]
pub struct Summaries {
    all: HashMap<SummaryNumber, Summary>,
    next: SummaryNumber,
    /// The queries under way.
    pub queries: JoinSet<Answer>,
    /// Answers from a state that the table has not reached yet.
    pub early: Vec<Answer>,
    /// Those that could not be planned because PostgreSQL was away; tried again when it is back.
    pub unplanned: Vec<ClientSummary>,
    /// Lost extremes are being asked for, by one statement for all summaries.
    is_asking_together: bool,
}

impl Summaries {
    /// Shows a summary to a client: the one that means this, made if there is none.
    pub fn show(
        &mut self,
        shown: ClientSummary,
        plan: SummaryPlan,
        table: &TableDef,
        answers: &mut Answers,
    ) -> SummaryNumber {
        let same = self.all.iter().find(|(_, held)| *held.plan == plan);
        let number = same.map(|(number, _)| *number).unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        let summary = match self.all.entry(number) {
            Entry::Occupied(held) => {
                let summary = held.into_mut();
                summary.put_forward(plan, table, answers);
                summary
            }
            Entry::Vacant(free) => free.insert(Summary::new(plan, table, answers)),
        };
        summary.unused_since = None;
        summary.clients.push(shown);
        summary.tell(table);
        number
    }

    /// The columns of each summary that PostgreSQL is asked about. Without groups there is nothing to be placed
    /// among: an answer under way brings what it needs.
    pub fn orders(&self) -> impl Iterator<Item = &[OrderColumn]> {
        let all = self.all.values();
        let kept = all.filter(|summary| summary.index.is_some());
        kept.map(|summary| summary.asked.as_slice())
    }

    /// Applies a batch to every summary.
    pub fn apply(
        &mut self,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) {
        for summary in self.all.values_mut() {
            let Some(index) = &mut summary.index else {
                continue;
            };
            match index.apply(changes, verdicts, ranks, seen) {
                Ok(false) => {}
                Ok(true) => summary.clients.iter_mut().for_each(|shown| {
                    shown.groups.changed(changes.changed_at_micros);
                }),
                Err(error) => {
                    tracing::warn!(%error, "counting a summary again");
                    summary.rebuild();
                }
            }
        }
        self.refuse_large();
    }

    /// Ends the summaries that have become too large.
    fn refuse_large(&mut self) {
        let mut held = 0;
        // The oldest keep their room.
        let mut numbers: Vec<SummaryNumber> = self.all.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            let Some(summary) = self.all.get_mut(&number) else {
                continue;
            };
            let groups = summary.index.as_ref().map_or(0, SummaryIndex::len);
            let most = summary.plan.groups_max();
            held += groups;
            if groups > most {
                summary.refuse_as_too_large();
                held -= groups;
            } else if held > GROUPS_PER_TABLE_MAX {
                let message = format!(
                    "the summaries of this table have more than {GROUPS_PER_TABLE_MAX} groups in \
                     all; end others first, or ask for fewer groups"
                );
                summary.refuse(ErrorCode::TooManyGroups, &message);
                held -= groups;
            }
        }
    }

    /// Starts anew at a state to which no known way leads; `begin` if it may be another database's.
    pub fn reset(&mut self, begin: bool) {
        for early in std::mem::take(&mut self.early) {
            self.answered(&early);
        }
        let again = if begin {
            Summary::begin
        } else {
            Summary::rebuild
        };
        self.all.values_mut().for_each(again);
    }

    /// Every client's summary, to be planned again for the table's new columns.
    pub fn take_clients(&mut self) -> Vec<ClientSummary> {
        self.early.clear();
        self.is_asking_together = false;
        let all = std::mem::take(&mut self.all).into_values();
        let mut clients: Vec<ClientSummary> = all.flat_map(|summary| summary.clients).collect();
        for shown in &mut clients {
            shown.is_told = false;
            shown.groups.reset();
        }
        clients
    }

    /// Sends every client what is due.
    pub fn refresh(&mut self, mark: &Mark) {
        let all = self.all.values_mut();
        all.for_each(|summary| summary.refresh(mark));
    }

    /// Does something with one client's summary, and sends what is due to it.
    pub fn with(
        &mut self,
        session: SessionId,
        id: SummaryId,
        mark: &Mark,
        act: impl FnOnce(&mut ShownGroups),
    ) {
        for summary in self.all.values_mut() {
            let mut clients = summary.clients.iter_mut();
            if let Some(shown) = clients.find(|shown| shown.is(session, id)) {
                act(&mut shown.groups);
                if let Some(index) = &summary.index {
                    shown.refresh(index, &summary.plan.rows.version(mark));
                }
                return;
            }
        }
        let mut unplanned = self.unplanned.iter_mut();
        if let Some(shown) = unplanned.find(|shown| shown.is(session, id)) {
            act(&mut shown.groups);
        }
    }

    /// Forgets the clients' summaries for which `gone` holds.
    pub fn remove(&mut self, gone: impl Fn(&ClientSummary) -> bool) {
        self.unplanned.retain(|shown| !gone(shown));
        for summary in self.all.values_mut() {
            summary.clients.retain(|shown| !gone(shown));
            if summary.clients.is_empty() && summary.unused_since.is_none() {
                summary.unused_since = Some(Instant::now());
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.unplanned.is_empty()
    }

    /// Drops the summaries that nobody has shown for a while.
    pub fn drop_unused(&mut self, answers: &mut Answers) {
        self.all.retain(|_, summary| {
            let is_unused = summary
                .unused_since
                .is_some_and(|since| since.elapsed() > VIEW_IDLE_MAX);
            if is_unused {
                answers.release(&summary.predicate.asked());
            }
            !is_unused
        });
    }

    /// Whether any summary moves along with time.
    pub fn are_relative(&self) -> bool {
        let mut all = self.all.values();
        all.any(|summary| summary.plan.rows.is_relative())
    }

    /// The summaries that are behind this second, since 1970, and the life of each; they are not asked about
    /// otherwise until the step has [ended](Self::step_ended).
    pub fn begin_steps(&mut self, second: i64) -> Vec<(SummaryNumber, u64, Arc<SummaryPlan>)> {
        let is_due = |summary: &Summary| {
            let index = summary.index.as_ref();
            !summary.is_under_way
                && index.is_some_and(|index| !index.is_in_doubt())
                && summary.plan.rows.is_behind(second)
        };
        let mut due = Vec::new();
        for (&number, summary) in self.all.iter_mut().filter(|(_, held)| is_due(held)) {
            summary.is_under_way = true;
            due.push((number, summary.life, summary.plan.clone()));
        }
        due
    }

    /// A step has ended; `false` if it is of no use any more.
    pub fn step_ended(&mut self, number: SummaryNumber, life: u64) -> bool {
        let held = self.all.get_mut(&number);
        held.is_some_and(|summary| {
            summary.is_under_way = false;
            summary.life == life
        })
    }

    /// Moves a summary to a later instant; with `None` it is counted again there.
    pub fn step(
        &mut self,
        number: SummaryNumber,
        later: Plan,
        rows: Option<(&TableChanges, &Verdicts)>,
        table: &TableDef,
        answers: &mut Answers,
    ) {
        let Some(summary) = self.all.get_mut(&number) else {
            return;
        };
        let predicate = later.predicate(table, answers);
        answers.release(&summary.predicate.asked());
        summary.predicate = predicate.clone();
        summary.plan = Arc::new(summary.plan.of(later));
        let moved = match (&mut summary.index, rows) {
            (Some(index), Some((rows, verdicts))) => {
                index.advance(predicate, rows, verdicts, answers.ranks())
            }
            _ => {
                summary.begin();
                return;
            }
        };
        if let Err(error) = moved {
            tracing::warn!(table = table.sql_name, %error, "counting a summary again");
            summary.rebuild();
        }
        self.refuse_large();
    }

    /// Ends a summary.
    pub fn refuse(&mut self, number: SummaryNumber, code: ErrorCode, message: &str) {
        if let Some(summary) = self.all.get_mut(&number) {
            summary.refuse(code, message);
        }
    }

    /// Ends the summaries whose filter PostgreSQL cannot judge.
    pub fn expel(&mut self, fault: &Fault, answers: &mut Answers) {
        self.all.retain(|_, summary| {
            let asked = summary.predicate.asked();
            let is_meant = asked.contains(&fault.condition);
            if is_meant {
                summary.refuse(fault.code, &fault.message);
                answers.release(&asked);
            }
            !is_meant
        });
    }

    /// What must be asked now; each list by one statement. A summary's first groups are asked for by
    /// themselves. Everything that batches make necessary is asked together.
    pub fn due(&mut self) -> Vec<Questions> {
        let (mut due, mut together) = (Vec::new(), Vec::new());
        let (mut parts, mut parameters) = (0, 0);
        for (&number, summary) in &mut self.all {
            let Some(question) = summary.question(number) else {
                continue;
            };
            if summary.index.is_none() || summary.is_alone {
                summary.is_under_way = true;
                due.push(Questions {
                    is_together: false,
                    questions: vec![question],
                });
                continue;
            }
            let (more_parts, more_parameters) = question.size();
            parts += more_parts;
            parameters += more_parameters;
            let fits = parts <= SUMMARY_PARTS_MAX && parameters <= SUMMARY_PARAMETERS_MAX;
            if !self.is_asking_together && (fits || together.is_empty()) {
                summary.is_under_way = true;
                together.push(question);
            }
        }
        if !together.is_empty() {
            self.is_asking_together = true;
            due.push(Questions {
                is_together: true,
                questions: together,
            });
        }
        due
    }

    /// A query has ended.
    pub fn answered(&mut self, answer: &Answer) {
        if answer.is_together {
            self.is_asking_together = false;
        }
        for (number, _) in &answer.questions {
            if let Some(summary) = self.all.get_mut(number) {
                summary.is_under_way = false;
            }
        }
    }

    /// A query has failed.
    pub fn failed(&mut self, answer: &Answer, failure: &Failure) {
        let Refusal { code, message } = refusal(failure);
        for (number, life) in &answer.questions {
            let Some(summary) = self.all.get_mut(number).filter(|held| held.life == *life) else {
                continue;
            };
            if answer.questions.len() > 1 {
                // One of them is to blame.
                summary.is_alone = true;
            } else {
                summary.refuse(code, &message);
            }
        }
    }

    /// Ends the summaries that are too large, and leaves the replies that are still of use. Of a large one only so
    /// many groups were asked for as show it, so changes of the others could not be applied.
    pub fn sift(&mut self, replies: &mut Vec<Reply>) {
        replies.retain(|reply| {
            let Some(summary) = self.all.get_mut(&reply.summary) else {
                return false;
            };
            if summary.is_too_large(reply) {
                summary.refuse_as_too_large();
            }
            summary.life == reply.life
        });
    }

    /// Takes in an answer, and the changes since the state it was given at.
    pub fn settle(
        &mut self,
        reply: Reply,
        table: &TableDef,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) {
        let held = self.all.get_mut(&reply.summary);
        let Some(summary) = held.filter(|held| held.life == reply.life) else {
            return;
        };
        match summary.settle(reply, changes, verdicts, ranks, seen) {
            Ok(()) => summary.tell(table),
            Err(error) => {
                tracing::warn!(table = table.sql_name, %error, "counting a summary again");
                summary.mistakes += 1;
                if summary.mistakes > SUMMARY_MISTAKES_MAX {
                    let message = "the summary cannot be kept; the server's log says why";
                    summary.refuse(ErrorCode::Internal, message);
                } else {
                    summary.rebuild();
                }
            }
        }
        self.refuse_large();
    }
}

fn refusal(failure: &Failure) -> Refusal {
    let (code, message) = match failure {
        Failure::SchemaChanged => (
            ErrorCode::UnknownColumn,
            "the table's columns changed: ask for the summary again".to_owned(),
        ),
        Failure::Timeout => (
            ErrorCode::QueryTimeout,
            "counting the groups took too long; a narrower filter, or an index on its columns, \
             would help"
                .to_owned(),
        ),
        Failure::Refused(message) => (ErrorCode::Internal, message.clone()),
        Failure::NoIndex(message) => (ErrorCode::NoIndex, message.clone()),
    };
    Refusal { code, message }
}
