//! All sockets with their windows.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{Client, Shown, Traffic, with_shown};
use super::ledger::Ledger;
use super::scenario::{Values, WindowPlan};

/// Windows on one socket.
const WINDOWS_PER_SOCKET: usize = 10;

/// How long all windows may take to show their rows.
const READY_MAX: Duration = Duration::from_secs(60);

/// All sockets with their windows. Dropping it closes them.
pub(super) struct Audience {
    tasks: JoinSet<anyhow::Result<()>>,
    /// What each window shows.
    pub(super) shown: Arc<Vec<Shown>>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) ledger: Arc<Ledger>,
}

impl Audience {
    /// Opens so many random windows and waits until each shows its rows.
    pub(super) async fn gather(
        socket_url: &str,
        values: &Values,
        windows: usize,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let plans: Vec<(WindowPlan, Shown)> = (0..windows)
            .map(|_| Ok((values.window(&mut random)?, Shown::default())))
            .collect::<anyhow::Result<_>>()?;
        let shown = plans.iter().map(|(_, shown)| shown.clone()).collect();
        let (ready, mut is_ready) = mpsc::channel(windows.max(1));
        let mut audience = Self {
            tasks: JoinSet::new(),
            shown: Arc::new(shown),
            traffic: Arc::default(),
            ledger: Arc::default(),
        };
        for plans in plans.chunks(WINDOWS_PER_SOCKET) {
            let (ledger, traffic) = (audience.ledger.clone(), audience.traffic.clone());
            let client =
                Client::connect(socket_url, plans.to_vec(), ledger, traffic, ready.clone()).await?;
            audience.tasks.spawn(client.run());
        }
        let waiting = async {
            for _ in 0..windows {
                tokio::select! {
                    _ = is_ready.recv() => {}
                    Some(ended) = audience.tasks.join_next() => ended??,
                }
            }
            anyhow::Ok(())
        };
        timeout(READY_MAX, waiting)
            .await
            .context("not every window shows its rows")??;
        Ok(audience)
    }

    /// Fails if a socket has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?.and(Err(anyhow::anyhow!("a socket ended"))),
        }
    }

    /// Rows shown that are older than the last change to them.
    pub(super) fn stale_rows(&self) -> usize {
        let is_stale = |&&(row, number): &&(i64, i64)| self.ledger.is_stale(row, number);
        let of_window =
            |shown: &Shown| with_shown(shown, |rows| rows.iter().filter(is_stale).count());
        self.shown.iter().map(of_window).sum()
    }
}
