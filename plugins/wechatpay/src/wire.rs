//! Signed requests and verified answers, over the host's HTTP and with its keys.
//!
//! An answer whose signature does not fit is as good as none: whoever sent it is not WeChat Pay. So is one without a signature, as
//! gateways on the way send them. Nothing that goes wrong after a request was sent is `not-sent` or `misconfigured`: it may have
//! taken effect.

use saoma_channel_sdk::{
    Error, HttpMessage, Reply, Request, clock, envelope_open, no_answer, random_hex, rsa_sign, rsa_verifies,
    rsa_verifies_with,
};

use crate::{
    certificates,
    messages::{self, Call, SealedPiece, Settings, Signature},
};

/// The private key of the merchant's certificate.
pub const MERCHANT_KEY: &str = "merchant-key";
/// WeChat Pay's public key, or its platform certificates.
pub const WECHATPAY_KEYS: &str = "wechatpay-keys";
/// Of the official account whose page customers pay in.
pub const APP_SECRET: &str = "app-secret";
/// What WeChat Pay seals under.
pub const APIV3_KEY: &str = "apiv3-key";

/// What is said of an answer that nobody knows to be WeChat Pay's.
pub const UNBELIEVED: &str = "not believed";

/// The contract's bound in `fetch-bill`; of a file in pieces, of all together.
const BILL_BYTES_MAX: u32 = 8 << 20;

/// What a call of 16 requests has room for, beside those that ask for the bill and for the trade bill to hold it against. The scheme makes
/// pieces of files of 16 GB and more.
const PIECES_MAX: usize = 12;

/// Sends one signed request and returns WeChat Pay's answer, if it is WeChat Pay's.
///
/// # Errors
/// As `Request::send`; `no-answer` for an answer that is not signed as it should be.
pub fn exchange(settings: &Settings, call: &Call) -> Result<(u16, Vec<u8>), Error> {
    let reply = send(settings, call)?;
    let unbelieved = |why: String| no_answer(format!("status {}, {UNBELIEVED}: {why}", reply.status));
    let signature = Signature::of(&reply.headers, clock::now()).map_err(unbelieved)?;
    match is_wechatpay(settings, &signature, &reply.body) {
        Ok(true) => Ok((reply.status, reply.body)),
        Ok(false) => Err(unbelieved("its signature does not fit".to_owned())),
        Err(error) => Err(unbelieved(words(error))),
    }
}

/// A signed request. The answer is not verified.
///
/// # Errors
/// As `Request::send`; `misconfigured` without a merchant key.
pub fn send(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    let (url, path) = settings.address(&call.path)?;
    signed(settings, call, url, &path)?.send()
}

/// The file of a bill, which comes without a signature: its hash or seal is checked by who reads it.
///
/// # Errors
/// As [`send`].
pub fn download(settings: &Settings, url: &str) -> Result<Reply, Error> {
    let call = messages::download(url)?;
    let request = signed(settings, &call, url.to_owned(), &call.path)?;
    request.answer_bytes_max(BILL_BYTES_MAX).send()
}

/// A file that comes in sealed pieces; in words, why it would not come however often it is asked for.
///
/// # Errors
/// As [`send`]; `no-answer` for another status. Those may pass.
pub fn download_sealed(settings: &Settings, pieces: &[SealedPiece]) -> Result<Result<Vec<u8>, String>, Error> {
    if pieces.len() > PIECES_MAX {
        return Ok(Err(format!("it has {} pieces, and {PIECES_MAX} are taken", pieces.len())));
    }
    let mut file = Vec::new();
    for piece in pieces {
        let Reply { status, body, .. } = match download(settings, &piece.download_url) {
            Err(error) if is_too_large(&error) => return Ok(Err(words(error))),
            reply => reply?,
        };
        if status != 200 {
            return Err(no_answer(format!("status {status} in place of the bill's file")));
        }
        match envelope_open(MERCHANT_KEY, &piece.encrypt_key, piece.nonce.as_bytes(), b"", &body) {
            Ok(Some(mut opened)) => file.append(&mut opened),
            Ok(None) => return Ok(Err("a piece of it does not open".to_owned())),
            Err(error) => return Ok(Err(words(error))),
        }
        if file.len() > BILL_BYTES_MAX as usize {
            return Ok(Err(format!("it {}", larger())));
        }
    }
    Ok(Ok(file))
}

/// Whether a file is larger than is taken. The host's words are all that tells it from one that was cut off.
pub fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::NoAnswer(why) if why.ends_with(&larger()))
}

fn larger() -> String {
    format!("is larger than {BILL_BYTES_MAX} bytes")
}

fn signed(settings: &Settings, call: &Call, url: String, path: &str) -> Result<Request, Error> {
    let (timestamp, nonce) = (clock::now().div_euclid(1_000).to_string(), random_hex(16));
    let signature = rsa_sign(MERCHANT_KEY, &messages::request_text(call.method, path, &timestamp, &nonce, &call.body))?;
    let mut request = Request::new(call.method, url, call.timeout_ms)
        .header("authorization", messages::authorization(settings, &timestamp, &nonce, &signature))
        .header("accept", "application/json")
        .header("user-agent", concat!("saoma-wechatpay/", env!("CARGO_PKG_VERSION")));
    if !settings.wechatpay_public_key_id.is_empty() {
        // Asks for an answer signed by this key, while the account has platform certificates beside it.
        request = request.header("wechatpay-serial", settings.wechatpay_public_key_id.as_str());
    }
    Ok(if call.body.is_empty() { request } else { request.body("application/json", call.body.as_str()) })
}

/// Whether WeChat Pay signed the body: by a key that the account holds, or by a certificate that it handed out.
///
/// # Errors
/// `no-answer` if no key of that id can be had.
fn is_wechatpay(settings: &Settings, signature: &Signature<'_>, body: &[u8]) -> Result<bool, Error> {
    let text = signature.text(body);
    let unknown = match rsa_verifies(WECHATPAY_KEYS, Some(signature.serial), &text, signature.base64) {
        Err(Error::NoAnswer(why)) => no_answer(why),
        told => return told,
    };
    if signature.serial == settings.wechatpay_public_key_id {
        // As it is downloaded, the public key does not say its id; the settings do.
        return rsa_verifies(WECHATPAY_KEYS, None, &text, signature.base64);
    }
    if !signature.is_by_certificate() {
        return Err(unknown);
    }
    match certificates::find(settings, signature.serial)? {
        Some(certificate) => rsa_verifies_with(&certificate, &text, signature.base64),
        None => Err(unknown),
    }
}

/// Verifies a notification.
///
/// # Errors
/// In words, why it is not WeChat Pay's.
pub fn verify(settings: &Settings, notification: &HttpMessage) -> Result<(), String> {
    let signature = Signature::of(&notification.headers, clock::now())?;
    match is_wechatpay(settings, &signature, &notification.body) {
        Ok(true) => Ok(()),
        Ok(false) => Err("its signature does not fit".to_owned()),
        Err(error) => Err(words(error)),
    }
}

pub fn words(error: Error) -> String {
    match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => "unsupported".to_owned(),
    }
}
