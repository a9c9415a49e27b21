//! The way to the bank: mutual TLS, an access token, and one repetition when a token is refused.

use saoma_channel_sdk::{Error, Reply, Request, clock, kv, log, misconfigured};

use crate::messages::{
    Call, Settings,
    token::{self, Token},
};

/// The password of the client.
pub const CLIENT_SECRET: &str = "client-secret";
/// What the client shows in TLS.
pub const CLIENT_CERTIFICATE: &str = "client-certificate";
/// What the bank's server is known by, if no public authority vouches for it.
pub const PSP_CERTIFICATES: &str = "psp-certificates";

/// Longest wait for one answer: a token, what is asked and what is asked behind it fit the manifest's 15,000 ms.
const ANSWER_TIMEOUT_MS: u32 = 4_500;
/// A day's list may be long.
const BILL_BYTES_MAX: u32 = 8 << 20;
const TOKEN_KEY: &str = "token";

/// # Errors
/// As [`Request::send`]; `misconfigured` if the bank refuses who we are.
pub fn exchange(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    authorised(settings, || request(settings, call))
}

/// The same, for an answer of up to 8 MiB.
///
/// # Errors
/// As [`exchange`].
pub fn exchange_bill(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    authorised(settings, || request(settings, call).answer_bytes_max(BILL_BYTES_MAX))
}

fn request(settings: &Settings, call: &Call) -> Request {
    let request = to_bank(settings, call.method, &format!("{}{}", settings.base_url.trim_end_matches('/'), call.path));
    if call.body.is_empty() { request } else { request.body("application/json", call.body.as_str()) }
}

/// A token may end or be replaced by another node's at any time. A request that is refused with 401 was not carried out, so it is
/// sent again with a new one, once.
fn authorised(settings: &Settings, request: impl Fn() -> Request) -> Result<Reply, Error> {
    let send = |token: &Token| request().header("authorization", format!("Bearer {}", token.text)).send();
    if let Some(token) = kept_token(settings) {
        let reply = send(&token)?;
        if reply.status != 401 {
            return Ok(reply);
        }
    }
    let reply = send(&new_token(settings)?)?;
    if reply.status == 401 {
        return Err(misconfigured(
            "the bank does not take the access token that it has just given: check client-certificate",
        ));
    }
    Ok(reply)
}

fn kept_token(settings: &Settings) -> Option<Token> {
    kv::get(TOKEN_KEY).ok().flatten().and_then(|bytes| token::kept(&bytes, settings, clock::now()))
}

/// A token that the bank gives now: only so does it show that the client's secret is the right one.
///
/// # Errors
/// `misconfigured` if the bank refuses who we are; as [`Request::send`].
pub fn new_token(settings: &Settings) -> Result<Token, Error> {
    let reply = to_bank(settings, "POST", &settings.token_url)
        .body("application/x-www-form-urlencoded", token::form())
        .basic(&settings.client_id, CLIENT_SECRET)
        .send()?;
    let token = token::read(reply.status, &reply.body, settings, clock::now())?;
    // Two calls at once each keep theirs; the later one stays, and either is good. Without a store the next call asks anew.
    if let Some(bytes) = token::to_keep(&token, clock::now())
        && kv::set(TOKEN_KEY, &bytes).is_err()
    {
        log::write(log::Level::Warn, "the access token could not be kept: every call asks the bank for a new one");
    }
    Ok(token)
}

fn to_bank(settings: &Settings, method: &str, url: &str) -> Request {
    let request = Request::new(method, url, ANSWER_TIMEOUT_MS).client_certificate(CLIENT_CERTIFICATE);
    if settings.private_authority { request.server_certificates(PSP_CERTIFICATES) } else { request }
}
