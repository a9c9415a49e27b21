//! The small store that each channel account's plugin has.

use saoma_protocol::{ChannelAccountId, Millis};

use crate::{StoreError, TenantScope, Tx};

/// Limits of `host.wit`, interface `kv`.
pub const KEYS_MAX: u64 = 1_000;
pub const KEY_LEN_MAX: usize = 128;
pub const VALUE_LEN_MAX: usize = 4 * 1024;

/// # Errors
/// None of its own.
pub fn get(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    key: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    todo!()
}

/// # Errors
/// `Limit` for a key or value that is too long (`what` is `"a key"` or `"a value"`) or one key too many (`"keys"`),
/// `NotFound` if the account is not the tenant's.
pub fn set(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    key: &str,
    value: &[u8],
    at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// Deleting what is not there is fine.
///
/// # Errors
/// None of its own.
pub fn delete(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, key: &str) -> Result<(), StoreError> {
    todo!()
}
