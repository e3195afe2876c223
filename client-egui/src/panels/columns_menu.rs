//! The menu that says which columns are shown.

use egui::{Align, Button, Popup, PopupCloseBehavior, RichText, ScrollArea, Sense, Ui, vec2};
use protocol::TableSchema;

use super::{FrameView, check_box};
use crate::app::{Command, OpenTable};
use crate::grid::paint_line;
use crate::theme;

/// The longest the list of columns becomes, in points; beyond that it scrolls.
const LIST_HEIGHT_MAX: f32 = 392.0;

/// The height of a column's entry, in points.
const ENTRY: f32 = 28.0;

/// Draws the button, and the menu while it is open.
pub(super) fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let schema = table.schema(frame.model);
    let hidden = schema.map_or(0, |schema| hidden(table, schema));
    let color = if hidden > 0 {
        palette.accent
    } else {
        palette.muted
    };
    let button = Button::new(RichText::new("Columns").color(color));
    let button = ui.add_enabled(schema.is_some(), button);
    if let Some(schema) = schema {
        Popup::menu(&button)
            .close_behavior(PopupCloseBehavior::CloseOnClickOutside)
            .style(theme::menu_style)
            .gap(6.0)
            .show(|ui| {
                ui.set_width(212.0);
                list(ui, frame, table, schema, commands);
                if !table.columns.is_as_it_comes() {
                    ui.separator();
                    let all = Button::new("As the table has them").frame_when_inactive(false);
                    if ui.add(all).clicked() {
                        commands.push(Command::ResetColumns);
                    }
                }
            });
    }
    button.on_hover_text(match hidden {
        0 => "Choose which columns are shown".to_owned(),
        1 => "One column is hidden".to_owned(),
        hidden => format!("{hidden} columns are hidden"),
    });
}

/// How many columns are not shown.
fn hidden(table: &OpenTable, schema: &TableSchema) -> usize {
    schema.columns.len() - table.columns.shown(&schema.columns).len()
}

/// Draws a column's entry; returns whether it was clicked.
fn entry(ui: &mut Ui, frame: &FrameView<'_>, name: &str, is_shown: bool, is_last: bool) -> bool {
    let palette = frame.palette;
    let sense = if is_last {
        Sense::hover()
    } else {
        Sense::click()
    };
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), ENTRY), sense);
    if !is_last && (response.hovered() || response.has_focus()) {
        ui.painter().rect_filled(area, 6.0, palette.hover);
    }
    let inner = area.shrink2(vec2(8.0, 0.0));
    check_box::paint(ui, frame, inner, is_shown);
    let text = inner.with_min_x(inner.left() + 22.0);
    let color = if is_shown {
        palette.text
    } else {
        palette.muted
    };
    paint_line(
        ui.painter(),
        text,
        name,
        theme::text_font(),
        color,
        Align::Min,
    );
    response
        .widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, !is_last, is_shown, name));
    let clicked = response.clicked();
    if is_last {
        response.on_hover_text("One column is always shown");
    }
    clicked
}

fn list(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    schema: &TableSchema,
    commands: &mut Vec<Command>,
) {
    let shown = table.columns.shown(&schema.columns);
    ScrollArea::vertical()
        .max_height(LIST_HEIGHT_MAX)
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for index in table.columns.ordered(&schema.columns) {
                let name = &schema.columns[index].name;
                let is_shown = shown.contains(&index);
                let is_last = is_shown && shown.len() == 1;
                if entry(ui, frame, name, is_shown, is_last) {
                    commands.push(Command::ShowColumn {
                        column: name.clone(),
                        is_shown: !is_shown,
                    });
                }
            }
        });
}
