//! What the cashier may do with a sale, and what the customer sees of it.

use saoma_protocol::{Millis, Money, api::PaymentState};
use serde::Serialize;

use super::{Sale, Stage};
use crate::peripherals::{Display, DisplayMessage};

/// The stable text of a state, as it is on the wire.
#[must_use]
pub const fn state_text(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Created => "created",
        PaymentState::Presenting => "presenting",
        PaymentState::Submitting => "submitting",
        PaymentState::Pending => "pending",
        PaymentState::Unknown => "unknown",
        PaymentState::Succeeded => "succeeded",
        PaymentState::PartlyRefunded => "partly_refunded",
        PaymentState::Refunded => "refunded",
        PaymentState::Voided => "voided",
        PaymentState::Failed => "failed",
        PaymentState::Reversed => "reversed",
        PaymentState::Expired => "expired",
        PaymentState::Cancelled => "cancelled",
    }
}

/// A button to offer. Waiting is always possible and has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Query,
    /// Core's word is taken from the customer's phone.
    Confirm,
    Cancel,
    Void,
    Refund,
    Reprint,
    /// Of what the acquirer declined when the goods were gone, core does not book or denies, or was paid after it was given up: it was seen.
    Acknowledge,
}

/// The buttons that make sense now, in a fixed order. There is none that declares an unknown sale paid.
#[must_use]
pub fn actions(sale: &Sale) -> Vec<Action> {
    let mut actions = Vec::new();
    if sale.kept.elsewhere {
        actions.extend((sale.refundable_minor() > 0).then_some(Action::Refund));
        actions.extend(sale.slip_again().map(|_| Action::Reprint));
        return actions;
    }
    let state = sale.state();
    let settled = state.is_some_and(PaymentState::is_settled);
    if matches!(sale.kept.stage, Stage::Sending { .. } | Stage::Known { .. }) {
        actions.push(Action::Query);
    }
    if sale.kept.phone.is_some() && !settled {
        actions.push(Action::Confirm);
    }
    if !settled && !sale.is_cancelling() && !sale.is_forwarded() {
        actions.push(Action::Cancel);
    }
    if state == Some(PaymentState::Succeeded) && sale.refundable_minor() == sale.kept.amount.minor() {
        actions.push(Action::Void);
    }
    if sale.refundable_minor() > 0 {
        actions.push(Action::Refund);
    }
    if (sale.was_captured() || sale.kept.stored) && sale.kept.split.is_none() {
        actions.push(Action::Reprint);
    }
    if sale.alarm().is_some() || sale.is_denied() {
        actions.push(Action::Acknowledge);
    }
    actions
}

/// How old a sale (or a payment through a printed code) may be that is announced: whoever pays later, perhaps after a night without a network,
/// does not stand there.
pub const ANNOUNCED_MS_MAX: i64 = 10 * 60 * 1_000;

/// What is said aloud when a sale has become this one: the amount, in the moment in which it counts as received. `was_captured`:
/// whether money had come in on it before. What is paid late is not announced: it goes back. Nor is what was sold by card without a
/// network: its money comes when nobody waits for it.
#[must_use]
pub fn to_announce(was_captured: bool, sale: &Sale, now: Millis) -> Option<Money> {
    let is_late = sale.view().is_some_and(|view| view.paid_late);
    let is_fresh = now.since(sale.kept.keyed_at) <= ANNOUNCED_MS_MAX;
    let is_received = !was_captured && sale.state() == Some(PaymentState::Succeeded);
    (is_received && is_fresh && !is_late && !sale.kept.stored).then(|| sale.kept.amount.money())
}

/// What the customer display shows while this sale has it.
#[must_use]
pub fn display(sale: &Sale) -> Display {
    let amount = sale.kept.amount.money();
    let message = |message| Display::Message {
        message,
        amount: Some(amount.decimal()),
        currency: Some(amount.currency()),
        change: None,
    };
    if let (Some(phone), Stage::Sending { cancelling: false, .. }) = (&sale.kept.phone, &sale.kept.stage) {
        return Display::Code {
            payment: sale.kept.payment,
            amount: amount.decimal(),
            currency: amount.currency(),
            code_url: phone.link.clone(),
            expires_at: Some(phone.expires_at),
        };
    }
    match (&sale.kept.stage, sale.state()) {
        (Stage::Cash { tendered_minor }, Some(PaymentState::Succeeded)) => {
            let change = tendered_minor - amount.minor();
            Display::Message {
                message: DisplayMessage::Paid,
                amount: Some(amount.decimal()),
                currency: Some(amount.currency()),
                change: (change > 0).then(|| Money::new(change, amount.currency()).decimal()),
            }
        }
        _ if sale.is_forwarded() => message(DisplayMessage::SignSlip),
        // A code that is being cancelled must not be paid any more.
        (Stage::Known { view, cancelling: false, .. }, Some(PaymentState::Presenting)) => match &view.code_url {
            Some(code_url) => Display::Code {
                payment: view.id,
                amount: amount.decimal(),
                currency: amount.currency(),
                code_url: code_url.clone(),
                expires_at: view.expires_at,
            },
            None => message(DisplayMessage::Confirming),
        },
        (_, Some(PaymentState::Succeeded)) => message(DisplayMessage::Paid),
        (_, Some(PaymentState::PartlyRefunded | PaymentState::Refunded | PaymentState::Voided)) => Display::Message {
            message: DisplayMessage::Refunded,
            amount: Some(Money::new(sale.refunded_minor().max(0), amount.currency()).decimal()),
            currency: Some(amount.currency()),
            change: None,
        },
        (_, Some(PaymentState::Failed | PaymentState::Reversed)) => message(DisplayMessage::Failed),
        (_, Some(PaymentState::Expired)) => message(DisplayMessage::Expired),
        (_, Some(PaymentState::Cancelled)) => message(DisplayMessage::Cancelled),
        (
            _,
            None
            | Some(
                PaymentState::Created
                | PaymentState::Presenting
                | PaymentState::Submitting
                | PaymentState::Pending
                | PaymentState::Unknown,
            ),
        ) => message(DisplayMessage::Confirming),
    }
}
