//! One view and its windows.

mod asking;

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Weak};

use protocol::{EditId, ErrorCode, ResetReason, ServerMsg, Version, ViewSpec, WindowId};
use tokio::time::Instant;
use view_index::{
    Fetched, KeyError, Need, Order, Origin, Predicate, Ranks, Refresh, RowKey, ViewIndex, Window,
    Xid,
};

use self::asking::UnderWay;
use super::advice::opening::Opening;
use super::budget::Share;
use super::client::{ClientRef, SessionId};
use super::fetching::Question;
use super::history::History;
use super::plan::Plan;
use crate::changes::Mark;
use crate::limits::{FETCH_MARGIN, KEEP_MARGIN, RELEASE_SLACK, RELEASED_AT_ONCE};

/// A view's number in its table.
pub type ViewId = u64;

/// A window's session, and its number there.
pub type WindowKey = (SessionId, WindowId);

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
    /// What each count or chart under way holds; see [`TableTask`](super::table::TableTask).
    charts: Weak<()>,
    /// The queries under way, also those of an earlier life, which load PostgreSQL all the same.
    under_way: Vec<UnderWay>,
    /// Counts the questions.
    questions: u64,
    /// Rows held when it was last looked whether some are far from every window, or fewer.
    held_before: usize,
    /// It is letting go of rows, in portions.
    is_releasing: bool,
    /// Why the view cannot be divided.
    uncountable: Option<Uncountable>,
    /// Its rows could not be counted by one statement, in this life.
    pub is_untallied: bool,
    /// What its division takes of the memory for all; `None` until it has been divided.
    pub share: Option<Share>,
    /// What opening it took.
    pub opening: Opening,
    /// Who shows it.
    pub windows: BTreeMap<WindowKey, ClientWindow>,
    /// Since when nobody does.
    pub unused_since: Option<Instant>,
    /// Tells the table that this view moves along with time.
    pub moves: Option<Arc<()>>,
}

/// Why a view cannot be counted.
#[derive(Debug)]
struct Uncountable {
    message: String,
    /// Trying again costs little, so that whoever asks next may find that an index is there by now.
    is_quick: bool,
}

/// One client's window on the view.
#[derive(Debug)]
pub struct ClientWindow {
    /// Whose it is.
    pub client: ClientRef,
    /// Keeps the window's number taken in its session.
    pub lease: Arc<()>,
    /// What it shows.
    pub window: Window,
    /// What it asked for.
    pub spec: ViewSpec,
    /// The columns it asked for, by name; empty for all.
    pub columns: Vec<String>,
    /// Opened even if it is expensive.
    pub allow_expensive: bool,
    /// Edits made in it that the view does not contain yet.
    pub edits: Vec<(EditId, Xid)>,
    /// What the client holds from an earlier socket.
    pub resume: Option<(Version, Vec<RowKey>)>,
    /// It held more than this server had seen, and the server has looked since.
    pub resume_waited: bool,
}

impl View {
    /// A view that knows nothing yet. While it is counted it holds what `charts` points to.
    pub fn new(id: ViewId, plan: Arc<Plan>, predicate: Predicate, charts: Weak<()>) -> Self {
        Self {
            id,
            plan,
            predicate,
            index: None,
            life: 0,
            charts,
            under_way: Vec::new(),
            questions: 0,
            held_before: 0,
            is_releasing: false,
            uncountable: None,
            is_untallied: false,
            share: None,
            opening: Opening::default(),
            windows: BTreeMap::new(),
            unused_since: Some(Instant::now()),
            moves: None,
        }
    }

    /// Shows it in one more window.
    pub fn show(&mut self, shown: ClientWindow) {
        self.unused_since = None;
        self.uncountable.take_if(|uncountable| uncountable.is_quick);
        self.windows.insert(shown.id(), shown);
    }

    /// Forgets the windows for which `gone` holds. A count that nobody waits for is broken off.
    pub fn remove_windows(&mut self, gone: impl Fn(&ClientWindow) -> bool) {
        self.windows.retain(|_, shown| !gone(shown));
        self.held_before = 0;
        if self.windows.is_empty() && self.unused_since.is_none() {
            self.unused_since = Some(Instant::now());
            self.break_off_counts();
        }
    }

    /// Starts anew: what is known of it no longer holds.
    pub fn rebuild(&mut self, reason: ResetReason) {
        self.index = None;
        self.share = None;
        self.life += 1;
        self.uncountable = None;
        self.is_untallied = false;
        self.break_off_counts();
        for shown in self.windows.values_mut() {
            shown.window.reset(reason);
        }
    }

    /// Forgets its division, to free memory.
    pub fn shed(&mut self) {
        let Some(index) = &mut self.index else { return };
        index.collapse();
        if let Some(share) = &self.share {
            share.forgotten(index.bytes());
        }
    }

    /// Says how much memory its division takes by now.
    pub fn measure(&self) {
        if let (Some(index), Some(share)) = (&self.index, &self.share) {
            share.measured(index.bytes());
        }
    }

    /// It cannot be counted: windows for which that is needed are closed. If it `is_quick` to find that out, it is
    /// tried again for the next window.
    pub fn give_up_counting(&mut self, message: String, is_quick: bool) {
        self.uncountable = Some(Uncountable { message, is_quick });
    }

    /// The table's indexes are others: it may be possible to count it now.
    pub fn reconsider(&mut self) {
        self.uncountable = None;
    }

    /// Sends the clients of these windows (`None`: all) what is due to them; returns the queries that are
    /// needed first. A view that did not change costs next to nothing here.
    pub fn refresh(
        &mut self,
        (mark, version): (&Mark, &Version),
        history: &History,
        only: Option<WindowKey>,
    ) -> Vec<Question> {
        let Some(index) = &self.index else {
            return self.first_question();
        };
        let own = self.plan.stands_at().map(|second| mark.version_at(second));
        let version = own.as_ref().unwrap_or(version);
        let mut missing = Vec::new();
        for (_, shown) in self.windows.range_mut(meant(only)) {
            shown.echo_edits(mark);
            if !shown.resume_if_possible(index, mark, history) {
                continue;
            }
            match shown.window.refresh(index, version) {
                Refresh::Waiting | Refresh::Unchanged => {}
                Refresh::Missing(gap) => {
                    // Who jumps waits for every row that is fetched; who scrolls holds rows meanwhile.
                    let jumps = gap == shown.window.range(index);
                    let margin = if jumps { 0 } else { FETCH_MARGIN };
                    missing.push((gap, margin, shown.last_rows()));
                }
                Refresh::Update(update) => shown.client.send(ServerMsg::Update(*update)),
            }
        }
        let is_awaited = |(gap, margin, last): &(Range<u64>, u64, Option<u64>)| {
            let need = || index.need(gap, *margin);
            last.is_none() && matches!(need(), None | Some(Need::Chart { .. }))
        };
        let awaits_chart = missing.iter().any(is_awaited);
        let mut questions: Vec<Question> = missing
            .into_iter()
            .filter_map(|(gap, margin, last)| self.ask_for((&gap, margin), last, mark))
            .collect();
        questions.extend(self.ask_for_count());
        questions.extend(self.ask_for_chart(mark, awaits_chart));
        questions
    }

    /// Whether any of these windows (`None`: all) still waits to continue from what its client holds.
    pub fn is_resuming(&self, only: Option<WindowKey>) -> bool {
        let mut windows = self.windows.range(meant(only));
        windows.any(|(_, shown)| shown.resume.is_some())
    }

    /// Anchors each window that waits for a position among these rows, the first of which is at `position`,
    /// to the row there.
    ///
    /// # Errors
    /// If the row has no key.
    pub fn hold_at(
        &mut self,
        (fetched, position): (&Fetched, u64),
        order: &Order,
        ranks: &Ranks,
    ) -> Result<(), KeyError> {
        if !matches!(fetched.origin, Origin::Behind { .. }) {
            return Ok(());
        }
        for shown in self.windows.values_mut() {
            let awaited = shown.window.awaited();
            let place = awaited.and_then(|awaited| awaited.checked_sub(position));
            let place = place.and_then(|place| usize::try_from(place).ok());
            if let Some(row) = place.and_then(|place| fetched.rows.get(place)) {
                shown.window.hold_at(order.key(row, ranks)?);
            }
        }
        Ok(())
    }

    /// Whether it holds many more rows than when it was last looked which of them are far from every window, so
    /// that it is time to [`let_go`](Self::let_go).
    pub fn is_crowded(&mut self) -> bool {
        let held = self.index.as_ref().map_or(0, ViewIndex::held);
        let is_crowded = self.is_releasing || held > self.held_before + RELEASE_SLACK;
        if !is_crowded {
            self.held_before = self.held_before.min(held);
        }
        is_crowded
    }

    /// Lets go of some rows that no window is near to, if there are many; returns whether there are more.
    pub fn let_go(&mut self) -> bool {
        let Some(index) = &mut self.index else {
            self.is_releasing = false;
            return false;
        };
        let mut wanted: Vec<Range<u64>> = self
            .windows
            .values()
            .map(|shown| {
                let range = shown.window.range(index);
                range.start.saturating_sub(KEEP_MARGIN)..range.end + KEEP_MARGIN
            })
            .collect();
        let needed: u64 = wanted.iter().map(|range| range.end - range.start).sum();
        let is_much = self.is_releasing || index.held() as u64 > needed + RELEASE_SLACK as u64;
        self.is_releasing = false;
        if is_much {
            wanted.sort_by_key(|range| range.start);
            wanted.dedup_by(|next, merged| {
                let touches = next.start <= merged.end;
                if touches {
                    merged.end = merged.end.max(next.end);
                }
                touches
            });
            self.is_releasing = index.release(&wanted, RELEASED_AT_ONCE) >= RELEASED_AT_ONCE;
        }
        self.held_before = index.held();
        self.is_releasing
    }

    /// Closes the windows that need these positions (`None`: the last rows), and tells their clients why.
    pub fn refuse(&mut self, range: Option<&Range<u64>>, code: ErrorCode, message: &str) {
        let needs = |shown: &ClientWindow| match (shown.window.requested(), range) {
            (Some(requested), Some(range)) => overlap(&requested, range),
            (None, None) => true,
            _ => false,
        };
        self.refuse_if(needs, code, message);
    }

    /// Closes these windows and tells their clients why.
    pub fn refuse_if(
        &mut self,
        is_meant: impl Fn(&ClientWindow) -> bool,
        code: ErrorCode,
        message: &str,
    ) {
        for shown in self.windows.values().filter(|shown| is_meant(shown)) {
            shown.client.refuse(code, message, Some(shown.window.id()));
        }
        self.remove_windows(is_meant);
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.break_off_counts();
    }
}

/// The windows of a range of numbers: of one or, without one, of all.
fn meant(only: Option<WindowKey>) -> (Bound<WindowKey>, Bound<WindowKey>) {
    only.map_or((Bound::Unbounded, Bound::Unbounded), |id| {
        (Bound::Included(id), Bound::Included(id))
    })
}

/// Whether two ranges share a position; an empty one counts as its start.
pub fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end.max(b.start + 1) && b.start < a.end.max(a.start + 1)
}

impl ClientWindow {
    /// Its session, and its number there.
    pub fn id(&self) -> WindowKey {
        (self.client.session, self.window.id())
    }

    /// How many of the view's last rows it shows, if it follows the view's end.
    fn last_rows(&self) -> Option<u64> {
        let window = &self.window;
        window.is_at_end().then(|| u64::from(window.count()))
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
