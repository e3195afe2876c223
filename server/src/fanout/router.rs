//! Hands batches to the tables' tasks.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

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
    /// The tables whose changes are all told from that mark on.
    attended: BTreeSet<u32>,
    feeds: Vec<Feed>,
}

#[derive(Debug)]
struct Feed {
    table: u32,
    batches: mpsc::Sender<Arc<Batch>>,
    /// Who waits for the table to be attended; `None` once it is.
    begins: Option<oneshot::Sender<Mark>>,
}

/// A table's task's end of the router.
#[derive(Debug)]
pub struct Subscription {
    begins: oneshot::Receiver<Mark>,
    batches: mpsc::Receiver<Arc<Batch>>,
}

impl Subscription {
    /// Waits until the table is attended: the state that it begins at, and every batch from there on. `None` if the
    /// server stops.
    pub async fn begun(self) -> Option<(Mark, mpsc::Receiver<Arc<Batch>>)> {
        Some((self.begins.await.ok()?, self.batches))
    }
}

impl Router {
    /// What the last batch ended at; `None` before the first.
    pub fn mark(&self) -> Option<Mark> {
        self.state().mark.clone()
    }

    /// Every batch that follows the first state at which the table is attended. It is for as long as any subscription lives;
    /// the reader has to be woken for the first one.
    pub fn subscribe(&self, table: u32) -> Subscription {
        let (batches, received) = mpsc::channel(TABLE_FEED_QUEUE);
        let (begins, begun) = oneshot::channel();
        let mut state = self.state();
        let mut feed = Feed {
            table,
            batches,
            begins: Some(begins),
        };
        if state.attended.contains(&table)
            && let Some(mark) = state.mark.clone()
        {
            feed.begin(mark);
        }
        state.feeds.push(feed);
        Subscription {
            begins: begun,
            batches: received,
        }
    }

    /// The tables that this server's tasks subscribe to.
    pub fn wanted(&self) -> BTreeSet<u32> {
        self.state().wanted()
    }

    /// The tables to attend: those of this server's tasks, and `others`. From here on nobody relies on any further one being
    /// attended.
    pub fn attend_only(&self, others: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut state = self.state();
        let mut wanted = state.wanted();
        wanted.extend(others);
        state.attended.retain(|table| wanted.contains(table));
        wanted
    }

    /// The locks of all attended tables are gone.
    pub fn nothing_attended(&self) {
        self.state().attended.clear();
    }

    /// Whether this batch tells all that happened to the tables that are attended here.
    pub fn is_told_by(&self, batch: &Batch) -> bool {
        self.state().attended.is_subset(&batch.complete)
    }

    /// Hands on a batch that follows the last one. The tables that are `new` are attended from its end on.
    pub fn deliver(&self, batch: &Arc<Batch>, new: &[u32]) {
        let mut state = self.state();
        let is_news = !batch.is_empty() || state.mark.as_ref() != Some(&batch.next);
        state.mark = Some(batch.next.clone());
        if is_news {
            state.feeds.retain(Feed::is_open);
            for feed in &state.feeds {
                feed.hand(batch);
            }
        }
        state.attended.extend(new);
        for feed in &mut state.feeds {
            if new.contains(&feed.table) {
                feed.begin(batch.next.clone());
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wanted(&self) -> BTreeSet<u32> {
        let open = self.feeds.iter().filter(|feed| feed.is_open());
        open.map(|feed| feed.table).collect()
    }
}

impl Feed {
    fn is_open(&self) -> bool {
        !self.batches.is_closed()
    }

    fn begin(&mut self, mark: Mark) {
        if let Some(begins) = self.begins.take() {
            drop(begins.send(mark));
        }
    }

    fn hand(&self, batch: &Arc<Batch>) {
        if self.begins.is_none() {
            drop(self.batches.try_send(batch.clone()));
        }
    }
}
