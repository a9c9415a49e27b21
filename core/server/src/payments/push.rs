//! What terminals hear of payments, written into the outbox in the transaction in which it happened.

use saoma_domain::payment::State;
use saoma_protocol::{Millis, TerminalId, message::PushBody};
use saoma_store::{
    StoreError, TenantScope, Tx,
    outbox::{self, Kind, NewMessage},
    payments::Sale,
    static_codes, terminals,
};

use super::payment_view;
use crate::app::App;

/// Puts the news into the outbox of the terminal that keyed the sale.
///
/// # Errors
/// Of the store.
pub(super) fn push(app: &App, tx: &mut Tx<'_>, scope: &TenantScope, sale: &Sale, at: Millis) -> Result<(), StoreError> {
    let Some(terminal) = sale.payment.terminal else { return Ok(()) };
    let body = PushBody::Payment { payment: payment_view(app, sale) };
    send(tx, scope, terminal, &body, at)
}

/// Tells the terminal that a printed code names that a customer has just paid through it. Once for a payment: whoever calls has booked
/// its capture in this transaction. Nobody stands there any more for what is late (as a rule it goes back), or for what two persons
/// call paid.
///
/// # Errors
/// Of the store. That a terminal cannot be told is none: the money is booked all the same.
pub(super) fn announce(tx: &mut Tx<'_>, scope: &TenantScope, sale: &Sale, at: Millis) -> Result<(), StoreError> {
    let (Some(origin), State::Captured(capture)) = (&sale.static_code, &sale.payment.payment.state) else {
        return Ok(());
    };
    if capture.late || capture.by_hand {
        return Ok(());
    }
    let code = static_codes::load(tx, scope, origin.code)?;
    let Some(terminal) = code.announce_at else { return Ok(()) };
    match terminals::load(tx, scope, terminal) {
        Ok(till) if till.revoked_at.is_none() && till.health.as_ref().is_some_and(|(health, _)| health.announces) => {}
        Ok(_) => return Ok(()),
        Err(error @ (StoreError::NotFound { .. } | StoreError::Corrupt { .. })) => {
            tracing::warn!(terminal.id = %terminal, %error, "a payment through a printed code is not announced");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let payment = &sale.payment.payment;
    let body = PushBody::StaticCodePaid {
        payment: payment.id,
        amount: payment.amount,
        paid_at: capture.at,
        label: code.label,
    };
    send(tx, scope, terminal, &body, at)
}

/// # Errors
/// Of the store.
pub(super) fn send(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    body: &PushBody,
    at: Millis,
) -> Result<(), StoreError> {
    let payload = serde_json::to_string(body).map_err(|error| StoreError::Internal { why: error.to_string() })?;
    let message = NewMessage { kind: Kind::Push, terminal: Some(terminal), payload, created_at: at };
    outbox::append(tx, scope, &message).map(drop)
}
