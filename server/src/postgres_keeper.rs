//! Looks after the private PostgreSQL while the server runs.

use private_postgres::{PrivatePostgres, StopMode};
use tokio_util::sync::CancellationToken;

use crate::limits::RECONNECT_BACKOFF;

/// Starts PostgreSQL again whenever it ends by itself (out of memory, a careless `kill`), and stops
/// it at `stop`.
pub async fn keep(mut postgres: PrivatePostgres, stop: CancellationToken) {
    let mut pause = RECONNECT_BACKOFF.0;
    while stop.run_until_cancelled(postgres.ended()).await.is_some() {
        tracing::warn!("the private PostgreSQL ended; starting it again");
        match postgres.restart().await {
            Ok(()) => pause = RECONNECT_BACKOFF.0,
            Err(error) => {
                tracing::error!(%error, "the private PostgreSQL did not start again");
                stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(RECONNECT_BACKOFF.1);
            }
        }
    }
    if let Err(error) = postgres.stop(StopMode::Fast).await {
        tracing::warn!(%error, "the private PostgreSQL did not stop");
    }
}
