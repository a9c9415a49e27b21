//! What a channel keeps of a payment, and what it gives back of that when the payment is refunded.
//!
//! Rounding: half up, to a whole minor unit, once per payment, and before the fixed part is added. A channel's bill names
//! each payment's fee in whole minor units and rounds each by itself; a sum of unrounded fees would never meet the bill.
//! Half up, since that is what acquirers print; a channel that rounds otherwise shows up in reconciliation as a difference
//! of one minor unit, not as money lost.

use saoma_protocol::{Amount, Currency, Money, money::AMOUNT_MINOR_MAX};

/// A rate in hundredths of a percent: 60 is 0.60 %. 0 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasisPoints(u16);

/// A rate above 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fee of {0} basis points is more than 10,000 (100 %)")]
pub struct FeeTooHigh(pub u16);

impl BasisPoints {
    /// # Errors
    /// [`FeeTooHigh`] above 10,000.
    pub const fn new(basis_points: u16) -> Result<Self, FeeTooHigh> {
        if basis_points > 10_000 { Err(FeeTooHigh(basis_points)) } else { Ok(Self(basis_points)) }
    }

    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The rate's share of `amount`, rounded half up; never more than the amount.
    #[must_use]
    pub fn of(self, amount: Amount) -> Money {
        // At most 10^12 × 10^4 = 10^16, well within an i64.
        Money::new((amount.minor() * i64::from(self.0) + 5_000) / 10_000, amount.currency())
    }
}

/// Prices for payments from a certain amount on. They hold for the whole amount, not for the part above `from_minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The smallest amount that this tier is for, in minor units.
    pub from_minor: i64,
    pub rate: BasisPoints,
    /// Added to the rate's share, in minor units.
    pub fixed_minor: i64,
}

/// Prices in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    pub currency: Currency,
    /// By `from_minor`, ascending; the first is from 0.
    pub tiers: Vec<Tier>,
    /// The least that is kept of a payment, in minor units.
    pub minimum_minor: i64,
    /// The most, in minor units.
    pub maximum_minor: Option<i64>,
}

/// What becomes of the fee when money goes back to the customer, by refund or void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeOnRefund {
    /// The channel keeps it.
    Keep,
    /// It comes back in the proportion that the amount does.
    Proportional,
    /// It comes back as a whole, with the refund that leaves nothing.
    Whole,
}

/// The terms of a channel account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeePlan {
    rate: BasisPoints,
    tariffs: Vec<Tariff>,
    on_refund: FeeOnRefund,
}

/// Why terms cannot be a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeePlanError {
    #[error("{0} has two tariffs")]
    CurrencyTwice(Currency),
    #[error("a tariff has 1 to {TIERS_MAX} tiers, not {0}")]
    TierCount(usize),
    #[error("the first tier is from 0, and each from more than the one before it")]
    TierOrder,
    #[error("a part of a fee is 0 to {AMOUNT_MINOR_MAX} minor units, not {0}")]
    OutOfRange(i64),
    #[error("the minimum of {minimum_minor} is more than the maximum of {maximum_minor}")]
    MinimumAboveMaximum { minimum_minor: i64, maximum_minor: i64 },
}

/// Most tiers of a tariff: no price list that we know has more than a handful.
pub const TIERS_MAX: usize = 20;

impl FeePlan {
    /// A plan of a rate alone, whose fees are kept on refunds.
    #[must_use]
    pub const fn flat(rate: BasisPoints) -> Self {
        Self { rate, tariffs: Vec::new(), on_refund: FeeOnRefund::Keep }
    }

    /// `rate` is for currencies that have no tariff.
    ///
    /// # Errors
    /// Of the first tariff at fault, in this order: `CurrencyTwice`, `TierCount`, `TierOrder`, `OutOfRange`,
    /// `MinimumAboveMaximum`.
    pub fn new(rate: BasisPoints, tariffs: Vec<Tariff>, on_refund: FeeOnRefund) -> Result<Self, FeePlanError> {
        for (idx, tariff) in tariffs.iter().enumerate() {
            if tariffs.iter().take(idx).any(|before| before.currency == tariff.currency) {
                return Err(FeePlanError::CurrencyTwice(tariff.currency));
            }
            tariff.check()?;
        }
        Ok(Self { rate, tariffs, on_refund })
    }

    /// The same plan with another rate for currencies without a tariff.
    #[must_use]
    pub fn with_rate(&self, rate: BasisPoints) -> Self {
        Self { rate, ..self.clone() }
    }

    #[must_use]
    pub const fn rate(&self) -> BasisPoints {
        self.rate
    }

    #[must_use]
    pub fn tariffs(&self) -> &[Tariff] {
        &self.tariffs
    }

    #[must_use]
    pub const fn on_refund(&self) -> FeeOnRefund {
        self.on_refund
    }

    /// What the channel keeps of a payment of `amount`. It can be more than the amount where a fixed part or a minimum says
    /// so: that is what acquirers charge for very small sales, and the books must show it.
    #[must_use]
    pub fn fee(&self, amount: Amount) -> Money {
        match self.tariffs.iter().find(|tariff| tariff.currency == amount.currency()) {
            Some(tariff) => tariff.fee(amount),
            None => self.rate.of(amount),
        }
    }
}

impl Tariff {
    fn check(&self) -> Result<(), FeePlanError> {
        if self.tiers.is_empty() || self.tiers.len() > TIERS_MAX {
            return Err(FeePlanError::TierCount(self.tiers.len()));
        }
        let ascending = self.tiers.windows(2).all(|pair| pair[0].from_minor < pair[1].from_minor);
        if !ascending || self.tiers.first().is_some_and(|tier| tier.from_minor != 0) {
            return Err(FeePlanError::TierOrder);
        }
        let parts = self.tiers.iter().flat_map(|tier| [tier.from_minor, tier.fixed_minor]);
        for part_minor in parts.chain([self.minimum_minor]).chain(self.maximum_minor) {
            if !(0..=AMOUNT_MINOR_MAX).contains(&part_minor) {
                return Err(FeePlanError::OutOfRange(part_minor));
            }
        }
        match self.maximum_minor {
            Some(maximum_minor) if self.minimum_minor > maximum_minor => {
                Err(FeePlanError::MinimumAboveMaximum { minimum_minor: self.minimum_minor, maximum_minor })
            }
            _ => Ok(()),
        }
    }

    fn fee(&self, amount: Amount) -> Money {
        let tier = self.tiers.iter().rev().find(|tier| tier.from_minor <= amount.minor());
        // Two parts of at most 10^12 each.
        let fee_minor = tier.map_or(0, |tier| tier.rate.of(amount).minor() + tier.fixed_minor);
        let fee_minor = fee_minor.max(self.minimum_minor).min(self.maximum_minor.unwrap_or(i64::MAX));
        Money::new(fee_minor, amount.currency())
    }
}

impl FeeOnRefund {
    /// How much of `fee` has come back once `refunded_minor` of `amount` has been given back; 0 to the fee.
    ///
    /// It is of the sum, not of one refund: each refund brings what the sum grows by. So the parts of partial refunds sum
    /// to exactly what one refund of the whole would have brought, however they are rounded and ordered.
    #[must_use]
    pub fn returned(self, fee: Money, amount: Amount, refunded_minor: i64) -> Money {
        let whole_minor = i128::from(amount.minor());
        let refunded_minor = i128::from(refunded_minor).clamp(0, whole_minor);
        let fee_minor = i128::from(fee.minor().max(0));
        let returned_minor = match self {
            Self::Keep => 0,
            Self::Whole if refunded_minor == whole_minor => fee_minor,
            Self::Whole => 0,
            // Half up, as the fee itself.
            Self::Proportional => (2 * fee_minor * refunded_minor + whole_minor) / (2 * whole_minor),
        };
        // At most the fee, which is an i64.
        Money::new(i64::try_from(returned_minor).unwrap_or_default(), fee.currency())
    }
}
