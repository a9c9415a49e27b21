//! Training (培训): what a sale that is only played is called, and how it ends. Pure.
//!
//! A played sale is never a [`crate::sale::Kept`] for anybody: the room that plays it (`app/training/play.rs`) has the only one,
//! private, and gives away a view of it, a slip marked TRAINING and what the display shows. So the journal, which takes nothing
//! but `Kept` and records, the sync, which sends the journal, and the requests to core, which are made from a sale, cannot get
//! one. Nothing of training is on the disk: it ends with the agent.

use std::{fmt, str::FromStr};

use saoma_protocol::Amount;
use serde::{Serialize, Serializer};

/// The number of a played sale: from 1 in each run of the agent, never used twice in it. `training_7` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrainingNumber(u32);

impl TrainingNumber {
    const PREFIX: &str = "training_";

    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TrainingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.0)
    }
}

/// What was read is not the number of a played sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number of a training sale is training_ and digits")]
pub struct NotANumber;

impl FromStr for TrainingNumber {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let digits = text.strip_prefix(Self::PREFIX).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok()).map(Self).ok_or(NotANumber)
    }
}

impl Serialize for TrainingNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a played sale by code or scan ends; the trainee chooses it by the last two digits of the amount. Cash always goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// Any other digits: paid.
    Paid,
    /// 01: declined, the customer has not enough money.
    Declined,
    /// 02: the result is unknown. Asked about (查询), or half a minute later, it is paid.
    UnknownThenPaid,
    /// 03: the result is unknown. Asked about, or half a minute later, it is not paid.
    UnknownThenReversed,
    /// 04: nobody pays. The code on show expires; a customer who was scanned never confirms, until it is cancelled.
    NeverPaid,
    /// 05: there is no network.
    Offline,
}

impl Plot {
    #[must_use]
    pub const fn of(amount: Amount) -> Self {
        match amount.minor() % 100 {
            1 => Self::Declined,
            2 => Self::UnknownThenPaid,
            3 => Self::UnknownThenReversed,
            4 => Self::NeverPaid,
            5 => Self::Offline,
            _ => Self::Paid,
        }
    }

    /// Whether giving `amount` back goes well: not if it ends in 01.
    #[must_use]
    pub const fn gives_back(amount: Amount) -> bool {
        !matches!(Self::of(amount), Self::Declined)
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Currency, PaymentId};

    use super::*;

    #[test]
    fn the_last_two_digits_choose_the_end() {
        for (minor, plot) in [
            (1250, Plot::Paid),
            (1201, Plot::Declined),
            (1, Plot::Declined),
            (102, Plot::UnknownThenPaid),
            (9_903, Plot::UnknownThenReversed),
            (4, Plot::NeverPaid),
            (1205, Plot::Offline),
            (1010, Plot::Paid),
            (99_999_999, Plot::Paid),
        ] {
            assert_eq!(Plot::of(Amount::new(minor, Currency::CNY).unwrap()), plot, "{minor}");
        }
    }

    #[test]
    fn a_number_is_read_as_it_is_written_and_is_no_number_of_a_sale() {
        let number = TrainingNumber::new(7);
        assert_eq!(number.to_string().parse(), Ok(number));
        assert!(number.to_string().parse::<PaymentId>().is_err());
        for text in ["", "7", "training_", "training_-1", "training_+7", "training_4294967296", "training_7 "] {
            assert_eq!(text.parse::<TrainingNumber>(), Err(NotANumber), "{text}");
        }
    }
}
