//! The row beneath the cells with the columns' totals.

use egui::{Align, Color32, FontId, Painter, Rect, Sense, Ui, UiBuilder, vec2};
use protocol::{AggregateOp, Column, Value};

use super::columns::is_right_aligned;
use super::geometry::Geometry;
use super::text::paint_line;
use super::widget::GridView;
use crate::model::{Summary, display_value};
use crate::panels::format::{figure, narrowing_figures};
use crate::theme::{self, size};

/// Draws the totals beneath their columns.
pub(super) fn show(ui: &mut Ui, view: &GridView<'_>, geometry: &Geometry) {
    let area = geometry.totals;
    if area.height() <= 0.0 {
        return;
    }
    let palette = view.palette;
    let whole = area.with_min_x(geometry.gutter.left());
    ui.painter().rect_filled(whole, 0.0, palette.header);
    let border = egui::Stroke::new(1.0, palette.border);
    ui.painter()
        .hline(whole.x_range(), whole.top() + 0.5, border);
    let sign = whole.with_max_x(geometry.gutter.right() - 10.0);
    let font = theme::small_font();
    paint_line(ui.painter(), sign, "Total", font, palette.faint, Align::Max);
    let mut clipped = ui.new_child(UiBuilder::new().max_rect(area));
    clipped.set_clip_rect(ui.clip_rect().intersect(area));
    for (index, x) in geometry.visible_columns() {
        let column = &view.schema.columns[index];
        if let Some(op) = view.totals.get(&column.name) {
            let cell = Rect::from_x_y_ranges(x, area.y_range());
            total(&mut clipped, view, column, *op, cell);
        }
    }
}

/// The width that shows a column's total and its name, in points; 0 without one.
pub(super) fn fitting_width(painter: &Painter, view: &GridView<'_>, column: &Column) -> f32 {
    let summary = view.totals_summary.filter(|summary| summary.is_current());
    let (Some(op), Some(summary), false) = (view.totals.get(&column.name), summary, view.is_nested)
    else {
        return 0.0;
    };
    let exact = value_of(summary, column, *op).unwrap_or_default();
    let strong = theme::strong_font(size::TEXT);
    name_width(painter, *op) + width_of(painter, &figure(&exact), strong)
}

/// What a total's name takes beside its value, in points.
fn name_width(painter: &Painter, op: AggregateOp) -> f32 {
    width_of(painter, short_name(op), theme::small_font()) + 6.0
}

fn width_of(painter: &Painter, text: &str, font: FontId) -> f32 {
    let galley = painter.layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER);
    galley.size().x
}

fn total(ui: &mut Ui, view: &GridView<'_>, column: &Column, op: AggregateOp, cell: Rect) {
    let palette = view.palette;
    let known = view.totals_summary.filter(|summary| summary.is_current());
    let refusal = view.totals_summary.and_then(Summary::refusal);
    let exact = match (refusal, known) {
        (Some(_), _) => "not known".to_owned(),
        (None, Some(summary)) => value_of(summary, column, op).unwrap_or_default(),
        (None, None) => "…".to_owned(),
    };
    let area = cell.shrink2(vec2(size::CELL_PADDING, 0.0));
    let name = short_name(op);
    let name_width = name_width(ui.painter(), op);
    let small = theme::small_font();
    let strong = theme::strong_font(size::TEXT);
    if is_right_aligned(column.kind) {
        // A rounded average that says that it is one is of more use than four decimals of something.
        let room = area.width() - name_width;
        let mut value = fitting(ui.painter(), &exact, &strong, room);
        if width_of(ui.painter(), &value, strong.clone()) > room {
            value = fitting(ui.painter(), &exact, &strong, area.width());
        }
        let galley = super::text::line(
            ui.painter(),
            &value,
            strong.clone(),
            palette.text,
            area.width(),
        );
        let name_area = area.with_max_x(area.right() - galley.size().x - 6.0);
        paint_line(ui.painter(), area, &value, strong, palette.text, Align::Max);
        if name_area.width() >= name_width - 6.0 {
            paint_line(
                ui.painter(),
                name_area,
                name,
                small,
                palette.faint,
                Align::Max,
            );
        }
    } else {
        paint_line(ui.painter(), area, name, small, palette.faint, Align::Min);
        let value_area = area.with_min_x(area.left() + name_width);
        let value = fitting(ui.painter(), &exact, &strong, value_area.width());
        paint_line(
            ui.painter(),
            value_area,
            &value,
            strong,
            palette.text,
            Align::Min,
        );
    }
    let label = format!("{} of {}: {exact}", long_name(op), column.name);
    let response = ui.interact(cell, view.id.with(("total", &column.name)), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    response.on_hover_text(match refusal {
        Some(refusal) => crate::panels::format::sentence(&refusal.message),
        None => label,
    });
}

/// The most exact way to write a total that fits into the width.
fn fitting(painter: &Painter, exact: &str, font: &FontId, width: f32) -> String {
    let mut figures = narrowing_figures(exact);
    let fits = |figure: &String| width_of(painter, figure, font.clone()) <= width;
    let narrowest = figures.len().saturating_sub(1);
    let place = figures.iter().position(fits).unwrap_or(narrowest);
    figures.swap_remove(place)
}

/// A total as its exact text; `null` if there is nothing to total.
fn value_of(summary: &Summary, column: &Column, op: AggregateOp) -> Option<String> {
    let is_it = |value: &protocol::SummaryValue| {
        value.op == op && value.column.as_ref() == Some(&column.name)
    };
    let place = summary.values().iter().position(is_it)?;
    let group = summary.groups().first()?;
    Some(match group.cells().get(place)? {
        Value::Null => super::cell::NULL_TEXT.to_owned(),
        value => display_value(summary.values()[place].kind, value),
    })
}

/// A total's name where there is little room.
pub(crate) fn short_name(op: AggregateOp) -> &'static str {
    match op {
        AggregateOp::Count => "count",
        AggregateOp::Sum => "sum",
        AggregateOp::Avg => "avg",
        AggregateOp::Min => "min",
        AggregateOp::Max => "max",
    }
}

/// A total's name in menus and for assistive technology.
pub(super) fn long_name(op: AggregateOp) -> &'static str {
    match op {
        AggregateOp::Count => "Count",
        AggregateOp::Sum => "Sum",
        AggregateOp::Avg => "Average",
        AggregateOp::Min => "Minimum",
        AggregateOp::Max => "Maximum",
    }
}
