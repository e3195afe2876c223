//! What the grid remembers from frame to frame.

use std::ops::Range;

use protocol::Value;

use super::columns::ColumnWidths;
use super::editor::Editor;
use super::filter_row::FilterFields;
use super::flash::Flashes;
use super::scroll::ScrollPosition;
use crate::model::{Model, Slot, Window, WindowCache, WindowId};

/// What the grid remembers from frame to frame: where it is scrolled to, what is selected and
/// edited.
#[derive(Debug, Default)]
pub struct GridState {
    pub(super) scroll: ScrollPosition,
    pub(super) scroll_x: f32,
    pub(super) widths: ColumnWidths,
    pub(super) selected: Option<SelectedCell>,
    pub(super) editor: Option<Editor>,
    pub(super) filters: FilterFields,
    pub(super) flashes: Flashes,
    pub(super) visible: Range<u64>,
    /// Where the scrollbar's thumb was grabbed, in points from its top.
    pub(super) grabbed: Option<f32>,
    /// The column whose name is being dragged to another place.
    pub(super) dragged_column: Option<usize>,
    /// Scroll sideways so far that the selected cell is visible.
    pub(super) reveal_column: bool,
    /// The number of rows when last known: the row numbers keep their width until the next one is.
    pub(super) last_total: u64,
    /// The column whose menu opens in the next frame.
    pub(super) menu_wanted: Option<usize>,
    /// Take the keyboard in the next frame.
    pub(super) wants_focus: bool,
    anchor: Option<(Vec<Value>, u64)>,
}

/// The selected cell. It follows its row when rows come or go above.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedCell {
    /// The row's position in the view, from 0.
    pub row: u64,
    /// The column's index in the window's schema.
    pub column: usize,
    /// The row's primary key; `None` until the row is loaded.
    pub key: Option<Vec<Value>>,
}

impl GridState {
    /// For a table that is shown for the first time, with what its filter fields say.
    pub fn with_filters(filters: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            filters: FilterFields::new(filters),
            ..Self::default()
        }
    }

    /// The rows that were on the screen in the last frame.
    pub fn visible_rows(&self) -> Range<u64> {
        self.visible.clone()
    }

    /// The selected cell.
    pub fn selected(&self) -> Option<&SelectedCell> {
        self.selected.as_ref()
    }

    /// Where the grid is scrolled to.
    pub fn scroll(&self) -> ScrollPosition {
        self.scroll
    }

    /// Scrolls a row to the top and selects it.
    pub fn go_to_row(&mut self, row: u64) {
        self.scroll = ScrollPosition::at_row(row);
        let column = self.selected.as_ref().map_or(0, |cell| cell.column);
        self.selected = Some(SelectedCell {
            row,
            column,
            key: None,
        });
        self.anchor = None;
        self.wants_focus = true;
    }

    /// Takes the keyboard in the next frame.
    pub fn take_keyboard(&mut self) {
        self.wants_focus = true;
    }

    /// The view has other rows now: starts from the top.
    pub fn view_changed(&mut self) {
        self.scroll = ScrollPosition::default();
        self.selected = None;
        self.editor = None;
        self.anchor = None;
        self.flashes.clear();
    }

    /// Shows another text in a column's filter field, which applies.
    pub fn set_filter(&mut self, column: &str, text: &str) {
        self.filters.set(column, text);
    }

    /// Empties the filter fields.
    pub fn clear_filters(&mut self) {
        self.filters.clear();
    }

    /// Follows the rows: what is being read (or edited) stays where it is on the screen, however
    /// many rows came or went above it. Call it after the model has taken in updates.
    pub fn follow(&mut self, model: &mut Model, window: WindowId) {
        if let Some((key, position)) = self.anchor.take() {
            let now_at = model.take_shift(window, &key, position);
            let moved = now_at as i128 - i128::from(position);
            self.scroll = self.scroll.scrolled(moved as f64);
            let shift = |row: u64| (i128::from(row) + moved).max(0) as u64;
            if let Some(editor) = &mut self.editor {
                editor.row = shift(editor.row);
            }
        }
        let Some(cache) = model.window(window).map(Window::cache) else {
            return;
        };
        if let Some(cell) = &mut self.selected {
            follow_key(cell, cache);
        }
        self.anchor = self.anchor_row(cache);
    }

    /// The row to hold still: the one being edited, else the topmost.
    fn anchor_row(&self, cache: &WindowCache) -> Option<(Vec<Value>, u64)> {
        let row = match &self.editor {
            Some(editor) => editor.row,
            None => self.scroll.row(),
        };
        match cache.row(row) {
            Slot::Loaded(entry) => Some((entry.key().to_vec(), row)),
            Slot::Loading => None,
        }
    }

    /// Records what is on the screen now, so that [`follow`](Self::follow) can hold it still.
    pub(super) fn remember_anchor(&mut self, cache: &WindowCache) {
        self.anchor = self.anchor_row(cache);
    }
}

fn follow_key(cell: &mut SelectedCell, cache: &WindowCache) {
    match &cell.key {
        Some(key) => {
            if let Some(position) = cache.position_of(key) {
                cell.row = position;
            }
        }
        None => {
            if let Slot::Loaded(entry) = cache.row(cell.row) {
                cell.key = Some(entry.key().to_vec());
            }
        }
    }
}
