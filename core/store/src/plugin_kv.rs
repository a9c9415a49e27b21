//! The small store that each channel account's plugin has.

use diesel::prelude::*;
use saoma_protocol::{ChannelAccountId, Millis, TenantId};

use crate::{StoreError, TenantScope, Tx, channel_accounts, column::Txt, dialect::take_turn_named, schema::plugin_kv};

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
    tx.run(scope, |conn| row_of(scope, account, key).select(plugin_kv::value).first(conn).optional())
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
    if key.len() > KEY_LEN_MAX {
        return Err(StoreError::Limit { what: "a key", max: KEY_LEN_MAX as u64 });
    }
    if value.len() > VALUE_LEN_MAX {
        return Err(StoreError::Limit { what: "a value", max: VALUE_LEN_MAX as u64 });
    }
    channel_accounts::load(tx, scope, account)?;
    if change(tx, scope, account, key, value, at)? {
        return Ok(());
    }
    // New keys of one account come one after the other: two that come at once must see each other, to be counted and to
    // be one if they are one.
    take_turn_named(tx, scope, &account.to_string())?;
    if change(tx, scope, account, key, value, at)? {
        return Ok(());
    }
    let keys: i64 = tx.run(scope, |conn| {
        plugin_kv::table
            .filter(plugin_kv::tenant_id.eq(Txt(scope.tenant())))
            .filter(plugin_kv::channel_account_id.eq(Txt(account)))
            .count()
            .get_result(conn)
    })?;
    if keys.unsigned_abs() >= KEYS_MAX {
        return Err(StoreError::Limit { what: "keys", max: KEYS_MAX });
    }
    let row = (
        plugin_kv::tenant_id.eq(Txt(scope.tenant())),
        plugin_kv::channel_account_id.eq(Txt(account)),
        plugin_kv::name.eq(key),
        plugin_kv::value.eq(value),
        plugin_kv::updated_at.eq(at.0),
    );
    tx.run(scope, |conn| diesel::insert_into(plugin_kv::table).values(row).execute(conn)).map(drop)
}

/// Changes a key's value; `false` if there is no such key.
fn change(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    key: &str,
    value: &[u8],
    at: Millis,
) -> Result<bool, StoreError> {
    let changes = (plugin_kv::value.eq(value), plugin_kv::updated_at.eq(at.0));
    tx.run(scope, |conn| diesel::update(row_of(scope, account, key)).set(changes).execute(conn)).map(|n| n == 1)
}

/// Writes what `change` makes of the value that is there, and answers with what it returns; of two that come at once, one sees
/// what the other wrote. `None` of `change`: nothing is written.
///
/// # Errors
/// As [`set`].
pub fn replace<T>(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    key: &str,
    at: Millis,
    change: impl FnOnce(Option<&[u8]>) -> Option<(T, Vec<u8>)>,
) -> Result<Option<T>, StoreError> {
    take_turn_named(tx, scope, &account.to_string())?;
    let Some((answer, value)) = change(get(tx, scope, account, key)?.as_deref()) else { return Ok(None) };
    set(tx, scope, account, key, &value, at)?;
    Ok(Some(answer))
}

/// Deleting what is not there is fine.
///
/// # Errors
/// None of its own.
pub fn delete(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, key: &str) -> Result<(), StoreError> {
    tx.run(scope, |conn| diesel::delete(row_of(scope, account, key)).execute(conn)).map(drop)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of<'a>(scope: &TenantScope, account: ChannelAccountId, key: &'a str) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let account: Txt<ChannelAccountId> = Txt(account);
    plugin_kv::table
        .filter(plugin_kv::tenant_id.eq(tenant))
        .filter(plugin_kv::channel_account_id.eq(account))
        .filter(plugin_kv::name.eq(key))
}
