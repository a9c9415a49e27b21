//! Refresh tokens: a session's id and 256 random bits, in a cookie that scripts cannot read. Each is good once.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use saoma_protocol::SessionId;
use sha2::{Digest as _, Sha256};

/// How long a session lasts after its last refresh, in milliseconds: a week.
pub const LIFE_MS: i64 = 7 * 24 * 3600 * 1_000;
const COOKIE: &str = "saoma_refresh";
/// Only these requests carry it.
const PATH: &str = "/v1/auth";

/// What is stored of a token's secret.
#[must_use]
pub fn hash(secret: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// `secure`: whether the pages are served over TLS.
#[must_use]
pub fn cookie(session: SessionId, secret: &[u8; 32], secure: bool) -> Cookie<'static> {
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
pub fn presented(request: &actix_web::HttpRequest) -> Option<(SessionId, [u8; 32])> {
    let cookie = request.cookie(COOKIE)?;
    let (session, secret) = cookie.value().split_once('.')?;
    let secret = data_encoding::BASE64URL_NOPAD.decode(secret.as_bytes()).ok()?.try_into().ok()?;
    Some((session.parse().ok()?, secret))
}
