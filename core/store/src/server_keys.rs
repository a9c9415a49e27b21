//! The platform's own keys (token signing, pay codes, the terminals' CA), their secret part wrapped by the master key.

use saoma_protocol::Millis;

use crate::{Opaque, PlatformScope, StoreError, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// Unique; the `kid` of tokens.
    pub kid: String,
    /// What it is for, for example `session`, `pay_code`, `terminal_ca`.
    pub kind: String,
    /// The public part (a PEM, a certificate), empty if it has none.
    pub public: String,
    /// The secret part, encrypted by the caller.
    pub ciphertext: Opaque<Vec<u8>>,
    pub created_at: Millis,
    /// From when on it only verifies and no longer signs.
    pub retired_at: Option<Millis>,
}

/// Adds a key; it is the current one of its kind from now on.
///
/// # Errors
/// `Conflict` if the kid is taken.
pub fn add(tx: &mut Tx<'_>, _: &PlatformScope, key: &ServerKey) -> Result<(), StoreError> {
    todo!()
}

/// The kind's current key if it has one, else `key`, which is added: two nodes at their first start agree on one.
///
/// # Errors
/// None of its own.
pub fn current_or_add(tx: &mut Tx<'_>, _: &PlatformScope, key: &ServerKey) -> Result<ServerKey, StoreError> {
    todo!()
}

/// The newest of its kind that is not retired.
///
/// # Errors
/// None of its own.
pub fn current(tx: &mut Tx<'_>, _: &PlatformScope, kind: &str) -> Result<Option<ServerKey>, StoreError> {
    todo!()
}

/// All of its kind, newest first, retired ones too.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, _: &PlatformScope, kind: &str) -> Result<Vec<ServerKey>, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn retire(tx: &mut Tx<'_>, _: &PlatformScope, kid: &str, at: Millis) -> Result<(), StoreError> {
    todo!()
}

/// Takes a key away for good: nothing it signed is believed any more.
///
/// # Errors
/// `NotFound`.
pub fn remove(tx: &mut Tx<'_>, _: &PlatformScope, kid: &str) -> Result<(), StoreError> {
    todo!()
}
