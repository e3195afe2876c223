//! What a person and the server do to the model's summaries.

use protocol::{ErrorCode, Summarized, SummaryRefused, SummaryUpdate};
use web_time::Instant;

use super::summary::GROUPS_SHOWN_MAX;
use super::viewport::Range;
use super::{Model, Summary, SummaryId, SummarySpec};

impl Model {
    /// Asks for groups and aggregates, of which the first `count` groups are shown; see
    /// [`show_groups`](Self::show_groups).
    pub fn summarize(&mut self, spec: SummarySpec, count: u32) -> SummaryId {
        self.last_summary += 1;
        let id = SummaryId(self.last_summary);
        let count = count.clamp(1, GROUPS_SHOWN_MAX);
        self.summaries.insert(id, Summary::new(spec, count));
        self.ask_for_summary(id);
        id
    }

    /// Asks for something else in a summary's place. Its groups stay until the answer, if they are by
    /// the same columns.
    pub fn set_summary(&mut self, summary: SummaryId, spec: SummarySpec) {
        if let Some(kept) = self.summaries.get_mut(&summary)
            && *kept.spec() != spec
        {
            self.outbox.extend(kept.set(spec));
            self.ask_for_summary(summary);
        }
    }

    /// Ends a summary.
    pub fn end_summary(&mut self, summary: SummaryId) {
        if let Some(mut ended) = self.summaries.remove(&summary) {
            self.outbox.extend(ended.close());
        }
    }

    /// A summary that is kept, or was asked for.
    pub fn summary(&self, summary: SummaryId) -> Option<&Summary> {
        self.summaries.get(&summary)
    }

    /// Says which groups are on the screen now, as [`show_rows`](Self::show_rows) does for rows.
    pub fn show_groups(
        &mut self,
        summary: SummaryId,
        first_visible: u64,
        visible_count: u32,
        now: Instant,
    ) {
        if let Some(kept) = self.summaries.get_mut(&summary)
            && visible_count > 0
        {
            let visible = Range {
                start: first_visible,
                count: visible_count,
            };
            self.outbox.extend(kept.show(visible, now));
        }
    }

    pub(super) fn ask_for_summary(&mut self, id: SummaryId) {
        if self.hello.is_some()
            && let Some(summary) = self.summaries.get_mut(&id)
        {
            // Never used twice, so that a late answer is never taken for another summary's.
            self.last_wire_summary += 1;
            self.outbox.push_back(summary.open(self.last_wire_summary));
        }
    }

    pub(super) fn tick_summaries(&mut self, now: Instant) {
        for summary in self.summaries.values_mut() {
            self.outbox.extend(summary.move_if_due(now));
        }
        self.ask_for_summaries(now);
    }

    /// Asks for those that are not kept at the server and were not refused.
    pub(super) fn ask_for_summaries(&mut self, now: Instant) {
        let due = self.summaries.iter();
        let due = due.filter(|(_, summary)| summary.is_to_be_opened(now));
        let due: Vec<SummaryId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.ask_for_summary(id);
        }
    }

    pub(super) fn summarized(&mut self, kept: Summarized) {
        if let Some(summary) = self.summary_of_wire(kept.summary) {
            summary.kept(kept);
        }
    }

    pub(super) fn summary_update(&mut self, update: SummaryUpdate, now: Instant) {
        let Some(summary) = self.summary_of_wire(update.summary) else {
            return;
        };
        let answer = match summary.apply(update, now) {
            Ok(ack) => Some(ack),
            Err(error) => {
                log::warn!("a summary is asked for anew: {error}");
                summary.fail(now)
            }
        };
        self.outbox.extend(answer);
    }

    pub(super) fn summary_refused(&mut self, refusal: SummaryRefused, now: Instant) {
        let Some(summary) = self.summary_of_wire(refusal.summary) else {
            return;
        };
        match refusal.code {
            ErrorCode::DatabaseUnavailable
            | ErrorCode::RateLimited
            | ErrorCode::Internal
            | ErrorCode::DuplicateSummary
            | ErrorCode::UnknownSummary => {
                // Its number is free at the server already.
                summary.lost();
                summary.fail(now);
            }
            _ => summary.refuse(refusal),
        }
    }

    fn summary_of_wire(&mut self, wire_id: protocol::SummaryId) -> Option<&mut Summary> {
        let mut all = self.summaries.values_mut();
        all.find(|summary| summary.wire_id() == Some(wire_id))
    }
}
