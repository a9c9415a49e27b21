//! All chance of a run, from its seed. Two streams of one seed do not disturb each other.

use std::collections::BTreeSet;

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Luck(u64);

impl Luck {
    /// The stream `name` of a seed.
    #[must_use]
    pub fn of(seed: u64, name: &str) -> Self {
        let mut luck = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        for byte in name.bytes() {
            luck.0 = luck.draw().wrapping_add(u64::from(byte));
        }
        luck
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to `bound` - 1; 0 for a bound of 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    /// Milliseconds (or anything) from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).max(0).unsigned_abs().saturating_add(1);
        low.saturating_add_unsigned(self.below(span))
    }

    pub fn permille(&mut self, chance: u32) -> bool {
        self.below(1_000) < u64::from(chance)
    }

    pub fn idx(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One of the values, each as likely. The list is never empty.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.idx(values.len())]
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.draw().to_le_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
    }
}

/// How likely each mishap is, in thousandths. Drawn anew for each seed: a world in which everything goes wrong at once
/// never gets far, and one with a single kind of mishap reaches what a mixture hides.
#[derive(Clone, Debug)]
pub struct Rates {
    pub lost: u32,
    pub doubled: u32,
    pub slow: u32,
    pub core_crash: u32,
    pub database_fails: u32,
    pub terminal_crash: u32,
    pub trap: u32,
    pub not_sent: u32,
    pub lie: u32,
    pub late_pay: u32,
    pub refund_trouble: u32,
    /// How often a caller of the store is held, so that others come in between.
    pub held: u32,
}

impl Rates {
    #[must_use]
    pub fn draw(luck: &mut Luck) -> Self {
        let calm = luck.permille(60);
        let mut rate = |often: u32| {
            let pick = luck.pick(&[0, 0, 1, 3, 10]);
            if calm { 0 } else { often * pick / 10 }
        };
        Self {
            lost: rate(250),
            doubled: rate(200),
            slow: rate(250),
            core_crash: rate(60),
            database_fails: rate(60),
            terminal_crash: rate(60),
            trap: rate(150),
            not_sent: rate(150),
            lie: rate(150),
            late_pay: rate(500),
            refund_trouble: rate(400),
            held: 100 + 2 * rate(300),
        }
    }
}

/// A mishap that struck, for the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struck {
    pub number: u32,
    pub at_ms: i64,
    pub what: &'static str,
}

/// Deals out mishaps. Each that strikes has a number, by which a replay can leave it out.
#[derive(Clone, Debug, Default)]
pub struct Mishaps {
    pub over: bool,
    pub left_out: BTreeSet<u32>,
    pub struck: Vec<Struck>,
}

impl Mishaps {
    /// Whether it happens now. Draws as much luck whether it does or not.
    pub fn strikes(&mut self, luck: &mut Luck, chance: u32, what: &'static str, at_ms: i64) -> bool {
        let hit = luck.permille(chance);
        if !hit || self.over {
            return false;
        }
        let number = u32::try_from(self.struck.len()).unwrap_or(u32::MAX);
        self.struck.push(Struck { number, at_ms, what });
        !self.left_out.contains(&number)
    }
}
