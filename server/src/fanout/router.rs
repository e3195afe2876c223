//! Hands batches to the tables' tasks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::changes::{Batch, Mark};
use crate::limits::TABLE_FEED_QUEUE;

/// Hands every batch to every table's task. Never waits: a task that does not keep up misses batches,
/// which it notices by [`Router::mark`] and by the next batch not following its own state.
#[derive(Debug, Default)]
pub struct Router {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the last batch ended at; `None` before the first.
    mark: Option<Mark>,
    tables: Vec<mpsc::Sender<Arc<Batch>>>,
}

impl Router {
    /// What the last batch ended at; `None` before the first.
    pub fn mark(&self) -> Option<Mark> {
        self.state().mark.clone()
    }

    /// Every batch from now on, and the state before the first of them.
    pub fn subscribe(&self) -> (Option<Mark>, mpsc::Receiver<Arc<Batch>>) {
        let (sender, receiver) = mpsc::channel(TABLE_FEED_QUEUE);
        let mut state = self.state();
        state.tables.push(sender);
        (state.mark.clone(), receiver)
    }

    /// Hands on a batch that follows the last one.
    pub fn deliver(&self, batch: &Arc<Batch>) {
        let mut state = self.state();
        let is_news = !batch.is_empty() || state.mark.as_ref() != Some(&batch.next);
        state.mark = Some(batch.next.clone());
        if is_news {
            state.tables.retain(|table| {
                !matches!(
                    table.try_send(batch.clone()),
                    Err(mpsc::error::TrySendError::Closed(_))
                )
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
