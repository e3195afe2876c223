//! The menu that saves all rows of a view as a file.

use egui::{Button, Popup, RichText, Ui};

use super::format::thousands;
use super::{FrameView, menu_title};
use crate::app::{Command, ExportFormat, OpenTable};
use crate::model::WindowCache;
use crate::theme;

/// Draws the button, and the menu while it is open.
pub(super) fn show(
    ui: &mut Ui,
    frame: &FrameView<'_>,
    table: &OpenTable,
    commands: &mut Vec<Command>,
) {
    let palette = frame.palette;
    let cache = table.cache(frame.model);
    let is_open = cache.is_some_and(|cache| cache.version().is_some());
    let button = Button::new(RichText::new("Export").color(palette.muted));
    let button = ui.add_enabled(is_open, button);
    let total = cache.filter(|cache| cache.total_is_exact());
    let total = total.and_then(WindowCache::total);
    Popup::menu(&button)
        .style(theme::menu_style)
        .gap(6.0)
        .show(|ui| {
            ui.set_width(192.0);
            let rows = match total {
                Some(1) => "One row as".to_owned(),
                Some(total) => format!("All {} rows as", thousands(total)),
                None => "All rows as".to_owned(),
            };
            menu_title(ui, frame.palette, &rows);
            for format in ExportFormat::ALL {
                let has_room = match (format.rows_max(), total) {
                    (Some(max), Some(total)) => total <= max,
                    _ => true,
                };
                let entry = ui.add_enabled(has_room, Button::new(format.name()));
                if entry.clicked() {
                    commands.push(Command::Export(format));
                }
                if let Some(max) = format.rows_max() {
                    let text = format!("A worksheet holds {} rows", thousands(max));
                    entry.on_disabled_hover_text(text);
                }
            }
        });
    button.on_hover_text("Save what the filter leaves, in this order, as a file");
}
