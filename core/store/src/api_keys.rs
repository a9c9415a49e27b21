//! Keys for machines. Only a hash of the secret is kept.

use diesel::prelude::*;
use saoma_protocol::{ApiKeyId, Millis, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, from_json, millis, moment, to_json},
    dialect::insert_or_ignore,
    reach::Reach,
    schema::api_keys,
};

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
    let row = (
        api_keys::id.eq(Txt(key.id)),
        api_keys::tenant_id.eq(Txt(scope.tenant())),
        api_keys::name.eq(&key.name),
        api_keys::scopes_json.eq(to_json(&key.scopes)?),
        api_keys::secret_hash.eq(secret_hash.as_slice()),
        api_keys::created_at.eq(key.created_at.0),
        api_keys::expires_at.eq(moment(key.expires_at)),
        api_keys::revoked_at.eq(moment(key.revoked_at)),
        api_keys::last_used_at.eq(moment(key.last_used_at)),
    );
    match insert_or_ignore!(tx, scope, api_keys::table, row)? {
        0 => Err(StoreError::Conflict { what: "the key's id" }),
        _ => Ok(()),
    }
}

/// All of them, newest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<ApiKey>, StoreError> {
    let rows: Vec<ApiKeyRow> = tx.run(scope, |conn| {
        api_keys::table
            .filter(api_keys::tenant_id.eq(Txt(scope.tenant())))
            .order((api_keys::created_at.desc(), api_keys::id))
            .select(ApiKeyRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Revoking a revoked key is fine.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, key: ApiKeyId, at: Millis) -> Result<(), StoreError> {
    let row = api_keys::table.filter(api_keys::tenant_id.eq(Txt(scope.tenant()))).filter(api_keys::id.eq(Txt(key)));
    let n: i64 = tx.run(scope, |conn| row.count().get_result(conn))?;
    if n == 0 {
        return Err(StoreError::NotFound { what: "the key" });
    }
    let open = row.filter(api_keys::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(open).set(api_keys::revoked_at.eq(at.0)).execute(conn)).map(drop)
}

/// Writes down that it was used; does nothing within `every_ms` of the last time.
///
/// # Errors
/// None of its own.
pub fn used(tx: &mut Tx<'_>, scope: &TenantScope, key: ApiKeyId, at: Millis, every_ms: i64) -> Result<(), StoreError> {
    let stale = api_keys::table
        .filter(api_keys::tenant_id.eq(Txt(scope.tenant())))
        .filter(api_keys::id.eq(Txt(key)))
        .filter(api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(at.plus(-every_ms).0)));
    tx.run(scope, |conn| diesel::update(stale).set(api_keys::last_used_at.eq(at.0)).execute(conn)).map(drop)
}

/// Whether [`used`] would write something: asked first, so that most requests need no turn at writing.
///
/// # Errors
/// None of its own.
pub fn is_use_due(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    key: ApiKeyId,
    at: Millis,
    every_ms: i64,
) -> Result<bool, StoreError> {
    let row = api_keys::table.filter(api_keys::tenant_id.eq(Txt(scope.tenant()))).filter(api_keys::id.eq(Txt(key)));
    let used: Option<Option<i64>> = tx.run(scope, |conn| row.select(api_keys::last_used_at).first(conn).optional())?;
    Ok(used.is_some_and(|used| used.is_none_or(|used| used <= at.plus(-every_ms).0)))
}

/// A key as [`crate::access`] needs it: whose it is, and the hash of its secret.
pub(crate) struct Credential {
    pub tenant: TenantId,
    pub secret_hash: Vec<u8>,
    pub key: ApiKey,
}

/// Reads a key by its id, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, key: ApiKeyId) -> Result<Option<Credential>, StoreError> {
    let row: Option<(ApiKeyRow, Txt<TenantId>, Vec<u8>)> = tx.run(Reach::All, |conn| {
        api_keys::table
            .find(Txt(key))
            .select((ApiKeyRow::as_select(), api_keys::tenant_id, api_keys::secret_hash))
            .first(conn)
            .optional()
    })?;
    row.map(|(row, tenant, secret_hash)| Ok(Credential { tenant: tenant.0, secret_hash, key: row.try_into()? }))
        .transpose()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: Txt<ApiKeyId>,
    name: String,
    scopes_json: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            name: row.name,
            scopes: from_json(&row.scopes_json, "the scopes of a key")?,
            created_at: Millis(row.created_at),
            expires_at: millis(row.expires_at),
            revoked_at: millis(row.revoked_at),
            last_used_at: millis(row.last_used_at),
        })
    }
}
