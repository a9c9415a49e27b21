//! Sends what was committed, in order, until it is acknowledged.

use std::time::Duration;

use saoma_protocol::{
    Millis,
    message::{Push, PushBody},
};
use saoma_store::{
    StoreError, access,
    outbox::{self, Due, Kind},
};
use tokio::sync::watch;
use tracing::{Instrument as _, field::Empty};

use super::rested;
use crate::{app::App, telemetry::continue_trace};

const BATCH_MAX: u32 = 64;
/// How long nobody else takes a message that was just sent; then it is due again. Doubled with each attempt.
const RESEND_MS: i64 = 5_000;
const RESEND_MS_MAX: i64 = 300_000;
/// How long a payment through a printed code is of use at a till: its list is of the day. One that is switched off must not come back to
/// thousands, before what it needs.
const ANNOUNCED_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(Some(app.outbox_bell()), LOOK_EVERY, &mut stopping).await {
        loop {
            match batch(&app).await {
                Ok(sent) if sent == BATCH_MAX as usize => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "the outbox waits");
                    break;
                }
            }
        }
    }
}

/// Sends what is due now; how many.
///
/// # Errors
/// Of the store.
pub async fn batch(app: &App) -> Result<usize, StoreError> {
    let (now, node) = (app.now(), app.fleet().node().to_owned());
    let due = app
        .store()
        .write(move |tx| {
            outbox::claim_due(tx, &access::process(), &node, Kind::Push, now, now.plus(RESEND_MS), BATCH_MAX)
        })
        .await?;
    let claimed = due.len();
    for message in due {
        let span = tracing::info_span!("push", otel.kind = "producer", messaging.system = "mqtt", trace_id = Empty,
            push.id = message.message.id.0, tenant = %message.scope.tenant());
        continue_trace(&span, message.message.traceparent.as_deref());
        send(app, message).instrument(span).await?;
    }
    Ok(claimed)
}

async fn send(app: &App, due: Due) -> Result<(), StoreError> {
    let Due { scope, message } = due;
    let id = message.id;
    let Some(terminal) = message.message.terminal else {
        return Err(StoreError::Corrupt { why: format!("push {id} in the outbox is for no terminal") });
    };
    match serde_json::from_str::<PushBody>(&message.message.payload) {
        Ok(body) if is_over(&body, message.message.created_at, app.now()) => {
            let now = app.now();
            return app.store().write(move |tx| outbox::settle(tx, &scope, id, now)).await;
        }
        Ok(body) => {
            let push = Push { id, at: message.message.created_at, body };
            if let Err(error) = app.fleet().push(scope.tenant(), terminal, &push).await {
                tracing::warn!(terminal.id = %terminal, %error, "a push is sent again later");
            }
        }
        Err(error) => {
            tracing::error!(terminal.id = %terminal, %error, "a push cannot be read; it is kept for a person")
        }
    }
    if message.attempts > 1 {
        let pause = (RESEND_MS << message.attempts.min(10)).min(RESEND_MS_MAX);
        let next_at = app.now().plus(pause);
        app.store().write(move |tx| outbox::resend_at(tx, &scope, id, next_at)).await?;
    }
    Ok(())
}

/// Whether nobody has any use for it.
fn is_over(body: &PushBody, created_at: Millis, now: Millis) -> bool {
    matches!(body, PushBody::StaticCodePaid { .. }) && now.since(created_at) > ANNOUNCED_MS_MAX
}
