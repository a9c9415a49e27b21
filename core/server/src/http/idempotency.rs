//! The header that makes a request one wish, however often it is sent.

use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::problem::{KEY_INVALID, KEY_MISSING, Problem};

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

fn read(request: &HttpRequest) -> Result<IdempotencyKey, Problem> {
    let missing = || {
        Problem::new(
            KEY_MISSING,
            "Send the header Idempotency-Key: a text of your own, new for each wish and the same when you repeat it.",
        )
    };
    let value = request.headers().get("idempotency-key").ok_or_else(missing)?;
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > KEY_LEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("An Idempotency-Key has 1 to {KEY_LEN_MAX} visible ASCII characters.");
        return Err(Problem::new(KEY_INVALID, detail));
    }
    Ok(IdempotencyKey(text.to_owned()))
}
