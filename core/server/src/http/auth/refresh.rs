//! Refresh tokens: a session's id, 128 random bits and our mark of both, in a cookie that scripts cannot read. Each is good
//! once.
//!
//! By the mark a token that was exchanged long ago is known for one of ours, without a list of them all: whoever shows it
//! holds a copy, and the session ends. A guess bears no mark and ends nothing.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use ring::hmac;
use saoma_protocol::SessionId;
use saoma_store::access::Presented;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secrets::Vault;

/// How long a session lasts after its last refresh, in milliseconds: a week.
pub const LIFE_MS: i64 = 7 * 24 * 3600 * 1_000;
const COOKIE: &str = "saoma_refresh";
/// Only these requests carry it.
const PATH: &str = "/v1/auth";

/// A token's secret part: the random bits, then as many of the mark.
pub type Secret = [u8; 32];

/// The next secret of this session.
#[must_use]
pub fn secret(vault: &Vault, session: SessionId, random: &[u8; 16]) -> Secret {
    let mut secret = [0; 32];
    let (bits, mark) = secret.split_at_mut(16);
    bits.copy_from_slice(random);
    mark.copy_from_slice(mark_of(vault, session, random).as_ref().split_at(16).0);
    secret
}

/// HMAC-SHA-256, of which the first half is used (RFC 2104 §5 allows it).
fn mark_of(vault: &Vault, session: SessionId, random: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&vault.own().refresh);
    context.update(session.as_bytes());
    context.update(random);
    context.sign()
}

/// What is stored of a token's secret.
#[must_use]
pub fn hash(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// What the database needs to know of a token that was shown.
#[must_use]
pub fn looked_at(vault: &Vault, session: SessionId, secret: &Secret) -> Presented {
    let (random, mark) = secret.split_at(16);
    let ours = mark_of(vault, session, random);
    Presented { hash: hash(secret), is_ours: ours.as_ref().split_at(16).0.ct_eq(mark).into() }
}

/// `secure`: whether the pages are served over TLS.
#[must_use]
pub fn cookie(session: SessionId, secret: &Secret, secure: bool) -> Cookie<'static> {
    let value = format!("{session}.{}", data_encoding::BASE64URL_NOPAD.encode(secret));
    base(value, secure).max_age(Duration::milliseconds(LIFE_MS)).finish()
}

/// The cookie that takes the other away.
#[must_use]
pub fn no_cookie(secure: bool) -> Cookie<'static> {
    base(String::new(), secure).max_age(Duration::ZERO).finish()
}

fn base(value: String, secure: bool) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(COOKIE, value).path(PATH).http_only(true).same_site(SameSite::Strict).secure(secure)
}

/// The session and secret that a request presents.
#[must_use]
pub fn presented(request: &actix_web::HttpRequest) -> Option<(SessionId, Secret)> {
    let cookie = request.cookie(COOKIE)?;
    let (session, secret) = cookie.value().split_once('.')?;
    let secret = data_encoding::BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?.try_into().ok()?;
    Some((session.parse().ok()?, secret))
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Millis;

    use super::*;
    use crate::secrets::tests::vault;

    #[test]
    fn a_token_of_ours_is_known_and_a_guess_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|whose| vault(folder.path(), whose, Millis(0)).1);
        let (session, other) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let token = secret(&ours, session, &[7; 16]);
        assert!(looked_at(&ours, session, &token).is_ours);
        assert!(!looked_at(&ours, other, &token).is_ours && !looked_at(&theirs, session, &token).is_ours);
        for at in 0..token.len() {
            let mut changed = token;
            changed[at] ^= 1;
            assert!(!looked_at(&ours, session, &changed).is_ours, "byte {at}");
        }
    }
}
