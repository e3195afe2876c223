//! Rowcast's viewer: one eframe client, native and WASM, that draws a live grid of any table.
//!
//! [`net`] keeps a socket open, [`model`] is what the viewer knows, [`app`] carries out what the
//! person asks for, [`grid`], [`groups`] and [`panels`] draw, in the colours of [`theme`].

pub mod a11y;
pub mod app;
pub mod grid;
pub mod groups;
pub mod model;
pub mod net;
pub mod panels;
pub mod theme;
