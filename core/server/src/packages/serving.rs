//! What this node serves, of channels and of rules: the rollouts as it last read them, as far as it could load their packages.
//!
//! A rollout is taken up whole or not at all. When a package of it does not load, this node goes on with what it had, says so in
//! the log, on `/ready`, in a metric and with the rollout's status, and tries again. If it had nothing, those whom the package is
//! for are served nothing: never another version in its place.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::Duration,
};

use saoma_channels::{ContentHash, Loaded, Plugin, Whose};
use saoma_domain::package::Choice;
use saoma_protocol::TenantId;
use saoma_store::{
    StoreError, TenantScope, access, plugin_packages,
    plugin_rollouts::{self, StoredRollout, Versions},
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, Semaphore},
    time::{Instant, timeout},
};

use super::PackageError;
use crate::app::App;

/// How long a package that no rollout names stays loaded after its last use. Longer than a call that was made ready may take;
/// loading it again takes some 30 ms, from the folder of compiled code.
const IDLE_MAX: Duration = Duration::from_secs(600);

/// Merchants' packages that are taken in at a time, one of each merchant: each is in memory up to three times over, at most 64 MiB
/// each. The platform has a place of its own, so that nobody who uploads without a pause keeps it from anything.
const UPLOADS_OF_TENANTS_MAX: usize = 3;

/// Longest that a sale waits for this node to take a rollout up. What was compiled here before takes some 30 ms; the rest is the
/// worker's.
const CATCH_UP_MAX: Duration = Duration::from_secs(5);

/// What this node serves. One for each core.
pub struct Serving {
    table: RwLock<Arc<Table>>,
    /// When each loaded package was last wanted.
    used: Mutex<HashMap<ContentHash, Instant>>,
    /// One that takes rollouts up at a time.
    turn: Semaphore,
    /// One for each package that is on its way into memory: whoever else wants it waits, and finds it there.
    loading: Mutex<HashMap<ContentHash, Weak<AsyncMutex<()>>>>,
    /// Whose packages are on their way in (`None`: the platform's).
    uploads: Arc<Mutex<HashSet<Option<TenantId>>>>,
    bell: Notify,
}

/// A package's place on its way in, given back when dropped.
pub struct Upload {
    owner: Option<TenantId>,
    uploads: Arc<Mutex<HashSet<Option<TenantId>>>>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.owner);
    }
}

/// By whose plugin it is (`None`: the platform's), and its id.
type Table = HashMap<(Option<TenantId>, String), Entry>;

#[derive(Clone)]
struct Entry {
    /// The rollout that is served; `None` if none of it could be loaded yet.
    up: Option<Up>,
    /// Why a newer one is not served.
    behind: Option<Behind>,
}

impl Entry {
    /// The newest version that this node took up, or could not.
    fn tried(&self) -> Option<u64> {
        let behind = self.behind.as_ref().map(|behind| behind.wanted);
        behind.or_else(|| self.up.as_ref().map(|up| up.version))
    }

    fn is_whole_at(&self, version: u64) -> bool {
        self.up.as_ref().is_some_and(|up| up.version == version && !matches!(up.canary, Canary::NotHere))
    }
}

#[derive(Clone)]
struct Up {
    version: u64,
    /// `None`: the built-in.
    stable: Option<Loaded>,
    canary: Canary,
    canary_tenants: HashSet<TenantId>,
}

#[derive(Clone)]
enum Canary {
    None,
    Package(Loaded),
    /// It could not be loaded, and nothing was served before: its tenants are served nothing, the others go on.
    NotHere,
}

impl Canary {
    const fn loaded(&self) -> Option<&Loaded> {
        match self {
            Self::Package(loaded) => Some(loaded),
            Self::None | Self::NotHere => None,
        }
    }
}

/// A rollout that this node could not take up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    pub tenant: Option<TenantId>,
    pub plugin: String,
    /// The rollout's version that it should serve.
    pub wanted: u64,
    /// That it serves instead; `None`: nothing.
    pub served: Option<u64>,
    pub why: String,
}

/// What serves a tenant's new payments of one plugin, or is asked about its sales.
#[derive(Clone, Debug)]
pub enum Serves {
    BuiltIn,
    Package(Loaded),
    /// Its rollout could not be loaded.
    Nothing,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            table: RwLock::default(),
            used: Mutex::default(),
            turn: Semaphore::new(1),
            loading: Mutex::default(),
            uploads: Arc::default(),
            bell: Notify::new(),
        }
    }
}

impl Serving {
    /// A tenant's own plugin goes before the platform's of the same name.
    #[must_use]
    pub fn of(&self, tenant: TenantId, plugin: &str) -> Serves {
        let table = self.table();
        // A tenant that went back to what is built in has what the platform gives to everybody.
        let is_chosen = |entry: &&Entry| entry.up.as_ref().is_none_or(|up| up.stable.is_some());
        let own = table.get(&(Some(tenant), plugin.to_owned())).filter(is_chosen);
        let Some(entry) = own.or_else(|| table.get(&(None, plugin.to_owned()))) else { return Serves::BuiltIn };
        let Some(up) = &entry.up else { return Serves::Nothing };
        let loaded = match &up.canary {
            Canary::Package(loaded) if up.canary_tenants.contains(&tenant) => Some(loaded),
            Canary::NotHere if up.canary_tenants.contains(&tenant) => return Serves::Nothing,
            Canary::None | Canary::Package(_) | Canary::NotHere => up.stable.as_ref(),
        };
        loaded.map_or(Serves::BuiltIn, |loaded| Serves::Package(loaded.clone()))
    }

    /// The plugins that have a rollout: the platform's, and this tenant's own.
    #[must_use]
    pub fn plugins_of(&self, tenant: TenantId) -> BTreeSet<String> {
        let table = self.table();
        let its = table.keys().filter(|(owner, _)| owner.is_none_or(|owner| owner == tenant));
        its.map(|(_, plugin)| plugin.clone()).collect()
    }

    /// A place to take a package of this owner's in (`None`: the platform's); none while it has one already, or all are taken.
    #[must_use]
    pub fn upload(&self, owner: Option<TenantId>) -> Option<Upload> {
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = owner.is_some() && uploads.iter().flatten().count() >= UPLOADS_OF_TENANTS_MAX;
        (!is_full && uploads.insert(owner)).then(|| Upload { owner, uploads: Arc::clone(&self.uploads) })
    }

    /// Whether the tenant has a plugin of this name of its own.
    #[must_use]
    pub fn has_own(&self, tenant: TenantId, plugin: &str) -> bool {
        self.table().contains_key(&(Some(tenant), plugin.to_owned()))
    }

    /// What this node should serve and does not.
    #[must_use]
    pub fn behind(&self) -> Vec<Behind> {
        self.table().values().filter_map(|entry| entry.behind.clone()).collect()
    }

    /// The version of a rollout that this node serves.
    #[must_use]
    pub fn version_of(&self, tenant: Option<TenantId>, plugin: &str) -> Option<u64> {
        self.table().get(&(tenant, plugin.to_owned()))?.up.as_ref().map(|up| up.version)
    }

    /// By which versions this node serves a tenant's plugin. Ask before what it serves: then that is of these, or of newer ones.
    #[must_use]
    pub fn versions_for(&self, tenant: TenantId, plugin: &str) -> Versions {
        Versions { own: self.version_of(Some(tenant), plugin), platform: self.version_of(None, plugin) }
    }

    fn tried(&self, tenant: TenantId, plugin: &str) -> Versions {
        let table = self.table();
        let of = |owner| table.get(&(owner, plugin.to_owned())).and_then(Entry::tried);
        Versions { own: of(Some(tenant)), platform: of(None) }
    }

    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn loading(&self, package: ContentHash) -> Arc<AsyncMutex<()>> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.retain(|_, turn| turn.strong_count() > 0);
        let turn = loading.get(&package).and_then(Weak::upgrade).unwrap_or_default();
        loading.insert(package, Arc::downgrade(&turn));
        turn
    }

    /// It stays loaded for a while from now.
    pub(super) fn note_used(&self, package: ContentHash) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(package, Instant::now());
    }
}

/// Reads the rollouts and takes up those that changed. `false` if one of them cannot be taken up now.
///
/// # Errors
/// The database does not answer; everything is served as before.
pub async fn refresh(app: &App) -> Result<bool, StoreError> {
    let serving = app.serving();
    let Ok(_turn) = serving.turn.acquire().await else { return Ok(false) };
    let stored = app.store().read(|tx| plugin_rollouts::all(tx, &access::process())).await?;
    let before = serving.table();
    let mut table = Table::new();
    for rollout in stored {
        let key = (rollout.tenant, rollout.plugin.clone());
        let entry = match before.get(&key) {
            Some(entry) if entry.is_whole_at(rollout.rollout.version) => Entry { up: entry.up.clone(), behind: None },
            known => taken_up(app, &rollout, known).await,
        };
        table.insert(key, entry);
    }
    let is_whole = table.values().all(|entry| entry.behind.is_none());
    let wanted: HashSet<ContentHash> = table
        .values()
        .filter_map(|entry| entry.up.as_ref())
        .flat_map(|up| up.stable.iter().chain(up.canary.loaded()).map(Loaded::content_hash))
        .collect();
    app.metrics().packages_behind(table.values().filter(|entry| entry.behind.is_some()).count());
    *serving.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    free_idle(app, &wanted);
    Ok(is_whole)
}

/// Takes up what was rolled out of a tenant's plugin on another node, before the bell or the worker's next look. What this node has
/// tried without success is left to the worker: no sale waits for that.
///
/// # Errors
/// The database does not answer.
pub async fn catch_up(app: &App, scope: TenantScope, plugin: &str) -> Result<(), StoreError> {
    let asked = plugin.to_owned();
    let newest = app.store().read(move |tx| plugin_rollouts::versions_for(tx, &scope, &asked)).await?;
    if newest == app.serving().tried(scope.tenant(), plugin) {
        return Ok(());
    }
    match timeout(CATCH_UP_MAX, refresh(app)).await {
        Ok(taken_up) => taken_up.map(drop),
        Err(_) => {
            app.serving().bell().notify_one();
            Ok(())
        }
    }
}

async fn taken_up(app: &App, rollout: &StoredRollout, known: Option<&Entry>) -> Entry {
    let (tenant, plugin, version) = (rollout.tenant, &rollout.plugin, rollout.rollout.version);
    let stable = match rollout.rollout.stable {
        Choice::BuiltIn => Ok(None),
        Choice::Package(hash) => load_of(app, plugin, hash).await.map(Some),
    };
    let canary = match rollout.rollout.canary {
        Some(hash) => load_of(app, plugin, hash).await.map(Canary::Package),
        None => Ok(Canary::None),
    };
    let canary_tenants = rollout.canary_tenants.iter().copied().collect();
    let before = known.and_then(|entry| entry.up.clone());
    let (up, why) = match (stable, canary) {
        (Ok(stable), Ok(canary)) => (Some(Up { version, stable, canary, canary_tenants }), None),
        (Ok(stable), Err(error)) if before.as_ref().is_none_or(|up| up.version == version) => {
            (Some(Up { version, stable, canary: Canary::NotHere, canary_tenants }), Some(error))
        }
        (Err(error), _) | (_, Err(error)) => (before, Some(error)),
    };
    match why {
        None => {
            tracing::info!(plugin.id = %plugin, rollout.version = version, stable = %rollout.rollout.stable, "a rollout is served");
            Entry { up, behind: None }
        }
        Some(error) => {
            let served = up.as_ref().map(|up| up.version);
            tracing::error!(
                plugin.id = %plugin, rollout.version = version, rollout.served = served, %error,
                "a rollout cannot be served whole here: this node goes on with what it has, and tries again"
            );
            let behind = Behind { tenant, plugin: plugin.clone(), wanted: version, served, why: error.to_string() };
            Entry { up, behind: Some(behind) }
        }
    }
}

/// [`load`], of this plugin alone.
///
/// # Errors
/// `OtherPlugin`, and as there.
pub(super) async fn load_of(app: &App, plugin: &str, hash: ContentHash) -> Result<Loaded, PackageError> {
    let loaded = load(app, hash).await?;
    if loaded.id() != plugin {
        return Err(PackageError::OtherPlugin { hash, plugin: loaded.id().to_owned() });
    }
    Ok(loaded)
}

/// [`load`], for calls about a payment.
///
/// # Errors
/// As there.
pub async fn load_channel(app: &App, hash: ContentHash) -> Result<Arc<Plugin>, PackageError> {
    let loaded = load(app, hash).await?;
    loaded.channel().cloned().ok_or_else(|| not_here(hash, "it holds rules and is no channel"))
}

/// The package, ready to be called: from memory, or else from the database, compiled or out of the folder of compiled code. It
/// stays for a while.
///
/// It was vetted when it was published, by the kit of that day, and is named by what it is: so it is not vetted again, or a
/// newer core would refuse what runs already.
///
/// # Errors
/// `NotHere`, `Store`.
pub(super) async fn load(app: &App, hash: ContentHash) -> Result<Loaded, PackageError> {
    app.serving().note_used(hash);
    if let Some(loaded) = app.channels().package(hash) {
        return Ok(loaded);
    }
    let turn = app.serving().loading(hash);
    let _turn = turn.lock().await;
    if let Some(loaded) = app.channels().package(hash) {
        return Ok(loaded);
    }
    let component =
        app.store().read(move |tx| plugin_packages::component(tx, &access::process(), hash)).await.map_err(
            |error| match error {
                StoreError::NotFound { .. } => not_here(hash, "the database does not have it"),
                other => other.into(),
            },
        )?;
    if ContentHash::of(&component.bytes) != hash {
        return Err(not_here(hash, "the bytes in the database are not those that were published"));
    }
    let whose = if component.is_of_platform { Whose::Everybodys } else { Whose::Tenants };
    let loaded = app.channels().install_package(&component.bytes, whose).await;
    loaded.map_err(|error| not_here(hash, &error.to_string()))
}

fn not_here(hash: ContentHash, why: &str) -> PackageError {
    PackageError::NotHere { hash, why: why.to_owned() }
}

/// Frees packages that no rollout names and no payment has wanted for a while. Their calls under way end with them.
fn free_idle(app: &App, wanted: &HashSet<ContentHash>) {
    let mut used = app.serving().used.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    used.retain(|hash, last| {
        // Calls that began while it was wanted have as long to end as those about a payment.
        if wanted.contains(hash) {
            *last = now;
        }
        let stays = now.duration_since(*last) < IDLE_MAX;
        if !stays {
            app.channels().remove_package(*hash);
        }
        stays
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_two_packages_on_their_way_in() {
        let (serving, tenant) = (Serving::default(), |n| Some(TenantId::from_bytes([n; 16])));
        let mut held: Vec<_> = (1..=2).map(|n| serving.upload(tenant(n)).expect("a place")).collect();
        assert!(serving.upload(tenant(1)).is_none(), "one of each");
        held.push(serving.upload(tenant(3)).expect("a place"));
        assert!(serving.upload(tenant(4)).is_none(), "all are taken");
        held.push(serving.upload(None).expect("the platform has its own"));
        assert!(serving.upload(None).is_none());
        held.remove(0);
        assert!(serving.upload(tenant(4)).is_some());
    }
}
