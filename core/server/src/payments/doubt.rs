//! When what is known of a payment is in doubt, and what ends that.

use saoma_domain::payment::{AnswerStatus, Close, Event, ON_ITS_WAY_MS, Source, State};
use saoma_protocol::{Millis, PaymentId, RefundId};
use saoma_store::{StoreError, TenantScope, Tx, events, payments::StoredPayment};

use super::{kind, settle::detail_json};

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

/// How far a node has come with its own waiting before it ends a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing that was sent can still be on its way.
    Over,
    /// Until this node's clock says so.
    Runs { until: Millis },
    /// It is to begin now.
    Begins,
}

/// How the doubt about a payment, or about one of its refunds, has been waited out by `node`. Other nodes' clocks may be days
/// away from this one's, so that a wait which another began proves nothing: each node begins its own, and its name is written
/// with it. A node whose clock is set forward in the very seconds of its wait can still end it early.
pub(super) fn waited(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    refund: Option<RefundId>,
    node: &str,
    now: Millis,
) -> Result<Wait, StoreError> {
    let told = events::timeline(tx, scope, payment)?;
    let of_it = told.iter().rev().filter(|told| told.event.refund == refund).map(|told| &told.event);
    let in_this_doubt = of_it.take_while(|event| ![kind::DOUBTED, kind::DOUBT_ENDED].contains(&event.kind.as_str()));
    let detail = detail_json(node).to_string();
    let mut ours = in_this_doubt
        .filter(|event| event.kind == kind::DOUBT_WAITS && event.data_json == detail && event.at <= now)
        .map(|event| event.at.plus(ON_ITS_WAY_MS));
    Ok(match ours.next() {
        Some(until) if until <= now => Wait::Over,
        Some(until) => Wait::Runs { until },
        None => Wait::Begins,
    })
}

/// Whether something that was sent may still arrive while the payment is in doubt: an undoing, at what counts as paid. Otherwise
/// the channel is only asked once more, and says what is so.
pub(super) fn has_to_wait(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment) -> Result<bool, StoreError> {
    let told = events::timeline(tx, scope, stored.payment.id)?;
    let of_it = told.iter().rev().filter(|told| told.event.refund.is_none()).map(|told| &told.event);
    let mut marks =
        of_it.filter(|event| [kind::DOUBTED, kind::DOUBT_WAITS, kind::DOUBT_ENDED].contains(&event.kind.as_str()));
    Ok(match marks.next() {
        Some(event) if event.kind == kind::DOUBT_WAITS => true,
        Some(event) if event.kind == kind::DOUBTED => stored.watch.doubted_at == Some(event.at.plus(ON_ITS_WAY_MS)),
        _ => false,
    })
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
) -> Result<bool, StoreError> {
    let Event::Answered(answer) = event else { return Ok(false) };
    let counts = match (&stored.payment.state, answer.source()) {
        (State::Captured(_), _) => false,
        (State::Expired { .. } | State::Cancelled { .. }, source) => source == Source::CancelReply,
        (_, source) => matches!(source, Source::Reply | Source::CancelReply),
    };
    if *answer.status() != AnswerStatus::NotFound || !counts {
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
