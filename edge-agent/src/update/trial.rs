//! The agent's side: which release it is, what of releases is known here, the switch to another one, and the proof of its own.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Deserialize;

use super::{
    Version, built,
    disk::{DiskError, Slots},
    slots::{OnJournal, Place, Program, Since, State, Trial},
};
use crate::{journal, link::https::Core};

/// What the boot program tells the program that it starts: the data directory, and the slot.
pub const FOLDER: &str = "SAOMA_BOOT_DATA_DIR";
pub const SLOT: &str = "SAOMA_BOOT_SLOT";
/// A release was gone back from: the configuration may have options that only it knows.
pub const WENT_BACK: &str = "SAOMA_BOOT_WENT_BACK";

/// How often a release on trial looks whether it has proven itself.
const PROVE_EVERY: Duration = Duration::from_secs(1);
/// The part of its time that a release must have run before its proof counts: one that ends after its first breath is no good.
const PROVE_AFTER: u32 = 10;
/// How long its till may take to answer it.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What is known of releases here; clones share it.
#[derive(Clone, Debug)]
pub struct Updates {
    slots: Slots,
    place: Place,
    own: Option<Program>,
    standing: Arc<Mutex<Standing>>,
}

/// How an update stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// A release that lies in the free slot and waits for the switch.
    pub ready: Option<Program>,
    /// It is switched to when the agent has ended; whether core must be reached then.
    pub leaving: Option<(Program, bool)>,
    /// Why there is none, if something is wrong.
    pub trouble: Option<String>,
    /// The release that runs has not proven itself yet.
    pub on_trial: bool,
    /// And nothing is gone back to from it: a newer one may follow all the same.
    pub stays: bool,
}

impl Updates {
    /// Of an agent that [`super::boot`] started on this data directory; else nobody would switch.
    #[must_use]
    pub fn of(environment: impl Fn(&str) -> Option<String>, data: &Path) -> Option<Self> {
        let told = environment(FOLDER).map(PathBuf::from).filter(|told| told.as_path() == data)?;
        let place = match environment(SLOT)?.as_str() {
            "a" => Place::A,
            "b" => Place::B,
            _ => Place::Image,
        };
        let slots = Slots::of(&told);
        let own = slots.state().ok().and_then(|state| state.program(place).cloned());
        Some(Self { slots, place, own, standing: Arc::default() })
    }

    #[must_use]
    pub const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The release that runs.
    #[must_use]
    pub fn version(&self) -> Version {
        self.own.as_ref().map_or_else(built, |own| own.version)
    }

    /// How it stands; whoever holds it does not wait for anything.
    pub fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trial(&self) -> Result<Option<Trial>, DiskError> {
        // The image's program is on trial for nobody: a damaged state does not keep its till shut.
        let Some(own) = &self.own else { return Ok(None) };
        Ok(self.slots.state()?.trial_of(&own.sha256).cloned())
    }

    /// Holds a release on trial that changes the journal, or has changed it, back from opening its till until it has reached core:
    /// that long there is a way back without a loss.
    ///
    /// # Errors
    /// The slots cannot be read.
    pub async fn before_open(&self, core: &Core) -> Result<(), DiskError> {
        let Some(trial) = self.trial()?.filter(|trial| trial.needs_core && !trial.opened && !trial.stays) else {
            return Ok(());
        };
        if !trial.migrates && self.slots.since(false) == Since::Same {
            return Ok(());
        }
        while core.profile().await.is_err() {
            tokio::time::sleep(PROVE_EVERY).await;
        }
        Ok(())
    }

    /// Everything has started, and the next that happens may be a sale.
    ///
    /// # Errors
    /// The slots cannot be read or written: the till stays shut.
    pub fn open(&self) -> Result<(), DiskError> {
        let Some(trial) = self.trial()?.filter(|trial| !trial.opened) else { return Ok(()) };
        self.slots.change(|state| state.trial_of(&trial.sha256).map(|trial| trial.opened = true))?;
        Ok(())
    }

    /// Waits until this release, if it is on trial, has proven itself, and writes that down. `till`: where its pages are.
    pub async fn prove(self, till: std::net::SocketAddr) {
        let Ok(client) = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build() else { return };
        let trial = match self.trial() {
            Ok(Some(trial)) => trial,
            Ok(None) => return,
            Err(error) => return tracing::error!(%error, "whether this release is on trial is not known"),
        };
        tracing::info!(version = %self.version(), "this release is on trial");
        self.standing().on_trial = true;
        self.standing().stays = trial.stays;
        tokio::time::sleep(Duration::from_secs(trial.seconds) / PROVE_AFTER).await;
        loop {
            if sells(&client, till, trial.needs_core).await {
                match self.slots.change(|state| state.prove(&trial.sha256)) {
                    Ok(()) => {
                        let mut standing = self.standing();
                        (standing.on_trial, standing.stays) = (false, false);
                        drop(standing);
                        if let Err(error) = self.slots.on_journal(OnJournal::Forget) {
                            tracing::warn!(%error, "the copy of the journal is still there; the next start removes it");
                        }
                        return tracing::info!(version = %self.version(), "this release has proven itself");
                    }
                    Err(error) => tracing::error!(%error, "that this release has proven itself could not be kept"),
                }
            }
            tokio::time::sleep(PROVE_EVERY).await;
        }
    }

    /// The last act of an agent that has stopped: `program` is tried at the next start. False if the journal does not rest.
    ///
    /// # Errors
    /// The slots cannot be read or written; everything is as it was.
    pub fn switch(&self, program: &Program, needs_core: bool, trial_seconds: u64) -> Result<bool, DiskError> {
        // The owner of the state looked; what counts is on the disk.
        if !self.slots.journal_rests() {
            return Ok(false);
        }
        let migrates = program.journal != journal::version();
        // Whether it reaches core must be known before it sells: afterwards there is no way back.
        if migrates && !needs_core {
            return Ok(false);
        }
        self.slots.change(|state| state.switch(&program.sha256, trial_seconds, needs_core, migrates))
    }

    /// As [`Self::switch`], of an agent that could not start, where only a newer release opens the journal.
    ///
    /// # Errors
    /// As there.
    pub fn switch_in_need(&self, program: &Program, trial_seconds: u64) -> Result<bool, DiskError> {
        self.slots.change(|state| {
            let switched = state.switch(&program.sha256, trial_seconds, false, true);
            if let Some(trial) = state.trial_of(&program.sha256) {
                trial.in_need = true;
            }
            switched
        })
    }

    /// Whether none is gone back to from this release: if it cannot start, only a newer one helps.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.trial().is_ok_and(|trial| trial.is_some_and(|trial| trial.stays))
    }

    /// # Errors
    /// The slots cannot be read.
    pub fn state(&self) -> Result<State, DiskError> {
        self.slots.state()
    }

    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }
}

/// Whether the till answers, from the owner of its state, and has core if it must.
async fn sells(client: &reqwest::Client, till: std::net::SocketAddr, needs_core: bool) -> bool {
    #[derive(Deserialize)]
    struct State {
        link: Link,
    }
    #[derive(Deserialize)]
    struct Link {
        online: bool,
    }
    let Ok(answer) = client.get(format!("http://{till}/api/state")).send().await else { return false };
    answer.json::<State>().await.is_ok_and(|state| state.link.online || !needs_core)
}
