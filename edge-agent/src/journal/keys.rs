//! Where the journal's key is: a credential that systemd hands over, else a file beside the journal.
//!
//! The file is made at the first start and is on the disk before anything is sealed under it. A key is never made for a
//! journal that has one: without its own it stays shut, and nothing of it is changed.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::seal::{Key, KeyId, SealError, Seals};
use crate::private_file::{self, GROUP_AND_OTHERS, PrivateFileError};

/// Where systemd puts what `LoadCredential=` names (systemd.exec(5), Credentials).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIAL: &str = "journal-key";
/// The key that was in force before, as long as `journal rekey` has to open what is sealed under it.
const CREDENTIAL_BEFORE: &str = "journal-key-before";
/// systemd gives a credential to the unit's user (0400), or lets it in by an access list, whose mask stands where the group's bits
/// are (0440), as the file system has it.
const OTHERS: u32 = 0o007;

/// Why the journal stays shut.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("read the journal's key {0}: it must be 32 bytes, or 64 hex digits")]
    Malformed(PathBuf),
    #[error(
        "open the journal {journal}: it is encrypted under the key {key}, and {found}. Put that key back, in the credential \
         `journal-key` or in {file}, and start again: nothing was changed. If it is lost for good, do not delete the journal: \
         copy the data directory away, call the service, and enrol this machine as a new terminal in an empty one. What core \
         has of the sales is safe there"
    )]
    Lost { journal: PathBuf, key: KeyId, found: String, file: PathBuf },
    #[error(
        "draw another key for the journal: it comes from systemd. Put a new one there as `journal-key` and the old one as \
         `journal-key-before`, and run this again with both"
    )]
    OfSystemd,
    #[error(transparent)]
    Chance(#[from] SealError),
}

/// The keys that there are for one journal.
pub(super) struct Keys {
    journal: PathBuf,
    credential: Option<Key>,
    credential_before: Option<Key>,
    file: Option<Key>,
    /// Drawn by a change of keys that is not over.
    next: Option<Key>,
}

impl Keys {
    /// # Errors
    /// `File` if others may read one of them too, `Malformed`.
    pub(super) fn read(journal: &Path) -> Result<Self, KeyError> {
        let handed = std::env::var_os(CREDENTIALS).map(PathBuf::from);
        let credential = |name: &str| match &handed {
            Some(folder) => key_in(&folder.join(name), OTHERS),
            None => Ok(None),
        };
        Ok(Self {
            journal: journal.to_owned(),
            credential: credential(CREDENTIAL)?,
            credential_before: credential(CREDENTIAL_BEFORE)?,
            file: key_in(&file(journal), GROUP_AND_OTHERS)?,
            next: key_in(&next_file(journal), GROUP_AND_OTHERS)?,
        })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        [&self.credential, &self.file, &self.next, &self.credential_before].into_iter().flatten()
    }

    /// The key of a journal that has none yet: the credential, else the file's, which is made if there is none.
    ///
    /// # Errors
    /// `File` if it cannot be written.
    pub(super) fn first(&mut self) -> Result<KeyId, KeyError> {
        if let Some(key) = self.credential.as_ref().or(self.file.as_ref()) {
            return Ok(key.id());
        }
        let key = Key::draw()?;
        private_file::write(&file(&self.journal), key.text().as_bytes())?;
        Ok(self.file.insert(key).id())
    }

    /// What seals under the key `in_force`, and opens what is under any other.
    ///
    /// # Errors
    /// `Lost` if `in_force` is not among the keys.
    pub(super) fn seals(&self, in_force: KeyId) -> Result<Seals, KeyError> {
        let (first, others): (Vec<&Key>, Vec<&Key>) = self.all().partition(|key| key.id() == in_force);
        if first.is_empty() {
            let held: Vec<String> = self.all().map(|key| key.id().to_string()).collect();
            let found = if held.is_empty() {
                "there is no key here".to_owned()
            } else {
                format!("the one that is here is another ({})", held.join(", "))
            };
            let (journal, file) = (self.journal.clone(), file(&self.journal));
            return Err(KeyError::Lost { journal, key: in_force, found, file });
        }
        Ok(Seals::new(first.into_iter().chain(others))?)
    }

    /// The key that is to follow on `in_force`: systemd's, if it hands over another one by now; else one that is drawn, and is
    /// on the disk beside the old one when this returns.
    ///
    /// # Errors
    /// `OfSystemd` if that has only the one in force; `File`.
    pub(super) fn following(&mut self, in_force: KeyId) -> Result<KeyId, KeyError> {
        match &self.credential {
            Some(key) if key.id() != in_force => return Ok(key.id()),
            Some(_) => return Err(KeyError::OfSystemd),
            None => {}
        }
        if let Some(key) = &self.next {
            return Ok(key.id());
        }
        let key = Key::draw()?;
        private_file::write(&next_file(&self.journal), key.text().as_bytes())?;
        Ok(self.next.insert(key).id())
    }

    /// Nothing is sealed under another key than `in_force` any more: files with others go, the drawn one takes its place.
    /// Whether there was anything to do.
    ///
    /// # Errors
    /// `File`: the key in force is still there.
    pub(super) fn settle(&mut self, in_force: KeyId) -> Result<bool, KeyError> {
        if self.settle_drawn(in_force)? {
            return Ok(true);
        }
        let is_in_force = |key: &Option<Key>| key.as_ref().is_some_and(|key| key.id() == in_force);
        if !is_in_force(&self.credential) || self.file.is_none() || is_in_force(&self.file) {
            return Ok(false);
        }
        let path = file(&self.journal);
        fs::remove_file(&path).map_err(|source| PrivateFileError::File { path: path.clone(), source })?;
        private_file::settle_names(&path)?;
        self.file = None;
        Ok(true)
    }

    /// Puts the drawn key in its place if it is the one in force by now; whether it was.
    ///
    /// # Errors
    /// `File`: it is still where it was drawn.
    pub(super) fn settle_drawn(&mut self, in_force: KeyId) -> Result<bool, KeyError> {
        let Some(drawn) = self.next.take_if(|key| key.id() == in_force) else { return Ok(false) };
        let path = file(&self.journal);
        fs::rename(next_file(&self.journal), &path)
            .map_err(|source| PrivateFileError::File { path: path.clone(), source })?;
        private_file::settle_names(&path)?;
        self.file = Some(drawn);
        Ok(true)
    }

    /// Where the key `in_force` comes from, for people.
    pub(super) fn source(&self, in_force: KeyId) -> String {
        let is_credential = self.credential.as_ref().is_some_and(|key| key.id() == in_force);
        if is_credential { "systemd's credential".to_owned() } else { file(&self.journal).display().to_string() }
    }

    /// Whether systemd hands over a key that the journal is not under.
    pub(super) fn is_to_follow(&self, in_force: KeyId) -> bool {
        self.credential.as_ref().is_some_and(|key| key.id() != in_force)
    }
}

fn file(journal: &Path) -> PathBuf {
    journal.with_extension("key")
}

fn next_file(journal: &Path) -> PathBuf {
    let mut name = OsString::from(file(journal));
    name.push(".next");
    PathBuf::from(name)
}

fn key_in(path: &Path, shut_out: u32) -> Result<Option<Key>, KeyError> {
    let Some(bytes) = private_file::read(path, shut_out)? else { return Ok(None) };
    Key::parse(&bytes).map(Some).ok_or_else(|| KeyError::Malformed(path.to_owned()))
}
