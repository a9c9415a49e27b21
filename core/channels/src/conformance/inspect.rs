//! What a channel says of itself and asks for, without an account.

use std::{collections::BTreeSet, fmt};

use saoma_domain::claim::Claim;
use serde::Serialize;
use serde_json::Value;
use wasmtime::component::Component;

use super::coverage;
use crate::{
    host::Host,
    manifest::{HostPattern, Manifest, SecretKind},
    registry::Plugin,
};

/// A channel at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    pub id: String,
    pub version: String,
    pub name: String,
    /// Of `saoma:channel`.
    pub contract: String,
    /// SHA-256, in hex.
    pub content_hash: String,
    pub bytes: usize,
    pub capabilities: Vec<String>,
    pub currencies: Vec<String>,
    /// The customer codes that it takes, in words.
    pub claims: Vec<String>,
    /// What it may call, in words.
    pub hosts: Vec<String>,
    /// Name, kind and description of each secret that an account holds.
    pub secrets: Vec<(String, String, String)>,
    pub call_timeout_ms: u32,
    pub query_interval_ms: u32,
    pub reverse_after_ms: u32,
    /// When there are bills, in words.
    pub bills: Option<String>,
    /// The interfaces that the component imports.
    pub imports: Vec<String>,
    pub settings_schema: Value,
}

impl Inspection {
    /// What the kit's cases ask of a manifest (`coverage::offers`).
    pub(crate) fn offers(&self) -> BTreeSet<String> {
        coverage::offered(self.capabilities.iter().cloned(), !self.secrets.is_empty())
    }

    pub(super) fn from_plugin(host: &Host, plugin: &Plugin, bytes: usize) -> Self {
        let manifest: &Manifest = &plugin.manifest;
        Self {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            name: manifest.name.clone(),
            contract: plugin.pre.version().to_owned(),
            content_hash: plugin.content_hash.to_string(),
            bytes,
            capabilities: manifest
                .capabilities
                .iter()
                .map(|offered| coverage::word(*offered))
                .chain(manifest.settlement.map(|_| coverage::SETTLEMENT.to_owned()))
                .chain(manifest.forwards.then(|| coverage::STORED.to_owned()))
                .collect(),
            currencies: manifest.currencies.iter().map(ToString::to_string).collect(),
            claims: manifest.claims.iter().map(claim).collect(),
            hosts: manifest.hosts.iter().map(place).collect(),
            secrets: manifest
                .secrets
                .iter()
                .map(|spec| (spec.name.clone(), kind(spec.kind).to_owned(), spec.description.clone()))
                .collect(),
            call_timeout_ms: manifest.cadence.call_timeout_ms,
            query_interval_ms: manifest.cadence.query_interval_ms,
            reverse_after_ms: manifest.cadence.reverse_after_ms,
            bills: manifest.bills.as_ref().map(|terms| {
                format!(
                    "of days in {} that begin {} minutes after midnight, ready {} minutes after their end",
                    terms.time_zone, terms.day_begins_minutes, terms.ready_after_minutes
                )
            }),
            imports: imports(host, plugin.pre.component()),
            settings_schema: serde_json::from_str(manifest.settings_schema.text()).unwrap_or_default(),
        }
    }
}

/// Each setting's name, type and title.
pub(super) fn settings(schema: &Value) -> impl Iterator<Item = String> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, property)| {
        let words = property["title"].as_str().unwrap_or_default();
        format!("{name} ({}): {words}", property["type"].as_str().unwrap_or_default())
    })
}

pub(super) fn imports(host: &Host, component: &Component) -> Vec<String> {
    component.component_type().imports(host.engine()).map(|(name, _)| name.to_owned()).collect()
}

fn claim(claim: &Claim) -> String {
    match claim {
        Claim::Digits { prefix_from, prefix_to, length_min, length_max } => {
            format!("digits that begin with {prefix_from} to {prefix_to}, {length_min} to {length_max} long")
        }
        Claim::EmvcoCpmAid(aid) => format!("EMVCo codes that name the application {aid}"),
        Claim::TextPrefix(prefix) => format!("texts that begin with {prefix:?}"),
    }
}

fn place(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Fixed { host, port } => format!("https://{host}:{port}"),
        HostPattern::Setting(name) => format!("what the setting {name:?} names"),
    }
}

const fn kind(kind: SecretKind) -> &'static str {
    match kind {
        SecretKind::MacKey => "mac-key",
        SecretKind::Text => "text",
        SecretKind::RsaPrivateKey => "rsa-private-key",
        SecretKind::RsaPublicKeys => "rsa-public-keys",
        SecretKind::Aes256Key => "aes-256-key",
        SecretKind::ClientCertificate => "client-certificate",
        SecretKind::Certificates => "certificates",
        SecretKind::KeyEncryptionKey => "key-encryption-key",
        SecretKind::TerminalDataKey => "terminal-data-key",
        SecretKind::TerminalPinKey => "terminal-pin-key",
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} ({})", self.id, self.version, self.name)?;
        let mut row = |what: &str, text: &str| writeln!(f, "  {what:<14} {text}");
        row("contract", &format!("saoma:channel@{}", self.contract))?;
        row("sha256", &self.content_hash)?;
        row("size", &format!("{} bytes", self.bytes))?;
        row("capabilities", &self.capabilities.join(", "))?;
        row("currencies", &self.currencies.join(", "))?;
        for claim in &self.claims {
            row("takes", claim)?;
        }
        for host in &self.hosts {
            row("calls", host)?;
        }
        for (name, kind, description) in &self.secrets {
            row("secret", &format!("{name} ({kind}): {description}"))?;
        }
        for setting in settings(&self.settings_schema) {
            row("setting", &setting)?;
        }
        row(
            "cadence",
            &format!(
                "a call takes at most {} ms, is asked about every {} ms, and undone after {} ms",
                self.call_timeout_ms, self.query_interval_ms, self.reverse_after_ms
            ),
        )?;
        if let Some(bills) = &self.bills {
            row("bills", bills)?;
        }
        for import in &self.imports {
            row("imports", import)?;
        }
        Ok(())
    }
}
