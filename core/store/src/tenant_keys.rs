//! Data keys of a tenant, wrapped by the master key: the store never sees one in the clear.

use diesel::prelude::*;
use saoma_protocol::{Millis, TenantId};

use crate::{
    Opaque, PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, found, signed32, unsigned32},
    dialect::take_turn_named,
    schema::tenant_keys,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKey {
    /// From 1, per tenant; a ciphertext names the one it is under.
    pub number: u32,
    /// The key, encrypted under the master key named `master`.
    pub wrapped: Opaque<Vec<u8>>,
    pub master: String,
    pub created_at: Millis,
}

/// From here to the commit nobody else adds or takes away a key of this tenant: what is sealed under the current one in this
/// transaction is under the current one when it is committed.
///
/// # Errors
/// None of its own.
pub fn take_turn(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), StoreError> {
    take_turn_named(tx, scope, &format!("data keys {}", scope.tenant()))
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
    take_turn(tx, scope)?;
    let number = current(tx, scope)?.map_or(0, |key| key.number) + 1;
    let key = TenantKey { number, wrapped: wrapped.clone(), master: master.to_owned(), created_at: at };
    let row = KeyRow {
        tenant_id: Txt(scope.tenant()),
        number: signed32(number),
        wrapped: wrapped.0.clone(),
        master: key.master.clone(),
        created_at: at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(tenant_keys::table).values(row).execute(conn))?;
    Ok(key)
}

/// The newest key, under which new secrets are encrypted.
///
/// # Errors
/// None of its own.
pub fn current(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<TenantKey>, StoreError> {
    let row: Option<KeyRow> = tx.run(scope, |conn| {
        tenant_keys::table
            .filter(tenant_keys::tenant_id.eq(Txt(scope.tenant())))
            .order(tenant_keys::number.desc())
            .select(KeyRow::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(TenantKey::try_from).transpose()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, number: u32) -> Result<TenantKey, StoreError> {
    let row: Option<KeyRow> = tx.run(scope, |conn| {
        tenant_keys::table
            .find((Txt(scope.tenant()), signed32(number)))
            .select(KeyRow::as_select())
            .first(conn)
            .optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the data key" })?.try_into()
}

/// All of them, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<TenantKey>, StoreError> {
    let rows: Vec<KeyRow> = tx.run(scope, |conn| {
        tenant_keys::table
            .filter(tenant_keys::tenant_id.eq(Txt(scope.tenant())))
            .order(tenant_keys::number)
            .select(KeyRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(TenantKey::try_from).collect()
}

/// Some of those, of any tenant, that are wrapped by another master key than this.
///
/// # Errors
/// None of its own.
pub fn under_others(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    master: &str,
    limit: u32,
) -> Result<Vec<(TenantScope, TenantKey)>, StoreError> {
    let rows: Vec<KeyRow> = tx.run(platform, |conn| {
        tenant_keys::table
            .filter(tenant_keys::master.ne(master))
            .order((tenant_keys::tenant_id, tenant_keys::number))
            .limit(limit.into())
            .select(KeyRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(|row| Ok((access::of_row(row.tenant_id.0), row.try_into()?))).collect()
}

/// How many data keys this master key wraps.
///
/// # Errors
/// None of its own.
pub fn count_under(tx: &mut Tx<'_>, platform: &PlatformScope, master: &str) -> Result<i64, StoreError> {
    let query = tenant_keys::table.filter(tenant_keys::master.eq(master)).count();
    tx.run(platform, |conn| query.get_result(conn))
}

/// Takes away the tenant's keys below this number. The caller has seen, in its turn, that nothing is sealed under them.
///
/// # Errors
/// None of its own.
pub fn remove_below(tx: &mut Tx<'_>, scope: &TenantScope, number: u32) -> Result<(), StoreError> {
    let rows = tenant_keys::table
        .filter(tenant_keys::tenant_id.eq(Txt(scope.tenant())))
        .filter(tenant_keys::number.lt(signed32(number)));
    tx.run(scope, |conn| diesel::delete(rows).execute(conn)).map(drop)
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
    let row = tenant_keys::table.find((Txt(scope.tenant()), signed32(number)));
    let changes = (tenant_keys::wrapped.eq(wrapped.0.as_slice()), tenant_keys::master.eq(master));
    let n = tx.run(scope, |conn| diesel::update(row).set(changes).execute(conn))?;
    found(n, "the data key")
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tenant_keys)]
struct KeyRow {
    tenant_id: Txt<TenantId>,
    number: i32,
    wrapped: Vec<u8>,
    master: String,
    created_at: i64,
}

impl TryFrom<KeyRow> for TenantKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: unsigned32(row.number)?,
            wrapped: Opaque(row.wrapped),
            master: row.master,
            created_at: Millis(row.created_at),
        })
    }
}
