//! The memory that all views' divisions may take together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::WeakSender;
use tokio::time::Instant;

use super::table::Command;
use super::view::ViewId;
use crate::limits::LISTED_SHARE;

/// The memory that all views' divisions take. Above the limit the view whose rows were last asked for the
/// longest ago forgets its division; it is made again on demand.
#[derive(Debug)]
pub struct Budget {
    /// In bytes, for all views.
    limit: usize,
    divisions: Mutex<HashMap<(u32, ViewId), Division>>,
}

#[derive(Debug)]
struct Division {
    bytes: usize,
    used: Instant,
    /// Where its table takes commands.
    table: WeakSender<Command>,
}

impl Budget {
    /// So many bytes for all views.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            divisions: Mutex::default(),
        }
    }

    /// What one view that no index serves may remember, in bytes.
    pub fn listed_max(&self) -> u64 {
        self.limit as u64 / LISTED_SHARE
    }

    /// A view (of a table, by its oid) takes so many bytes; others may have to give way.
    pub fn record(&self, view: (u32, ViewId), bytes: usize, table: &WeakSender<Command>) {
        let mut divisions = self.lock();
        let division = Division {
            bytes,
            used: Instant::now(),
            table: table.clone(),
        };
        divisions.insert(view, division);
        let mut total: usize = divisions.values().map(|division| division.bytes).sum();
        while total > self.limit {
            let others = divisions.iter().filter(|(id, _)| **id != view);
            let Some(oldest) = others
                .min_by_key(|(_, division)| division.used)
                .map(|(id, _)| *id)
            else {
                return;
            };
            if let Some(division) = divisions.remove(&oldest) {
                total -= division.bytes;
                if let Some(table) = division.table.upgrade() {
                    // A table too busy to take it is asked again when the next view grows.
                    let _ = table.try_send(Command::Shed(oldest.1));
                }
            }
        }
    }

    /// Somebody asked for rows of a view.
    pub fn used(&self, view: (u32, ViewId)) {
        if let Some(division) = self.lock().get_mut(&view) {
            division.used = Instant::now();
        }
    }

    /// A view is gone.
    pub fn forget(&self, view: (u32, ViewId)) {
        self.lock().remove(&view);
    }

    /// Bytes of all divisions.
    pub fn bytes(&self) -> usize {
        self.lock().values().map(|division| division.bytes).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(u32, ViewId), Division>> {
        self.divisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
