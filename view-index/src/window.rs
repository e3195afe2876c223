//! One client's window on a view, and the updates that keep it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use protocol::{
    EditId, Generation, ResetReason, Row, RowOp, Update, UpdateNumber, Value, Version, WindowId,
};

use crate::order::Key;
use crate::row::{RowKey, TableRow};
use crate::view::ViewIndex;

/// Updates a client may not have acknowledged: one, and one more for a move, which never waits.
const UNACKNOWLEDGED_MAX: u64 = 1;

/// One client's window: what it asked for, and what it has been sent.
///
/// It remembers the rows it last sent, not the changes since: whenever the client is ready, one update
/// leads from those to the view as it is by then. A slow client gets fewer, newer updates.
#[derive(Debug)]
pub struct Window {
    id: WindowId,
    /// The table's columns it shows.
    columns: Vec<usize>,
    anchor: Anchor,
    /// Rows to show.
    count: u32,
    generation: Generation,
    /// The client's last move has not been answered.
    moved: bool,
    sent: Sent,
    number: UpdateNumber,
    acknowledged: UpdateNumber,
    /// Edits of this client that the view contains and no update has said so.
    echoes: Vec<EditId>,
    /// When the oldest change was made that no update contains.
    changed_at_micros: Option<i64>,
    /// Why the next update is a snapshot, if the client held something.
    reset: Option<ResetReason>,
    /// The view's revision that the client was last found to hold, unless something else changed since.
    shown: Option<u64>,
}

/// What holds a window in place while rows come and go above it.
#[derive(Clone, Debug)]
enum Anchor {
    /// The view's top: new rows stream in.
    Top,
    /// A position, until the row there is known.
    Position(u64),
    /// The place of its first row, whether or not that row still exists.
    Row(Key),
    /// The view's end: new last rows stream in.
    End,
}

/// What the client holds.
#[derive(Debug, Default)]
struct Sent {
    /// `None`: nothing.
    version: Option<Version>,
    start: u64,
    total: u64,
    total_is_exact: bool,
    rows: Vec<SentRow>,
}

#[derive(Clone, Debug)]
struct SentRow {
    key: RowKey,
    /// `None`: the client has a row of this key, but not as it is now.
    row: Option<Arc<TableRow>>,
}

/// Where a window stands, for one that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Counts the ranges it has had.
    pub generation: Generation,
    /// The position of its first row; `None` if it follows the view's end.
    pub start: Option<u64>,
    /// Rows to show.
    pub count: u32,
    /// The last update's number.
    pub number: UpdateNumber,
}

/// What a window needs next.
#[derive(Debug, PartialEq)]
pub enum Refresh {
    /// The client has not acknowledged enough; ask again when it has.
    Waiting,
    /// Rows at these positions must be fetched first; the view's last rows if it is at the end.
    Missing(Range<u64>),
    /// The client holds what the view shows.
    Unchanged,
    /// To be sent.
    Update(Box<Update>),
}

impl Window {
    /// A window of `count` rows from position `start` (`None`: the view's last ones), of no columns yet.
    pub fn new(id: WindowId, generation: Generation, start: Option<u64>, count: u32) -> Self {
        Self {
            id,
            columns: Vec::new(),
            anchor: Anchor::from(start),
            count,
            generation,
            moved: true,
            sent: Sent::default(),
            number: 0,
            acknowledged: 0,
            echoes: Vec::new(),
            changed_at_micros: None,
            reset: None,
            shown: None,
        }
    }

    /// Takes over what a client holds from an earlier socket: the rows of these keys, each unchanged
    /// since unless `touched` says otherwise.
    pub fn resume(
        &mut self,
        version: Version,
        keys: Vec<RowKey>,
        view: &ViewIndex,
        touched: impl Fn(&RowKey) -> bool,
    ) {
        let wanted = self.range(view);
        let current: HashMap<RowKey, Arc<TableRow>> = view
            .rows(&wanted)
            .into_iter()
            .map(|row| (row.key.clone(), row))
            .collect();
        let rows = keys.into_iter().map(|key| {
            let row = if touched(&key) {
                None
            } else {
                current.get(&key).cloned()
            };
            SentRow { key, row }
        });
        self.sent = Sent {
            version: Some(version),
            start: wanted.start,
            total: 0,
            total_is_exact: false,
            rows: rows.collect(),
        };
        self.shown = None;
    }

    /// The positions to hold rows for. While the view's total is an estimate they may go beyond it.
    pub fn range(&self, view: &ViewIndex) -> Range<u64> {
        let count = u64::from(self.count);
        let start = match &self.anchor {
            Anchor::Top => 0,
            Anchor::Position(position) => *position,
            Anchor::Row(key) => view.rank(key),
            Anchor::End => {
                let total = view.total();
                return total.saturating_sub(count)..total;
            }
        };
        let end = start.saturating_add(count);
        if view.total_is_exact() {
            let end = end.min(view.total());
            start.min(end)..end
        } else {
            start..end
        }
    }

    /// The positions asked for, before anything is known of the view; `None` for its last ones.
    pub fn requested(&self) -> Option<Range<u64>> {
        let start = match self.anchor {
            Anchor::Top => 0,
            Anchor::Position(position) => position,
            Anchor::Row(_) => self.sent.start,
            Anchor::End => return None,
        };
        Some(start..start.saturating_add(u64::from(self.count)))
    }

    /// Rows to show.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether it follows the view's end.
    pub fn is_at_end(&self) -> bool {
        matches!(self.anchor, Anchor::End)
    }

    /// The position asked for, if the row there is not known yet.
    pub fn awaited(&self) -> Option<u64> {
        match self.anchor {
            Anchor::Position(position) => Some(position),
            Anchor::Top | Anchor::Row(_) | Anchor::End => None,
        }
    }

    /// The row at the [awaited](Self::awaited) position stood here when it was asked for; rows that have
    /// come above since do not change what is shown.
    pub fn hold_at(&mut self, key: Key) {
        self.anchor = Anchor::Row(key);
        self.shown = None;
    }

    /// Shows another range (`None`: the view's last rows). Ignored if a later move is known.
    pub fn move_to(&mut self, generation: Generation, start: Option<u64>, count: u32) {
        if generation > self.generation {
            self.generation = generation;
            self.anchor = Anchor::from(start);
            self.count = count;
            self.moved = true;
        }
    }

    /// The client has applied this update and all before it.
    pub fn acknowledge(&mut self, number: UpdateNumber) {
        self.acknowledged = self.acknowledged.max(number.min(self.number));
    }

    /// Something in the view's table changed, at this time by PostgreSQL's clock, and with it the view's
    /// revision.
    pub fn changed(&mut self, at_micros: Option<i64>) {
        self.changed_at_micros = match (self.changed_at_micros, at_micros) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// The view contains an edit of this client's: the next update says so.
    pub fn echo(&mut self, edit: EditId) {
        self.echoes.push(edit);
    }

    /// The view was built anew: what the client holds no longer leads anywhere.
    pub fn reset(&mut self, reason: ResetReason) {
        if self.sent.version.is_some() || self.reset.is_some() {
            self.reset = Some(reason);
        }
        if let Anchor::Row(_) = self.anchor {
            self.anchor = Anchor::from(Some(self.sent.start));
        }
        self.sent = Sent {
            start: self.sent.start,
            ..Sent::default()
        };
        self.shown = None;
    }

    /// The client held something that cannot be continued, from before this window was made.
    pub fn must_refetch(&mut self, reason: ResetReason) {
        self.reset = Some(reason);
    }

    /// Where it stands, for a window that takes its place.
    pub fn standing(&self) -> Standing {
        Standing {
            generation: self.generation,
            start: self.requested().map(|range| range.start),
            count: self.count,
            number: self.number,
        }
    }

    /// Counts on from the updates of the window whose place it takes; its client starts again.
    pub fn continue_after(&mut self, number: UpdateNumber, reason: ResetReason) {
        (self.number, self.acknowledged) = (number, number);
        self.reset = Some(reason).filter(|_| number > 0);
    }

    /// The window's number on its socket.
    pub fn id(&self) -> WindowId {
        self.id
    }

    /// Shows these columns of the table. If the client holds rows, [`Self::reset`] comes first.
    pub fn set_columns(&mut self, columns: Vec<usize>) {
        self.columns = columns;
        self.shown = None;
    }

    /// The update that brings the client to the view as it is, at `version`.
    pub fn refresh(&mut self, view: &ViewIndex, version: &Version) -> Refresh {
        let allowed = UNACKNOWLEDGED_MAX + u64::from(self.moved);
        if self.number - self.acknowledged >= allowed {
            return Refresh::Waiting;
        }
        let is_due = self.moved || !self.echoes.is_empty() || self.sent.version.is_none();
        if !is_due && self.shown == Some(view.revision()) {
            return Refresh::Unchanged;
        }
        let range = self.range(view);
        if self
            .awaited()
            .is_some_and(|start| start > view.known_until())
        {
            // Rows may be held there, but which is row number `start` is not known yet.
            return Refresh::Missing(range);
        }
        if let Some(gap) = view.gap(&range) {
            return Refresh::Missing(gap);
        }
        if let Anchor::Position(start) = self.anchor
            && let Some(key) = view.key_at(start)
        {
            self.anchor = Anchor::Row(key);
        }
        let rows = view.rows(&range);
        self.shown = Some(view.revision());
        if !is_due && self.shows(&range, view, &rows) {
            self.changed_at_micros = None;
            return Refresh::Unchanged;
        }
        Refresh::Update(Box::new(self.update(range.start, view, rows, version)))
    }

    fn shows(&self, range: &Range<u64>, view: &ViewIndex, rows: &[Arc<TableRow>]) -> bool {
        self.sent.start == range.start
            && self.sent.total == view.total()
            && self.sent.total_is_exact == view.total_is_exact()
            && self.sent.rows.len() == rows.len()
            && self.sent.rows.iter().zip(rows).all(|(sent, row)| {
                sent.key == row.key
                    && sent
                        .row
                        .as_ref()
                        .is_some_and(|held| self.changed_cells(held, row).is_empty())
            })
    }

    fn update(
        &mut self,
        start: u64,
        view: &ViewIndex,
        rows: Vec<Arc<TableRow>>,
        version: &Version,
    ) -> Update {
        let (total, total_is_exact) = (view.total(), view.total_is_exact());
        let ops = self.diff(&rows);
        self.number += 1;
        self.moved = false;
        let rows = rows.into_iter().map(|row| SentRow {
            key: row.key.clone(),
            row: Some(row),
        });
        let sent = Sent {
            version: Some(version.clone()),
            start,
            total,
            total_is_exact,
            rows: rows.collect(),
        };
        let before = std::mem::replace(&mut self.sent, sent);
        Update {
            window: self.id,
            generation: self.generation,
            number: self.number,
            from: before.version,
            to: version.clone(),
            must_refetch: self.reset.take(),
            start,
            total,
            total_is_exact,
            rows: ops,
            edits: std::mem::take(&mut self.echoes),
            changed_at_micros: self.changed_at_micros.take(),
        }
    }

    /// The new rows, written in terms of the rows sent before.
    fn diff(&self, rows: &[Arc<TableRow>]) -> Vec<RowOp> {
        let before = &self.sent.rows;
        let mut ops = Vec::new();
        // Most rows follow the row they followed before; the map is made only if one does not.
        let mut by_key: Option<HashMap<&RowKey, usize>> = None;
        let mut next = 0;
        for row in rows {
            let in_place = before.get(next).is_some_and(|sent| sent.key == row.key);
            let found = if in_place {
                Some(next)
            } else {
                let by_key = by_key.get_or_insert_with(|| {
                    before
                        .iter()
                        .enumerate()
                        .map(|(index, sent)| (&sent.key, index))
                        .collect()
                });
                by_key.get(&row.key).copied()
            };
            let held = found.and_then(|index| Some((index, before[index].row.as_ref()?)));
            if let Some(index) = found {
                next = index + 1;
            }
            match held {
                None => ops.push(RowOp::Row(self.project(row))),
                Some((index, held)) => keep(&mut ops, index, self.changed_cells(held, row)),
            }
        }
        ops
    }

    fn project(&self, row: &TableRow) -> Row {
        let cells = self
            .columns
            .iter()
            .map(|&column| row.cells[column].clone())
            .collect();
        Row {
            key: row.key.to_vec(),
            cells,
        }
    }

    /// The shown cells in which two states of a row differ, as the client numbers its columns.
    fn changed_cells(&self, before: &Arc<TableRow>, after: &Arc<TableRow>) -> Vec<(u32, Value)> {
        if Arc::ptr_eq(before, after) {
            return Vec::new();
        }
        let changed = |&(_, &column): &(u32, &usize)| before.cells[column] != after.cells[column];
        let cell = |(index, &column): (u32, &usize)| (index, after.cells[column].clone());
        (0..).zip(&self.columns).filter(changed).map(cell).collect()
    }
}

impl From<Option<u64>> for Anchor {
    fn from(start: Option<u64>) -> Self {
        match start {
            None => Self::End,
            Some(0) => Self::Top,
            Some(start) => Self::Position(start),
        }
    }
}

fn keep(ops: &mut Vec<RowOp>, index: usize, cells: Vec<(u32, Value)>) {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    if !cells.is_empty() {
        ops.push(RowOp::Patch { from: index, cells });
    } else if let Some(RowOp::Keep { from, count }) = ops.last_mut()
        && *from + *count == index
    {
        *count += 1;
    } else {
        ops.push(RowOp::Keep {
            from: index,
            count: 1,
        });
    }
}
