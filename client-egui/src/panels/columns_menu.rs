//! The menu that says which columns are shown.

use egui::{Button, Popup, PopupCloseBehavior, RichText, ScrollArea, Ui};
use protocol::TableSchema;

use super::FrameView;
use crate::app::{Command, OpenTable};
use crate::theme;

/// The longest the list of columns becomes, in points; beyond that it scrolls.
const LIST_HEIGHT_MAX: f32 = 380.0;

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
            .gap(6.0)
            .show(|ui| {
                ui.set_min_width(188.0);
                list(ui, table, schema, commands);
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

fn list(ui: &mut Ui, table: &OpenTable, schema: &TableSchema, commands: &mut Vec<Command>) {
    let shown = table.columns.shown(&schema.columns);
    ScrollArea::vertical()
        .max_height(LIST_HEIGHT_MAX)
        .show(ui, |ui| {
            for index in table.columns.ordered(&schema.columns) {
                let name = &schema.columns[index].name;
                let mut is_shown = shown.contains(&index);
                let is_last = is_shown && shown.len() == 1;
                let label = RichText::new(name).font(theme::text_font());
                let entry = egui::Checkbox::new(&mut is_shown, label);
                let entry = ui.add_enabled(!is_last, entry);
                if entry.changed() {
                    commands.push(Command::ShowColumn {
                        column: name.clone(),
                        is_shown,
                    });
                }
                entry.on_disabled_hover_text("One column is always shown");
            }
        });
}
