//! A tenant's contracts with payment channels.

use diesel::prelude::*;
use saoma_domain::fee::FeePlan;
use saoma_protocol::{ChannelAccountId, Millis, TenantId};

use crate::{
    Opaque, Owner, StoreError, TenantScope, Tx,
    column::{Txt, found, signed, unsigned},
    dialect::insert_or_ignore,
    fee_plans,
    reach::Reach,
    schema::{self, channel_accounts},
};

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
    pub fee: FeePlan,
    /// The version of the plan; see [`update`]. Not read by [`create`]: it becomes 1.
    pub fee_version: u64,
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
    let row = AccountRow {
        tenant_id: Txt(scope.tenant()),
        id: Txt(account.id),
        plugin: account.plugin.clone(),
        name: account.name.clone(),
        enabled: account.enabled,
        settings_json: account.settings_json.clone(),
        fee_plan_version: 1,
        priority: account.priority,
        version: 1,
        created_at: account.created_at.0,
        updated_at: account.updated_at.0,
    };
    match insert_or_ignore!(tx, scope, channel_accounts::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the channel account's id" }),
        _ => fee_plans::add(tx, scope, account.id, 1, &account.fee, account.created_at),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId) -> Result<ChannelAccount, StoreError> {
    let row: Option<(AccountRow, String)> = tx.run(scope, |conn| {
        with_plan()
            .filter(channel_accounts::tenant_id.eq(Txt(scope.tenant())))
            .filter(channel_accounts::id.eq(Txt(account)))
            .select((AccountRow::as_select(), schema::fee_plans::plan_json))
            .first(conn)
            .optional()
    })?;
    read(row.ok_or(NO_ACCOUNT)?)
}

/// All of them, by priority, then by age.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ChannelAccount>, StoreError> {
    let rows: Vec<(AccountRow, String)> = tx.run(scope, |conn| {
        with_plan()
            .filter(channel_accounts::tenant_id.eq(Txt(scope.tenant())))
            .order((channel_accounts::priority, channel_accounts::created_at, channel_accounts::id))
            .select((AccountRow::as_select(), schema::fee_plans::plan_json))
            .load(conn)
    })?;
    rows.into_iter().map(read).collect()
}

/// Those that take payments, by priority, then by age.
///
/// # Errors
/// None of its own.
pub fn list_enabled(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ChannelAccount>, StoreError> {
    Ok(list(tx, scope)?.into_iter().filter(|account| account.enabled).collect())
}

/// The enabled accounts of a plugin with their settings, of these tenants or (without) of all: by tenant, then by id. For work
/// of the platform, and of a tenant on its own.
///
/// # Errors
/// None of its own.
pub fn of_plugin(
    tx: &mut Tx<'_>,
    owner: &Owner,
    plugin: &str,
    tenants: Option<&[TenantId]>,
) -> Result<Vec<(TenantId, ChannelAccountId, String)>, StoreError> {
    let mut query = channel_accounts::table
        .filter(channel_accounts::plugin.eq(plugin))
        .filter(channel_accounts::enabled.eq(true))
        .order((channel_accounts::tenant_id, channel_accounts::id))
        .select((channel_accounts::tenant_id, channel_accounts::id, channel_accounts::settings_json))
        .into_boxed();
    if let Owner::Tenant(scope) = owner {
        query = query.filter(channel_accounts::tenant_id.eq(Txt(scope.tenant())));
    }
    if let Some(tenants) = tenants {
        query = query.filter(channel_accounts::tenant_id.eq_any(tenants.iter().copied().map(Txt)));
    }
    let rows: Vec<(Txt<TenantId>, Txt<ChannelAccountId>, String)> = tx.run(owner, |conn| query.load(conn))?;
    Ok(rows.into_iter().map(|(tenant, account, settings)| (tenant.0, account.0, settings)).collect())
}

/// Saves name, enabled, settings, fee, priority and `updated_at` if the row still has `account.version`; the answer is
/// the new version. Another fee plan than before becomes the next version of the account's plan, for payments that are made
/// from now on.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, account: &ChannelAccount) -> Result<u64, StoreError> {
    let before = load(tx, scope, account.id)?;
    let fee_version = before.fee_version + u64::from(before.fee != account.fee);
    let changes = (
        channel_accounts::name.eq(&account.name),
        channel_accounts::enabled.eq(account.enabled),
        channel_accounts::settings_json.eq(&account.settings_json),
        channel_accounts::fee_plan_version.eq(signed(fee_version)),
        channel_accounts::priority.eq(account.priority),
        channel_accounts::updated_at.eq(account.updated_at.0),
        channel_accounts::version.eq(channel_accounts::version + 1),
    );
    let as_loaded = row_of(scope, account.id).filter(channel_accounts::version.eq(signed(account.version)));
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 0 {
        return Err(StoreError::Stale { what: "the channel account" });
    }
    if fee_version != before.fee_version {
        fee_plans::add(tx, scope, account.id, fee_version, &account.fee, account.updated_at)?;
    }
    Ok(account.version + 1)
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
    let changes = (channel_accounts::secrets.eq(ciphertext.0.as_slice()), channel_accounts::updated_at.eq(at.0));
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(changes).execute(conn))?;
    found(n, "the channel account")
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
    let secrets: Option<Option<Vec<u8>>> =
        tx.run(scope, |conn| row_of(scope, account).select(channel_accounts::secrets).first(conn).optional())?;
    secrets.map(|secrets| secrets.map(Opaque)).ok_or(NO_ACCOUNT)
}

/// Replaces the keys that the scheme sent for this account, sealed by the caller. Neither the account's version nor its age
/// changes: nobody has changed it.
///
/// # Errors
/// `NotFound`.
pub fn set_working_keys(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    sealed: &Opaque<Vec<u8>>,
) -> Result<(), StoreError> {
    let keys = channel_accounts::working_keys.eq(sealed.0.as_slice());
    let n = tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(keys).execute(conn))?;
    found(n, "the channel account")
}

/// These keys as they were stored; `None` if there are none.
///
/// # Errors
/// `NotFound`.
pub fn working_keys(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<Option<Opaque<Vec<u8>>>, StoreError> {
    let keys: Option<Option<Vec<u8>>> =
        tx.run(scope, |conn| row_of(scope, account).select(channel_accounts::working_keys).first(conn).optional())?;
    keys.map(|keys| keys.map(Opaque)).ok_or(NO_ACCOUNT)
}

const NO_ACCOUNT: StoreError = StoreError::NotFound { what: "the channel account" };

/// Reads an account by its id, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(
    tx: &mut Tx<'_>,
    account: ChannelAccountId,
) -> Result<Option<(TenantId, ChannelAccount)>, StoreError> {
    let row: Option<(AccountRow, String)> = tx.run(Reach::All, |conn| {
        with_plan()
            .filter(channel_accounts::id.eq(Txt(account)))
            .select((AccountRow::as_select(), schema::fee_plans::plan_json))
            .first(conn)
            .optional()
    })?;
    row.map(|row| Ok((row.0.tenant_id.0, read(row)?))).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, account: ChannelAccountId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<ChannelAccountId> = Txt(account);
    channel_accounts::table.filter(channel_accounts::tenant_id.eq(tenant)).filter(channel_accounts::id.eq(id))
}

/// Accounts, each with the version of its plan that is in force.
#[diesel::dsl::auto_type(no_type_alias)]
fn with_plan() -> _ {
    channel_accounts::table.inner_join(
        schema::fee_plans::table.on(schema::fee_plans::tenant_id
            .eq(channel_accounts::tenant_id)
            .and(schema::fee_plans::channel_account_id.eq(channel_accounts::id))
            .and(schema::fee_plans::version.eq(channel_accounts::fee_plan_version))),
    )
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = channel_accounts)]
struct AccountRow {
    tenant_id: Txt<TenantId>,
    id: Txt<ChannelAccountId>,
    plugin: String,
    name: String,
    enabled: bool,
    settings_json: String,
    fee_plan_version: i64,
    priority: i32,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

fn read((row, plan_json): (AccountRow, String)) -> Result<ChannelAccount, StoreError> {
    Ok(ChannelAccount {
        id: row.id.0,
        plugin: row.plugin,
        name: row.name,
        enabled: row.enabled,
        settings_json: row.settings_json,
        fee: fee_plans::read(&plan_json)?,
        fee_version: unsigned(row.fee_plan_version)?,
        priority: row.priority,
        version: unsigned(row.version)?,
        created_at: Millis(row.created_at),
        updated_at: Millis(row.updated_at),
    })
}
