//! Reconciliation: what the books say moved through a channel on a day, against the channel's own bill of that day.
//!
//! Both sides come sorted by our number and are walked through once, so that a day of a million movements needs no more
//! memory than a page of it. Every row of either side ends in exactly one place: it agrees, it was undone on its own day, or
//! it is a [`Finding`] with the fields that differ and a proposed fix.

mod classify;
mod matching;
mod workflow;

use saoma_protocol::{Currency, Millis, Money};

pub(crate) use classify::named;
pub use classify::{
    Class, Correction, Field, Finding, Fix, Known, compare, corrected, duplicate, netted, no_bill, only_ours,
    only_theirs, paid_out_otherwise, unreadable,
};
pub use matching::{Merge, MergeError, Pair};
pub use workflow::{Standing, Step, StepRefusal, step};

/// What kind of movement a row is about. In the order in which they are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Movement {
    /// The channel took back what a customer disputes. Under the number of the case at the channel, or of the payment where the
    /// channel has no numbers for cases.
    Chargeback,
    /// The channel gave it back, because the merchant won. Under the same number.
    ChargebackReversal,
    Payment,
    /// Under a refund's number of its own.
    Refund,
    /// The payment was undone whole, under its own number: a void, a cancel.
    Reversal,
}

impl Movement {
    pub const ALL: [Self; 5] =
        [Self::Chargeback, Self::ChargebackReversal, Self::Payment, Self::Refund, Self::Reversal];

    /// The stable text of this kind, as stored and sent. Their alphabetical order is that of the kinds.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Chargeback => "chargeback",
            Self::ChargebackReversal => "chargeback_reversal",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|movement| movement.text() == text)
    }

    /// Whether the channel holds more of the merchant's money after it.
    #[must_use]
    pub const fn is_income(self) -> bool {
        matches!(self, Self::Payment | Self::ChargebackReversal)
    }

    /// Whether it is about a dispute.
    #[must_use]
    pub const fn is_of_dispute(self) -> bool {
        matches!(self, Self::Chargeback | Self::ChargebackReversal)
    }
}

/// By what both sides call the same movement: our number of the refund, the channel's of a disputed case, else our number of the payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub number: String,
    pub movement: Movement,
}

/// One side's word on a movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its size: positive for what came and for what went back alike.
    pub money: Money,
    /// What the channel keeps; negative where it gives a fee back. Of the same currency.
    pub fee: Money,
    /// When it was booked there.
    pub at: Millis,
}

impl Side {
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.money.currency()
    }
}

/// A movement of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    pub key: Key,
    pub side: Side,
}

/// A line of the bill that could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    pub key: Key,
    pub side: Side,
    /// From 1, as the channel listed them.
    pub line: u64,
}
