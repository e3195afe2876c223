//! What the tasks of one run share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use protocol::Value;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use server::changes::Mark;
use tokio::sync::mpsc;
use tokio_postgres::Error;

use crate::client::Check;
use crate::table::Table;
use crate::views::View;

/// Checks that wait; who causes them waits when there are more.
pub(crate) const WAITING_MAX: usize = 8;
/// Views that clients choose from, so that they share some.
const VIEWS: usize = 12;

/// What the tasks of one run share.
pub(crate) struct Run {
    pub(crate) table: Table,
    /// Rows that the table begins with.
    pub(crate) rows: u64,
    /// Whether writers empty the table now and then.
    pub(crate) truncates: bool,
    views: Vec<View>,
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
}

impl Run {
    pub(crate) fn new(
        table: Table,
        rows: u64,
        truncates: bool,
        checks: mpsc::Sender<Check>,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        Self {
            views: (0..VIEWS).map(|_| View::random(&table, rng)).collect(),
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
        assert!(makes_sense, "{statement}: {error:?}\n{}", self.table.setup);
    }

    /// A transaction is about to empty the table.
    pub(crate) fn truncating(&self, xid: u64) {
        self.truncating.lock().unwrap().push(xid);
    }

    /// Whether any has been.
    pub(crate) fn is_truncating(&self) -> bool {
        !self.truncating.lock().unwrap().is_empty()
    }

    /// It was emptied.
    pub(crate) fn truncated(&self) {
        self.truncated.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether PostgreSQL still has the rows that a version saw: TRUNCATE takes them from older snapshots
    /// too.
    pub(crate) fn is_comparable(&self, check: &Check) -> bool {
        let mark = check.replica.version.as_ref().and_then(Mark::parse);
        let sees = |&xid: &u64| mark.as_ref().is_some_and(|mark| mark.snapshot.sees(xid));
        self.truncating.lock().unwrap().iter().all(sees)
    }
}
