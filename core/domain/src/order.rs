//! What is being sold, and how its payments together stand.
//!
//! Every payment of an order is of the order's whole amount, so an order is never paid in parts: one success pays it, and any
//! further one is money too much, which is given back by itself. What a channel says it took is checked against the amount
//! of the payment ([`crate::payment::Answer::about`]): another sum is not believed and never pays an order.

use saoma_protocol::{Amount, PaymentId};

use crate::payment::{Payment, State};

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody may still pay it.
    Open,
    /// Nobody can pay it any more, and nobody has.
    Closed,
    Paid,
    /// Paid, and paid again: the second payment's money is not wholly given back yet.
    Overpaid,
    /// What paid it was given back in full, or voided.
    Returned,
}

impl Standing {
    pub const ALL: [Self; 5] = [Self::Open, Self::Closed, Self::Paid, Self::Overpaid, Self::Returned];

    /// The stable text, as sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
            Self::Returned => "returned",
        }
    }
}

/// How an order whose success was kept from `paid_by` stands with all its `payments`.
#[must_use]
pub fn standing(paid_by: Option<PaymentId>, payments: &[Payment]) -> Standing {
    let holds = |payment: &Payment| held_minor(payment) > 0;
    let Some(first) = paid_by else {
        let may_come = |payment: &Payment| may_be_paid(&payment.state) || holds(payment);
        return if payments.iter().any(may_come) { Standing::Open } else { Standing::Closed };
    };
    if payments.iter().any(|payment| payment.id != first && holds(payment)) {
        return Standing::Overpaid;
    }
    if payments.iter().any(|payment| payment.id == first && holds(payment)) {
        Standing::Paid
    } else {
        Standing::Returned
    }
}

/// Whether another payment may be made for an order.
///
/// # Errors
/// `Paid`, then `OtherAmount`.
pub fn may_join(paid_by: Option<PaymentId>, order: Amount, payment: Amount) -> Result<(), Refusal> {
    match paid_by {
        Some(by) => Err(Refusal::Paid { by }),
        None if order != payment => Err(Refusal::OtherAmount { order, payment }),
        None => Ok(()),
    }
}

/// Why a payment cannot be made for an order. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the order is paid by {by}")]
    Paid { by: PaymentId },
    #[error("the order is of {order}, and every payment of it must be; {payment} was asked")]
    OtherAmount { order: Amount, payment: Amount },
}

/// Whether a customer may yet pay it.
#[must_use]
pub const fn may_be_paid(state: &State) -> bool {
    match state {
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. } => true,
        State::Captured(_)
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { .. }
        | State::Cancelled { .. } => false,
    }
}

/// What has come in and is not given back, in minor units. Money on its way back still counts.
const fn held_minor(payment: &Payment) -> i64 {
    match &payment.state {
        State::Captured(capture) => payment.amount.minor() - capture.refunded_minor,
        State::Created
        | State::Presenting { .. }
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { .. }
        | State::Cancelled { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Currency, Millis};

    use super::*;
    use crate::payment::{Capture, Close, Method};

    fn payment(number: u8, state: State) -> Payment {
        let amount = Amount::new(1_000, Currency::CNY).unwrap();
        Payment { id: PaymentId::from_bytes([number; 16]), amount, method: Method::MerchantPresented, state }
    }

    fn captured(refunded_minor: i64, reserved_minor: i64) -> State {
        State::Captured(Capture {
            at: Millis(1),
            late: false,
            by_hand: false,
            refunded_minor,
            reserved_minor,
            disputed_minor: 0,
        })
    }

    #[test]
    fn an_order_stands_as_its_payments_do() {
        let shown = || State::Presenting { expires_at: Millis(9) };
        let closed = || State::Cancelled { close: Close::Asked };
        let first = Some(PaymentId::from_bytes([1; 16]));
        for (paid_by, states, expected) in [
            (None, vec![shown(), shown()], Standing::Open),
            (None, vec![State::Reversed, shown()], Standing::Open),
            (None, vec![State::Reversed, closed()], Standing::Closed),
            (None, vec![], Standing::Closed),
            (first, vec![captured(0, 0), shown()], Standing::Paid),
            (first, vec![captured(400, 0), closed()], Standing::Paid),
            (first, vec![captured(0, 0), captured(0, 1_000)], Standing::Overpaid),
            (first, vec![captured(0, 0), captured(0, 0)], Standing::Overpaid),
            (first, vec![captured(0, 0), captured(1_000, 0)], Standing::Paid),
            (first, vec![captured(1_000, 0), closed()], Standing::Returned),
            (first, vec![State::Voided { captured_at: Millis(1) }], Standing::Returned),
        ] {
            let payments: Vec<Payment> = (1..).zip(&states).map(|(n, state)| payment(n, state.clone())).collect();
            assert_eq!(standing(paid_by, &payments), expected, "{states:?}");
        }
    }

    #[test]
    fn a_payment_of_an_order_is_of_its_whole_amount_and_of_an_unpaid_one() {
        let cny = |minor| Amount::new(minor, Currency::CNY).unwrap();
        let by = PaymentId::from_bytes([1; 16]);
        assert_eq!(may_join(None, cny(5), cny(5)), Ok(()));
        assert_eq!(may_join(None, cny(5), cny(4)), Err(Refusal::OtherAmount { order: cny(5), payment: cny(4) }));
        assert_eq!(may_join(Some(by), cny(5), cny(4)), Err(Refusal::Paid { by }));
    }
}
