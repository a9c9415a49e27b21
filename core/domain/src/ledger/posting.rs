//! Sets of postings that cannot be out of balance.

use saoma_protocol::{Currency, Money};

use super::Account;

/// Money moved onto (positive, debit) or off (negative, credit) an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub account: Account,
    pub money: Money,
}

/// One movement: at least two postings, of one currency, that sum to zero. There is no other way to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostingSet(Vec<Posting>);

/// Why postings are not a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unbalanced {
    #[error("the postings sum to {0}, not to zero")]
    Sum(Money),
    #[error("a set needs postings of one currency")]
    Currencies,
    #[error("a set needs at least two postings")]
    TooFew,
    #[error("a posting of nothing says nothing")]
    Zero,
    /// The sum does not fit 64 bits, or a posting is −2^63, which has no negative.
    #[error("the sum does not fit")]
    Overflow,
}

impl PostingSet {
    /// # Errors
    /// In this order: `TooFew`, `Zero`, `Currencies`, `Overflow`, `Sum`.
    pub fn new(postings: Vec<Posting>) -> Result<Self, Unbalanced> {
        let [first, rest @ ..] = postings.as_slice() else { return Err(Unbalanced::TooFew) };
        if rest.is_empty() {
            return Err(Unbalanced::TooFew);
        }
        if postings.iter().any(|posting| posting.money.minor() == 0) {
            return Err(Unbalanced::Zero);
        }
        let currency: Currency = first.money.currency();
        if rest.iter().any(|posting| posting.money.currency() != currency) {
            return Err(Unbalanced::Currencies);
        }
        if postings.iter().any(|posting| posting.money.minor() == i64::MIN) {
            return Err(Unbalanced::Overflow);
        }
        // Wide enough for any number of postings, so that only the outcome decides and not the order.
        let sum: i128 = postings.iter().map(|posting| i128::from(posting.money.minor())).sum();
        let sum_minor = i64::try_from(sum).map_err(|_| Unbalanced::Overflow)?;
        if sum_minor != 0 {
            return Err(Unbalanced::Sum(Money::new(sum_minor, currency)));
        }
        Ok(Self(postings))
    }

    #[must_use]
    pub fn postings(&self) -> &[Posting] {
        &self.0
    }

    /// From one account to another: credits `from`, debits `to`. Nothing for a sum of zero or less.
    pub(super) fn transfer(from: Account, to: Account, money: Money) -> Option<Self> {
        (money.minor() > 0)
            .then(|| Self(vec![Posting { account: to, money }, Posting { account: from, money: money.negated() }]))
    }
}
