//! A bank ("PSP recebedor") as the Banco Central's API Pix prescribes it (bacen/pix-api, OpenAPI 2.9.0; BR Code manual): mutual
//! TLS, OAuth 2.0 tokens with scopes, immediate charges, returns, the list of what was received, webhooks.
//!
//! Rules without clock, chance or network: [`book`] (charges, payments, returns), `fields` (forms and lengths), `brcode`,
//! `tokens`. Around them: `wire` (the API) and `play` (the stage door). Not played: charges with a due date, lots, recurrences, Pix
//! Saque and Troco, revision of a charge by `PATCH` other than its removal.

pub mod book;
mod brcode;
mod fields;
mod play;
mod problem;
mod tokens;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use crate::stage::{self, Running, Stage};
use book::Book;
use tokens::Tokens;

pub const CLIENT_ID: &str = "padaria";
pub const CLIENT_SECRET: &str = "made-for-tests-only";
/// The merchant's key in DICT.
pub const PIX_KEY: &str = "7d9f0335-8dcc-4054-9bf9-0dbd61d36906";
/// Who vouches for both sides, and what the merchant shows; see `keys/README.md`.
pub const AUTHORITY_PEM: &str = include_str!("pix/keys/ca.pem");
pub const CLIENT_PEM: &str = concat!(include_str!("pix/keys/client.pem"), include_str!("pix/keys/client.key"));
const SERVER_PEM: &str = include_str!("pix/keys/server.pem");
const SERVER_KEY: &str = include_str!("pix/keys/server.key");

/// The bank.
#[derive(Default)]
pub struct Bank {
    stage: Stage,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    book: Book,
    tokens: Tokens,
    webhook_url: Option<String>,
    webhook_at_ms: i64,
}

impl Bank {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the bank; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr) -> anyhow::Result<Running> {
    stage::start(&Arc::new(Bank::default()), listen, Some(tls()?), wire::configure)
}

/// Only clients of the authority get in: a connection without a certificate ends in the handshake.
fn tls() -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY_PEM.as_bytes()).context("the test authority")?)?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let chain = vec![CertificateDer::from_pem_slice(SERVER_PEM.as_bytes()).context("the test server")?];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).context("the test server's key")?;
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?)
}

/// Letters and digits that nobody guesses.
fn random_text(len: usize) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    let mut bytes = vec![0; len];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Guessable tokens would make a test that passes mean nothing, so better no scheme at all.
        tracing::error!("the system gives no random numbers");
        std::process::abort();
    }
    bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
}
