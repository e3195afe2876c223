//! One row of a window.

use protocol::Value;
use web_time::Instant;

/// One row of a window, with what the screen needs to know of its recent past.
#[derive(Clone, Debug, PartialEq)]
pub struct RowEntry {
    pub(super) key: Vec<Value>,
    pub(super) cells: Vec<Value>,
    /// Column index and time of each cell's last change. Empty for most rows, so that a row costs no
    /// third allocation.
    pub(super) changed: Vec<(u32, Instant)>,
    pub(super) inserted_at: Option<Instant>,
}

impl RowEntry {
    /// The primary key's values, in key order.
    pub fn key(&self) -> &[Value] {
        &self.key
    }

    /// The values of the window's columns, in the order of the window's schema.
    pub fn cells(&self) -> &[Value] {
        &self.cells
    }

    /// When the cell was last seen to change by a commit, for flashing; `None` if never while it was
    /// held.
    pub fn cell_changed_at(&self, column: usize) -> Option<Instant> {
        let index = u32::try_from(column).ok()?;
        let of_cell = self.changed.iter().find(|(changed, _)| *changed == index);
        of_cell.map(|(_, at)| *at).max(self.inserted_at)
    }

    /// When the row was inserted into the view, if that happened before the window's eyes.
    pub fn inserted_at(&self) -> Option<Instant> {
        self.inserted_at
    }

    pub(super) fn mark_changed(&mut self, column: u32, at: Instant) {
        match self
            .changed
            .iter_mut()
            .find(|(changed, _)| *changed == column)
        {
            Some((_, last)) => *last = at,
            None => self.changed.push((column, at)),
        }
    }
}

/// What a window holds at a position of its view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot<'a> {
    /// The row as of [`WindowCache::version`](super::WindowCache::version).
    Loaded(&'a RowEntry),
    /// The row is not here yet: draw a placeholder.
    Loading,
}
