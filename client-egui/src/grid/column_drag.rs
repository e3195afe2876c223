//! Moving a column by dragging its name.

use egui::{
    Align2, CursorIcon, Key, LayerId, Order, Rangef, Rect, Response, Stroke, StrokeKind, Ui, pos2,
    vec2,
};

use super::geometry::Geometry;
use super::state::GridState;
use super::widget::GridView;
use crate::app::Command;
use crate::theme::{self, size};

/// So near to an edge of the grid the pointer scrolls its columns, in points.
const SCROLL_ZONE: f32 = 28.0;

/// How far they scroll in a frame, in points.
const SCROLL_STEP: f32 = 9.0;

/// Takes the drags of a column's name, whose response this is.
pub(super) fn handle(
    ui: &Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
    column: usize,
    response: &Response,
    commands: &mut Vec<Command>,
) {
    if response.drag_started() && geometry.spans.len() > 1 {
        state.dragged_column = Some(column);
    }
    if state.dragged_column != Some(column) {
        return;
    }
    let pointer = ui.input(|input| input.pointer.latest_pos());
    let given_up = ui.input(|input| input.key_pressed(Key::Escape));
    let Some(pointer) = pointer.filter(|_| !given_up) else {
        state.dragged_column = None;
        return;
    };
    if response.dragged() {
        scroll_at_the_edges(ui, state, geometry, pointer.x);
        paint(ui, view, geometry, column, pointer.x);
        return;
    }
    state.dragged_column = None;
    let place = place_at(geometry, pointer.x);
    let from = geometry.place_of(column).unwrap_or(place);
    if response.drag_stopped() && place != from && place != from + 1 {
        commands.push(move_to(view, column, place));
    }
}

/// Moves a column in front of the one that is at `place` among those shown.
pub(super) fn move_to(view: &GridView<'_>, column: usize, place: usize) -> Command {
    let name = |index: usize| view.schema.columns[index].name.clone();
    Command::MoveColumn {
        column: name(column),
        before: view.columns.get(place).map(|before| name(*before)),
    }
}

/// The place among the columns shown that is nearest to the pointer: as many are left of it.
fn place_at(geometry: &Geometry, pointer: f32) -> usize {
    let x = pointer - geometry.body.left() + geometry.scroll_x;
    let is_left = |(_, span): &&(usize, Rangef)| span.center() < x;
    geometry.spans.iter().take_while(is_left).count()
}

fn scroll_at_the_edges(ui: &Ui, state: &mut GridState, geometry: &Geometry, pointer: f32) {
    let step = if pointer < geometry.body.left() + SCROLL_ZONE {
        -SCROLL_STEP
    } else if pointer > geometry.body.right() - SCROLL_ZONE {
        SCROLL_STEP
    } else {
        return;
    };
    let beyond = (geometry.content_width() - geometry.body.width()).max(0.0);
    let scrolled = (geometry.scroll_x + step).clamp(0.0, beyond);
    if scrolled != geometry.scroll_x {
        state.scroll_x = scrolled;
        ui.ctx().request_repaint();
    }
}

/// The name at the pointer, and a line where the column would go.
fn paint(ui: &Ui, view: &GridView<'_>, geometry: &Geometry, column: usize, pointer: f32) {
    ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    let palette = view.palette;
    let place = place_at(geometry, pointer);
    let line = match geometry.spans.get(place) {
        Some((_, span)) => span.min,
        None => geometry.content_width(),
    };
    let body = geometry.body;
    let line = (body.left() - geometry.scroll_x + line).clamp(body.left(), body.right());
    let layer = LayerId::new(Order::Tooltip, view.id.with("dragged column"));
    let painter = ui.ctx().layer_painter(layer);
    let down = Rangef::new(geometry.header.top(), body.bottom());
    painter.vline(line, down, Stroke::new(2.0, palette.accent));

    let name = view.schema.columns[column].name.clone();
    let galley = painter.layout_no_wrap(name, theme::strong_font(size::TEXT), palette.accent);
    let at = pos2(pointer, geometry.header.center().y);
    let sign: Rect = Align2::CENTER_CENTER.anchor_size(at, galley.size() + vec2(24.0, 10.0));
    let border = Stroke::new(1.0, palette.accent);
    painter.rect(sign, 6.0, palette.accent_soft, border, StrokeKind::Inside);
    painter.galley(sign.center() - galley.size() / 2.0, galley, palette.accent);
}
