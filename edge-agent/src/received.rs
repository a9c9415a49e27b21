//! What customers paid through the shop's printed codes (聚合码), as core tells it: what of it is said aloud, and what is of today. Pure.
//!
//! No sale of this till: it is in no total, no report and no drawer here, and nothing can be done about it but on the dashboard.

use saoma_protocol::{Amount, Millis, PaymentId};
use serde::{Deserialize, Serialize};

use crate::sale::ANNOUNCED_MS_MAX;

/// The newest, which a till lists. Whoever looks for an older one has the dashboard.
pub const LISTED_MAX: usize = 20;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    pub payment: PaymentId,
    /// The shop's own name for the code.
    pub label: String,
    pub amount: Amount,
    /// When the channel took it, by the channel's clock; at the latest when core told of it.
    pub paid_at: Millis,
}

impl Received {
    /// Whether somebody still stands there and waits for the shop to hear of it. `now`: by core's clock, if that is known.
    #[must_use]
    pub fn is_announced(&self, now: Millis) -> bool {
        now.since(self.paid_at) <= ANNOUNCED_MS_MAX
    }

    /// Whether it was paid on the day of `now`, where the till stands.
    #[must_use]
    pub fn is_of_day(&self, now: Millis, utc_offset_minutes: i32) -> bool {
        let day = |at: Millis| at.plus(i64::from(utc_offset_minutes) * MINUTE_MS).0.div_euclid(DAY_MS);
        day(self.paid_at) == day(now)
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;

    fn paid_at(at: i64) -> Received {
        let amount = Amount::new(1_250, Currency::CNY).unwrap();
        Received { payment: PaymentId::from_bytes([1; 16]), label: "gate".to_owned(), amount, paid_at: Millis(at) }
    }

    #[test]
    fn who_paid_ten_minutes_ago_does_not_stand_there_any_more() {
        for (passed_ms, said) in [(0, true), (10 * MINUTE_MS, true), (10 * MINUTE_MS + 1, false), (-MINUTE_MS, true)] {
            assert_eq!(paid_at(DAY_MS).is_announced(Millis(DAY_MS + passed_ms)), said, "{passed_ms}");
        }
    }

    #[test]
    fn a_day_is_the_shops_own() {
        // 23:59 and 00:00 in Shanghai.
        let (last, next) = (16 * 60 * MINUTE_MS - MINUTE_MS, 16 * 60 * MINUTE_MS);
        for (at, now, offset, same) in
            [(last, next, 480, false), (last, next, 0, true), (next, next + DAY_MS - 1, 480, true)]
        {
            assert_eq!(paid_at(at).is_of_day(Millis(now), offset), same, "{at} {now} {offset}");
        }
    }
}
