//! What a channel keeps of a payment.

use saoma_protocol::{Amount, Money};

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

    /// The fee on `amount`: rounded half up to a whole minor unit, never more than the amount.
    #[must_use]
    pub fn of(self, amount: Amount) -> Money {
        // At most 10^12 × 10^4 = 10^16, well within an i64.
        let fee_minor = (amount.minor() * i64::from(self.0) + 5_000) / 10_000;
        Money::new(fee_minor.min(amount.minor()), amount.currency())
    }
}
