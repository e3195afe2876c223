//! What is around the grid.

mod advice;
pub mod central;
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
pub mod top_bar;

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

/// A table's name as people say it: without the schema that goes without saying.
pub fn short_name(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}
