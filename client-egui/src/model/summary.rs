//! Groups and aggregates of a view's rows, kept live by the server.

use std::sync::Arc;

use protocol::{
    AckSummary, Aggregate, ClientMsg, Generation, GroupBy, GroupOrder, ShowGroups, Summarize,
    Summarized, SummaryKey, SummaryRefused, SummaryUpdate, SummaryValue, Unsummarize, UpdateNumber,
    Value, Version, ViewSpec,
};
use web_time::Instant;

use super::anchor::HeldRows;
use super::rebuild::{ChainError, Rebuild};
use super::stand::Stand;
use super::viewport::{MOVE_INTERVAL, Range};
use super::{RowEntry, Slot};

/// The most groups that a server shows of one summary.
pub const GROUPS_SHOWN_MAX: u32 = 1_000;

/// Names a summary of a [`Model`](super::Model) for as long as it is kept: another filter or a new socket
/// do not change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SummaryId(pub(super) u32);

/// What to group and aggregate. Equal ones are shared on the server, so leave out what has no meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct SummarySpec {
    /// Which rows.
    pub view: ViewSpec,
    /// What they are grouped by; nothing for grand totals.
    pub by: Vec<GroupBy>,
    /// What is told of each group besides its number of rows.
    pub aggregates: Vec<Aggregate>,
    /// The order of groups; without it by the keys.
    pub order: Vec<GroupOrder>,
}

/// What is known of all groups together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCounts {
    /// How many groups there are.
    pub groups: u64,
    /// Rows in all of them.
    pub rows: u64,
    /// Rows in those that are not held.
    pub rest: u64,
}

/// Groups and aggregates of a view's rows.
#[derive(Debug)]
pub struct Summary {
    spec: SummarySpec,
    keys: Vec<SummaryKey>,
    values: Vec<SummaryValue>,
    held: HeldRows,
    counts: Option<GroupCounts>,
    /// `held` and `counts` belong to `spec`, and not to the one before.
    is_current: bool,
    refusal: Option<SummaryRefused>,
    stand: Stand,
    version: Option<Version>,
    number: UpdateNumber,
    /// The groups last asked for.
    range: Range,
    generation: Generation,
    visible: Range,
    move_due: bool,
    next_move_at: Option<Instant>,
    faults: u32,
}

impl Summary {
    pub(super) fn new(spec: SummarySpec, count: u32) -> Self {
        let range = Range { start: 0, count };
        Self {
            spec,
            keys: Vec::new(),
            values: Vec::new(),
            held: HeldRows::default(),
            counts: None,
            is_current: false,
            refusal: None,
            stand: Stand::Unopened,
            version: None,
            number: 0,
            range,
            generation: 0,
            visible: range,
            move_due: false,
            next_move_at: None,
            faults: 0,
        }
    }

    /// What was asked for.
    pub fn spec(&self) -> &SummarySpec {
        &self.spec
    }

    /// What a group's key holds; nothing until the server has said so.
    pub fn keys(&self) -> &[SummaryKey] {
        &self.keys
    }

    /// What a group's cells hold: first its number of rows.
    pub fn values(&self) -> &[SummaryValue] {
        &self.values
    }

    /// The groups held, in order; the first is at position [`start`](Self::start). While
    /// [`is_current`](Self::is_current) is false they belong to what was asked for before.
    pub fn groups(&self) -> &[Arc<RowEntry>] {
        &self.held.rows
    }

    /// The position of the first group held, from 0.
    pub fn start(&self) -> u64 {
        self.held.start
    }

    /// The group at a position, from 0.
    pub fn group(&self, position: u64) -> Slot<'_> {
        match self.held.at(position) {
            Some(group) => Slot::Loaded(group),
            None => Slot::Loading,
        }
    }

    /// Where a group is among all, if it is held.
    pub fn position_of(&self, key: &[Value]) -> Option<u64> {
        self.held.position_of(key)
    }

    /// What is known of all groups; `None` until the first answer.
    pub fn counts(&self) -> Option<GroupCounts> {
        self.counts
    }

    /// Whether what is held is what was asked for last.
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// Why the server does not keep it.
    pub fn refusal(&self) -> Option<&SummaryRefused> {
        self.refusal.as_ref()
    }

    pub(super) fn wire_id(&self) -> Option<protocol::SummaryId> {
        self.stand.wire_id()
    }

    pub(super) fn is_to_be_opened(&self, now: Instant) -> bool {
        self.stand.is_to_be_opened(now)
    }

    pub(super) fn lost(&mut self) {
        self.stand.lost();
    }

    pub(super) fn open(&mut self, id: protocol::SummaryId) -> ClientMsg {
        self.stand = Stand::Opening(id);
        self.version = None;
        self.number = 0;
        self.generation = 0;
        self.move_due = false;
        ClientMsg::Summarize(Box::new(Summarize {
            summary: id,
            generation: self.generation,
            view: self.spec.view.clone(),
            by: self.spec.by.clone(),
            aggregates: self.spec.aggregates.clone(),
            order: self.spec.order.clone(),
            start: self.range.start,
            count: self.range.count,
        }))
    }

    pub(super) fn close(&mut self) -> Option<ClientMsg> {
        let summary = self.wire_id()?;
        self.stand = Stand::Unopened;
        Some(ClientMsg::Unsummarize(Unsummarize { summary }))
    }

    /// Asks for something else. Groups by the same columns stay until the answer.
    pub(super) fn set(&mut self, spec: SummarySpec) -> Option<ClientMsg> {
        if self.spec.by != spec.by || self.spec.view.table != spec.view.table {
            self.forget();
        }
        self.spec = spec;
        self.is_current = false;
        self.refusal = None;
        self.faults = 0;
        let close = self.close();
        self.stand = Stand::Unopened;
        close
    }

    fn forget(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.held = HeldRows::default();
        self.counts = None;
        self.is_current = false;
    }

    /// The server keeps it, with these keys and values; what is held starts again.
    pub(super) fn kept(&mut self, kept: Summarized) {
        if (&self.keys, &self.values) != (&kept.keys, &kept.values) {
            // Their groups would be drawn under the wrong headers.
            self.forget();
        }
        self.keys = kept.keys;
        self.values = kept.values;
        self.version = None;
    }

    pub(super) fn apply(
        &mut self,
        update: SummaryUpdate,
        now: Instant,
    ) -> Result<ClientMsg, ChainError> {
        if update.number <= self.number {
            return Err(ChainError::OldNumber {
                last: self.number,
                number: update.number,
            });
        }
        if update.from.is_some() && update.from != self.version {
            return Err(ChainError::WrongVersion);
        }
        let nothing = HeldRows::default();
        let before = if update.from.is_some() {
            &self.held
        } else {
            &nothing
        };
        let rebuild = Rebuild {
            before,
            total_before: self.counts.map_or(0, |counts| counts.groups),
            start: update.start,
            columns: self.values.len(),
            key_columns: self.keys.len(),
            changed: update.changed_at_micros.is_some(),
            now,
        };
        let groups = rebuild.rows(update.shown)?;
        self.held = HeldRows {
            start: update.start,
            rows: Arc::new(groups),
        };
        self.counts = Some(GroupCounts {
            groups: update.groups,
            rows: update.rows,
            rest: update.rest,
        });
        self.is_current = true;
        self.refusal = None;
        self.version = Some(update.to);
        self.number = update.number;
        self.stand = Stand::Following(update.summary);
        self.faults = 0;
        Ok(ClientMsg::AckSummary(AckSummary {
            summary: update.summary,
            number: update.number,
        }))
    }

    /// It cannot go on as it is: asks for it again after a wait.
    pub(super) fn fail(&mut self, now: Instant) -> Option<ClientMsg> {
        let close = self.close();
        self.stand = Stand::failed(self.faults, now);
        self.faults += 1;
        close
    }

    /// The server does not keep it, and asking again by itself would not help.
    pub(super) fn refuse(&mut self, refusal: SummaryRefused) {
        self.forget();
        self.refusal = Some(refusal);
        self.stand = Stand::Refused;
    }

    /// Says which groups are on the screen now; see [`Model::show_groups`](super::Model::show_groups).
    pub(super) fn show(&mut self, visible: Range, now: Instant) -> Option<ClientMsg> {
        self.visible = visible;
        let total = self.counts.map(|counts| counts.groups);
        self.move_due = !self
            .range
            .is_comfortable_for(visible, total, GROUPS_SHOWN_MAX);
        if self.move_due && self.wire_id().is_none() {
            self.range = visible.with_overscan(GROUPS_SHOWN_MAX);
            self.move_due = false;
        }
        self.move_if_due(now)
    }

    pub(super) fn move_if_due(&mut self, now: Instant) -> Option<ClientMsg> {
        let summary = self.wire_id()?;
        if !self.move_due || self.next_move_at.is_some_and(|at| now < at) {
            return None;
        }
        self.move_due = false;
        self.next_move_at = Some(now + MOVE_INTERVAL);
        self.range = self.visible.with_overscan(GROUPS_SHOWN_MAX);
        self.generation += 1;
        Some(ClientMsg::ShowGroups(ShowGroups {
            summary,
            generation: self.generation,
            start: self.range.start,
            count: self.range.count,
            received: self.number,
        }))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.stand {
            Stand::Failed { retry_at } => Some(retry_at),
            Stand::Opening(_) | Stand::Following(_) if self.move_due => self.next_move_at,
            _ => None,
        }
    }
}
