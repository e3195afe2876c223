//! One view and its windows.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use protocol::{EditId, ErrorCode, Progress, ResetReason, ServerMsg, Version, ViewSpec, WindowId};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use view_index::{
    Fetched, KeyError, Need, Order, Origin, Predicate, Ranks, Refresh, RowKey, ViewIndex, Window,
    Xid,
};

use super::advice::opening::Opening;
use super::budget::Share;
use super::client::{ClientRef, SessionId};
use super::fetching::{Asked, Question};
use super::history::History;
use super::plan::Plan;
use crate::changes::Mark;
use crate::limits::{
    FETCH_MARGIN, FETCHES_PER_VIEW_MAX, KEEP_MARGIN, RELEASE_SLACK, RELEASED_AT_ONCE,
};

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
    /// What each count under way holds; see [`TableTask`](super::table::TableTask).
    charts: Weak<()>,
    /// The queries under way, also those of an earlier life, which load PostgreSQL all the same.
    under_way: Vec<UnderWay>,
    /// Counts the questions.
    questions: u64,
    /// Rows held when it was last looked whether some are far from every window, or fewer.
    held_before: usize,
    /// It is letting go of rows, in portions.
    is_releasing: bool,
    /// Why the view cannot be counted.
    uncountable: Option<Uncountable>,
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

/// A query under way.
#[derive(Debug)]
struct UnderWay {
    question: Question,
    /// Ends it, once it runs.
    abort: Option<AbortHandle>,
    /// Tells the table that a count is under way.
    _chart: Option<Arc<()>>,
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
            self.break_off_charts();
        }
    }

    fn break_off_charts(&mut self) {
        self.under_way.retain(|asked| {
            let is_chart = asked.question.what.is_chart();
            if is_chart && let Some(abort) = &asked.abort {
                abort.abort();
            }
            !is_chart
        });
    }

    /// Starts anew: what is known of it no longer holds.
    pub fn rebuild(&mut self, reason: ResetReason) {
        self.index = None;
        self.share = None;
        self.life += 1;
        self.uncountable = None;
        self.break_off_charts();
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

    /// Remembers how to end a query that has begun.
    pub fn began(&mut self, number: u64, abort: AbortHandle) {
        let asked = |asked: &&mut UnderWay| asked.question.number == number;
        if let Some(asked) = self.under_way.iter_mut().find(asked) {
            asked.abort = Some(abort);
        }
    }

    /// Whether nothing is known of it, and nothing asked that is still of use.
    pub fn is_blank(&self) -> bool {
        let is_of_use = |asked: &UnderWay| asked.question.life == self.life;
        self.index.is_none() && !self.under_way.iter().any(is_of_use)
    }

    /// Whether it is being counted.
    pub fn is_charting(&self) -> bool {
        let is_chart = |asked: &UnderWay| asked.question.what.is_chart();
        self.under_way.iter().any(is_chart)
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

    /// Tells the clients how far the count has come.
    pub fn tell_progress(&self) {
        let chart = self
            .under_way
            .iter()
            .find_map(|asked| match &asked.question.what {
                Asked::Chart {
                    expected, counted, ..
                } => Some((counted.load(Ordering::Relaxed), *expected)),
                _ => None,
            });
        let Some((counted, expected)) = chart else {
            return;
        };
        for shown in self.windows.values() {
            shown.client.send(ServerMsg::Progress(Progress {
                window: shown.window.id(),
                counted,
                expected: expected.max(counted),
            }));
        }
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
                    missing.push((gap, margin, shown.last_rows(index)));
                }
                Refresh::Update(update) => shown.client.send(ServerMsg::Update(*update)),
            }
        }
        let mut questions: Vec<Question> = missing
            .into_iter()
            .filter_map(|(gap, margin, last)| self.ask_for((&gap, margin), last, mark))
            .collect();
        questions.extend(self.ask_for_chart(mark));
        questions
    }

    /// Whether any of these windows (`None`: all) still waits to continue from what its client holds.
    pub fn is_resuming(&self, only: Option<WindowKey>) -> bool {
        let mut windows = self.windows.range(meant(only));
        windows.any(|(_, shown)| shown.resume.is_some())
    }

    /// The first query: the first window's rows, and the total or an estimate.
    fn first_question(&mut self) -> Vec<Question> {
        let Some((_, ClientWindow { window, .. })) = self.windows.first_key_value() else {
            return Vec::new();
        };
        let start = window
            .requested()
            .map(|range| range.start.saturating_sub(FETCH_MARGIN));
        let above = window
            .requested()
            .map_or(0, |range| range.start - start.unwrap_or(0));
        let count = above + u64::from(window.count()) + FETCH_MARGIN;
        let first = Asked::First { start, count };
        self.question(first).into_iter().collect()
    }

    /// The query for a gap and so many rows around it; `last` asks for so many rows at the view's end.
    fn ask_for(
        &mut self,
        (gap, margin): (&Range<u64>, u64),
        last: Option<u64>,
        mark: &Mark,
    ) -> Option<Question> {
        let index = self.index.as_ref()?;
        let need = match last {
            Some(count) => Some(Need::Rows {
                origin: Origin::End,
                count: count + FETCH_MARGIN,
                position: u64::MAX,
            }),
            None => index.need(gap, margin),
        };
        let waits = need
            .as_ref()
            .is_none_or(|need| matches!(need, Need::Chart { .. }));
        if waits && let Some(Uncountable { message, .. }) = &self.uncountable {
            let message = message.clone();
            self.refuse(Some(gap), ErrorCode::NoIndex, &message);
            return None;
        }
        self.question(Asked::of(need?, &mark.snapshot))
    }

    /// The query that counts the view, unless it is counted or cannot be.
    fn ask_for_chart(&mut self, mark: &Mark) -> Option<Question> {
        if self.windows.is_empty() || self.uncountable.is_some() {
            return None;
        }
        let need = self.index.as_ref()?.uncounted()?;
        self.question(Asked::of(need, &mark.snapshot))
    }

    /// The question, unless its answer is under way or enough others are.
    fn question(&mut self, what: Asked) -> Option<Question> {
        let of_kind = |asked: &&UnderWay| asked.question.what.is_chart() == what.is_chart();
        let kind = self.under_way.iter().filter(of_kind);
        let is_alone = self.index.is_none() || what.is_chart();
        let room = if is_alone { 1 } else { FETCHES_PER_VIEW_MAX };
        let is_asked = |asked: &UnderWay| asked.question.what.overlaps(&what);
        if kind.clone().count() >= room || kind.clone().any(is_asked) {
            return None;
        }
        self.questions += 1;
        let question = Question {
            view: self.id,
            life: self.life,
            number: self.questions,
            spec: self.spec_for(&what),
            what,
        };
        self.under_way.push(UnderWay {
            question: question.clone(),
            abort: None,
            _chart: question
                .what
                .is_chart()
                .then(|| self.charts.upgrade())
                .flatten(),
        });
        Some(question)
    }

    /// What the first of its clients had asked for, for questions that may be refused for want of an index.
    fn spec_for(&self, what: &Asked) -> Option<Box<ViewSpec>> {
        let shown = self.windows.values().next().filter(|_| what.is_chart())?;
        Some(Box::new(shown.spec.clone()))
    }

    /// A query has ended.
    pub fn answered(&mut self, question: &Question) {
        let is_other = |asked: &UnderWay| asked.question.number != question.number;
        self.under_way.retain(is_other);
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
        self.break_off_charts();
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

    /// How many of the view's last rows must be fetched for it, if they cannot be fetched by position.
    fn last_rows(&self, index: &ViewIndex) -> Option<u64> {
        let by_position = !self.window.is_at_end() || index.total_is_exact();
        (!by_position).then(|| u64::from(self.window.count()))
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
