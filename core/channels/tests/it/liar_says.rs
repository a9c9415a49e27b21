//! What a liar says in the place of an answer, and of which answers.

use saoma_channels::{
    Created, Decline, DeclineCode, Failure, KnownOrder, Order, PaymentAnswer, PaymentStatus, RefundAnswer, RefundOrder,
    RefundStatus, in_app::Step,
};
use saoma_domain::settlement::Settled;
use saoma_protocol::{Currency, Money};

/// What is asked of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// For money: of a code, of a card, of what was sold without a network.
    Ask,
    Create,
    Open,
    Query,
    Cancel,
    Refund,
    QueryRefund,
    Settle,
    Upload,
    Finish,
    SelfTest,
}

/// Of which answers a lie is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Of all, and nothing is asked of the scheme.
    Unasked,
    Any,
    /// What was asked before under the same number.
    Again,
    /// No clear answer.
    Unclear,
    /// An answer whose signature is wrong.
    Unsigned,
    /// Any failure of the call.
    Wrong,
    Pending,
    /// The scheme said no, or the request had no effect.
    Refused,
    NotFound,
    /// Of another amount than the one that was asked for.
    Mistaken,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    Succeeded,
    Pending,
    Failed(DeclineCode),
    NotFound,
    Closed,
    Refunded,
    NotSent,
    NoAnswer,
    Trapped,
    Balanced,
    Differs,
    Over,
    /// Of a self-test: words, or none.
    Words(&'static str),
    Nothing,
}

/// Which order, refund or batch it is about.
pub struct About {
    pub number: String,
    pub amount: Money,
}

impl About {
    pub fn of(order: &Order) -> Self {
        Self { number: order.number.to_string(), amount: order.amount.money() }
    }

    pub fn known(order: &KnownOrder) -> Self {
        Self { number: order.number.to_string(), amount: order.amount.money() }
    }

    pub fn refunded(refund: &RefundOrder) -> Self {
        Self { number: refund.refund_number.to_string(), amount: refund.amount.money() }
    }

    pub fn nothing() -> Self {
        Self { number: String::new(), amount: Money::new(0, Currency::CNY) }
    }
}

/// An answer that a liar can make up.
pub trait Answer: Sized {
    fn is(&self, _: When, _: &About) -> bool {
        false
    }

    fn made(say: Say, about: &About) -> Self;
}

impl When {
    pub fn fits<T: Answer>(self, outcome: &Result<T, Failure>, about: &About, is_again: bool) -> bool {
        match (self, outcome) {
            (Self::Any, _) => true,
            (Self::Again, _) => is_again,
            (Self::Unclear, Err(Failure::NoAnswer { .. } | Failure::TimedOut { .. })) => true,
            (Self::Unsigned, Err(Failure::NoAnswer { why })) => why.contains("signature"),
            (Self::Refused, Err(Failure::NotSent { .. })) | (Self::Wrong, Err(_)) => true,
            (when, Ok(answer)) => answer.is(when, about),
            (_, Err(_)) => false,
        }
    }
}

impl Say {
    pub fn made<T: Answer>(self, about: &About) -> Result<T, Failure> {
        let why = "made up".to_owned();
        match self {
            Self::NotSent => Err(Failure::NotSent { why }),
            Self::NoAnswer => Err(Failure::NoAnswer { why }),
            Self::Trapped => Err(Failure::Trapped { why: "unreachable".to_owned() }),
            said => Ok(T::made(said, about)),
        }
    }

    fn decline(self) -> Decline {
        let Self::Failed(code) = self else { panic!("{self:?} is none of these answers") };
        Decline { code, message: "no".to_owned() }
    }
}

impl Answer for PaymentAnswer {
    fn is(&self, when: When, about: &About) -> bool {
        match when {
            When::Pending => self.status == PaymentStatus::Pending,
            When::Refused => matches!(self.status, PaymentStatus::Failed(_)),
            When::NotFound => self.status == PaymentStatus::NotFound,
            When::Mistaken => self.amount.is_some_and(|amount| amount != about.amount),
            _ => false,
        }
    }

    fn made(say: Say, about: &About) -> Self {
        let status = match say {
            Say::Succeeded => PaymentStatus::Succeeded,
            Say::Pending => PaymentStatus::Pending,
            Say::NotFound => PaymentStatus::NotFound,
            Say::Closed => PaymentStatus::Closed,
            Say::Refunded => PaymentStatus::Refunded,
            other => PaymentStatus::Failed(other.decline()),
        };
        let amount = matches!(status, PaymentStatus::Succeeded | PaymentStatus::Refunded).then_some(about.amount);
        let (reference, payer_hint) = Default::default();
        Self { status, number: about.number.clone(), amount, reference, paid_at: None, payer_hint }
    }
}

impl Answer for RefundAnswer {
    fn is(&self, when: When, about: &About) -> bool {
        match when {
            When::Pending => self.status == RefundStatus::Pending,
            When::Refused => matches!(self.status, RefundStatus::Failed(_)),
            When::NotFound => self.status == RefundStatus::NotFound,
            When::Mistaken => self.amount.is_some_and(|amount| amount != about.amount),
            _ => false,
        }
    }

    fn made(say: Say, about: &About) -> Self {
        let status = match say {
            Say::Succeeded => RefundStatus::Succeeded,
            Say::Pending => RefundStatus::Pending,
            Say::NotFound => RefundStatus::NotFound,
            other => RefundStatus::Failed(other.decline()),
        };
        let amount = (status == RefundStatus::Succeeded).then_some(about.amount);
        Self { status, refund_number: about.number.clone(), amount, reference: String::new() }
    }
}

impl Answer for Created {
    fn made(_: Say, _: &About) -> Self {
        Self { code: "https://pay.example.com/for-somebody-else".to_owned() }
    }
}

impl Answer for Step {
    fn made(_: Say, _: &About) -> Self {
        Self::Visit { url: "https://pay.example.com/for-somebody-else".to_owned() }
    }
}

impl Answer for Settled {
    fn made(say: Say, _: &About) -> Self {
        match say {
            Say::Balanced => Self::Balanced,
            Say::Differs => Self::Differs(None),
            _ => Self::Over("it was closed before".to_owned()),
        }
    }
}

impl Answer for () {
    fn made(_: Say, _: &About) {}
}

impl Answer for String {
    fn made(say: Say, _: &About) -> Self {
        if let Say::Words(words) = say { words.to_owned() } else { Self::new() }
    }
}
