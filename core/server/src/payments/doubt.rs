//! When what is known of a payment is in doubt, and what ends that.

use saoma_domain::payment::{AnswerStatus, Close, Event, ON_ITS_WAY_MS, Source, State, has_passed};
use saoma_protocol::{Millis, PaymentId};
use saoma_store::{StoreError, TenantScope, Tx, events, payments::StoredPayment};

use super::kind;

/// Whether a payment has just been booked that an undoing of ours may yet undo at the channel: one that was cut off, or was
/// repeated, arrives there as late as [`ON_ITS_WAY_MS`] after it was sent. Until then "paid" proves nothing.
pub(super) fn may_be_undone(loaded: &StoredPayment, stored: &StoredPayment) -> bool {
    let was_closing = loaded.close_asked_at.is_some()
        || matches!(
            loaded.payment.state,
            State::Reversed | State::Expired { .. } | State::Cancelled { .. } | State::Failed { .. }
        );
    let is_captured = |stored: &StoredPayment| matches!(stored.payment.state, State::Captured(_));
    was_closing && is_captured(stored) && !is_captured(loaded)
}

/// Whether the doubt has waited since it began, and only once. The end of its wait was set by another node's clock, perhaps, or
/// by this one's before it was set: what counts is a second wait, begun by who found the first one over. So a clock that is
/// ahead ends nothing early; two nodes whose clocks are minutes apart and that take turns at one payment still can.
pub(super) fn has_waited_once(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
) -> Result<bool, StoreError> {
    let told = events::timeline(tx, scope, stored.payment.id)?;
    let began = told.iter().rev().find(|told| told.event.kind == kind::DOUBTED);
    Ok(began.is_some_and(|began| stored.watch.doubted_at == Some(began.event.at.plus(ON_ITS_WAY_MS))))
}

/// Not before its time, and not while money is on its way back: what becomes of that decides what the answer means.
pub(super) fn may_end(stored: &StoredPayment, now: Millis) -> bool {
    let Some(from) = stored.watch.doubted_at else { return false };
    // A moment further ahead than any is: the clock was set back.
    let is_time = from <= now || from > now.plus(ON_ITS_WAY_MS);
    let is_going_back = matches!(&stored.payment.state, State::Captured(capture) if capture.reserved_minor > 0);
    is_time && !is_going_back
}

/// The channel has no such order, and persons had said so or are known to have been wrong: once nothing can be on its way any
/// more, that is the end of it. Of what the channel itself has called paid, "no such order" is no end; of a code that was on
/// show it is one only as the reply to a close, since channels call a code unknown that nobody has scanned.
pub(super) fn is_nowhere(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &StoredPayment,
    event: &Event,
    now: Millis,
) -> Result<bool, StoreError> {
    let Event::Answered(answer) = event else { return Ok(false) };
    let counts = match (&stored.payment.state, answer.source()) {
        (State::Captured(_), _) => false,
        (State::Expired { .. } | State::Cancelled { .. }, source) => source == Source::CancelReply,
        (_, source) => matches!(source, Source::Reply | Source::CancelReply),
    };
    let has_waited = stored.watch.doubted_at.is_some_and(|from| has_passed(from, ON_ITS_WAY_MS, now));
    if *answer.status() != AnswerStatus::NotFound || !counts || !has_waited {
        return Ok(false);
    }
    is_settled_by_hand(tx, scope, stored.payment.id)
}

/// Whether two persons have ever said how it ended.
pub(super) fn is_settled_by_hand(tx: &mut Tx<'_>, scope: &TenantScope, id: PaymentId) -> Result<bool, StoreError> {
    let told = events::timeline(tx, scope, id)?;
    Ok(told.iter().any(|told| told.event.kind == kind::HAND_CONFIRMED))
}

/// Over, and nobody shall pay it.
pub(super) const fn is_called_off(state: &State) -> bool {
    matches!(
        state,
        State::Reversed | State::Expired { close: Close::Confirmed } | State::Cancelled { close: Close::Confirmed }
    )
}
