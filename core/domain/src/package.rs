//! Which package of a channel's plugin serves whom, and how that may change.
//!
//! A package is one version of a plugin, named by the SHA-256 of its component. Beside them there is what the operator put into
//! the folder of plugins, which needs no signature: the built-in. A rollout says which of them new payments go through; a payment
//! that has begun stays with its own, whatever the rollout says later.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use ring::digest;

/// SHA-256 of a component's bytes: the name under which a plugin is stored, trusted and rolled back. As text, 64 hex digits in
/// lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, bytes);
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not the name of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a package is named by 64 hex digits in lower case")]
pub struct NoHash;

impl FromStr for ContentHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NoHash)?;
        bytes.try_into().map(Self).map_err(|_| NoHash)
    }
}

/// What serves a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The component in the operator's folder.
    BuiltIn,
    Package(ContentHash),
}

impl Choice {
    #[must_use]
    pub const fn package(self) -> Option<ContentHash> {
        match self {
            Self::BuiltIn => None,
            Self::Package(hash) => Some(hash),
        }
    }
}

const BUILT_IN: &str = "built_in";

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str(BUILT_IN),
            Self::Package(hash) => hash.fmt(f),
        }
    }
}

impl FromStr for Choice {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        if text == BUILT_IN { Ok(Self::BuiltIn) } else { text.parse().map(Self::Package) }
    }
}

/// What new payments of one plugin go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    pub stable: Choice,
    /// What a roll-back goes to; empty when there is nothing to go back to.
    pub previous: Option<Choice>,
    /// What the tenants of the canary have instead of the stable one.
    pub canary: Option<ContentHash>,
    /// Grows by one with each step. Whoever takes one names the version that they saw.
    pub version: u64,
}

/// One change of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everybody has this package, at once.
    Install(ContentHash),
    /// Some tenants have it; again with the same package, other tenants have it.
    Canary(ContentHash),
    /// What the canary's tenants have, everybody has.
    Promote,
    /// Ends the canary; without one, goes back to what was stable before.
    RollBack,
}

/// Why a step is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the rollout has version {now} by now, not {seen}")]
    Stale { seen: u64, now: u64 },
    #[error("a canary of {0} is under way; promote it or roll it back first")]
    CanaryRuns(ContentHash),
    #[error("no canary is under way")]
    NoCanary,
    #[error("there is nothing to roll back to")]
    NothingBefore,
    #[error("{0} is what everybody has")]
    Same(ContentHash),
}

impl Default for Rollout {
    fn default() -> Self {
        Self::UNTOUCHED
    }
}

impl Rollout {
    /// Of a plugin that nobody has rolled out: the built-in.
    pub const UNTOUCHED: Self = Self { stable: Choice::BuiltIn, previous: None, canary: None, version: 0 };

    /// # Errors
    /// `Stale` first, then as the step has it.
    pub fn decide(&self, seen: u64, step: Step) -> Result<Self, Refusal> {
        if seen != self.version {
            return Err(Refusal::Stale { seen, now: self.version });
        }
        let version = self.version + 1;
        match (step, self.canary) {
            (Step::Install(_), Some(running)) => Err(Refusal::CanaryRuns(running)),
            (Step::Canary(hash), Some(running)) if hash != running => Err(Refusal::CanaryRuns(running)),
            (Step::Install(hash) | Step::Canary(hash), _) if self.stable == Choice::Package(hash) => {
                Err(Refusal::Same(hash))
            }
            (Step::Install(hash), None) => Ok(self.onto(Choice::Package(hash), version)),
            (Step::Canary(hash), _) => Ok(Self { canary: Some(hash), version, ..*self }),
            (Step::Promote, Some(hash)) => Ok(self.onto(Choice::Package(hash), version)),
            (Step::Promote, None) => Err(Refusal::NoCanary),
            (Step::RollBack, Some(_)) => Ok(Self { canary: None, version, ..*self }),
            (Step::RollBack, None) => {
                let before = self.previous.ok_or(Refusal::NothingBefore)?;
                // Not to and fro: what was rolled back comes again as an installation, looked at anew.
                Ok(Self { stable: before, previous: None, canary: None, version })
            }
        }
    }

    const fn onto(&self, stable: Choice, version: u64) -> Self {
        Self { stable, previous: Some(self.stable), canary: None, version }
    }

    /// What a tenant's new payments go through.
    #[must_use]
    pub fn serves(&self, is_in_canary: bool) -> Choice {
        self.canary.filter(|_| is_in_canary).map_or(self.stable, Choice::Package)
    }

    /// Whether new payments go through the package, or would after a roll-back: such a one cannot be retired.
    #[must_use]
    pub fn names(&self, package: ContentHash) -> bool {
        let choice = Choice::Package(package);
        self.stable == choice || self.previous == Some(choice) || self.canary == Some(package)
    }
}
