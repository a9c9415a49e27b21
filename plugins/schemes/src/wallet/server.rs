//! Starts and stops the scheme: address, workers, the clock's tick, and the end of everything that still waits.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware, web};
use anyhow::Context as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::watch;

pub(super) use crate::stage::wall_ms as now_ms;

use super::{
    book::{Book, Timing},
    gate::Gate,
    http, notify,
    scheme::Scheme,
    signature::MerchantKey,
    stage::{Disputes, StagedWallet},
};
use crate::stage::{self, Stage};

/// How often slow confirmations are looked at.
const TICK: Duration = Duration::from_millis(50);
/// Answers in the making get this long when the scheme stops.
const SHUTDOWN_SECONDS: u64 = 2;
/// A simulator shares its machine with everything it is simulated for.
const WORKERS: usize = 2;

/// How to play the scheme.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Merchant ids and their keys.
    pub merchants: Vec<(String, String)>,
    /// What order links begin with; the address listened on without it.
    pub base_url: Option<String>,
    /// Magic amounts 92: until `PAID`.
    pub slow: Duration,
    /// Magic refunds 81: until `DONE`.
    pub refund_slow: Duration,
    /// Magic amounts 82, 93, 97: until the connection is cut.
    pub hold: Duration,
    /// The first pause between repetitions of a notification; each next one is twice as long.
    pub retry_first: Duration,
    /// Whether the stage door is open, and amounts have no magic.
    pub on_stage: bool,
}

impl Config {
    /// The published timing.
    #[must_use]
    pub fn new(listen: SocketAddr, merchants: Vec<(String, String)>) -> Self {
        Self {
            listen,
            merchants,
            base_url: None,
            slow: Duration::from_secs(3),
            refund_slow: Duration::from_secs(2),
            hold: Duration::from_secs(60),
            retry_first: Duration::from_secs(1),
            on_stage: false,
        }
    }
}

/// What every handler can reach.
pub(super) struct Rim {
    pub scheme: Arc<Scheme>,
    pub http: reqwest::Client,
    pub base_url: String,
    pub hold: Duration,
    pub retry_first: Duration,
    /// Becomes true when the scheme stops: whoever holds a connection for fun lets go.
    pub stopping: watch::Receiver<bool>,
    /// Notifications outlive the worker that caused them, so they run on the starter's runtime.
    pub runtime: tokio::runtime::Handle,
    /// Where faults are armed and requests are written down.
    pub stage: Option<Arc<Stage>>,
}

/// A scheme at play.
pub struct Running {
    pub address: SocketAddr,
    /// Of the stage, if it is on one.
    pub door: Option<String>,
    servers: Vec<ServerHandle>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Cuts held connections, finishes answers in the making, forgets unsent notifications.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for server in self.servers {
            server.stop(true).await;
        }
        for task in self.tasks {
            task.abort();
        }
    }
}

/// Starts the scheme; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(config: Config) -> anyhow::Result<Running> {
    let listener = TcpListener::bind(config.listen)
        .with_context(|| format!("cannot listen on {}; is another scheme running there?", config.listen))?;
    let address = listener.local_addr()?;
    let base_url = config.base_url.unwrap_or_else(|| format!("http://{address}")).trim_end_matches('/').to_owned();
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2);
    let timing = Timing { slow_ms: millis(config.slow), refund_ms: millis(config.refund_slow) };
    let merchant = config.merchants.first().cloned();
    let gate = Gate::new(config.merchants.into_iter().map(|(id, key)| (id, MerchantKey::new(&key))));
    let (stop, stopping) = watch::channel(false);
    // The one TLS provider of the house; a second installation in the same process is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let book = Book::new(base_url.clone(), timing);
    let stage = config.on_stage.then(Arc::<Stage>::default);
    let rim = web::Data::new(Rim {
        scheme: Arc::new(Scheme::new(gate, if config.on_stage { book.on_stage() } else { book })),
        http: notify::client().context("cannot make an HTTP client")?,
        base_url: base_url.clone(),
        hold: config.hold,
        retry_first: config.retry_first,
        stopping,
        runtime: tokio::runtime::Handle::current(),
        stage: stage.clone(),
    });
    let shared = rim.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::PayloadConfig::new(http::merchant::BODY_LEN_MAX))
            .app_data(http::json_config())
            .wrap(middleware::from_fn(http::trace))
            .configure(http::merchant::configure)
            .configure(http::customer::configure)
            .configure(http::admin::configure)
            .default_service(web::to(http::not_found))
    })
    .workers(WORKERS)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    let mut servers = vec![server.handle()];
    let mut door = None;
    if let (Some(stage), Some(merchant)) = (stage, merchant) {
        let staged = Arc::new(StagedWallet { rim: rim.clone(), stage, merchant, disputes: Disputes::default() });
        let (address, behind) = stage::open_door(&staged, address, &base_url)?;
        door = Some(address);
        servers.push(behind);
    }
    let serving = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server ended");
        }
    });
    Ok(Running { address, door, servers, stop, tasks: vec![tokio::spawn(tick(rim)), serving] })
}

async fn tick(rim: web::Data<Rim>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let notices = {
            let mut state = rim.scheme.lock();
            state.book.advance(now_ms());
            state.book.take_notices()
        };
        notify::dispatch(&rim, notices);
    }
}

/// 128 random bits in hex: nonces and order tokens.
pub(super) fn random_hex() -> String {
    hex::encode(random::<16>())
}

/// This many random digits, each equally likely.
pub(super) fn random_digits(count: usize) -> String {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        // 250 to 255 would make the digits 0 to 5 likelier.
        let fair = random::<32>().into_iter().filter(|byte| *byte < 250);
        digits.extend(fair.take(count - digits.len()).map(|byte| char::from(b'0' + byte % 10)));
    }
    digits
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Guessable tokens would make a test that passes mean nothing, so better no scheme at all.
        tracing::error!("the system gives no random numbers");
        std::process::abort();
    }
    bytes
}
