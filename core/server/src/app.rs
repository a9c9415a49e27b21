//! Everything that is built once and shared by requests, workers and the fleet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ring::hmac;
use saoma_channels::{Chance, ChannelCaller, Clock, NoChance, Secrets};
use saoma_protocol::{ChannelAccountId, Millis, TenantId};
use saoma_store::{Dialect, Store, TenantScope};
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::task::TaskTracker;

use crate::{
    config::Config,
    fleet::Fleet,
    limits::Limits,
    packages::Serving,
    payments::Silences,
    peers::{Bell, Peers, Standing},
    secrets::{SecretsError, Vault},
    static_codes::Places,
    telemetry::metrics::Metrics,
};

/// News of tenants that a slow live view may be behind; past it the view reads the database again from where it was.
const NEWS_MAX: usize = 1_024;

/// Cheap to clone; all clones are one core.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    channels: Arc<dyn ChannelCaller>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    vault: Vault,
    fleet: Fleet,
    metrics: Metrics,
    serving: Serving,
    limits: Limits,
    silences: Silences,
    visitor_places: Places,
    peers: Peers,
    outbox: Notify,
    resolver: Notify,
    settlement: Notify,
    settlement_places: Arc<Semaphore>,
    webhooks: Notify,
    news: broadcast::Sender<TenantId>,
    in_flight: TaskTracker,
    comparing: Arc<Semaphore>,
    stopping: AtomicBool,
}

/// What an app is made of.
pub struct Parts {
    pub config: Config,
    pub store: Store,
    pub channels: Arc<dyn ChannelCaller>,
    pub clock: Arc<dyn Clock>,
    pub chance: Arc<dyn Chance>,
    pub vault: Vault,
    pub fleet: Fleet,
    pub metrics: Metrics,
    pub peers: Peers,
}

impl App {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { config, store, channels, clock, chance, vault, fleet, metrics, peers } = parts;
        let (outbox, resolver, news) = (Notify::new(), Notify::new(), broadcast::channel(NEWS_MAX).0);
        let webhooks = Notify::new();
        Self(Arc::new(Inner {
            config,
            store,
            channels,
            clock,
            chance,
            vault,
            fleet,
            metrics,
            serving: Serving::default(),
            limits: Limits::new(peers.clone()),
            silences: Silences::default(),
            visitor_places: Places::default(),
            peers,
            outbox,
            resolver,
            settlement: Notify::new(),
            settlement_places: Arc::new(Semaphore::new(crate::settlement::IN_HAND_MAX)),
            webhooks,
            news,
            in_flight: TaskTracker::new(),
            comparing: Arc::new(Semaphore::new(crate::reconcile::RUNS_MAX)),
            stopping: AtomicBool::new(false),
        }))
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    #[must_use]
    pub fn channels(&self) -> &Arc<dyn ChannelCaller> {
        &self.0.channels
    }

    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.0.fleet
    }

    /// What this node serves of plugins' packages.
    #[must_use]
    pub fn serving(&self) -> &Serving {
        &self.0.serving
    }

    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// For calls to schemes that strangers cause.
    #[must_use]
    pub fn visitor_places(&self) -> &Places {
        &self.0.visitor_places
    }

    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The channel accounts where nobody answers.
    #[must_use]
    pub fn silences(&self) -> &Silences {
        &self.0.silences
    }

    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.0.peers
    }

    #[must_use]
    pub fn pay_code_key(&self) -> &hmac::Key {
        &self.0.vault.own().pay_code
    }

    #[must_use]
    pub fn now(&self) -> Millis {
        self.0.clock.now()
    }

    /// 128 unpredictable bits.
    ///
    /// # Errors
    /// The machine has none to give.
    pub fn random_16(&self) -> Result<[u8; 16], NoChance> {
        let mut bytes = [0; 16];
        self.0.chance.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// 256 unpredictable bits.
    ///
    /// # Errors
    /// The machine has none to give.
    pub fn random_32(&self) -> Result<[u8; 32], NoChance> {
        let mut bytes = [0; 32];
        self.0.chance.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The secrets of a channel account, for one call.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn secrets_of(&self, scope: TenantScope, account: ChannelAccountId) -> Result<Secrets, SecretsError> {
        self.0.vault.secrets_of(&self.0.store, scope, account).await
    }

    /// There is something to send.
    pub fn wake_outbox(&self) {
        self.wake_senders();
        self.tell_others(Bell::Outbox);
    }

    fn wake_senders(&self) {
        self.0.outbox.notify_one();
        self.0.webhooks.notify_one();
    }

    /// There is something to ask a channel.
    pub fn wake_resolver(&self) {
        self.0.resolver.notify_one();
        self.tell_others(Bell::Resolver);
    }

    /// A batch was closed: this node settles it. Others look by their clock.
    pub fn wake_settlement(&self) {
        self.0.settlement.notify_one();
    }

    /// Something happened that the tenant's live views show.
    pub fn news_of(&self, tenant: TenantId) {
        self.news_here(tenant);
        self.tell_others(Bell::News(tenant));
    }

    fn news_here(&self, tenant: TenantId) {
        // Nobody looks: fine.
        drop(self.0.news.send(tenant));
    }

    pub(crate) fn tell_others(&self, bell: Bell) {
        self.0.peers.tell(bell);
    }

    /// Another node has rung.
    pub(crate) fn hear(&self, bell: Bell) {
        match bell {
            Bell::Outbox => self.wake_senders(),
            Bell::Resolver => self.0.resolver.notify_one(),
            Bell::News(tenant) => self.news_here(tenant),
            Bell::Packages => self.0.serving.bell().notify_one(),
            Bell::Push(terminal) => self.0.fleet.wake(terminal),
            Bell::ShutOut(terminal) => {
                let app = self.clone();
                tokio::spawn(async move { app.fleet().end_connection(terminal, None).await });
            }
        }
    }

    /// How long to wait for a bell before looking without one: `usually`, and a second where another node may have
    /// something and cannot tell.
    #[must_use]
    pub fn look_after(&self, usually: Duration) -> Duration {
        let may_miss = self.store().dialect() == Dialect::Postgres && self.0.peers.standing() != Standing::Up;
        if may_miss { usually.min(Duration::from_secs(1)) } else { usually }
    }

    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<TenantId> {
        self.0.news.subscribe()
    }

    /// Work that goes on when its caller hangs up, and that a shutdown waits for.
    #[must_use]
    pub fn in_flight(&self) -> &TaskTracker {
        &self.0.in_flight
    }

    /// A permit for each day that may be compared with its bill at a time.
    #[must_use]
    pub fn comparing(&self) -> &Arc<Semaphore> {
        &self.0.comparing
    }

    /// From now on live views end and nothing new is begun.
    pub fn begin_stopping(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.in_flight.close();
    }

    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn outbox_bell(&self) -> &Notify {
        &self.0.outbox
    }

    pub(crate) fn webhooks_bell(&self) -> &Notify {
        &self.0.webhooks
    }

    pub(crate) fn resolver_bell(&self) -> &Notify {
        &self.0.resolver
    }

    /// One for each batch that is in hand here.
    #[must_use]
    pub fn settlement_places(&self) -> &Arc<Semaphore> {
        &self.0.settlement_places
    }

    pub(crate) fn settlement_bell(&self) -> &Notify {
        &self.0.settlement
    }
}
