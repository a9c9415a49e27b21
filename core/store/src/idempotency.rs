//! The first answer to each `Idempotency-Key`, so that the same request again gets the same answer.
//!
//! A key belongs to a tenant and a route (method and path): the same key on another payment's refunds is another request.

use diesel::prelude::*;
use saoma_protocol::{Millis, TenantId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx,
    column::{Txt, corrupt},
    dialect::insert_or_ignore,
    schema::idempotency_keys,
};

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
    if claim.key.is_empty() || claim.key.len() > KEY_LEN_MAX {
        return Err(StoreError::Limit { what: "an idempotency key's characters", max: KEY_LEN_MAX as u64 });
    }
    let row = (
        idempotency_keys::tenant_id.eq(Txt(scope.tenant())),
        idempotency_keys::route.eq(claim.route),
        idempotency_keys::idempotency_key.eq(claim.key),
        idempotency_keys::fingerprint.eq(claim.fingerprint.as_slice()),
        idempotency_keys::claimed_at.eq(claim.now.0),
        idempotency_keys::lease_until.eq(claim.lease_until.0),
    );
    if insert_or_ignore!(tx, idempotency_keys::table, row)? == 1 {
        return Ok(Claimed::New);
    }
    let earlier: Option<Earlier> =
        tx.run(|conn| row_of(scope, claim.key, claim.route).select(Earlier::as_select()).first(conn).optional())?;
    // Whoever was at it has released it since we ran into it. The caller comes again.
    let Some(earlier) = earlier else { return Ok(Claimed::InFlight) };
    if earlier.fingerprint != claim.fingerprint {
        return Ok(Claimed::Mismatch);
    }
    if let (Some(status), Some(body)) = (earlier.status, earlier.body) {
        let status = u16::try_from(status).map_err(|_| corrupt(format!("an answer with status {status}")))?;
        return Ok(Claimed::Replay(Response { status, body }));
    }
    // Whoever was at it is gone. Of two that see this, one still finds the old lease.
    let orphan = row_of(scope, claim.key, claim.route)
        .filter(idempotency_keys::answered_at.is_null())
        .filter(idempotency_keys::lease_until.le(claim.now.0));
    let lease = idempotency_keys::lease_until.eq(claim.lease_until.0);
    match tx.run(|conn| diesel::update(orphan).set(lease).execute(conn))? {
        0 => Ok(Claimed::InFlight),
        _ => Ok(Claimed::New),
    }
}

/// Keeps the answer to a claimed request. A first answer stays: whoever had lost the lease and comes later changes nothing.
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
    let changes = (
        idempotency_keys::status.eq(i32::from(response.status)),
        idempotency_keys::body.eq(&response.body),
        idempotency_keys::answered_at.eq(at.0),
    );
    let open = row_of(scope, key, route).filter(idempotency_keys::answered_at.is_null());
    if tx.run(|conn| diesel::update(open).set(changes).execute(conn))? == 1 {
        return Ok(());
    }
    let n: i64 = tx.run(|conn| row_of(scope, key, route).count().get_result(conn))?;
    if n == 0 { Err(StoreError::NotFound { what: "the claimed request" }) } else { Ok(()) }
}

/// Forgets a claim that had no effect (the request was refused): the key may be used again, also for another request.
///
/// # Errors
/// None of its own.
pub fn release(tx: &mut Tx<'_>, scope: &TenantScope, key: &str, route: &str) -> Result<(), StoreError> {
    let open = row_of(scope, key, route).filter(idempotency_keys::answered_at.is_null());
    tx.run(|conn| diesel::delete(open).execute(conn)).map(drop)
}

/// Forgets what was claimed before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, _: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    let old = idempotency_keys::table.filter(idempotency_keys::claimed_at.lt(before.0));
    tx.run(|conn| diesel::delete(old).execute(conn)).map(|n| n as u64)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(scope: &TenantScope, key: &'a str, route: &'a str) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    idempotency_keys::table
        .filter(idempotency_keys::tenant_id.eq(tenant))
        .filter(idempotency_keys::route.eq(route))
        .filter(idempotency_keys::idempotency_key.eq(key))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = idempotency_keys)]
struct Earlier {
    fingerprint: Vec<u8>,
    status: Option<i32>,
    body: Option<String>,
}
