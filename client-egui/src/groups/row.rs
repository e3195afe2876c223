//! One group.

use egui::accesskit::Role;
use egui::{Align, Rangef, Rect, Sense, Ui, vec2};
use protocol::{SummaryKey, Value};

use super::columns::GroupColumns;
use super::header::name_of;
use crate::app::Command;
use crate::grid::{GridView, paint_line};
use crate::model::{RowEntry, Summary, bucket_bounds, display_cell, display_value};
use crate::panels::format::{bound, figure, range_text};
use crate::panels::icons;
use crate::theme::{self, size};

/// A group as it is drawn.
pub(super) struct GroupRow<'a> {
    pub(super) view: &'a GridView<'a>,
    pub(super) summary: &'a Summary,
    pub(super) columns: &'a GroupColumns,
    pub(super) group: &'a RowEntry,
    pub(super) position: u64,
    pub(super) is_open: bool,
}

impl GroupRow<'_> {
    pub(super) fn show(&self, ui: &mut Ui, area: Rect, commands: &mut Vec<Command>) {
        let palette = self.view.palette;
        let id = self.view.id.with(("group", self.group.key()));
        let response = ui.interact(area, id, Sense::click());
        let is_active = response.hovered() || response.has_focus();
        let fill = match (self.is_open, is_active) {
            (_, true) => palette.hover,
            (true, false) => palette.accent_soft,
            (false, false) => palette.surface,
        };
        ui.painter().rect_filled(area, 0.0, fill);
        let line = egui::Stroke::new(1.0, palette.hairline);
        ui.painter()
            .hline(area.x_range(), area.bottom() - 0.5, line);
        let sign = area.left_center() + vec2(16.0, 0.0);
        if self.is_open {
            icons::chevron_down(ui.painter(), sign, palette.muted);
        } else {
            icons::chevron_right(ui.painter(), sign, palette.muted);
        }
        let label = self.cells(ui, area);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
        ui.ctx().accesskit_node_builder(id, |node| {
            node.set_role(Role::Button);
            node.set_expanded(self.is_open);
        });
        if response.clicked() {
            commands.push(Command::ToggleGroup {
                key: self.group.key().to_vec(),
                position: self.position,
            });
        }
    }

    /// Draws the key and the values; returns all of it as one text.
    fn cells(&self, ui: &Ui, area: Rect) -> String {
        let palette = self.view.palette;
        let strength = |color: egui::Color32| {
            if self.summary.is_current() {
                color
            } else {
                palette.faint
            }
        };
        let mut label = Vec::new();
        let keys = self.summary.keys().iter().zip(self.group.key());
        for ((of, value), span) in keys.zip(&self.columns.keys) {
            let text = key_text(of, value);
            let is_word = !value.is_null() && *value != Value::text("");
            let (font, color) = if is_word {
                (theme::strong_font(size::TEXT), strength(palette.text))
            } else {
                (theme::small_font(), palette.faint)
            };
            paint_line(
                ui.painter(),
                place(area, *span),
                &text,
                font,
                color,
                Align::Min,
            );
            label.push(text);
        }
        let values = self.summary.values().iter().zip(self.group.cells());
        for ((of, value), span) in values.zip(&self.columns.values) {
            let exact = match value {
                Value::Null => "null".to_owned(),
                value => display_value(of.kind, value),
            };
            let text = figure(&exact);
            let color = strength(if of.column.is_none() {
                palette.text
            } else {
                palette.muted
            });
            let font = theme::text_font();
            paint_line(
                ui.painter(),
                place(area, *span),
                &text,
                font,
                color,
                Align::Max,
            );
            label.push(match of.column {
                None => format!("{text} {}", name_of(of)),
                Some(_) => format!("{} {exact}", name_of(of)),
            });
        }
        label.join(", ")
    }
}

fn place(area: Rect, span: Rangef) -> Rect {
    let x = Rangef::new(area.left() + span.min, area.left() + span.max);
    Rect::from_x_y_ranges(x, area.y_range()).shrink2(vec2(size::CELL_PADDING, 0.0))
}

/// A key for people.
fn key_text(of: &SummaryKey, value: &Value) -> String {
    match (value, &of.bounds) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Text(text), None) if text.is_empty() => "(empty)".to_owned(),
        (value, None) => display_cell(&of.column, value),
        (value, Some(bounds)) => {
            let bucket = match value {
                Value::Int(bucket) => usize::try_from(*bucket).unwrap_or(0),
                _ => 0,
            };
            let (low, high) = bucket_bounds(bounds, bucket);
            let kind = of.column.kind;
            range_text(
                low.map(|low| bound(kind, low)),
                high.map(|high| bound(kind, high)),
            )
        }
    }
}

/// A group that is not here yet.
pub(super) fn placeholder(
    ui: &Ui,
    view: &GridView<'_>,
    columns: &GroupColumns,
    area: Rect,
    position: u64,
) {
    let share = 0.35 + 0.1 * (position % 4) as f32;
    for span in columns.keys.iter().chain(&columns.values) {
        let inner = place(area, *span);
        let bar = vec2(inner.width() * share, 8.0);
        let left = inner.left_center() - vec2(0.0, bar.y / 2.0);
        let rect = Rect::from_min_size(left, bar);
        ui.painter().rect_filled(rect, 4.0, view.palette.skeleton);
    }
}
