//! The grid as a whole: divides its area, takes the input, draws the parts.

use std::collections::BTreeMap;

use egui::{Id, Rect, Response, Sense, Ui, UiBuilder};
use protocol::{AggregateOp, Highlight, SortColumn, TableSchema};
use web_time::Instant;

use super::geometry::{Geometry, Parts};
use super::state::{GridState, SelectedCell};
use super::{
    assistive, body, conflict, editor, filter_row, header, keyboard, scrollbar, totals_row,
};
use crate::app::Command;
use crate::model::{Model, Slot, Summary, WindowCache, WindowId};
use crate::theme::{Palette, size};

/// What the grid shows.
#[derive(Clone, Copy, Debug)]
pub struct GridView<'a> {
    /// The grid's id.
    pub id: Id,
    /// Everything known.
    pub model: &'a Model,
    /// The window shown.
    pub window: WindowId,
    /// Its rows.
    pub cache: &'a WindowCache,
    /// Its columns.
    pub schema: &'a TableSchema,
    /// Which of them are shown, by their indices, in this order.
    pub columns: &'a [usize],
    /// Its order.
    pub sort: &'a [SortColumn],
    /// Which totals are shown, by column.
    pub totals: &'a BTreeMap<String, AggregateOp>,
    /// The columns that the rows are grouped by.
    pub groups: &'a [String],
    /// What the server has said of the totals.
    pub totals_summary: Option<&'a Summary>,
    /// Whether there are filter fields beneath the columns' names.
    pub has_filters: bool,
    /// Whether it is one of several grids on the screen, within something that scrolls.
    pub is_nested: bool,
    /// What to mark in the cells' text, if the view searches.
    pub highlight: Option<&'a Highlight>,
    /// The time of this frame.
    pub now: Instant,
    /// The colours.
    pub palette: &'a Palette,
}

impl GridView<'_> {
    /// The number of rows; while it is unknown, as many as fit on the screen.
    pub(super) fn total(&self, geometry: &Geometry) -> u64 {
        let on_screen = (geometry.body.height() / size::ROW).ceil() as u64;
        self.cache.total().unwrap_or(on_screen)
    }
}

/// Draws the grid into the rest of `ui`, and takes its input.
pub fn show(ui: &mut Ui, view: &GridView<'_>, state: &mut GridState, commands: &mut Vec<Command>) {
    let area = ui.available_rect_before_wrap();
    ui.advance_cursor_after_rect(area);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(area));
    ui.set_clip_rect(area.intersect(ui.clip_rect()));
    let ui = &mut ui;

    header::fit_columns(ui.painter(), view, state);
    let geometry = take_input(ui, view, state, area, commands);
    let geometry = &geometry;
    state.visible = geometry.visible_rows(view.total(geometry));

    body::show(ui, view, state, geometry);
    paint_frame(ui, view, geometry, area);
    header::show(ui, view, state, geometry, commands);
    if view.has_filters {
        filter_row::show(ui, view, state, geometry, commands);
    }
    totals_row::show(ui, view, geometry);
    scrollbar::paint_vertical(ui, view, state, geometry);
    scrollbar::horizontal(ui, view, state, geometry);
    editor::show(ui, view, state, geometry, commands);
    conflict::show(ui, view, geometry, commands);
    state.remember_anchor(view.cache);
}

/// Moves, selects and starts editing; returns where everything is afterwards.
fn take_input(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    area: Rect,
    commands: &mut Vec<Command>,
) -> Geometry {
    select_a_shown_column(view, state);
    let geometry = measure(ui, view, state, area);
    let response = ui.interact(geometry.body, view.id, Sense::click_and_drag());
    if std::mem::take(&mut state.wants_focus) {
        response.request_focus();
    }
    scroll_by_wheel(ui, view, state, &geometry);
    scroll_by_touch(ui, &response, state);
    scrollbar::drag_vertical(ui, view, state, &geometry);
    keyboard::handle(ui, view, state, &geometry);
    assistive::handle(ui, view, state, &geometry);
    click(view, state, &geometry, &response, commands);
    let geometry = measure(ui, view, state, area);
    reveal_column(state, &geometry);
    let geometry = measure(ui, view, state, area);
    state.scroll = geometry.scroll;
    state.scroll_x = geometry.scroll_x;
    state.last_total = view.cache.total().unwrap_or(state.last_total);
    geometry
}

/// A cell of a column that has been hidden cannot stay selected: its row is, at the first column.
fn select_a_shown_column(view: &GridView<'_>, state: &mut GridState) {
    if let (Some(cell), Some(first)) = (&mut state.selected, view.columns.first())
        && !view.columns.contains(&cell.column)
    {
        cell.column = *first;
    }
}

fn measure(ui: &Ui, view: &GridView<'_>, state: &GridState, area: Rect) -> Geometry {
    let total = view.cache.total();
    let spans = state.widths.spans(&view.schema.columns, view.columns);
    let gutter = body::gutter_width(ui.painter(), total.unwrap_or(state.last_total));
    let known = total.unwrap_or(u64::MAX);
    let parts = Parts {
        filters: view.has_filters,
        // Of a group they are in its row.
        totals: !view.totals.is_empty() && !view.is_nested,
    };
    let mut geometry = Geometry::new(
        area,
        parts,
        gutter,
        spans,
        state.scroll_x,
        state.scroll,
        known,
    );
    let editor = state.editor.as_ref();
    let held = editor.filter(|editor| editor.held_row(view.cache).is_some());
    geometry.held_row = held.map(|editor| editor.row);
    geometry
}

fn scroll_by_wheel(ui: &Ui, view: &GridView<'_>, state: &mut GridState, geometry: &Geometry) {
    let area = geometry.body.union(geometry.gutter).union(geometry.filters);
    if !ui.rect_contains_pointer(area) {
        return;
    }
    let delta = ui.input(egui::InputState::smooth_scroll_delta);
    let before = geometry.scroll;
    let extent = geometry.extent(view.total(geometry));
    state.scroll = before
        .scrolled(-f64::from(delta.y / size::ROW))
        .clamped(extent);
    state.scroll_x = geometry.scroll_x - delta.x;
    if view.is_nested && state.scroll != before {
        // At its end what it is in scrolls on.
        ui.input_mut(|input| input.smooth_scroll_delta.y = 0.0);
    }
}

fn scroll_by_touch(ui: &Ui, response: &Response, state: &mut GridState) {
    if response.dragged() && ui.input(egui::InputState::any_touches) {
        let delta = response.drag_delta();
        state.scroll = state.scroll.scrolled(-f64::from(delta.y / size::ROW));
        state.scroll_x -= delta.x;
    }
}

fn click(
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
    response: &Response,
    commands: &mut Vec<Command>,
) {
    let pressed = response.clicked() || response.double_clicked();
    let Some(pointer) = response.interact_pointer_pos().filter(|_| pressed) else {
        return;
    };
    response.request_focus();
    let row = geometry.row_at(pointer.y, view.total(geometry));
    let (Some(row), Some(column)) = (row, geometry.column_at(pointer.x)) else {
        editor::commit(view, state, commands);
        state.selected = None;
        return;
    };
    if !editor::commit(view, state, commands) {
        return;
    }
    select(view, state, row, column);
    if response.double_clicked() {
        editor::start(view, state, None);
    }
}

/// Selects a cell.
pub(super) fn select(view: &GridView<'_>, state: &mut GridState, row: u64, column: usize) {
    let key = match view.cache.row(row) {
        Slot::Loaded(entry) => Some(entry.key().to_vec()),
        Slot::Loading => None,
    };
    state.selected = Some(SelectedCell { row, column, key });
    state.reveal_column = true;
}

fn reveal_column(state: &mut GridState, geometry: &Geometry) {
    let Some(cell) = state.selected.as_ref().filter(|_| state.reveal_column) else {
        return;
    };
    state.reveal_column = false;
    let place = geometry.place_of(cell.column);
    let Some((_, span)) = place.and_then(|place| geometry.spans.get(place)) else {
        return;
    };
    let seen = geometry.scroll_x..geometry.scroll_x + geometry.body.width();
    if span.min < seen.start {
        state.scroll_x = span.min;
    } else if span.max > seen.end {
        state.scroll_x = (span.max - geometry.body.width()).min(span.min);
    }
}

/// The surfaces behind the header and the scrollbars, and the lines between the parts.
fn paint_frame(ui: &Ui, view: &GridView<'_>, geometry: &Geometry, area: Rect) {
    let palette = view.palette;
    let painter = ui.painter();
    let head = Rect::from_min_max(
        area.min,
        egui::pos2(area.right(), geometry.filters.bottom()),
    );
    painter.rect_filled(head, 0.0, palette.header);
    painter.rect_filled(geometry.vertical, 0.0, palette.surface);
    painter.rect_filled(geometry.horizontal, 0.0, palette.surface);
    let border = egui::Stroke::new(1.0, palette.border);
    painter.hline(area.x_range(), geometry.filters.bottom() - 0.5, border);
    let font = crate::theme::small_font();
    painter.text(
        egui::pos2(geometry.gutter.right() - 10.0, geometry.header.center().y),
        egui::Align2::RIGHT_CENTER,
        "#",
        font,
        palette.faint,
    );
}
