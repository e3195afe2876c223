//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

/// How long anything that should happen "at once" may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(15);

/// Asks until the condition is true.
///
/// # Panics
/// If it is not within `deadline`; the message names `what` was waited for.
pub async fn eventually(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    while !condition().await {
        assert!(
            began.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
