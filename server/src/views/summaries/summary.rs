//! One summary, and who shows it.

use std::sync::Arc;

use protocol::{ErrorCode, ServerMsg, Summarize, SummaryId, SummaryRefused, Version};
use tokio::time::Instant;
use view_index::summary::{Shape, ShownGroups, SummaryError, SummaryIndex};
use view_index::{OrderColumn, Predicate, Ranks, Snapshot, TableChanges, Verdicts};

use super::plan::SummaryPlan;
use super::query::{Asked, Found, Known, Question, Reply, SummaryNumber};
use crate::changes::Mark;
use crate::db::catalog::TableDef;
use crate::limits::DOUBTS_PER_SUMMARY_MAX;
use crate::views::answers::Answers;
use crate::views::client::{ClientRef, SessionId};

/// One summary, and who shows it.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) plan: Arc<SummaryPlan>,
    pub(super) predicate: Predicate,
    /// `None` until bounds of buckets are chosen.
    pub(super) known: Option<Arc<Known>>,
    /// The columns that PostgreSQL is asked about.
    pub(super) asked: Vec<OrderColumn>,
    /// Its groups; `None` until they are there.
    pub(super) index: Option<SummaryIndex>,
    /// Counts how often it was built.
    pub(super) life: u64,
    /// The first life of what it is asked to be now, by those who ask: what was found out in an earlier one says
    /// nothing of it.
    first_life: u64,
    pub(super) is_under_way: bool,
    /// A question about it together with others failed: it is asked about by itself.
    pub(super) is_alone: bool,
    /// How often in a row it could not be kept.
    pub(super) mistakes: u32,
    pub(super) clients: Vec<ClientSummary>,
    /// Since when nobody shows it.
    pub(super) unused_since: Option<Instant>,
}

/// One client's summary.
#[derive(Debug)]
pub struct ClientSummary {
    /// Whose it is.
    pub client: ClientRef,
    /// Keeps the summary's number taken in its session.
    pub _lease: Arc<()>,
    /// What it asked for.
    pub asked: Summarize,
    /// What it shows.
    pub groups: ShownGroups,
    /// Whether the client was told the keys and values.
    pub is_told: bool,
}

impl ClientSummary {
    /// Whether it is this one.
    pub fn is(&self, session: SessionId, summary: SummaryId) -> bool {
        self.client.session == session && self.groups.id() == summary
    }

    /// Tells the client why there is no summary.
    pub fn refuse(&self, code: ErrorCode, message: impl Into<String>) {
        self.client.send(ServerMsg::SummaryRefused(SummaryRefused {
            summary: self.groups.id(),
            code,
            message: message.into(),
        }));
    }

    pub(super) fn refresh(&mut self, index: &SummaryIndex, version: &Version) {
        if let Some(update) = self.groups.refresh(index, version) {
            self.client.send(ServerMsg::Summary(update));
        }
    }
}

/// A table's task that panicked cannot keep its summaries any more: their clients reconnect.
impl Drop for ClientSummary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.client.cut();
        }
    }
}

impl Summary {
    pub(super) fn tell(&mut self, table: &TableDef) {
        let Some(known) = &self.known else { return };
        for shown in self.clients.iter_mut().filter(|shown| !shown.is_told) {
            let id = shown.groups.id();
            let told = self.plan.summarized(id, table, &known.bounds);
            shown.client.send(ServerMsg::Summarized(told));
            shown.is_told = true;
        }
    }

    pub(super) fn refresh(&mut self, mark: &Mark) {
        if let Some(index) = &self.index {
            let version = self.plan.rows.version(mark);
            let clients = self.clients.iter_mut();
            clients.for_each(|shown| shown.refresh(index, &version));
        }
    }

    /// One that nothing certain is known of does not move along with time while nobody shows it: it is counted
    /// where the plan of whoever shows it now stands.
    pub(super) fn put_forward(
        &mut self,
        plan: SummaryPlan,
        table: &TableDef,
        answers: &mut Answers,
    ) {
        let later = plan.rows.stands_at();
        let is_behind = later.is_some_and(|second| self.plan.rows.is_behind(second));
        let index = self.index.as_ref();
        let is_certain = index.is_some_and(|index| !index.is_in_doubt());
        if !is_behind || is_certain || !self.clients.is_empty() {
            return;
        }
        let predicate = plan.rows.predicate(table, answers);
        answers.release(&self.predicate.asked());
        self.predicate = predicate;
        self.plan = Arc::new(plan);
        self.begin();
    }

    /// Starts anew: what is known of its groups no longer holds.
    pub(super) fn rebuild(&mut self) {
        self.index = None;
        self.life += 1;
    }

    /// Starts anew as something else.
    pub(super) fn begin(&mut self) {
        self.rebuild();
        self.first_life = self.life;
    }

    /// Whether an answer shows that it has too many groups. One for an earlier life shows that, too: where a table
    /// changes so fast that summaries are counted again before they are counted, there may be no other.
    pub(super) fn is_too_large(&self, reply: &Reply) -> bool {
        let most = self.plan.groups_max();
        reply.life >= self.first_life
            && matches!(&reply.found, Found::Groups(groups) if groups.len() > most)
    }

    pub(super) fn refuse(&mut self, code: ErrorCode, message: &str) {
        let clients = std::mem::take(&mut self.clients);
        clients.iter().for_each(|shown| shown.refuse(code, message));
        self.begin();
        self.unused_since = Some(Instant::now());
    }

    /// Ends it because of its many groups.
    pub(super) fn refuse_as_too_large(&mut self) {
        let most = self.plan.groups_max();
        let message = format!(
            "the summary has more than {most} groups; group by fewer columns, use buckets, or filter"
        );
        self.refuse(ErrorCode::TooManyGroups, &message);
    }

    /// What must be asked now.
    pub(super) fn question(&self, summary: SummaryNumber) -> Option<Question> {
        let asked = match &self.index {
            None => Asked::Groups,
            Some(index) if index.is_in_doubt() => {
                let doubts = index.doubts();
                if doubts.len() > DOUBTS_PER_SUMMARY_MAX {
                    Asked::Groups
                } else {
                    Asked::Doubts(doubts)
                }
            }
            Some(_) => return None,
        };
        let is_wanted = !self.is_under_way && !self.clients.is_empty();
        is_wanted.then(|| Question {
            summary,
            life: self.life,
            plan: self.plan.clone(),
            known: self.known.clone(),
            asked,
        })
    }

    /// Takes in an answer, and the changes since the state it was given at.
    pub(super) fn settle(
        &mut self,
        reply: Reply,
        changes: &TableChanges,
        verdicts: &Verdicts,
        ranks: &Ranks,
        seen: &Snapshot,
    ) -> Result<(), SummaryError> {
        match (reply.found, &mut self.index) {
            (Found::Groups(groups), index) => {
                let shape = reply.known.shape.clone();
                let mut built = SummaryIndex::new(shape, self.predicate.clone(), groups, ranks)?;
                built.apply(changes, verdicts, ranks, seen)?;
                *index = Some(built);
                self.asked = reply.known.shape.asked();
                self.known = Some(reply.known);
            }
            (Found::Settled(settled), Some(index)) => {
                index.settle(settled, changes, verdicts, ranks, seen)?;
            }
            (Found::Settled(_), None) => {}
        }
        self.mistakes = 0;
        Ok(())
    }
}

impl Summary {
    pub(super) fn new(plan: SummaryPlan, table: &TableDef, answers: &mut Answers) -> Self {
        let bounds = plan.given_bounds();
        let is_known = !plan.needs_bounds();
        let shape = is_known.then(|| plan.shape(table, &bounds).ok()).flatten();
        let asked = shape.as_ref().map(Shape::asked);
        Self {
            predicate: plan.rows.predicate(table, answers),
            plan: Arc::new(plan),
            asked: asked.unwrap_or_default(),
            known: shape.map(|shape| {
                let shape = Arc::new(shape);
                Arc::new(Known { shape, bounds })
            }),
            index: None,
            life: 0,
            first_life: 0,
            is_under_way: false,
            is_alone: false,
            mistakes: 0,
            clients: Vec::new(),
            unused_since: Some(Instant::now()),
        }
    }
}
