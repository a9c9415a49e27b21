//! What those who make releases sign, and when a terminal believes it: the client's workflow of TUF 1.0.34, section 5. Pure: no
//! I/O, no clock.
//!
//! Three roles of TUF's four. The snapshot says which targets files belong together; here is one targets file without
//! delegations, so the timestamp names it itself, by version, length and hash. Signed are the bytes as they are, in a DSSE envelope
//! (secure-systems-lab/dsse 1.0.2, as TUF's TAP 17 wants it), under a type for each role: nothing signed for one role passes for
//! another's. The content of an envelope is parsed before its signatures are counted only to name the version that is refused; a root's,
//! which signs itself, for its keys.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use saoma_protocol::Millis;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Version,
    keys::{PublicKey, SigningKey},
};

/// Largest metadata file that is read: a hundred releases fit, twice over.
pub const METADATA_BYTES_MAX: usize = 128 << 10;
/// Largest program that is fetched. One is 25 MB; a build with all its names is ten times that.
pub const PROGRAM_BYTES_MAX: u64 = 512 << 20;
/// Roots that are followed in one go: more changes of keys than a terminal misses in years.
pub const ROOTS_MAX: usize = 64;
const SIGNATURES_MAX: usize = 16;

/// Who says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Whose keys are believed.
    Root,
    /// Which releases there are.
    Targets,
    /// Which of those lists is the newest, signed anew every few days.
    Timestamp,
}

impl Role {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Timestamp => "timestamp",
        }
    }

    fn payload_type(self) -> String {
        format!("application/vnd.saoma.release.{}+json", self.name())
    }
}

/// Why metadata is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("read {role}: it is no envelope of that role ({why})", role = .role.name())]
    Unreadable { role: Role, why: String },
    #[error("believe {role} version {version}: {good} of the {threshold} signatures that it needs are good", role = .role.name())]
    Unsigned { role: Role, version: u64, good: usize, threshold: usize },
    #[error("believe {role} version {found}: version {known} was here before, and an older one is offered (rollback)", role = .role.name())]
    Older { role: Role, known: u64, found: u64 },
    #[error("believe {role}: it was to be version {wanted}, and is {found}", role = .role.name())]
    OtherVersion { role: Role, wanted: u64, found: u64 },
    #[error(
        "believe {role} version {version}: it expired; either nobody signs releases any more, or somebody holds back newer ones, or \
         this machine's clock is wrong", role = .role.name()
    )]
    Expired { role: Role, version: u64 },
    #[error("believe the targets: they are not those that the timestamp names (mix-and-match)")]
    OtherTargets,
    #[error("believe {role} version {version}: other bytes were signed under that version before", role = .role.name())]
    Changed { role: Role, version: u64 },
    #[error("use the targets: {0} is listed twice, or with another hash than it had")]
    TwoPrograms(Version),
    #[error("use the root: {0}")]
    UnfitRoot(&'static str),
}

/// A DSSE envelope. Its key ids are hints, and not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// An envelope that nobody has signed.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn unsigned<T: Signed>(content: &T) -> Result<Self, serde_json::Error> {
        let payload = BASE64.encode(&serde_json::to_vec(content)?);
        Ok(Self { payload, payload_type: T::ROLE.payload_type(), signatures: Vec::new() })
    }

    /// # Errors
    /// `Unreadable`.
    pub fn read(role: Role, bytes: &[u8]) -> Result<Self, MetadataError> {
        let unreadable = |why: String| MetadataError::Unreadable { role, why };
        if bytes.len() > METADATA_BYTES_MAX {
            return Err(unreadable(format!("it has more than {METADATA_BYTES_MAX} bytes")));
        }
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if envelope.payload_type != role.payload_type() {
            return Err(unreadable("it was signed as something else".to_owned()));
        }
        if envelope.signatures.len() > SIGNATURES_MAX {
            return Err(unreadable(format!("it has more than {SIGNATURES_MAX} signatures")));
        }
        Ok(envelope)
    }

    /// The role that it says it is of.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        [Role::Root, Role::Targets, Role::Timestamp].into_iter().find(|role| role.payload_type() == self.payload_type)
    }

    /// Adds a signature; one of the same key is replaced.
    pub fn sign(&mut self, key: &SigningKey) {
        let keyid = String::from(key.public());
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: BASE64.encode(&key.sign(&self.message())) });
    }

    /// Of DSSE's `protocol.md`: the pre-authentication encoding.
    fn message(&self) -> Vec<u8> {
        let payload = self.payload_bytes();
        let head = format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, payload.len());
        [head.as_bytes(), &payload].concat()
    }

    fn payload_bytes(&self) -> Vec<u8> {
        // What is no Base64 is signed by nobody.
        BASE64.decode(self.payload.as_bytes()).unwrap_or_default()
    }

    /// How many of `keys` have signed, each counted once.
    #[must_use]
    pub fn signed_by(&self, keys: &[PublicKey]) -> usize {
        let message = self.message();
        let signatures: Vec<Vec<u8>> =
            self.signatures.iter().filter_map(|one| BASE64.decode(one.sig.as_bytes()).ok()).collect();
        let keys: BTreeSet<&PublicKey> = keys.iter().collect();
        keys.into_iter().filter(|key| signatures.iter().any(|signature| key.fits(&message, signature))).count()
    }

    /// What it says, whoever signed it.
    ///
    /// # Errors
    /// `Unreadable`.
    pub fn content<T: Signed>(&self) -> Result<T, MetadataError> {
        serde_json::from_slice(&self.payload_bytes())
            .map_err(|error| MetadataError::Unreadable { role: T::ROLE, why: error.to_string() })
    }
}

/// What is signed by a role.
pub trait Signed: Serialize + DeserializeOwned {
    const ROLE: Role;
    fn version(&self) -> u64;
    fn expires_at(&self) -> Millis;
}

/// The keys of one role, and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    pub keys: Vec<PublicKey>,
    pub threshold: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    pub version: u64,
    pub expires_at: Millis,
    pub root: Keys,
    pub targets: Keys,
    pub timestamp: Keys,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    pub version: u64,
    pub expires_at: Millis,
    pub releases: Vec<Release>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    pub version: u64,
    pub expires_at: Millis,
    pub targets: TargetsMark,
}

/// Which targets file is the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetsMark {
    pub version: u64,
    pub length: u64,
    /// SHA-256 of the envelope's bytes, in hex.
    pub sha256: String,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub version: Version,
    /// As Rust names it: `x86_64`, `aarch64`.
    pub architecture: String,
    pub length: u64,
    /// SHA-256, in hex.
    pub sha256: String,
    /// What it makes of the journal: its newest migration.
    pub journal: String,
    /// The oldest journal that it opens.
    pub journal_min: String,
}

impl Signed for Root {
    const ROLE: Role = Role::Root;

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Millis {
        self.expires_at
    }
}

impl Signed for Targets {
    const ROLE: Role = Role::Targets;

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Millis {
        self.expires_at
    }
}

impl Signed for Timestamp {
    const ROLE: Role = Role::Timestamp;

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Millis {
        self.expires_at
    }
}

impl Root {
    #[must_use]
    pub const fn keys(&self, role: Role) -> &Keys {
        match role {
            Role::Root => &self.root,
            Role::Targets => &self.targets,
            Role::Timestamp => &self.timestamp,
        }
    }

    /// # Errors
    /// `UnfitRoot`: nobody, or not enough keys, could ever sign under it.
    pub fn check(&self) -> Result<(), MetadataError> {
        for role in [Role::Root, Role::Targets, Role::Timestamp] {
            let Keys { keys, threshold } = self.keys(role);
            if *threshold == 0 || keys.iter().collect::<BTreeSet<_>>().len() < *threshold {
                return Err(MetadataError::UnfitRoot("each role needs a threshold of 1 at least, and as many keys"));
            }
        }
        Ok(())
    }

    /// What a role says, if enough of its keys have signed it.
    ///
    /// # Errors
    /// `Unreadable`, `Unsigned`.
    pub fn believe<T: Signed>(&self, bytes: &[u8]) -> Result<T, MetadataError> {
        let envelope = Envelope::read(T::ROLE, bytes)?;
        let Keys { keys, threshold } = self.keys(T::ROLE);
        let good = envelope.signed_by(keys);
        let content: T = envelope.content()?;
        if good < *threshold {
            let (role, version) = (T::ROLE, content.version());
            return Err(MetadataError::Unsigned { role, version, good, threshold: *threshold });
        }
        Ok(content)
    }
}

/// What a terminal believes so far; kept between checks, or an older word would pass for a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub root: Root,
    pub timestamp: Option<Timestamp>,
    pub targets: Option<Targets>,
}

impl Trusted {
    /// From the root that was put there with the program (5.2). It must have signed itself.
    ///
    /// # Errors
    /// `Unreadable`, `Unsigned`, `UnfitRoot`.
    pub fn installed(bytes: &[u8]) -> Result<Self, MetadataError> {
        let root: Root = Envelope::read(Role::Root, bytes)?.content()?;
        root.check()?;
        let root = root.believe(bytes)?;
        Ok(Self { root, timestamp: None, targets: None })
    }

    /// The root after the one that is known (5.3): signed by both, its version one more.
    ///
    /// # Errors
    /// `Unreadable`, `Unsigned`, `OtherVersion`, `UnfitRoot`. Nothing has changed then.
    pub fn take_root(&mut self, bytes: &[u8]) -> Result<(), MetadataError> {
        let next: Root = self.root.believe(bytes)?;
        next.check()?;
        let next: Root = next.believe(bytes)?;
        let wanted = self.root.version.saturating_add(1);
        if next.version != wanted {
            return Err(MetadataError::OtherVersion { role: Role::Root, wanted, found: next.version });
        }
        // 5.3.11: whoever had these keys may have run up the versions.
        if next.timestamp != self.root.timestamp || next.targets != self.root.targets {
            self.timestamp = None;
        }
        if next.targets != self.root.targets {
            self.targets = None;
        }
        self.root = next;
        Ok(())
    }

    /// The newest timestamp (5.4), once all roots were followed. `now`: core's time where it is known.
    ///
    /// # Errors
    /// `Expired` (of the root: 5.3.10), `Unreadable`, `Unsigned`, `Older`, `Changed`, `Expired`. Nothing has changed then.
    pub fn take_timestamp(&mut self, bytes: &[u8], now: Millis) -> Result<(), MetadataError> {
        fresh(&self.root, now)?;
        let next: Timestamp = self.root.believe(bytes)?;
        if let Some(known) = &self.timestamp {
            not_older(Role::Timestamp, known.version, next.version)?;
            not_older(Role::Targets, known.targets.version, next.targets.version)?;
            if known.version == next.version && *known != next {
                return Err(MetadataError::Changed { role: Role::Timestamp, version: next.version });
            }
            if known.targets.version == next.targets.version && known.targets != next.targets {
                return Err(MetadataError::Changed { role: Role::Targets, version: next.targets.version });
            }
        }
        fresh(&next, now)?;
        self.timestamp = Some(next);
        Ok(())
    }

    /// The targets that the timestamp names (5.6, with what 5.5 checks of the snapshot).
    ///
    /// # Errors
    /// `OtherTargets`, `Unreadable`, `Unsigned`, `OtherVersion`, `Older`, `Expired`, `TwoPrograms`. Nothing has changed then.
    pub fn take_targets(&mut self, bytes: &[u8], now: Millis) -> Result<(), MetadataError> {
        let Some(mark) = self.timestamp.as_ref().map(|timestamp| &timestamp.targets) else {
            return Err(MetadataError::OtherTargets);
        };
        if mark.length != bytes.len() as u64 || mark.sha256 != sha256(bytes) {
            return Err(MetadataError::OtherTargets);
        }
        let next: Targets = self.root.believe(bytes)?;
        if next.version != mark.version {
            let (wanted, found) = (mark.version, next.version);
            return Err(MetadataError::OtherVersion { role: Role::Targets, wanted, found });
        }
        let known = self.targets.as_ref();
        not_older(Role::Targets, known.map_or(0, |known| known.version), next.version)?;
        fresh(&next, now)?;
        for (idx, release) in next.releases.iter().enumerate() {
            let is_same =
                |other: &&Release| (other.version, &other.architecture) == (release.version, &release.architecture);
            let is_twice = next.releases.iter().take(idx).any(|other| is_same(&other));
            let was_other = known
                .and_then(|known| known.releases.iter().find(is_same))
                .is_some_and(|other| other.sha256 != release.sha256);
            if is_twice || was_other {
                return Err(MetadataError::TwoPrograms(release.version));
            }
        }
        self.targets = Some(next);
        Ok(())
    }
}

fn not_older(role: Role, known: u64, found: u64) -> Result<(), MetadataError> {
    if found < known { Err(MetadataError::Older { role, known, found }) } else { Ok(()) }
}

fn fresh<T: Signed>(content: &T, now: Millis) -> Result<(), MetadataError> {
    if content.expires_at() > now {
        return Ok(());
    }
    Err(MetadataError::Expired { role: T::ROLE, version: content.version() })
}

/// In hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}
