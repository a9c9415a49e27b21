//! Keys for machines. Only a hash of the secret is kept.

use saoma_protocol::{ApiKeyId, Millis};

use crate::{StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// What it may do, for example `payments:write`; the server gives them meaning.
    pub scopes: Vec<String>,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    pub last_used_at: Option<Millis>,
}

/// Adds a key by the SHA-256 of its secret.
///
/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
    todo!()
}

/// All of them, newest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ApiKey>, StoreError> {
    todo!()
}

/// Revoking a revoked key is fine.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, key: ApiKeyId, at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// Writes down that it was used; does nothing within `every_ms` of the last time.
///
/// # Errors
/// None of its own.
pub fn used(tx: &mut Tx<'_>, scope: &TenantScope, key: ApiKeyId, at: Millis, every_ms: i64) -> Result<(), StoreError> {
    todo!()
}
