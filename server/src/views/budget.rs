//! The memory that all views' divisions may take together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::mpsc::WeakSender;
use tokio::time::{Instant, timeout_at};

use super::table::Command;
use super::view::ViewId;
use crate::limits::{LISTED_SHARE, MEMORY_PATIENCE};

/// The memory that all views' divisions take. Above the limit the view whose rows were last asked for the
/// longest ago forgets its division; it is made again on demand.
#[derive(Debug)]
pub struct Budget {
    /// In bytes, for all views.
    limit: usize,
    shares: Mutex<Shares>,
    /// Some memory was given back.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Shares {
    taken: HashMap<u64, Taken>,
    /// Counts the shares, and every use of one.
    clock: u64,
    /// Counts the divisions that were forgotten to make room.
    forgotten: u64,
}

/// What one share takes.
#[derive(Debug)]
struct Taken {
    bytes: usize,
    /// When somebody last asked for rows of it, by [`Shares::clock`].
    used: u64,
    /// Who forgets the division if memory is short; `None` where there is nothing to forget (any more).
    owner: Option<(ViewId, WeakSender<Command>)>,
    /// Its owner has been asked to, and has not done so yet.
    is_asked: bool,
}

/// What one view's division takes, or is about to; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    number: u64,
}

impl Budget {
    /// So many bytes for all views.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            shares: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Bytes for all views.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What one view that no index serves may remember, in bytes.
    pub fn listed_max(&self) -> u64 {
        self.limit as u64 / LISTED_SHARE
    }

    /// Bytes of all divisions, also of those that are about to be forgotten or made.
    pub fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// Divisions, also those that are about to be forgotten or made.
    pub fn divisions(&self) -> usize {
        self.lock().taken.len()
    }

    /// Divisions forgotten so far to make room for others.
    pub fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Takes a share for what is about to be remembered, once others have made room for it; without room if they do
    /// not in time.
    pub async fn reserve(self: &Arc<Self>, bytes: usize) -> Share {
        let deadline = Instant::now() + MEMORY_PATIENCE;
        loop {
            let freed = self.freed.notified();
            let is_late = Instant::now() >= deadline;
            if let Some(share) = self.try_reserve(bytes, is_late) {
                return share;
            }
            // Past the deadline it is taken all the same.
            drop(timeout_at(deadline, freed).await);
        }
    }

    fn try_reserve(self: &Arc<Self>, bytes: usize, is_late: bool) -> Option<Share> {
        let mut shares = self.lock();
        if is_late || shares.bytes().saturating_add(bytes) <= self.limit {
            return Some(self.share(&mut shares, bytes));
        }
        shares.make_room(self.limit.saturating_sub(bytes), None);
        None
    }

    /// Has divisions forgotten if they have grown beyond the limit.
    pub fn settle(&self) {
        self.lock().make_room(self.limit, None);
    }

    /// Takes a share, with nothing in it yet.
    pub fn take(self: &Arc<Self>) -> Share {
        self.share(&mut self.lock(), 0)
    }

    fn share(self: &Arc<Self>, shares: &mut Shares, bytes: usize) -> Share {
        let number = shares.tick();
        let taken = Taken {
            bytes,
            used: number,
            owner: None,
            is_asked: false,
        };
        shares.taken.insert(number, taken);
        Share {
            budget: self.clone(),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn bytes(&self) -> usize {
        self.taken.values().map(|taken| taken.bytes).sum()
    }

    /// Asks others than one to forget their divisions, those unused for longest first, until what is left is
    /// within the limit.
    fn make_room(&mut self, limit: usize, except: Option<u64>) {
        let stays = self.taken.values().filter(|taken| !taken.is_asked);
        let mut total: usize = stays.map(|taken| taken.bytes).sum();
        let mut others: Vec<(u64, u64)> = self
            .taken
            .iter()
            .filter(|(number, taken)| {
                taken.owner.is_some() && !taken.is_asked && Some(**number) != except
            })
            .map(|(number, taken)| (taken.used, *number))
            .collect();
        others.sort_unstable();
        for (_, number) in others {
            if total <= limit {
                return;
            }
            let Some(taken) = self.taken.get_mut(&number) else {
                continue;
            };
            let Some((view, table)) = &taken.owner else {
                continue;
            };
            // A table too busy to take it is asked again when the next view grows; one that is gone takes its
            // share with it.
            let table = table.upgrade();
            if table.is_some_and(|table| table.try_send(Command::Shed(*view)).is_ok()) {
                taken.is_asked = true;
                total -= taken.bytes;
            }
        }
    }
}

impl Share {
    /// The division takes so many bytes; others may have to give way. Its view (of the table that takes these
    /// commands) is asked to forget it when it is its turn.
    pub fn divided(&self, bytes: usize, view: ViewId, table: &WeakSender<Command>) {
        let mut shares = self.budget.lock();
        if let Some(taken) = shares.taken.get_mut(&self.number) {
            taken.bytes = bytes;
            taken.owner = Some((view, table.clone()));
            taken.is_asked = false;
        }
        shares.make_room(self.budget.limit, Some(self.number));
        drop(shares);
        // It may take less than was thought.
        self.budget.freed.notify_waiters();
    }

    /// The division has grown or shrunk; [`Budget::settle`] has others give way, if it has to be.
    pub fn measured(&self, bytes: usize) {
        if let Some(taken) = self.budget.lock().taken.get_mut(&self.number) {
            taken.bytes = bytes;
        }
    }

    /// The division is forgotten; what is left of it takes so many bytes.
    pub fn forgotten(&self, bytes: usize) {
        let mut shares = self.budget.lock();
        shares.forgotten += 1;
        if let Some(taken) = shares.taken.get_mut(&self.number) {
            taken.bytes = bytes;
            taken.owner = None;
            taken.is_asked = false;
        }
        drop(shares);
        self.budget.freed.notify_waiters();
    }

    /// Somebody asked for rows of the view.
    pub fn used(&self) {
        let mut shares = self.budget.lock();
        let now = shares.tick();
        if let Some(taken) = shares.taken.get_mut(&self.number) {
            taken.used = now;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.lock().taken.remove(&self.number);
        self.budget.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shed(commands: &mut tokio::sync::mpsc::Receiver<Command>) -> Vec<ViewId> {
        let mut views = Vec::new();
        while let Ok(Command::Shed(view)) = commands.try_recv() {
            views.push(view);
        }
        views
    }

    #[tokio::test]
    async fn the_one_unused_for_longest_gives_way() {
        let budget = Arc::new(Budget::new(100));
        let (table, mut commands) = tokio::sync::mpsc::channel(8);
        let mut shares = Vec::new();
        for view in 0..3 {
            let share = budget.reserve(30).await;
            share.divided(30, view, &table.downgrade());
            shares.push(share);
        }
        shares[0].used();
        assert!(shed(&mut commands).is_empty());
        // Who asks for more waits until there is room.
        let reserving = tokio::spawn({
            let budget = budget.clone();
            async move { budget.reserve(30).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(shed(&mut commands), [1]);
        assert!(!reserving.is_finished() && budget.bytes() == 90);
        shares[1].forgotten(1);
        let fourth = reserving.await.unwrap();
        assert_eq!((budget.bytes(), budget.divisions()), (91, 4));
        // What was forgotten has nothing more to forget.
        fourth.divided(40, 3, &table.downgrade());
        assert_eq!(shed(&mut commands), [2]);
        shares.clear();
        assert_eq!((budget.bytes(), budget.divisions()), (40, 1));
    }

    #[tokio::test]
    async fn a_busy_table_is_asked_again() {
        let budget = Arc::new(Budget::new(100));
        let (table, mut commands) = tokio::sync::mpsc::channel(1);
        table.try_send(Command::Readvise).unwrap();
        let first = budget.reserve(80).await;
        first.divided(80, 7, &table.downgrade());
        let second = budget.reserve(80).await;
        assert_eq!(budget.bytes(), 160, "it is still held, so it counts");
        assert!(matches!(commands.try_recv(), Ok(Command::Readvise)));
        second.divided(80, 8, &table.downgrade());
        assert_eq!(shed(&mut commands), [7]);
    }
}
