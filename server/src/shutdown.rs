//! Stopping in order: no new requests, then the sockets, the engine, the pool, and PostgreSQL last.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A part of the server that is told to stop and then waited for.
#[derive(Clone, Debug)]
pub struct Stage {
    name: &'static str,
    /// Cancelled to stop it.
    pub stop: CancellationToken,
    /// Its tasks.
    pub tasks: TaskTracker,
}

impl Stage {
    /// A running part; the name is for the log.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Stops it; what has not ended by then is left to end with the process.
    pub async fn end(&self, at_most: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(at_most, self.tasks.wait())
            .await
            .is_err()
        {
            let (part, left) = (self.name, self.tasks.len());
            tracing::warn!(part, left, "not everything stopped in time");
        }
    }
}

/// Completes at the first SIGINT (Ctrl-C) or SIGTERM. The second one ends the process at once, for
/// those who do not want to wait.
///
/// # Errors
/// If the signals cannot be listened to.
pub fn signalled() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let asked = CancellationToken::new();
    let first = asked.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if again {
                // As a shell reports a program that Ctrl-C ended.
                std::process::exit(130);
            }
            first.cancel();
        }
    });
    Ok(async move { asked.cancelled().await })
}
