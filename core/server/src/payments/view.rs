//! Payments and refunds as the API shows them.

use saoma_domain::{pay_code, payment::State, refund::State as RefundStanding};
use saoma_protocol::{
    Millis,
    api::{Attention, PaymentView, RefundView},
};
use saoma_store::{
    payments::{Sale, Watch},
    refunds::StoredRefund,
};

use crate::app::App;

#[must_use]
pub fn payment_view(app: &App, sale: &Sale) -> PaymentView {
    let on_show = matches!(sale.payment.payment.state, State::Presenting { .. });
    // What an app or a page was given is of no use to anybody else.
    let code = sale.code.as_ref().filter(|_| on_show && sale.static_code.is_none());
    let code_url = code
        .map(|code| format!("{}/p/{}", app.config().server.public_url, pay_code::issue(code.id, app.pay_code_key())));
    PaymentView { code_url, ..payment_facts(sale) }
}

/// The same without the code on show.
#[must_use]
pub fn payment_facts(sale: &Sale) -> PaymentView {
    let (stored, order) = (&sale.payment, &sale.order);
    let payment = &stored.payment;
    let (mut refunded_minor, mut disputed_minor, mut paid_late) = (0, 0, false);
    let (mut paid_at, mut failure, mut expires_at) = (None, None, None);
    match &payment.state {
        State::Captured(capture) => {
            refunded_minor = capture.refunded_minor + capture.reserved_minor;
            disputed_minor = capture.disputed_minor;
            (paid_at, paid_late) = (Some(capture.at), capture.late);
        }
        State::Voided { captured_at } => (refunded_minor, paid_at) = (payment.amount.minor(), Some(*captured_at)),
        State::Failed { failure: why } => failure = Some(why.clone()),
        State::Presenting { expires_at: at } => expires_at = Some(*at),
        _ => {}
    }
    PaymentView {
        id: payment.id,
        order: stored.order,
        version: stored.version,
        state: payment.public_state(),
        amount: payment.amount,
        refunded_minor,
        disputed_minor,
        method: payment.method.text().to_owned(),
        channel: stored.channel.clone(),
        channel_account: stored.channel_account,
        channel_reference: stored.channel_reference.clone(),
        store: stored.store,
        terminal: stored.terminal,
        counter: order.counter,
        cashier: order.cashier.clone(),
        reference: order.reference.clone(),
        goods: order.goods.clone(),
        code_url: None,
        static_code: sale.static_code.as_ref().map(|origin| origin.code),
        expires_at,
        paid_late,
        paid_by_hand: matches!(&payment.state, State::Captured(capture) if capture.by_hand),
        needs_attention: attention(&stored.watch, stored.next_attempt_at),
        failure,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
        paid_at,
        stored_at: sale.stored_at,
    }
}

#[must_use]
pub fn refund_view(stored: &StoredRefund) -> RefundView {
    let failure = match &stored.refund.state {
        RefundStanding::Failed { failure } => Some(failure.clone()),
        _ => None,
    };
    RefundView {
        id: stored.refund.id,
        payment: stored.payment,
        version: stored.version,
        kind: stored.refund.kind,
        state: stored.refund.public_state(),
        amount: stored.refund.amount,
        reason: stored.reason.clone(),
        channel_reference: stored.channel_reference.clone(),
        failure,
        needs_attention: attention(&stored.watch, stored.next_attempt_at),
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

fn attention(watch: &Watch, next_attempt_at: Option<Millis>) -> Option<Attention> {
    watch.attention_at.map(|since| Attention {
        since,
        asked: watch.asked,
        last_said: watch.last_said.clone(),
        last_said_at: watch.last_said_at,
        next_attempt_at,
    })
}
