//! Master keys: files outside the database, each of 32 random bytes, under which everything else is sealed.
//!
//! The file of the setting `secrets.master_key_file` is one, and so is every file beside it whose name begins with that name
//! and a dot (`master.key`, `master.key.3f2a9c01`). Which of them seals is not theirs to say: the database has the name of
//! the current one (`saoma_store::master_keys`), so that copying files in any order changes nothing.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use ring::{
    aead::LessSafeKey,
    hkdf,
    rand::{SecureRandom as _, SystemRandom},
};
use saoma_store::{Opaque, server_keys::ServerKey};
use zeroize::Zeroizing;

use crate::{
    private_file,
    secrets::{KEY_LEN, SecretsError, key, open, seal},
};

/// Hex digits of a key's name in the name of its file.
const FILE_DIGITS: usize = 8;

/// The master keys that can be read here, by their names: 32 hex digits that tell keys apart and say nothing of them.
pub struct Ring(BTreeMap<String, Master>);

struct Master {
    /// One, and copies of it.
    files: Vec<PathBuf>,
    wraps: LessSafeKey,
}

/// The master keys of a running program: read at its start, and again when something is sealed under one that it has not
/// read, and at each beat of a node.
pub struct Masters {
    file: PathBuf,
    ring: RwLock<Arc<Ring>>,
}

impl Masters {
    /// `file`: the setting `secrets.master_key_file`. Blocks.
    ///
    /// # Errors
    /// As [`Ring::read`].
    pub fn read(file: &Path) -> Result<Self, SecretsError> {
        Ok(Self { file: file.to_owned(), ring: RwLock::new(Arc::new(Ring::read(file)?)) })
    }

    /// The setting `secrets.master_key_file`.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Those that were read last.
    #[must_use]
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again. Blocks.
    ///
    /// # Errors
    /// `Master` for one that cannot be used, `NoMaster` if the one of this name is not among them (any more): then those that
    /// were read before stay.
    pub fn read_again(&self, name: &str) -> Result<Arc<Ring>, SecretsError> {
        let ring = Arc::new(Ring::read(&self.file)?);
        if ring.get(name).is_none() {
            return Err(SecretsError::NoMaster { name: name.to_owned(), file: self.file.display().to_string() });
        }
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        Ok(ring)
    }

    fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&LessSafeKey) -> Result<T, SecretsError>,
    ) -> Result<T, SecretsError> {
        let mut ring = self.ring();
        if ring.get(name).is_none() {
            ring = self.read_again(name)?;
        }
        work(ring.get(name).ok_or(SecretsError::Sealed)?)
    }

    /// Encrypts a key under the master key of this name; `bound_to` says whose it is.
    ///
    /// # Errors
    /// `NoMaster`, `Master`, `NoChance`.
    pub fn seal(&self, name: &str, plain: &[u8], bound_to: &str) -> Result<Vec<u8>, SecretsError> {
        self.with(name, |master| seal(master, plain, bound_to))
    }

    /// What [`Self::seal`] encrypted.
    ///
    /// # Errors
    /// `NoMaster`, `Master`, `Sealed` if it was changed or is somebody else's.
    pub fn open(&self, name: &str, sealed: &[u8], bound_to: &str) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        self.with(name, |master| open(master, sealed, bound_to))
    }

    /// Encrypts the secret part of a key of the platform's own; `kind` says what the key is for.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_own(&self, name: &str, kind: &str, plain: &[u8]) -> Result<Opaque<Vec<u8>>, SecretsError> {
        self.seal(name, plain, &own(kind)).map(Opaque)
    }

    /// The secret part of a key of the platform's own.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_own(&self, key: &ServerKey) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        self.open(&key.master, &key.ciphertext.0, &own(&key.kind))
    }
}

/// What a key of the platform's own is bound to; no tenant's id has a slash.
fn own(kind: &str) -> String {
    format!("server/{kind}")
}

impl Ring {
    /// Every master key at `file` and beside it; none if there is no such file.
    ///
    /// # Errors
    /// `Master` if `file` cannot be read, is open to others, or has another length. One beside it that is so is passed over.
    pub fn read(file: &Path) -> Result<Self, SecretsError> {
        let mut ring = BTreeMap::new();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let beside = format!("{name}.");
        let entries = match fs::read_dir(folder_of(file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self(ring)),
            entries => entries.map_err(|error| refused(file, &error))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| refused(file, &error))?.path();
            let its = path.file_name().unwrap_or_default().to_string_lossy();
            if its == name || its.starts_with(&beside) {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            match read_one(&path) {
                Ok((name, wraps)) => ring.entry(name).or_insert(Master { files: Vec::new(), wraps }).files.push(path),
                Err(error) if path == file => return Err(error),
                // A checksum, a copy for a backup: a key that is needed and cannot be read is missed by its name.
                Err(error) => tracing::warn!(%error, "a file beside the master key is not taken for one"),
            }
        }
        Ok(Self(ring))
    }

    /// Draws the first key of an installation into `file`, unless somebody has done so meanwhile.
    ///
    /// # Errors
    /// `Master`, `NoChance`.
    pub fn begin(file: &Path) -> Result<Self, SecretsError> {
        private_file::draw(file, random()?.as_slice()).map_err(|error| refused(file, &error))?;
        Self::read(file)
    }

    /// Draws another key into a file of its own beside `file`, which belongs to whom the files there belong; the answer is its
    /// name and its file.
    ///
    /// # Errors
    /// `Master`, `NoChance`.
    pub fn draw_beside(&self, file: &Path) -> Result<(String, PathBuf), SecretsError> {
        let bytes = random()?;
        let name = name_of(&bytes)?;
        let mut path = file.as_os_str().to_owned();
        path.push(format!(".{}", name.get(..FILE_DIGITS).unwrap_or_default()));
        let path = PathBuf::from(path);
        private_file::draw(&path, bytes.as_slice()).map_err(|error| refused(&path, &error))?;
        self.give_to_owner(&path)?;
        Ok((name, path))
    }

    /// A key that root drew for a core that is somebody else belongs to whom the other files belong. It may have been cut off
    /// before that, so whoever takes such a key up does it again.
    ///
    /// # Errors
    /// `Master`.
    pub fn give_to_owner(&self, path: &Path) -> Result<(), SecretsError> {
        let others = self.0.values().flat_map(|master| &master.files).filter(|file| *file != path);
        let Some(owner) = others.into_iter().find_map(|file| fs::metadata(file).ok()) else { return Ok(()) };
        let ours = fs::metadata(path).map_err(|error| refused(path, &error))?;
        if (ours.uid(), ours.gid()) != (owner.uid(), owner.gid()) {
            chown(path, Some(owner.uid()), Some(owner.gid())).map_err(|error| refused(path, &error))?;
        }
        Ok(())
    }

    /// The name of the key in this file.
    #[must_use]
    pub fn name_in(&self, file: &Path) -> Option<&str> {
        let in_it = |master: &&Master| master.files.iter().any(|path| path == file);
        self.0.iter().find(|(_, master)| in_it(master)).map(|(name, _)| name.as_str())
    }

    /// What wraps keys under the master key of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&LessSafeKey> {
        self.0.get(name).map(|master| &master.wraps)
    }

    /// Where the key of this name lies, with its copies.
    #[must_use]
    pub fn files(&self, name: &str) -> &[PathBuf] {
        self.0.get(name).map_or(&[], |master| &master.files)
    }

    /// All names, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn refused(path: &Path, why: &impl std::fmt::Display) -> SecretsError {
    SecretsError::Master { path: path.display().to_string(), why: why.to_string() }
}

fn random() -> Result<Zeroizing<[u8; KEY_LEN]>, SecretsError> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| SecretsError::NoChance)?;
    Ok(bytes)
}

fn read_one(path: &Path) -> Result<(String, LessSafeKey), SecretsError> {
    let mut file = fs::File::open(path).map_err(|error| refused(path, &error))?;
    let about = file.metadata().map_err(|error| refused(path, &error))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(refused(path, &"others may read it; set its mode to 600"));
    }
    if about.len() != KEY_LEN as u64 {
        return Err(refused(path, &format!("it must have {KEY_LEN} bytes, not {}", about.len())));
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    file.read_exact(bytes.as_mut_slice()).map_err(|error| refused(path, &error))?;
    Ok((name_of(&bytes)?, key(&*derived(&bytes, b"saoma data keys 1")?)?))
}

fn name_of(bytes: &[u8; KEY_LEN]) -> Result<String, SecretsError> {
    let check = derived(bytes, b"saoma master check 1")?;
    Ok(hex::encode(check.first_chunk::<16>().map_or(&[][..], |half| half.as_slice())))
}

/// HKDF-SHA-256 (RFC 5869) of the master key for one purpose.
fn derived(master: &[u8; KEY_LEN], purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, SecretsError> {
    let mut bytes = Zeroizing::new([0; KEY_LEN]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
        .extract(master)
        .expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(bytes.as_mut_slice()))
        .map_err(|_| SecretsError::NoChance)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_beside_the_first_is_read_if_it_is_one_that_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        assert!(Ring::read(&file).unwrap().is_empty());
        let first = Ring::begin(&file).unwrap().names();
        assert_eq!(Ring::begin(&file).unwrap().names(), first, "it is drawn once");
        let (second, path) = Ring::read(&file).unwrap().draw_beside(&file).unwrap();
        fs::copy(&file, folder.path().join("master.key.bak")).unwrap();
        fs::write(folder.path().join("master.keys"), "no key of ours").unwrap();
        let ring = Ring::read(&file).unwrap();
        assert_eq!(ring.names().len(), 2);
        assert_eq!(ring.files(&first[0]), [file.clone(), folder.path().join("master.key.bak")]);
        assert!(ring.get(&second).is_some() && ring.get("another").is_none());
        // The first one may be taken away.
        fs::remove_file(&file).unwrap();
        fs::remove_file(folder.path().join("master.key.bak")).unwrap();
        assert_eq!(Ring::read(&file).unwrap().names(), [second]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Ring::read(&file).unwrap().is_empty());
        // The one that the settings name must be right.
        fs::copy(&path, &file).unwrap();
        assert!(matches!(Ring::read(&file), Err(SecretsError::Master { .. })));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&file, [7; 31]).unwrap();
        assert!(matches!(Ring::read(&file), Err(SecretsError::Master { .. })));
        fs::remove_file(&file).unwrap();
        fs::create_dir(folder.path().join("master.key.d")).unwrap();
        fs::write(folder.path().join("master.key.sha256"), "0f").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Ring::read(&file).unwrap().names().len(), 1);
    }
}
