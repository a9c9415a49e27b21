//! Sign-ins: which are open, and ending them. [`crate::access`] opens and refreshes them.

use saoma_protocol::{Millis, SessionId, UserId};

use crate::{PlatformScope, Principal, StoreError, TenantScope, Tx};

#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    /// SHA-256 of the first refresh token.
    pub refresh_hash: [u8; 32],
    /// What the person sees in the list of their sign-ins: browser and address.
    pub label: String,
    pub created_at: Millis,
    /// When the refresh token dies.
    pub expires_at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    pub label: String,
    pub created_at: Millis,
    pub refreshed_at: Option<Millis>,
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
}

/// The caller's own sessions that are open at `now`, newest first.
///
/// # Errors
/// None of its own; empty for a principal that is no person.
pub fn own(tx: &mut Tx<'_>, me: &Principal, now: Millis) -> Result<Vec<Session>, StoreError> {
    todo!()
}

/// Ends one of the caller's own sessions (sign out: the current one). Ending an ended one is fine.
///
/// # Errors
/// `NotFound` if it is not the caller's.
pub fn end(tx: &mut Tx<'_>, me: &Principal, session: SessionId, at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// Ends all sessions of a person of the tenant.
///
/// # Errors
/// None of its own.
pub fn end_all_of(tx: &mut Tx<'_>, scope: &TenantScope, user: UserId, at: Millis) -> Result<u64, StoreError> {
    todo!()
}

/// Deletes sessions that ended before `before`.
///
/// # Errors
/// None of its own.
pub fn prune(tx: &mut Tx<'_>, _: &PlatformScope, before: Millis) -> Result<u64, StoreError> {
    todo!()
}
