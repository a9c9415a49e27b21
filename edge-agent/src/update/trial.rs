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
    slots::{Place, Program, State, Trial},
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
        let mut state = self.slots.state()?;
        Ok(self.own.as_ref().and_then(|own| state.trial_of(&own.sha256).cloned()))
    }

    /// Holds a release on trial that changes the journal back from opening its till until it has reached core, as long as there is
    /// a way back without a loss.
    ///
    /// # Errors
    /// The slots cannot be read or written.
    pub async fn before_open(&self, core: &Core) -> Result<(), DiskError> {
        let Some(trial) = self.trial()?.filter(|trial| trial.migrates && !trial.opened) else { return Ok(()) };
        while trial.needs_core && core.profile().await.is_err() {
            tokio::time::sleep(PROVE_EVERY).await;
        }
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
        tokio::time::sleep(Duration::from_secs(trial.seconds) / PROVE_AFTER).await;
        loop {
            if sells(&client, till, trial.needs_core).await {
                match self.slots.change(|state| state.prove(&trial.sha256)) {
                    Ok(()) => {
                        self.standing().on_trial = false;
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
        self.slots.change(|state| state.switch(&program.sha256, trial_seconds, needs_core, migrates))
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
