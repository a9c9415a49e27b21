//! The host: what is built once, and what one call may touch.

pub(crate) mod card;
pub(crate) mod clock;
pub(crate) mod http;
pub(crate) mod keys;
pub(crate) mod kv;
pub(crate) mod log;
pub(crate) mod package;
pub(crate) mod random;
pub(crate) mod secrets;
pub(crate) mod tcp;
mod waiting;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    thread,
};

use opentelemetry::{
    global,
    metrics::{Histogram, Meter},
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};
use wasmtime::{
    Engine, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

pub(crate) use self::http::Endpoint;
pub use self::package::Loaded;
use crate::{
    card::OpenCard,
    engine::{self, MEMORY_BYTES_DEFAULT, RUNNING_MS_DEFAULT},
    extension::{Extension, RuleState, Running, rule_linker},
    failure::{HostError, InstallError},
    guests::{Guests, Source},
    manifest::{Capability, Manifest},
    memory::MemoryLimit,
    message::Account,
    places::{HostPlaces, Places},
    ports::{Chance, Clock, KeyStore, KvStore, MemoryKeys, MemoryKv, SystemChance, SystemClock},
    quotas::{CALLS_DEFAULT, CallsMax, MemoryMax},
    registry::{self, CodeCache, ContentHash, Origin, Plugin, Whose},
    settlement::SettlementTerms,
    versions::{self, Pre, World},
};

/// How the host runs. [`HostConfig::new`] has safe values for all but the folder.
#[derive(Clone)]
pub struct HostConfig {
    /// Folder of compiled plugins: made if missing, must belong to this user and be closed to others.
    pub cache_dir: PathBuf,
    /// Whether plugins may reach private, loopback and link-local addresses, and those without TLS. For demos and for
    /// schemes inside one's own network; never where strangers' plugins run.
    pub allow_private_addresses: bool,
    /// Hosts that the operator grants to plugins; what a manifest names beyond them is refused.
    pub grant: http::Grant,
    /// Certificates, in PEM, of authorities that plugins' TLS connections trust besides the machine's own: for acquirers inside
    /// one's own network.
    pub extra_roots_pem: Option<String>,
    /// Longest that a plugin's own code may run in one call, in milliseconds, however long its call timeout is: waiting costs
    /// nobody anything, running does.
    pub running_ms_max: u64,
    /// Most linear memory of one call, in bytes.
    pub memory_bytes_max: usize,
    /// Most linear memory of many calls together.
    pub memory_max: MemoryMax,
    /// Most calls at once.
    pub calls_max: CallsMax,
    pub kv: Arc<dyn KvStore>,
    /// Where working keys are kept; never readable to plugins.
    pub keys: Arc<dyn KeyStore>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    /// Counts and times calls. Who reads the figures is not known here.
    pub meter: Meter,
}

impl HostConfig {
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            cache_dir: cache_dir.into(),
            allow_private_addresses: false,
            grant: http::Grant::Any,
            extra_roots_pem: None,
            running_ms_max: RUNNING_MS_DEFAULT,
            memory_bytes_max: MEMORY_BYTES_DEFAULT,
            memory_max: MemoryMax::of(MemoryMax::for_calls(CALLS_DEFAULT)),
            calls_max: CallsMax::of(CALLS_DEFAULT),
            kv: Arc::new(MemoryKv::default()),
            keys: Arc::new(MemoryKeys::default()),
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            meter: global::meter("saoma_channels"),
        }
    }
}

impl fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostConfig")
            .field("cache_dir", &self.cache_dir)
            .field("allow_private_addresses", &self.allow_private_addresses)
            .field("grant", &self.grant)
            .field("running_ms_max", &self.running_ms_max)
            .field("memory_bytes_max", &self.memory_bytes_max)
            .field("memory_max", &self.memory_max)
            .field("calls_max", &self.calls_max)
            .finish_non_exhaustive()
    }
}

/// From a call that never left the host (about 0.1 ms) to the longest that a manifest may allow (60 s).
const CALL_SECONDS: &[f64] =
    &[0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Places in the pool beyond those for calls: plugins that describe themselves while all others are taken.
const DESCRIBING_MAX: u32 = 4;

/// As Linux has it: such a thread has one part in seventy of a processor that others want as well.
const NICENESS_MOST: i32 = 19;

/// Everything that calls share. Built once, kept for the life of the process, used from any task.
pub struct Host {
    pub(crate) config: HostConfig,
    pub(crate) ports: Arc<Ports>,
    /// Places for calls of all plugins together.
    pub(crate) places: Arc<HostPlaces>,
    pub(crate) guests: Arc<Guests>,
    pub(crate) calls: Histogram<f64>,
    engine: Engine,
    linker: Linker<CallState>,
    rule_linker: Linker<RuleState>,
    cache: Arc<CodeCache>,
    /// One published component that is compiled at a time.
    compiler: Arc<Semaphore>,
    plugins: RwLock<Plugins>,
    /// By plugin.
    shares: Mutex<HashMap<String, Weak<Places>>>,
}

/// What the operator has put into the folder is everybody's, and nobody has just published it.
const OF_THE_FOLDER: (Whose, Source) = (Whose::Everybodys, Source::Kept);

/// What can be called.
#[derive(Default)]
struct Plugins {
    /// By id: what the operator put into the folder.
    built_in: HashMap<String, Arc<Plugin>>,
    packages: HashMap<ContentHash, Loaded>,
    /// By id: merchants' rules that the operator put into the folder.
    extensions: HashMap<String, Arc<Extension>>,
}

/// What calls use of the outside.
pub(crate) struct Ports {
    pub(crate) kv: Arc<dyn KvStore>,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) network: http::Network,
}

impl Host {
    /// Starts the engine. Compiles nothing.
    ///
    /// # Errors
    /// The engine or the HTTP client does not start, or the cache folder is not private to this user.
    pub fn new(config: HostConfig) -> Result<Self, HostError> {
        let engine = engine::build(config.memory_bytes_max, config.calls_max.in_all.saturating_add(DESCRIBING_MAX))?;
        engine::tick(&engine)?;
        let engine_error = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(engine_error)?;
        versions::add_to_linker(&mut linker).map_err(engine_error)?;
        let rule_linker = rule_linker(&engine).map_err(engine_error)?;
        let cache = Arc::new(CodeCache::open(&config.cache_dir, &engine)?);
        let network = http::Network::new(&config)?;
        let ports = Arc::new(Ports {
            kv: Arc::clone(&config.kv),
            keys: Arc::clone(&config.keys),
            clock: Arc::clone(&config.clock),
            chance: Arc::clone(&config.chance),
            network,
        });
        let guests = Arc::new(Guests::start()?);
        let places = Arc::new(HostPlaces::new(config.calls_max, config.memory_max, guests.machine()));
        let calls = config
            .meter
            .f64_histogram("saoma.plugin.call.duration")
            .with_unit("s")
            .with_description("Calls of plugins, by plugin, function and outcome")
            .with_boundaries(CALL_SECONDS.to_vec())
            .build();
        Ok(Self {
            config,
            ports,
            places,
            guests,
            calls,
            engine,
            linker,
            rule_linker,
            cache,
            compiler: Arc::new(Semaphore::new(1)),
            plugins: RwLock::default(),
            shares: Mutex::default(),
        })
    }

    /// Takes a component in, and from then on uses it for the accounts of that channel that name no package.
    ///
    /// A built-in of the same id is replaced; calls under way end with the old one. Cancel-safe.
    ///
    /// # Errors
    /// See [`InstallError`]; nothing is replaced then.
    pub async fn install(&self, bytes: &[u8]) -> Result<Arc<Plugin>, InstallError> {
        let (component, origin) = self.load(bytes).await?;
        let plugin = self.take_in_channel(&component, origin, ContentHash::of(bytes), OF_THE_FOLDER).await?;
        self.keep_compiled(plugin.content_hash, component, origin).await;
        let id = &plugin.manifest.id;
        let is_taken = self.plugins_mut(|plugins| {
            let is_taken = plugins.extensions.contains_key(id);
            if !is_taken {
                plugins.built_in.insert(id.clone(), Arc::clone(&plugin));
            }
            is_taken
        });
        if is_taken { Err(InstallError::IdTaken { id: id.clone() }) } else { Ok(plugin) }
    }

    /// Takes a merchant's rules in, and from then on has them by their id; those of the same id are replaced.
    ///
    /// # Errors
    /// See [`InstallError`]: `IsChannel` if the component is a payment channel. Nothing is replaced then.
    pub async fn install_extension(&self, bytes: &[u8]) -> Result<Arc<Extension>, InstallError> {
        let (component, origin) = self.load(bytes).await?;
        if World::of(&self.engine, &component) == Some(World::PaymentChannel) {
            return Err(InstallError::IsChannel);
        }
        let extension = self.take_in_rules(&component, ContentHash::of(bytes), OF_THE_FOLDER).await?;
        self.keep_compiled(extension.content_hash(), component, origin).await;
        let id = &extension.description().id;
        let is_taken = self.plugins_mut(|plugins| {
            let is_taken = plugins.built_in.contains_key(id);
            if !is_taken {
                plugins.extensions.insert(id.clone(), Arc::clone(&extension));
            }
            is_taken
        });
        if is_taken { Err(InstallError::IdTaken { id: id.clone() }) } else { Ok(extension) }
    }

    /// Compiled rules, asked for their description without being given anything.
    async fn take_in_rules(
        &self,
        component: &Component,
        hash: ContentHash,
        (whose, source): (Whose, Source),
    ) -> Result<Arc<Extension>, InstallError> {
        let running = |places| Running {
            engine: self.engine.clone(),
            guests: Arc::clone(&self.guests),
            host_places: Arc::clone(&self.places),
            places,
            memory_bytes_max: self.config.memory_bytes_max,
            clock: Arc::clone(&self.ports.clock),
            calls: self.calls.clone(),
        };
        let of_nobody = running(Arc::new(Places::apart()));
        // Apart from any channel's: one merchant's rules may have the id of another's channel.
        let run = |id: &str| running(self.places_of(&format!("rules:{id}"), whose));
        let extension = Extension::take_in(&self.rule_linker, component, hash, run, of_nobody, source).await?;
        tracing::info!(extension = ?extension, "a merchant's rules are installed");
        Ok(Arc::new(extension))
    }

    /// By id.
    #[must_use]
    pub fn extensions(&self) -> Vec<Arc<Extension>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = plugins.extensions.values().cloned().collect();
        all.sort_by(|one, other| one.description().id.cmp(&other.description().id));
        all
    }

    /// The rules of that id.
    #[must_use]
    pub fn extension(&self, id: &str) -> Option<Arc<Extension>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).extensions.get(id).cloned()
    }

    async fn load(&self, bytes: &[u8]) -> Result<(Component, Origin), InstallError> {
        let (engine, cache, owned) = (self.engine.clone(), Arc::clone(&self.cache), bytes.to_vec());
        // Compiling takes 30 ms to 30 s of processor: not on a thread that serves others.
        let loaded = tokio::task::spawn_blocking(move || registry::load(&engine, &cache, &owned)).await;
        loaded.unwrap_or_else(|_| Err(InstallError::NotAComponent("the compiler gave up".to_owned())))
    }

    /// [`Self::load`], of what nobody waits for at a till: one after the other, each on one thread that runs when nobody else wants the
    /// processor, since what strangers publish may take minutes to compile. It is compiled to its end though nobody waits any more.
    async fn load_beside(&self, bytes: &[u8]) -> Result<(Component, Origin), InstallError> {
        let gave_up = || InstallError::NotAComponent("the compiler gave up".to_owned());
        let turn = Arc::clone(&self.compiler).acquire_owned().await.map_err(|_| gave_up())?;
        let (engine, cache, owned) = (self.engine.clone(), Arc::clone(&self.cache), bytes.to_vec());
        let (tell, told) = oneshot::channel();
        let compile = move || {
            let _turn = turn;
            // Of this thread alone, as Linux has it. Where it is not had, it is compiled all the same.
            let _ = rustix::process::nice(NICENESS_MOST);
            let _ = tell.send(registry::load(&engine, &cache, &owned));
        };
        thread::Builder::new().name("plugin-compiler".to_owned()).spawn(compile).map_err(|_| gave_up())?;
        told.await.unwrap_or_else(|_| Err(gave_up()))
    }

    /// What was compiled just now is found by the next start.
    async fn keep_compiled(&self, hash: ContentHash, component: Component, origin: Origin) {
        if origin == Origin::Compiled {
            let cache = Arc::clone(&self.cache);
            // What went wrong is in the log.
            let _ = tokio::task::spawn_blocking(move || registry::keep(&cache, hash, &component)).await;
        }
    }

    /// Deletes the compiled code of all components but these, and returns how many files that were. For a start: whatever was refused or
    /// given up since the last one leaves nothing behind.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub fn sweep_code(&self, known: &HashSet<ContentHash>) -> std::io::Result<usize> {
        self.cache.sweep(known)
    }

    /// Asks a component for its manifest without giving it any capability, and checks that.
    async fn take_in_channel(
        &self,
        component: &Component,
        origin: Origin,
        content_hash: ContentHash,
        (whose, source): (Whose, Source),
    ) -> Result<Arc<Plugin>, InstallError> {
        let pre = Arc::new(Pre::new(&self.engine, &self.linker, component)?);
        let described = self.describe(&pre, source).await.map_err(InstallError::Describe)?;
        let apps = self.apps(&pre, source).await.map_err(InstallError::Describe)?;
        let mut manifest = Manifest::check(described)?.with_apps(apps)?;
        if pre.settles() {
            let terms = self.settlement_terms(&pre, source).await.map_err(InstallError::Describe)?;
            manifest.settlement = terms.map(SettlementTerms::check).transpose()?;
        }
        manifest.forwards = pre.forwards() && manifest.can(Capability::Card);
        let manifest = Arc::new(manifest);
        tracing::info!(plugin.id = %manifest.id, plugin.version = %manifest.version, contract = pre.version(), hash = %content_hash, origin = ?origin, "plugin installed");
        let places = self.places_of(&manifest.id, whose);
        Ok(Arc::new(Plugin { manifest, content_hash, origin, pre, places }))
    }

    /// They live as long as a package of the plugin is installed or called.
    fn places_of(&self, plugin: &str, whose: Whose) -> Arc<Places> {
        let key = match whose {
            Whose::Everybodys => plugin.to_owned(),
            Whose::Tenants => format!("tenants:{plugin}"),
        };
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = shares.get(&key).and_then(Weak::upgrade) {
            return places;
        }
        shares.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(match whose {
            Whose::Everybodys => Places::together(&self.places),
            Whose::Tenants => Places::apart(),
        });
        shares.insert(key, Arc::downgrade(&places));
        places
    }

    fn plugins_mut<T>(&self, change: impl FnOnce(&mut Plugins) -> T) -> T {
        change(&mut self.plugins.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The built-in plugin of that id.
    #[must_use]
    pub fn plugin(&self, id: &str) -> Option<Arc<Plugin>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).built_in.get(id).cloned()
    }

    /// Every built-in plugin, by id.
    #[must_use]
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = plugins.built_in.values().cloned().collect();
        all.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
        all
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("plugins", &self.plugins()).finish_non_exhaustive()
    }
}

/// What one instance can reach; gone with it.
pub(crate) struct CallState {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(crate) memory: MemoryLimit,
    /// Ticks at which its code was found running.
    pub(crate) ticks_running: u64,
    /// `None` while a plugin describes itself: then every import of ours is a trap.
    given: Option<Given>,
}

/// What a call is given on top of an empty machine.
pub(crate) struct Given {
    pub(crate) known: Arc<Known>,
    /// The customer's code of a `charge`: a bearer credential for a minute, kept out of log lines.
    pub(crate) code: Option<String>,
    /// The card that the call is about, in the clear.
    pub(crate) card: Option<Arc<OpenCard>>,
    /// By HTTP and TCP together.
    pub(crate) requests: u32,
    pub(crate) rsa_operations: u32,
    pub(crate) key_loads: u32,
    /// A request was handed to the network: from here on something may have taken effect.
    pub(crate) asked: bool,
    /// A request of this call may have been received, and no answer came back whole.
    pub(crate) unanswered: bool,
    pub(crate) kv_operations: u32,
    pub(crate) log: log::Lines,
}

/// What stays as it is for as long as the call lasts, and is known to what waits for its scheme as well.
pub(crate) struct Known {
    pub(crate) plugin: Arc<Manifest>,
    pub(crate) account: Account,
    pub(crate) ports: Arc<Ports>,
    pub(crate) reach: http::Reach,
    pub(crate) deadline: Instant,
    /// Of one HTTP answer.
    pub(crate) answer_bytes_max: u32,
}

impl Deref for Given {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

/// Most bytes that a plugin hands over in one crossing, counted by Wasmtime before it allocates: a request of the largest size
/// with its headers, or a bill page, twice over. Without it a list that names one long string a million times would be
/// copied a million times.
const CROSSING_BYTES_MAX: usize = 4 << 20;

/// Where a longer answer may be taken (`fetch-bill`), as much may be handed back to be opened (`secrets`), and this beside it: its key,
/// nonce and associated data.
const ENVELOPE_BYTES_MAX: usize = 2 << 20;

/// Handles (streams, timers, …) that one call may hold, in the host's table and in Wasmtime's own. A Rust guest has 3, a
/// JavaScript engine some dozen; each is a few hundred bytes of the host's memory.
pub(crate) const HANDLES_MAX: usize = 4_096;

/// Random bytes that WASI gives at once: hash seeds want 16, and a guest's own library seldom more than a key's worth.
const WASI_RANDOM_BYTES_MAX: u64 = 64 << 10;

/// An empty WASI world: no arguments, variables, files or sockets; what is printed goes nowhere.
pub(crate) fn empty_world(clock: Arc<dyn Clock>) -> (WasiCtx, ResourceTable) {
    let mut wasi = WasiCtx::builder();
    wasi.allow_tcp(false).allow_udp(false).max_random_size(WASI_RANDOM_BYTES_MAX).wall_clock(clock::WallClock(clock));
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES_MAX);
    (wasi.build(), table)
}

impl CallState {
    pub(crate) fn new(memory: MemoryLimit, clock: Arc<dyn Clock>, given: Option<Given>) -> Self {
        let (wasi, table) = empty_world(clock);
        Self { wasi, table, memory, ticks_running: 0, given }
    }

    /// A store that keeps to the limits of this call.
    pub(crate) fn into_store(self, engine: &Engine) -> Store<Self> {
        let answer_bytes_max = self.given.as_ref().map_or(0, |given| given.answer_bytes_max as usize);
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(CROSSING_BYTES_MAX.max(answer_bytes_max + ENVELOPE_BYTES_MAX));
        store.set_max_component_handles(HANDLES_MAX);
        store
    }

    pub(crate) fn given(&self) -> wasmtime::Result<&Given> {
        self.given.as_ref().ok_or_else(called_while_describing)
    }

    pub(crate) fn given_mut(&mut self) -> wasmtime::Result<&mut Given> {
        self.given.as_mut().ok_or_else(called_while_describing)
    }

    /// Whether a request was handed to the network.
    pub(crate) fn has_asked(&self) -> bool {
        self.given.as_ref().is_some_and(|given| given.asked)
    }

    /// Whether a request may have been received of which no whole answer came back.
    pub(crate) fn has_unanswered(&self) -> bool {
        self.given.as_ref().is_some_and(|given| given.unanswered)
    }
}

/// What no plugin may do and no function of the contract can say no to: the call ends there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

fn called_while_describing() -> wasmtime::Error {
    wasmtime::Error::new(Misuse("`describe` must not call any import".to_owned()))
}

/// The contract's types have no functions of their own.
impl crate::bindings::types::Host for CallState {}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

#[cfg(test)]
pub(crate) mod tests;
