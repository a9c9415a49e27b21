//! What terminals say over MQTT. Called by the gate, which has checked that the topic is the terminal's own.
//!
//! Nothing is lost by an error here: the terminal keeps what was not acknowledged and says it again.

use rmqtt::types::Id as ConnectionId;
use saoma_protocol::{
    Sequence, TerminalId,
    message::{Envelope, Health, JournalBatch, MessageError, Presence, PushAck},
    topic::{Leaf, Topic},
};
use saoma_store::{StoreError, TenantScope, outbox, terminals};
use serde::Deserialize;
use tracing::{Instrument as _, field::Empty};

use super::{
    Fleet,
    broker::BrokerError,
    sync::{SyncError, take_journal},
};
use crate::app::App;

/// Why a message was not taken in. It is logged here and nowhere else.
#[derive(Debug, thiserror::Error)]
enum InboxError {
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("the certificate of this connection is no longer good")]
    Access,
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error("terminals do not publish there")]
    NotUp,
}

impl Fleet {
    /// Takes in one message of a terminal, in a span that goes on from the terminal's own trace.
    pub(super) async fn take(&self, topic: Topic, connection: &ConnectionId, payload: &[u8]) {
        let Some(app) = self.app() else { return };
        let span = tracing::info_span!("terminal.message", otel.kind = "consumer", trace_id = Empty,
            terminal.id = %topic.terminal,
            messaging.system = "mqtt", messaging.operation = "process", topic.leaf = ?topic.leaf);
        crate::telemetry::continue_trace(&span, traceparent(payload).as_deref());
        async {
            if let Err(error) = self.handle(&app, topic, connection, payload).await {
                tracing::warn!(%error, bytes = payload.len(), "a message of a terminal was not taken in");
            }
        }
        .instrument(span)
        .await;
    }

    async fn handle(
        &self,
        app: &App,
        topic: Topic,
        connection: &ConnectionId,
        payload: &[u8],
    ) -> Result<(), InboxError> {
        let scope = self.scope(topic.terminal).ok_or(InboxError::Access)?;
        match topic.leaf {
            Leaf::Journal => {
                let batch = Envelope::<JournalBatch>::decode(payload)?.body;
                let ack = take_journal(app, scope, topic.terminal, batch).await?;
                let answer = Envelope::new(ack, crate::telemetry::traceparent()).encode()?;
                let Some(broker) = self.broker() else { return Ok(()) };
                Ok(broker.publish(Topic { leaf: Leaf::JournalAck, ..topic }, answer).await?)
            }
            Leaf::Ack => {
                let ack = Envelope::<PushAck>::decode(payload)?.body;
                Ok(take_ack(app, scope, topic.terminal, ack).await?)
            }
            Leaf::Health => {
                let health = Envelope::<Health>::decode(payload)?.body;
                Ok(take_health(app, scope, topic.terminal, health).await?)
            }
            Leaf::Presence => {
                let presence = Envelope::<Presence>::decode(payload)?.body;
                if presence.online {
                    self.connected(connection);
                } else {
                    self.disconnected(connection);
                }
                Ok(())
            }
            Leaf::Push | Leaf::JournalAck => Err(InboxError::NotUp),
        }
    }
}

/// The terminal has these pushes on its disk; what must have been lost before them is sent at once.
///
/// # Errors
/// What the store says.
pub async fn take_ack(app: &App, scope: TenantScope, terminal: TerminalId, ack: PushAck) -> Result<(), StoreError> {
    let newest = ack.ids.iter().copied().max().unwrap_or(Sequence(0));
    let now = app.now();
    let lost = app
        .store()
        .write(move |tx| {
            outbox::ack(tx, &scope, terminal, &ack.ids, now)?;
            let first = outbox::pending(tx, &scope, terminal, Sequence(0), 1)?;
            // Messages to one terminal keep their order: one before an acknowledged one did not arrive.
            let lost = first.first().is_some_and(|message| message.id < newest && message.attempts > 0);
            if lost {
                outbox::hurry(tx, &scope, terminal, now)?;
            }
            Ok::<_, StoreError>(lost)
        })
        .await?;
    if lost {
        app.wake_outbox();
    }
    Ok(())
}

/// What a terminal says of itself; the newest replaces what was there.
///
/// # Errors
/// What the store says.
pub async fn take_health(
    app: &App,
    scope: TenantScope,
    terminal: TerminalId,
    health: Health,
) -> Result<(), StoreError> {
    let now = app.now();
    app.store().write(move |tx| terminals::set_health(tx, &scope, terminal, &health, now)).await
}

/// The trace a message belongs to, read before the rest, so that a message that cannot be read is in its trace as well.
fn traceparent(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct TraceOnly {
        traceparent: Option<String>,
    }
    serde_json::from_slice::<TraceOnly>(payload).ok()?.traceparent
}
