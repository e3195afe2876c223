//! The bar above the grid: which table, how many rows, what can be done with them.

use egui::{
    Align, Button, Key, Layout, Modifiers, Popup, Rangef, Rect, RichText, Sense, Ui, UiBuilder,
    pos2, vec2,
};
use protocol::Liveness;

use super::format::{roughly, rows, thousands};
use super::{
    FrameView, advice, columns_menu, export_menu, icons, search_box, short_name, table_list,
};
use crate::app::{Command, OpenTable};
use crate::grid::paint_line;
use crate::model::WindowCache;
use crate::theme::{self, PANEL_PADDING, size};

/// In a narrower bar than this, in points, what is said of the table has a line of its own.
const ONE_LINE_FROM: f32 = 960.0;

/// The height of that line, in points.
const NOTES: f32 = 34.0;

/// The most of a line that the table's name takes.
const TITLE_SHARE: f32 = 0.5;

/// How high the bar is, in points, if it is so wide. It depends on nothing else, so that the grid beneath
/// it stays in place.
pub fn height(width: f32) -> f32 {
    if width < ONE_LINE_FROM {
        size::TOP_BAR + NOTES
    } else {
        size::TOP_BAR
    }
}

/// Draws the bar; with the list of tables behind the table's name, if that is nowhere else.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    mut table: Option<&mut OpenTable>,
    has_side_bar: bool,
    admin_token: &mut String,
    commands: &mut Vec<Command>,
) {
    let whole = ui.max_rect();
    let line = whole.with_max_y(whole.top() + size::TOP_BAR);
    let line = line.shrink2(PANEL_PADDING);
    let mut end = line.right();
    if let Some(table) = &mut table {
        let builder = UiBuilder::new()
            .max_rect(line)
            .layout(Layout::right_to_left(Align::Center));
        let mut right = ui.new_child(builder);
        actions(&mut right, frame, table, line.width(), commands);
        end = right.min_rect().left() - 12.0;
    }
    let left = line.with_max_x(end);
    let mut title_ui = part(ui, left);
    title(
        &mut title_ui,
        frame,
        table.as_deref(),
        has_side_bar,
        commands,
    );
    let Some(table) = table else { return };
    let rest = if whole.width() < ONE_LINE_FROM {
        let y = Rangef::new(line.bottom(), line.bottom() + NOTES - PANEL_PADDING.y);
        Rect::from_x_y_ranges(line.x_range(), y)
    } else {
        left.with_min_x(title_ui.min_rect().right() + 12.0)
    };
    let mut rest = part(ui, rest);
    notes(&mut rest, frame, table, admin_token, commands);
}

/// A part of the bar, filled from the left.
fn part(ui: &mut Ui, area: Rect) -> Ui {
    let layout = Layout::left_to_right(Align::Center);
    let mut part = ui.new_child(UiBuilder::new().max_rect(area).layout(layout));
    part.set_clip_rect(area.expand(4.0));
    part
}

/// What can be done with the rows; from the right.
fn actions(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &mut OpenTable,
    width: f32,
    commands: &mut Vec<Command>,
) {
    export_menu::show(ui, frame, table, commands);
    ui.add_space(4.0);
    columns_menu::show(ui, frame, table, commands);
    // Always there, so that nothing beside it moves when rows are being fetched.
    let total = table.cache(frame.model).and_then(WindowCache::total);
    let can_go = total.is_some_and(|total| total > 0) && table.grouping.is_none();
    ui.add_space(4.0);
    let go_to = Button::new(RichText::new("Go to row").color(frame.palette.muted));
    let go_to = ui.add_enabled(can_go, go_to);
    // Wherever the keyboard is: a field would take the digits that follow.
    let wanted = can_go && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::G));
    if go_to.on_hover_text("Ctrl+G").clicked() || wanted {
        commands.push(Command::ShowGoTo(true));
    }
    ui.add_space(4.0);
    let width = (width * 0.24).clamp(120.0, 260.0);
    search_box::show(ui, frame, table, width, commands);
}

/// The table's name, which opens the list of tables where that is nowhere else.
fn title(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&OpenTable>,
    has_side_bar: bool,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let name = match table {
        Some(table) => short_name(&table.name),
        None if has_side_bar => return,
        None => "Tables",
    };
    let font = theme::strong_font(size::TITLE);
    let painter = ui.painter();
    let galley = painter.layout_no_wrap(name.to_owned(), font.clone(), palette.text);
    let room_for_sign = if has_side_bar { 0.0 } else { 24.0 };
    let width_max = (ui.available_width() * TITLE_SHARE).max(60.0);
    let text_width = galley.size().x.ceil().min(width_max - room_for_sign);
    let whole = vec2(text_width + room_for_sign, 30.0);
    let sense = if has_side_bar {
        Sense::hover()
    } else {
        Sense::click()
    };
    let (area, response) = ui.allocate_exact_size(whole, sense);
    if !has_side_bar && (response.hovered() || response.has_focus()) {
        let fill = palette.hover;
        ui.painter()
            .rect_filled(area.expand2(vec2(6.0, 0.0)), 6.0, fill);
    }
    let text = area.with_max_x(area.left() + text_width + 1.0);
    paint_line(ui.painter(), text, name, font, palette.text, Align::Min);
    if has_side_bar {
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, name));
        return;
    }
    let sign = pos2(area.right() - 8.0, area.center().y + 1.0);
    icons::chevron_down(ui.painter(), sign, palette.muted);
    let label = format!("{name}, choose a table");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &label));
    Popup::menu(&response).gap(8.0).show(|ui| {
        table_list::menu(ui, frame, table, commands);
    });
}

/// What is said of the rows, and what can be taken back.
fn notes(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    admin_token: &mut String,
    commands: &mut Vec<Command>,
) {
    ui.label(RichText::new(count(frame, table)).color(frame.palette.muted));
    if let Some((pause, reason)) = polled(frame, table) {
        ui.label(RichText::new(pause).color(frame.palette.faint))
            .on_hover_text(reason);
    }
    advice::show(ui, frame, table, admin_token, commands);
    if !table.filters.is_empty() {
        let text = if table.filters.len() == 1 {
            "Clear filter"
        } else {
            "Clear filters"
        };
        ui.add_space(4.0);
        if chip(ui, frame, text) {
            commands.push(Command::ClearFilters);
        }
    }
    if let Some(grouping) = &table.grouping {
        ui.add_space(4.0);
        if chip(ui, frame, &format!("By {}", grouping.by.join(", "))) {
            commands.push(Command::GroupBy(Vec::new()));
        }
    }
}

/// `polled every 2 s`, and why, if the table is looked at again and again rather than followed.
pub(super) fn polled(frame: &FrameView<'_>, table: &OpenTable) -> Option<(String, String)> {
    match &table.schema(frame.model)?.liveness {
        Liveness::Live => None,
        Liveness::Polled {
            every_millis,
            reason,
        } => {
            let pause = format!("polled every {} s", f64::from(*every_millis) / 1_000.0);
            Some((pause, format!("Not live: {reason}.")))
        }
    }
}

/// `100,000 rows`, or `12 of 100,000 rows` with a filter; nothing while it is unknown.
fn count(frame: &FrameView<'_>, table: &OpenTable) -> String {
    let Some(cache) = table.cache(frame.model) else {
        return String::new();
    };
    let all = table.unfiltered_total.filter(|_| table.is_narrowed());
    let Some(total) = cache.total() else {
        return all.map_or_else(String::new, |all| {
            format!("… of {} {}", thousands(all), rows(all))
        });
    };
    if !cache.total_is_exact() && polled(frame, table).is_some() {
        return format!("about {} rows", roughly(total));
    }
    if !cache.total_is_exact() {
        let progress = match cache.counted() {
            Some(counted) if counted > 0 => format!("{} counted", thousands(counted)),
            _ => "counting…".to_owned(),
        };
        return format!("about {} rows, {progress}", roughly(total));
    }
    match all {
        Some(all) => format!("{} of {} {}", thousands(total), thousands(all), rows(all)),
        None => format!("{} {}", thousands(total), rows(total)),
    }
}

/// Something that can be taken back by a click; returns whether it was.
fn chip(ui: &mut Ui, frame: &FrameView<'_>, text: &str) -> bool {
    let palette = frame.palette;
    let galley = ui
        .painter()
        .layout_no_wrap(text.to_owned(), theme::small_font(), palette.accent);
    let size = galley.size() + vec2(38.0, 10.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::click());
    let fill = if response.hovered() {
        palette.hover
    } else {
        palette.accent_soft
    };
    ui.painter().rect_filled(area, area.height() / 2.0, fill);
    let at = egui::pos2(area.left() + 12.0, area.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, palette.accent);
    icons::cross(
        ui.painter(),
        area.right_center() - vec2(14.0, 0.0),
        palette.accent,
    );
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, text));
    response.clicked()
}
