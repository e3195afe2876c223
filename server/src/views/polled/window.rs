//! One client's window on a view that is looked at again and again.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{
    EditId, ErrorCode, Generation, OpenWindow, ResetReason, Row, RowOp, ServerMsg, Update,
    UpdateNumber, Value, Version, ViewSpec, WindowId,
};
use view_index::{RowKey, TableRow, Xid};

use crate::db::polls::{Look, Place};
use crate::limits::FETCH_MARGIN;
use crate::views::client::{ClientRef, SessionId};

/// One client's window: what it asked for, and what it has been sent.
#[derive(Debug)]
pub struct PolledWindow {
    /// Whose it is.
    pub client: ClientRef,
    /// Keeps the window's number taken in its session.
    pub lease: Arc<()>,
    /// Its number on its socket.
    pub id: WindowId,
    /// What it asked for.
    pub spec: ViewSpec,
    /// The columns it asked for, by name; empty for all.
    pub columns: Vec<String>,
    /// The places of its columns in the table.
    pub places: Vec<usize>,
    /// Counts the ranges it has had.
    pub generation: Generation,
    /// The position of the first row to show.
    pub start: u64,
    /// How many rows to show.
    pub count: u32,
    /// It shows the view's end instead.
    pub from_end: bool,
    /// Counts the updates.
    pub number: UpdateNumber,
    /// Edits made in it that no update has listed.
    pub edits: Vec<(EditId, Xid)>,
    acknowledged: UpdateNumber,
    /// The client's last move has not been answered.
    moved: bool,
    sent: Option<Sent>,
    /// Why the next update is a snapshot, if the client held something.
    reset: Option<ResetReason>,
}

/// What the client holds.
#[derive(Debug)]
struct Sent {
    version: Version,
    start: u64,
    total: (u64, bool),
    rows: Vec<Arc<TableRow>>,
}

impl PolledWindow {
    /// As a client asks for it.
    pub fn new(client: ClientRef, lease: Arc<()>, open: OpenWindow) -> Self {
        Self {
            client,
            lease,
            id: open.window,
            spec: open.view,
            columns: open.columns,
            places: Vec::new(),
            generation: open.generation,
            start: open.start,
            count: open.count,
            from_end: open.from_end,
            number: 0,
            edits: Vec::new(),
            acknowledged: 0,
            moved: true,
            sent: None,
            // What changed while the client was away is not known.
            reset: open.resume.map(|_| ResetReason::HistoryExpired),
        }
    }

    /// Whether it is this one.
    pub fn is(&self, session: SessionId, window: WindowId) -> bool {
        self.client.session == session && self.id == window
    }

    /// Shows another range; ignored if a later move is known.
    pub fn move_to(&mut self, generation: Generation, start: u64, count: u32, from_end: bool) {
        if generation > self.generation {
            self.generation = generation;
            (self.start, self.count, self.from_end) = (start, count, from_end);
            self.moved = true;
        }
    }

    /// The client has applied this update and all before it.
    pub fn acknowledge(&mut self, number: UpdateNumber) {
        self.acknowledged = self.acknowledged.max(number.min(self.number));
    }

    /// What the client holds no longer leads anywhere.
    pub fn reset(&mut self, reason: ResetReason) {
        if self.sent.take().is_some() || self.number > 0 {
            self.reset = Some(reason);
        }
    }

    /// Counts on from another window's updates; the client must start again.
    pub fn continue_after(&mut self, number: UpdateNumber, reason: ResetReason) {
        (self.number, self.acknowledged) = (number, number);
        self.reset = Some(reason).filter(|_| number > 0);
    }

    /// Refuses it.
    pub fn refuse(&self, code: ErrorCode, message: &str) {
        self.client.refuse(code, message, Some(self.id));
    }

    /// Whether the client has been sent any rows.
    pub fn shows_rows(&self) -> bool {
        self.sent.is_some()
    }

    /// What to look at for it: its rows, and some more on either side for small moves.
    pub fn place(&self) -> Option<Place> {
        let count = u64::from(self.count);
        if count == 0 {
            return None;
        }
        if self.from_end {
            return Some(Place::End(count));
        }
        let start = self.start.saturating_sub(FETCH_MARGIN);
        let end = self.start.saturating_add(count + FETCH_MARGIN);
        Some(Place::At(start..end))
    }

    /// Sends what these looks show; `false` if they do not show the window's range.
    pub fn show(&mut self, looks: &[(Version, Look)]) -> bool {
        let found = looks.iter().find_map(|(version, look)| {
            let (start, rows) = self.rows_in(look)?;
            Some((version, look, start, rows.to_vec()))
        });
        let Some((version, look, start, rows)) = found else {
            return false;
        };
        let allowed = 1 + u64::from(self.moved);
        if self.number - self.acknowledged >= allowed {
            return true;
        }
        let (contained, waiting) = self
            .edits
            .iter()
            .partition(|(_, xid)| look.snapshot.sees(*xid));
        let contained: Vec<(EditId, Xid)> = contained;
        self.edits = waiting;
        let end = start + rows.len() as u64;
        let total = (look.total.max(end), look.total_is_exact);
        let is_shown = self.sent.as_ref().is_some_and(|sent| {
            sent.start == start && sent.total == total && same(&sent.rows, &rows, &self.places)
        });
        if is_shown && !self.moved && contained.is_empty() {
            return true;
        }
        let echoes = contained.into_iter().map(|(edit, _)| edit).collect();
        let update = self.update(version.clone(), (start, total, rows), echoes);
        self.client.send(ServerMsg::Update(update));
        true
    }

    /// The window's rows in this look, if it shows all of them.
    fn rows_in<'a>(&self, look: &'a Look) -> Option<(u64, &'a [Arc<TableRow>])> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        if count == 0 {
            return Some((self.start.min(look.total), &[]));
        }
        if self.from_end {
            let whole = |rows: usize| rows >= count || rows as u64 == look.total;
            let page = look.pages.iter();
            let mut page = page.filter(|page| page.reached_end && whole(page.rows.len()));
            let page = page.next()?;
            let from = page.rows.len().saturating_sub(count);
            return Some((page.start + from as u64, &page.rows[from..]));
        }
        look.pages.iter().find_map(|page| {
            let from = usize::try_from(self.start.checked_sub(page.start)?).ok()?;
            let found = page.rows.len();
            if from.saturating_add(count) <= found {
                Some((self.start, &page.rows[from..from + count]))
            } else if page.reached_end {
                let from = from.min(found);
                let start = if from < found { self.start } else { look.total };
                Some((start, &page.rows[from..]))
            } else {
                None
            }
        })
    }

    fn update(
        &mut self,
        version: Version,
        (start, total, rows): (u64, (u64, bool), Vec<Arc<TableRow>>),
        edits: Vec<EditId>,
    ) -> Update {
        let before = self.sent.take();
        let held = before.as_ref().map_or(&[][..], |sent| &sent.rows);
        let ops = difference(held, &rows, &self.places);
        self.number += 1;
        self.moved = false;
        self.sent = Some(Sent {
            version: version.clone(),
            start,
            total,
            rows,
        });
        Update {
            window: self.id,
            generation: self.generation,
            number: self.number,
            from: before.map(|sent| sent.version),
            to: version,
            must_refetch: self.reset.take(),
            start,
            total: total.0,
            total_is_exact: total.1,
            rows: ops,
            edits,
            // When it changed is not known.
            changed_at_micros: None,
        }
    }
}

fn same(before: &[Arc<TableRow>], after: &[Arc<TableRow>], places: &[usize]) -> bool {
    before.len() == after.len()
        && before.iter().zip(after).all(|(before, after)| {
            before.key == after.key && changed_cells(before, after, places).is_empty()
        })
}

/// The cells shown in which two states of a row differ, as the client numbers its columns.
fn changed_cells(before: &TableRow, after: &TableRow, places: &[usize]) -> Vec<(u32, Value)> {
    let changed = |&(_, &at): &(u32, &usize)| before.cells[at] != after.cells[at];
    let cell = |(nth, &at): (u32, &usize)| (nth, after.cells[at].clone());
    (0..).zip(places).filter(changed).map(cell).collect()
}

/// Rows, written in terms of the rows before them.
fn difference(before: &[Arc<TableRow>], after: &[Arc<TableRow>], places: &[usize]) -> Vec<RowOp> {
    let by_key: HashMap<&RowKey, usize> = before
        .iter()
        .enumerate()
        .map(|(at, row)| (&row.key, at))
        .collect();
    let mut ops = Vec::new();
    for row in after {
        let Some(&at) = by_key.get(&row.key) else {
            let cells = places.iter().map(|&place| row.cells[place].clone());
            ops.push(RowOp::Row(Row {
                key: row.key.to_vec(),
                cells: cells.collect(),
            }));
            continue;
        };
        let cells = changed_cells(&before[at], row, places);
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        match ops.last_mut() {
            _ if !cells.is_empty() => ops.push(RowOp::Patch { from: index, cells }),
            Some(RowOp::Keep { from, count }) if *from + *count == index => *count += 1,
            _ => ops.push(RowOp::Keep {
                from: index,
                count: 1,
            }),
        }
    }
    ops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, cell: i64) -> Arc<TableRow> {
        Arc::new(TableRow {
            key: Arc::from([Value::text(key)]),
            cells: Box::new([Value::Int(cell), Value::Null]),
            omitted: Box::default(),
        })
    }

    #[test]
    fn a_difference_keeps_patches_and_adds() {
        let before = [row("a", 1), row("b", 2), row("c", 3)];
        let after = [row("new", 0), row("a", 1), row("b", 2), row("c", 4)];
        let fresh = RowOp::Row(Row {
            key: vec![Value::text("new")],
            cells: vec![Value::Int(0)],
        });
        let kept = RowOp::Keep { from: 0, count: 2 };
        let patched = RowOp::Patch {
            from: 2,
            cells: vec![(0, Value::Int(4))],
        };
        assert_eq!(difference(&before, &after, &[0]), [fresh, kept, patched]);
        assert!(same(&before, &before, &[0, 1]));
        assert!(!same(&before, &after[1..], &[0]));
        // A column that is not shown does not count.
        assert!(same(&before, &after[1..], &[1]));
    }

    #[test]
    fn rows_that_change_places_are_kept() {
        let before = [row("a", 1), row("b", 2)];
        let after = [row("b", 2), row("a", 1)];
        let keep = |from| RowOp::Keep { from, count: 1 };
        assert_eq!(difference(&before, &after, &[0]), [keep(1), keep(0)]);
    }
}
