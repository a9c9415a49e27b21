//! A signed plugin, a channel or a merchant's rules: a component, and an envelope in which its publisher says what it is and how it
//! stood the conformance kit.
//!
//! [`sign`] makes the envelope at the author's, [`vet`] reads it at core's. Nobody else makes a [`Vetted`], and a host takes one in
//! only if the component says the same of itself ([`crate::Host::install_vetted`]).
//!
//! The signature proves who says it, not that it is so: a publisher who is trusted and lies about the kit is believed. What the
//! kit can hold them to is that nothing is left out in silence; the rest is why trust in a key is an operator's decision.

mod envelope;
mod error;
mod facts;
mod publisher;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use semver::Version;

use self::statement::Statement;
pub use self::{
    envelope::{ENVELOPE_BYTES_MAX, Envelope, PAYLOAD_TYPE, SIGNATURES_MAX, Signature},
    error::{PackageError, VetError},
    facts::{Facts, Kind},
    publisher::{KeyFault, Publisher, PublisherKey},
};
use crate::{
    conformance::{
        CaseReport, CoverageError, KIT_VERSION, Report, Unplayed, Verdict,
        coverage::{self, Stated},
        rule_names_of, rules_coverage,
    },
    manifest::{is_plugin_id, semver},
    registry::{ContentHash, PLUGIN_BYTES_MAX},
};

/// A package whose signature, hash and verdicts were found good. Only [`vet`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vetted {
    kind: Kind,
    plugin: String,
    version: Version,
    contract: String,
    component: ContentHash,
    component_bytes: usize,
    key_id: String,
    kit: String,
    offers: BTreeSet<String>,
    unplayed: Vec<Unplayed>,
}

impl Vetted {
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The plugin's id.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.version
    }

    /// The version of `saoma:channel` that it was built for.
    #[must_use]
    pub fn contract(&self) -> &str {
        &self.contract
    }

    #[must_use]
    pub const fn component(&self) -> ContentHash {
        self.component
    }

    #[must_use]
    pub const fn component_bytes(&self) -> usize {
        self.component_bytes
    }

    /// Of the trusted key that signed: [`Publisher::key_id`].
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The version of the kit that it passed.
    #[must_use]
    pub fn kit(&self) -> &str {
        &self.kit
    }

    /// The cases that its far side could not play, for whoever decides about it. None of them is mandatory.
    #[must_use]
    pub fn unplayed(&self) -> &[Unplayed] {
        &self.unplayed
    }

    /// Whether the component, asked by the host, says of itself what its publisher signed. Until then the statement is about bytes
    /// alone, and which cases had to be played hangs on the publisher's word.
    ///
    /// # Errors
    /// [`VetError::OtherManifest`], or [`VetError::OtherComponent`] if it is not the component that was vetted.
    pub fn fits(&self, said: impl Into<Facts>) -> Result<(), VetError> {
        let said = said.into();
        if said.component != self.component.to_string() {
            return Err(VetError::OtherComponent { stated: self.component.to_string(), given: said.component });
        }
        let listed = |words: &BTreeSet<String>| words.iter().cloned().collect::<Vec<_>>().join(" ");
        let offers = match said.kind {
            Kind::Channel => "capabilities",
            Kind::Rules => "rules",
        };
        let rows = [
            ("kind", self.kind.to_string(), said.kind.to_string()),
            ("id", self.plugin.clone(), said.id),
            ("version", self.version.to_string(), said.version),
            ("contract", self.contract.clone(), said.contract),
            (offers, listed(&self.offers), listed(&said.offers)),
        ];
        match rows.into_iter().find(|(_, stated, found)| stated != found) {
            None => Ok(()),
            Some((what, stated, found)) => Err(VetError::OtherManifest { what, stated, found }),
        }
    }
}

/// What an envelope says, unchecked: to show to a person, never to decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub kind: Kind,
    pub plugin: String,
    pub version: String,
    /// SHA-256 of the component, in hex.
    pub component: String,
    pub key_ids: Vec<String>,
    pub kit: String,
    pub passed: usize,
    /// Every case that was left out, with its reason.
    pub left_out: Vec<Unplayed>,
}

impl Said {
    /// # Errors
    /// Whatever cannot be read: see [`VetError`].
    pub fn read(envelope_json: &[u8]) -> Result<Self, VetError> {
        let envelope = Envelope::read(envelope_json)?;
        let statement = Statement::read(&envelope.unchecked()?)?;
        let is_left_out = |stated: &coverage::Stated<'_>| stated.verdict == Verdict::Skipped;
        let left_out = statement
            .kit
            .stated()
            .filter(is_left_out)
            .map(|stated| Unplayed { case: stated.case.to_owned(), why: stated.why.unwrap_or_default().to_owned() });
        Ok(Self {
            key_ids: envelope.key_ids(),
            passed: statement.kit.stated().filter(|stated| stated.verdict == Verdict::Passed).count(),
            left_out: left_out.collect(),
            kind: statement.kind,
            plugin: statement.plugin,
            version: statement.version,
            component: statement.component_sha256,
            kit: statement.kit.version,
        })
    }
}

/// Signs a component that passed every case that it had to.
///
/// What it said of itself, and the report, are of this component, by this program and its kit.
///
/// # Errors
/// See [`PackageError`].
pub fn sign(
    component: &[u8],
    said: impl Into<Facts>,
    report: &Report,
    key: &PublisherKey,
) -> Result<Envelope, PackageError> {
    let said = said.into();
    let hash = ContentHash::of(component).to_string();
    if report.format != crate::conformance::REPORT_FORMAT {
        return Err(PackageError::Format { found: report.format });
    }
    if report.kit != KIT_VERSION {
        return Err(PackageError::OtherKit { report: report.kit.clone() });
    }
    for found in [&said.component, &report.content_hash] {
        if *found != hash {
            return Err(PackageError::OtherComponent { report: found.clone(), given: hash });
        }
    }
    if [&said.id, &said.version, &said.contract] != [&report.plugin, &report.version, &report.contract] {
        return Err(PackageError::OtherFacts);
    }
    proven(said.kind, &report.kit, &said.offers, report.cases.iter().map(CaseReport::stated))?;
    let statement = Statement::of(said, component.len(), report);
    Ok(Envelope::signed(&serde_json::to_vec(&statement)?, key))
}

fn proven<'a>(
    kind: Kind,
    kit: &str,
    offers: &BTreeSet<String>,
    stated: impl IntoIterator<Item = Stated<'a>>,
) -> Result<Vec<Unplayed>, CoverageError> {
    let kit = coverage::known_kit(kit)?;
    match kind {
        Kind::Channel => coverage::proven(kit, offers, stated),
        Kind::Rules => rules_coverage::proven(&rule_names_of(kit), offers, stated).map(|()| Vec::new()),
    }
}

/// Whether a component may be taken in: signed by one of `trusted`, unchanged since, and played case by case by this kit or the one
/// before.
///
/// It says nothing yet of the component's own manifest: see [`Vetted::fits`].
///
/// # Errors
/// See [`VetError`], in its order.
pub fn vet(component: &[u8], envelope_json: &[u8], trusted: &[Publisher]) -> Result<Vetted, VetError> {
    if component.len() > PLUGIN_BYTES_MAX {
        return Err(VetError::ComponentTooLarge { given: component.len(), max: PLUGIN_BYTES_MAX });
    }
    let envelope = Envelope::read(envelope_json)?;
    let (payload, signer) = envelope.opened(trusted)?;
    // From here on it is a trusted publisher's word.
    let statement = Statement::read(&payload)?;
    let hash = ContentHash::of(component);
    if statement.component_sha256 != hash.to_string() {
        return Err(VetError::OtherComponent { stated: statement.component_sha256, given: hash.to_string() });
    }
    if statement.component_bytes != component.len() {
        return Err(VetError::OtherSize { stated: statement.component_bytes, given: component.len() });
    }
    if !is_plugin_id(&statement.plugin) {
        return Err(VetError::PluginId(statement.plugin));
    }
    let version = semver(&statement.version).ok_or_else(|| VetError::Version(statement.version.clone()))?;
    let unplayed = proven(statement.kind, &statement.kit.version, &statement.offers, statement.kit.stated())?;
    Ok(Vetted {
        kind: statement.kind,
        plugin: statement.plugin,
        version,
        contract: statement.contract,
        component: hash,
        component_bytes: component.len(),
        key_id: signer.key_id(),
        kit: statement.kit.version,
        offers: statement.offers,
        unplayed,
    })
}
