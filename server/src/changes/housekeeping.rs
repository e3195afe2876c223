//! What must happen now and then: old changes are deleted, new partitions get their triggers.

use std::collections::VecDeque;

use sqlx::postgres::PgPool;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::db::log::{current_snapshot, prune, reconcile};
use crate::limits::{HOUSEKEEPING_INTERVAL, LOG_RETENTION};

/// Keeps house until `stop`. Every server does; the statements do nothing where another was first.
pub async fn keep_house(pool: PgPool, stop: CancellationToken) {
    let mut taken: VecDeque<(Instant, String)> = VecDeque::new();
    let mut ticks = interval(HOUSEKEEPING_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = tidy(&pool, &mut taken).await {
            tracing::debug!(%error, "housekeeping failed; trying again later");
        }
    }
}

async fn tidy(pool: &PgPool, taken: &mut VecDeque<(Instant, String)>) -> Result<(), sqlx::Error> {
    taken.push_back((Instant::now(), current_snapshot(pool).await?));
    let mut keep = None;
    while taken
        .front()
        .is_some_and(|(at, _)| at.elapsed() > LOG_RETENTION)
    {
        keep = taken.pop_front().map(|(_, snapshot)| snapshot);
    }
    if let Some(keep) = keep {
        prune(pool, &keep).await?;
    }
    reconcile(pool).await
}
