//! The terminals' side of core: their certificates, the broker inside core, what they send and what they are sent.
//!
//! The broker only carries. What a terminal must learn lies in the outbox until the terminal has acknowledged it, and what
//! core must learn lies in the terminal's journal until core has: a broker that loses, repeats or reorders costs time only.

pub mod broker;
pub mod ca;
pub mod enrol;
pub mod gate;
pub mod inbox;
pub mod listener;
pub mod presence;
pub mod publisher;
pub mod sync;

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rmqtt::types::Id as ConnectionId;
use saoma_protocol::{Sequence, TerminalId};
use saoma_store::{Principal, TenantScope, access};
use tokio::sync::Notify;

use self::{
    broker::{Broker, BrokerError, BrokerSettings},
    ca::{Ca, ServerIdentity},
    gate::Gate,
    publisher::Publisher,
};
use crate::{app::App, peers::Bell};

/// Most rejected entries remembered; beyond it some are audited twice.
const REJECTIONS_MAX: usize = 10_000;

/// Cheap to clone; one per core.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    ca: Arc<Ca>,
    /// This node's name among the cores on the database, new with each start.
    node: String,
    /// The right to its tenant's rows that each terminal brought when it connected, and its certificate's serial. A terminal
    /// never moves to another tenant.
    rights: Mutex<HashMap<TerminalId, (TenantScope, String)>>,
    /// The connection of each terminal that is connected to this node.
    online: Mutex<HashMap<TerminalId, ConnectionId>>,
    /// Terminals whose presence could not be written down.
    unwritten: Mutex<HashSet<TerminalId>>,
    /// Those who wait for a terminal's next push over HTTPS.
    waiting: Mutex<HashMap<TerminalId, Arc<Notify>>>,
    /// Rejected entries that are in the audit log: a terminal sends a rejected entry again and again.
    rejections: Mutex<HashSet<(TerminalId, Sequence)>>,
    /// Presence is written by one at a time, so that what is written last is what is true.
    presence: tokio::sync::Mutex<()>,
    broker: OnceLock<Arc<Broker>>,
    /// Who carries pushes: the broker, once there is one.
    publisher: OnceLock<Arc<dyn Publisher>>,
    /// Set while running, see [`Fleet::let_go`].
    app: Mutex<Option<App>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// Nothing listens yet.
    #[must_use]
    pub fn new(ca: Ca, node: String) -> Self {
        Self::made(Arc::new(ca), node, OnceLock::new())
    }

    /// A fleet whose pushes `publisher` carries, without a broker of its own.
    #[must_use]
    pub fn carried_by(publisher: Arc<dyn Publisher>, ca: Arc<Ca>, node: String) -> Self {
        Self::made(ca, node, OnceLock::from(publisher))
    }

    fn made(ca: Arc<Ca>, node: String, publisher: OnceLock<Arc<dyn Publisher>>) -> Self {
        Self(Arc::new(Inner {
            ca,
            node,
            rights: Mutex::default(),
            rejections: Mutex::default(),
            online: Mutex::default(),
            unwritten: Mutex::default(),
            waiting: Mutex::default(),
            presence: tokio::sync::Mutex::default(),
            broker: OnceLock::new(),
            publisher,
            app: Mutex::default(),
        }))
    }

    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    #[must_use]
    pub fn ca(&self) -> &Ca {
        &self.0.ca
    }

    /// Starts the broker and returns where it listens.
    ///
    /// # Errors
    /// `Listen` if the address is taken or the certificate cannot be used.
    pub async fn start_broker(
        &self,
        app: App,
        listen: SocketAddr,
        identity: &ServerIdentity,
    ) -> Result<SocketAddr, BrokerError> {
        *locked(&self.0.app) = Some(app);
        let settings = BrokerSettings {
            listen,
            chain_path: identity.chain_path.clone(),
            key_path: identity.key_path.clone(),
            client_ca_path: self.0.ca.pem_path(),
        };
        let broker = Broker::new(settings, |open| Box::new(Gate::new(self.clone(), Arc::clone(open)))).await;
        let broker = Arc::clone(self.0.broker.get_or_init(|| Arc::new(broker)));
        self.0.publisher.get_or_init(|| Arc::clone(&broker) as Arc<dyn Publisher>);
        broker.start().await
    }

    /// The broker, once it was started.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        self.0.broker.get().map(Arc::as_ref)
    }

    /// Ends every connection and lets go of the app. For the shutdown of core.
    pub async fn stop(&self) {
        if let Some(broker) = self.broker() {
            broker.stop().await;
        }
        self.let_go();
    }

    /// Of the app, which has a fleet as well: neither would ever end else.
    pub(crate) fn let_go(&self) {
        locked(&self.0.app).take();
    }

    fn app(&self) -> Option<App> {
        locked(&self.0.app).clone()
    }

    /// Whether this entry was rejected, and that noted, since the start.
    pub(crate) fn knows_rejection(&self, terminal: TerminalId, sequence: Sequence) -> bool {
        locked(&self.0.rejections).contains(&(terminal, sequence))
    }

    pub(crate) fn note_rejection(&self, terminal: TerminalId, sequence: Sequence) {
        let mut rejections = locked(&self.0.rejections);
        if rejections.len() >= REJECTIONS_MAX {
            rejections.clear();
        }
        rejections.insert((terminal, sequence));
    }

    /// Ends the connection of a terminal whose certificates were revoked, whichever node it is connected to. It cannot come
    /// back with them.
    pub async fn shut_out(&self, terminal: TerminalId) {
        self.end_connection(terminal, None).await;
        if let Some(app) = self.app() {
            app.tell_others(Bell::ShutOut(terminal));
        }
    }

    /// Ends the terminal's connection to this node, with `serial` only if it was made with that certificate.
    pub(crate) async fn end_connection(&self, terminal: TerminalId, serial: Option<&str>) {
        let is_it = |serial: &str| locked(&self.0.rights).get(&terminal).is_some_and(|(_, shown)| shown == serial);
        if serial.is_none_or(is_it)
            && let Some(broker) = self.broker()
        {
            broker.disconnect(terminal).await;
        }
    }

    /// Lets a terminal's certificate in, and remembers what it may see.
    async fn admit(&self, terminal: TerminalId, serial: &str) -> Option<TenantScope> {
        let app = self.app()?;
        let (now, shown) = (app.now(), serial.to_owned());
        let admitted = app.store().read(move |tx| access::by_terminal(tx, terminal, &shown, now)).await;
        match admitted {
            Ok(Principal::Terminal { scope, .. }) => {
                locked(&self.0.rights).insert(terminal, (scope, serial.to_owned()));
                Some(scope)
            }
            Ok(_) => None,
            Err(error) => {
                // Also when the database does not answer: the terminal tries again, and nothing is known of it now.
                tracing::info!(terminal.id = %terminal, %error, "a certificate was not let in");
                None
            }
        }
    }

    /// The terminal behind a client id that the gate has let in.
    fn peer(&self, client_id: &str) -> Option<(TenantScope, TerminalId)> {
        let terminal: TerminalId = client_id.parse().ok()?;
        Some((self.scope(terminal)?, terminal))
    }

    fn scope(&self, terminal: TerminalId) -> Option<TenantScope> {
        locked(&self.0.rights).get(&terminal).map(|(scope, _)| *scope)
    }
}
