//! Which program is started: the slots, the trial of a new one, and the way back. Pure: no I/O, no clock.
//!
//! `Image` is the program of the read-only image, `A` and `B` are slots beside the journal. A release that was put into the slot
//! that is not in use is on trial from the switch on, until it has proven itself: everything that a start must know is in
//! [`State`], and whoever reads half of what happened reads a state of before or after.

use serde::{Deserialize, Serialize};

use super::Version;

/// Starts that a release on trial gets: a power cut or two are not its fault.
pub const STARTS_MAX: u32 = 3;
/// Failed trials after which a release is not tried again by itself. The first may have met an outage of core's.
pub const TRIALS_MAX: u32 = 2;
/// Failures that are remembered.
const FAILED_MAX: usize = 16;

/// Where a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Image,
    A,
    B,
}

impl Place {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// What is in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub version: Version,
    pub sha256: String,
    pub length: u64,
    /// The newest journal that it opens.
    pub journal: String,
}

/// A release that has to prove itself. Unknown fields of a newer release's are ignored here and below: an older program reads this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub slot: Place,
    /// Of the program: no other is on trial.
    pub sha256: String,
    pub starts: u32,
    /// How long one start may take until it has proven itself, by a clock that nobody sets.
    pub seconds: u64,
    /// The release before reached core: so must this one.
    pub needs_core: bool,
    /// It says that it changes the journal, so it opens no till before it has reached core.
    pub migrates: bool,
    /// From here on it may have written to the journal.
    pub opened: bool,
    /// A start found that what it wrote, it alone can read. It is not gone back from; only a newer one can follow.
    #[serde(default)]
    pub stays: bool,
    /// No release could open the journal when it was switched to: nothing to wait for, the till was shut.
    #[serde(default)]
    pub in_need: bool,
    /// It is over: why.
    pub given_up: Option<String>,
}

/// A release that failed its trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub version: Version,
    pub sha256: String,
    pub times: u32,
    pub why: String,
}

/// The whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What runs, or is gone back to.
    pub at: Place,
    pub a: Option<Program>,
    pub b: Option<Program>,
    /// The hash of the release that had proven itself before the one in `at`: it may stand in for that.
    #[serde(default)]
    pub before: Option<String>,
    pub trial: Option<Trial>,
    /// Oldest first.
    pub failed: Vec<Failed>,
}

impl Default for State {
    fn default() -> Self {
        Self { at: Place::Image, a: None, b: None, before: None, trial: None, failed: Vec::new() }
    }
}

/// What the journal is by now against the copy that was made before the first start of the trial. What the disk says counts, not
/// what a release said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The release before opens it as it is.
    Same,
    /// It was migrated, and nothing was written since: the copy is as good.
    Migrated,
    /// It was migrated, and has, or may have, what the copy lacks.
    Written,
    /// It cannot be read now, as where a disk has no room even for a look: nothing is decided by it.
    Unknown,
}

/// What a start finds.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Places whose program is whole.
    pub fit: &'a [Place],
    /// The version of the image's program.
    pub image: Version,
    /// Nothing is under way and nothing is unsent, as the disk says.
    pub journal_rests: bool,
    pub since: Since,
}

/// What a start does, in this order: what it does to the journal, then the state is written, then the program is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub journal: OnJournal,
    pub place: Place,
    /// It is on trial, and somebody has to look at the clock.
    pub guarded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnJournal {
    Nothing,
    /// Keep a copy for the way back.
    Copy,
    /// Put the copy back, if one is there.
    Restore,
    /// The copy is of no use any more.
    Forget,
}

impl State {
    #[must_use]
    pub const fn program(&self, place: Place) -> Option<&Program> {
        match place {
            Place::Image => None,
            Place::A => self.a.as_ref(),
            Place::B => self.b.as_ref(),
        }
    }

    pub const fn program_mut(&mut self, slot: Place) -> Option<&mut Option<Program>> {
        match slot {
            Place::Image => None,
            Place::A => Some(&mut self.a),
            Place::B => Some(&mut self.b),
        }
    }

    /// The slot that may be written to: not the one in force, or, once there is no way back there, not the one that stays.
    #[must_use]
    pub const fn free(&self) -> Place {
        let used = match &self.trial {
            Some(trial) if trial.stays => trial.slot,
            _ => self.at,
        };
        match used {
            Place::A => Place::B,
            Place::Image | Place::B => Place::A,
        }
    }

    /// Whether another release may be fetched and switched to.
    #[must_use]
    pub fn is_open_to_another(&self) -> bool {
        self.trial.as_ref().is_none_or(|trial| trial.stays)
    }

    /// Whether `version` is what a newer release was gone back to: its configuration may be that one's. Not once another has proven
    /// itself since.
    #[must_use]
    pub fn went_back_to(&self, version: Version) -> bool {
        self.failed.last().is_some_and(|failed| failed.version > version)
    }

    #[must_use]
    pub fn failures(&self, sha256: &str) -> u32 {
        self.failed.iter().find(|failed| failed.sha256 == sha256).map_or(0, |failed| failed.times)
    }

    /// What has proven itself and is whole, or the image. Never what failed, nor what was never tried, nor what is older than an image
    /// that was replaced.
    #[must_use]
    pub fn settled(&self, found: Found<'_>) -> Place {
        let is_of_use = |place: &Place| {
            let is_proven = |program: &Program| *place == self.at || self.before.as_ref() == Some(&program.sha256);
            let is_good = |program: &Program| program.version > found.image && self.failures(&program.sha256) == 0;
            self.program(*place).is_some_and(|program| is_proven(program) && is_good(program))
                && found.fit.contains(place)
        };
        let mut slots = [self.at, Place::A, Place::B].into_iter().filter(|_| self.at != Place::Image);
        slots.find(is_of_use).unwrap_or(Place::Image)
    }

    /// What is started where nothing can be written: the settled one, or the one that alone opens the journal.
    #[must_use]
    pub fn start_in_need(&self, found: Found<'_>) -> Start {
        let may_be_its = |trial: &&Trial| match found.since {
            Since::Same => trial.stays,
            Since::Unknown => trial.starts > 0,
            Since::Migrated | Since::Written => true,
        };
        let alone = self.trial.as_ref().filter(may_be_its).filter(|trial| found.fit.contains(&trial.slot));
        let place = alone.map_or_else(|| self.settled(found), |trial| trial.slot);
        let guarded = alone.is_some_and(|trial| match found.since {
            Since::Migrated => true,
            Since::Unknown => !trial.stays,
            Since::Same | Since::Written => false,
        });
        Start { journal: OnJournal::Nothing, place, guarded }
    }

    /// What is to be started. The state afterwards is to be on the disk before it is.
    #[must_use]
    pub fn start(&mut self, found: Found<'_>) -> Start {
        let settled = |state: &Self, journal| Start { journal, place: state.settled(found), guarded: false };
        let Some(trial) = self.trial.clone() else { return settled(self, OnJournal::Forget) };
        if trial.starts == 0 && !found.journal_rests && !trial.in_need {
            // The leave to switch was for a till at rest. It is asked for again when it rests.
            self.trial = None;
            return settled(self, OnJournal::Forget);
        }
        if trial.starts > 0 && found.since == Since::Unknown {
            // Nothing is put back, forgotten or counted. The journal was last in this release's hands.
            let place = if found.fit.contains(&trial.slot) { trial.slot } else { self.settled(found) };
            return Start { journal: OnJournal::Nothing, place, guarded: place == trial.slot && !trial.stays };
        }
        let is_its_own = found.since == Since::Written || trial.stays;
        if trial.starts > 0 && is_its_own && found.fit.contains(&trial.slot) {
            // The copy is kept until it has proven itself; who knows what it is good for.
            self.trial = Some(Trial { stays: true, ..trial.clone() });
            return Start { journal: OnJournal::Nothing, place: trial.slot, guarded: false };
        }
        let over = if found.fit.contains(&trial.slot) {
            trial.given_up.clone().or_else(|| {
                (trial.starts >= STARTS_MAX)
                    .then(|| format!("it ended {STARTS_MAX} times without having proven itself"))
            })
        } else {
            Some("its program is not whole".to_owned())
        };
        if let Some(why) = over {
            self.fail(why);
            let journal = match found.since {
                Since::Same => OnJournal::Forget,
                Since::Migrated => OnJournal::Restore,
                // Its program is not whole; what it wrote stays for the next one.
                Since::Written | Since::Unknown => OnJournal::Nothing,
            };
            return settled(self, journal);
        }
        let journal = if trial.starts == 0 { OnJournal::Copy } else { OnJournal::Nothing };
        let place = trial.slot;
        self.trial = Some(Trial { starts: trial.starts + 1, ..trial });
        Start { journal, place, guarded: true }
    }

    fn fail(&mut self, why: String) {
        let Some(trial) = self.trial.take() else { return };
        let Some(program) = self.program(trial.slot).cloned() else { return };
        let times = self.failures(&program.sha256) + 1;
        self.failed.retain(|failed| failed.sha256 != program.sha256);
        self.failed.push(Failed { version: program.version, sha256: program.sha256, times, why });
        let surplus = self.failed.len().saturating_sub(FAILED_MAX);
        self.failed.drain(..surplus);
    }

    /// The release in the free slot is tried at the next start. False if it is not there.
    pub fn switch(&mut self, sha256: &str, seconds: u64, needs_core: bool, migrates: bool) -> bool {
        let slot = self.free();
        if !self.is_open_to_another() || self.program(slot).is_none_or(|program| program.sha256 != sha256) {
            return false;
        }
        if let Some(stays) = self.trial.take() {
            // It alone opens the journal: it is what the next one is gone back to.
            self.settle(stays.slot);
        }
        self.trial = Some(Trial {
            slot,
            sha256: sha256.to_owned(),
            starts: 0,
            seconds,
            needs_core,
            migrates,
            opened: false,
            stays: false,
            in_need: false,
            given_up: None,
        });
        true
    }

    /// The trial of this program, if it is under way.
    pub fn trial_of(&mut self, sha256: &str) -> Option<&mut Trial> {
        self.trial.as_mut().filter(|trial| trial.sha256 == sha256)
    }

    /// It has proven itself: from now on it is what runs.
    pub fn prove(&mut self, sha256: &str) {
        if let Some(slot) = self.trial_of(sha256).map(|trial| trial.slot) {
            self.settle(slot);
            self.trial = None;
            self.failed.retain(|failed| failed.sha256 != sha256);
        }
    }

    fn settle(&mut self, slot: Place) {
        if slot != self.at {
            self.before = self.program(self.at).map(|program| program.sha256.clone());
        }
        self.at = slot;
    }

    /// Its time is over. False if it has proven itself meanwhile. Whether there is something to go back to, the next start finds out.
    pub fn give_up(&mut self, sha256: &str, why: &str) -> bool {
        let Some(trial) = self.trial_of(sha256) else { return false };
        trial.given_up = Some(why.to_owned());
        true
    }
}
