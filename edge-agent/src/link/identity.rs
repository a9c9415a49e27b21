//! Who this terminal is: what enrolment left in the data directory.
//!
//! The private key, which never leaves the machine, is in a file of its own for each certificate; `identity.json` has
//! everything else and names that file. It is written last and as a whole: a terminal is enrolled if and only if it is there,
//! and its one rename switches certificate and key together, whenever the power goes.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use saoma_protocol::{StoreId, TenantId, TerminalId, api::TerminalProfile};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::private_file::{self, GROUP_AND_OTHERS, PrivateFileError};

/// The version of `identity.json` that this code writes and reads.
const IDENTITY_VERSION: u16 = 1;

/// What `identity.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub v: u16,
    /// Core's terminal listener, for example `https://pay.example:7643`.
    pub core_url: String,
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub store: StoreId,
    pub mqtt_host: String,
    pub mqtt_port: u16,
    pub profile: TerminalProfile,
    pub ca_pem: String,
    pub certificate_chain_pem: String,
    /// The file in the data directory with the key of that certificate.
    #[serde(default = "first_key_file")]
    pub key_file: String,
}

/// Where the key was before `identity.json` named its file.
fn first_key_file() -> String {
    "terminal.key".to_owned()
}

/// Why the identity cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "find an identity in {0}: this terminal is not enrolled; run `saoma-edge enrol --help` to see how to do it"
    )]
    NotEnrolled(PathBuf),
    #[error(
        "read or write {path}: check that the agent's user owns the data directory, and that the disk has room and is \
         mounted for writing"
    )]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Private(#[from] PrivateFileError),
    #[error("understand {path}: {why}")]
    Damaged { path: PathBuf, why: String },
}

/// The data directory.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the directory if there is none, for the agent's user alone.
    ///
    /// # Errors
    /// `File`.
    pub fn open(path: &Path) -> Result<Self, IdentityError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|source| IdentityError::File { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    /// The directory as it is, to look at: if there is none, none is made.
    #[must_use]
    pub fn as_it_is(path: &Path) -> Self {
        Self(path.to_owned())
    }

    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.db")
    }

    fn identity_path(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// # Errors
    /// `NotEnrolled`, `Private` (also if others than its owner get at the file), `Damaged`.
    pub fn identity(&self) -> Result<Identity, IdentityError> {
        let path = self.identity_path();
        let Some(text) = private_file::read(&path, GROUP_AND_OTHERS)? else {
            return Err(IdentityError::NotEnrolled(self.0.clone()));
        };
        let identity: Identity = serde_json::from_slice(&text)
            .map_err(|error| IdentityError::Damaged { path: path.clone(), why: error.to_string() })?;
        if identity.v != IDENTITY_VERSION {
            let why = format!("it is of format {}, this agent reads {IDENTITY_VERSION}", identity.v);
            return Err(IdentityError::Damaged { path, why });
        }
        Ok(identity)
    }

    /// The private key in PEM. `shut_out`: who must not get at its file, as bits of a mode.
    ///
    /// # Errors
    /// `File` if it is not there, `Private` also if one of those gets at it, `Damaged`.
    pub fn key_pem(&self, identity: &Identity, shut_out: u32) -> Result<String, IdentityError> {
        let path = self.0.join(&identity.key_file);
        let Some(pem) = private_file::read(&path, shut_out)? else {
            return Err(IdentityError::File { path, source: io::ErrorKind::NotFound.into() });
        };
        String::from_utf8(pem).map_err(|error| IdentityError::Damaged { path, why: error.to_string() })
    }

    /// Makes `identity`, with the key of its certificate, the one of this directory; as it was written.
    ///
    /// # Errors
    /// `Private`, `Damaged`: the identity before it is still whole.
    pub fn switch_to(&self, mut identity: Identity, key_pem: &str) -> Result<Identity, IdentityError> {
        let certificate = Sha256::digest(identity.certificate_chain_pem.as_bytes());
        identity.key_file = format!("terminal-{}.key", hex::encode(&certificate[..8]));
        private_file::write(&self.0.join(&identity.key_file), key_pem.as_bytes())?;
        self.write_identity(&identity)?;
        self.forget_other_keys(&identity);
        Ok(identity)
    }

    /// Removes keys of certificates that are not in use: of the one before, or of one that a crash left without its certificate.
    pub fn forget_other_keys(&self, identity: &Identity) {
        let Ok(files) = fs::read_dir(&self.0) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let name = name.to_string_lossy();
            let is_key = name.starts_with("terminal") && (name.ends_with(".key") || name.ends_with(".new"));
            if is_key && name != identity.key_file {
                // It is tried again at the next start.
                if let Err(error) = fs::remove_file(file.path()) {
                    tracing::warn!(%error, file = %name, "a key that is no longer used could not be removed");
                }
            }
        }
    }

    /// # Errors
    /// `Private`, `Damaged`.
    pub fn write_identity(&self, identity: &Identity) -> Result<(), IdentityError> {
        let path = self.identity_path();
        let text = serde_json::to_vec_pretty(identity)
            .map_err(|error| IdentityError::Damaged { path: path.clone(), why: error.to_string() })?;
        Ok(private_file::write(&path, &text)?)
    }

    /// Takes the directory for this process; another agent on the same journal would break its chain.
    ///
    /// # Errors
    /// `File` if another agent runs there.
    pub fn lock(&self) -> Result<fs::File, IdentityError> {
        let path = self.0.join("lock");
        let failed = |source: io::Error| IdentityError::File { path: path.clone(), source };
        let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => {
                failed(io::Error::new(io::ErrorKind::AlreadyExists, "another saoma-edge runs on this data directory"))
            }
            fs::TryLockError::Error(error) => failed(error),
        })?;
        Ok(file)
    }

    /// Whether an agent runs on this directory. Leaves nothing behind, also where none ever ran.
    ///
    /// # Errors
    /// If it cannot be told: the lock is another user's.
    pub fn is_in_use(&self) -> io::Result<bool> {
        let file = match fs::File::open(self.0.join("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Identity {
    #[must_use]
    pub const fn version() -> u16 {
        IDENTITY_VERSION
    }
}
