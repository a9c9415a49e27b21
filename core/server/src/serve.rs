//! One core from start to end: built once, served, and stopped without dropping what is in flight.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actix_web::{App as Service, HttpServer, dev::ServerHandle, middleware, web};
use saoma_channels::{
    Chance as _, ChannelCaller, Clock as _, ContentHash, Host, HostConfig, InstallError, Outgoing, SystemChance,
    SystemClock, make_room_for_connections,
};
use saoma_store::{Store, access, meta, nodes, plugin_packages};
use tokio::task::AbortHandle;

use crate::{
    app::{App, Parts},
    config::{Config, PLUGINS_DIR},
    first_start,
    fleet::{Fleet, listener},
    http::{metrics, request_span, router},
    own_keys, packages,
    peers::Peers,
    plugin_values::PluginValues,
    secrets::Vault,
    shared_clock::SharedClock,
    telemetry::{self, metrics::Metrics},
    workers::Workers,
    working_keys::WorkingKeys,
};

/// Longest that a shutdown waits for what is in flight: longer than a channel's call may take.
const FINISH_MAX: Duration = Duration::from_secs(70);

/// Why core does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("make the data folder {folder}")]
    Folder { folder: String, source: io::Error },
    #[error("open the database")]
    Store(#[from] saoma_store::StoreError),
    #[error("open the keys")]
    Keys(#[from] own_keys::KeysError),
    #[error("start the host of plugins")]
    Host(#[from] saoma_channels::HostError),
    #[error("read the certificates in {file}")]
    Roots { file: String, source: io::Error },
    #[error("read the plugins in {folder}")]
    Plugins { folder: String, source: io::Error },
    #[error("install the plugin {file}")]
    Plugin { file: String, source: saoma_channels::InstallError },
    #[error("make core's certificate for terminals")]
    Ca(#[from] crate::fleet::ca::CaError),
    #[error("set up TLS for terminals")]
    Tls(#[from] listener::TlsError),
    #[error("listen on {address} for {what}")]
    Listen { what: &'static str, address: SocketAddr, source: io::Error },
    #[error("read redis.url")]
    Redis(#[from] redis::RedisError),
    #[error(transparent)]
    Chance(#[from] saoma_channels::NoChance),
    #[error("start the broker")]
    Broker(#[from] crate::fleet::broker::BrokerError),
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    #[error("make the first administrator")]
    FirstStart(#[from] first_start::FirstStartError),
}

/// A core that is up.
pub struct Running {
    app: App,
    workers: Workers,
    /// Goes on asking the database for the time.
    keeping: AbortHandle,
    servers: Vec<ServerHandle>,
    /// Where it really listens.
    pub api: SocketAddr,
    pub terminals_https: SocketAddr,
    pub terminals_mqtt: SocketAddr,
    /// Where `/metrics` is, if anywhere.
    pub metrics: Option<SocketAddr>,
    _held: Held,
}

/// A core that nobody stops, as most in tests, gives its database's connections back all the same.
struct Held(Fleet);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl Running {
    /// Starts core. Everything is checked and bound before the first request is taken.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let now = SystemClock.now();
        make_folder(&config.data_dir)?;
        let (url, connections) = (config.database.url.clone(), config.database.connections_max);
        let store = blocking(move || Store::open(&url, connections)).await?.noting_trace(telemetry::traceparent);
        let figures = Metrics::open(&config.telemetry)?;
        let (keys, file, data_dir) = (store.clone(), config.secrets.master_key_file.clone(), config.data_dir.clone());
        let (vault, ca) = blocking(move || {
            let vault = own_keys::open(&keys, &file, now)?;
            let ca = own_keys::terminal_ca(&keys, &vault, &data_dir, now)?;
            Ok::<_, StartError>((vault, ca))
        })
        .await?;
        let clock = Arc::new(SharedClock::over(Arc::new(SystemClock)));
        clock.ask(&store).await?;
        let keeping = tokio::spawn(clock.clone().keep(store.clone())).abort_handle();
        let host = host(&config, &store, &vault, &figures).await?;
        let outgoing = Outgoing::new(config.webhooks.allow_private_addresses)?;
        let node = random_name()?;
        let fleet = Fleet::new(ca, node.clone());
        let peers = peers(&config, &store, &node).await?;
        let identity = fleet.ca().server_identity(std::slice::from_ref(&config.terminals.public_host), now)?;
        let (beaten, keys, its) = (store.clone(), vault.clone(), node.clone());
        blocking(move || Ok::<_, StartError>(crate::workers::nodes::announce(&beaten, &keys, &its)?)).await?;
        first_start::ensure_admin(&store, &config.data_dir, now).await?;
        figures.observe(&store, &fleet);
        let channels: Arc<dyn ChannelCaller> = Arc::new(host);
        let app = App::new(Parts {
            config: config.clone(),
            store,
            channels,
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
            vault,
            fleet: fleet.clone(),
            metrics: figures,
            peers,
        });
        // What was chosen before is served from the first request on, by as much of it as can be loaded.
        packages::refresh(&app).await?;
        let listening = |what, address| move |source| StartError::Listen { what, address, source };

        let watched = web::Data::new(app.clone());
        let (data, body_bytes_max) = (web::Data::new(app.clone()), config.server.body_bytes_max);
        let service = move || {
            Service::new()
                .app_data(data.clone())
                .wrap(middleware::from_fn(request_span::trace))
                .configure(router::routes(body_bytes_max))
        };
        let plain = HttpServer::new(service.clone())
            .disable_signals()
            .shutdown_timeout(FINISH_MAX.as_secs())
            .bind(config.server.listen)
            .map_err(listening("the API", config.server.listen))?;
        let terminals_mqtt = fleet.start_broker(app.clone(), config.terminals.mqtt_listen, &identity).await?;
        let tls = listener::tls_config(fleet.ca(), identity)?;
        let secure = HttpServer::new(service)
            .disable_signals()
            .shutdown_timeout(FINISH_MAX.as_secs())
            .workers(2)
            .on_connect(listener::note_certificate)
            .bind_rustls_0_23(config.terminals.https_listen, tls)
            .map_err(listening("terminals", config.terminals.https_listen))?;
        let (api, terminals_https) = (first(&plain.addrs()), first(&secure.addrs()));
        let mut servers = vec![plain.run(), secure.run()];
        let mut metrics = None;
        if let Some(listen) = config.telemetry.metrics_listen {
            let server = HttpServer::new(move || Service::new().app_data(watched.clone()).configure(metrics::routes))
                .disable_signals()
                .workers(1)
                .bind(listen)
                .map_err(listening("metrics", listen))?;
            metrics = Some(first(&server.addrs()));
            servers.push(server.run());
        }
        let servers: Vec<_> = servers
            .into_iter()
            .map(|server| {
                let handle = server.handle();
                tokio::spawn(server);
                handle
            })
            .collect();
        let workers = Workers::start(&app, outgoing);
        Ok(Self { app, workers, keeping, servers, api, terminals_https, terminals_mqtt, metrics, _held: Held(fleet) })
    }

    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Takes no new requests, finishes those in flight, and ends.
    pub async fn stop(self) {
        self.app.begin_stopping();
        futures_util::future::join_all(self.servers.iter().map(|server| server.stop(true))).await;
        if tokio::time::timeout(FINISH_MAX, self.app.in_flight().wait()).await.is_err() {
            tracing::warn!("some calls of channels did not end; the next start takes them up");
        }
        self.workers.stop().await;
        self.keeping.abort();
        self.app.fleet().stop().await;
        let node = self.app.fleet().node().to_owned();
        if let Err(error) = self.app.store().write(move |tx| nodes::leave(tx, &access::process(), &node)).await {
            tracing::warn!(%error, "other nodes take this one for dead in a while");
        }
        let app = self.app;
        // The last figures and spans are sent from here, off the threads that others still need.
        drop(tokio::task::spawn_blocking(move || app.metrics().close()).await);
    }
}

/// 64 random bits in hex.
fn random_name() -> Result<String, saoma_channels::NoChance> {
    let mut bytes = [0; 8];
    SystemChance.fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

async fn peers(config: &Config, store: &Store, node: &str) -> Result<Peers, StartError> {
    let Some(url) = &config.redis.url else { return Ok(Peers::none()) };
    let name = random_name()?;
    let installation = store.write(move |tx| meta::set_once(tx, &access::process(), "installation", &name)).await?;
    Ok(Peers::at(url, &installation, node)?)
}

fn first(addresses: &[SocketAddr]) -> SocketAddr {
    addresses.first().copied().unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
}

fn make_folder(folder: &Path) -> Result<(), StartError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| StartError::Folder { folder: folder.display().to_string(), source })
}

async fn host(config: &Config, store: &Store, vault: &Vault, figures: &Metrics) -> Result<Host, StartError> {
    let roots = config.plugins.extra_roots.as_ref().map(|file| {
        fs::read_to_string(file).map_err(|source| StartError::Roots { file: file.display().to_string(), source })
    });
    let settings = HostConfig {
        allow_private_addresses: config.plugins.allow_private_addresses,
        calls_max: config.plugins.calls_max,
        memory_max: config.plugins.memory_max,
        grant: config.plugins.hosts.clone(),
        extra_roots_pem: roots.transpose()?,
        kv: Arc::new(PluginValues(store.clone())),
        keys: Arc::new(WorkingKeys { store: store.clone(), vault: vault.clone() }),
        meter: figures.meter().clone(),
        ..HostConfig::new(config.data_dir.join("plugin-cache"))
    };
    if let Err(error) = make_room_for_connections(config.plugins.calls_max.in_all) {
        tracing::warn!(%error, "calls of plugins may find no connection (plugins.calls_max)");
    }
    let host = Host::new(settings)?;
    // Whatever may have to be called: what is published, and what lies in the folder.
    let mut callable = store.read(|tx| plugin_packages::callable(tx, &access::process())).await?;
    let folder = &config.plugins.dir;
    let refused = |source| StartError::Plugins { folder: folder.display().to_string(), source };
    for file in plugin_files(folder).map_err(refused)? {
        let bytes = fs::read(&file).map_err(refused)?;
        callable.insert(ContentHash::of(&bytes));
        let mut installed = host.install(&bytes).await;
        if let Err(InstallError::IsExtension) = installed {
            match host.install_extension(&bytes).await {
                Ok(_) => continue,
                Err(error) => installed = Err(error),
            }
        }
        let plugin = installed.map_err(|source| StartError::Plugin { file: file.display().to_string(), source })?;
        let manifest = plugin.manifest();
        tracing::info!(plugin = manifest.id, version = manifest.version, hash = %plugin.content_hash(), "a plugin is installed");
    }
    match host.sweep_code(&callable) {
        Ok(n_files) => tracing::debug!(n_files, "compiled code of plugins that are not known any more is deleted"),
        Err(error) => tracing::warn!(%error, "compiled code of plugins that are not known any more stays on the disk"),
    }
    if host.plugins().is_empty() {
        tracing::warn!(folder = %folder.display(), "no plugin is installed: only cash can be taken (plugins.dir)");
    }
    Ok(host)
}

/// A folder that was named must be there; without the one of the default, core has no plugins yet and still takes cash.
fn plugin_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder == Path::new(PLUGINS_DIR) => return Ok(vec![]),
        entries => entries?,
    };
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    Ok(files)
}

/// Off the async threads; what panicked there is our own mistake.
async fn blocking<T: Send + 'static, E: From<saoma_store::StoreError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(saoma_store::StoreError::Internal { why: error.to_string() }.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_folder_that_was_named_must_be_there_and_the_default_need_not() {
        assert_eq!(plugin_files(Path::new("no-such-plugins")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!Path::new(PLUGINS_DIR).exists(), "this test runs where there is no such folder");
        assert_eq!(plugin_files(Path::new(PLUGINS_DIR)).unwrap(), Vec::<PathBuf>::new());
    }
}
