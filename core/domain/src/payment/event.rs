//! What can happen to a payment.

use saoma_protocol::{Amount, Millis, Money, RefundId, api::Failure, api::PaymentState};

use super::Payment;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The channel gave a code (merchant-presented).
    Present { expires_at: Millis },
    /// About to send the charge (customer-presented).
    Submit,
    /// A terminal has sold it by card without a network: the goods are gone, and the acquirer is told until it answers.
    Store,
    /// Cash was taken; the drawer is the channel.
    TakeCash { at: Millis },
    /// The channel said something, and it is about this payment ([`Answer::about`]).
    Answered(Answer),
    /// The request certainly had no effect.
    NotSent { failure: Failure },
    /// The request may have had an effect, and there is no answer.
    NoAnswer,
    /// The channel sent on its own what cannot be true of it (another sum): something has happened that we do not know.
    Unbelieved,
    /// The code's time is over, or it was opened too often.
    Expire,
    /// A person does not want it any more.
    Cancel,
    /// Money is to go back: set it aside. The whole amount for a void.
    ReserveRefund { refund: RefundId, amount: Amount },
    /// A refund that had been called not paid is paid after all: its amount is set aside once more, whatever is disputed.
    RefundHeardLate { refund: RefundId, amount: Amount },
    /// The channel confirmed a refund.
    RefundSucceeded { refund: RefundId, amount: Amount },
    /// The channel said that a refund will never be paid.
    RefundFailed { refund: RefundId, amount: Amount },
    /// The channel confirmed a void.
    VoidSucceeded { refund: RefundId },
    /// The customer disputes so much of it, and the channel has taken that back until it is decided.
    DisputeOpened { amount: Amount },
    /// A dispute of so much was decided for the merchant. (One that is lost changes nothing: the channel has the money.)
    DisputeWon { amount: Amount },
    /// Two persons say how it ended, since the channel does not.
    SettledByHand { paid: bool, at: Millis },
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
    /// The reply to a charge or query that began after the payment last moved: it tells how things stand.
    Reply,
    /// The reply to a cancel, likewise.
    CancelReply,
    /// Sent by the channel on its own, or the reply to a call that the payment has overtaken: it tells how things stood.
    Notification,
}

/// Whether a channel's answers say how much was paid, as its manifest declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amounts {
    Named,
    NotNamed,
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
    /// An answer that may be believed: it names this payment, and this amount if it names one. One that says that money
    /// was paid must name it, unless the channel's answers never do.
    ///
    /// # Errors
    /// `AnswerForAnother`, then `AnswerAmount`, then `AnswerWithoutAmount`.
    pub fn about(
        payment: &Payment,
        number: &str,
        amount: Option<Money>,
        amounts: Amounts,
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
            None if amounts == Amounts::Named
                && matches!(status, AnswerStatus::Succeeded { .. } | AnswerStatus::Refunded { .. }) =>
            {
                Err(Refusal::AnswerWithoutAmount)
            }
            Some(_) | None => Ok(Self { status, source }),
        }
    }

    /// Whether it leaves nothing to ask: how things stand now, in the channel's own words.
    #[must_use]
    pub const fn is_definite(&self) -> bool {
        let fresh = match self.source {
            Source::Reply | Source::CancelReply => true,
            Source::Notification => false,
        };
        fresh
            && match self.status {
                AnswerStatus::Succeeded { .. }
                | AnswerStatus::Failed { .. }
                | AnswerStatus::Closed
                | AnswerStatus::Refunded { .. } => true,
                AnswerStatus::Pending | AnswerStatus::NotFound => false,
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
    #[error("the channel answered that it is paid and did not say how much")]
    AnswerWithoutAmount,
    #[error("a payment that is {state:?} cannot be {verb}")]
    NotInState { state: PaymentState, verb: &'static str },
    #[error("{asked} is more than the {left_minor} minor units that can still be given back")]
    RefundExceeds { asked: Amount, left_minor: i64 },
    #[error("the refund is in another currency than the payment")]
    RefundCurrency,
    #[error(
        "{asked} cannot be given back: {disputed_minor} minor units are disputed, and {left_minor} are left beside them"
    )]
    Disputed { asked: Amount, left_minor: i64, disputed_minor: i64 },
    #[error(
        "{asked} cannot be given back yet: {doubted_minor} minor units were called not given back by persons, the channel has \
         not confirmed that, and {left_minor} are left beside them"
    )]
    InDoubt { asked: Amount, left_minor: i64, doubted_minor: i64 },
    #[error("the dispute is in another currency than the payment")]
    DisputeCurrency,
    #[error("cash cannot be disputed: no channel has it")]
    CashDisputed,
    #[error("only a payment of which nothing was given back can be voided")]
    VoidAfterRefund,
    #[error("the books would not hold: {0}")]
    Invariant(&'static str),
}
