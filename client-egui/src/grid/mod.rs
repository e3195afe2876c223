//! The grid: one painted widget that shows a window of a table.
//!
//! [`show`] draws it from a [`GridView`] (what to show) and a [`GridState`] (where it is scrolled
//! to, what is selected and edited), and says what the person asked for as
//! [`Command`](crate::app::Command)s.

mod assistive;
mod bidi;
mod body;
mod cell;
mod column_drag;
pub(crate) mod column_menu;
mod columns;
mod conflict;
mod editor;
mod filter_row;
mod flash;
mod geometry;
mod header;
mod keyboard;
mod scroll;
mod scrollbar;
mod state;
mod text;
mod totals_row;
mod widget;

pub(crate) use header::paint_arrow as paint_sort_arrow;
pub use scroll::{ScrollExtent, ScrollPosition};
pub use state::{GridState, SelectedCell};
pub(crate) use text::paint_line;
pub(crate) use totals_row::short_name as aggregate_name;
pub use widget::{GridView, show};
