//! The first answer to each `Idempotency-Key`, so that the same request again gets the same answer.
//!
//! A key belongs to a tenant and a route (method and path): the same key on another payment's refunds is another request.

use saoma_protocol::Millis;

use crate::{PlatformScope, StoreError, TenantScope, Tx};

/// Longest key, in characters of visible ASCII.
pub const KEY_LEN_MAX: usize = 128;

/// A request that names itself.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub key: &'a str,
    /// Method and path, for example `POST /v1/payments`.
    pub route: &'a str,
    /// SHA-256 of the body.
    pub fingerprint: [u8; 32],
    pub now: Millis,
    /// Until when this process may work on it. After that (a crash) the same request is `New` again.
    pub lease_until: Millis,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody has answered it: do the work, then [`answer`] or [`release`].
    New,
    /// Answered before, with this.
    Replay(Response),
    /// Somebody is at it right now.
    InFlight,
    /// The key was used for another request.
    Mismatch,
}

/// # Errors
/// `Limit` for a key that is too long.
pub fn claim(tx: &mut Tx<'_>, scope: &TenantScope, claim: &Claim<'_>) -> Result<Claimed, StoreError> {
    todo!()
}

/// Keeps the answer to a claimed request.
///
/// # Errors
/// `NotFound` if it was not claimed.
pub fn answer(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    key: &str,
    route: &str,
    response: &Response,
    at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// Forgets a claim that had no effect (the request was refused): the key may be used again, also for another request.
///
/// # Errors
/// None of its own.
pub fn release(tx: &mut Tx<'_>, scope: &TenantScope, key: &str, route: &str) -> Result<(), StoreError> {
    todo!()
}

/// Forgets what was claimed before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, _: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    todo!()
}
