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
use crate::{app::App, static_codes::Announcing};

/// How the payload of an announcement begins; the payment's number follows.
const ANNOUNCEMENT: &str = r#"{"kind":"static_code_paid","payment":""#;
/// Announcements that wait for a terminal; a till lists as many.
const WAITING_MAX: u32 = 20;

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
    let listener = static_codes::load(tx, scope, origin.code).and_then(|code| match code.announce_at {
        Some(terminal) => Ok(Some((code.label, terminals::load(tx, scope, terminal)?))),
        None => Ok(None),
    });
    let (label, till) = match listener {
        Ok(Some(listener)) => listener,
        Ok(None) => return Ok(()),
        Err(error @ (StoreError::NotFound { .. } | StoreError::Corrupt { .. })) => {
            tracing::warn!(static_code.id = %origin.code, %error, "a payment through a printed code is not announced");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let announcing = Announcing::of(&till);
    if announcing != Announcing::Ready {
        let (payment, terminal) = (sale.payment.payment.id, till.id);
        tracing::warn!(payment.id = %payment, terminal.id = %terminal, ?announcing, "a printed code's payment is not announced");
        return Ok(());
    }
    // One that is switched off must not come back to thousands, before what it needs: it lists so many.
    outbox::keep_newest(tx, scope, till.id, ANNOUNCEMENT, WAITING_MAX - 1, at)?;
    let payment = &sale.payment.payment;
    let body = PushBody::StaticCodePaid { payment: payment.id, amount: payment.amount, paid_at: capture.at, label };
    send(tx, scope, till.id, &body, at)
}

/// All of a payment has gone back: a till that has not heard of it yet does not say any more that it came in. While a refund is under
/// way the money is here, and it stays if that fails.
///
/// # Errors
/// Of the store.
pub(super) fn hush(tx: &mut Tx<'_>, scope: &TenantScope, sale: &Sale, at: Millis) -> Result<(), StoreError> {
    let stored = &sale.payment.payment;
    let is_here = matches!(&stored.state, State::Captured(capture) if capture.refunded_minor < stored.amount.minor());
    if sale.static_code.is_none() || is_here {
        return Ok(());
    }
    outbox::withdraw(tx, scope, &format!("{ANNOUNCEMENT}{}\"", stored.id), at).map(drop)
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
