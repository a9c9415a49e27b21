//! Who did what, each entry chained to the one before by its hash, per tenant (and once for the platform).

use saoma_protocol::{Millis, Sequence};

use crate::{PlatformScope, StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// As [`crate::Principal::actor`] names them, or `core`.
    pub actor: String,
    /// What was done, for example `channel_account.secrets_changed`.
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// More about it as JSON text; no secrets.
    pub detail_json: String,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// From 1, without gaps, per tenant.
    pub sequence: Sequence,
    pub entry: NewEntry,
    /// 64 lower-case hex digits.
    pub hash: String,
}

/// # Errors
/// None of its own.
pub fn append(tx: &mut Tx<'_>, scope: &TenantScope, entry: &NewEntry) -> Result<Sequence, StoreError> {
    todo!()
}

/// In the platform's own log.
///
/// # Errors
/// None of its own.
pub fn append_platform(tx: &mut Tx<'_>, _: &PlatformScope, entry: &NewEntry) -> Result<Sequence, StoreError> {
    todo!()
}

/// Newest first, from before `before` if given.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    before: Option<Sequence>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    todo!()
}

/// Reads the whole log of the tenant: `None` if it holds, else the first entry that was changed or is missing.
///
/// # Errors
/// None of its own.
pub fn first_broken(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<Sequence>, StoreError> {
    todo!()
}
