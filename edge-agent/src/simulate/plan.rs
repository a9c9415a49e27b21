//! What happens on the day, drawn from a seed: who comes when, what they buy, how they pay, what goes wrong.

use std::time::Duration;

/// From opening to closing.
pub const OPEN_FOR: Duration = Duration::from_secs(12 * 60 * 60);
/// When the shop opens, in minutes of the day: for people who read the progress.
pub const OPENS_AT_MINUTE: u64 = 8 * 60;
/// How many customers come in each half hour from opening on, in relation to each other: a coffee, lunch from half past eleven,
/// the way home.
const CUSTOMERS: [u64; 24] = [3, 4, 6, 5, 4, 4, 6, 13, 17, 15, 8, 5, 4, 4, 5, 5, 6, 8, 10, 9, 7, 5, 3, 2];
const HALF_HOUR_MS: u64 = 30 * 60 * 1000;

/// What is to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    pub seed: u64,
    pub sales: u32,
    pub pay: Pay,
}

/// How customers pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pay {
    Cash,
    /// Cash, and codes on the customer display.
    CashAndCodes,
    /// These, and codes on their phones.
    All,
}

/// One thing that somebody wants, and when after opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    pub at: Duration,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `number` tells the sale from all others of the day. `twice`: the button is pressed a second time by mistake.
    Sell { number: u32, amount_minor: i64, by: By, twice: bool },
    /// About the sale of that number, if it was paid.
    Undo { number: u32, how: Undo },
    /// Change is brought, or the takings are taken away.
    Move { is_in: bool, amount_minor: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Cash {
        tendered_minor: i64,
    },
    /// Scanned from the customer's phone.
    Scan,
    /// On show for the customer, who goes away after that time.
    Code {
        patience: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    Void,
    /// Minor units, less than the sale or all of it.
    Refund(i64),
    Reprint,
}

/// The day, in order of time. The same wishes give the same day.
#[must_use]
pub fn draw(wishes: Wishes) -> Vec<Deed> {
    let mut luck = Luck(wishes.seed);
    let mut deeds = vec![
        Deed { at: OPEN_FOR / 4, what: What::Move { is_in: true, amount_minor: 20_000 } },
        Deed { at: OPEN_FOR * 2 / 3, what: What::Move { is_in: false, amount_minor: 10_000 } },
    ];
    for number in 0..wishes.sales {
        let at = luck.arrival();
        let amount_minor = luck.amount_minor();
        let by = luck.means(wishes.pay, amount_minor);
        deeds.push(Deed { at, what: What::Sell { number, amount_minor, by, twice: luck.permille(15) } });
        let undo = match luck.below(1_000) {
            0..20 => Some((luck.minutes(1, 5), Undo::Void)),
            20..50 => Some((luck.minutes(3, 90), Undo::Refund(luck.between(1, amount_minor)))),
            50..75 => Some((luck.minutes(1, 4), Undo::Reprint)),
            _ => None,
        };
        if let Some((later, how)) = undo {
            deeds.push(Deed { at: (at + later).min(OPEN_FOR), what: What::Undo { number, how } });
        }
    }
    // Stable: what was drawn first comes first, so a sale comes before what is about it.
    deeds.sort_by_key(|deed| deed.at);
    deeds
}

/// Numbers that a seed gives, the same everywhere (SplitMix64; Steele, Lea and Flood, 2014). Nothing is secured by them.
struct Luck(u64);

impl Luck {
    const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        drawn ^ (drawn >> 31)
    }

    /// 0 to `bound` - 1; the bounds are so small that what the remainder favours does not show.
    const fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    const fn permille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    /// Both ends included; `low` is the smaller one.
    const fn between(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add_unsigned(self.below(high.abs_diff(low) + 1))
    }

    const fn minutes(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_secs(60 * low + self.below(60 * (high - low)))
    }

    fn arrival(&mut self) -> Duration {
        let mut left = self.below(CUSTOMERS.iter().sum());
        let mut half_hours = 0;
        for (slot, customers) in (0..).zip(CUSTOMERS) {
            half_hours = slot;
            match left.checked_sub(customers) {
                Some(less) => left = less,
                None => break,
            }
        }
        Duration::from_millis(half_hours * HALF_HOUR_MS + self.below(HALF_HOUR_MS))
    }

    /// Mostly a drink or lunch for one, now and then a table.
    const fn amount_minor(&mut self) -> i64 {
        match self.below(10) {
            0..6 => self.between(300, 2_500),
            6..9 => self.between(2_500, 6_000),
            _ => self.between(6_000, 20_000),
        }
    }

    fn means(&mut self, pay: Pay, amount_minor: i64) -> By {
        let kind = self.below(100);
        match pay {
            Pay::CashAndCodes if kind < 20 => By::Code { patience: self.patience() },
            Pay::All if kind < 15 => By::Code { patience: self.patience() },
            Pay::All if kind < 50 => By::Scan,
            Pay::Cash | Pay::CashAndCodes | Pay::All => By::Cash { tendered_minor: self.tendered_minor(amount_minor) },
        }
    }

    const fn patience(&mut self) -> Duration {
        Duration::from_secs(20 + self.below(70))
    }

    /// To the coin, or with the next note.
    const fn tendered_minor(&mut self, amount_minor: i64) -> i64 {
        let note = match self.below(4) {
            0 => 1,
            1 => 1_000,
            2 => 5_000,
            _ => 10_000,
        };
        (amount_minor + note - 1) / note * note
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn day(seed: u64, pay: Pay) -> Vec<Deed> {
        draw(Wishes { seed, sales: 2_000, pay })
    }

    #[test]
    fn a_seed_is_one_day_and_another_seed_another() {
        assert_eq!(day(1, Pay::All), day(1, Pay::All));
        assert_ne!(day(1, Pay::All), day(2, Pay::All));
    }

    #[test]
    fn a_day_is_one_that_a_till_takes() {
        for seed in 0..20 {
            let mut sold = BTreeMap::new();
            let mut before = Duration::ZERO;
            for deed in day(seed, Pay::All) {
                assert!(before <= deed.at && deed.at <= OPEN_FOR, "in order, within the day: {deed:?}");
                before = deed.at;
                match deed.what {
                    What::Sell { number, amount_minor, by, .. } => {
                        assert!(amount_minor > 0);
                        if let By::Cash { tendered_minor } = by {
                            assert!((amount_minor..amount_minor + 10_000).contains(&tendered_minor));
                        }
                        assert!(sold.insert(number, amount_minor).is_none(), "each sale once");
                    }
                    What::Undo { number, how } => {
                        let amount_minor = sold[&number];
                        if let Undo::Refund(part) = how {
                            assert!((1..=amount_minor).contains(&part));
                        }
                    }
                    What::Move { amount_minor, .. } => assert!(amount_minor > 0),
                }
            }
            assert_eq!(sold.len(), 2_000);
        }
    }

    #[test]
    fn lunch_is_busy_and_everybody_pays_as_they_may() {
        let sales = |pay| {
            day(7, pay).into_iter().filter_map(|deed| match deed.what {
                What::Sell { by, .. } => Some((deed.at, by)),
                _ => None,
            })
        };
        let between = |from: u64, to: u64| {
            let hours = Duration::from_secs(from * 1_800)..Duration::from_secs(to * 1_800);
            sales(Pay::All).filter(|(at, _)| hours.contains(at)).count()
        };
        assert!(between(7, 10) > 3 * between(0, 3), "half past eleven to one, against the morning");
        assert!(sales(Pay::Cash).all(|(_, by)| matches!(by, By::Cash { .. })));
        assert!(!sales(Pay::CashAndCodes).any(|(_, by)| by == By::Scan));
        let scans = sales(Pay::All).filter(|(_, by)| *by == By::Scan).count();
        assert!((600..800).contains(&scans), "about 35 of 100: {scans}");
    }
}
