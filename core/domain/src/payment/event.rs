//! What can happen to a payment.

use saoma_protocol::{Amount, Millis, Money, PaymentId, RefundId, api::Failure, api::PaymentState};

use super::Payment;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The channel gave a code (merchant-presented).
    Present { expires_at: Millis },
    /// About to send the charge (customer-presented).
    Submit,
    /// Cash was taken; the drawer is the channel.
    TakeCash { at: Millis },
    /// The channel said something, and it is about this payment ([`Answer::about`]).
    Answered(Answer),
    /// The request certainly had no effect.
    NotSent { failure: Failure },
    /// The request may have had an effect, and there is no answer.
    NoAnswer,
    /// The code's time is over, or it was opened too often.
    Expire,
    /// A person does not want it any more.
    Cancel,
    /// Money is to go back: set it aside. The whole amount for a void.
    ReserveRefund { refund: RefundId, amount: Amount },
    /// The channel confirmed a refund.
    RefundSucceeded { refund: RefundId, amount: Amount },
    /// The channel said that a refund will never be paid.
    RefundFailed { refund: RefundId, amount: Amount },
    /// The channel confirmed a void.
    VoidSucceeded { refund: RefundId },
}

/// What the channel said, checked to be about this payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: AnswerStatus,
    source: Source,
}

/// How an answer came, which says whether it can be older than what we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The reply to a call that we made just now (create, charge, query, cancel): it tells how things stand.
    Reply,
    /// Sent by the channel on its own: it may have been under way for days, and tells how things stood.
    Notification,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerStatus {
    Succeeded {
        paid_at: Millis,
    },
    Pending,
    Failed {
        failure: Failure,
    },
    /// The channel has no such order.
    NotFound,
    /// Closed unpaid, or undone.
    Closed,
    /// Paid, and given back in part or in whole.
    Refunded {
        paid_at: Millis,
    },
}

impl Answer {
    /// An answer that may be believed: it names this payment, and this amount if it names one. An answer of success that
    /// names no amount is believed, since some channels' answers carry none.
    ///
    /// # Errors
    /// `AnswerForAnother`, then `AnswerAmount`.
    pub fn about(
        payment: &Payment,
        number: &str,
        amount: Option<Money>,
        status: AnswerStatus,
        source: Source,
    ) -> Result<Self, Refusal> {
        if number != payment.id.to_string() {
            return Err(Refusal::AnswerForAnother { given: number.chars().take(64).collect() });
        }
        match amount {
            Some(given) if given != payment.amount.money() => {
                Err(Refusal::AnswerAmount { expected: payment.amount, given })
            }
            _ => Ok(Self { status, source }),
        }
    }

    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    #[must_use]
    pub const fn status(&self) -> &AnswerStatus {
        &self.status
    }
}

/// Why something cannot happen to a payment as it stands. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the channel answered about order {given:?}")]
    AnswerForAnother { given: String },
    #[error("the channel answered with {given} where {expected} was asked")]
    AnswerAmount { expected: Amount, given: Money },
    #[error("a payment that is {state:?} cannot be {verb}")]
    NotInState { state: PaymentState, verb: &'static str },
    #[error("{asked} is more than the {left_minor} minor units that can still be given back")]
    RefundExceeds { asked: Amount, left_minor: i64 },
    #[error("the refund is in another currency than the payment")]
    RefundCurrency,
    #[error("only a payment of which nothing was given back can be voided")]
    VoidAfterRefund,
    #[error("the books would not hold: {0}")]
    Invariant(&'static str),
    /// The payment that the answer or refund names is not this one.
    #[error("the payment is {0}")]
    OtherPayment(PaymentId),
}
