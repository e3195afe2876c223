//! What is on the screen, for programs.

use serde::Serialize;

use super::{Backend, Viewer};
use crate::model::{ConnectionState, Slot, WindowCache};

/// What is on the screen, for programs: the page offers it to scripts and tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// `connecting`, `live`, `catching_up`, `reconnecting`, `stale` or `incompatible`.
    pub connection: &'static str,
    /// The table's name.
    pub table: Option<String>,
    /// How it can be shown again; see [`ViewAddress`](super::ViewAddress).
    pub address: String,
    /// The position of the topmost visible row, from 0.
    pub start: u64,
    /// The number of visible rows.
    pub rows_shown: u64,
    /// Those of them that are loaded.
    pub rows_loaded: u64,
    /// The number of rows in the view; `None` until known.
    pub total: Option<u64>,
    /// The database version that the rows belong to; `None` until known.
    pub version: Option<String>,
}

impl Summary {
    /// What is on the screen now.
    pub fn of<B: Backend>(viewer: &Viewer<B>) -> Self {
        let model = viewer.backend().model();
        let mut summary = Self {
            connection: connection_name(model.connection()),
            address: viewer.address().to_string(),
            ..Self::default()
        };
        let Some(table) = viewer.table() else {
            return summary;
        };
        summary.table = Some(table.name.clone());
        let rows = table.grid.visible_rows();
        summary.start = rows.start;
        summary.rows_shown = rows.end.saturating_sub(rows.start);
        let Some(cache) = table.cache(model) else {
            return summary;
        };
        let is_loaded = |row: &u64| matches!(cache.row(*row), Slot::Loaded(_));
        summary.rows_loaded = rows.filter(is_loaded).count() as u64;
        summary.total = WindowCache::total(cache);
        summary.version = cache.version().map(|version| version.0.clone());
        summary
    }
}

fn connection_name(connection: &ConnectionState) -> &'static str {
    match connection {
        ConnectionState::Connecting => "connecting",
        ConnectionState::Live => "live",
        ConnectionState::CatchingUp => "catching_up",
        ConnectionState::Reconnecting { .. } => "reconnecting",
        ConnectionState::Stale { .. } => "stale",
        ConnectionState::Incompatible { .. } => "incompatible",
    }
}
