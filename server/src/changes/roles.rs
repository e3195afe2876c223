//! Who reads the log, and when: the leader for all servers, a follower only when the leader's batches
//! do not come.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use protocol::ResetReason;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use view_index::Snapshot;

use super::batch::{Batch, TableBatch};
use super::reader::{ReadError, Reader, Session, everything, in_time};
use super::wakefulness::{Silenced, close_gate, open_gate};
use crate::fanout::Relay;
use crate::limits::{
    AWAKE_LINGER, BACKSTOP_INTERVAL, FOLLOWER_PATIENCE, LEADER_SILENCE_MAX, LEADERLESS_POLL,
    READ_AT_ONCE, READ_INTERVAL, UNNOTIFIED_POLL,
};

/// The time from one read to the next, after one of so many images. Where very much changes, fewer and larger batches leave
/// more of the processor to those who change it.
fn interval(sides: usize) -> Duration {
    let more = u32::try_from(sides / READ_AT_ONCE).unwrap_or(u32::MAX);
    READ_INTERVAL
        .0
        .saturating_mul(more.saturating_add(1))
        .min(READ_INTERVAL.1)
}

impl Reader {
    /// Reads for this server and all that follow it, for as long as the connection lives.
    pub(super) async fn lead(&mut self, session: &mut Session) -> Result<Infallible, ReadError> {
        tracing::debug!("reading the change log for all servers");
        let mut last_change = Instant::now();
        let mut silenced = Silenced::default();
        let is_notified = in_time(session.log.is_notified()).await?;
        let mut alone = in_time(close_gate(session.log.client())).await?;
        if alone {
            in_time(open_gate(session.log.client())).await?;
        }
        loop {
            // Asleep: this reader's gate is open, so a writer that begins now notifies, unless another
            // reader holds the gate.
            let backstop = if alone && is_notified {
                BACKSTOP_INTERVAL
            } else {
                UNNOTIFIED_POLL
            };
            self.pause(silenced.pause().unwrap_or(backstop)).await;
            let changed = self.read(session, true).await?;
            silenced.looked(&self.snapshot());
            if changed.is_none() {
                continue;
            }
            let quiet = last_change.elapsed();
            last_change = Instant::now();
            if quiet > AWAKE_LINGER {
                continue;
            }
            // Changes come one upon the other: stay awake and spare the writers.
            alone = in_time(close_gate(session.log.client())).await?;
            while last_change.elapsed() < AWAKE_LINGER {
                let began = Instant::now();
                let changed = self.read(session, true).await?;
                if changed.is_some() {
                    last_change = Instant::now();
                }
                // A timer would be up to 1 ms late, even for no time at all.
                let interval = interval(changed.unwrap_or(0));
                if let Some(rest) = interval.checked_sub(began.elapsed()) {
                    self.pause(rest).await;
                }
            }
            if alone {
                in_time(open_gate(session.log.client())).await?;
            }
            if self.read(session, true).await?.is_some() {
                last_change = Instant::now();
            }
            silenced = Silenced::new(&self.snapshot());
        }
    }

    /// What has been read so far.
    fn snapshot(&self) -> Snapshot {
        self.router
            .mark()
            .map_or_else(everything, |mark| mark.snapshot)
    }

    /// Waits, at most so long, for something to read.
    async fn pause(&self, at_most: Duration) {
        tokio::select! {
            () = self.wake.notified.notified() => {}
            () = self.wake.requested.notified() => {}
            () = sleep(at_most) => {}
        }
    }

    /// Takes the leader's batches for as long as they come; reads itself whenever they do not.
    /// Returns when there may be no leader.
    pub(super) async fn follow(&mut self, session: &mut Session) -> Result<(), ReadError> {
        let began = Instant::now();
        let mut last_read = began;
        self.relay.iter().for_each(Relay::resign);
        loop {
            let Some(relay) = &mut self.relay else {
                return Ok(());
            };
            // What this server attends ends with the connection.
            if session.log.client().is_closed() {
                return Err(ReadError::Closed);
            }
            let is_silent = self.heard.elapsed() > LEADER_SILENCE_MAX;
            if is_silent && began.elapsed() > LEADER_SILENCE_MAX {
                return Ok(());
            }
            let patience = if is_silent {
                LEADERLESS_POLL
            } else {
                LEADER_SILENCE_MAX
            };
            let applied = tokio::select! {
                message = relay.receive() => {
                    self.heard = Instant::now();
                    message.is_some_and(|batch| self.take(&batch, session))
                }
                () = self.wake.notified.notified() => self.await_leader(session).await,
                () = self.wake.requested.notified() => false,
                () = sleep_until(last_read + patience) => false,
            };
            if !applied {
                self.read(session, false).await?;
                last_read = Instant::now();
            }
        }
    }

    /// After a notification: gives the leader's batch a moment to arrive.
    async fn await_leader(&mut self, session: &Session) -> bool {
        let deadline = Instant::now() + FOLLOWER_PATIENCE;
        let Some(relay) = &mut self.relay else {
            return false;
        };
        let Ok(Some(batch)) = timeout_at(deadline, relay.receive()).await else {
            return false;
        };
        self.heard = Instant::now();
        self.take(&batch, session) && !batch.is_empty()
    }

    /// Applies a leader's batch; `false` if it does not lead on from where this server is, or does not tell all
    /// that concerns it.
    fn take(&self, batch: &Arc<Batch>, session: &Session) -> bool {
        let Some(mark) = self.router.mark() else {
            return false;
        };
        if mark.epoch != batch.next.epoch || batch.reset.is_some() {
            return false;
        }
        if mark.snapshot.covers(&batch.next.snapshot) {
            return true;
        }
        // An empty one only says where the leader is: further than this server.
        let follows = !batch.is_empty() && mark.snapshot.covers(&batch.prev);
        let is_schema =
            |table: &TableBatch| matches!(table, TableBatch::Rebuild(ResetReason::SchemaChanged));
        let is_told = !session.log.client().is_closed()
            && self.router.is_told_by(batch)
            && session.attendance.untold(&batch.next.snapshot).is_empty();
        if follows && is_told && !batch.tables.values().any(is_schema) {
            self.router.deliver(batch, &[]);
            return true;
        }
        false
    }
}
