//! The grid, or why there is none.

use egui::{Id, RichText, Ui, UiBuilder, vec2};
use protocol::{ErrorCode, ErrorMsg};

use super::format::sentence;
use super::{FrameView, short_name};
use crate::app::{Command, Grouping, OpenTable};
use crate::grid::{self, GridView};
use crate::groups;
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
        return refused(ui, frame, table, error, commands);
    }
    let (Some(cache), Some(schema)) = (table.cache(frame.model), table.schema(frame.model)) else {
        return not_open_yet(ui, frame, table, commands);
    };
    let grouping = table.grouping.as_ref();
    let groups = grouping.map_or_else(Vec::new, |grouping| grouping.by.clone());
    let columns = table.columns.shown(&schema.columns);
    let view = GridView {
        id: Id::unique(("grid", &table.name)),
        model: frame.model,
        window: table.window,
        cache,
        schema,
        columns: &columns,
        sort: &table.sort,
        totals: &table.totals,
        totals_summary: table.totals_summary(frame.model),
        groups: &groups,
        has_filters: true,
        is_nested: false,
        highlight: window.and_then(|window| window.highlight()),
        now: frame.now,
        palette: frame.palette,
    };
    if let Some(grouping) = &mut table.grouping {
        return grouped(ui, frame, &view, grouping, commands);
    }
    let area = ui.available_rect_before_wrap();
    grid::show(ui, &view, &mut table.grid, commands);
    if cache.total() == Some(0) {
        let below = area.with_min_y(area.top() + size::HEADER + size::FILTER_ROW);
        let mut ui = ui.new_child(UiBuilder::new().max_rect(below));
        no_rows(&mut ui, frame, table, commands);
    }
}

/// The rows in groups, or why there are none.
fn grouped(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    view: &GridView<'_>,
    grouping: &mut Grouping,
    commands: &mut Vec<Command>,
) {
    let stop = ("Show the rows", Command::GroupBy(Vec::new()));
    let Some(summary) = grouping.summary(frame.model) else {
        return;
    };
    if let Some(refusal) = summary.refusal() {
        let title = "The rows cannot be grouped like this";
        let text = sentence(&refusal.message);
        return message(ui, frame, title, &text, vec![stop], commands);
    }
    match summary.counts() {
        None => message(ui, frame, "Counting…", "", Vec::new(), commands),
        Some(counts) if counts.groups == 0 => {
            let title = "No rows to group";
            message(ui, frame, title, "", vec![stop], commands);
        }
        Some(_) => groups::show(ui, view, grouping, summary, commands),
    }
}

/// Why a view is not shown, and the ways on from there.
fn refused(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    error: &ErrorMsg,
    commands: &mut Vec<Command>,
) {
    let name = short_name(&table.name);
    let (title, mut ways) = match error.code {
        ErrorCode::Expensive => {
            let title = format!("This view of {name} takes long to open");
            (title, vec![("Open anyway", Command::OpenAnyway)])
        }
        ErrorCode::NoIndex => {
            let title = format!("These rows of {name} cannot be shown");
            (title, vec![("Go to the first rows", Command::ReturnToTop)])
        }
        _ => (format!("{name} cannot be shown"), Vec::new()),
    };
    if !table.sort.is_empty() {
        ways.push(("Clear the order", Command::ClearSort));
    }
    ways.extend(wider(table));
    message(ui, frame, &title, &sentence(&error.message), ways, commands);
}

fn no_table(ui: &mut Ui, frame: &FrameView<'_>, commands: &mut Vec<Command>) {
    if let Some((title, text)) = unreachable(frame) {
        let retry = vec![("Try again now", Command::ReconnectNow)];
        return message(ui, frame, &title, &text, retry, commands);
    }
    match frame.model.tables() {
        Some([]) => {
            let text = "The server watches no table of this database yet.";
            message(ui, frame, "No tables", text, Vec::new(), commands);
        }
        Some(_) => {
            let text = "Its rows appear here and stay up to date by themselves.";
            message(ui, frame, "Choose a table", text, Vec::new(), commands);
        }
        None => message(ui, frame, "Connecting…", frame.url, Vec::new(), commands),
    }
}

fn not_open_yet(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    commands: &mut Vec<Command>,
) {
    if let Some((title, text)) = unreachable(frame) {
        let retry = vec![("Try again now", Command::ReconnectNow)];
        return message(ui, frame, &title, &text, retry, commands);
    }
    let title = format!("Opening {}…", short_name(&table.name));
    message(ui, frame, &title, "", Vec::new(), commands);
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
    let searched = table.search.applied().trim();
    let title = match (searched.is_empty(), table.filters.is_empty()) {
        (true, true) => {
            let text = "Rows appear here as soon as someone inserts them.";
            return message(ui, frame, "This table is empty", text, Vec::new(), commands);
        }
        (true, false) => "No rows match this filter".to_owned(),
        (false, true) => format!("No rows match “{}”", shortened(searched)),
        (false, false) => format!("No rows match “{}” and this filter", shortened(searched)),
    };
    message(ui, frame, &title, "", wider(table), commands);
}

/// The ways to more rows.
fn wider(table: &OpenTable) -> Vec<(&'static str, Command)> {
    let mut ways = Vec::new();
    if !table.search.applied().trim().is_empty() {
        ways.push(("Clear search", Command::Search(String::new())));
    }
    if !table.filters.is_empty() {
        ways.push(("Clear filters", Command::ClearFilters));
    }
    ways
}

/// What was typed, as far as a title has room for it.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A title, a text and perhaps buttons, the first of them the likeliest, in the middle.
fn message(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    title: &str,
    text: &str,
    buttons: Vec<(&str, Command)>,
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
        if buttons.is_empty() {
            return;
        }
        ui.add_space(10.0);
        let spacing = ui.spacing();
        let (padding, gap) = (spacing.button_padding.x, spacing.item_spacing.x);
        let width = |label: &str| {
            let text =
                ui.painter()
                    .layout_no_wrap(label.to_owned(), theme::text_font(), palette.text);
            text.size().x + 2.0 * padding
        };
        let widths = buttons.iter().map(|(label, _)| width(label));
        let all = widths.sum::<f32>() + gap * (buttons.len() - 1) as f32;
        let space = ((ui.available_width() - all) / 2.0).max(0.0);
        ui.horizontal_wrapped(|ui| {
            ui.add_space(space);
            for (nth, (label, command)) in buttons.into_iter().enumerate() {
                let (text, fill) = if nth == 0 {
                    (palette.on_accent, palette.accent)
                } else {
                    (palette.text, palette.backdrop)
                };
                let button = egui::Button::new(RichText::new(label).color(text))
                    .fill(fill)
                    .min_size(vec2(0.0, 32.0));
                if ui.add(button).clicked() {
                    commands.push(command);
                }
            }
        });
    });
}
