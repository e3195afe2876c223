//! The rows of one window, and the one function that changes them.

use std::sync::Arc;

use protocol::{TableSchema, Update, UpdateNumber, Value, Version};
use web_time::Instant;

use super::anchor::{self, HeldRows};
use super::rebuild::{ChainError, Rebuild};
use super::{RowEntry, Slot};

/// The rows of one window at one version. Changed by [`WindowCache::apply`] and by nothing else.
#[derive(Debug, Default)]
pub struct WindowCache {
    schema: Option<Arc<TableSchema>>,
    held: HeldRows,
    total: Option<u64>,
    /// `total` is the server's estimate; see [`WindowCache::total_is_exact`].
    is_estimate: bool,
    /// How far the server's count has come, in rows.
    counted: Option<u64>,
    version: Option<Version>,
    number: UpdateNumber,
    /// The rows when [`WindowCache::take_shift`] was last called.
    shown: HeldRows,
}

/// What an update did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// To acknowledge it by.
    pub number: UpdateNumber,
    /// The client's own edits that the rows contain from now on.
    pub edits: Vec<u64>,
    /// When its oldest change was made, in microseconds since 1970 by PostgreSQL's clock.
    pub changed_at_micros: Option<i64>,
}

impl WindowCache {
    /// Sets the columns. Rows held under other columns are dropped: their cells would be drawn under
    /// the wrong headers.
    pub fn set_schema(&mut self, schema: TableSchema) {
        if self.schema.as_deref() == Some(&schema) {
            return;
        }
        if self.schema.is_some() {
            self.clear_rows();
        }
        self.schema = Some(Arc::new(schema));
    }

    /// Applies the window's next update, a delta or a snapshot: all of it or nothing.
    ///
    /// # Errors
    /// If the update does not follow from what is held; nothing has changed then.
    pub fn apply(&mut self, update: Update, now: Instant) -> Result<Applied, ChainError> {
        let schema = self.schema.as_ref().ok_or(ChainError::NoSchema)?;
        if update.number <= self.number {
            return Err(ChainError::OldNumber {
                last: self.number,
                number: update.number,
            });
        }
        if update.from.is_some() && update.from != self.version {
            return Err(ChainError::WrongVersion);
        }
        let nothing = HeldRows::default();
        let before = if update.from.is_some() {
            &self.held
        } else {
            &nothing
        };
        let rebuild = Rebuild {
            before,
            total_before: self.total.unwrap_or(0),
            start: update.start,
            columns: schema.columns.len(),
            key_columns: schema.key.len(),
            changed: update.changed_at_micros.is_some(),
            now,
        };
        let rows = rebuild.rows(update.rows)?;
        let end = update.start.saturating_add(rows.len() as u64);
        if !rows.is_empty() && end > update.total {
            return Err(ChainError::BeyondTotal {
                end,
                total: update.total,
            });
        }
        self.held = HeldRows {
            start: update.start,
            rows: Arc::new(rows),
        };
        self.total = Some(update.total);
        self.is_estimate = !update.total_is_exact;
        if update.total_is_exact {
            self.counted = None;
        }
        self.version = Some(update.to);
        self.number = update.number;
        Ok(Applied {
            number: update.number,
            edits: update.edits,
            changed_at_micros: update.changed_at_micros,
        })
    }

    /// The window's columns; `None` until the server has opened it.
    pub fn schema(&self) -> Option<&Arc<TableSchema>> {
        self.schema.as_ref()
    }

    /// The row at a position of the view, from 0.
    pub fn row(&self, position: u64) -> Slot<'_> {
        match self.held.at(position) {
            Some(row) => Slot::Loaded(row),
            None => Slot::Loading,
        }
    }

    /// The rows held, in order; the first is at position [`start`](Self::start).
    pub fn rows(&self) -> &[Arc<RowEntry>] {
        &self.held.rows
    }

    /// The position in the view of the first row held, from 0.
    pub fn start(&self) -> u64 {
        self.held.start
    }

    /// The number of rows in the view; `None` until the first update.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether [`total`](Self::total) is exact; until the server has counted a large view it is an estimate.
    pub fn total_is_exact(&self) -> bool {
        !self.is_estimate
    }

    /// Rows that the server has counted so far, while [`total`](Self::total) is an estimate.
    pub fn counted(&self) -> Option<u64> {
        self.counted
    }

    pub(super) fn set_counted(&mut self, rows: u64) {
        self.counted = Some(rows);
    }

    /// The version that the rows belong to; `None` until the first update.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The last update applied; 0 for none since the window was opened.
    pub fn number(&self) -> UpdateNumber {
        self.number
    }

    /// Where a row is in the view, if it is held.
    pub fn position_of(&self, key: &[Value]) -> Option<u64> {
        self.held.position_of(key)
    }

    /// The row with this key, if it is held.
    pub fn row_of(&self, key: &[Value]) -> Option<&RowEntry> {
        self.held
            .rows
            .iter()
            .find(|row| row.key == key)
            .map(|row| &**row)
    }

    /// Where a column is among a row's cells.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.schema
            .as_ref()?
            .columns
            .iter()
            .position(|column| column.name == name)
    }

    /// A cell by its row's key and its column's name, if it is held.
    pub fn cell(&self, key: &[Value], column: &str) -> Option<&Value> {
        self.row_of(key)?.cells.get(self.column_index(column)?)
    }

    /// See [`Model::take_shift`](super::Model::take_shift).
    pub(super) fn take_shift(&mut self, anchor_key: &[Value], anchor_position: u64) -> u64 {
        let before = std::mem::replace(&mut self.shown, self.held.clone());
        if anchor_position == 0 || Arc::ptr_eq(&before.rows, &self.held.rows) {
            return anchor_position;
        }
        anchor::follow(&before, &self.held, anchor_key, anchor_position)
    }

    /// The window is opened anew on another socket or after a fault: numbers start again.
    pub(super) fn reopened(&mut self) {
        self.number = 0;
    }

    /// Forgets the rows, and with them the version: what is shown next are placeholders.
    pub(super) fn clear_rows(&mut self) {
        self.held = HeldRows::default();
        self.shown = HeldRows::default();
        self.version = None;
    }

    /// Forgets what another view shows otherwise.
    pub(super) fn clear(&mut self, kept: Kept) {
        *self = Self {
            schema: self.schema.take().filter(|_| kept.schema),
            total: self.total.filter(|_| kept.total),
            is_estimate: self.is_estimate && kept.total,
            ..Self::default()
        };
    }
}

/// What a window's next view has in common with its last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// The columns: the header stays on the screen.
    pub(super) schema: bool,
    /// The number of rows.
    pub(super) total: bool,
}
