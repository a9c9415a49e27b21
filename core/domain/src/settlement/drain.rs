//! When what is open of an account may be closed into a batch.
//!
//! Core's totals are of its books; the scheme's are of all that it carried out. So nothing that the scheme has, or may have, may be without
//! an end when a batch is closed: it would be in one sum and not in the other. New payments and refunds are then held back for a while and
//! those under way come to their end. If they do not, the shop goes on selling, and it is tried again later; what lasts too long has a person
//! called for it, as each payment has of itself, and holds nothing up from then on: it is of the next batch.

use saoma_protocol::Millis;

/// How long new payments and refunds are held back at most before a close, and again from the close on.
pub const HOLD_MS: i64 = 120_000;
/// How long sales go on between two holds; doubled with each that came to nothing.
const PAUSE_MS_MIN: i64 = 600_000;
const PAUSE_MS_MAX: i64 = 3_600_000;
/// From when on a person is called about a close that waits.
const PERSON_AFTER_MS: i64 = 3_600_000;
/// How long after its next hold would have been a drain is taken for given up: who wanted the close then asked once, or core stood still.
const GIVEN_UP_AFTER_MS: i64 = 3_600_000;
/// How far the clocks of two nodes may be apart without one taking the other's hold for that of a clock that ran ahead.
pub const APART_MS_MAX: i64 = 60_000;

/// Payments and refunds of an account that have no end, and that no person is called for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnderWay {
    /// The scheme has them, or may have them.
    pub sent: u64,
    /// Written down alone. Core sends nothing while it holds an account, so they are of a later batch and change no total.
    pub unsent: u64,
}

/// An attempt to close among payments under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Since when the close is wanted.
    pub wanted_at: Millis,
    /// Since when new payments and refunds are or were held back, the last time.
    pub held_at: Millis,
    /// How often they were; from 1.
    pub holds: u32,
}

impl Drain {
    /// Whether new payments and refunds are held back at this moment; what a clock wrote that ran far ahead holds nobody.
    #[must_use]
    pub fn holds_at(&self, now: Millis) -> bool {
        (-APART_MS_MAX..HOLD_MS).contains(&now.since(self.held_at))
    }

    /// When they may be held back again.
    #[must_use]
    pub fn again_at(&self) -> Millis {
        let doubled = self.holds.saturating_sub(1).min(8);
        self.held_at.plus(HOLD_MS + (PAUSE_MS_MIN << doubled).min(PAUSE_MS_MAX))
    }

    /// Whether it has lasted so long that a person has to hear of it.
    #[must_use]
    pub fn needs_person(&self, now: Millis) -> bool {
        now.since(self.wanted_at) >= PERSON_AFTER_MS
    }

    /// Neither given up, nor of a clock that ran ahead.
    #[must_use]
    pub fn is_wanted_at(&self, now: Millis) -> bool {
        self.held_at.since(now) <= APART_MS_MAX && now <= self.again_at().plus(GIVEN_UP_AFTER_MS)
    }
}

/// What is done about a close that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing under way can make the two sums differ, or nothing can keep them from it.
    Close,
    /// New payments and refunds are held back from now on.
    Hold(Drain),
    /// They are held back, or sales go on until the next time.
    Wait(Drain),
}

/// `is_full`: a batch has no room for more than is open. The scheme's has, so the sums differ whatever is waited for.
#[must_use]
pub fn turn(drain: Option<Drain>, under_way: UnderWay, is_full: bool, now: Millis) -> Turn {
    if under_way.sent == 0 || is_full {
        return Turn::Close;
    }
    match drain.filter(|drain| drain.is_wanted_at(now)) {
        None => Turn::Hold(Drain { wanted_at: now, held_at: now, holds: 1 }),
        Some(drain) if now < drain.again_at() => Turn::Wait(drain),
        Some(drain) => Turn::Hold(Drain { held_at: now, holds: drain.holds.saturating_add(1), ..drain }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    const fn drain(wanted: i64, held: i64, holds: u32) -> Drain {
        Drain { wanted_at: Millis(wanted * MINUTE), held_at: Millis(held * MINUTE), holds }
    }

    #[test]
    fn a_batch_is_closed_when_the_sums_cannot_differ() {
        let none = UnderWay::default();
        let unsent = UnderWay { sent: 0, unsent: 3 };
        let sent = UnderWay { sent: 1, unsent: 0 };
        let (first, held, second) = (drain(0, 0, 1), drain(-5, 0, 1), drain(-5, 12, 2));
        let rows = [
            ("nothing is under way", None, none, false, 0, Turn::Close),
            ("core holds back what it has not sent", None, unsent, false, 0, Turn::Close),
            ("it ended in time", Some(held), none, false, 1, Turn::Close),
            ("it ended while sales go on", Some(held), none, false, 5, Turn::Close),
            ("nobody is held yet", None, sent, false, 0, Turn::Hold(first)),
            ("it may end yet", Some(held), sent, false, 1, Turn::Wait(held)),
            ("the hold is over, and sales go on", Some(held), sent, false, 2, Turn::Wait(held)),
            ("and still", Some(held), sent, false, 11, Turn::Wait(held)),
            ("the next time", Some(held), sent, false, 12, Turn::Hold(second)),
            ("with a longer pause", Some(second), sent, false, 12 + 2 + 19, Turn::Wait(second)),
            ("and again", Some(second), sent, false, 34, Turn::Hold(drain(-5, 34, 3))),
            ("the batch is full: it differs anyway", Some(held), sent, true, 1, Turn::Close),
            ("given up long ago", Some(drain(-500, -500, 1)), sent, false, 0, Turn::Hold(first)),
            (
                "of another node's clock, a little ahead",
                Some(drain(-5, 1, 2)),
                sent,
                false,
                0,
                Turn::Wait(drain(-5, 1, 2)),
            ),
            ("of a clock that ran ahead", Some(drain(9, 9, 4)), sent, false, 0, Turn::Hold(first)),
        ];
        for (what, drain, under_way, is_full, minute, expected) in rows {
            assert_eq!(turn(drain, under_way, is_full, Millis(minute * MINUTE)), expected, "{what}");
        }
    }

    #[test]
    fn nobody_is_held_for_long() {
        let held = drain(0, 10, 1);
        let at = |minute| Millis(minute * MINUTE);
        assert_eq!([8, 9, 10, 11, 12].map(|minute| held.holds_at(at(minute))), [false, true, true, true, false]);
        let often = drain(0, 0, u32::MAX);
        assert_eq!(often.again_at(), at(62));
        assert_eq!([59, 60].map(|minute| held.needs_person(at(minute))), [false, true]);
    }
}
