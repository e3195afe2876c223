//! The bar above the grid: which table, how many rows, which theme.

use egui::{Align, Button, Layout, Rect, RichText, Sense, ThemePreference, Ui, UiBuilder, vec2};
use protocol::Liveness;

use super::format::{roughly, rows, thousands};
use super::{FrameView, advice, columns_menu, export_menu, icons, search_box, short_name};
use crate::app::{Command, OpenTable};
use crate::model::WindowCache;
use crate::theme::{self, PANEL_PADDING, size};

/// Draws the bar.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: Option<&mut OpenTable>,
    admin_token: &mut String,
    commands: &mut Vec<Command>,
) {
    let area = ui.max_rect().shrink2(PANEL_PADDING);
    let layout = Layout::right_to_left(Align::Center);
    let builder = UiBuilder::new().max_rect(area).layout(layout);
    let mut right = ui.new_child(builder);
    theme_switch(&mut right, frame, commands);
    let Some(table) = table else { return };
    right.add_space(4.0);
    export_menu::show(&mut right, frame, table, commands);
    right.add_space(4.0);
    columns_menu::show(&mut right, frame, table, commands);
    // Always there, so that nothing beside it moves when rows are being fetched.
    let total = table.cache(frame.model).and_then(WindowCache::total);
    let can_go = total.is_some_and(|total| total > 0) && table.grouping.is_none();
    right.add_space(4.0);
    let go_to = Button::new(RichText::new("Go to row").color(frame.palette.muted));
    let go_to = right.add_enabled(can_go, go_to);
    if go_to.on_hover_text("Ctrl+G").clicked() {
        commands.push(Command::ShowGoTo(true));
    }
    right.add_space(4.0);
    let width = (area.width() * 0.26).clamp(120.0, 260.0);
    search_box::show(&mut right, frame, table, width, commands);
    let left = area.with_max_x(right.min_rect().left() - 12.0);
    let layout = Layout::left_to_right(Align::Center);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(left).layout(layout));
    ui.set_clip_rect(left.expand(4.0));
    ui.label(
        RichText::new(short_name(&table.name))
            .font(theme::strong_font(size::TITLE))
            .color(frame.palette.text),
    );
    ui.add_space(4.0);
    ui.label(RichText::new(count(frame, table)).color(frame.palette.muted));
    if let Some((pause, reason)) = polled(frame, table) {
        ui.label(RichText::new(pause).color(frame.palette.faint))
            .on_hover_text(reason);
    }
    advice::show(&mut ui, frame, table, admin_token, commands);
    if !table.filters.is_empty() {
        let text = if table.filters.len() == 1 {
            "Clear filter"
        } else {
            "Clear filters"
        };
        ui.add_space(4.0);
        if chip(&mut ui, frame, text) {
            commands.push(Command::ClearFilters);
        }
    }
    if let Some(grouping) = &table.grouping {
        ui.add_space(4.0);
        if chip(&mut ui, frame, &format!("By {}", grouping.by.join(", "))) {
            commands.push(Command::GroupBy(Vec::new()));
        }
    }
}

/// `every 2 s`, and why, if the table is looked at again and again rather than followed.
fn polled(frame: &FrameView<'_>, table: &OpenTable) -> Option<(String, String)> {
    match &table.schema(frame.model)?.liveness {
        Liveness::Live => None,
        Liveness::Polled {
            every_millis,
            reason,
        } => {
            let pause = format!("every {} s", f64::from(*every_millis) / 1_000.0);
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

/// System, light, dark: a switch of three.
fn theme_switch(ui: &mut Ui, frame: &FrameView<'_>, commands: &mut Vec<Command>) {
    let palette = frame.palette;
    let (area, _) = ui.allocate_exact_size(vec2(96.0, 30.0), Sense::hover());
    let border = egui::Stroke::new(1.0, palette.border);
    ui.painter().rect(
        area,
        8.0,
        palette.backdrop,
        border,
        egui::StrokeKind::Inside,
    );
    let chosen = ui.ctx().options(|options| options.theme_preference);
    let choices = [
        (ThemePreference::System, "System theme"),
        (ThemePreference::Light, "Light theme"),
        (ThemePreference::Dark, "Dark theme"),
    ];
    for (index, (preference, name)) in choices.into_iter().enumerate() {
        let at = area.min + vec2(index as f32 * 32.0, 0.0);
        let part = Rect::from_min_size(at, vec2(32.0, 30.0)).shrink(3.0);
        let id = ui.scope_id().with(name);
        let response = ui.interact(part, id, Sense::click());
        let is_chosen = preference == chosen;
        let background = if is_chosen {
            palette.surface
        } else {
            palette.backdrop
        };
        if is_chosen {
            ui.painter()
                .rect(part, 6.0, background, border, egui::StrokeKind::Inside);
        }
        let active = is_chosen || response.hovered();
        let color = if active { palette.text } else { palette.faint };
        match preference {
            ThemePreference::System => icons::screen(ui.painter(), part.center(), color),
            ThemePreference::Light => icons::sun(ui.painter(), part.center(), color),
            ThemePreference::Dark => icons::moon(ui.painter(), part.center(), color, background),
        }
        response.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::RadioButton, true, is_chosen, name)
        });
        if response.clicked() {
            commands.push(Command::SetTheme(preference));
        }
        response.on_hover_text(name);
    }
}
