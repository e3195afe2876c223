//! The viewer: takes in what arrives and carries out commands ([`Viewer::logic`]), then draws.

mod backend;
mod command;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod open_table;
mod summary;
mod view_address;
mod viewer;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use backend::Backend;
pub use command::Command;
pub use open_table::OpenTable;
pub use summary::Summary;
pub use view_address::ViewAddress;
pub use viewer::Viewer;
