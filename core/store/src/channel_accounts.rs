//! A tenant's contracts with payment channels.

use saoma_domain::fee::BasisPoints;
use saoma_protocol::{ChannelAccountId, Millis};

use crate::{Opaque, StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelAccount {
    pub id: ChannelAccountId,
    /// Name of the plugin in the registry.
    pub plugin: String,
    /// What the merchant calls it.
    pub name: String,
    /// A disabled one takes no new payments; those it has go on.
    pub enabled: bool,
    /// The plugin's settings as JSON text, valid under its schema when they were saved.
    pub settings_json: String,
    pub fee: BasisPoints,
    /// Of several that fit, the lowest is taken.
    pub priority: i32,
    /// Grows with each change; see [`update`].
    pub version: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, account: &ChannelAccount) -> Result<(), StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId) -> Result<ChannelAccount, StoreError> {
    todo!()
}

/// All of them, by priority, then by age.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ChannelAccount>, StoreError> {
    todo!()
}

/// Those that take payments, by priority, then by age.
///
/// # Errors
/// None of its own.
pub fn list_enabled(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ChannelAccount>, StoreError> {
    todo!()
}

/// Saves name, enabled, settings, fee, priority and `updated_at` if the row still has `account.version`; the answer is
/// the new version.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, account: &ChannelAccount) -> Result<u64, StoreError> {
    todo!()
}

/// Replaces the account's secrets, encrypted by the caller under the tenant's data key.
///
/// # Errors
/// `NotFound`.
pub fn set_secrets(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    ciphertext: &Opaque<Vec<u8>>,
    at: Millis,
) -> Result<(), StoreError> {
    todo!()
}

/// The account's secrets as they were stored; `None` if there are none.
///
/// # Errors
/// `NotFound`.
pub fn secrets(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<Option<Opaque<Vec<u8>>>, StoreError> {
    todo!()
}
