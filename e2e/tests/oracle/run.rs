//! What the tasks of one run share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use e2e::SetClock;
use protocol::Value;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;
use tokio_postgres::Error;

use crate::asked::Asked;
use crate::client::ShownRows;
use crate::groups::ShownGroups;
use crate::snapshots::{Held, Named};
use crate::table::Table;
use crate::views::View;

/// Checks that wait; who causes them waits when there are more.
pub(crate) const WAITING_MAX: usize = 8;
/// How long after servers lost the connection that has changes logged views are built anew for it.
const REBUILT_WITHIN: Duration = Duration::from_secs(15);
/// How long a client waits for what it asked for before it says that the server has stalled.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// What is said of a server that does not answer.
pub(crate) const STALLED: &str = "stalled";
/// Views that clients choose from, so that they share some.
const VIEWS: usize = 12;
/// Those of them that move along with time, if the table has dates.
const RELATIVE_VIEWS: usize = 3;
/// How many are drawn to find each of those.
const DRAWN: usize = 200;

/// Tables with more rows than this have no summaries here, and steps of the clock may pass more of them than
/// can be moved one by one.
const LARGE: u64 = 5_000;

/// Something to be compared with PostgreSQL.
pub(crate) struct Check {
    /// The version.
    pub(crate) named: Named,
    /// Whether a delta led here, because something had changed.
    pub(crate) followed: bool,
    /// Sees what the version saw.
    pub(crate) held: Arc<Held>,
    pub(crate) shown: Shown,
}

/// What a client shows.
pub(crate) enum Shown {
    Rows(Box<ShownRows>),
    Groups(Box<ShownGroups>),
}

impl Shown {
    /// What was asked for, as the protocol says it.
    pub(crate) fn asked(&self) -> String {
        match self {
            Self::Rows(shown) => format!("{:?}", shown.view.spec),
            Self::Groups(shown) => format!("{:?}", shown.asked.spec),
        }
    }
}

/// What the tasks of one run share.
pub(crate) struct Run {
    /// What writers change.
    pub(crate) written: Table,
    /// What clients look at: the same, or a view of it.
    pub(crate) table: Table,
    /// Whether every commit is followed as it happens.
    pub(crate) is_live: bool,
    pub(crate) clock: SetClock,
    /// What the clock said when; the latest for as long as views may stay behind it.
    ticks: Mutex<VecDeque<(Instant, i64)>>,
    /// How long a view may stay behind the clock.
    lag: Duration,
    /// Rows that the table begins with.
    pub(crate) rows: u64,
    /// Whether writers empty the table now and then.
    pub(crate) truncates: bool,
    views: Vec<View>,
    summaries: Vec<Asked>,
    over: AtomicBool,
    checks: mpsc::Sender<Check>,
    checked: AtomicUsize,
    /// How many of those were reached by a delta that somebody's change caused.
    followed: AtomicUsize,
    /// Keys of rows that somebody looks at.
    shown: Mutex<Vec<Vec<Value>>>,
    /// Transactions that empty the table, committed or not.
    truncating: Mutex<Vec<u64>>,
    truncated: AtomicUsize,
    /// When servers last lost the connection that has changes logged.
    attendance_lost: Mutex<Option<Instant>>,
}

/// Views, or summaries, that clients choose from.
fn some<T>(mut random: impl FnMut() -> T, is_relative: impl Fn(&T) -> bool) -> Vec<T> {
    let drawn = (0..RELATIVE_VIEWS * DRAWN).map(|_| random());
    let mut all: Vec<T> = drawn.filter(is_relative).take(RELATIVE_VIEWS).collect();
    all.extend(std::iter::repeat_with(random).take(VIEWS - all.len()));
    all
}

impl Run {
    pub(crate) fn new(
        (written, table): (Table, Table),
        (clock, lag): (SetClock, Duration),
        (rows, truncates, is_live): (u64, bool, bool),
        checks: mpsc::Sender<Check>,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        Self {
            views: some(|| View::random(&table, rng), View::is_relative),
            summaries: some(|| Asked::random(&table, rng), |it| it.view.is_relative()),
            is_live,
            clock,
            ticks: Mutex::default(),
            lag,
            written,
            table,
            rows,
            truncates,
            over: AtomicBool::new(false),
            checks,
            checked: AtomicUsize::new(0),
            followed: AtomicUsize::new(0),
            shown: Mutex::default(),
            truncating: Mutex::default(),
            truncated: AtomicUsize::new(0),
            attendance_lost: Mutex::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// A version was found right.
    pub(crate) fn count(&self, check: &Check) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        self.followed
            .fetch_add(usize::from(check.followed), Ordering::Relaxed);
    }

    /// Versions found right, those of them that were reached by deltas of changes, and how often the
    /// table was emptied.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [&self.checked, &self.followed, &self.truncated].map(|n| n.load(Ordering::Relaxed))
    }

    pub(crate) async fn check(&self, check: Check) {
        // Closed only when the run is over.
        drop(self.checks.send(check).await);
    }

    /// Whether any checks wait; clients then stay where they are and follow what is written.
    pub(crate) fn is_behind(&self) -> bool {
        self.checks.capacity() < WAITING_MAX
    }

    /// Waits while many checks do.
    pub(crate) async fn wait_for_checks(&self) {
        while self.checks.capacity() < WAITING_MAX / 2 && !self.is_over() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// A view: mostly one that others may show too.
    pub(crate) fn view(&self, rng: &mut ChaCha8Rng) -> View {
        match self.views.choose(rng) {
            Some(view) if rng.random_bool(0.6) => view.clone(),
            _ => View::random(&self.table, rng),
        }
    }

    /// A summary: mostly one that others may show too.
    pub(crate) fn summary(&self, rng: &mut ChaCha8Rng) -> Asked {
        match self.summaries.choose(rng) {
            Some(asked) if rng.random_bool(0.6) => asked.clone(),
            _ => Asked::random(&self.table, rng),
        }
    }

    /// Puts the clock forward: mostly a little, now and then far.
    pub(crate) fn tick(&self, rng: &mut ChaCha8Rng) {
        let seconds = match rng.random_range(0..200) {
            0 => rng.random_range(1..200_000),
            1..=8 => rng.random_range(60..7_200),
            9..=40 => rng.random_range(4..60),
            _ => rng.random_range(1..4),
        };
        let mut ticks = self.ticks.lock().unwrap();
        ticks.push_back((Instant::now(), self.clock.pass(seconds)));
        // The first that is left is the last one before the lag.
        while ticks
            .get(1)
            .is_some_and(|(since, _)| since.elapsed() > self.lag)
        {
            ticks.pop_front();
        }
    }

    /// A version of a view that moves along with time stands at an instant that is not long ago.
    pub(crate) fn check_instant(&self, view: &View, named: &Named) -> Result<(), String> {
        let Some(second) = named.second else {
            return Ok(());
        };
        let ticks = self.ticks.lock().unwrap();
        let due = ticks
            .front()
            .filter(|(since, _)| since.elapsed() > self.lag);
        match due {
            Some((since, due)) if !view.has_reached(second, *due) => Err(format!(
                "still at {second}, {:?} after {due}: {view:?}",
                since.elapsed()
            )),
            _ => Ok(()),
        }
    }

    /// Whether the table is larger than what can be followed in any case.
    pub(crate) fn is_large(&self) -> bool {
        self.rows > LARGE
    }

    /// Columns to show: mostly all, sometimes some in any order.
    pub(crate) fn columns(&self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut columns: Vec<usize> = (0..self.table.columns.len()).collect();
        if rng.random_bool(0.3) {
            columns.shuffle(rng);
            columns.truncate(rng.random_range(1..=columns.len()));
        }
        columns
    }

    pub(crate) fn column_names(&self, columns: &[usize]) -> Vec<String> {
        let name = |&at: &usize| self.table.columns[at].name.clone();
        columns.iter().map(name).collect()
    }

    /// Remembers some rows that somebody looks at.
    pub(crate) fn show<'a>(&self, keys: impl Iterator<Item = &'a Vec<Value>>) {
        if self.table.key.is_empty() {
            return;
        }
        let mut shown = self.shown.lock().unwrap();
        shown.extend(keys.take(8).cloned());
        let excess = shown.len().saturating_sub(64);
        shown.drain(..excess);
    }

    /// A row that somebody looks at, as a condition.
    pub(crate) fn shown(&self, rng: &mut ChaCha8Rng) -> Option<String> {
        let key = self.shown.lock().unwrap().choose(rng).cloned()?;
        Some(self.table.is_row(&key))
    }

    /// A statement was refused: by another writer's lock, by a taken key, by a constraint; or, which must
    /// not be, because it makes no sense.
    pub(crate) fn refused(&self, statement: &str, error: &Error) {
        let code = error.code().map_or("", |code| code.code());
        let makes_sense =
            ["55P03", "40P01", "40001", "21000"].contains(&code) || code.starts_with("23");
        assert!(
            makes_sense,
            "{statement}: {error:?}\n{}",
            self.written.setup
        );
    }

    /// A transaction is about to empty the table.
    pub(crate) fn truncating(&self, xid: u64) {
        self.truncating.lock().unwrap().push(xid);
    }

    /// Whether any has been.
    pub(crate) fn is_truncating(&self) -> bool {
        !self.truncating.lock().unwrap().is_empty()
    }

    /// Servers are about to lose the connection that has changes logged.
    pub(crate) fn lose_attendance(&self) {
        *self.attendance_lost.lock().unwrap() = Some(Instant::now());
    }

    /// Whether they did so little ago that views are still built anew for it: transactions that ran are waited for.
    pub(crate) fn has_lost_attendance(&self) -> bool {
        let lost = self.attendance_lost.lock().unwrap();
        lost.is_some_and(|lost| lost.elapsed() < REBUILT_WITHIN)
    }

    /// It was emptied.
    pub(crate) fn truncated(&self) {
        self.truncated.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether PostgreSQL still has the rows that a version saw: TRUNCATE takes them from older snapshots
    /// too.
    pub(crate) fn is_comparable(&self, check: &Check) -> bool {
        let sees = |&xid: &u64| check.named.snapshot.sees(xid);
        self.truncating.lock().unwrap().iter().all(sees)
    }
}
