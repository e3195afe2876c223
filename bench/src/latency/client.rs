//! One socket and its windows: applies every update as the viewer does, and acknowledges it at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, bail};
use client_egui::model::{RowEntry, WindowCache};
use protocol::{Ack, ClientMsg, MoveWindow, OpenWindow, RowOp, ServerMsg, Update, Value, Version};
use tokio::sync::mpsc;
use view_index::Snapshot;

use super::ledger::{Ledger, Seen};
use super::scenario::{NUMBER_COLUMN, WINDOW_ROWS, WindowPlan};
use crate::socket::Socket;

/// What came over all sockets.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Updates applied.
    pub(super) updates: AtomicU64,
    /// Bytes of their messages.
    pub(super) bytes: AtomicU64,
    /// Updates that had to start again from a snapshot.
    pub(super) resets: AtomicU64,
}

/// The rows that one window shows: key and the number of the last change. Writers choose from them.
pub(super) type Shown = Arc<Mutex<Vec<(i64, i64)>>>;

/// Reads what a window shows.
pub(super) fn with_shown<T>(shown: &Shown, read: impl FnOnce(&mut Vec<(i64, i64)>) -> T) -> T {
    // Nothing under the lock panics half-way.
    read(&mut shown.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One socket.
pub(super) struct Client {
    socket: Socket,
    windows: Vec<Window>,
    ledger: Arc<Ledger>,
    traffic: Arc<Traffic>,
    /// Told once for each window, when it shows its rows.
    ready: mpsc::Sender<()>,
}

struct Window {
    plan: WindowPlan,
    cache: WindowCache,
    shown: Shown,
    /// It has been told to be where it is to be.
    is_moved: bool,
    is_ready: bool,
}

/// What came of an update.
struct Taken {
    /// When it had been applied.
    at: Instant,
    ack: Ack,
    touched: Vec<Touched>,
    /// The window is to be elsewhere.
    moved: Option<MoveWindow>,
    /// The window is where it is to be, since this update.
    became_ready: bool,
    is_reset: bool,
}

/// A row that an update changed, moved or took away.
#[derive(Debug, PartialEq)]
struct Touched {
    row: i64,
    /// The number it held before.
    before: i64,
    /// The number it holds now; `None` if it is gone.
    after: Option<i64>,
}

impl Client {
    /// Connects and opens the windows.
    pub(super) async fn connect(
        url: &str,
        plans: Vec<(WindowPlan, Shown)>,
        ledger: Arc<Ledger>,
        traffic: Arc<Traffic>,
        ready: mpsc::Sender<()>,
    ) -> anyhow::Result<Self> {
        let socket = Socket::connect(url).await?;
        let window = |(plan, shown)| Window {
            plan,
            cache: WindowCache::default(),
            shown,
            is_moved: false,
            is_ready: false,
        };
        let windows = plans.into_iter().map(window).collect();
        let mut client = Self {
            socket,
            windows,
            ledger,
            traffic,
            ready,
        };
        for id in 0..client.windows.len() {
            let open = OpenWindow {
                window: u32::try_from(id)?,
                generation: 0,
                view: client.windows[id].plan.view.clone(),
                columns: Vec::new(),
                start: 0,
                count: WINDOW_ROWS,
                from_end: false,
                resume: None,
                allow_expensive: true,
            };
            client.socket.send(&ClientMsg::Open(open)).await?;
        }
        Ok(client)
    }

    /// Applies updates until the task is aborted or something fails.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let (message, bytes) = self.socket.receive().await?;
            match message {
                ServerMsg::Opened(opened) => {
                    let window = self.windows.get_mut(usize::try_from(opened.window)?);
                    window
                        .context("an unknown window")?
                        .cache
                        .set_schema(opened.schema);
                }
                ServerMsg::Update(update) => self.update(update, bytes).await?,
                ServerMsg::Error(error) => bail!("the server refused: {}", error.message),
                _ => {}
            }
        }
    }

    async fn update(&mut self, update: Update, bytes: usize) -> anyhow::Result<()> {
        let (id, version) = (update.window, update.to.clone());
        let window = self.windows.get_mut(usize::try_from(id)?);
        let taken = window.context("an unknown window")?.take(update)?;
        self.socket.send(&ClientMsg::Ack(taken.ack)).await?;
        if let Some(moved) = taken.moved {
            self.socket.send(&ClientMsg::Move(moved)).await?;
        }
        if taken.became_ready {
            let told = self.ready.send(()).await;
            told.context("nobody waits for the windows")?;
        }
        self.record(&taken.touched, &version, taken.at)?;
        let traffic = &self.traffic;
        traffic.updates.fetch_add(1, Ordering::Relaxed);
        traffic.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let resets = u64::from(taken.is_reset);
        traffic.resets.fetch_add(resets, Ordering::Relaxed);
        Ok(())
    }

    /// Tells the ledger what an update showed.
    fn record(&self, touched: &[Touched], version: &Version, at: Instant) -> anyhow::Result<()> {
        let mut state = None;
        for touched in touched {
            let seen = match (touched.after, &state) {
                (Some(number), _) => Seen::Number(number),
                (None, Some(state)) => Seen::Removed(Arc::clone(state)),
                (None, None) => Seen::Removed(state.insert(Arc::new(snapshot(version)?)).clone()),
            };
            self.ledger.seen(touched.row, touched.before, &seen, at);
        }
        Ok(())
    }
}

impl Window {
    /// Applies an update.
    fn take(&mut self, update: Update) -> anyhow::Result<Taken> {
        let (window, generation) = (update.window, update.generation);
        let is_reset = update.must_refetch.is_some();
        let touched = self.touched(&update.rows);
        let brings_rows = update.rows.iter().any(|op| matches!(op, RowOp::Row(_)));
        let applied = self.cache.apply(update, Instant::now())?;
        let at = Instant::now();
        if brings_rows || !touched.is_empty() {
            self.publish();
        }
        let moved = self.move_once(window);
        let is_there = moved.is_none() && generation == u32::from(self.is_moved);
        let became_ready = is_there && !self.is_ready;
        self.is_ready |= is_there;
        Ok(Taken {
            at,
            ack: Ack {
                window,
                number: applied.number,
            },
            touched,
            moved,
            became_ready,
            is_reset,
        })
    }

    /// What an update that is about to be applied does to the rows held.
    fn touched(&self, ops: &[RowOp]) -> Vec<Touched> {
        let before = self.cache.rows();
        let Some(column) = self.cache.column_index(NUMBER_COLUMN) else {
            return Vec::new();
        };
        let mut is_left = vec![false; before.len()];
        let mut touched = Vec::new();
        let mut is_now = |index: usize, after: Option<i64>| {
            is_left[index] = true;
            let after = after.filter(|&after| after != number_of(&before[index], column));
            touched.extend(after.map(|after| Touched {
                row: key_of(&before[index]),
                before: number_of(&before[index], column),
                after: Some(after),
            }));
        };
        for op in ops {
            match op {
                RowOp::Keep { from, count } => {
                    (*from..from + count).for_each(|at| is_now(at as usize, None));
                }
                RowOp::Patch { from, cells } => {
                    let cell = cells.iter().find(|(index, _)| *index as usize == column);
                    is_now(*from as usize, cell.and_then(|(_, value)| int(value)));
                }
                RowOp::Row(row) => {
                    if let Some(at) = before.iter().position(|held| held.key() == row.key) {
                        is_now(at, row.cells.get(column).and_then(int));
                    }
                }
            }
        }
        let gone = before.iter().zip(is_left).filter(|(_, is_left)| !is_left);
        touched.extend(gone.map(|(row, _)| Touched {
            row: key_of(row),
            before: number_of(row, column),
            after: None,
        }));
        touched
    }

    /// Lets writers choose from the rows held.
    fn publish(&self) {
        let Some(column) = self.cache.column_index(NUMBER_COLUMN) else {
            return;
        };
        let rows = self
            .cache
            .rows()
            .iter()
            .map(|row| (key_of(row), number_of(row, column)));
        with_shown(&self.shown, |shown| {
            shown.clear();
            shown.extend(rows);
        });
    }

    /// The move to where the window is to be, once it is known how long its view is.
    fn move_once(&mut self, window: u32) -> Option<MoveWindow> {
        if self.is_moved || self.plan.depth == 0.0 {
            return None;
        }
        self.is_moved = true;
        let last = self.cache.total()?.saturating_sub(u64::from(WINDOW_ROWS));
        Some(MoveWindow {
            window,
            generation: 1,
            start: (last as f64 * self.plan.depth) as u64,
            count: WINDOW_ROWS,
            from_end: false,
            received: self.cache.number(),
        })
    }
}

/// What a version contains: it is the log's epoch and a snapshot.
fn snapshot(version: &Version) -> anyhow::Result<Snapshot> {
    let snapshot = version
        .0
        .split_once('/')
        .and_then(|(_, snapshot)| snapshot.parse().ok());
    snapshot.with_context(|| format!("the version {version:?} is not of the expected form"))
}

fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value {
        Some(*value)
    } else {
        None
    }
}

fn key_of(row: &RowEntry) -> i64 {
    row.key().first().and_then(int).unwrap_or_default()
}

fn number_of(row: &RowEntry, column: usize) -> i64 {
    row.cells().get(column).and_then(int).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use protocol::{Column, ColumnKind, Row, TableSchema};

    use super::*;

    fn row(id: i64, number: i64) -> Row {
        Row {
            key: vec![Value::Int(id)],
            cells: vec![Value::Int(number)],
        }
    }

    fn update(number: u64, from: Option<&str>, rows: Vec<RowOp>) -> Update {
        Update {
            window: 0,
            generation: 0,
            number,
            from: from.map(|from| Version(from.to_owned())),
            to: Version("epoch/7:9:8".to_owned()),
            must_refetch: None,
            start: 0,
            total: 9,
            total_is_exact: true,
            rows,
            edits: Vec::new(),
            changed_at_micros: None,
        }
    }

    #[test]
    fn an_update_touches_what_it_changes_moves_or_takes_away() {
        let column = Column {
            name: NUMBER_COLUMN.to_owned(),
            kind: ColumnKind::Int,
            type_name: "integer".to_owned(),
            nullable: false,
            editable: true,
            sortable: true,
            labels: Vec::new(),
            comment: None,
        };
        let mut window = Window {
            plan: WindowPlan {
                view: protocol::ViewSpec::table("t"),
                depth: 0.0,
            },
            cache: WindowCache::default(),
            shown: Shown::default(),
            is_moved: false,
            is_ready: false,
        };
        let (name, key) = ("t".to_owned(), vec!["id".to_owned()]);
        window
            .cache
            .set_schema(TableSchema::live(name, key, vec![column]));
        let rows = (1..=4).map(|id| RowOp::Row(row(id, 0))).collect();
        window
            .cache
            .apply(update(1, None, rows), Instant::now())
            .unwrap();

        let touched = window.touched(&[
            RowOp::Row(row(4, 40)),
            RowOp::Keep { from: 0, count: 1 },
            RowOp::Patch {
                from: 1,
                cells: vec![(0, Value::Int(20))],
            },
            RowOp::Row(row(9, 90)),
        ]);
        let is = |row, after| Touched {
            row,
            before: 0,
            after,
        };
        assert_eq!(touched, [is(4, Some(40)), is(2, Some(20)), is(3, None)]);
    }

    #[test]
    fn a_version_tells_what_it_contains() {
        let version = Version("6f1d2c1e-0000-4000-8000-000000000000/7:9:8".to_owned());
        assert!(snapshot(&version).unwrap().sees(7) && !snapshot(&version).unwrap().sees(8));
        assert!(snapshot(&Version("7".to_owned())).is_err());
    }
}
