//! Platform certificates that the account does not hold yet: fetched when an answer or a notification is signed by one.
//!
//! WeChat Pay changes its certificate every five years, and signs by the old and the new one side by side for some days
//! (`doc/v3/merchant/4012068829`). What it hands out is believed if a certificate that is known signed the list, and if each is under
//! a seal of the APIv3 key, which only the two sides have. It is kept as it came, under the seal, and opened anew at each use. Whoever
//! was offline all those days enters the new certificate by hand.

use saoma_channel_sdk::{Error, aes_gcm_open, clock, kv, no_answer, rsa_verifies, rsa_verifies_with};

use crate::{
    messages::{self, SealedCertificate, Settings, Signature},
    wire::{APIV3_KEY, WECHATPAY_KEYS, send},
};

/// Whoever sends us unknown serial numbers makes us ask no more often.
const ASK_EVERY_MS: u64 = 60_000;
const ASKED_AT: &str = "certificates-asked-at";

/// The certificate of that serial number (PEM), if WeChat Pay has handed it out and it is in force.
///
/// # Errors
/// `misconfigured` without an APIv3 key.
pub fn find(settings: &Settings, serial: &str) -> Result<Option<Vec<u8>>, Error> {
    if let Some(kept) = kept(serial)? {
        return Ok(Some(kept));
    }
    let now = clock::now();
    let asked_at =
        kv::get(ASKED_AT).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<i64>().ok());
    if asked_at.is_some_and(|at| now.abs_diff(at) < ASK_EVERY_MS) {
        return Ok(None);
    }
    let _ = kv::set(ASKED_AT, now.to_string().as_bytes());
    fetch(settings)?;
    kept(serial)
}

/// Fetches what is handed out now, and keeps it. Returns how many certificates are in force.
///
/// # Errors
/// `no-answer` if the list is not WeChat Pay's, `misconfigured` if the APIv3 key does not open it.
pub fn fetch(settings: &Settings) -> Result<usize, Error> {
    let reply = send(settings, &messages::certificates())?;
    let now = clock::now();
    let signature = Signature::of(&reply.headers, now)
        .map_err(|why| no_answer(format!("the certificates are not believed: {why}")))?;
    if !is_signed(&signature, &signature.text(&reply.body))? {
        return Err(no_answer("the list of certificates is not signed by one that is known"));
    }
    let mut n_valid = 0;
    for sealed in messages::read_certificates(reply.status, &reply.body)? {
        open(&sealed)?;
        if sealed.is_valid_at(now) {
            n_valid += 1;
            keep(&sealed);
        }
    }
    Ok(n_valid)
}

/// Whether a certificate that is known made the signature.
fn is_signed(signature: &Signature<'_>, text: &[u8]) -> Result<bool, Error> {
    match rsa_verifies(WECHATPAY_KEYS, Some(signature.serial), text, signature.base64) {
        Err(Error::NoAnswer(_)) => {}
        told => return told,
    }
    match kept(signature.serial)? {
        Some(certificate) => rsa_verifies_with(&certificate, text, signature.base64),
        None => Ok(false),
    }
}

fn kept(serial: &str) -> Result<Option<Vec<u8>>, Error> {
    // Without the store the certificates are fetched once more, and no more often than the store allows.
    let Some(bytes) = kv::get(&key(serial)).ok().flatten() else {
        return Ok(None);
    };
    let sealed: Option<SealedCertificate> = serde_json::from_slice(&bytes).ok();
    match sealed {
        Some(sealed) if sealed.is_valid_at(clock::now()) => open(&sealed).map(Some),
        _ => Ok(None),
    }
}

fn keep(sealed: &SealedCertificate) {
    if let Ok(bytes) = serde_json::to_vec(sealed) {
        let _ = kv::set(&key(&sealed.serial), &bytes);
    }
}

fn key(serial: &str) -> String {
    format!("certificate/{serial}")
}

fn open(sealed: &SealedCertificate) -> Result<Vec<u8>, Error> {
    let SealedCertificate { nonce, associated_data, ciphertext, .. } = sealed;
    let opened = aes_gcm_open(APIV3_KEY, nonce.as_bytes(), associated_data.as_bytes(), ciphertext)?;
    opened.ok_or_else(|| {
        saoma_channel_sdk::misconfigured(
            "the APIv3 key does not open what WeChat Pay sealed: enter the one that is set in the merchant console",
        )
    })
}
