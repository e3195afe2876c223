//! One table's task: its views, their windows, and the state they all stand at.

mod advice;
mod answers;
mod batches;
mod clockwork;
mod ranks;
mod summaries;
mod summary_steps;
mod verdicts;
mod windows;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use protocol::{Ack, EditId, MoveWindow, OpenWindow, Version, WindowId};
use sqlx::postgres::PgPool;
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use view_index::{TableChanges, Xid};

use self::clockwork::Clockwork;
use crate::changes::reader::Wake;
use crate::changes::{Batch, Mark, Sabotage};
use crate::db::catalog::TableDef;
use crate::db::timeouts::Timeouts;
use crate::fanout::Router;
use crate::limits::{
    CLOCK_INTERVAL, FETCH_RETRY, MEMORY_INTERVAL, PROGRESS_INTERVAL, TABLE_IDLE_FACTOR,
};
use crate::views::advice::Advisor;
use crate::views::answers::Answers;
use crate::views::budget::Budget;
use crate::views::catalog_store::CatalogStore;
use crate::views::client::{ClientRef, SessionId};
use crate::views::clock::Clock;
use crate::views::fetching::Answer;
use crate::views::history::History;
use crate::views::plan::Plan;
use crate::views::polled::lanes::Lanes;
use crate::views::summaries::Summaries;
use crate::views::turn::Turn;
use crate::views::view::{ClientWindow, View, ViewId, WindowKey};

pub use self::summaries::{SummaryCommand, not_live};
use self::summary_steps::SummarySteps;

/// What a session asks of a table.
#[derive(Debug)]
pub enum Command {
    /// Opens a window; the session holds its number taken for as long as the lease is held.
    Open(ClientRef, Arc<()>, Box<OpenWindow>),
    /// Shows another range.
    Move(SessionId, MoveWindow),
    /// An update has been applied.
    Acknowledge(SessionId, Ack),
    /// Closes a window.
    Close(SessionId, WindowId),
    /// An edit made in a window was committed by this transaction.
    Edited(SessionId, WindowId, EditId, Xid),
    /// Something about a summary.
    Summary(SummaryCommand),
    /// The session is gone.
    Leave(SessionId),
    /// The table's indexes changed: every window's client is told what its view costs now.
    Readvise,
    /// Memory is short: the view forgets its division.
    Shed(ViewId),
}

impl Command {
    /// Whether it is about something to be shown from now on.
    pub fn shows(&self) -> bool {
        matches!(
            self,
            Self::Open(..) | Self::Summary(SummaryCommand::Summarize(..))
        )
    }
}

/// What a table's task begins with: the state from which on it is told all changes, and these.
#[derive(Debug)]
pub struct Beginning {
    mark: Mark,
    feed: mpsc::Receiver<Arc<Batch>>,
}

impl Beginning {
    /// Has a table's changes logged, which takes a read of the log; `None` if the server stops.
    pub async fn of(around: &Surroundings, table: u32) -> Option<Self> {
        let subscription = around.router.subscribe(table);
        around.wake.requested.notify_one();
        let (mark, feed) = subscription.begun().await?;
        Some(Self { mark, feed })
    }
}

/// What a table's task shares with the rest of the server.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// For everything but the change log.
    pub pool: PgPool,
    /// Room for fetches in the pool.
    pub fetches: Arc<Semaphore>,
    /// Room for counts in the pool.
    pub counts: Arc<Semaphore>,
    /// Room for charts in the pool.
    pub charts: Arc<Semaphore>,
    /// What views may remember.
    pub budget: Arc<Budget>,
    /// For tables that are not live.
    pub lanes: Arc<Lanes>,
    /// The catalogue.
    pub catalog: Arc<CatalogStore>,
    /// Where batches come from.
    pub router: Arc<Router>,
    /// How long queries may take.
    pub timeouts: Timeouts,
    /// Knows what views cost.
    pub advisor: Arc<Advisor>,
    /// To have the log read.
    pub wake: Arc<Wake>,
    /// For relative dates.
    pub clock: Clock,
    /// How long views are kept that nobody shows.
    pub view_idle: Duration,
    /// See [`Sabotage`].
    pub sabotage: Option<Sabotage>,
}

/// One table's task.
#[derive(Debug)]
pub struct TableTask {
    around: Surroundings,
    table: Arc<TableDef>,
    /// The state that every view stands at.
    mark: Mark,
    feed: mpsc::Receiver<Arc<Batch>>,
    commands: mpsc::Receiver<Command>,
    /// Where others reach this task.
    own_commands: WeakSender<Command>,
    history: History,
    answers: Answers,
    views: HashMap<ViewId, View>,
    /// The view that means this. A step in time leaves a plan equal to itself.
    by_plan: HashMap<Arc<Plan>, ViewId>,
    /// Views that hold more rows than they need.
    crowded: BTreeSet<ViewId>,
    /// The views have changed since it was measured how much memory they take.
    unmeasured: bool,
    next_view: ViewId,
    /// Which view each session's windows show; may name some that are closed.
    shown_in: HashMap<SessionId, HashMap<WindowId, ViewId>>,
    /// Held by every count and chart that is under way, so that whether there is any needs no look at all views.
    charts: Arc<()>,
    queries: JoinSet<Answer>,
    /// Moves views along with time.
    clockwork: Clockwork,
    /// Answers from a state that this table has not reached yet.
    early: Vec<Answer>,
    /// Windows that could not be planned because PostgreSQL was away; tried again when it is back.
    unplanned: Vec<ClientWindow>,
    /// The table is not live any more: another kind of task goes on.
    leaving: Option<Option<Arc<TableDef>>>,
    summaries: Summaries,
    summary_steps: SummarySteps,
    /// Since when nobody shows anything.
    idle_since: Option<Instant>,
}

impl TableTask {
    /// A task that takes over.
    pub async fn new(around: Surroundings, turn: Turn, beginning: Beginning) -> Self {
        let Beginning { mark, feed } = beginning;
        let mut task = Self {
            history: History::new(mark.snapshot.clone()),
            table: turn.table,
            mark,
            feed,
            idle_since: None,
            commands: turn.commands,
            own_commands: turn.own_commands,
            answers: Answers::new(around.clock.clone()),
            around,
            views: HashMap::new(),
            by_plan: HashMap::new(),
            crowded: BTreeSet::new(),
            unmeasured: false,
            next_view: 0,
            shown_in: HashMap::new(),
            charts: Arc::default(),
            queries: JoinSet::new(),
            clockwork: Clockwork::default(),
            early: Vec::new(),
            unplanned: Vec::new(),
            leaving: None,
            summaries: Summaries::default(),
            summary_steps: SummarySteps::default(),
        };
        for moving in turn.windows {
            task.show_or_refuse(moving.into()).await;
        }
        if let Some(command) = turn.first {
            task.take_command(command).await;
        }
        task
    }

    /// Works until `stop`, or until another kind of task is to go on.
    pub async fn run(mut self, stop: CancellationToken) -> Option<Turn> {
        // A view is unused for at most a quarter longer than it may be.
        let mut ticks = interval(self.around.view_idle / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = interval(PROGRESS_INTERVAL);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seconds = interval(CLOCK_INTERVAL);
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut memory = interval(MEMORY_INTERVAL);
        memory.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(table) = self.leaving.take() {
                let mut windows = std::mem::take(&mut self.unplanned);
                for (_, mut view) in self.views.drain() {
                    windows.extend(std::mem::take(&mut view.windows).into_values());
                }
                let turn = Turn::first(self.table, self.own_commands, self.commands);
                return Some(turn.then(table, windows));
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                Some(batch) = self.feed.recv() => self.take_batches(batch).await,
                Some(command) = self.commands.recv() => self.take_command(command).await,
                Some(joined) = self.queries.join_next() => {
                    // A count that was broken off has no answer.
                    if let Ok(answer) = joined {
                        self.take_answer(answer).await;
                    }
                }
                Some(Ok(answer)) = self.summaries.queries.join_next() => {
                    self.take_summary_answer(answer).await;
                }
                Some(Ok(step)) = self.summary_steps.queries.join_next() => {
                    self.take_summary_step(step).await;
                }
                _ = ticks.tick() => {
                    self.drop_unused();
                    if self.is_idle() {
                        return Some(Turn::first(self.table, self.own_commands, self.commands));
                    }
                }
                _ = memory.tick(), if self.unmeasured => self.measure(),
                _ = progress.tick(), if self.is_charting() => self.tell_progress(),
                _ = seconds.tick(), if self.has_clockwork() => self.begin_steps(),
                Some(Ok(step)) = self.clockwork.queries.join_next() => self.take_step(step).await,
                // Those who have just been told something read it first.
                () = yield_now(), if !self.crowded.is_empty() => self.let_go(),
                () = sleep(FETCH_RETRY), if !self.unplanned.is_empty() => self.show_unplanned().await,
            }
        }
    }

    /// Whether nobody has shown anything for so long that the table's changes need not be logged.
    fn is_idle(&mut self) -> bool {
        let is_unused =
            self.views.is_empty() && self.unplanned.is_empty() && self.summaries.is_empty();
        if !is_unused {
            self.idle_since = None;
            return false;
        }
        let since = *self.idle_since.get_or_insert_with(Instant::now);
        since.elapsed() >= self.around.view_idle * TABLE_IDLE_FACTOR
    }

    fn measure(&mut self) {
        self.unmeasured = false;
        self.views.values().for_each(View::measure);
        self.around.budget.settle();
    }

    /// One portion of the rows that a crowded view does not need.
    fn let_go(&mut self) {
        let Some(id) = self.crowded.pop_first() else {
            return;
        };
        if self.views.get_mut(&id).is_some_and(View::let_go) {
            self.crowded.insert(id);
        }
    }

    fn is_charting(&self) -> bool {
        Arc::strong_count(&self.charts) > 1
    }

    fn tell_progress(&self) {
        self.views.values().for_each(View::tell_progress);
    }

    fn refresh_all(&mut self) {
        let version = self.mark.version();
        let views: Vec<ViewId> = self.views.keys().copied().collect();
        for view in views {
            self.refresh_at(&version, view, None);
        }
    }

    /// Sends the view's clients, or one of them, what is due.
    fn refresh(&mut self, view: ViewId, only: Option<WindowKey>) {
        self.refresh_at(&self.mark.version(), view, only);
    }

    fn refresh_at(&mut self, version: &Version, id: ViewId, only: Option<WindowKey>) {
        let Some(view) = self.views.get_mut(&id) else {
            return;
        };
        let questions = view.refresh((&self.mark, version), &self.history, only);
        if view.is_crowded() {
            self.crowded.insert(id);
        }
        if let (Some(share), false) = (&view.share, questions.is_empty()) {
            share.used();
        }
        for question in questions {
            let (around, table) = (self.around.clone(), self.table.clone());
            let number = question.number;
            let abort = self
                .queries
                .spawn(question.ask(around, table, view.plan.clone()));
            view.began(number, abort);
        }
        if view.is_resuming(only) {
            self.around.wake.requested.notify_one();
        }
        self.history.pin(self.is_charting());
    }
}

/// Every row that these changes name.
fn rows_of(changes: &TableChanges) -> impl Iterator<Item = &view_index::TableRow> + Clone {
    let images = changes.sides.iter().map(|side| side.row.as_ref());
    images.chain(changes.current.iter().filter_map(|(_, row)| row.as_deref()))
}
