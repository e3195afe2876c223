//! What is around the grid.

mod advice;
pub mod central;
mod check_box;
mod columns_menu;
mod export_menu;
pub mod facet;
pub mod format;
pub mod go_to;
mod histogram;
pub mod icons;
pub mod search_box;
pub mod status_bar;
pub mod table_list;
mod theme_switch;
pub mod top_bar;

use egui::{Align, Ui, vec2};
use web_time::Instant;

pub(crate) use facet::rows_in;
pub use go_to::GoToRow;

use crate::model::Model;
use crate::theme::Palette;

/// What every panel needs to know in a frame.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Everything known.
    pub model: &'a Model,
    /// Where the server is.
    pub url: &'a str,
    /// The time of this frame.
    pub now: Instant,
    /// The colours.
    pub palette: &'a Palette,
}

/// What the entries beneath it in a menu are.
pub(crate) fn menu_title(ui: &mut Ui, palette: &Palette, text: &str) {
    let (area, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), 24.0), egui::Sense::hover());
    let area = area.shrink2(vec2(ui.spacing().button_padding.x, 0.0));
    let font = crate::theme::small_font();
    crate::grid::paint_line(ui.painter(), area, text, font, palette.muted, Align::Min);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, text));
}

/// A table's name as people say it: without the schema that goes without saying.
pub fn short_name(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}
