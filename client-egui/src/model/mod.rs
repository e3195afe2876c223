//! What the viewer knows: a state machine that is fed link events and the time, and that emits
//! messages to send. It does no IO, reads no clock and knows nothing of sockets or of drawing.
//!
//! Start at [`Model`]. A [`Window`] is one open range of a view, its rows are in a [`WindowCache`].

mod anchor;
mod calendar;
mod cell;
mod connection_state;
mod display;
mod edit_book;
mod edits;
mod filter_input;
mod input;
mod latency;
mod link_event;
mod notices;
mod rebuild;
mod receive;
mod round_trip;
mod row;
mod state;
mod viewport;
mod window;
mod window_cache;

pub use cell::CellView;
pub use connection_state::ConnectionState;
pub use display::display_cell;
pub use edits::{Edit, EditId, EditPhase, EditRefused};
pub use filter_input::filter_from_input;
pub use input::{InputError, NULL_INPUT, edit_text, parse_input};
pub use latency::LatencySummary;
pub use link_event::LinkEvent;
pub use notices::{Notice, NoticeId};
pub use rebuild::ChainError;
pub use row::{RowEntry, Slot};
pub use state::Model;
pub use window::{Window, WindowId};
pub use window_cache::{Applied, WindowCache};

/// Drives a model without a screen; here because tests look for it beside the model.
#[cfg(not(target_arch = "wasm32"))]
pub use crate::net::{Headless, HeadlessError};
