//! A file beside the journal that is sealed under its key, and follows on it when the key changes.
//!
//! Apart from the journal, for what must neither keep an older release out of it nor come back with a copy of it that is put back:
//! who was let in from the network, and who no more.

use std::path::{Path, PathBuf};

use super::{
    JournalError, Store,
    open::{Settings, look},
    rekey,
    seal::{Place, Seals},
};
use crate::private_file::{self, GROUP_AND_OTHERS};

const PAIRED: Place = Place { table: "paired.sealed", column: "the file", key: "" };
/// The one row of it.
const ROW: &str = "1";

/// `paired.sealed`.
pub struct Beside {
    path: PathBuf,
    seals: Seals,
}

impl Beside {
    /// Finds the key of the journal in `settings`, which is there.
    ///
    /// # Errors
    /// As [`look`]; `NotSealedYet` if it has no key yet.
    pub fn of(settings: &Settings) -> Result<Self, JournalError> {
        let mut store = look(settings)?;
        if rekey::key_of(&mut store)?.is_none() {
            return Err(JournalError::NotSealedYet { path: settings.path.clone() });
        }
        Ok(Self { path: path(&settings.path), seals: std::mem::take(&mut store.seals) })
    }

    /// Whether there is one beside the journal in `settings`.
    #[must_use]
    pub fn is_there(settings: &Settings) -> bool {
        path(&settings.path).exists()
    }

    /// What it says; nothing if there is none.
    ///
    /// # Errors
    /// `Key` if others than its owner get at it or it cannot be read, `Sealed`.
    pub fn read(&self) -> Result<Option<String>, JournalError> {
        let bytes = private_file::read(&self.path, GROUP_AND_OTHERS).map_err(super::KeyError::from)?;
        bytes.map(|bytes| Ok(self.seals.open_text(PAIRED, ROW, &bytes)?)).transpose()
    }

    /// Replaces it as a whole; it is on the disk when this returns.
    ///
    /// # Errors
    /// `Sealed`, `Key` if it cannot be written.
    pub fn write(&self, text: &str) -> Result<(), JournalError> {
        let sealed = self.seals.seal_text(PAIRED, ROW, text)?;
        Ok(private_file::write(&self.path, &sealed).map_err(super::KeyError::from)?)
    }
}

fn path(journal: &Path) -> PathBuf {
    journal.with_file_name("paired.sealed")
}

/// Whether it can be read, before anything is begun that needs it.
///
/// # Errors
/// `Key`.
pub(super) fn check(settings: &Settings) -> Result<(), JournalError> {
    private_file::read(&path(&settings.path), GROUP_AND_OTHERS)
        .map(drop)
        .map_err(|error| super::KeyError::from(error).into())
}

/// Seals it under the key that `store` seals with by now. What cannot be read or opened lets nobody in, and is left as it is: it keeps no
/// till from selling.
pub(super) fn reseal(store: &Store) -> Result<(), JournalError> {
    let path = path(&store.settings.path);
    let lost = |error: JournalError| {
        tracing::warn!(error = error.chain(), "the devices in the network have to be paired again")
    };
    let sealed = match private_file::read(&path, GROUP_AND_OTHERS) {
        Ok(sealed) => sealed.filter(|sealed| !store.seals.is_of_first(sealed)),
        Err(error) => {
            lost(super::KeyError::from(error).into());
            return Ok(());
        }
    };
    let Some(sealed) = sealed else { return Ok(()) };
    match store.seals.open(PAIRED, ROW, &sealed) {
        Ok(plain) => {
            let sealed = store.seals.seal(PAIRED, ROW, &plain)?;
            Ok(private_file::write(&path, &sealed).map_err(super::KeyError::from)?)
        }
        Err(error) => {
            lost(error.into());
            Ok(())
        }
    }
}
