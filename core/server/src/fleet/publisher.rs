//! News for terminals: sent when committed, and again until acknowledged.
//!
//! What is not acknowledged lies in the outbox, and the outbox worker decides when to send. Here a push goes to the broker,
//! and a terminal that has just subscribed makes all its unacknowledged pushes due at once.

use std::sync::Arc;

use async_trait::async_trait;
use rmqtt::types::Id as ConnectionId;
use saoma_protocol::{
    TenantId, TerminalId,
    message::{Envelope, MessageError, Push},
    topic::{Leaf, Topic},
};
use saoma_store::outbox;
use tokio::sync::Notify;

use super::{
    Fleet,
    broker::{Broker, BrokerError},
    locked,
};
use crate::peers::Bell;

/// Carries what core says to terminals. The broker in this process does it; a simulation with whatever it likes.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Whether the terminal is there to hear it.
    async fn is_connected(&self, terminal: TerminalId) -> bool;

    /// Takes a message for the terminal of that topic. It may arrive late, twice or never.
    ///
    /// # Errors
    /// If it cannot be taken.
    async fn publish(&self, topic: Topic, payload: Vec<u8>) -> Result<(), BrokerError>;
}

#[async_trait]
impl Publisher for Broker {
    async fn is_connected(&self, terminal: TerminalId) -> bool {
        Self::is_connected(self, terminal).await
    }

    async fn publish(&self, topic: Topic, payload: Vec<u8>) -> Result<(), BrokerError> {
        Self::publish(self, topic, payload).await
    }
}

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
        let Some(publisher) = self.0.publisher.get() else { return Ok(()) };
        if !publisher.is_connected(terminal).await {
            return Ok(());
        }
        let message = Envelope::new(push, crate::telemetry::traceparent()).encode()?;
        Ok(publisher.publish(Topic { tenant, terminal, leaf: Leaf::Push }, message).await?)
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
