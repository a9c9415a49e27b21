//! Webhooks: where a merchant hears of events, and each event's way there.
//!
//! An event is written into the outbox in the transaction of what happened ([`announce`]), becomes one delivery for each
//! endpoint that wants it ([`fan_out`]), is claimed ([`claim_due`]), sent by the caller, and its outcome is written down
//! ([`finish`]). What was claimed and never finished is due again when its lease ends. To an ordered endpoint one delivery at
//! a time is due, the oldest; whatever decides which takes the endpoint's turn first, so that none is forgotten.

mod deliveries;
mod endpoints;

use saoma_protocol::{Millis, WebhookEndpointId, WebhookEventId};
use serde::{Deserialize, Serialize};

pub use self::{
    deliveries::{
        Attempt, Delivery, Filter, Job, Next, State, Wanted, attempts, claim_due, fan_out, finish, list_deliveries,
        load_delivery, next_due_at, prune, replay, replay_range,
    },
    endpoints::{
        Disabled, Endpoint, Secrets, add_secret, create, delete, disable, enable, has_listeners, list, load, secrets,
        update,
    },
};
use crate::{
    StoreError, TenantScope, Tx,
    column::to_json,
    dialect::{take_turn, take_turn_named},
    outbox::{self, Kind, NewMessage},
};

/// An event on its way to the endpoints, as it lies in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// For example `payment.succeeded`.
    pub event_type: String,
    /// This endpoint alone, whatever it subscribed to: a trial.
    pub only: Option<WebhookEndpointId>,
    /// The request's body, to the byte.
    pub payload: String,
}

/// Writes an event down, in the order in which the tenant's transactions are committed. The answer is its id.
///
/// # Errors
/// None of its own.
pub fn announce(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    announcement: &Announcement,
    at: Millis,
) -> Result<WebhookEventId, StoreError> {
    take_turn(tx, scope)?;
    let payload = to_json(announcement)?;
    let message = NewMessage { kind: Kind::Webhook, terminal: None, payload, created_at: at };
    let number = outbox::append(tx, scope, &message)?;
    Ok(WebhookEventId::of(scope.tenant(), number, at))
}

/// From here to the commit nobody else decides what of this endpoint is due.
fn take_endpoint(tx: &mut Tx<'_>, scope: &TenantScope, endpoint: WebhookEndpointId) -> Result<(), StoreError> {
    take_turn_named(tx, scope, &endpoint.to_string())
}
