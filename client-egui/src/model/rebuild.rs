//! A window's rows after an update, from the rows before it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use protocol::{Row, RowOp, UpdateNumber, Value};
use web_time::Instant;

use super::RowEntry;
use super::anchor::HeldRows;

/// Why an update does not follow from what the window holds: it must start again from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The update came before the window's columns.
    #[error("an update came before the window was opened")]
    NoSchema,
    /// The update starts from a version that the window does not hold.
    #[error("the update starts from a version that is not held")]
    WrongVersion,
    /// The update is not newer than the last.
    #[error("update {number} came after update {last}")]
    OldNumber {
        /// The last one applied.
        last: UpdateNumber,
        /// The one refused.
        number: UpdateNumber,
    },
    /// A row is named that was not there before.
    #[error("the update names row {index} of {len}")]
    NoSuchRow {
        /// The index named.
        index: u64,
        /// How many rows were held.
        len: usize,
    },
    /// A cell is named that no row has.
    #[error("the update names column {index} of {len}")]
    NoSuchColumn {
        /// The index named.
        index: u32,
        /// How many columns the window has.
        len: usize,
    },
    /// A row has not as many values as the window has columns (or its key as the key).
    #[error("a row has {found} values in place of {expected}")]
    WrongWidth {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The same row comes twice.
    #[error("the update shows a row twice")]
    RowTwice,
    /// The rows reach beyond the end of the view.
    #[error("the rows end at {end} in a view of {total}")]
    BeyondTotal {
        /// The position behind the last row.
        end: u64,
        /// How many rows the view has.
        total: u64,
    },
}

/// What an update is applied to.
pub(super) struct Rebuild<'a> {
    /// The rows that `keep` and `patch` count in.
    pub(super) before: &'a HeldRows,
    pub(super) total_before: u64,
    /// The position of the first row after the update.
    pub(super) start: u64,
    pub(super) columns: usize,
    pub(super) key_columns: usize,
    /// Whether the update carries a change, rather than only a move.
    pub(super) changed: bool,
    pub(super) now: Instant,
}

/// Up to this many look-ups a scan of the rows is cheaper than a map of them.
const SCANS_MAX: usize = 4;

/// Finds a row before the update by its key.
enum KeyIndex<'a> {
    Scan(&'a [Arc<RowEntry>]),
    Map(HashMap<&'a [Value], usize>),
}

impl<'a> KeyIndex<'a> {
    fn new(rows: &'a [Arc<RowEntry>], look_ups: usize) -> Self {
        if look_ups <= SCANS_MAX {
            return Self::Scan(rows);
        }
        Self::Map(
            rows.iter()
                .enumerate()
                .map(|(index, row)| (row.key(), index))
                .collect(),
        )
    }

    fn find(&self, key: &[Value]) -> Option<usize> {
        match self {
            Self::Scan(rows) => rows.iter().position(|row| row.key() == key),
            Self::Map(map) => map.get(key).copied(),
        }
    }
}

/// The rows so far.
#[derive(Default)]
struct Output {
    rows: Vec<Arc<RowEntry>>,
    /// Which of the rows before are in `rows`.
    used: Vec<bool>,
    /// Indices into `rows` of those that were not there before.
    fresh: Vec<usize>,
    /// From the first to behind the last of `rows` that was there before.
    known: Option<Range<usize>>,
}

impl Rebuild<'_> {
    /// The rows after the update.
    pub(super) fn rows(&self, ops: Vec<RowOp>) -> Result<Vec<Arc<RowEntry>>, ChainError> {
        let before = &self.before.rows;
        let row_count = ops.iter().filter(|op| matches!(op, RowOp::Row(_))).count();
        let by_key = KeyIndex::new(before, row_count);
        let mut out = Output {
            rows: Vec::with_capacity(before.len()),
            used: vec![false; before.len()],
            ..Output::default()
        };
        for op in ops {
            match op {
                RowOp::Keep { from, count } => self.keep(from, count, &mut out)?,
                RowOp::Patch { from, cells } => self.patch(from, cells, &mut out)?,
                RowOp::Row(row) => self.row(row, &by_key, &mut out)?,
            }
        }
        self.mark_inserted(&mut out);
        let mut seen = HashSet::with_capacity(out.fresh.len());
        if out
            .fresh
            .iter()
            .any(|index| !seen.insert(out.rows[*index].key()))
        {
            return Err(ChainError::RowTwice);
        }
        Ok(out.rows)
    }

    fn keep(&self, from: u32, count: u32, out: &mut Output) -> Result<(), ChainError> {
        let end = u64::from(from) + u64::from(count);
        let len = self.before.rows.len();
        if end > len as u64 {
            return Err(ChainError::NoSuchRow {
                index: end.saturating_sub(1),
                len,
            });
        }
        for index in from as usize..end as usize {
            out.push_known(index, self.before.rows[index].clone())?;
        }
        Ok(())
    }

    fn patch(
        &self,
        from: u32,
        cells: Vec<(u32, Value)>,
        out: &mut Output,
    ) -> Result<(), ChainError> {
        let len = self.before.rows.len();
        let no_such_row = ChainError::NoSuchRow {
            index: u64::from(from),
            len,
        };
        let row = self.before.rows.get(from as usize).ok_or(no_such_row)?;
        let mut row = RowEntry::clone(row);
        for (column, value) in cells {
            let no_such_column = ChainError::NoSuchColumn {
                index: column,
                len: self.columns,
            };
            *row.cells.get_mut(column as usize).ok_or(no_such_column)? = value;
            row.mark_changed(column, self.now);
        }
        out.push_known(from as usize, Arc::new(row))
    }

    fn row(&self, row: Row, by_key: &KeyIndex<'_>, out: &mut Output) -> Result<(), ChainError> {
        // A table without a key has a key of the server's making.
        let key_columns = match self.key_columns {
            0 => row.key.len(),
            columns => columns,
        };
        for (expected, found) in [
            (self.columns, row.cells.len()),
            (key_columns, row.key.len()),
        ] {
            if expected != found {
                return Err(ChainError::WrongWidth { expected, found });
            }
        }
        let Some(index) = by_key.find(&row.key) else {
            out.fresh.push(out.rows.len());
            let Row { key, cells } = row;
            out.rows.push(Arc::new(RowEntry {
                key,
                cells,
                changed: Vec::new(),
                inserted_at: None,
            }));
            return Ok(());
        };
        let held = &self.before.rows[index];
        if held.cells == row.cells {
            return out.push_known(index, held.clone());
        }
        let mut changed = RowEntry::clone(held);
        for (column, (old, new)) in held.cells.iter().zip(&row.cells).enumerate() {
            if old != new {
                changed.mark_changed(column as u32, self.now);
            }
        }
        changed.cells = row.cells;
        out.push_known(index, Arc::new(changed))
    }

    /// Marks rows that a change brought, not those that only came into range. Between two rows that
    /// were there before, or at an end of the view, a new row was inserted (or moved there); at an end
    /// of the range it may just have been pushed in by others.
    fn mark_inserted(&self, out: &mut Output) {
        if !self.changed {
            return;
        }
        let was_at_top = self.before.start == 0 && self.start == 0;
        let was_at_bottom = self.before.end() >= self.total_before;
        for index in &out.fresh {
            let inserted = match &out.known {
                None => self.total_before == 0,
                Some(known) if *index < known.start => was_at_top,
                Some(known) if *index >= known.end => was_at_bottom,
                Some(_) => true,
            };
            if inserted && let Some(row) = Arc::get_mut(&mut out.rows[*index]) {
                row.inserted_at = Some(self.now);
            }
        }
    }
}

impl Output {
    fn push_known(&mut self, index: usize, row: Arc<RowEntry>) -> Result<(), ChainError> {
        if std::mem::replace(&mut self.used[index], true) {
            return Err(ChainError::RowTwice);
        }
        let at = self.rows.len();
        let first = self.known.as_ref().map_or(at, |known| known.start);
        self.known = Some(first..at + 1);
        self.rows.push(row);
        Ok(())
    }
}
