//! The columns' names: click to sort, drag to move, drag an edge to resize, double-click an edge to fit.

use egui::accesskit::{Role, SortDirection};
use egui::{
    Align, Color32, CursorIcon, Painter, Pos2, Rangef, Rect, Response, Sense, Ui, pos2, vec2,
};
use protocol::{Column, SortColumn};

use super::columns::{FITTED_WIDTH_MAX, is_right_aligned};
use super::geometry::Geometry;
use super::state::GridState;
use super::text::{line, paint_line};
use super::widget::GridView;
use super::{cell, column_drag, column_menu, totals_row};
use crate::app::Command;
use crate::model::Slot;
use crate::theme::{self, size};

/// How near to a column's edge the pointer grabs it, in points.
const EDGE: f32 = 5.0;

/// How many rows to look at before any are on the screen.
const FIRST_LOOK: u64 = 40;

/// Room for a sort arrow and its number, in points.
const ARROW_ROOM: f32 = 22.0;

/// Draws the header and takes its clicks and drags.
pub(super) fn show(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    geometry: &Geometry,
    commands: &mut Vec<Command>,
) {
    let visible: Vec<(usize, Rangef)> = geometry.visible_columns().collect();
    for &(index, x) in &visible {
        let area = Rect::from_x_y_ranges(x, geometry.header.y_range());
        let wanted = state.menu_wanted == Some(index);
        let response = name(ui, view, (index, geometry), area, wanted, commands);
        column_drag::handle(ui, view, state, geometry, index, &response, commands);
    }
    // After the names, so that an edge wins over the name beneath it.
    state.menu_wanted = None;
    for &(index, x) in &visible {
        edge(ui, view, state, index, x.max, geometry);
    }
}

fn name(
    ui: &mut Ui,
    view: &GridView<'_>,
    (index, geometry): (usize, &Geometry),
    area: Rect,
    wanted: bool,
    commands: &mut Vec<Command>,
) -> Response {
    let clip = geometry.header;
    let column = &view.schema.columns[index];
    let id = view.id.with(("header", &column.name));
    let mut response = ui.interact(area.intersect(clip), id, Sense::click_and_drag());
    let painter = ui.painter_at(clip);
    if response.hovered() && column.sortable {
        painter.rect_filled(area, 0.0, view.palette.hover);
        response = response.on_hover_cursor(CursorIcon::PointingHand);
    }
    let sorted = sort_of(column, view.sort);
    paint_name(&painter, view, column, area, sorted);
    response.widget_info(|| egui::WidgetInfo::labeled(Role::ColumnHeader, true, &column.name));
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_author_id(column.name.clone());
        node.set_column_index(geometry.place_of(index).unwrap_or(index));
        if let Some((_, descending)) = sorted {
            node.set_sort_direction(if descending {
                SortDirection::Descending
            } else {
                SortDirection::Ascending
            });
        }
    });
    if response.clicked() && column.sortable {
        let add = ui.input(|input| input.modifiers.shift);
        commands.push(Command::CycleSort {
            column: column.name.clone(),
            add,
        });
    }
    let place = column_menu::Place {
        area,
        clip,
        at_left: is_right_aligned(column.kind),
        in_grid: Some(index),
    };
    column_menu::show(ui, view, column, place, &response, wanted, commands);
    response.on_hover_ui(|ui| hint(ui, column))
}

fn hint(ui: &mut Ui, column: &Column) {
    ui.strong(&column.name);
    let null = if column.nullable {
        "may be null"
    } else {
        "never null"
    };
    ui.label(format!("{} · {null}", column.type_name));
    if let Some(comment) = &column.comment {
        ui.label(comment);
    }
    ui.weak(if column.sortable {
        "Click to sort, Shift-click to add to the sort"
    } else {
        "This type has no order, so it cannot be sorted by"
    });
    ui.weak("Drag to move it");
}

/// The column's place among the sort columns (`None` if it is the only one), and its direction.
fn sort_of(column: &Column, sort: &[SortColumn]) -> Option<(Option<usize>, bool)> {
    let place = sort
        .iter()
        .position(|sorted| sorted.column == column.name)?;
    Some((
        (sort.len() > 1).then_some(place + 1),
        sort[place].descending,
    ))
}

fn paint_name(
    painter: &Painter,
    view: &GridView<'_>,
    column: &Column,
    area: Rect,
    sorted: Option<(Option<usize>, bool)>,
) {
    let palette = view.palette;
    let inner = area.shrink2(vec2(size::CELL_PADDING, 0.0));
    let room = if sorted.is_some() { ARROW_ROOM } else { 0.0 };
    let color = if sorted.is_some() {
        palette.accent
    } else {
        palette.muted
    };
    let font = theme::strong_font(size::TEXT);
    let width = (inner.width() - room).max(0.0);
    let galley = line(painter, &column.name, font.clone(), color, width);
    let (text, arrow_x) = if is_right_aligned(column.kind) {
        let text = Rect::from_min_max(inner.min + vec2(room, 0.0), inner.max);
        // Its number stands between it and the name.
        let has_number = sorted.is_some_and(|(place, _)| place.is_some());
        let gap = if has_number { 16.0 } else { 10.0 };
        (text, inner.right() - galley.size().x - gap)
    } else {
        (
            inner.with_max_x(inner.right() - room),
            inner.left() + galley.size().x + 10.0,
        )
    };
    let align = if is_right_aligned(column.kind) {
        Align::Max
    } else {
        Align::Min
    };
    paint_line(painter, text, &column.name, font, color, align);
    if let Some((place, descending)) = sorted {
        paint_arrow(painter, pos2(arrow_x, area.center().y), descending, color);
        if let Some(place) = place {
            let at = pos2(arrow_x + 5.0, area.center().y - 6.0);
            let font = egui::FontId::proportional(9.0);
            painter.text(at, egui::Align2::LEFT_CENTER, place, font, color);
        }
    }
    painter.vline(
        area.right() - 0.5,
        area.y_range().shrink(10.0),
        egui::Stroke::new(1.0, palette.border),
    );
}

/// The arrow of a sort.
pub(crate) fn paint_arrow(painter: &Painter, center: Pos2, descending: bool, color: Color32) {
    let up = if descending { -1.0 } else { 1.0 };
    let points = [
        vec2(-4.0, 2.5 * up),
        vec2(0.0, -2.5 * up),
        vec2(4.0, 2.5 * up),
    ];
    let stroke = egui::Stroke::new(1.8, color);
    painter.line(points.map(|offset| center + offset).to_vec(), stroke);
}

/// The edge at a column's right.
fn edge(
    ui: &mut Ui,
    view: &GridView<'_>,
    state: &mut GridState,
    index: usize,
    x: f32,
    geometry: &Geometry,
) {
    if !geometry.header.x_range().contains(x) {
        return;
    }
    let column = &view.schema.columns[index];
    let area = Rect::from_x_y_ranges(Rangef::new(x - EDGE, x + EDGE), geometry.header.y_range());
    let id = view.id.with(("edge", &column.name));
    let response = ui
        .interact(area, id, Sense::click_and_drag())
        .on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
    if response.hovered() || response.dragged() {
        let stroke = egui::Stroke::new(2.0, view.palette.accent);
        ui.painter()
            .vline(x - 0.5, geometry.header.y_range().shrink(6.0), stroke);
    }
    if response.double_clicked() {
        let width = fitting_width(ui.painter(), view, state, index);
        state.widths.set_by_hand(column, width);
    } else if response.dragged()
        && let Some(pointer) = response.interact_pointer_pos()
        && let Some(column_x) = geometry.column_x(index)
    {
        state.widths.set_by_hand(column, pointer.x - column_x.min);
    }
}

/// Gives every column that has no width yet one that fits its rows, once there are rows, and widens
/// columns of numbers that have become too narrow.
pub(super) fn fit_columns(painter: &Painter, view: &GridView<'_>, state: &mut GridState) {
    if view.cache.rows().is_empty() {
        return;
    }
    for (index, column) in view.schema.columns.iter().enumerate() {
        let is_new = state.widths.is_new(column);
        if !is_new && !state.widths.may_grow(column) {
            continue;
        }
        let width = fitting_width(painter, view, state, index);
        if is_new || width > state.widths.of(column) {
            state.widths.fit_at_first(column, width);
        }
    }
}

/// The width that shows the column's name and all of its values on the screen.
fn fitting_width(painter: &Painter, view: &GridView<'_>, state: &GridState, index: usize) -> f32 {
    let column = &view.schema.columns[index];
    let measure = |text: &str, font| {
        line(painter, text, font, Color32::WHITE, FITTED_WIDTH_MAX)
            .size()
            .x
    };
    let mut width = measure(&column.name, theme::strong_font(size::TEXT)) + ARROW_ROOM;
    let on_screen = state.visible.clone();
    let first = view.cache.start();
    let rows = if on_screen.is_empty() {
        first..first + FIRST_LOOK
    } else {
        on_screen
    };
    for row in rows {
        let Slot::Loaded(entry) = view.cache.row(row) else {
            continue;
        };
        let Some(value) = entry.cells().get(index) else {
            continue;
        };
        let text = cell::cell_text(column, value);
        width = width.max(measure(&text, cell::font_of(column.kind)));
    }
    width = width.max(totals_row::fitting_width(painter, view, column));
    width.ceil() + 2.0 * size::CELL_PADDING + 2.0
}
