//! A card acquirer as terminals of China UnionPay speak to one: ISO 8583:1987 over TCP or TLS, one terminal, working keys by
//! sign-in, sales (stripe, chip, keyed, contactless), advices of sales made without it, voids, refunds, reversals, settlement and upload of a batch.
//!
//! Rules without clock, chance or network: `book`, `batch`, `checks`, `cipher`, `codec`. Around them: `desk` (what is answered),
//! `wire` (the port), `play` (the stage door). Not played: pre-authorisation, balance, tips, scripts for chips, balances of several terminals.

mod batch;
mod book;
mod checks;
pub mod cipher;
pub mod codec;
mod desk;
mod play;
mod wire;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::stage::{self, Fault, Stage};
use cipher::Mac;
use desk::Desk;
pub use desk::{AES_MASTER_KEY, MASTER_KEY, MERCHANT, PIN, TERMINAL};
pub use wire::LengthHeader;

/// Who vouches for the acquirer over TLS; see `keys/README.md`.
pub const AUTHORITY_PEM: &str = include_str!("acquirer/keys/ca.pem");
const SERVER_PEM: &str = include_str!("acquirer/keys/server.pem");
const SERVER_KEY: &str = include_str!("acquirer/keys/server.key");
/// From which terminals derive their keys: the merchant's own affair, and in the script so that a channel's account is whole. The
/// examples of ANSI X9.24-1 have it.
pub const TERMINALS_KEY: &str = "0123456789ABCDEFFEDCBA9876543210";

/// How this acquirer is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    pub mac: Mac,
    pub tls: bool,
    pub length_header: LengthHeader,
}

/// The acquirer.
pub struct Acquirer {
    stage: Stage,
    desk: Mutex<Desk>,
    config: Config,
}

/// An acquirer at play.
pub struct Running {
    pub base_url: String,
    /// Where the stage door is, `http://127.0.0.1:PORT`.
    pub door: String,
    wire: JoinHandle<()>,
    stage_door: ServerHandle,
}

impl Running {
    /// What `saoma-schemes` prints when it is ready.
    #[must_use]
    pub fn ready_line(&self) -> Value {
        json!({ "listening": self.base_url, "door": self.door })
    }

    pub async fn stop(self) {
        self.wire.abort();
        self.stage_door.stop(false).await;
    }
}

/// Starts the acquirer; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr, config: Config) -> anyhow::Result<Running> {
    let acquirer = Arc::new(Acquirer { stage: Stage::default(), desk: Mutex::new(Desk::new(config.mac)), config });
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    // The certificate is of this name.
    let base_url = if config.tls { format!("tls://localhost:{}", address.port()) } else { format!("tcp://{address}") };
    let tls = config.tls.then(tls).transpose()?;
    let (door, stage_door) = stage::open_door(&acquirer, address, &base_url)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(Running { base_url, door, wire: tokio::spawn(wire::listen(listener, tls, acquirer)), stage_door })
}

fn tls() -> anyhow::Result<TlsAcceptor> {
    let chain = vec![CertificateDer::from_pem_slice(SERVER_PEM.as_bytes()).context("the test server")?];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).context("the test server's key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Acquirer {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes that answer a message; it is carried out once this returns.
    fn answer(&self, request: &codec::Message, raw: &[u8], fault: Option<Fault>) -> Vec<u8> {
        let mut chance = [0; 32];
        if SystemRandom::new().fill(&mut chance).is_err() {
            // Keys that everybody knows would make a test that passes mean nothing.
            tracing::error!("the system gives no random numbers");
            std::process::abort();
        }
        let now_ms = self.stage.now_ms();
        let mut desk = self.lock();
        if fault == Some(Fault::KeyLost) {
            desk.forget_keys();
        }
        let answer = desk.answer(request, raw, fault, now_ms, chance);
        desk.written(answer, fault)
    }
}
