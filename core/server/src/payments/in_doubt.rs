//! Refunds that two persons have settled while the channel kept silent: it is asked on, and has the last word.

use saoma_domain::{
    ledger::{Kind as Movement, rules},
    payment::{Event as PaymentEvent, Notice, Payment, Refusal, decide as decide_payment},
    refund::{AfterHand, Event, State, after_hand},
};
use saoma_protocol::{Amount, Millis, api::RefundKind};
use saoma_store::{
    TenantScope, Tx,
    payments::StoredPayment,
    refunds::{self, StoredRefund},
};

use super::{
    PaymentError, kind,
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
    doubted_at: Millis,
    event: &Event,
    words: &str,
) -> Result<Option<StoredRefund>, PaymentError> {
    let (id, now) = (refund.refund.id, app.now());
    let verdict = match event {
        Event::Answered(answer) => after_hand(&refund.refund.state, doubted_at, answer.status(), now),
        Event::Submit | Event::NotSent { .. } | Event::NoAnswer | Event::NeverPaid | Event::SettledByHand { .. } => {
            AfterHand::AskOn
        }
    };
    if verdict == AfterHand::AskOn {
        refund.attempts += 1;
        refund.next_attempt_at = Some(now.plus(pause_ms(refund.attempts)));
        refunds::reschedule(tx, scope, &refund)?;
        return Ok(None);
    }
    let paid_out = verdict == AfterHand::PaidAfterAll && book_after_all(tx, scope, &mut stored, &refund, now)?;
    if paid_out {
        refund.refund.state = State::Succeeded;
    }
    if verdict != AfterHand::Confirmed {
        // The persons hear that they were wrong.
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
    if verdict != AfterHand::Confirmed {
        record(tx, scope, &stored, Some(id), Notice::ContradictsHand.code(), words, "core", now)?;
    }
    record(tx, scope, &stored, Some(id), kind::DOUBT_ENDED, "", "channel", now)?;
    announce(app, tx, scope, &refund, now)?;
    if !paid_out {
        return Ok(None);
    }
    tell_refund(tx, scope, &refund, now)?;
    Ok(Some(refund))
}

/// Books what the channel has given back after all. Not where the payment has no such money any more: that is for a person.
fn book_after_all(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    stored: &mut StoredPayment,
    refund: &StoredRefund,
    now: Millis,
) -> Result<bool, PaymentError> {
    let (id, amount) = (refund.refund.id, refund.refund.amount);
    let again = PaymentEvent::RefundHeardLate { refund: id, amount };
    if decide_payment(&stored.payment, &again, now).is_err() {
        return Ok(false);
    }
    move_payment(tx, scope, stored, &again, now)?;
    book(tx, scope, stored, Some(id), Movement::RefundReopened, &rules::refund_reserved(amount), now)?;
    pay_out(tx, scope, stored, &refund.refund, now)?;
    Ok(true)
}
