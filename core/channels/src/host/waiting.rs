//! What waits for a scheme, for longer than all else in a call.

use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber as _;

use super::CallState;

impl CallState {
    /// Runs it as a task of its own, which ends with whoever asked. Polled in place it would run on the stack of the plugin's call, and
    /// each call that waits would keep the pages that connecting and TLS once touched there. Nor does it keep a turn at running.
    pub(super) async fn off_the_stack<T: Send + 'static>(
        &mut self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> wasmtime::Result<T> {
        self.turn.give_back();
        let mut one = JoinSet::new();
        // Whoever listens to this call alone, as the kit does, hears the task as well.
        one.spawn(work.with_current_subscriber());
        let ended = one.join_next().await.ok_or_else(|| wasmtime::Error::msg("a task without an end"))?;
        ended.map_err(wasmtime::Error::from)
    }
}
