//! The connection that NOTIFY wakes.
//!
//! It runs no transaction (a listener inside one receives nothing and holds up everybody's queue) and is
//! tested by a statement of its own every few seconds, since a half-open connection is silent. What
//! was notified while it was down is lost, which does not matter: whoever is told `Connected` reads
//! the log.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Socket, tls::NoTlsStream};
use tokio_util::sync::CancellationToken;

use crate::db::log::describe;
use crate::limits::{LISTENER_HEARTBEAT, READER_TIMEOUT, RECONNECT_BACKOFF};

/// The channel that the change log's trigger notifies.
const CHANNEL: &str = "rowcast";

/// Listens until `stop`, reconnecting for as long as it takes; every notification and every new
/// connection calls `woken`.
pub async fn listen(config: Config, woken: Arc<Notify>, stop: CancellationToken) {
    let mut backoff = RECONNECT_BACKOFF.0;
    loop {
        let connected_at = Instant::now();
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listen_once(&config, &woken) => ended,
        };
        if let Err(error) = ended {
            let error = describe(&error);
            if backoff == RECONNECT_BACKOFF.0 {
                tracing::warn!(
                    error,
                    "not listening for changes; they are polled until it is back"
                );
            } else {
                tracing::debug!(error, "still not listening for changes");
            }
        }
        if connected_at.elapsed() > RECONNECT_BACKOFF.1 {
            backoff = RECONNECT_BACKOFF.0;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(backoff) => {}
        }
        backoff = (backoff * 2).min(RECONNECT_BACKOFF.1);
    }
}

async fn listen_once(config: &Config, woken: &Arc<Notify>) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let messages = tokio::spawn(forward(connection, woken.clone()));
    let ended = hold(&client, woken).await;
    messages.abort();
    ended
}

/// Listens and keeps testing; returns when the connection is gone.
async fn hold(client: &Client, woken: &Notify) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
    tracing::debug!("listening for changes");
    woken.notify_one();
    loop {
        sleep(LISTENER_HEARTBEAT).await;
        match timeout(READER_TIMEOUT, client.simple_query("SELECT 1")).await {
            Ok(answer) => drop(answer?),
            Err(_) => {
                tracing::warn!("the listening connection does not answer");
                return Ok(());
            }
        }
    }
}

/// Drives the connection; every notification wakes the reader.
async fn forward(mut connection: Connection<Socket, NoTlsStream>, woken: Arc<Notify>) {
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(_)) => woken.notify_one(),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the listening connection broke");
                break;
            }
        }
    }
    // Whatever was notified from here on is lost: look.
    woken.notify_one();
}
