//! Where the configuration comes from, and how a part of it is changed there.
//!
//! The file is replaced as a whole or not at all, and only by one that the agent would start with. What somebody keeps out of
//! reach stays so: a file without write permission, and what the environment sets.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use nix::unistd::{AccessFlags, access};
use sha2::{Digest as _, Sha256};
use toml::Value;

use super::{
    Config, ConfigError, ENVIRONMENT_PREFIX,
    edit::{self, EditError},
};
use crate::private_file;

const SECTION: &str = "peripherals";

/// A file, if there is one, and the variables that come after it.
#[derive(Debug, Default)]
pub struct Source {
    file: Option<PathBuf>,
    environment: Vec<(String, String)>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// How the file stands.
#[derive(Debug)]
pub struct Standing {
    pub file: Option<PathBuf>,
    /// Of its text. A change names the one that was seen.
    pub version: String,
    /// Why it cannot be changed here.
    pub locked: Option<ChangeError>,
    /// What an agent that starts now would have.
    pub read: Result<Config, ConfigError>,
}

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(
        "this agent runs without a configuration file; start it with --config FILE, or set its SAOMA_EDGE_PERIPHERALS__… \
         variables and start it again"
    )]
    NoFile,
    #[error(
        "{variable} in the agent's environment sets this and comes after the file; change it there and start the agent again"
    )]
    Environment { variable: String },
    #[error("{path} cannot be written ({why}); change it by hand, or let the agent's user write it and its folder")]
    ReadOnly { path: PathBuf, why: String },
    #[error("{path} was changed meanwhile; look at what it says now and change it again")]
    Changed { path: PathBuf },
    #[error("{path} cannot be changed here: {why}; change it by hand")]
    Unclear { path: PathBuf, why: EditError },
    #[error("that would keep the agent from starting; failed to {0}")]
    Invalid(#[from] ConfigError),
}

impl Source {
    /// Of the environment, only the variables with our prefix are kept.
    #[must_use]
    pub fn new(file: Option<PathBuf>, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = environment.into_iter().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
        Self { file, environment: ours.collect(), changing: Mutex::default() }
    }

    /// # Errors
    /// As [`Config::load`].
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.file.as_deref(), self.environment.iter().cloned())
    }

    /// As [`Self::load`], without what only another release knows.
    ///
    /// # Errors
    /// As [`Config::load_known`].
    pub fn load_known(&self) -> Result<Config, ConfigError> {
        Config::load_known(self.file.as_deref(), self.environment.iter().cloned())
    }

    /// The variable that sets this option of the peripherals, if one does.
    #[must_use]
    pub fn variable_of(&self, option: &str) -> Option<&str> {
        let variable = format!("{ENVIRONMENT_PREFIX}{SECTION}__{option}");
        self.environment.iter().map(|(name, _)| name.as_str()).find(|name| name.eq_ignore_ascii_case(&variable))
    }

    /// Reads the file.
    #[must_use]
    pub fn look(&self) -> Standing {
        let locked = match &self.file {
            None => Some(ChangeError::NoFile),
            Some(path) => writable(path).err(),
        };
        let text = self.file.as_ref().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        Standing { file: self.file.clone(), version: version(&text), locked, read: self.load() }
    }

    /// Sets options of the peripherals, and returns what holds then. `fits` has the last word on it. What stands there already
    /// is no change.
    ///
    /// # Errors
    /// `NoFile`, `Environment`, `ReadOnly`, `Changed`, `Unclear`, `Invalid`, then that of `fits`; the file is as it was then.
    pub fn change<E: From<ChangeError>>(
        &self,
        seen: &str,
        options: &[(String, Value)],
        fits: impl FnOnce(&Config) -> Result<(), E>,
    ) -> Result<Config, E> {
        let _one = self.changing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.file.as_ref().ok_or(ChangeError::NoFile)?;
        for (option, _) in options {
            if let Some(variable) = self.variable_of(option) {
                return Err(ChangeError::Environment { variable: variable.to_owned() }.into());
            }
        }
        let read_only = |why: String| ChangeError::ReadOnly { path: path.clone(), why };
        let real = writable(path)?;
        let text = fs::read_to_string(&real).map_err(|error| read_only(error.to_string()))?;
        let edited =
            edit::set(&text, SECTION, options).map_err(|why| ChangeError::Unclear { path: path.clone(), why })?;
        let config = Config::read(&edited, path, self.environment.iter().cloned(), false).map_err(ChangeError::from)?;
        fits(&config)?;
        if edited == text {
            return Ok(config);
        }
        if version(text.as_bytes()) != seen {
            return Err(ChangeError::Changed { path: path.clone() }.into());
        }
        private_file::replace(&real, edited.as_bytes()).map_err(|error| read_only(error.to_string()))?;
        tracing::info!(path = %real.display(), options = ?options.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "the configuration of the devices was changed");
        Ok(config)
    }
}

fn version(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// The file behind its links, if it and its folder may be written.
fn writable(path: &Path) -> Result<PathBuf, ChangeError> {
    let read_only = |why: String| ChangeError::ReadOnly { path: path.to_owned(), why };
    let real = fs::canonicalize(path).map_err(|error| read_only(error.to_string()))?;
    let mode = fs::metadata(&real).map_err(|error| read_only(error.to_string()))?.mode();
    // For the superuser too: somebody has shut it.
    if mode & 0o222 == 0 {
        return Err(read_only(format!("its mode is {:04o}", mode & 0o7777)));
    }
    let folder = real.parent().unwrap_or(&real);
    for place in [&real, folder] {
        access(place, AccessFlags::W_OK)
            .map_err(|errno| read_only(format!("{}: {}", place.display(), errno.desc())))?;
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn set_to(source: &Source, seen: &str, option: &str, value: impl Into<Value>) -> Result<Config, ChangeError> {
        source.change(seen, &[(option.to_owned(), value.into())], |_| Ok(()))
    }

    #[test]
    fn a_file_is_changed_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        let text = "# by hand\n[peripherals]\nspeaker_volume = 80 # loud\n";
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.toml");
        symlink(&path, &link).unwrap();
        let source = Source::new(Some(link.clone()), []);
        let seen = source.look();
        assert!(seen.locked.is_none() && seen.read.is_ok(), "{seen:?}");

        for (option, value, why) in [
            ("speaker_volume", Value::from(101), "0 to 100, not 101"),
            ("speaker_volume", Value::from("loud"), "invalid type"),
            ("speeker", Value::from("tones"), "speeker"),
        ] {
            let told = set_to(&source, &seen.version, option, value).unwrap_err().to_string();
            assert!(told.contains(why) && told.contains("keep the agent from starting"), "{told}");
        }
        let refused = source
            .change(&seen.version, &[("speaker_volume".to_owned(), Value::from(1))], |_| Err(ChangeError::NoFile));
        assert!(refused.is_err());
        assert!(matches!(set_to(&source, "another", "speaker_volume", 30), Err(ChangeError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        let config = set_to(&source, &seen.version, "speaker_volume", 30).unwrap();
        assert_eq!(config.peripherals.speaker_volume, 30);
        assert_eq!(fs::read_to_string(&path).unwrap(), "# by hand\n[peripherals]\nspeaker_volume = 30 # loud\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        // The answer was lost, and it is asked for again.
        assert!(set_to(&source, &seen.version, "speaker_volume", 30).is_ok());
    }

    #[test]
    fn what_is_out_of_reach_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        fs::write(&path, "").unwrap();
        let by_environment = [("SAOMA_EDGE_PERIPHERALS__SCANNER".to_owned(), "none".to_owned())];
        let source = Source::new(Some(path.clone()), by_environment);
        let seen = source.look().version;
        assert_eq!(source.variable_of("scanner"), Some("SAOMA_EDGE_PERIPHERALS__SCANNER"));
        let told = set_to(&source, &seen, "scanner", "serial").unwrap_err().to_string();
        assert!(told.contains("SAOMA_EDGE_PERIPHERALS__SCANNER") && told.contains("change it there"), "{told}");
        assert!(set_to(&source, &seen, "scanner_baud", 1_200).is_ok());

        let none = Source::new(None, []);
        assert!(matches!(none.look().locked, Some(ChangeError::NoFile)));
        assert!(set_to(&none, "", "scanner", "serial").unwrap_err().to_string().contains("--config FILE"));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        let standing = source.look();
        let told = standing.locked.unwrap().to_string();
        assert!(told.contains("its mode is 0444") && told.contains("by hand"), "{told}");
        let told = set_to(&source, &standing.version, "scanner_baud", 2_400).unwrap_err();
        assert!(matches!(told, ChangeError::ReadOnly { .. }), "{told}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&path, "peripherals = { printer = \"none\" }").unwrap();
        let told = set_to(&source, &source.look().version, "scanner_baud", 2_400).unwrap_err().to_string();
        assert!(told.contains("not written as a section of lines"), "{told}");
        let gone = Source::new(Some("/does/not/exist.toml".into()), []);
        assert!(matches!(gone.look().locked, Some(ChangeError::ReadOnly { .. })));
    }
}
