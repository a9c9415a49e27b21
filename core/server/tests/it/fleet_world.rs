//! A core of its own for each story: its real parts on free ports of this machine, in a folder that goes away with it.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use ring::rand::SystemRandom;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring as tls_ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use saoma_domain::payment::Payment;
use saoma_protocol::{
    Currency, Millis, PaymentId, Sequence, StoreId, TenantId, TerminalId,
    api::{Enrol, Enrolled},
    message::PushBody,
};
use saoma_server::{
    app::App,
    audit_check,
    config::Config,
    fleet::{
        broker::Broker,
        ca::{Ca, CheckedRequest},
        enrol::{CLAIM_LIFE_MS, claim_hash, draw_claim_code},
    },
    serve::Running,
};
use saoma_store::{
    Store, StoreError, TenantScope, Tx, access, audit, ledger,
    outbox::{self, Kind, NewMessage},
    payments,
    stores::{self, Shop},
    tenants::{self, LatePolicy, Tenant},
    terminals::{self, Certificate, NewTerminal, Terminal},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::fleet_client::{Client, Connect, DEADLINE, Identity, csr};

/// How often a thing that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most rows that a story looks through.
const ROWS_MAX: u32 = 1_000;

/// Waits until `holds` does; fails at the deadline.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < until, "in time: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn random_16() -> [u8; 16] {
    ring::rand::generate(&SystemRandom::new()).unwrap().expose()
}

/// What HTTP clients without settings of their own take for TLS.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    // A core that was started here has set the same one.
    ONCE.call_once(|| drop(tls_ring::default_provider().install_default()));
}

/// A core with one merchant that has one store.
pub struct World {
    running: Running,
    scope: TenantScope,
    store: StoreId,
    _folder: tempfile::TempDir,
}

/// A terminal that waits to be claimed.
pub struct Offer {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub claim_code: String,
}

impl World {
    pub async fn start() -> Self {
        install_tls();
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        let environment = [
            ("SAOMA_DATA_DIR", folder.path().join("data").display().to_string()),
            ("SAOMA_PLUGINS__DIR", plugins.display().to_string()),
            ("SAOMA_SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("SAOMA_TERMINALS__HTTPS_LISTEN", "127.0.0.1:0".to_owned()),
            ("SAOMA_TERMINALS__MQTT_LISTEN", "127.0.0.1:0".to_owned()),
            ("SAOMA_TERMINALS__ALLOW_BROKER_SWITCH", "true".to_owned()),
        ];
        let config = Config::read(None, environment.map(|(name, value)| (name.to_owned(), value))).unwrap();
        let running = Running::start(config).await.unwrap();
        let (scope, store) = merchant(running.app().store(), running.app().now()).await;
        Self { running, scope, store, _folder: folder }
    }

    pub fn app(&self) -> &App {
        self.running.app()
    }

    /// Where people and machines reach the API.
    pub fn api(&self) -> String {
        format!("http://{}", self.running.api)
    }

    pub const fn merchant(&self) -> (TenantScope, StoreId) {
        (self.scope, self.store)
    }

    pub async fn another_merchant(&self) -> (TenantScope, StoreId) {
        merchant(self.database(), self.now()).await
    }

    fn database(&self) -> &Store {
        self.running.app().store()
    }

    pub async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.database().read(work).await.unwrap()
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.database().write(work).await.unwrap()
    }

    pub fn now(&self) -> Millis {
        self.running.app().now()
    }

    pub fn broker(&self) -> &Broker {
        self.running.app().fleet().broker().unwrap()
    }

    pub async fn restart_broker(&self) {
        self.broker().stop().await;
        self.broker().start().await.unwrap();
    }

    fn ca(&self) -> &Ca {
        self.running.app().fleet().ca()
    }

    pub fn ca_pem(&self) -> String {
        self.ca().pem().to_owned()
    }

    /// A certificate of core's own CA that core has not written down.
    pub fn certificate_for(&self, terminal: TerminalId) -> Identity {
        issue(self.ca(), terminal, &self.ca_pem(), self.now())
    }

    /// One that core has given to the terminal, good by itself, and over as core has it written down.
    pub async fn certificate_over_at_core(&self, till: &Till) -> Identity {
        let identity = self.certificate_for(till.terminal);
        let der = CertificateDer::from_pem_slice(identity.chain_pem.as_bytes()).unwrap();
        let (scope, terminal, now) = (self.scope, till.terminal, self.now());
        let serial = self.ca().know(&der).unwrap().serial;
        let certificate = Certificate { serial, not_after: now, issued_at: now, revoked_at: None };
        self.write(move |tx| terminals::add_certificate(tx, &scope, terminal, &certificate)).await;
        identity
    }

    /// A certificate in the terminal's name by somebody else's CA; its holder trusts `ca_pem`.
    pub fn foreign_identity(terminal: TerminalId, ca_pem: &str) -> Identity {
        let folder = tempfile::tempdir().unwrap();
        let now = Millis(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap());
        let (certificate, key) = Ca::draw(now).unwrap();
        issue(&Ca::open(folder.path(), &certificate, &key).unwrap(), terminal, ca_pem, now)
    }

    /// Someone without a certificate.
    pub fn anonymous(&self) -> Https {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem().as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(tls_ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        self.https(tls)
    }

    pub fn client_with(&self, identity: &Identity) -> Https {
        self.https(identity.tls(true))
    }

    fn https(&self, tls: ClientConfig) -> Https {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Https { http, root: format!("https://{}", self.running.terminals_https) }
    }

    async fn offer_in(&self, scope: TenantScope, store: StoreId, name: &str, life_ms: i64) -> Offer {
        let now = self.now();
        let new =
            NewTerminal { id: TerminalId::from_bytes(random_16()), store, name: name.to_owned(), created_at: now };
        let terminal = new.id;
        self.write(move |tx| terminals::create(tx, &scope, &new)).await;
        Offer { tenant: scope.tenant(), terminal, claim_code: self.claim_code(scope, terminal, life_ms).await }
    }

    async fn claim_code(&self, scope: TenantScope, terminal: TerminalId, life_ms: i64) -> String {
        let code = draw_claim_code(&SystemRandom::new()).unwrap();
        let (hash, now) = (claim_hash(&code).unwrap(), self.now());
        self.write(move |tx| terminals::offer_claim(tx, &scope, terminal, &hash, now, now.plus(life_ms))).await;
        code
    }

    pub async fn offer(&self, name: &str) -> Offer {
        self.offer_in(self.scope, self.store, name, CLAIM_LIFE_MS).await
    }

    /// Another code for the same terminal.
    pub async fn offer_again(&self, offer: &Offer) -> String {
        self.claim_code(self.scope, offer.terminal, CLAIM_LIFE_MS).await
    }

    /// A code whose time is over.
    pub async fn expired_offer(&self, name: &str) -> String {
        self.offer_in(self.scope, self.store, name, -1).await.claim_code
    }

    /// A machine that claims the terminal behind the code.
    pub async fn enrol(&self, claim_code: &str) -> Till {
        let key = rcgen::KeyPair::generate().unwrap();
        let body = Enrol { claim_code: claim_code.to_owned(), csr_pem: csr(&key) };
        let enrolled = self.anonymous().post("/v1/terminal/enrol", &body).await.json(200);
        Till::new(self, key, enrolled)
    }

    pub async fn till(&self, name: &str) -> Till {
        self.enrol(&self.offer(name).await.claim_code).await
    }

    pub async fn till_of_another_tenant(&self) -> Till {
        let (scope, store) = merchant(self.database(), self.now()).await;
        self.enrol(&self.offer_in(scope, store, "Till 1", CLAIM_LIFE_MS).await.claim_code).await
    }

    /// Shuts a terminal out, as its merchant does.
    pub async fn revoke(&self, till: &Till) {
        let (scope, terminal, now) = (self.scope, till.terminal, self.now());
        self.write(move |tx| terminals::revoke(tx, &scope, terminal, now)).await;
        self.running.app().fleet().shut_out(terminal).await;
    }

    pub async fn shown(&self, till: &Till) -> Terminal {
        self.shown_terminal(till.terminal).await
    }

    pub async fn shown_terminal(&self, terminal: TerminalId) -> Terminal {
        let scope = self.scope;
        self.read(move |tx| terminals::load(tx, &scope, terminal)).await
    }

    pub async fn push_sync_now(&self, till: &Till) -> Sequence {
        self.push_made_at(till, self.now()).await
    }

    pub async fn push_made_at(&self, till: &Till, created_at: Millis) -> Sequence {
        let (scope, terminal) = (self.scope, Some(till.terminal));
        let payload = serde_json::to_string(&PushBody::SyncNow).unwrap();
        let message = NewMessage { kind: Kind::Push, terminal, payload, created_at };
        let id = self.write(move |tx| outbox::append(tx, &scope, &message)).await;
        self.running.app().wake_outbox();
        id
    }

    /// The pushes that the terminal has not acknowledged.
    pub async fn pending(&self, till: &Till) -> Vec<Sequence> {
        let (scope, terminal) = (self.scope, till.terminal);
        let pending = self.read(move |tx| outbox::pending(tx, &scope, terminal, Sequence(0), ROWS_MAX)).await;
        pending.into_iter().map(|message| message.id).collect()
    }

    pub async fn payment(&self, till: &Till, payment: PaymentId) -> Payment {
        assert_eq!(till.tenant, self.scope.tenant());
        let scope = self.scope;
        self.read(move |tx| payments::load(tx, &scope, payment)).await.payment
    }

    /// Whether the audit log says that of the terminal.
    pub async fn audited(&self, till: &Till, action: &str) -> bool {
        let scope = self.scope;
        let entries = self.read(move |tx| audit::list(tx, &scope, None, ROWS_MAX)).await;
        let terminal = till.terminal.to_string();
        entries.iter().any(|stored| stored.entry.action == action && stored.entry.actor == terminal)
    }

    /// Every set of postings is whole and sums to zero, and the audit log is unbroken.
    pub async fn books_hold(&self) {
        let scope = self.scope;
        let broken = self.read(|tx| ledger::check_all(tx, &access::process())).await;
        assert!(broken.is_empty(), "{broken:?}");
        let (store, log) = (self.database().clone(), scope.tenant().to_string());
        let checked = tokio::task::spawn_blocking(move || audit_check::check(&store, &log, &[])).await;
        assert_eq!(checked.unwrap().unwrap().1, []);
    }
}

async fn merchant(database: &Store, now: Millis) -> (TenantScope, StoreId) {
    let tenant = Tenant {
        id: TenantId::from_bytes(random_16()),
        name: "Lantern Tea".to_owned(),
        currency: Currency::CNY,
        late_policy: LatePolicy::Refund,
        time_zone: "Etc/UTC".to_owned(),
        active: true,
        created_at: now,
    };
    let shop =
        Shop { id: StoreId::from_bytes(random_16()), name: "Old Town".to_owned(), active: true, created_at: now };
    let store = shop.id;
    let made = database.write(move |tx| {
        let scope = tenants::create(tx, &access::process(), &tenant)?;
        stores::create(tx, &scope, &shop)?;
        Ok::<_, StoreError>(scope)
    });
    (made.await.unwrap(), store)
}

fn issue(ca: &Ca, terminal: TerminalId, ca_pem: &str, now: Millis) -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let issued = ca.issue(terminal, &CheckedRequest::read(&csr(&key)).unwrap(), now).unwrap();
    Identity { key, chain_pem: issued.chain_pem, ca_pem: ca_pem.to_owned() }
}

/// A way to core's HTTPS for terminals.
pub struct Https {
    http: reqwest::Client,
    root: String,
}

impl Https {
    pub async fn try_get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let response = self.http.get(format!("{}{path}", self.root)).send().await?;
        Answer::of(response).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.post_text(path, &serde_json::to_string(body).unwrap()).await
    }

    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        let request = self.http.post(format!("{}{path}", self.root)).header("content-type", "application/json");
        Answer::of(request.body(body.to_owned()).send().await.unwrap()).await.unwrap()
    }
}

/// What core answered.
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        Ok(Self { status: response.status().as_u16(), text: response.text().await? })
    }

    /// The body, if the status is this one.
    pub fn json<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        self.problem_without_trace()["code"].as_str().unwrap().to_owned()
    }

    /// The problem but for what is another in each answer.
    pub fn problem_without_trace(&self) -> serde_json::Value {
        let mut problem: serde_json::Value = serde_json::from_str(&self.text).unwrap();
        problem.as_object_mut().unwrap().remove("trace_id");
        problem
    }
}

/// An enrolled terminal.
pub struct Till {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub mqtt_port: u16,
    pub identity: Identity,
    https: Https,
}

impl Till {
    pub fn new(world: &World, key: rcgen::KeyPair, enrolled: Enrolled) -> Self {
        let identity = Identity { key, chain_pem: enrolled.certificate_chain_pem, ca_pem: enrolled.ca_pem };
        let https = world.client_with(&identity);
        let (tenant, terminal, mqtt_port) = (enrolled.tenant, enrolled.terminal, enrolled.mqtt_port);
        Self { tenant, terminal, mqtt_port, identity, https }
    }

    /// The same terminal with another certificate.
    pub fn with(&self, world: &World, key: rcgen::KeyPair, chain_pem: String) -> Self {
        let identity = Identity { key, chain_pem, ca_pem: self.identity.ca_pem.clone() };
        Self { https: world.client_with(&identity), identity, ..*self }
    }

    pub fn prefix(&self) -> String {
        format!("t/{}/{}", self.tenant, self.terminal)
    }

    pub fn how(&self) -> Connect {
        Connect {
            port: self.mqtt_port,
            client_id: self.terminal.to_string(),
            tls: self.identity.tls(true),
            will: None,
            clean_start: true,
        }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.how()).await.expect("core lets it in")
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.https.get(path).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        self.https.post(path, body).await
    }

    pub async fn post_text(&self, path: &str, body: &str) -> Answer {
        self.https.post_text(path, body).await
    }
}
