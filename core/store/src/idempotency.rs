//! What each `Idempotency-Key` was first used for, so that a repeat is told apart from another request with the same key.
//!
//! A key belongs to a tenant and to a kind of request. It is kept as long as what it names, in the transaction that makes
//! that: a request that was refused leaves no key behind. Of the request nothing is kept but a keyed hash, since it may
//! hold a customer's code. An answer that may be asked for again lies beside it for a while, sealed by the caller.

use diesel::prelude::*;
use saoma_protocol::Millis;

use crate::{
    Opaque, PlatformScope, StoreError, TenantScope, Tx,
    column::{Txt, corrupt},
    dialect::insert_or_ignore,
    schema::idempotency_keys,
};

/// A keyed hash over a whole request, made by the caller.
pub type Fingerprint = [u8; 32];

/// What a request does that a key names: its keys are apart from those of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The key is the payment's id. A number that its terminal called off has one as well, and no payment.
    Payment,
    /// The key is the refund's id, of voids too.
    Refund,
    /// The key is the payment's id, a space, and the caller's text.
    Cancel,
    /// The key is the settlement's id.
    HandSettlement,
    /// The key is the dispute's id.
    Dispute,
    /// The key is the dispute's id, a space, and the caller's text.
    DisputeStep,
    /// The key is the discrepancy's id, a space, and the caller's text.
    Discrepancy,
    /// The key is the payout's id.
    Payout,
    /// The key is the payout's id, a space, and the caller's text.
    PayoutReversal,
    /// The key is the method, the path and the caller's text, with spaces between.
    Request,
}

impl Kind {
    const fn text(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Cancel => "cancel",
            Self::HandSettlement => "hand_settlement",
            Self::Dispute => "dispute",
            Self::DisputeStep => "dispute_step",
            Self::Discrepancy => "discrepancy",
            Self::Payout => "payout",
            Self::PayoutReversal => "payout_reversal",
            Self::Request => "request",
        }
    }
}

/// Keeps the fingerprint of the first request with this key.
///
/// # Errors
/// `Conflict` if the key was used before.
pub fn keep(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    kind: Kind,
    key: &str,
    fingerprint: &Fingerprint,
    at: Millis,
) -> Result<(), StoreError> {
    let row = (
        idempotency_keys::tenant_id.eq(Txt(scope.tenant())),
        idempotency_keys::kind.eq(kind.text()),
        idempotency_keys::idempotency_key.eq(key),
        idempotency_keys::fingerprint.eq(fingerprint.as_slice()),
        idempotency_keys::created_at.eq(at.0),
    );
    match insert_or_ignore!(tx, scope, idempotency_keys::table, row)? {
        0 => Err(StoreError::Conflict { what: "the Idempotency-Key" }),
        _ => Ok(()),
    }
}

/// The fingerprint of the first request with this key; `None` if there was none.
///
/// # Errors
/// None of its own.
pub fn kept(tx: &mut Tx<'_>, scope: &TenantScope, kind: Kind, key: &str) -> Result<Option<Fingerprint>, StoreError> {
    let row = idempotency_keys::table.find((Txt(scope.tenant()), kind.text(), key));
    let bytes: Option<Vec<u8>> =
        tx.run(scope, |conn| row.select(idempotency_keys::fingerprint).first(conn).optional())?;
    let whole = |bytes: Vec<u8>| bytes.try_into().map_err(|_| corrupt("a fingerprint that has not 32 bytes"));
    bytes.map(whole).transpose()
}

/// Lays an answer beside a key that is kept, until `until`.
///
/// # Errors
/// `NotFound` if there is no such key.
pub fn keep_answer(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    kind: Kind,
    key: &str,
    sealed: &Opaque<Vec<u8>>,
    until: Millis,
) -> Result<(), StoreError> {
    let row = idempotency_keys::table.find((Txt(scope.tenant()), kind.text(), key));
    let answer = (idempotency_keys::answer.eq(sealed.0.as_slice()), idempotency_keys::answer_until.eq(until.0));
    match tx.run(scope, |conn| diesel::update(row).set(answer).execute(conn))? {
        0 => Err(StoreError::NotFound { what: "the Idempotency-Key" }),
        _ => Ok(()),
    }
}

/// The answer beside a key, if it may still be given at `now`.
///
/// # Errors
/// None of its own.
pub fn answer(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    kind: Kind,
    key: &str,
    now: Millis,
) -> Result<Option<Opaque<Vec<u8>>>, StoreError> {
    let row = idempotency_keys::table
        .find((Txt(scope.tenant()), kind.text(), key))
        .filter(idempotency_keys::answer_until.gt(now.0))
        .select(idempotency_keys::answer);
    let sealed: Option<Option<Vec<u8>>> = tx.run(scope, |conn| row.first(conn).optional())?;
    Ok(sealed.flatten().map(Opaque))
}

/// Takes the answers away that may not be given any more; the keys stay. How many there were.
///
/// # Errors
/// None of its own.
pub fn forget_answers(tx: &mut Tx<'_>, platform: &PlatformScope, now: Millis) -> Result<u64, StoreError> {
    let over = idempotency_keys::table.filter(idempotency_keys::answer_until.le(now.0));
    let none = (idempotency_keys::answer.eq(None::<Vec<u8>>), idempotency_keys::answer_until.eq(None::<i64>));
    tx.run(platform, |conn| diesel::update(over).set(none).execute(conn)).map(|n| n as u64)
}
