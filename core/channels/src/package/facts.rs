//! What a component is and says of itself, as far as a statement has it: the same of a channel and of rules.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    conformance::{Inspected, Inspection, RulesInspection, coverage},
    extension::{Extension, Rule},
    host::Loaded,
    registry::Plugin,
};

/// Which world of the contract a component exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `payment-channel`.
    #[default]
    Channel,
    /// `merchant-extension`.
    Rules,
}

impl Kind {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Rules => "rules",
        }
    }

    /// The format's own word, which is left out of statements: they are as they were before there were others.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What a component says, whoever asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) version: String,
    pub(super) contract: String,
    /// SHA-256, in hex.
    pub(super) component: String,
    /// What decides which cases had to be played: a channel's capabilities, or the rules that there are.
    pub(super) offers: BTreeSet<String>,
}

impl From<&Plugin> for Facts {
    fn from(plugin: &Plugin) -> Self {
        Self {
            kind: Kind::Channel,
            id: plugin.manifest().id.clone(),
            version: plugin.manifest().version.clone(),
            contract: plugin.contract().to_owned(),
            component: plugin.content_hash().to_string(),
            offers: coverage::offers(plugin.manifest()),
        }
    }
}

impl From<&Extension> for Facts {
    fn from(rules: &Extension) -> Self {
        let told = rules.description();
        Self {
            kind: Kind::Rules,
            id: told.id.clone(),
            version: told.version.clone(),
            contract: rules.contract().to_owned(),
            component: rules.content_hash().to_string(),
            offers: told.rules.iter().copied().map(Rule::text).map(str::to_owned).collect(),
        }
    }
}

impl From<&Loaded> for Facts {
    fn from(loaded: &Loaded) -> Self {
        match loaded {
            Loaded::Channel(plugin) => plugin.as_ref().into(),
            Loaded::Rules(rules) => rules.as_ref().into(),
        }
    }
}

impl From<&Inspection> for Facts {
    fn from(told: &Inspection) -> Self {
        Self {
            kind: Kind::Channel,
            id: told.id.clone(),
            version: told.version.clone(),
            contract: told.contract.clone(),
            component: told.content_hash.clone(),
            offers: told.offers(),
        }
    }
}

impl From<&RulesInspection> for Facts {
    fn from(told: &RulesInspection) -> Self {
        Self {
            kind: Kind::Rules,
            id: told.id.clone(),
            version: told.version.clone(),
            contract: told.contract.clone(),
            component: told.content_hash.clone(),
            offers: told.rules.iter().cloned().collect(),
        }
    }
}

impl From<&Inspected> for Facts {
    fn from(inspected: &Inspected) -> Self {
        match inspected {
            Inspected::Channel(told) => told.into(),
            Inspected::Rules(told) => told.into(),
        }
    }
}
