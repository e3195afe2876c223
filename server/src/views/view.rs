//! One view and its windows.

use std::ops::Range;
use std::sync::Arc;

use protocol::{EditId, ErrorCode, ResetReason, ServerMsg, Version, ViewSpec, WindowId};
use tokio::time::Instant;
use view_index::{
    Fetched, KeyError, Order, Predicate, Ranks, Refresh, RowKey, ViewIndex, Window, Xid,
};

use super::client::{ClientRef, SessionId};
use super::fetching::Question;
use super::history::History;
use super::plan::Plan;
use crate::changes::Mark;
use crate::limits::{FETCHES_PER_VIEW_MAX, KEEP_MARGIN, RELEASE_SLACK};

/// A view's number in its table.
pub type ViewId = u64;

/// One view and its windows.
#[derive(Debug)]
pub struct View {
    /// Its number.
    pub id: ViewId,
    /// What it means.
    pub plan: Arc<Plan>,
    /// The plan's filter.
    pub predicate: Predicate,
    /// Its rows; `None` until the first of them are there.
    pub index: Option<ViewIndex>,
    /// Counts how often it was built.
    pub life: u64,
    /// The queries under way, also those of an earlier life, which load PostgreSQL all the same.
    pub under_way: Vec<Question>,
    /// Who shows it.
    pub windows: Vec<ClientWindow>,
    /// Since when nobody does.
    pub unused_since: Option<Instant>,
}

/// One client's window on the view.
#[derive(Debug)]
pub struct ClientWindow {
    /// Whose it is.
    pub client: ClientRef,
    /// Keeps the window's number taken in its session.
    pub _lease: Arc<()>,
    /// What it shows.
    pub window: Window,
    /// What it asked for.
    pub spec: ViewSpec,
    /// The columns it asked for, by name; empty for all.
    pub columns: Vec<String>,
    /// Edits made in it that the view does not contain yet.
    pub edits: Vec<(EditId, Xid)>,
    /// What the client holds from an earlier socket.
    pub resume: Option<(Version, Vec<RowKey>)>,
    /// It held more than this server had seen, and the server has looked since.
    pub resume_waited: bool,
}

impl View {
    /// A view that knows nothing yet.
    pub fn new(id: ViewId, plan: Arc<Plan>, predicate: Predicate) -> Self {
        Self {
            id,
            plan,
            predicate,
            index: None,
            life: 0,
            under_way: Vec::new(),
            windows: Vec::new(),
            unused_since: Some(Instant::now()),
        }
    }

    /// One window.
    pub fn window(&mut self, session: SessionId, window: WindowId) -> Option<&mut ClientWindow> {
        self.windows
            .iter_mut()
            .find(|shown| shown.is(session, window))
    }

    /// Forgets the windows for which `gone` holds.
    pub fn remove_windows(&mut self, gone: impl Fn(&ClientWindow) -> bool) {
        self.windows.retain(|shown| !gone(shown));
        if self.windows.is_empty() && self.unused_since.is_none() {
            self.unused_since = Some(Instant::now());
        }
    }

    /// Starts anew: what is known of it no longer holds.
    pub fn rebuild(&mut self, reason: ResetReason) {
        self.index = None;
        self.life += 1;
        for shown in &mut self.windows {
            shown.window.reset(reason);
        }
    }

    /// Sends the clients of these windows (`None`: all) what is due to them; returns the queries that are
    /// needed first.
    pub fn refresh(
        &mut self,
        mark: &Mark,
        history: &History,
        only: Option<(SessionId, WindowId)>,
    ) -> Vec<Question> {
        let Some(index) = &self.index else {
            return self.first_question();
        };
        let version = mark.version();
        let mut missing = Vec::new();
        let is_meant = |shown: &&mut ClientWindow| {
            only.is_none_or(|(session, window)| shown.is(session, window))
        };
        for shown in self.windows.iter_mut().filter(is_meant) {
            shown.echo_edits(mark);
            if !shown.resume_if_possible(index, mark, history) {
                continue;
            }
            match shown.window.refresh(index, &version) {
                Refresh::Waiting | Refresh::Unchanged => {}
                Refresh::Missing(range) => missing.push(range),
                Refresh::Update(update) => shown.client.send(ServerMsg::Update(*update)),
            }
        }
        self.release_far_rows();
        missing
            .into_iter()
            .filter_map(|range| self.question(&range, false))
            .collect()
    }

    /// The first query: the first window's rows, and the total.
    fn first_question(&mut self) -> Vec<Question> {
        let Some(range) = self.windows.first().map(|shown| shown.window.requested()) else {
            return Vec::new();
        };
        self.question(&range, true).into_iter().collect()
    }

    /// A query for a missing range, unless it is being fetched or enough others are.
    fn question(&mut self, missing: &Range<u64>, with_total: bool) -> Option<Question> {
        let overlaps = |asked: &Question| overlap(&asked.range, missing);
        let is_first = self.index.is_none();
        let is_busy = self.under_way.len() >= if is_first { 1 } else { FETCHES_PER_VIEW_MAX };
        if is_busy || self.under_way.iter().any(overlaps) {
            return None;
        }
        let question = Question::around(self.id, self.life, missing, with_total);
        self.under_way.push(question.clone());
        Some(question)
    }

    /// A query has ended.
    pub fn answered(&mut self, question: &Question) {
        self.under_way.retain(|asked| asked != question);
    }

    /// Anchors each window that waits for a position among these rows to the row there.
    ///
    /// # Errors
    /// If the row has no key.
    pub fn hold_at(
        &mut self,
        fetched: &Fetched,
        order: &Order,
        ranks: &Ranks,
    ) -> Result<(), KeyError> {
        for shown in &mut self.windows {
            let awaited = shown.window.awaited();
            let place = awaited.and_then(|position| position.checked_sub(fetched.start));
            let place = place.and_then(|place| usize::try_from(place).ok());
            if let Some(row) = place.and_then(|place| fetched.rows.get(place)) {
                shown.window.hold_at(order.key(row, ranks)?);
            }
        }
        Ok(())
    }

    /// Lets go of rows that no window is near to, once there are many.
    fn release_far_rows(&mut self) {
        let Some(index) = &mut self.index else { return };
        let mut wanted: Vec<Range<u64>> = self
            .windows
            .iter()
            .map(|shown| {
                let range = shown.window.range(index);
                range.start.saturating_sub(KEEP_MARGIN)..range.end + KEEP_MARGIN
            })
            .collect();
        let needed: u64 = wanted.iter().map(|range| range.end - range.start).sum();
        if (index.held() as u64) <= needed + RELEASE_SLACK as u64 {
            return;
        }
        wanted.sort_by_key(|range| range.start);
        wanted.dedup_by(|next, merged| {
            let touches = next.start <= merged.end;
            if touches {
                merged.end = merged.end.max(next.end);
            }
            touches
        });
        index.release(&wanted);
    }

    /// Closes the windows that need these positions, and tells their clients why.
    pub fn refuse(&mut self, range: &Range<u64>, code: ErrorCode, message: &str) {
        let needs = |shown: &ClientWindow| overlap(&shown.window.requested(), range);
        for shown in self.windows.iter().filter(|shown| needs(shown)) {
            shown.client.refuse(code, message, Some(shown.window.id()));
        }
        self.remove_windows(needs);
    }
}

/// Whether two ranges share a position; an empty one counts as its start.
fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end.max(b.start + 1) && b.start < a.end.max(a.start + 1)
}

impl ClientWindow {
    /// Whether it is this one.
    pub fn is(&self, session: SessionId, window: WindowId) -> bool {
        self.client.session == session && self.window.id() == window
    }

    /// Says so with the next update where the state contains an edit made here.
    fn echo_edits(&mut self, mark: &Mark) {
        let window = &mut self.window;
        self.edits.retain(|&(edit, xid)| {
            let contained = mark.snapshot.sees(xid);
            if contained {
                window.echo(edit);
            }
            !contained
        });
    }

    /// Continues from what the client holds; `false` if that must wait.
    fn resume_if_possible(&mut self, index: &ViewIndex, mark: &Mark, history: &History) -> bool {
        let Some((version, _)) = &self.resume else {
            return true;
        };
        let Some(held) = Mark::parse(version).filter(|held| held.epoch == mark.epoch) else {
            self.resume = None;
            self.window.must_refetch(ResetReason::EpochChanged);
            return true;
        };
        if !mark.snapshot.covers(&held.snapshot) && !self.resume_waited {
            // Another server was further; this one will be with its next batch.
            self.resume_waited = true;
            return false;
        }
        let known = mark.snapshot.covers(&held.snapshot);
        let touched = known
            .then(|| history.touched_since(&held.snapshot))
            .flatten();
        let Some(touched) = touched else {
            self.resume = None;
            self.window.must_refetch(ResetReason::HistoryExpired);
            return true;
        };
        if index.gap(&self.window.range(index)).is_none()
            && let Some((version, keys)) = self.resume.take()
        {
            self.window
                .resume(version, keys, index, |key| touched.contains(key));
        }
        true
    }
}

/// A table's task that panicked cannot serve its windows any more: their clients reconnect.
impl Drop for ClientWindow {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.client.cut();
        }
    }
}
