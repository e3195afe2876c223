//! The rows.

use std::time::Duration;

use egui::accesskit::{Action, Node, Role};
use egui::{Align, Color32, Id, Painter, Rangef, Rect, Stroke, StrokeKind, Ui, pos2, vec2};

use super::assistive::{cell_id, row_id};
use super::cell::{ValueStyle, cell_text, paint_placeholder, paint_value};
use super::flash::FlashingCell;
use super::geometry::Geometry;
use super::state::GridState;
use super::text::paint_line;
use super::widget::GridView;
use crate::a11y::{NodeParent, PaintedNodes};
use crate::model::{CellView, EditPhase, RowEntry, Slot};
use crate::panels::format::thousands;
use crate::theme;

/// Between two steps of a fading flash: smooth to the eye, and half the work of every frame.
const FLASH_STEP: Duration = Duration::from_millis(33);

/// The width that the row numbers need, in points.
pub(super) fn gutter_width(painter: &Painter, total: u64) -> f32 {
    let widest = thousands(total.max(999));
    let galley = painter.layout_no_wrap(widest, theme::small_font(), Color32::WHITE);
    galley.size().x + 26.0
}

/// Draws the rows on the screen, and describes them to assistive technology.
pub(super) fn show(ui: &mut Ui, view: &GridView<'_>, state: &mut GridState, geometry: &Geometry) {
    let painter = ui.painter_at(geometry.body.union(geometry.gutter));
    painter.rect_filled(
        geometry.body.union(geometry.gutter),
        0.0,
        view.palette.surface,
    );
    let total = view.total(geometry);
    let selected = selected_node(view, state, geometry);
    let grid = PaintedNodes::under(ui.ctx(), view.id, |node| {
        node.set_role(Role::Grid);
        node.set_label(view.schema.name.clone());
        node.set_row_count(usize::try_from(total).unwrap_or(usize::MAX));
        node.set_column_count(view.columns.len());
        if let Some(cell) = selected {
            node.set_active_descendant(cell.accesskit_id());
        }
    });
    let pointer = ui.input(|input| input.pointer.hover_pos());
    let hovered = pointer
        .filter(|at| geometry.body.union(geometry.gutter).contains(*at))
        .filter(|at| {
            ui.ctx()
                .layer_id_at(*at)
                .is_none_or(|layer| layer == ui.layer_id())
        })
        .and_then(|at| geometry.row_at(at.y, total));
    state.flashes.begin_frame();
    let frame = BodyFrame {
        ui,
        view,
        geometry,
        painter: &painter,
        grid,
    };
    for row in state.visible.clone() {
        frame.background(state, row, hovered == Some(row));
        match view.cache.row(row) {
            Slot::Loaded(entry) => frame.loaded_row(state, row, entry),
            Slot::Loading => frame.loading_row(row),
        }
        frame.row_number(row);
    }
    if let Some(editor) = &state.editor
        && let Some(entry) = editor.held_row(view.cache)
    {
        frame.held_row(editor.row, entry);
    }
    frame.selection(state);
    frame.gutter_edge();
    if state.flashes.end_frame() {
        ui.ctx().request_repaint_after(FLASH_STEP);
    }
}

/// The node of the selected cell, if it is on the screen.
fn selected_node(view: &GridView<'_>, state: &GridState, geometry: &Geometry) -> Option<Id> {
    let cell = state
        .selected
        .as_ref()
        .filter(|cell| state.visible.contains(&cell.row))?;
    geometry
        .visible_columns()
        .find(|(column, _)| *column == cell.column)?;
    match view.cache.row(cell.row) {
        Slot::Loaded(entry) => Some(cell_id(view, entry.key(), cell.column)),
        Slot::Loading => None,
    }
}

/// What drawing a row needs to know.
struct BodyFrame<'a> {
    ui: &'a Ui,
    view: &'a GridView<'a>,
    geometry: &'a Geometry,
    painter: &'a Painter,
    grid: Option<NodeParent>,
}

impl BodyFrame<'_> {
    fn row_rect(&self, row: u64) -> Rect {
        Rect::from_x_y_ranges(self.geometry.body.x_range(), self.geometry.row_y(row))
    }

    fn style(&self, color: Color32) -> ValueStyle<'_> {
        ValueStyle {
            color,
            palette: self.view.palette,
            highlight: self.view.highlight,
        }
    }

    /// As far as the columns go.
    fn used_x(&self) -> Rangef {
        let body = self.geometry.body;
        let end = body.left() - self.geometry.scroll_x + self.geometry.content_width();
        Rangef::new(body.left(), end.min(body.right()))
    }

    fn background(&self, state: &GridState, row: u64, hovered: bool) {
        let palette = self.view.palette;
        let rect = Rect::from_x_y_ranges(self.used_x(), self.geometry.row_y(row));
        let selected = state.selected.as_ref().is_some_and(|cell| cell.row == row);
        let fill = match (selected, hovered) {
            (true, _) => palette.accent_soft,
            (false, true) => palette.header,
            (false, false) => palette.surface,
        };
        self.painter.rect_filled(rect, 0.0, fill);
        let line = Stroke::new(1.0, palette.hairline);
        self.painter
            .hline(self.geometry.body.x_range(), rect.bottom() - 0.5, line);
    }

    fn row_number(&self, row: u64) {
        let gutter = self.geometry.gutter;
        let rect = Rect::from_x_y_ranges(gutter.x_range(), self.geometry.row_y(row));
        let palette = self.view.palette;
        self.painter.rect_filled(rect, 0.0, palette.header);
        let text = thousands(row + 1);
        let area = rect.with_max_x(rect.right() - 10.0);
        paint_line(
            self.painter,
            area,
            &text,
            theme::small_font(),
            palette.faint,
            Align::Max,
        );
    }

    /// A row that is being edited and has moved away: as it was, in its old place.
    fn held_row(&self, place: u64, entry: &RowEntry) {
        let palette = self.view.palette;
        let y = self.geometry.place_y(place);
        let left = self.geometry.gutter.left();
        let row = Rect::from_x_y_ranges(Rangef::new(left, self.used_x().max), y);
        self.painter.rect_filled(row, 0.0, palette.accent_soft);
        let painter = self.painter.with_clip_rect(self.geometry.body);
        for (index, x) in self.geometry.visible_columns() {
            let Some(value) = entry.cells().get(index) else {
                continue;
            };
            let area = Rect::from_x_y_ranges(x, y);
            let column = &self.view.schema.columns[index];
            paint_value(&painter, area, column, value, self.style(palette.muted));
        }
        let area = row.with_max_x(self.geometry.gutter.right() - 10.0);
        paint_line(
            self.painter,
            area,
            "moved",
            theme::small_font(),
            palette.warning,
            Align::Max,
        );
    }

    fn gutter_edge(&self) {
        let gutter = self.geometry.gutter;
        let stroke = Stroke::new(1.0, self.view.palette.border);
        self.painter
            .vline(gutter.right() - 0.5, gutter.y_range(), stroke);
    }

    fn loading_row(&self, row: u64) {
        let painter = self.painter.with_clip_rect(self.geometry.body);
        for (index, x) in self.geometry.visible_columns() {
            let column = &self.view.schema.columns[index];
            let area = Rect::from_x_y_ranges(x, self.geometry.row_y(row));
            paint_placeholder(&painter, area, column.kind, row, self.view.palette.skeleton);
        }
        self.row_node(row, self.view.id.with(("loading", row)), |node| {
            node.set_label("Loading");
            node.set_busy();
        });
    }

    fn loaded_row(&self, state: &mut GridState, row: u64, entry: &RowEntry) {
        let row_id = row_id(self.view, entry.key());
        let tint = state
            .flashes
            .row_tint(entry.inserted_at(), self.view.now, self.view.palette);
        if let Some(tint) = tint {
            let rect = Rect::from_x_y_ranges(self.used_x(), self.geometry.row_y(row));
            self.painter.rect_filled(rect, 0.0, tint);
        }
        let parent = self.row_node(row, row_id, |_| {});
        let painter = self
            .painter
            .with_clip_rect(self.geometry.body.intersect(self.row_rect(row)));
        for (index, x) in self.geometry.visible_columns() {
            let Some(cell) = self.view.model.cell(self.view.window, row, index) else {
                continue;
            };
            let area = Rect::from_x_y_ranges(x, self.geometry.row_y(row));
            self.cell(state, &painter, area, entry, index, cell);
            if let Some(parent) = parent {
                self.cell_node(state, (parent, row_id, area), row, index, cell);
            }
        }
    }

    fn cell(
        &self,
        state: &mut GridState,
        painter: &Painter,
        area: Rect,
        entry: &RowEntry,
        index: usize,
        cell: CellView<'_>,
    ) {
        let palette = self.view.palette;
        let column = &self.view.schema.columns[index];
        let flashing = FlashingCell {
            key: entry.key(),
            index,
            column,
            value: cell.value,
            changed_at: cell
                .changed_at
                .filter(|at| entry.inserted_at() != Some(*at)),
        };
        if let Some(tint) = state.flashes.tint(flashing, self.view.now, palette) {
            painter.rect_filled(area, 0.0, tint);
        }
        paint_value(
            painter,
            area,
            column,
            cell.shown(),
            self.style(palette.text),
        );
        if let Some(edit) = cell.edit {
            self.edit_marker(painter, area, edit.phase());
        }
    }

    /// A corner that says how an edit of the cell stands.
    fn edit_marker(&self, painter: &Painter, area: Rect, phase: &EditPhase) {
        let palette = self.view.palette;
        let color = match phase {
            EditPhase::Queued | EditPhase::Sent | EditPhase::Applied => palette.accent,
            EditPhase::Conflict { .. } | EditPhase::Unconfirmed => palette.warning,
        };
        let corner = area.right_top();
        let points = vec![corner, corner - vec2(8.0, 0.0), corner + vec2(0.0, 8.0)];
        painter.add(egui::Shape::convex_polygon(points, color, Stroke::NONE));
        if matches!(phase, EditPhase::Conflict { .. } | EditPhase::Unconfirmed) {
            painter.rect_stroke(area, 0.0, Stroke::new(1.5, color), StrokeKind::Inside);
        }
    }

    fn selection(&self, state: &GridState) {
        let Some(cell) = &state.selected else { return };
        let is_visible = state.visible.contains(&cell.row);
        let Some(area) = self.geometry.cell(cell.row, cell.column) else {
            return;
        };
        if !is_visible || state.editor.is_some() {
            return;
        }
        let painter = self.painter.with_clip_rect(self.geometry.body);
        let area = Rect::from_min_max(area.min, pos2(area.max.x, area.max.y - 1.0));
        let focused = self.ui.memory(|memory| memory.has_focus(self.view.id));
        let width = if focused { 2.0 } else { 1.0 };
        let stroke = Stroke::new(width, self.view.palette.accent);
        painter.rect_stroke(area, 2.0, stroke, StrokeKind::Inside);
    }

    fn row_node(&self, row: u64, id: Id, describe: impl FnOnce(&mut Node)) -> Option<NodeParent> {
        let mut node = Node::new(Role::Row);
        node.set_row_index(usize::try_from(row).unwrap_or(usize::MAX));
        node.set_bounds(PaintedNodes::bounds(self.row_rect(row)));
        describe(&mut node);
        Some(PaintedNodes::add(self.ui.ctx(), self.grid?, id, node))
    }

    fn cell_node(
        &self,
        state: &GridState,
        (parent, row_id, area): (NodeParent, Id, Rect),
        row: u64,
        index: usize,
        cell: CellView<'_>,
    ) {
        let column = &self.view.schema.columns[index];
        let mut node = Node::new(Role::GridCell);
        node.set_label(cell_text(column, cell.shown()));
        node.set_author_id(column.name.clone());
        node.set_row_index(usize::try_from(row).unwrap_or(usize::MAX));
        node.set_column_index(self.geometry.place_of(index).unwrap_or(index));
        node.add_action(Action::Click);
        node.add_action(Action::Focus);
        node.set_bounds(PaintedNodes::bounds(area.intersect(self.geometry.body)));
        if !column.editable {
            node.set_read_only();
        }
        if let Some(edit) = cell.edit {
            node.set_description(match edit.phase() {
                EditPhase::Conflict { .. } => "conflict",
                EditPhase::Unconfirmed => "unconfirmed",
                EditPhase::Queued | EditPhase::Sent | EditPhase::Applied => "pending",
            });
        }
        let selected = state.selected.as_ref();
        if selected.is_some_and(|selected| (selected.row, selected.column) == (row, index)) {
            node.set_selected(true);
        }
        PaintedNodes::add(self.ui.ctx(), parent, row_id.with(index), node);
    }
}
