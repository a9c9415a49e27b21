//! A Lightning node with LND's REST API (lnrpc, invoicesrpc of 0.21) on regtest, and a rate source of the form that Bitstamp
//! publishes beside it.
//!
//! Rules without clock, chance or network: [`book`] (invoices), `ask` (what may be asked), [`bolt11`] (their text, signed),
//! `macaroons`. Around them: `wire` (the API, over TLS by a certificate of the node's own), `price` (the rate source, plain HTTP) and
//! `play` (the stage door). Not played: channels, routes and the payer's side of a payment; hold invoices by their own calls;
//! subscriptions.

mod ask;
pub mod bolt11;
pub mod book;
pub mod macaroons;
mod play;
mod price;
mod status;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use anyhow::Context as _;
use k256::ecdsa::SigningKey;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::stage::{self, Running, Stage};
use bolt11::Field;
use book::{Book, NewInvoice};

/// The node's TLS certificate, as a merchant copies it; see `keys/README.md`.
pub const CERTIFICATE_PEM: &str = include_str!("lightning/keys/tls.pem");
const CERTIFICATE_KEY: &str = include_str!("lightning/keys/tls.key");
/// The node's identity on the network: the key by which BOLT 11 signs its examples.
const NODE_KEY: &str = "e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734";
const PREFIX: &str = "lnbcrt";
/// LND's default.
const CLTV_EXPIRY_BLOCKS: u64 = 80;
/// Onion payloads with types, payment secrets, payments in parts, blinded routes (BOLT 9): what LND puts into invoices.
const FEATURES: [usize; 4] = [8, 14, 17, 25];
/// The other end of the node's one channel that the network does not know of.
const NEIGHBOUR: [u8; 33] = *b"\x02\x9e\x03\xa9\x01\xb8\x55\x34\xff\x1e\x92\xc4\x3c\x74\x43\x1f\x7c\xe7\x20\x46\x06\x0f\xcf\x7a\x95\xc3\x7e\x14\x8f\x78\xc7\x72\x55";

/// The node.
pub struct Node {
    stage: Stage,
    key: SigningKey,
    book: Mutex<Book>,
    /// Where the rate source is.
    rate_url: OnceLock<String>,
}

impl Node {
    /// # Errors
    /// If the key is none.
    pub fn new() -> anyhow::Result<Self> {
        let key = SigningKey::from_slice(&hex::decode(NODE_KEY)?)
            .map_err(|error| anyhow::anyhow!("the node's key: {error}"))?;
        Ok(Self { stage: Stage::default(), key, book: Mutex::default(), rate_url: OnceLock::new() })
    }

    /// As of now: what has ended is closed.
    fn lock(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.expire(self.now());
        book
    }

    /// Seconds since 1970.
    fn now(&self) -> i64 {
        self.stage.now_ms() / 1_000
    }

    /// The invoice's text.
    fn payment_request(
        &self,
        asked: &NewInvoice,
        hash: &[u8; 32],
        secret: &[u8; 32],
        at: i64,
    ) -> anyhow::Result<String> {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let mut fields = vec![
            Field::PaymentHash(hash),
            Field::Description(&asked.memo),
            Field::MinFinalCltvExpiry(CLTV_EXPIRY_BLOCKS),
            Field::ExpirySeconds(number(asked.expiry_seconds)),
            Field::PaymentSecret(secret),
            Field::Features(&FEATURES),
        ];
        if asked.is_private {
            fields.insert(4, Field::Route(&NEIGHBOUR, 0x0008_5700_0064_0001, 1_000, 1, 80));
        }
        bolt11::write(&self.key, PREFIX, (asked.msat > 0).then(|| number(asked.msat)), number(at), &fields)
    }
}

/// Starts the node and its rate source; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr) -> anyhow::Result<Running> {
    let node = Arc::new(Node::new()?);
    let (rate_url, rate_source) = price::start(&node, listen.ip())?;
    node.rate_url.get_or_init(|| rate_url);
    Ok(stage::start(&node, listen, Some(tls()?), wire::configure)?.with(rate_source))
}

fn tls() -> anyhow::Result<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE_PEM.as_bytes()).context("the node's certificate")?];
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_KEY.as_bytes()).context("the node's key")?;
    Ok(ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        // Preimages that can be guessed would make a test that passes mean nothing, so better no node at all.
        tracing::error!("the system gives no random numbers");
        std::process::abort();
    }
    bytes
}
