//! The MQTT broker inside core: `rmqtt` as a library, TLS with client certificates only.
//!
//! It carries messages and is never the source of truth: nothing of it is on a disk, the outbox and the journal have their
//! own numbers and acknowledgements, and everything unacknowledged is sent again. So it may be stopped and started while
//! core runs, and all that follows is a delay.
//!
//! Who may do what is decided in [`super::gate`].

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use rmqtt::{
    codec::types::{Publish as WirePublish, QoS},
    context::ServerContext,
    hook::{Handler, Type},
    net::Builder,
    server::MqttServer,
    session::SessionState,
    types::{From as Origin, Id, Publish},
};
use saoma_protocol::{TerminalId, message::MESSAGE_LEN_MAX, topic::Topic};
use tokio::{runtime::Handle, sync::Mutex, task::JoinHandle};

/// Room for the fixed header, topic and properties around a message of [`MESSAGE_LEN_MAX`] bytes.
const PACKET_OVERHEAD_MAX: usize = 1024;
/// Most terminals on one node; a connected one costs about 35 KiB.
const CONNECTIONS_MAX: usize = 50_000;
/// TLS handshakes under way at once: each takes about a millisecond of one core, and a fleet reconnects all at once.
const HANDSHAKES_MAX: usize = 500;
/// A terminal needs one subscription (`down/#`); a few more do no harm.
const SUBSCRIPTIONS_MAX: usize = 8;
/// How long a session outlives its connection. Short: what matters is sent again from the outbox anyway.
const SESSION_EXPIRY: Duration = Duration::from_secs(15 * 60);
/// Unacknowledged messages to one terminal at once.
const INFLIGHT_MAX: u16 = 32;
/// Messages waiting for one terminal; beyond it the oldest is dropped and comes again from the outbox.
const QUEUE_LEN_MAX: usize = 1000;
/// How long a message may wait in the broker. The outbox repeats it, so an old copy is worth nothing.
const MESSAGE_EXPIRY: Duration = Duration::from_secs(5 * 60);
/// How long to wait for connections to end when stopping.
const STOP_WAIT_MAX: Duration = Duration::from_secs(5);
/// rmqtt's number of our one listener.
const LISTENER: u16 = 1;

/// What a broker needs to listen.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// Port 0: any free one; the same one again after a stop.
    pub listen: SocketAddr,
    /// PEM files: rmqtt reads nothing else.
    pub chain_path: PathBuf,
    pub key_path: PathBuf,
    /// The CA that signs terminals' certificates.
    pub client_ca_path: PathBuf,
}

/// Why the broker does not run.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("listen for terminals (MQTT) on {listen}: {why}")]
    Listen { listen: SocketAddr, why: String },
    #[error("pass a message to the broker: {0}")]
    Publish(String),
}

pub struct Broker {
    settings: BrokerSettings,
    context: ServerContext,
    /// Where the broker runs, whoever starts it: a request's own thread runs requests only.
    runtime: Handle,
    /// False while stopping and stopped: a connection that was in its handshake then must not slip in.
    open: Arc<AtomicBool>,
    running: Mutex<Option<JoinHandle<()>>>,
    local_addr: std::sync::Mutex<Option<SocketAddr>>,
}

impl Broker {
    /// A broker that does not listen yet. `gate` makes the handler that is asked at each step; what it is given says
    /// whether the broker is open.
    pub async fn new(settings: BrokerSettings, gate: impl Fn(&Arc<AtomicBool>) -> Box<dyn Handler>) -> Self {
        let open = Arc::new(AtomicBool::new(false));
        let context = ServerContext::new().busy_check_enable(false).build().await;
        let register = context.extends.hook_mgr().register();
        for step in [
            Type::ClientAuthenticate,
            Type::ClientConnected,
            Type::ClientDisconnected,
            Type::ClientSubscribeCheckAcl,
            Type::SessionSubscribed,
            Type::MessagePublishCheckAcl,
        ] {
            register.add(step, gate(&open)).await;
        }
        register.start().await;
        Self {
            settings,
            context,
            runtime: Handle::current(),
            open,
            running: Mutex::new(None),
            local_addr: std::sync::Mutex::new(None),
        }
    }

    /// Listens, and returns where. Does nothing if it does already.
    ///
    /// # Errors
    /// `Listen` if the address is taken or the certificate files cannot be read.
    pub async fn start(&self) -> Result<SocketAddr, BrokerError> {
        let mut running = self.running.lock().await;
        let before = self.local_addr();
        if let (Some(address), Some(_)) = (before, running.as_ref()) {
            return Ok(address);
        }
        let listen = before.unwrap_or(self.settings.listen);
        let failed = |error: rmqtt::Error| BrokerError::Listen { listen, why: format!("{error:#}") };
        let path = |path: &PathBuf| Some(path.to_string_lossy().into_owned());
        let mut builder = Builder::new()
            .name("terminals")
            .laddr(listen)
            .reuseaddr(Some(true))
            .nodelay(true)
            .max_connections(CONNECTIONS_MAX)
            .max_handshaking_limit(HANDSHAKES_MAX)
            .max_packet_size(u32::try_from(MESSAGE_LEN_MAX + PACKET_OVERHEAD_MAX).unwrap_or(u32::MAX))
            .allow_anonymous(false)
            .allow_zero_keepalive(false)
            .max_clientid_len(64)
            .max_qos_allowed(QoS::AtLeastOnce)
            .max_topic_levels(8)
            .max_session_expiry_interval(SESSION_EXPIRY)
            .message_expiry_interval(MESSAGE_EXPIRY)
            .max_mqueue_len(QUEUE_LEN_MAX)
            .max_subscriptions(SUBSCRIPTIONS_MAX)
            .tls_cross_certificate(true)
            .tls_cert(path(&self.settings.chain_path))
            .tls_key(path(&self.settings.key_path))
            .tls_client_ca_certs(path(&self.settings.client_ca_path))
            .cert_cn_as_username(true)
            .collect_cert_info(true);
        if let Some(inflight) = std::num::NonZeroU16::new(INFLIGHT_MAX) {
            builder = builder.max_inflight(inflight);
        }
        // The socket belongs to the runtime that it was bound in.
        let _here = self.runtime.enter();
        let listener = builder.bind().and_then(|listener| listener.tls()).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // rmqtt panics on a listener number that it knows already.
        self.context.listen_cfgs.remove(&LISTENER);
        let server = MqttServer::new(self.context.clone()).listener_by_id(listener, LISTENER).build();
        self.open.store(true, Ordering::SeqCst);
        *running = Some(self.runtime.spawn(async move {
            if let Err(error) = server.run().await {
                tracing::error!(error = format!("{error:#}"), "the MQTT broker ended");
            }
        }));
        *self.local_addr.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
        Ok(address)
    }

    /// Stops listening and ends every connection. Does nothing if it is stopped.
    pub async fn stop(&self) {
        let mut running = self.running.lock().await;
        let Some(listening) = running.take() else { return };
        self.open.store(false, Ordering::SeqCst);
        listening.abort();
        // The socket is closed when the task is gone, not before.
        let _ = listening.await;
        let sessions: Vec<Id> = self.context.extends.shared().await.iter().map(|entry| entry.id()).collect();
        join_all(sessions.into_iter().map(|id| self.end(id))).await;
        let deadline = tokio::time::Instant::now() + STOP_WAIT_MAX;
        while self.context.connections.count() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether connections are let in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst)
    }

    /// Where it listens, or did before it was stopped.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        *self.local_addr.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection of a terminal whose right to it is gone, and forgets its session.
    pub async fn disconnect(&self, terminal: TerminalId) {
        self.end(self.id_of(terminal)).await;
    }

    /// Whether the terminal is connected to this node.
    pub async fn is_connected(&self, terminal: TerminalId) -> bool {
        let entry = self.context.extends.shared().await.entry(self.id_of(terminal));
        entry.is_connected().await
    }

    /// Sends to whoever subscribed to `topic`, at least once while the connection lasts. No subscriber is no error.
    ///
    /// # Errors
    /// `Publish` if the broker cannot take it.
    pub async fn publish(&self, topic: Topic, payload: Vec<u8>) -> Result<(), BrokerError> {
        let wire = WirePublish {
            dup: false,
            retain: false,
            qos: QoS::AtLeastOnce,
            topic: topic.to_string().into(),
            packet_id: None,
            payload: payload.into(),
            properties: Some(Default::default()),
        };
        // The broker drops what looks old without a word, so the time of creation is now, whenever the news was made.
        let publish = Publish::from(wire).create_time(rmqtt::utils::timestamp_millis());
        let core = Origin::from_system(Id::from(self.context.node.id(), "core".into()));
        SessionState::forwards(&self.context, core, publish, false, None)
            .await
            .map_err(|error| BrokerError::Publish(format!("{error:#}")))
    }

    fn id_of(&self, terminal: TerminalId) -> Id {
        Id::from(self.context.node.id(), terminal.to_string().into())
    }

    async fn end(&self, id: Id) {
        let mut entry = self.context.extends.shared().await.entry(id.clone());
        if let Err(error) = entry.kick(true, true, true).await {
            tracing::warn!(terminal.id = %id.client_id, error = format!("{error:#}"), "could not end a connection");
        }
    }
}
