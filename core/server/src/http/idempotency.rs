//! The header that makes a request one wish, however often it is sent.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use ring::hmac;
use saoma_protocol::TerminalId;
use saoma_store::{Principal, idempotency::Fingerprint};
use serde::Serialize;

use super::problem::{KEY_INVALID, KEY_MISSING, Problem};
use crate::app::App;

/// Longest key, in characters.
pub const KEY_LEN_MAX: usize = 128;

/// `Idempotency-Key`: 1 to [`KEY_LEN_MAX`] visible ASCII characters, chosen by the caller, one per wish. A payment or refund
/// is named by it, so that a repeat finds the first one, also years later.
#[derive(Debug)]
pub struct IdempotencyKey(String);

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

/// The keyed hash by which this request is known again: what is asked for (method and path), by which terminal, and the whole
/// body. A body may hold a customer's code, so that a plain hash of it could be guessed back.
///
/// # Errors
/// `INTERNAL` for a body that cannot be JSON, which its type excludes.
pub fn fingerprint(app: &App, asked: &str, who: &Principal, body: &impl Serialize) -> Result<Fingerprint, Problem> {
    let terminal: Option<TerminalId> = match who {
        Principal::Terminal { terminal, .. } => Some(*terminal),
        _ => None,
    };
    let whole = serde_json::to_vec(&(asked, terminal, body)).map_err(|error| Problem::internal(&error))?;
    let mut fingerprint = Fingerprint::default();
    let tag = hmac::sign(&app.vault().own().fingerprint, &whole);
    fingerprint.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    Ok(fingerprint)
}

fn read(request: &HttpRequest) -> Result<IdempotencyKey, Problem> {
    let missing = || {
        Problem::new(
            KEY_MISSING,
            "Send the header Idempotency-Key: a text of your own, new for each wish and the same when you repeat it.",
        )
    };
    let mut values = request.headers().get_all("idempotency-key");
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Problem::new(KEY_INVALID, "Send one Idempotency-Key."));
    }
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_LEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("An Idempotency-Key has 1 to {KEY_LEN_MAX} visible ASCII characters.");
        return Err(Problem::new(KEY_INVALID, detail));
    }
    Ok(IdempotencyKey(text.to_owned()))
}
