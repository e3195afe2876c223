//! The grid, or why there is none.

use egui::{Id, RichText, Ui, UiBuilder, vec2};

use super::format::sentence;
use super::{FrameView, short_name};
use crate::app::{Command, OpenTable};
use crate::grid::{self, GridView};
use crate::model::ConnectionState;
use crate::theme::{self, size};

/// Draws the grid, or why there is none.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&mut OpenTable>,
    commands: &mut Vec<Command>,
) {
    let Some(table) = table else {
        return no_table(ui, frame, commands);
    };
    let window = frame.model.window(table.window);
    if let Some(error) = window.and_then(|window| window.error()) {
        let title = format!("{} cannot be shown", short_name(&table.name));
        let clear = (!table.filters.is_empty()).then_some(("Clear filters", Command::ClearFilters));
        return message(
            ui,
            frame,
            &title,
            &sentence(&error.message),
            clear,
            commands,
        );
    }
    let (Some(cache), Some(schema)) = (table.cache(frame.model), table.schema(frame.model)) else {
        return not_open_yet(ui, frame, table, commands);
    };
    let view = GridView {
        id: Id::unique(("grid", &table.name)),
        model: frame.model,
        window: table.window,
        cache,
        schema,
        sort: &table.sort,
        now: frame.now,
        palette: frame.palette,
    };
    let area = ui.available_rect_before_wrap();
    grid::show(ui, &view, &mut table.grid, commands);
    if cache.total() == Some(0) {
        let below = area.with_min_y(area.top() + size::HEADER + size::FILTER_ROW);
        let mut ui = ui.new_child(UiBuilder::new().max_rect(below));
        no_rows(&mut ui, frame, table, commands);
    }
}

fn no_table(ui: &mut Ui, frame: &FrameView<'_>, commands: &mut Vec<Command>) {
    if let Some((title, text)) = unreachable(frame) {
        let retry = Some(("Try again now", Command::ReconnectNow));
        return message(ui, frame, &title, &text, retry, commands);
    }
    match frame.model.tables() {
        Some([]) => {
            let text = "The server watches no table of this database yet.";
            message(ui, frame, "No tables", text, None, commands);
        }
        Some(_) => {
            let text = "Its rows appear here and stay up to date by themselves.";
            message(ui, frame, "Choose a table", text, None, commands);
        }
        None => message(ui, frame, "Connecting…", frame.url, None, commands),
    }
}

fn not_open_yet(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    commands: &mut Vec<Command>,
) {
    if let Some((title, text)) = unreachable(frame) {
        let retry = Some(("Try again now", Command::ReconnectNow));
        return message(ui, frame, &title, &text, retry, commands);
    }
    let title = format!("Opening {}…", short_name(&table.name));
    message(ui, frame, &title, "", None, commands);
}

fn unreachable(frame: &FrameView<'_>) -> Option<(String, String)> {
    match frame.model.connection() {
        ConnectionState::Reconnecting { reason, .. } => {
            let title = format!("Cannot reach the server at {}", frame.url);
            Some((
                title,
                format!("{}.\nThe viewer keeps trying.", sentence(reason)),
            ))
        }
        ConnectionState::Incompatible { theirs } => {
            let title = "This viewer does not fit the server".to_owned();
            let ours = protocol::PROTOCOL_VERSION;
            let text = format!(
                "The server speaks version {theirs} of the protocol, this viewer version {ours}. \
                 Reload the page, or install the viewer that came with the server."
            );
            Some((title, text))
        }
        _ => None,
    }
}

fn no_rows(ui: &mut Ui, frame: &FrameView<'_>, table: &OpenTable, commands: &mut Vec<Command>) {
    if table.filters.is_empty() {
        let text = "Rows appear here as soon as someone inserts them.";
        message(ui, frame, "This table is empty", text, None, commands);
    } else {
        let clear = Some(("Clear filters", Command::ClearFilters));
        message(ui, frame, "No rows match this filter", "", clear, commands);
    }
}

/// A title, a text and perhaps a button, in the middle.
fn message(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    title: &str,
    text: &str,
    button: Option<(&str, Command)>,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let space = (ui.available_height() * 0.5 - 70.0).max(16.0);
    ui.vertical_centered(|ui| {
        ui.set_max_width(460.0_f32.min(ui.available_width()));
        ui.add_space(space);
        ui.label(
            RichText::new(title)
                .font(theme::strong_font(size::TITLE))
                .color(palette.text),
        );
        if !text.is_empty() {
            ui.add_space(4.0);
            ui.label(RichText::new(text).color(palette.muted));
        }
        if let Some((label, command)) = button {
            ui.add_space(10.0);
            let label = RichText::new(label).color(palette.on_accent);
            let button = egui::Button::new(label)
                .fill(palette.accent)
                .min_size(vec2(0.0, 32.0));
            if ui.add(button).clicked() {
                commands.push(command);
            }
        }
    });
}
