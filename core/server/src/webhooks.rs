//! Webhooks in the format of Standard Webhooks 1.0.0: what is told, how it is signed, when it is tried again.
//!
//! What happened is written down in the transaction in which it happened; `workers/webhooks.rs` sends it. At least once, each
//! time under the same `webhook-id`. Names of people and codes on show stay out of the payloads.

mod attempt;
mod double_spend;
mod pace;
pub mod signature;

use saoma_domain::refund::State;
use saoma_protocol::{
    Millis, PaymentId, WebhookEndpointId, WebhookEventId,
    api::{PaymentView, RefundView},
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    disputes::StoredDispute,
    payments,
    refunds::StoredRefund,
    settlement_batches::SettlementBatch,
    stored_value::offline::spends::Spend,
    webhooks::{self, Announcement},
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

pub use self::attempt::send;
pub use self::double_spend::DoubleSpendView;
use crate::{
    payments::{DisputeView, dispute_view, kind, payment_facts, refund_view},
    settlement::{SettlementBatchView, SettlementCloseView},
};

/// What an endpoint can hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEventType)]
pub enum EventType {
    /// Written down; nothing is charged yet.
    #[serde(rename = "payment.created")]
    PaymentCreated,
    /// A code is on show.
    #[serde(rename = "payment.presenting")]
    PaymentPresenting,
    /// The customer is confirming.
    #[serde(rename = "payment.pending")]
    PaymentPending,
    /// The channel did not answer; core is finding out.
    #[serde(rename = "payment.unknown")]
    PaymentUnknown,
    /// The money is there; perhaps late (`paid_late`), or as two persons say (`paid_by_hand`), which the channel may confirm
    /// later with a second one.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded,
    #[serde(rename = "payment.failed")]
    PaymentFailed,
    /// The channel confirmed that it was undone or never happened.
    #[serde(rename = "payment.reversed")]
    PaymentReversed,
    #[serde(rename = "payment.expired")]
    PaymentExpired,
    #[serde(rename = "payment.cancelled")]
    PaymentCancelled,
    /// A refund or void was written down and is being sent.
    #[serde(rename = "refund.created")]
    RefundCreated,
    #[serde(rename = "refund.pending")]
    RefundPending,
    /// The channel did not answer; core is finding out.
    #[serde(rename = "refund.unknown")]
    RefundUnknown,
    #[serde(rename = "refund.succeeded")]
    RefundSucceeded,
    #[serde(rename = "refund.failed")]
    RefundFailed,
    /// A customer disputes a payment; the channel has taken the money back.
    #[serde(rename = "dispute.opened")]
    DisputeOpened,
    /// The channel asks for evidence again or until another moment, evidence was handed in, or it was accepted.
    #[serde(rename = "dispute.updated")]
    DisputeUpdated,
    /// The channel has decided: it is won or lost.
    #[serde(rename = "dispute.closed")]
    DisputeClosed,
    /// An offline code of stored value was spent twice, or more than was granted: its account is frozen.
    #[serde(rename = "stored_value.double_spent")]
    StoredValueDoubleSpent,
    /// A person has to see to a batch at an acquirer: it counts otherwise, had closed it by itself, or has not answered for long.
    #[serde(rename = "settlement_batch.needs_attention")]
    SettlementBatchNeedsAttention,
    /// An account's batch waits to be closed for an hour: payments or refunds under way do not come to their end.
    #[serde(rename = "settlement_close.needs_attention")]
    SettlementCloseNeedsAttention,
    /// A trial, asked for by a person. Every endpoint takes it.
    #[serde(rename = "webhook.test")]
    Trial,
}

impl EventType {
    /// What a payment's event of this kind is to webhooks; `None` for one that they do not tell.
    fn of_kind(of: &str) -> Option<Self> {
        Some(match of {
            kind::CREATED => Self::PaymentCreated,
            kind::PRESENTING => Self::PaymentPresenting,
            kind::PENDING => Self::PaymentPending,
            kind::NO_ANSWER => Self::PaymentUnknown,
            kind::SUCCEEDED | kind::PAID_BY_HAND => Self::PaymentSucceeded,
            kind::FAILED => Self::PaymentFailed,
            kind::REVERSED => Self::PaymentReversed,
            kind::EXPIRED => Self::PaymentExpired,
            kind::CANCELLED => Self::PaymentCancelled,
            _ => return None,
        })
    }

    const fn of_refund(state: &State) -> Self {
        match state {
            State::Created | State::Submitting => Self::RefundCreated,
            State::Pending => Self::RefundPending,
            State::Unknown => Self::RefundUnknown,
            State::Succeeded => Self::RefundSucceeded,
            State::Failed { .. } => Self::RefundFailed,
        }
    }

    /// As it stands in a request's `type`.
    ///
    /// # Errors
    /// None that a value of this type can have.
    pub fn text(self) -> Result<String, StoreError> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(text)) => Ok(text),
            other => Err(StoreError::Internal { why: format!("{other:?} is no event type") }),
        }
    }
}

/// The body of a request to an endpoint.
#[derive(Serialize, ToSchema)]
pub struct WebhookEvent<T: ToSchema> {
    r#type: EventType,
    /// When it happened (RFC 3339, UTC), not when it is sent.
    timestamp: String,
    /// As the API shows it at that moment, without the cashier's name, a refund's reason, a dispute's evidence, the code on
    /// show, and what core tells its own people (`needs_attention`).
    data: T,
}

/// What a trial tells.
#[derive(Serialize, ToSchema)]
pub struct WebhookTrial {
    endpoint: WebhookEndpointId,
}

/// Writes down for the endpoints what happened to a payment; `of` is its kind in the timeline.
///
/// # Errors
/// Of the store alone.
pub fn tell_payment(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    of: &str,
    payment: PaymentId,
    at: Millis,
) -> Result<(), StoreError> {
    let Some(event_type) = EventType::of_kind(of) else { return Ok(()) };
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    let facts = payment_facts(&payments::load_sale(tx, scope, payment)?);
    let data = PaymentView { cashier: None, needs_attention: None, ..facts };
    tell(tx, scope, event_type, None, data, at).map(drop)
}

/// The same of a refund or void that has come to another state.
///
/// # Errors
/// Of the store alone.
pub fn tell_refund(tx: &mut Tx<'_>, scope: &TenantScope, refund: &StoredRefund, at: Millis) -> Result<(), StoreError> {
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    let data = RefundView { reason: None, needs_attention: None, ..refund_view(refund) };
    tell(tx, scope, EventType::of_refund(&refund.refund.state), None, data, at).map(drop)
}

/// The same of a dispute that was opened or has come to another state.
///
/// # Errors
/// Of the store alone.
pub fn tell_dispute(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    dispute: &StoredDispute,
    at: Millis,
) -> Result<(), StoreError> {
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    let event_type = match dispute.version {
        1 => EventType::DisputeOpened,
        _ if dispute.dispute.state.is_final() => EventType::DisputeClosed,
        _ => EventType::DisputeUpdated,
    };
    let data = DisputeView { evidence: Vec::new(), needs_attention: None, ..dispute_view(dispute) };
    tell(tx, scope, event_type, None, data, at).map(drop)
}

/// An offline code that was spent twice, or beyond what was granted.
///
/// # Errors
/// Of the store alone.
pub fn tell_double_spent(tx: &mut Tx<'_>, scope: &TenantScope, spend: &Spend, at: Millis) -> Result<(), StoreError> {
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    let data = DoubleSpendView::from(spend.clone());
    tell(tx, scope, EventType::StoredValueDoubleSpent, None, data, at).map(drop)
}

/// A batch that a person has to see to.
///
/// # Errors
/// Of the store alone.
pub fn tell_settlement(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: &SettlementBatch,
    at: Millis,
) -> Result<(), StoreError> {
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    let data = SettlementBatchView::from(batch.clone());
    tell(tx, scope, EventType::SettlementBatchNeedsAttention, None, data, at).map(drop)
}

/// A close that a person has to see to.
///
/// # Errors
/// Of the store alone.
pub fn tell_waiting_close(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    close: SettlementCloseView,
    at: Millis,
) -> Result<(), StoreError> {
    if !webhooks::has_listeners(tx, scope)? {
        return Ok(());
    }
    tell(tx, scope, EventType::SettlementCloseNeedsAttention, None, close, at).map(drop)
}

/// A trial for one endpoint; the answer is its event's id.
///
/// # Errors
/// Of the store alone.
pub fn tell_trial(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    endpoint: WebhookEndpointId,
    at: Millis,
) -> Result<WebhookEventId, StoreError> {
    tell(tx, scope, EventType::Trial, Some(endpoint), WebhookTrial { endpoint }, at)
}

fn tell<T: Serialize + ToSchema>(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    event_type: EventType,
    only: Option<WebhookEndpointId>,
    data: T,
    at: Millis,
) -> Result<WebhookEventId, StoreError> {
    let internal = |why: String| StoreError::Internal { why };
    let timestamp = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000)
        .map_err(|error| internal(error.to_string()))?
        .format(&Rfc3339)
        .map_err(|error| internal(error.to_string()))?;
    let payload = serde_json::to_string(&WebhookEvent { r#type: event_type, timestamp, data })
        .map_err(|error| internal(error.to_string()))?;
    webhooks::announce(tx, scope, &Announcement { event_type: event_type.text()?, only, payload }, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_types_with_their_names() {
        for (of, text) in [
            (kind::NO_ANSWER, Some("payment.unknown")),
            (kind::SUCCEEDED, Some("payment.succeeded")),
            (kind::PAID_BY_HAND, Some("payment.succeeded")),
            (kind::ANSWER_REFUSED, None),
            (kind::DOUBTED, None),
            (kind::SUBMITTING, None),
        ] {
            assert_eq!(EventType::of_kind(of).map(|found| found.text().unwrap()).as_deref(), text, "{of}");
        }
    }
}
