//! What time it is at core, as far as this terminal can know it without a network. Pure.
//!
//! The machine's own clock may be set by anybody, and a battery may have died. What cannot be set is how long the machine has been
//! running: core's clock as it was told once, and the time since, are its clock now. A restart of the agent keeps that, a restart of
//! the machine ends it: until core is heard of again nobody here knows what time it is.

use saoma_protocol::{Millis, journal::MACHINE_OFF_MS_MAX};
use serde::{Deserialize, Serialize};

/// How exactly core's clock must be known, in milliseconds: half of what phone and terminal may be apart.
const UNSURE_MS_MAX: i64 = 5_000;
/// How far the machine's clock may be from core's, in milliseconds (`offline-codes.md`, section 5). One that was further off when core
/// was heard need only have gone on as it was: a machine that stood still for a while (a paused virtual one) shows by the difference.
pub const APART_MS_MAX: i64 = MACHINE_OFF_MS_MAX;
/// A machine's quartz gains or loses 50 in a million over the temperatures of a shop: after some 27 hours it is not sure enough any more.
const DRIFT_PARTS: i64 = 20_000;

/// A moment of this machine since it was switched on; sleep counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Another one after each start of the machine.
    pub boot: String,
    pub up_ms: i64,
}

/// Core's clock, tied to the machine's uptime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    boot: String,
    up_ms: i64,
    core: Millis,
    /// How far the machine's clock was ahead.
    ahead_ms: i64,
    /// How far off it may be.
    within_ms: i64,
}

/// Why it is not known what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsure {
    /// Core's clock was not heard of since the machine was switched on, or too long ago.
    Unheard,
    /// The machine's clock is another than core's, by so much, and was not when core was heard.
    Apart { ahead_ms: i64 },
}

impl Anchor {
    /// Core said `core` between two moments, at the second of which the machine's clock said `machine`. `None` if that is too long to tell anything, or the machine was restarted between.
    #[must_use]
    pub fn between(asked: &Moment, answered: &Moment, core: Millis, machine: Millis) -> Option<Self> {
        let took_ms = answered.up_ms - asked.up_ms;
        let (boot, up_ms, within_ms) = (asked.boot.clone(), asked.up_ms + took_ms / 2, took_ms / 2);
        let anchor = Self { boot, up_ms, core, ahead_ms: machine.since(core) - within_ms, within_ms };
        let is_told = asked.boot == answered.boot && (0..=UNSURE_MS_MAX).contains(&took_ms);
        is_told.then_some(anchor)
    }

    /// Core's clock at `now`. `machine`: what the machine's clock says.
    ///
    /// # Errors
    /// In this order: `Unheard`, `Apart`.
    pub fn at(&self, now: &Moment, machine: Millis) -> Result<Millis, Unsure> {
        let core = self.cores(now).ok_or(Unsure::Unheard)?;
        let ahead_ms = machine.since(core);
        let is_apart = is_far(ahead_ms) && is_far(ahead_ms.saturating_sub(self.ahead_ms));
        if is_apart { Err(Unsure::Apart { ahead_ms }) } else { Ok(core) }
    }

    /// Whether the machine's clock is wrong at `now`; none if that is not known.
    #[must_use]
    pub fn is_machine_wrong(&self, now: &Moment, machine: Millis) -> Option<bool> {
        self.cores(now).map(|core| is_far(machine.since(core)))
    }

    /// Core's clock at `now` for what is written down, however long ago core was heard: three months of a quartz are six minutes, and a
    /// clock that was set wrong is off by more. None if the machine was restarted since; nor if its clock has gained on core's since
    /// then, by which one that was set cannot be told from a machine that stood still meanwhile.
    #[must_use]
    pub fn stamped(&self, now: &Moment, machine: Millis) -> Option<Millis> {
        let has_gained = |core: Millis| machine.since(core).saturating_sub(self.ahead_ms) > APART_MS_MAX;
        self.running(now).filter(|core| !has_gained(*core))
    }

    fn running(&self, now: &Moment) -> Option<Millis> {
        let since_ms = now.up_ms - self.up_ms;
        (now.boot == self.boot && since_ms >= -self.within_ms).then(|| self.core.plus(since_ms))
    }

    /// The same, where seconds count: none also if core was heard too long ago.
    #[must_use]
    pub fn cores(&self, now: &Moment) -> Option<Millis> {
        let unsure_ms = self.within_ms + (now.up_ms - self.up_ms) / DRIFT_PARTS;
        self.running(now).filter(|_| unsure_ms <= UNSURE_MS_MAX)
    }
}

fn is_far(ms: i64) -> bool {
    ms.saturating_abs() > APART_MS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(up_ms: i64) -> Moment {
        Moment { boot: "this start".to_owned(), up_ms }
    }

    #[test]
    fn cores_clock_goes_on_with_the_machines_uptime() {
        const CORE: Millis = Millis(1_790_000_000_000);
        const DAY_MS: i64 = 86_400_000;
        let anchor = Anchor::between(&moment(1_000), &moment(1_200), CORE, CORE.plus(100)).unwrap();
        for (what, up_ms, machine_ms, expected) in [
            ("at once", 1_100, 0, Ok(CORE)),
            ("a minute on", 61_100, 60_000, Ok(CORE.plus(60_000))),
            ("30 s ahead", 1_100, 30_000, Ok(CORE)),
            ("more than 30 s ahead", 1_100, 30_001, Err(Unsure::Apart { ahead_ms: 30_001 })),
            ("30 s behind", 1_100, -30_000, Ok(CORE)),
            ("more than 30 s behind", 1_100, -30_001, Err(Unsure::Apart { ahead_ms: -30_001 })),
            ("a day on", 1_100 + DAY_MS, DAY_MS, Ok(CORE.plus(DAY_MS))),
            ("two days on", 1_100 + 2 * DAY_MS, 2 * DAY_MS, Err(Unsure::Unheard)),
            ("before it was asked", 999, 0, Err(Unsure::Unheard)),
        ] {
            assert_eq!(anchor.at(&moment(up_ms), CORE.plus(machine_ms)), expected, "{what}");
        }
        let other = Moment { boot: "the next start".to_owned(), up_ms: 1_100 };
        assert_eq!(anchor.at(&other, CORE), Err(Unsure::Unheard), "the machine was switched off and on");
    }

    #[test]
    fn a_clock_that_is_wrong_all_the_time_is_told_from_one_that_moved() {
        const CORE: Millis = Millis(1_790_000_000_000);
        const HOUR_MS: i64 = 3_600_000;
        let anchor = Anchor::between(&moment(1_000), &moment(1_200), CORE, CORE.plus(HOUR_MS + 100)).unwrap();
        for (what, machine_ms, expected) in [
            ("as wrong as it was", HOUR_MS, Ok(CORE)),
            ("30 s more", HOUR_MS + 30_000, Ok(CORE)),
            ("moved", HOUR_MS + 30_001, Err(Unsure::Apart { ahead_ms: HOUR_MS + 30_001 })),
            ("moved back", HOUR_MS - 30_001, Err(Unsure::Apart { ahead_ms: HOUR_MS - 30_001 })),
            ("set right", 0, Ok(CORE)),
        ] {
            assert_eq!(anchor.at(&moment(1_100), CORE.plus(machine_ms)), expected, "{what}");
        }
    }

    #[test]
    fn a_machines_clock_is_wrong_by_what_it_says_now() {
        const CORE: Millis = Millis(1_790_000_000_000);
        for heard_ahead_ms in [0, 3_600_000] {
            let heard = CORE.plus(heard_ahead_ms + 100);
            let anchor = Anchor::between(&moment(1_000), &moment(1_200), CORE, heard).unwrap();
            for (up_ms, machine_ms, expected) in [
                (1_100, 30_000, Some(false)),
                (1_100, 30_001, Some(true)),
                (1_100, -30_001, Some(true)),
                (61_100, 60_000, Some(false)),
                (61_100, 0, Some(true)),
                (1_000, 3_600_000, Some(true)),
                (900, 0, None),
            ] {
                assert_eq!(
                    anchor.is_machine_wrong(&moment(up_ms), CORE.plus(machine_ms)),
                    expected,
                    "{up_ms} {machine_ms}"
                );
            }
        }
    }

    #[test]
    fn what_is_written_down_has_cores_time_until_the_machine_is_switched_off() {
        const CORE: Millis = Millis(1_790_000_000_000);
        const DAY_MS: i64 = 86_400_000;
        // A machine whose battery is dead.
        let anchor = Anchor::between(&moment(1_000), &moment(1_200), CORE, Millis(0)).unwrap();
        for (what, up_ms, machine, expected) in [
            ("at once", 1_100, Millis(0), Some(CORE)),
            ("a minute on", 61_100, Millis(60_000), Some(CORE.plus(60_000))),
            ("60 days on", 1_100 + 60 * DAY_MS, Millis(60 * DAY_MS), Some(CORE.plus(60 * DAY_MS))),
            ("set back", 1_100, Millis(-DAY_MS), Some(CORE)),
            ("set right, or it stood still", 1_100, CORE, None),
            ("before it was asked", 999, Millis(0), None),
        ] {
            assert_eq!(anchor.stamped(&moment(up_ms), machine), expected, "{what}");
        }
        let other = Moment { boot: "the next start".to_owned(), up_ms: 1_100 };
        assert_eq!(anchor.stamped(&other, Millis(0)), None);
    }

    #[test]
    fn a_slow_answer_tells_no_time() {
        const CORE: Millis = Millis(1_790_000_000_000);
        assert!(Anchor::between(&moment(0), &moment(5_000), CORE, CORE).is_some());
        assert_eq!(Anchor::between(&moment(0), &moment(5_001), CORE, CORE), None);
        assert_eq!(Anchor::between(&moment(5), &moment(4), CORE, CORE), None);
        let other = Moment { boot: "the next start".to_owned(), up_ms: 100 };
        assert_eq!(Anchor::between(&moment(0), &other, CORE, CORE), None);
    }
}
