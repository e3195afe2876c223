//! The list of tables, at the left.

use egui::accesskit::Role;
use egui::{Align, Align2, Rect, RichText, ScrollArea, Sense, Ui, vec2};
use protocol::{Liveness, TableInfo};

use super::format::about;
use super::{FrameView, short_name};
use crate::app::{Command, OpenTable};
use crate::grid::paint_line;
use crate::panels::icons;
use crate::theme::{self, size};

const ITEM_HEIGHT: f32 = 34.0;

/// Draws the list.
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
    let Some(tables) = frame.model.tables() else {
        return;
    };
    if tables.is_empty() {
        ui.add_space(8.0);
        ui.horizontal_wrapped(|ui| {
            ui.add_space(18.0);
            ui.label(
                RichText::new("There is no table that the server may read.").color(palette.muted),
            );
        });
    }
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for table in tables {
            let is_open =
                open.is_some_and(|open| short_name(&open.name) == short_name(&table.name));
            if item(ui, frame, table, is_open) && !is_open {
                commands.push(Command::OpenTable(table.name.clone()));
            }
        }
    });
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
        (palette.backdrop, palette.text, theme::text_font())
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
