//! The list of tables, at the left or in a menu.

use egui::accesskit::Role;
use egui::{
    Align, Align2, Color32, Layout, Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2,
};
use protocol::{Liveness, TableInfo};

use super::format::about;
use super::{FrameView, short_name, theme_switch};
use crate::app::{Command, OpenTable};
use crate::grid::paint_line;
use crate::panels::icons;
use crate::theme::{self, size};

const ITEM_HEIGHT: f32 = 34.0;

/// Room for the theme switch beneath the list, in points.
const SWITCH: f32 = 52.0;

/// The longest the list becomes in a menu, in points.
const MENU_HEIGHT_MAX: f32 = 420.0;

/// How many tables are hinted at while their names are not here yet.
const PLACEHOLDERS: usize = 4;

/// Draws it at the left, beneath the program's name.
pub fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    open: Option<&OpenTable>,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let (brand, _) =
        ui.allocate_exact_size(vec2(ui.available_width(), size::TOP_BAR), Sense::hover());
    icons::logo(ui.painter(), brand.left_center() + vec2(28.0, 0.0), palette);
    ui.painter().text(
        brand.left_center() + vec2(46.0, 0.0),
        Align2::LEFT_CENTER,
        "Rowcast",
        theme::strong_font(16.0),
        palette.text,
    );
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        ui.add_space(18.0);
        ui.label(
            RichText::new("TABLES")
                .font(theme::strong_font(10.5))
                .color(palette.faint),
        );
    });
    let bottom = ui.max_rect().bottom();
    let switch_top = bottom - SWITCH;
    let area = ui.available_rect_before_wrap().with_max_y(switch_top);
    let mut tables = ui.new_child(UiBuilder::new().max_rect(area));
    list(&mut tables, frame, open, commands);
    let switch = Rect::from_min_max(
        pos2(area.left() + 16.0, switch_top),
        pos2(area.right(), bottom),
    );
    let layout = Layout::left_to_right(Align::Center);
    let mut switch = ui.new_child(UiBuilder::new().max_rect(switch).layout(layout));
    theme_switch::show(&mut switch, frame, commands);
}

/// Draws the list as a menu.
pub(super) fn menu(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    open: Option<&OpenTable>,
    commands: &mut Vec<Command>,
) {
    ui.set_width(size::SIDE_BAR);
    ScrollArea::vertical()
        .max_height(MENU_HEIGHT_MAX)
        .show(ui, |ui| items(ui, frame, open, commands));
    ui.separator();
    theme_switch::show(ui, frame, commands);
}

/// The tables, or why there are none.
fn list(ui: &mut Ui, frame: &FrameView<'_>, open: Option<&OpenTable>, commands: &mut Vec<Command>) {
    ScrollArea::vertical()
        .auto_shrink(false)
        .show(ui, |ui| items(ui, frame, open, commands));
}

fn items(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    open: Option<&OpenTable>,
    commands: &mut Vec<Command>,
) {
    ui.spacing_mut().item_spacing.y = 2.0;
    let Some(tables) = frame.model.tables() else {
        return (0..PLACEHOLDERS).for_each(|nth| placeholder(ui, frame, nth));
    };
    if tables.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.add_space(18.0);
            ui.label(
                RichText::new("There is no table that the server may read.")
                    .color(frame.palette.muted),
            );
        });
    }
    for table in tables {
        let is_open = open.is_some_and(|open| short_name(&open.name) == short_name(&table.name));
        if item(ui, frame, table, is_open) && !is_open {
            commands.push(Command::OpenTable(table.name.clone()));
        }
    }
}

/// A table whose name is not here yet.
fn placeholder(ui: &mut Ui, frame: &FrameView<'_>, nth: usize) {
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), ITEM_HEIGHT), Sense::hover());
    let width = 64.0 + 22.0 * (nth % 3) as f32;
    let left = area.left_center() + vec2(20.0, -4.0);
    let bar = Rect::from_min_size(left, vec2(width, 8.0));
    ui.painter().rect_filled(bar, 4.0, frame.palette.skeleton);
}

/// Draws one table; returns whether it was clicked.
fn item(ui: &mut Ui, frame: &FrameView<'_>, table: &TableInfo, is_open: bool) -> bool {
    let palette = frame.palette;
    let name = short_name(&table.name);
    let (area, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), ITEM_HEIGHT), Sense::click());
    let inner = area.shrink2(vec2(10.0, 1.0));
    let (fill, color, font) = if is_open {
        (
            palette.accent_soft,
            palette.accent,
            theme::strong_font(size::TEXT),
        )
    } else if response.hovered() || response.has_focus() {
        (palette.hover, palette.text, theme::text_font())
    } else {
        (Color32::TRANSPARENT, palette.text, theme::text_font())
    };
    ui.painter().rect_filled(inner, 6.0, fill);
    let icon = inner.left_center() + vec2(16.0, 0.0);
    icons::table(
        ui.painter(),
        icon,
        if is_open {
            palette.accent
        } else {
            palette.faint
        },
    );
    let text = Rect::from_min_max(inner.min + vec2(32.0, 0.0), inner.max - vec2(10.0, 0.0));
    let count = table.estimated_rows.map(about).unwrap_or_default();
    let name_area = text.with_max_x(text.right() - 44.0);
    paint_line(ui.painter(), name_area, name, font, color, Align::Min);
    paint_line(
        ui.painter(),
        text,
        &count,
        theme::small_font(),
        palette.faint,
        Align::Max,
    );
    response.widget_info(|| egui::WidgetInfo::selected(Role::Button, true, is_open, name));
    let clicked = response.clicked();
    let mut hint = match (&table.comment, table.estimated_rows) {
        (Some(comment), _) => comment.clone(),
        (None, Some(_)) => table.name.clone(),
        (None, None) => format!("{} (not analysed yet)", table.name),
    };
    if let Liveness::Polled { reason, .. } = &table.liveness {
        hint += &format!("\nNot live: {reason}.");
    }
    response.on_hover_text(hint);
    clicked
}
