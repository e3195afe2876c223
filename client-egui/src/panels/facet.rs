//! The panel with a column's values and how often each occurs: click to filter by them.

use egui::{Align, Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, vec2};
use protocol::{Column, Value};

use super::format::{rows, sentence, thousands};
use super::{FrameView, check_box, histogram, icons};
use crate::app::{Command, OpenTable};
use crate::grid::paint_line;
use crate::model::{
    FacetKind, RowEntry, Summary, display_cell, facet_kind, filter_of_values, values_in_filter,
};
use crate::theme::{self, size};

const ROW: f32 = 30.0;
const PADDING: f32 = 14.0;

/// Draws the panel.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&mut OpenTable>,
    commands: &mut Vec<Command>,
) {
    let Some(table) = table else { return };
    let Some(name) = table.facet.as_ref().map(|facet| facet.column.clone()) else {
        return;
    };
    ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
    head(ui, frame, &name, commands);
    let Some(schema) = table.schema(frame.model) else {
        return note(ui, frame, "Counting…");
    };
    let mut columns = schema.columns.iter();
    let Some(column) = columns.find(|column| column.name == name).cloned() else {
        return note(ui, frame, "The table has no such column.");
    };
    let Some(kind) = facet_kind(&column) else {
        let text = format!("Values of type {} cannot be counted.", column.type_name);
        return note(ui, frame, &text);
    };
    let Some(summary) = table.facet_summary(frame.model) else {
        return note(ui, frame, "Counting…");
    };
    if let Some(refusal) = summary.refusal() {
        return note(ui, frame, &sentence(&refusal.message));
    }
    if summary.counts().is_none() {
        return note(ui, frame, "Counting…");
    }
    let filter = table.filters.get(&name).cloned().unwrap_or_default();
    match kind {
        FacetKind::Values => values(ui, frame, &column, summary, &filter, commands),
        FacetKind::Histogram => {
            let dragged = table.facet.as_ref().and_then(|facet| facet.dragged);
            let dragged = histogram::show(ui, frame, &column, summary, &filter, dragged, commands);
            if let Some(facet) = &mut table.facet {
                facet.dragged = dragged;
            }
        }
    }
}

/// The column's name, and a button that closes the panel.
fn head(ui: &mut Ui, frame: &FrameView<'_>, column: &str, commands: &mut Vec<Command>) {
    let palette = frame.palette;
    let width = ui.available_width();
    let (area, _) = ui.allocate_exact_size(vec2(width, size::HEADER), Sense::hover());
    let inner = area.shrink2(vec2(PADDING, 0.0));
    let title = inner.with_max_x(inner.right() - 28.0);
    let font = theme::strong_font(size::TEXT);
    paint_line(ui.painter(), title, column, font, palette.text, Align::Min);
    let id = ui.scope_id().with("facet title");
    ui.interact(title, id, Sense::hover()).widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Label, true, format!("Values of {column}"))
    });
    let cross = Rect::from_center_size(inner.right_center() - vec2(8.0, 0.0), vec2(24.0, 24.0));
    let response = ui.interact(cross, ui.scope_id().with("close facet"), Sense::click());
    let is_active = response.hovered() || response.has_focus();
    if is_active {
        ui.painter().rect_filled(cross, 6.0, palette.hover);
    }
    let color = if is_active {
        palette.text
    } else {
        palette.faint
    };
    icons::cross(ui.painter(), cross.center(), color);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Close values"));
    if response.clicked() {
        commands.push(Command::ShowFacet(None));
    }
    response.on_hover_text("Close");
    let line = egui::Stroke::new(1.0, palette.hairline);
    ui.painter()
        .hline(area.x_range(), area.bottom() - 0.5, line);
}

pub(super) fn note(ui: &mut Ui, frame: &FrameView<'_>, text: &str) {
    let area = ui.available_rect_before_wrap().shrink2(vec2(PADDING, 10.0));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(area));
    inner.label(
        RichText::new(text)
            .font(theme::small_font())
            .color(frame.palette.muted),
    );
    ui.add_space(inner.min_rect().height() + 18.0);
}

fn values(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    column: &Column,
    summary: &Summary,
    filter: &str,
    commands: &mut Vec<Command>,
) {
    let Some(counts) = summary.counts() else {
        return;
    };
    let distinct = match counts.groups {
        0 => "No values".to_owned(),
        1 => "One value".to_owned(),
        groups => format!("{} values", thousands(groups)),
    };
    note(ui, frame, &distinct);
    let chosen = values_in_filter(column, filter);
    let most = summary.groups().iter().map(|group| rows_in(group)).max();
    let groups = summary.groups();
    ScrollArea::vertical()
        .auto_shrink(false)
        .show_rows(ui, ROW, groups.len() + 1, |ui, shown| {
            for index in shown {
                let Some(group) = groups.get(index) else {
                    return rest(ui, frame, summary, commands);
                };
                let value = group.key().first().unwrap_or(&Value::Null);
                let item = Item {
                    column,
                    value,
                    count: rows_in(group),
                    most: most.unwrap_or(1).max(1),
                    is_chosen: chosen.contains(value),
                    is_current: summary.is_current(),
                };
                if item.show(ui, frame) {
                    let mut chosen = chosen.clone();
                    if item.is_chosen {
                        chosen.retain(|other| other != value);
                    } else {
                        chosen.push(value.clone());
                    }
                    commands.push(Command::SetFilter {
                        column: column.name.clone(),
                        text: filter_of_values(&chosen),
                    });
                }
            }
        });
}

/// A group's number of rows.
pub(crate) fn rows_in(group: &RowEntry) -> u64 {
    match group.cells().first() {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}

/// What is not listed, and a way to list more of it.
fn rest(ui: &mut Ui, frame: &FrameView<'_>, summary: &Summary, commands: &mut Vec<Command>) {
    let Some(counts) = summary.counts().filter(|counts| counts.rest > 0) else {
        return;
    };
    let listed = summary.groups().len() as u64;
    let others = counts.groups.saturating_sub(listed);
    ui.horizontal(|ui| {
        ui.add_space(PADDING);
        let text = format!(
            "{} more: {} {}",
            thousands(others),
            thousands(counts.rest),
            rows(counts.rest)
        );
        ui.label(
            RichText::new(text)
                .font(theme::small_font())
                .color(frame.palette.muted),
        );
        let can_list_more = listed < u64::from(crate::model::GROUPS_SHOWN_MAX);
        if can_list_more
            && ui
                .link(RichText::new("Show more").font(theme::small_font()))
                .clicked()
        {
            commands.push(Command::MoreFacetValues);
        }
    });
}

/// One value of the list.
struct Item<'a> {
    column: &'a Column,
    value: &'a Value,
    count: u64,
    /// The largest count of all.
    most: u64,
    is_chosen: bool,
    is_current: bool,
}

impl Item<'_> {
    fn text(&self) -> String {
        match self.value {
            Value::Null => "null".to_owned(),
            Value::Text(text) if text.is_empty() => "(empty)".to_owned(),
            value => display_cell(self.column, value),
        }
    }

    /// Draws it; returns whether it was clicked.
    fn show(&self, ui: &mut Ui, frame: &FrameView<'_>) -> bool {
        let palette = frame.palette;
        let width = ui.available_width();
        let (area, response) = ui.allocate_exact_size(vec2(width, ROW), Sense::click());
        let inner = area.shrink2(vec2(6.0, 1.0));
        if response.hovered() || response.has_focus() {
            ui.painter().rect_filled(inner, 6.0, palette.hover);
        }
        let strength = if self.is_current { 1.0 } else { 0.4 };
        let share = self.count as f32 / self.most as f32;
        let bar_room = inner.shrink2(vec2(8.0, 0.0));
        let bar = Rect::from_min_size(
            egui::pos2(bar_room.left(), inner.bottom() - 3.0),
            vec2((bar_room.width() * share).max(1.0), 2.0),
        );
        let bar_color = palette.accent.gamma_multiply(0.55 * strength);
        ui.painter().rect_filled(bar, 1.0, bar_color);

        let count = thousands(self.count);
        let text_area = inner
            .shrink2(vec2(8.0, 0.0))
            .with_max_y(inner.bottom() - 2.0);
        check_box::paint(ui, frame, text_area, self.is_chosen);
        let measured =
            ui.painter()
                .layout_no_wrap(count.clone(), theme::small_font(), palette.muted);
        let count_width = measured.size().x;
        let name_area = Rect::from_min_max(
            text_area.min + vec2(22.0, 0.0),
            text_area.max - vec2(count_width + 10.0, 0.0),
        );
        let is_word = !self.value.is_null() && *self.value != Value::text("");
        let (color, font) = match (is_word, self.is_current) {
            (true, true) => (palette.text, theme::text_font()),
            (true, false) => (palette.faint, theme::text_font()),
            (false, _) => (palette.faint, theme::small_font()),
        };
        let text = self.text();
        paint_line(ui.painter(), name_area, &text, font, color, Align::Min);
        let font = theme::small_font();
        paint_line(
            ui.painter(),
            text_area,
            &count,
            font,
            palette.muted,
            Align::Max,
        );
        let label = format!("{text}, {count} {}", rows(self.count));
        response.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::CheckBox, true, self.is_chosen, &label)
        });
        let clicked = response.clicked();
        response.on_hover_text(label);
        clicked
    }
}
