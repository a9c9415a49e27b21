//! A shop with one till: the agent on a data directory of its own, and a cashier at its door.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use reqwest::{Client, Method, StatusCode};
use rumqttc::Transport;
use saoma_edge::{
    app::{self, Parts, Running, StartError},
    config::{Config, ShiftRequired, source::Source},
    link::{
        enrol::{Request, enrol},
        https::Core,
        identity::{DataDir, Identity},
        mqtt::{self, Mqtt},
        tls,
    },
    peripherals::registry,
};
use saoma_protocol::{PaymentId, StoreId, TenantId, TerminalId};
use serde_json::{Value, json};

use crate::{
    broker::Broker,
    core::{FakeCore, Known, quotes::Says, shop_profile},
    hand::signer,
    secured::{Authority, LONG, Life},
    weather::Sky,
};

/// The configuration file of an agent that has one, in its data directory.
pub const FILE: &str = "edge.toml";
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks again and again until `look` finds something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub struct Shop {
    pub core: FakeCore,
    pub folder: tempfile::TempDir,
    pub till: Till,
    broker: Option<u16>,
    extras: Extras,
    running: Option<Running>,
}

/// What few tills have.
#[derive(Clone, Default)]
struct Extras {
    /// The journal may have so many pages of 4096 bytes; 0 is no limit.
    pages_max: u64,
    /// The device of a serial scanner.
    scanner: Option<String>,
    /// Another change of the settings, made at each start.
    settings: Option<fn(&mut Config, &Path)>,
    /// The address of a printer on the network.
    printer: Option<String>,
    /// The agent has a configuration file, which at first says this; of it, the devices are used.
    file: Option<&'static str>,
    /// Where core is for the terminal, if not where it is.
    core_url: Option<String>,
    shift_required: Option<ShiftRequired>,
}

pub struct Till {
    client: Client,
    pub base: String,
}

pub struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

fn config(folder: &Path) -> Config {
    let mut config = Config { data_dir: folder.to_owned(), ..Config::default() };
    config.till.listen.set_port(0);
    config.link.poll_ms = 500;
    config.link.answer_timeout_ms = 2_000;
    config
}

/// What a person types who makes a terminal of this machine.
pub fn request(core: &FakeCore, claim_code: &str, again: bool) -> Request {
    let ca_fingerprint = core.authority().fingerprint();
    Request { core: core.url(), claim_code: claim_code.to_owned(), ca_fingerprint, again }
}

async fn start(folder: &Path, core_url: &str, broker: Option<u16>, extras: &Extras) -> Result<Running, StartError> {
    let mut config = config(folder);
    config.journal.pages_max = extras.pages_max;
    if let Some(required) = extras.shift_required {
        config.till.shift_required = required;
    }
    if let Some(device) = &extras.scanner {
        config.peripherals.scanner = "serial".to_owned();
        config.peripherals.scanner_device.clone_from(device);
    }
    if let Some(change) = extras.settings {
        change(&mut config, folder);
    }
    if let Some(address) = &extras.printer {
        config.peripherals.printer = "escpos-tcp".to_owned();
        config.peripherals.printer_address.clone_from(address);
    }
    let file = folder.join(FILE);
    let source = Source::new(file.exists().then_some(file), []);
    if extras.file.is_some() {
        config.peripherals = source.load().unwrap().peripherals;
    }
    if core_url.starts_with("https:") {
        return app::start(Parts::from_config(config)?).await;
    }
    let folder = DataDir::open(&config.data_dir)?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let core = Core::new(core_url, tls.clone(), Duration::from_millis(config.link.answer_timeout_ms))?;
    let identity = Identity {
        v: Identity::version(),
        core_url: core_url.to_owned(),
        tenant: TenantId::from_bytes([1; 16]),
        terminal: TerminalId::from_bytes([2; 16]),
        store: StoreId::from_bytes([3; 16]),
        mqtt_host: "127.0.0.1".to_owned(),
        mqtt_port: broker.unwrap_or(1),
        profile: shop_profile(),
        ca_pem: String::new(),
        certificate_chain_pem: String::new(),
        key_file: String::new(),
    };
    let devices = registry::open(&config.peripherals).map_err(StartError::Devices)?;
    let mqtt = broker.map(|_| {
        let mut options = mqtt::options(&identity, tls, &config.link).unwrap();
        options.set_transport(Transport::tcp());
        Mqtt::new(&identity, options)
    });
    app::start(Parts { config, folder, identity, signer: signer(), core, mqtt, devices, source, updates: None }).await
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_at(FakeCore::open(), None, Extras::default()).await
    }

    /// Where core answers so whoever asks for a price.
    pub async fn open_where_rules(says: Says) -> Self {
        let core = FakeCore::open();
        core.look(|known| known.quotes.says = says);
        let shop = Self::open_at(core, None, Extras::default()).await;
        let in_force = says != Says::NoRules;
        until("the till to know of rules", async || {
            (shop.till.get("/api/state").await["rules"] == in_force).then_some(())
        })
        .await;
        shop
    }

    pub async fn open_with_broker() -> (Self, Broker) {
        let core = FakeCore::open();
        let broker = Broker::open(&core).await;
        (Self::open_at(core, Some(broker.address.port()), Extras::default()).await, broker)
    }

    /// With a disk of so many pages of 4096 bytes.
    pub async fn open_on_disk_of(pages_max: u64) -> Self {
        Self::open_at(FakeCore::open(), None, Extras { pages_max, ..Extras::default() }).await
    }

    pub async fn open_where_shifts_are(required: ShiftRequired) -> Self {
        let extras = Extras { shift_required: Some(required), ..Extras::default() };
        Self::open_at(FakeCore::open(), None, extras).await
    }

    /// With a serial scanner at that device.
    pub async fn open_with_scanner(device: &Path) -> Self {
        let scanner = device.to_str().map(str::to_owned);
        Self::open_at(FakeCore::open(), None, Extras { scanner, ..Extras::default() }).await
    }

    /// With other settings; the path is that of the data directory.
    pub async fn open_with(settings: fn(&mut Config, &Path)) -> Self {
        Self::open_at(FakeCore::open(), None, Extras { settings: Some(settings), ..Extras::default() }).await
    }

    /// With a configuration file.
    pub async fn open_with_file(text: &'static str) -> Self {
        Self::open_at(FakeCore::open(), None, Extras { file: Some(text), ..Extras::default() }).await
    }

    /// With a receipt printer at that address.
    pub async fn open_with_printer(address: String) -> Self {
        Self::open_at(FakeCore::open(), None, Extras { printer: Some(address), ..Extras::default() }).await
    }

    /// Over TLS, with both lines (to core, to the broker) through proxies whose weather the test makes.
    pub async fn open_in_weather() -> (Self, Broker, Sky) {
        let core = FakeCore::open_secured(Authority::new(LONG));
        let broker = Broker::open(&core).await;
        let sky = Sky::default();
        core.set_broker(sky.line_to(broker.address.port()).await);
        let core_url = format!("https://127.0.0.1:{}", sky.line_to(core.port()).await);
        let port = broker.address.port();
        let extras = Extras { core_url: Some(core_url), ..Extras::default() };
        (Self::open_at(core, Some(port), extras).await, broker, sky)
    }

    /// Over TLS, enrolled with a certificate of that life.
    pub async fn open_secured_by(first: Life, prepare: impl FnOnce(&Authority)) -> (Self, Broker) {
        let authority = Authority::new(first);
        prepare(&authority);
        Self::open_secured(authority, |_| {}).await
    }

    /// Over TLS, enrolled by that authority, at a core that knows so much.
    pub async fn open_secured(authority: Authority, prepare: impl FnOnce(&mut Known)) -> (Self, Broker) {
        let core = FakeCore::open_secured(authority);
        core.look(prepare);
        let broker = Broker::open(&core).await;
        let port = broker.address.port();
        (Self::open_at(core, Some(port), Extras::default()).await, broker)
    }

    async fn open_at(core: FakeCore, broker: Option<u16>, extras: Extras) -> Self {
        tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = extras.file {
            std::fs::write(folder.path().join(FILE), text).unwrap();
        }
        if core.is_secured() {
            let mut request = request(&core, "CLAIM", false);
            request.core = extras.core_url.clone().unwrap_or(request.core);
            enrol(&DataDir::open(folder.path()).unwrap(), &request).await.unwrap();
        }
        let running = start(folder.path(), &core.url(), broker, &extras).await.unwrap();
        let till = Till::at(base(&running));
        let shop = Self { core, folder, till, broker, extras, running: Some(running) };
        shop.online(true).await;
        shop
    }

    /// Waits until the till says that it reaches core, or that it does not.
    pub async fn online(&self, online: bool) {
        until("the link", async || (self.till.get("/api/state").await["link"]["online"] == online).then_some(())).await;
    }

    /// Pulls the plug.
    pub fn kill_till(&mut self) {
        drop(self.running.take());
    }

    pub async fn stop_till(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    /// Starts it, and does not use it.
    pub async fn try_start(&self) -> Result<(), StartError> {
        let running = start(self.folder.path(), &self.core.url(), self.broker, &self.extras).await?;
        running.stop().await;
        Ok(())
    }

    pub async fn start_till(&mut self) {
        let (path, url) = (self.folder.path().to_owned(), self.core.url());
        let (broker, extras) = (self.broker, self.extras.clone());
        // The plug was pulled a moment ago: the file's lock goes when the last of the old agent does.
        let running =
            until("the data directory to be free", async || match start(&path, &url, broker, &extras).await {
                Ok(running) => Some(running),
                Err(StartError::Identity(_)) => None,
                Err(error) => panic!("{error}"),
            })
            .await;
        self.till.base = base(&running);
        self.running = Some(running);
    }

    pub async fn nothing_unsent(&self) {
        until("core to have the journal", async || {
            (self.till.get("/api/state").await["unsent"]["count"] == 0).then_some(())
        })
        .await;
    }
}

fn base(running: &Running) -> String {
    format!("http://{}", running.till())
}

pub fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn number(sale: &Value) -> PaymentId {
    sale["payment"].as_str().unwrap_or_else(|| panic!("no sale: {sale}")).parse().unwrap()
}

impl Till {
    pub fn at(base: String) -> Self {
        Self { client: Client::builder().no_proxy().build().unwrap(), base }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> (StatusCode, Vec<u8>) {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.bytes().await.unwrap().to_vec())
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, bytes) = self.call(Method::GET, path, &[], None).await;
        let text = String::from_utf8(bytes).unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    pub async fn post(&self, path: &str, body: &Value, key: &str) -> Reply {
        let headers = [("x-saoma-till", "1"), ("idempotency-key", key)];
        let (status, bytes) = self.call(Method::POST, path, &headers, Some(body)).await;
        Reply { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    pub async fn sell(&self, body: Value) -> Value {
        let reply = self.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body
    }

    pub async fn press(&self, payment: PaymentId, button: &str, body: Value) -> Reply {
        self.post(&format!("/api/sales/{payment}/{button}"), &body, &fresh_key()).await
    }

    pub async fn sale(&self, payment: PaymentId) -> Value {
        self.get(&format!("/api/sales/{payment}")).await
    }

    pub async fn sees(&self, payment: PaymentId, field: &str, value: &str) -> Value {
        until(&format!("{payment} with {field} {value}"), async || {
            let sale = self.sale(payment).await;
            (sale[field] == value).then_some(sale)
        })
        .await
    }

    pub async fn receipt_with(&self, words: &str) -> String {
        until(&format!("a receipt with {words}"), async || {
            let (status, text) = self.call(Method::GET, "/api/receipts/last.txt", &[], None).await;
            let text = String::from_utf8(text).unwrap();
            (status.is_success() && text.contains(words)).then_some(text)
        })
        .await
    }
}

pub fn nothing() -> Value {
    json!({})
}
