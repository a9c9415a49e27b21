//! What a terminal may have sold without core's knowing of it: sum, number and age. Pure.

use saoma_protocol::{Amount, Millis, Money};

use super::HOUR_MS;

/// At most so much, all of it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsentLimits {
    /// In minor units of the sales' currency.
    pub minor_max: i64,
    pub count_max: u32,
    /// Of the oldest.
    pub hours_max: u32,
}

/// Which of the limits another sale would break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverUnsent {
    #[error("this till may take {} more in this way until it has reached core: connect it, or take cash", .left.decimal())]
    Sum { left: Money },
    #[error(
        "this till has sold {0} times in this way without core's knowing of it, as often as it may: connect it, or take cash"
    )]
    Count(u32),
    #[error("this till has such a sale that core does not know of for more than {0} hours: connect it, or take cash")]
    Age(u32),
}

impl UnsentLimits {
    /// What may still be sold beside `unsent`, in minor units.
    pub fn left_minor(&self, unsent: impl Iterator<Item = (Amount, Millis)>) -> i64 {
        unsent.fold(self.minor_max, |left, (amount, _)| left.saturating_sub(amount.minor())).max(0)
    }

    /// Whether `amount` may be sold at `at` beside what is unsent, each with its time.
    ///
    /// # Errors
    /// In the order of [`OverUnsent`].
    pub fn check(
        &self,
        unsent: impl Iterator<Item = (Amount, Millis)> + Clone,
        amount: Amount,
        at: Millis,
    ) -> Result<(), OverUnsent> {
        let left_minor = self.left_minor(unsent.clone());
        if amount.minor() > left_minor {
            return Err(OverUnsent::Sum { left: Money::new(left_minor, amount.currency()) });
        }
        if unsent.clone().count() >= self.count_max as usize {
            return Err(OverUnsent::Count(self.count_max));
        }
        let oldest = unsent.map(|(_, sold_at)| at.since(sold_at)).max();
        if oldest.is_some_and(|age_ms| age_ms > i64::from(self.hours_max) * HOUR_MS) {
            return Err(OverUnsent::Age(self.hours_max));
        }
        Ok(())
    }
}
