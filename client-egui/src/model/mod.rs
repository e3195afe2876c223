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
mod facet;
mod filter_input;
mod group_key;
mod highlight;
mod index_build;
mod input;
mod latency;
mod link_event;
mod notices;
mod operands;
mod rebuild;
mod receive;
mod round_trip;
mod row;
mod stand;
mod state;
mod summaries;
mod summary;
mod viewport;
mod window;
mod window_cache;

pub use cell::CellView;
pub use connection_state::ConnectionState;
pub use display::{display_cell, display_value};
pub use edits::{Edit, EditId, EditPhase, EditRefused};
pub use facet::{
    FacetKind, ValueRange, bucket_bounds, facet_kind, filter_of_group, filter_of_range,
    filter_of_values, ordinal, range_in_filter, values_in_filter,
};
pub use filter_input::filter_from_input;
pub use group_key::{GroupTexts, group_key, group_texts};
pub use highlight::marked_parts;
pub use index_build::{IndexBuild, IndexBuildState};
pub use input::{InputError, NULL_INPUT, edit_text, parse_input};
pub use latency::LatencySummary;
pub use link_event::LinkEvent;
pub use notices::{Notice, NoticeId};
pub use rebuild::ChainError;
pub use row::{RowEntry, Slot};
pub use state::Model;
pub use summary::{GROUPS_SHOWN_MAX, GroupCounts, Summary, SummaryId, SummarySpec};
pub use window::{Window, WindowId};
pub use window_cache::{Applied, WindowCache};

/// Drives a model without a screen; here because tests look for it beside the model.
#[cfg(not(target_arch = "wasm32"))]
pub use crate::net::{Headless, HeadlessError};
