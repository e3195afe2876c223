//! One client and its window: applies what it is sent and compares it with the model.

use std::ops::Range;

use protocol::{
    EditId, Generation, ResetReason, Row, RowOp, Update, UpdateNumber, Version, WindowId,
};
use view_index::{Key, Refresh, Snapshot, ViewIndex, Window, Xid};

use super::sabotage::Sabotage;
use super::table::{COLUMNS, KEY, Picks, SortBy, compare, value};

/// What the client knows. Written from the protocol's documentation alone.
#[derive(Default)]
struct Client {
    version: Option<Version>,
    number: UpdateNumber,
    start: u64,
    total: u64,
    total_is_exact: bool,
    rows: Vec<Row>,
}

impl Client {
    fn apply(&mut self, update: Update) {
        let before = if update.from.is_none() {
            Vec::new()
        } else {
            std::mem::take(&mut self.rows)
        };
        let mut rows = Vec::new();
        for op in update.rows {
            match op {
                RowOp::Keep { from, count } => {
                    rows.extend_from_slice(&before[from as usize..(from + count) as usize]);
                }
                RowOp::Patch { from, cells } => {
                    let mut row = before[from as usize].clone();
                    for (column, value) in cells {
                        row.cells[column as usize] = value;
                    }
                    rows.push(row);
                }
                RowOp::Row(row) => rows.push(row),
            }
        }
        self.rows = rows;
        self.version = Some(update.to);
        self.number = update.number;
        self.start = update.start;
        self.total = update.total;
        self.total_is_exact = update.total_is_exact;
    }
}

/// Where the window must stand.
#[derive(Clone, Copy)]
enum Place {
    Top,
    Position(u64),
    Row(Picks),
    End,
}

impl Place {
    fn asked(start: Option<u64>) -> Self {
        match start {
            None => Self::End,
            Some(0) => Self::Top,
            Some(start) => Self::Position(start),
        }
    }
}

/// The view as the model sees it.
pub(crate) struct Truth<'a> {
    pub(crate) order: &'a [SortBy],
    /// `SELECT … ORDER BY`.
    pub(crate) rows: Vec<Picks>,
    pub(crate) snapshot: Snapshot,
}

impl Truth<'_> {
    fn version(&self) -> Version {
        Version(format!("toy/{}", self.snapshot))
    }
}

fn window(id: WindowId, columns: &[usize], start: Option<u64>, count: u32) -> Window {
    let mut window = Window::new(id, 1, start, count);
    window.set_columns(columns.to_vec());
    window
}

pub(crate) struct Viewer {
    window: Window,
    id: WindowId,
    client: Client,
    columns: Vec<usize>,
    place: Place,
    count: u32,
    generation: Generation,
    must_refetch: Option<ResetReason>,
    /// Edits of this client: their transactions, and whether the server has said it saw them.
    edits: Vec<(EditId, Xid, bool)>,
    shown_edits: Vec<EditId>,
    updates: u32,
    /// It holds what the view shows, as far as it was last asked.
    pub(crate) settled: bool,
}

impl Viewer {
    pub(crate) fn open(id: WindowId, start: Option<u64>, count: u32, rotation: usize) -> Self {
        let columns: Vec<usize> = (0..COLUMNS - rotation % 4)
            .map(|nth| (nth + rotation) % COLUMNS)
            .collect();
        Self {
            window: window(id, &columns, start, count),
            id,
            client: Client::default(),
            columns,
            place: Place::asked(start),
            count,
            generation: 1,
            must_refetch: None,
            edits: Vec::new(),
            shown_edits: Vec::new(),
            updates: 0,
            settled: false,
        }
    }

    pub(crate) fn move_to(&mut self, start: Option<u64>, count: u32) {
        self.generation += 1;
        self.window.acknowledge(self.client.number);
        self.window.move_to(self.generation, start, count);
        self.window.move_to(self.generation - 1, Some(3), count + 1);
        self.place = Place::asked(start);
        self.count = count;
    }

    /// Rows were fetched: the one at the awaited position is what the window stays with.
    pub(crate) fn hold_at(&mut self, start: u64, rows: &[(Picks, Key)]) {
        let awaited = self.window.awaited();
        let expected = match self.place {
            Place::Position(position) => Some(position),
            Place::Top | Place::Row(_) | Place::End => None,
        };
        assert_eq!(awaited, expected);
        let place = awaited.and_then(|position| position.checked_sub(start));
        if let Some((row, key)) = place.and_then(|place| rows.get(usize::try_from(place).ok()?)) {
            self.window.hold_at(key.clone());
            self.place = Place::Row(*row);
        }
    }

    pub(crate) fn acknowledge(&mut self) {
        self.window.acknowledge(self.client.number);
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.window.is_at_end()
    }

    pub(crate) fn wanted(&self, view: &ViewIndex) -> Range<u64> {
        self.window.range(view)
    }

    /// The view was built anew.
    pub(crate) fn reset(&mut self) {
        self.window.reset(ResetReason::HistoryExpired);
        if let Place::Row(_) = self.place {
            self.place = Place::asked(Some(self.client.start));
        }
        if self.client.version.is_some() {
            self.must_refetch = Some(ResetReason::HistoryExpired);
        }
    }

    pub(crate) fn edited(&mut self, id: EditId, xid: Xid) {
        self.edits.push((id, xid, false));
    }

    /// A batch was applied to the view.
    pub(crate) fn changed(&mut self, at_micros: Option<i64>, seen: &Snapshot) {
        self.window.changed(at_micros);
        for (id, xid, echoed) in &mut self.edits {
            if !*echoed && seen.sees(*xid) {
                *echoed = true;
                self.window.echo(*id);
            }
        }
    }

    /// Comes back on a new socket; `touched` tells whether a row changed since a version.
    pub(crate) fn reconnect(
        &mut self,
        view: &ViewIndex,
        touched: impl Fn(&Snapshot, &[protocol::Value]) -> bool,
        sabotage: Option<Sabotage>,
    ) {
        self.generation = 1;
        self.edits.clear();
        self.shown_edits.clear();
        self.must_refetch = None;
        let start = match self.place {
            Place::End => None,
            _ => Some(self.client.start),
        };
        self.window = window(self.id, &self.columns, start, self.count);
        self.place = Place::asked(start);
        self.client.number = 0;
        if let Some(version) = self.client.version.clone() {
            let snapshot: Snapshot = version.0.split_once('/').unwrap().1.parse().unwrap();
            let keys = self
                .client
                .rows
                .iter()
                .map(|row| row.key.clone().into())
                .collect();
            self.window.resume(version, keys, view, |key| {
                sabotage != Some(Sabotage::ForgetTouched) && touched(&snapshot, key)
            });
        } else {
            self.client = Client::default();
        }
    }

    /// Lets the window send what it has; returns the positions that must be fetched for it.
    pub(crate) fn refresh(
        &mut self,
        view: &ViewIndex,
        truth: &Truth<'_>,
        sabotage: Option<Sabotage>,
    ) -> Option<Range<u64>> {
        let refresh = self.window.refresh(view, &truth.version());
        self.settled = refresh == Refresh::Unchanged;
        match refresh {
            Refresh::Waiting => return None,
            Refresh::Missing(gap) => {
                assert!(!gap.is_empty(), "nothing is missing from {gap:?}");
                return Some(gap);
            }
            Refresh::Unchanged => {}
            Refresh::Update(update) => {
                self.check_frame(&update, truth);
                self.updates += 1;
                if sabotage != Some(Sabotage::LoseUpdate) || !self.updates.is_multiple_of(4) {
                    self.client.apply(*update);
                }
            }
        }
        self.check_rows(truth);
        None
    }

    fn check_frame(&mut self, update: &Update, truth: &Truth<'_>) {
        let must_refetch = self.must_refetch.take();
        assert_eq!(update.window, self.id);
        assert_eq!(update.generation, self.generation);
        assert_eq!(update.number, self.client.number + 1);
        assert_eq!(update.to, truth.version());
        assert_eq!(update.must_refetch, must_refetch);
        if must_refetch.is_some() {
            assert_eq!(update.from, None, "a snapshot starts from nothing");
        } else {
            assert_eq!(
                update.from, self.client.version,
                "every update continues the last one"
            );
        }
        for id in &update.edits {
            let edit = self
                .edits
                .iter()
                .find(|edit| edit.0 == *id)
                .expect("a known edit");
            assert!(
                truth.snapshot.sees(edit.1),
                "an edit is echoed once it is shown"
            );
            assert!(!self.shown_edits.contains(id), "an edit is echoed once");
            self.shown_edits.push(*id);
        }
    }

    /// Compares what the client shows with `LIMIT` and `OFFSET` of the model.
    fn check_rows(&mut self, truth: &Truth<'_>) {
        let total = truth.rows.len();
        let start = match &self.place {
            Place::Top => 0,
            Place::Position(start) => usize::try_from(*start).unwrap().min(total),
            Place::Row(row) => {
                let before = |other: &&Picks| compare(truth.order, other, row).is_lt();
                truth.rows.iter().filter(before).count()
            }
            Place::End => total.saturating_sub(self.count as usize),
        };
        let end = total.min(start + self.count as usize);
        let project = |row: &Picks| Row {
            key: KEY
                .iter()
                .map(|&column| value(column, row[column]))
                .collect(),
            cells: self
                .columns
                .iter()
                .map(|&column| value(column, row[column]))
                .collect(),
        };
        let expected: Vec<Row> = truth.rows[start..end].iter().map(project).collect();
        if self.client.total_is_exact {
            assert_eq!(self.client.total, total as u64, "total");
        }
        let is_relative = matches!(self.place, Place::Row(_) | Place::End);
        if self.client.total_is_exact || !is_relative {
            assert_eq!(self.client.start, start as u64, "start");
        }
        assert_eq!(self.client.rows, expected, "rows at {}", truth.version().0);
        if let Place::Position(_) = self.place
            && let Some(row) = truth.rows.get(start)
        {
            self.place = Place::Row(*row);
        }
    }

    /// Every edit that the final state contains has been echoed.
    pub(crate) fn check_echoes(&self) {
        assert_eq!(
            self.edits.len(),
            self.shown_edits.len(),
            "edits that were never echoed"
        );
    }
}
