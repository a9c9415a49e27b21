//! Refunds whose end is in doubt: two persons have settled them while the channel kept silent, or the channel has said otherwise
//! since. It is asked on, and has the last word.

use saoma_domain::{
    ledger::{Kind as Movement, rules},
    payment::{Event as PaymentEvent, Notice, Payment, Refusal, State as PaymentState, decide as decide_payment},
    refund::{AnswerStatus, Event, LastWord, State, last_word},
};
use saoma_protocol::{Amount, Millis, api::RefundKind};
use saoma_store::{
    StoreError, TenantScope, Tx, events,
    payments::{self, StoredPayment},
    refunds::{self, StoredRefund},
};

use super::{
    PaymentError,
    doubt::{Wait, waited},
    kind,
    refund::{announce, move_payment, pause_ms, pay_out},
    settle::{book, record},
};
use crate::{app::App, webhooks::tell_refund};

/// Refuses to give back what an earlier refund may turn out to have given back.
///
/// # Errors
/// `Refused` with [`Refusal::InDoubt`].
pub(super) fn check_left(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: &Payment,
    asked: Amount,
) -> Result<(), PaymentError> {
    let earlier = refunds::of_payment(tx, scope, payment.id)?;
    let may_be_paid = |earlier: &&StoredRefund| {
        earlier.watch.doubted_at.is_some() && matches!(earlier.refund.state, State::Failed { .. })
    };
    let doubted_minor: i64 = earlier.iter().filter(may_be_paid).map(|earlier| earlier.refund.amount.minor()).sum();
    let left_minor = (payment.refundable_minor() - doubted_minor).max(0);
    if doubted_minor > 0 && asked.minor() > left_minor {
        return Err(Refusal::InDoubt { asked, left_minor, doubted_minor }.into());
    }
    Ok(())
}

/// What the channel says of it after all. The refund, if it is in another state now.
#[expect(clippy::too_many_arguments, reason = "what heard_in has read already")]
pub(super) fn heard(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    mut refund: StoredRefund,
    mut stored: StoredPayment,
    event: &Event,
    is_fresh: bool,
    words: &str,
) -> Result<Option<StoredRefund>, PaymentError> {
    let (id, now) = (refund.refund.id, app.now());
    let notice =
        if is_settled_by_hand(tx, scope, &refund)? { Notice::ContradictsHand } else { Notice::ContradictsRefund };
    if refund.watch.doubted_at.is_none() {
        return begin(app, tx, scope, refund, &mut stored, notice, words, now);
    }
    let verdict = match event {
        // It began by word against word of the same channel: another that may be old proves nothing, and the question is planned.
        Event::Answered(_) if notice == Notice::ContradictsRefund && !is_fresh => return Ok(None),
        // What was sent last may still be on its way.
        Event::Answered(answer)
            if *answer.status() == AnswerStatus::NotFound && !has_waited(app, tx, scope, &refund, &stored)? =>
        {
            LastWord::AskOn
        }
        Event::Answered(answer) => last_word(&refund.refund.state, answer.status()),
        Event::Submit | Event::NotSent { .. } | Event::NoAnswer | Event::NeverPaid | Event::SettledByHand { .. } => {
            LastWord::AskOn
        }
    };
    // What others have set aside, and may not get, could be what was paid: then it is known once theirs have ended.
    let waits = verdict == LastWord::PaidAfterAll
        && matches!(&stored.payment.state, PaymentState::Captured(capture) if capture.reserved_minor > 0)
        && decide_payment(&stored.payment, &heard_late(&refund), now).is_err();
    if verdict == LastWord::AskOn || waits {
        refund.attempts += 1;
        refund.next_attempt_at = Some(now.plus(pause_ms(refund.attempts)));
        refunds::reschedule(tx, scope, &refund)?;
        return Ok(None);
    }
    let paid_out = verdict == LastWord::PaidAfterAll && book_after_all(tx, scope, &mut stored, &refund, now)?;
    if paid_out {
        refund.refund.state = State::Succeeded;
    }
    if verdict != LastWord::Confirmed {
        // Who was told otherwise hears of it.
        refund.watch.attention_at = Some(now);
    }
    refund.watch.doubted_at = None;
    refund.next_attempt_at = None;
    refund.updated_at = now;
    refunds::save(tx, scope, &mut refund)?;
    if paid_out {
        let name = if refund.refund.kind == RefundKind::Void { kind::VOIDED } else { kind::REFUND_SUCCEEDED };
        record(tx, scope, &stored, Some(id), name, words, "channel", now)?;
    }
    if verdict != LastWord::Confirmed {
        record(tx, scope, &stored, Some(id), notice.code(), words, "core", now)?;
    }
    record(tx, scope, &stored, Some(id), kind::DOUBT_ENDED, "", "channel", now)?;
    announce(app, tx, scope, &refund, now)?;
    if !paid_out {
        return Ok(None);
    }
    tell_refund(tx, scope, &refund, now)?;
    Ok(Some(refund))
}

/// Whether nothing can be on its way any more, as far as this node knows. It begins to wait for that if it has not.
fn has_waited(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: &StoredRefund,
    stored: &StoredPayment,
) -> Result<bool, StoreError> {
    let (id, node, now) = (refund.refund.id, app.fleet().node(), app.now());
    let wait = waited(tx, scope, refund.payment, Some(id), node, now)?;
    if wait == Wait::Begins {
        record(tx, scope, stored, Some(id), kind::DOUBT_WAITS, node, "core", now)?;
    }
    Ok(wait == Wait::Over)
}

/// The channel says otherwise than it did: a person is called at once, since what is told now may be given back a second time
/// already, and the channel is asked. The payment is saved as well, so that whoever gives it back just now looks again.
#[expect(clippy::too_many_arguments, reason = "what heard has read already")]
pub(super) fn begin(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    mut refund: StoredRefund,
    stored: &mut StoredPayment,
    notice: Notice,
    words: &str,
    now: Millis,
) -> Result<Option<StoredRefund>, PaymentError> {
    refund.watch.doubted_at = Some(now);
    refund.watch.attention_at = Some(now);
    refund.next_attempt_at = Some(now);
    refund.attempts = 0;
    refund.updated_at = now;
    refunds::save(tx, scope, &mut refund)?;
    stored.updated_at = now;
    payments::save(tx, scope, stored)?;
    record(tx, scope, stored, Some(refund.refund.id), notice.code(), words, "channel", now)?;
    announce(app, tx, scope, &refund, now)?;
    app.wake_resolver();
    Ok(None)
}

/// Whether two persons have said how it ended, and the channel has not confirmed or denied that yet.
fn is_settled_by_hand(tx: &mut Tx<'_>, scope: &TenantScope, refund: &StoredRefund) -> Result<bool, StoreError> {
    let told = events::timeline(tx, scope, refund.payment)?;
    let of_it = told.iter().rev().filter(|told| told.event.refund == Some(refund.refund.id));
    let mut ends =
        of_it.map(|told| told.event.kind.as_str()).filter(|of| [kind::HAND_CONFIRMED, kind::DOUBT_ENDED].contains(of));
    Ok(ends.next() == Some(kind::HAND_CONFIRMED))
}

/// The channel says of the payment that money went back, and a refund had failed: it may have been that one.
///
/// # Errors
/// Of the store.
pub(super) fn doubt_failed(
    app: &App,
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    now: Millis,
) -> Result<(), PaymentError> {
    for refund in refunds::of_payment(tx, scope, stored.payment.id)? {
        if matches!(refund.refund.state, State::Failed { .. }) && refund.watch.doubted_at.is_none() {
            let words = "the payment was given back, in part or in whole";
            begin(app, tx, scope, refund, stored, Notice::ContradictsRefund, words, now)?;
        }
    }
    Ok(())
}

const fn heard_late(refund: &StoredRefund) -> PaymentEvent {
    PaymentEvent::RefundHeardLate { refund: refund.refund.id, amount: refund.refund.amount }
}

/// Books what the channel has given back after all. Not where the payment has no such money any more: that is for a person.
fn book_after_all(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    refund: &StoredRefund,
    now: Millis,
) -> Result<bool, PaymentError> {
    let (id, amount, again) = (refund.refund.id, refund.refund.amount, heard_late(refund));
    if decide_payment(&stored.payment, &again, now).is_err() {
        return Ok(false);
    }
    move_payment(tx, scope, stored, &again, now)?;
    book(tx, scope, stored, Some(id), Movement::RefundReopened, &rules::refund_reserved(amount), now)?;
    pay_out(tx, scope, stored, &refund.refund, now)?;
    Ok(true)
}
