//! What waits for a scheme, for longer than all else in a call.

use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber as _;

/// Runs it as a task of its own, which ends with whoever asked. Polled in place it would run on the stack
/// of the plugin's call, and each call that waits would keep the pages that connecting and TLS once touched there; and it would stand
/// in line with guests who run. For the same reason the work is given as what makes it: a future of several KiB would pass through
/// that stack, and stay in each of those that hand it on.
pub(super) async fn off_the_stack<T, W>(work: impl FnOnce() -> W + Send + 'static) -> wasmtime::Result<T>
where
    T: Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    let mut one = JoinSet::new();
    // Whoever listens to this call alone, as the kit does, hears the task as well.
    one.spawn(async move { Box::pin(work()).await }.with_current_subscriber());
    let ended = one.join_next().await.ok_or_else(|| wasmtime::Error::msg("a task without an end"))?;
    ended.map_err(wasmtime::Error::from)
}
