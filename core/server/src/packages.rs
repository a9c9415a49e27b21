//! Plugins, channels and merchants' rules, as signed packages: published by those who are trusted, rolled out to some tenants and
//! then to all, and taken back.
//!
//! A payment keeps the package that began it, to its last refund: another version's "no such payment" could charge or give back
//! twice. So nothing is ever deleted, and a rollout decides about new payments alone. Rules are asked before there is a payment, each
//! call those of one package (a quote and its sale may have two), and nothing is bound to them. What a node cannot load it does
//! not serve: it goes on with what it had, says so, and tries again ([`serving`]).

mod publish;
mod rollout;
mod serving;

use std::{fmt, sync::Arc};

use saoma_channels::{
    ContentHash, InstallError, Loaded, Manifest,
    extension::Extension,
    package::{Kind, VetError},
};
use saoma_domain::package::Refusal;
use saoma_protocol::{ChannelAccountId, Millis, TenantId};
use saoma_store::{
    Owner, Principal, StoreError, Tx,
    audit::{self, NewEntry},
};

pub use self::{
    publish::{PACKAGES_EVER_PER_TENANT_MAX, PACKAGES_PER_TENANT_MAX, built_in, kind_of, publish, revoke, trust},
    rollout::{Changed, Wish, retire, step},
    serving::{Behind, Serves, Serving, catch_up, load_channel, refresh},
};
use crate::app::App;

/// Why a package is not taken, rolled out or used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vet(#[from] VetError),
    #[error("the component cannot be installed: {0}")]
    Install(#[from] InstallError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A tenant's plugin must have a name of its own.
    #[error("{0} is the id of one of the platform's plugins")]
    IdTaken(String),
    /// Whoever has an account of it, or rules by it, would have something else in its place.
    #[error("{plugin} is the id of {} already; give the {given} another", named(*taken_by))]
    KindTaken { plugin: String, taken_by: Kind, given: Kind },
    #[error("the operator's folder of plugins has {} of the id {plugin}: take it out there, or give the {given} another", named(*in_folder))]
    KindInFolder { plugin: String, in_folder: Kind, given: Kind },
    #[error(
        "a merchant has at most {PACKAGES_PER_TENANT_MAX} packages that are not retired: retire one that nothing is to go through any more"
    )]
    TooMany,
    #[error(
        "a merchant publishes at most {PACKAGES_EVER_PER_TENANT_MAX} packages, retired ones included: ask the platform, which can publish the plugin for everybody"
    )]
    TooManyEver,
    #[error("{0} is not trusted (any more)")]
    Revoked(String),
    #[error("the package {0} is retired")]
    Retired(ContentHash),
    #[error("{hash} is a package of the plugin {plugin}")]
    OtherPlugin { hash: ContentHash, plugin: String },
    /// New payments go through it, or would after a roll-back.
    #[error("the rollout of {0} names the package")]
    InUse(String),
    #[error("a canary has 1 to {max} merchants", max = saoma_store::plugin_rollouts::CANARY_TENANTS_MAX)]
    CanarySize,
    /// A tenant's own plugin has nobody else to be tried on.
    #[error("a plugin of one merchant has no canary")]
    CanaryOfOne,
    #[error("the stored settings of {} do not fit", counted(.0))]
    SettingsRefused(Vec<Unfit>),
    /// This node does not have it and cannot load it now.
    #[error("the package {hash} cannot be loaded here: {why}")]
    NotHere { hash: ContentHash, why: String },
}

/// An account, or a merchant's rules, that a package does not fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub tenant: TenantId,
    /// `None`: the merchant's rules.
    pub account: Option<ChannelAccountId>,
    pub why: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.account {
            Some(account) => write!(f, "{account} ({})", self.why),
            None => write!(f, "the rules of {} ({})", self.tenant, self.why),
        }
    }
}

/// The accounts and the merchants' rules: of one plugin there is only one of both.
fn counted(unfit: &[Unfit]) -> String {
    let of_accounts = unfit.iter().filter(|unfit| unfit.account.is_some()).count();
    match unfit.len() - of_accounts {
        0 => format!("{of_accounts} accounts"),
        of_rules => format!("{of_rules} merchants' rules"),
    }
}

const fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Channel => "a channel",
        Kind::Rules => "rules",
    }
}

/// Whose packages the caller manages; `None` of one who is neither the platform nor of a tenant, of which there are none.
#[must_use]
pub fn owner_of(principal: &Principal) -> Option<Owner> {
    match principal {
        Principal::Platform { scope, .. } => Some(Owner::Platform(*scope)),
        other => other.tenant_scope().copied().map(Owner::Tenant),
    }
}

const NOBODY: PackageError = PackageError::Store(StoreError::NotFound { what: "the owner of packages" });

/// In the owner's audit log.
fn note(
    tx: &mut Tx<'_>,
    owner: &Owner,
    who: &Principal,
    action: &str,
    subject: &impl std::fmt::Display,
    detail: &serde_json::Value,
    at: Millis,
) -> Result<(), StoreError> {
    let entry = NewEntry::new(&who.actor(), action, subject, detail, at);
    match owner {
        Owner::Platform(scope) => audit::append_platform(tx, scope, &entry).map(drop),
        Owner::Tenant(scope) => audit::append(tx, scope, &entry).map(drop),
    }
}

/// What serves new payments of an account.
#[derive(Clone)]
pub struct Served {
    /// `None`: the built-in.
    pub package: Option<ContentHash>,
    pub manifest: Arc<Manifest>,
}

impl App {
    /// What this tenant's new payments of that plugin go through on this node; `None` if nothing does.
    #[must_use]
    pub fn served(&self, tenant: TenantId, plugin: &str) -> Option<Served> {
        match self.serving().of(tenant, plugin) {
            Serves::BuiltIn => self.channels().manifest(plugin).map(|manifest| Served { package: None, manifest }),
            Serves::Package(Loaded::Channel(plugin)) => {
                Some(Served { package: Some(plugin.content_hash()), manifest: Arc::clone(plugin.manifest()) })
            }
            Serves::Package(Loaded::Rules(_)) | Serves::Nothing => None,
        }
    }

    /// The rules of that id that this tenant's sales are asked about on this node; `None` if there are none.
    #[must_use]
    pub fn rules(&self, tenant: TenantId, extension: &str) -> Option<Arc<Extension>> {
        match self.serving().of(tenant, extension) {
            Serves::BuiltIn => self.channels().extension(extension),
            Serves::Package(Loaded::Rules(rules)) => Some(rules),
            Serves::Package(Loaded::Channel(_)) | Serves::Nothing => None,
        }
    }

    /// All rules that this tenant can choose, by id.
    #[must_use]
    pub fn all_rules(&self, tenant: TenantId) -> Vec<Arc<Extension>> {
        let mut ids = self.serving().plugins_of(tenant);
        ids.extend(self.channels().extensions().iter().map(|rules| rules.description().id.clone()));
        ids.iter().filter_map(|id| self.rules(tenant, id)).collect()
    }

    /// Every plugin that this tenant can have accounts of, by id.
    #[must_use]
    pub fn all_served(&self, tenant: TenantId) -> Vec<Arc<Manifest>> {
        let mut ids: Vec<String> = self.channels().manifests().iter().map(|manifest| manifest.id.clone()).collect();
        ids.extend(self.serving().plugins_of(tenant));
        ids.sort();
        ids.dedup();
        ids.iter().filter_map(|plugin| Some(self.served(tenant, plugin)?.manifest)).collect()
    }
}
