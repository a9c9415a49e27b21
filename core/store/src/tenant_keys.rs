//! Data keys of a tenant, wrapped by the master key: the store never sees one in the clear.

use saoma_protocol::Millis;

use crate::{Opaque, StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKey {
    /// From 1, per tenant; a ciphertext names the one it is under.
    pub number: u32,
    /// The key, encrypted under the master key named `master`.
    pub wrapped: Opaque<Vec<u8>>,
    pub master: String,
    pub created_at: Millis,
}

/// Adds the next key and returns it with its number.
///
/// # Errors
/// None of its own.
pub fn add(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    wrapped: &Opaque<Vec<u8>>,
    master: &str,
    at: Millis,
) -> Result<TenantKey, StoreError> {
    todo!()
}

/// The newest key, under which new secrets are encrypted.
///
/// # Errors
/// None of its own.
pub fn current(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<TenantKey>, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, number: u32) -> Result<TenantKey, StoreError> {
    todo!()
}

/// The same data key under another master key.
///
/// # Errors
/// `NotFound`.
pub fn rewrap(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    number: u32,
    wrapped: &Opaque<Vec<u8>>,
    master: &str,
) -> Result<(), StoreError> {
    todo!()
}
