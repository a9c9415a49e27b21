//! What else moves with a payment that a terminal sold by card without a network: the end of its waiting, its loss, its card's block.

use saoma_domain::payment::{Effect, State};
use saoma_protocol::{Millis, PaymentId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    payments::StoredPayment,
    stored_cards::{self, Outcome},
};

use super::settle::is_waiting;
use crate::stored_value::offline::announce;

/// What a person is told of one that was lost.
pub(super) const PAID_AFTER_ALL: &str = "it was sold without a network and counted as lost, and the acquirer paid it after all: \
     it stays paid, and nothing is given back by itself";

/// Why nobody can call it paid.
pub(super) const NEVER_SENT: &str = "core has not sent it to the acquirer, who cannot have paid it";

/// Whether the goods are gone, so that what is paid after all stays the merchant's: then nothing of it is given back by itself.
///
/// # Errors
/// None of its own.
pub(super) fn keeps(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    effects: &mut Vec<Effect>,
) -> Result<bool, StoreError> {
    let is_late = effects.contains(&Effect::RefundLate);
    let keeps = is_late && !stored_cards::of_payments(tx, scope, &[payment])?.is_empty();
    if keeps {
        effects.retain(|effect| *effect != Effect::RefundLate);
    }
    Ok(keeps)
}

/// The payment stands otherwise than before: so does its loss. Terminals sell to the card of one that is lost no more, and again to that of one that
/// is not any longer, of which they are told. `undone`: by the acquirer, that never paid it.
///
/// # Errors
/// None of its own.
pub(super) fn follow(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    undone: bool,
    now: Millis,
) -> Result<(), StoreError> {
    let outcome = match &stored.payment.state {
        _ if is_waiting(&stored.payment) => return Ok(()),
        // What the merchant has voided was paid.
        State::Captured(_) | State::Voided { .. } if !undone => Outcome::Paid,
        _ => Outcome::Lost,
    };
    // Its outcome alone: what else of it cannot be read keeps nobody from ending it.
    let before = match stored_cards::ended_as(tx, scope, stored.payment.id) {
        Ok(before) => before,
        Err(StoreError::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_news = stored_cards::end(tx, scope, stored.payment.id, outcome, now)?;
    if is_news && [before, Some(outcome)].contains(&Some(Outcome::Lost)) { announce(tx, scope, now) } else { Ok(()) }
}
