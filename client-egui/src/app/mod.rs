//! The viewer: takes in what arrives and carries out commands ([`Viewer::logic`]), then draws.

mod backend;
mod column_arrangement;
mod command;
mod export;
mod group_sort;
mod grouping;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod open_table;
mod search_field;
mod summary;
mod table_summaries;
mod view_address;
mod viewer;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use backend::Backend;
pub use column_arrangement::ColumnArrangement;
pub use command::{Command, Secret};
pub use export::{ExportFormat, export_name, export_path};
pub use group_sort::{GroupSort, GroupSortBy};
pub use grouping::{Grouping, OpenGroup};
pub use open_table::{Facet, OpenTable};
pub(crate) use search_field::SEARCH_CHARS_MAX;
pub use search_field::SearchField;
pub use summary::Summary;
pub use view_address::ViewAddress;
pub use viewer::Viewer;
