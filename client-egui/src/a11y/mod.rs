//! Accessibility of what is painted: nodes for the grid's rows and cells, which are no widgets, and
//! on the web a copy of the whole tree in the page (eframe does not make one there).

#[cfg(target_arch = "wasm32")]
mod dom_mirror;
mod painted_nodes;

#[cfg(target_arch = "wasm32")]
pub use dom_mirror::DomMirror;
pub use painted_nodes::{NodeParent, PaintedNodes};
