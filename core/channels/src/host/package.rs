//! Packages: components that are called by their hash, beside what lies in the operator's folder.

use std::sync::{Arc, PoisonError};

use super::Host;
use crate::{
    extension::Extension,
    failure::InstallError,
    guests::Source,
    package::Vetted,
    registry::{ContentHash, Plugin},
    settings::SettingsSchema,
    versions::World,
};

/// A package that can be called. Which of both it is, its own exports say.
#[derive(Clone, Debug)]
pub enum Loaded {
    Channel(Arc<Plugin>),
    Rules(Arc<Extension>),
}

impl Loaded {
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Channel(plugin) => &plugin.manifest.id,
            Self::Rules(rules) => &rules.description().id,
        }
    }

    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        match self {
            Self::Channel(plugin) => plugin.content_hash,
            Self::Rules(rules) => rules.content_hash(),
        }
    }

    /// Of an account's settings, or of a merchant's for its rules.
    #[must_use]
    pub fn settings_schema(&self) -> &SettingsSchema {
        match self {
            Self::Channel(plugin) => &plugin.manifest.settings_schema,
            Self::Rules(rules) => &rules.description().settings_schema,
        }
    }

    #[must_use]
    pub fn channel(&self) -> Option<&Arc<Plugin>> {
        match self {
            Self::Channel(plugin) => Some(plugin),
            Self::Rules(_) => None,
        }
    }

    #[must_use]
    pub fn rules(&self) -> Option<&Arc<Extension>> {
        match self {
            Self::Rules(rules) => Some(rules),
            Self::Channel(_) => None,
        }
    }
}

impl Host {
    /// Takes a component in beside all others, and from then on uses it for the accounts that name it by its hash
    /// ([`crate::Account::package`]), or for whoever asks for its rules. Nothing else changes. One that is there already is not
    /// compiled again. Cancel-safe.
    ///
    /// # Errors
    /// See [`InstallError`].
    pub async fn install_package(&self, bytes: &[u8]) -> Result<Loaded, InstallError> {
        if let Some(loaded) = self.package(ContentHash::of(bytes)) {
            return Ok(loaded);
        }
        let loaded = self.take_in_either(bytes, Source::Kept).await?;
        Ok(self.keep(loaded))
    }

    /// As [`Self::install_package`], of a package that was vetted: what the component says of itself must be what its publisher
    /// signed.
    ///
    /// # Errors
    /// See [`InstallError`]; it is not installed then.
    pub async fn install_vetted(&self, vetted: &Vetted, bytes: &[u8]) -> Result<Loaded, InstallError> {
        let loaded = match self.package(ContentHash::of(bytes)) {
            Some(loaded) => loaded,
            None => self.take_in_either(bytes, Source::Published).await?,
        };
        vetted.fits(&loaded)?;
        Ok(self.keep(loaded))
    }

    /// Takes no further calls through this package; `false` if it was not there. Its code is freed when the calls under way
    /// have ended with it.
    pub fn remove_package(&self, package: ContentHash) -> bool {
        self.plugins_mut(|plugins| plugins.packages.remove(&package)).is_some()
    }

    /// The package of that hash.
    #[must_use]
    pub fn package(&self, package: ContentHash) -> Option<Loaded> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).packages.get(&package).cloned()
    }

    fn keep(&self, loaded: Loaded) -> Loaded {
        self.plugins_mut(|plugins| plugins.packages.insert(loaded.content_hash(), loaded.clone()));
        loaded
    }

    async fn take_in_either(&self, bytes: &[u8], source: Source) -> Result<Loaded, InstallError> {
        let (component, origin) = self.load(bytes).await?;
        let hash = ContentHash::of(bytes);
        Ok(match World::of(&self.engine, &component) {
            Some(World::MerchantExtension) => Loaded::Rules(self.take_in_rules(&component, hash, source).await?),
            Some(World::PaymentChannel) | None => {
                Loaded::Channel(self.take_in_channel(&component, origin, hash, source).await?)
            }
        })
    }
}
