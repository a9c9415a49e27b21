//! What a merchant's rules say of themselves, and which of both worlds a component is of.

use std::{fmt, path::Path};

use serde::Serialize;
use serde_json::Value;

use super::{
    inspect::{Inspection, imports, settings},
    kit::KitError,
};
use crate::{
    extension::{Extension, Rule},
    host::{Host, HostConfig, Loaded},
    quotas::CallsMax,
    registry::Whose,
};

/// A merchant's rules at a glance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RulesInspection {
    pub id: String,
    pub version: String,
    pub name: String,
    /// Of `saoma:channel`.
    pub contract: String,
    /// SHA-256, in hex.
    pub content_hash: String,
    pub bytes: usize,
    /// Those that are offered, as the contract spells them.
    pub rules: Vec<String>,
    /// The interfaces that the component imports.
    pub imports: Vec<String>,
    pub settings_schema: Value,
}

/// A component at a glance, whichever it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Inspected {
    Channel(Inspection),
    Rules(RulesInspection),
}

impl Inspected {
    /// Reads a component as the host would when it is installed.
    ///
    /// # Errors
    /// The host does not start, or the component cannot be installed.
    pub async fn of(component: &[u8], cache_dir: &Path) -> Result<Self, KitError> {
        let host = Host::new(HostConfig { calls_max: CallsMax::of(1), ..HostConfig::new(cache_dir) })?;
        Ok(match host.install_package(component, Whose::Everybodys).await? {
            Loaded::Channel(plugin) => Self::Channel(Inspection::from_plugin(&host, &plugin, component.len())),
            Loaded::Rules(rules) => Self::Rules(RulesInspection::from_rules(&host, &rules, component.len())),
        })
    }

    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Channel(told) => &told.id,
            Self::Rules(told) => &told.id,
        }
    }

    #[must_use]
    pub fn version(&self) -> &str {
        match self {
            Self::Channel(told) => &told.version,
            Self::Rules(told) => &told.version,
        }
    }
}

impl RulesInspection {
    fn from_rules(host: &Host, rules: &Extension, bytes: usize) -> Self {
        let told = rules.description();
        Self {
            id: told.id.clone(),
            version: told.version.clone(),
            name: told.name.clone(),
            contract: rules.contract().to_owned(),
            content_hash: rules.content_hash().to_string(),
            bytes,
            rules: told.rules.iter().copied().map(Rule::text).map(str::to_owned).collect(),
            imports: imports(host, rules.component()),
            settings_schema: serde_json::from_str(told.settings_schema.text()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(told) => told.fmt(f),
            Self::Rules(told) => told.fmt(f),
        }
    }
}

impl fmt::Display for RulesInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} ({})", self.id, self.version, self.name)?;
        let mut row = |what: &str, text: &str| writeln!(f, "  {what:<14} {text}");
        row("contract", &format!("saoma:channel@{}", self.contract))?;
        row("sha256", &self.content_hash)?;
        row("size", &format!("{} bytes", self.bytes))?;
        row("rules", &self.rules.join(", "))?;
        for setting in settings(&self.settings_schema) {
            row("setting", &setting)?;
        }
        for import in &self.imports {
            row("imports", import)?;
        }
        Ok(())
    }
}
