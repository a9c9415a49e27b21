//! Waiting for a condition with a deadline; nothing here sleeps for a fixed time and hopes.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long the slowest thing that a scenario waits for may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Pause between two looks.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks again and again until `look` has found something; `what` says what was waited for.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, mut look: impl FnMut() -> F) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if started.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} in vain for {what}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
