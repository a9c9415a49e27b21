//! The ways out: to the node with its macaroon, to the rate source, and to the key that preimages come from.

use saoma_channel_sdk::{Error, Reply, Request, clock, from_hex, hmac_hex, misconfigured};

use crate::messages::{
    Call, Settings,
    preimage::{self, Preimage},
    rate::{self, Rate},
};

/// What the node lets in.
pub const MACAROON: &str = "node-macaroon";
/// What the node is known by, if no public authority vouches for it.
pub const CERTIFICATE: &str = "node-certificate";
/// What the preimages are made with.
pub const PREIMAGE_KEY: &str = "preimage-key";

/// Longest wait for one answer: a rate, an announcement and a look-up behind it fit the manifest's 15,000 ms.
const ANSWER_TIMEOUT_MS: u32 = 4_500;
const RATE_TIMEOUT_MS: u32 = 3_000;
/// A ticker has a few hundred.
const RATE_BYTES_MAX: u32 = 16 << 10;
const BILL_BYTES_MAX: u32 = 8 << 20;
/// A node may go through all its invoices to find those of a day: such a call waits for that alone.
const BILL_TIMEOUT_MS: u32 = 14_000;
/// The same, behind a look-up; the call's own deadline ends the last wait of several pages.
const SEARCH_TIMEOUT_MS: u32 = 9_000;

/// # Errors
/// As [`Request::send`].
pub fn exchange(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    request(settings, call, ANSWER_TIMEOUT_MS).send()
}

/// The same, for a list by when invoices were made.
///
/// # Errors
/// As [`Request::send`].
pub fn exchange_search(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    request(settings, call, SEARCH_TIMEOUT_MS).send()
}

/// The same, for an answer of up to 8 MiB.
///
/// # Errors
/// As [`Request::send`].
pub fn exchange_bill(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    request(settings, call, BILL_TIMEOUT_MS).answer_bytes_max(BILL_BYTES_MAX).send()
}

fn request(settings: &Settings, call: &Call, timeout_ms: u32) -> Request {
    let url = format!("{}{}", settings.node_url.trim_end_matches('/'), call.path);
    let request = Request::new(call.method, url, timeout_ms).secret_header("grpc-metadata-macaroon", "", MACAROON);
    let request = if settings.public_certificate { request } else { request.server_certificates(CERTIFICATE) };
    if call.body.is_empty() { request } else { request.body("application/json", call.body.as_str()) }
}

/// What a bitcoin costs now.
///
/// # Errors
/// As [`Request::send`] and [`rate::read`].
pub fn rate(settings: &Settings) -> Result<Rate, Error> {
    if let Some(fixed) = rate::fixed(settings)? {
        return Ok(fixed);
    }
    let source = settings.rate_url.as_deref().unwrap_or_default();
    let url = rate::ticker_url(source, &settings.currency);
    let reply = Request::new("GET", url, RATE_TIMEOUT_MS).answer_bytes_max(RATE_BYTES_MAX).send()?;
    rate::read(reply.status, &reply.body, settings, clock::now())
}

/// The order's own preimage, the same each time.
///
/// # Errors
/// `misconfigured` if the account has no such key.
pub fn preimage(number: &str) -> Result<Preimage, Error> {
    let tag = from_hex(&hmac_hex(PREIMAGE_KEY, &preimage::text(number))?);
    tag.and_then(|tag| Preimage::new(&tag)).ok_or_else(|| misconfigured("the host made no preimage of 32 bytes"))
}
