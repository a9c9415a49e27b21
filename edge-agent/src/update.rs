//! Releases of this program: signed, put beside the one that runs, tried, and gone back from by themselves.
//!
//! Whoever makes releases signs metadata in the manner of The Update Framework (TUF 1.0, theupdateframework.github.io/specification):
//! [`metadata`]. The agent fetches it, and the program it names, into a slot ([`fetch`], [`disk`]). When nothing is under way
//! and nothing is unsent it stops, and leaves as its last act that the slot is to be tried ([`slots`]). What systemd starts
//! is [`boot`], of the read-only image: it starts the slot's program and keeps the way back.
//!
//! Survives: a power cut at every file operation, a full disk, a repository that lies or stands still, a release that crashes,
//! hangs or never reaches core. Does not survive, and says so: a release that goes wrong after it has sold on a journal that it
//! changed; a newer one is fetched all the same. Not here: rings of terminals driven from core; a check of the signatures at each start (what is in a slot is
//! the agent's user's, as the journal is).

pub mod boot;
pub mod disk;
pub mod fetch;
pub mod keys;
pub mod metadata;
pub mod slots;
#[cfg(test)]
mod tests;
pub mod trial;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A release's version: three numbers of which the first that differs counts. No pre-releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version([u32; 3]);

/// What is no version.
#[derive(Debug, thiserror::Error)]
#[error("understand the version {0:?}: it is written as 1.2.3")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|number| number.parse().ok()).collect();
        let version = numbers.and_then(|numbers| <[u32; 3]>::try_from(numbers).ok()).map(Self);
        // One version is one text: no sign, no leading zero.
        version
            .filter(|version| version.to_string() == text)
            .ok_or_else(|| VersionError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// The version of the program of this build.
#[must_use]
pub fn built() -> Version {
    env!("CARGO_PKG_VERSION").parse().unwrap_or(Version([0; 3]))
}
