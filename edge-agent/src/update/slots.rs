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
    /// It changes the journal, so the one before cannot read it afterwards: a copy is kept until `opened`.
    pub migrates: bool,
    /// From here on it may have written to the journal.
    pub opened: bool,
    /// It is over: why.
    pub given_up: Option<String>,
}

impl Trial {
    /// What the journal holds by now, the release before cannot read, and no copy has.
    #[must_use]
    pub const fn has_no_way_back(&self) -> bool {
        self.migrates && self.opened
    }
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
    pub trial: Option<Trial>,
    /// Oldest first.
    pub failed: Vec<Failed>,
}

impl Default for State {
    fn default() -> Self {
        Self { at: Place::Image, a: None, b: None, trial: None, failed: Vec::new() }
    }
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
    /// Put the copy back, if one is there: nothing was written since.
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

    /// The slot that may be written to.
    #[must_use]
    pub const fn free(&self) -> Place {
        match self.at {
            Place::A => Place::B,
            Place::Image | Place::B => Place::A,
        }
    }

    #[must_use]
    pub fn failures(&self, sha256: &str) -> u32 {
        self.failed.iter().find(|failed| failed.sha256 == sha256).map_or(0, |failed| failed.times)
    }

    /// What is to be started. The state afterwards is to be on the disk before it is.
    #[must_use]
    pub fn start(&mut self, found: Found<'_>) -> Start {
        let settled = |state: &Self, journal| {
            // Not what is not whole any more or has failed, nor what is older than an image that was replaced.
            let is_of_use = |place: &Place| {
                let is_good = |program: &Program| program.version > found.image && state.failures(&program.sha256) == 0;
                state.program(*place).is_some_and(is_good) && found.fit.contains(place)
            };
            let mut slots = [state.at, Place::A, Place::B].into_iter().filter(|_| state.at != Place::Image);
            Start { journal, place: slots.find(is_of_use).unwrap_or(Place::Image), guarded: false }
        };
        let Some(trial) = self.trial.clone() else { return settled(self, OnJournal::Forget) };
        if trial.starts == 0 && !found.journal_rests {
            // The leave to switch was for a till at rest. It is asked for again when it rests.
            self.trial = None;
            return settled(self, OnJournal::Forget);
        }
        if trial.has_no_way_back() && found.fit.contains(&trial.slot) {
            return Start { journal: OnJournal::Forget, place: trial.slot, guarded: false };
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
            let journal = if trial.migrates && !trial.opened && trial.starts > 0 {
                OnJournal::Restore
            } else {
                OnJournal::Nothing
            };
            return settled(self, journal);
        }
        let journal = if trial.migrates && trial.starts == 0 { OnJournal::Copy } else { OnJournal::Nothing };
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
        if self.trial.is_some() || self.program(slot).is_none_or(|program| program.sha256 != sha256) {
            return false;
        }
        self.trial = Some(Trial {
            slot,
            sha256: sha256.to_owned(),
            starts: 0,
            seconds,
            needs_core,
            migrates,
            opened: false,
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
            self.at = slot;
            self.trial = None;
            self.failed.retain(|failed| failed.sha256 != sha256);
        }
    }

    /// Its time is over. False if it has proven itself meanwhile, or there is nothing to go back to.
    pub fn give_up(&mut self, sha256: &str, why: &str) -> bool {
        let Some(trial) = self.trial_of(sha256).filter(|trial| !trial.has_no_way_back()) else { return false };
        trial.given_up = Some(why.to_owned());
        true
    }
}
