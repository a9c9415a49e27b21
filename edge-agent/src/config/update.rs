//! `[update]`, and a configuration of which another release knows more.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{Config, ConfigError, ENVIRONMENT_PREFIX, Explained, default_of, range};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateConfig {
    pub repository: String,
    pub root: PathBuf,
    pub check_seconds: u64,
    pub trial_seconds: u64,
    pub quiet_seconds: u64,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            repository: String::new(),
            root: PathBuf::from("/etc/saoma-edge/update-root.json"),
            check_seconds: 3_600,
            trial_seconds: 300,
            quiet_seconds: 120,
        }
    }
}

pub(super) const EXPLAINED: &[Explained] = &[
    Explained {
        name: "update.repository",
        what: "Address of the folder with signed releases, http or https. Empty: this terminal does not update itself.",
    },
    Explained {
        name: "update.root",
        what: "File with the keys that releases are believed by: the first root.json of `saoma-edge release root`.",
    },
    Explained { name: "update.check_seconds", what: "How often the repository is looked at; 1 to 604800." },
    Explained {
        name: "update.trial_seconds",
        what: "How long a new release has from its start until it sells and has reached core; 4 to 3600. Else it is gone back from.",
    },
    Explained {
        name: "update.quiet_seconds",
        what: "How long nobody must have pressed anything before a release is switched to; 1 to 3600.",
    },
];

impl Config {
    /// As [`Self::load`]; options that this program does not know are passed over, and named.
    ///
    /// # Errors
    /// As there, but for `Unknown`.
    pub fn load_known(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let text = file.map(std::fs::read_to_string).transpose();
        let path = file.unwrap_or(Path::new(""));
        let text = text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?.unwrap_or_default();
        Self::read(&text, path, environment, true)
    }
}

impl UpdateConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let is_address = |scheme| url::Url::parse(&self.repository).is_ok_and(|url| url.scheme() == scheme);
        if !(self.repository.is_empty() || is_address("https") || is_address("http")) {
            let why = "it must be an address such as https://releases.example/edge, or empty".to_owned();
            return Err(ConfigError::Invalid { name: "update.repository", why });
        }
        range("update.check_seconds", signed(self.check_seconds), 1..=604_800)?;
        range("update.trial_seconds", signed(self.trial_seconds), 4..=3_600)?;
        range("update.quiet_seconds", signed(self.quiet_seconds), 1..=3_600)
    }
}

/// Drops what no default is for. Only after a release was gone back from: else a misspelt limit would be no limit.
pub(super) fn forget_unknown(table: &mut Table, defaults: &Table) {
    table.retain(|section, value| {
        let Some(known) = defaults.get(section) else {
            eprintln!("saoma-edge: [{section}] of the configuration is not known here and passed over");
            return false;
        };
        if let (Value::Table(options), Value::Table(known)) = (value, known) {
            options.retain(|option, _| {
                let is_known = known.contains_key(option);
                if !is_known {
                    eprintln!("saoma-edge: {section}.{option} of the configuration is not known here and passed over");
                }
                is_known
            });
        }
        true
    });
}

/// Whether a variable sets an option that there is, or is none of ours.
pub(super) fn is_known(defaults: &Table, variable: &str) -> bool {
    variable
        .strip_prefix(ENVIRONMENT_PREFIX)
        .is_none_or(|path| default_of(defaults, &path.to_ascii_lowercase().replacen("__", ".", 1)).is_some())
}
