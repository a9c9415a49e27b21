//! Packages: components that are called by their hash, beside what lies in the operator's folder.

use std::sync::{Arc, PoisonError};

use wasmtime::component::Component;

use super::Host;
use crate::{
    extension::Extension,
    failure::InstallError,
    guests::Source,
    package::Vetted,
    places::Places,
    registry::{ContentHash, Origin, Plugin, Whose},
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

    /// The platform's goes before a tenant's of the same bytes.
    fn is_as_wanted(&self, whose: Whose) -> bool {
        let places: &Places = match self {
            Self::Channel(plugin) => &plugin.places,
            Self::Rules(rules) => rules.places(),
        };
        whose == Whose::Tenants || !places.are_apart()
    }

    fn component(&self) -> &Component {
        match self {
            Self::Channel(plugin) => plugin.pre.component(),
            Self::Rules(rules) => rules.component(),
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
    pub async fn install_package(&self, bytes: &[u8], whose: Whose) -> Result<Loaded, InstallError> {
        let hash = ContentHash::of(bytes);
        if let Some(loaded) = self.package(hash).filter(|loaded| loaded.is_as_wanted(whose)) {
            return Ok(loaded);
        }
        let (component, origin) = self.load(bytes).await?;
        let loaded = self.take_in_either(&component, origin, hash, (whose, Source::Kept)).await?;
        self.keep_compiled(hash, component, origin).await;
        Ok(self.keep(loaded))
    }

    /// As [`Self::install_package`], of a package that was vetted: what the component says of itself must be what its publisher
    /// signed. It is compiled behind all that anybody waits for, and its code is not kept yet: [`Self::keep_code`] does that once the
    /// package is stored.
    ///
    /// # Errors
    /// See [`InstallError`]; it is not installed then.
    pub async fn install_vetted(&self, vetted: &Vetted, bytes: &[u8], whose: Whose) -> Result<Loaded, InstallError> {
        let hash = ContentHash::of(bytes);
        let loaded = match self.package(hash).filter(|loaded| loaded.is_as_wanted(whose)) {
            Some(loaded) => loaded,
            None => {
                let (component, origin) = self.load_beside(bytes).await?;
                self.take_in_either(&component, origin, hash, (whose, Source::Published)).await?
            }
        };
        vetted.fits(&loaded)?;
        Ok(self.keep(loaded))
    }

    /// Keeps the compiled code of an installed package for the next start.
    pub async fn keep_code(&self, package: ContentHash) {
        if let Some(loaded) = self.package(package).filter(|_| !self.cache.has(package)) {
            self.keep_compiled(package, loaded.component().clone(), Origin::Compiled).await;
        }
    }

    /// Deletes the compiled code of a package that nobody is to call any more, unless the operator's folder has the same component.
    pub async fn delete_code(&self, package: ContentHash) {
        let is_in_folder = self.plugins().iter().any(|plugin| plugin.content_hash() == package)
            || self.extensions().iter().any(|rules| rules.content_hash() == package);
        if is_in_folder {
            return;
        }
        let cache = Arc::clone(&self.cache);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || cache.remove(package)).await {
            tracing::warn!(%package, %error, "a package's compiled code stays on the disk until the next start");
        }
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
        self.plugins_mut(|plugins| match plugins.packages.get(&loaded.content_hash()) {
            // Taken in meanwhile.
            Some(known) if known.is_as_wanted(Whose::Everybodys) => known.clone(),
            _ => {
                plugins.packages.insert(loaded.content_hash(), loaded.clone());
                loaded
            }
        })
    }

    async fn take_in_either(
        &self,
        component: &Component,
        origin: Origin,
        hash: ContentHash,
        of: (Whose, Source),
    ) -> Result<Loaded, InstallError> {
        Ok(match World::of(&self.engine, component) {
            Some(World::MerchantExtension) => Loaded::Rules(self.take_in_rules(component, hash, of).await?),
            Some(World::PaymentChannel) | None => {
                Loaded::Channel(self.take_in_channel(component, origin, hash, of).await?)
            }
        })
    }
}
