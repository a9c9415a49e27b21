//! News for terminals: sent when committed, and again until acknowledged.
//!
//! What is not acknowledged lies in the outbox, and the outbox worker decides when to send. Here a push goes to the broker,
//! and a terminal that has just subscribed makes all its unacknowledged pushes due at once.

use std::sync::Arc;

use rmqtt::types::Id as ConnectionId;
use saoma_protocol::{
    TenantId, TerminalId,
    message::{Envelope, MessageError, Push},
    topic::{Leaf, Topic},
};
use saoma_store::outbox;
use tokio::sync::Notify;

use super::{Fleet, broker::BrokerError, locked};
use crate::peers::Bell;

/// Why a push was not handed to the broker. It stays in the outbox.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("write a push for the wire")]
    Message(#[from] MessageError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Fleet {
    /// Sends a push to the terminal if it is connected; that it is not is no error, it gets it when it connects.
    ///
    /// # Errors
    /// If the broker cannot take it; the push stays in the outbox all the same.
    pub async fn push(&self, tenant: TenantId, terminal: TerminalId, push: &Push) -> Result<(), PushError> {
        self.wake(terminal);
        if let Some(app) = self.app() {
            app.tell_others(Bell::Push(terminal));
        }
        let Some(broker) = self.broker() else { return Ok(()) };
        if !broker.is_connected(terminal).await {
            return Ok(());
        }
        let message = Envelope::new(push, crate::telemetry::traceparent()).encode()?;
        Ok(broker.publish(Topic { tenant, terminal, leaf: Leaf::Push }, message).await?)
    }

    /// The subscription is in place: whatever was sent before it did not arrive, so all that is pending is due.
    pub(super) fn subscribed(&self, connection: &ConnectionId) {
        let Some((scope, terminal)) = self.peer(&connection.client_id) else { return };
        let Some(app) = self.app() else { return };
        tokio::spawn(async move {
            let now = app.now();
            match app.store().write(move |tx| outbox::hurry(tx, &scope, terminal, now)).await {
                Ok(0) => {}
                Ok(_) => app.wake_outbox(),
                Err(error) => tracing::warn!(terminal.id = %terminal, %error, "pending pushes wait for their turn"),
            }
        });
    }

    /// Is told of the next push for `terminal`.
    #[must_use]
    pub fn next_push(&self, terminal: TerminalId) -> Arc<Notify> {
        Arc::clone(locked(&self.0.waiting).entry(terminal).or_default())
    }

    /// Whoever waits for the terminal's next push on this node looks again.
    pub(crate) fn wake(&self, terminal: TerminalId) {
        if let Some(waiting) = locked(&self.0.waiting).get(&terminal) {
            waiting.notify_waiters();
        }
    }
}
