//! The keys with which a tenant signs grants. Their secret half lies sealed ([`crate::sealed`]).

use diesel::prelude::*;
use saoma_protocol::{
    Millis, TenantId,
    code::offline::{Issuer, KeyId},
};

use super::schema::offline_issuers as issuers;
use crate::{
    Opaque, StoreError, TenantScope, Tx,
    column::{Txt, millis, moment},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIssuer {
    pub id: KeyId,
    pub issuer: Issuer,
    /// PKCS #8, sealed under the tenant's data key.
    pub secret: Opaque<Vec<u8>>,
    /// Until when it signs: what it signs last ends before its own time does.
    pub signs_until: Millis,
    pub revoked_at: Option<Millis>,
    pub created_at: Millis,
}

/// # Errors
/// `Conflict` if there is one of this name: draw another.
pub fn add(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredIssuer) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(stored.id),
        public_key: stored.issuer.public_key.clone(),
        secret: stored.secret.0.clone(),
        not_before: stored.issuer.not_before.0,
        not_after: stored.issuer.not_after.0,
        signs_until: stored.signs_until.0,
        revoked_at: moment(stored.revoked_at),
        created_at: stored.created_at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(issuers::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the issuer's key"))
}

/// The one that signs at `now`.
///
/// # Errors
/// None of its own.
pub fn signing(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<Option<StoredIssuer>, StoreError> {
    let newest = issuers::table
        .filter(issuers::tenant_id.eq(Txt(scope.tenant())))
        .filter(issuers::signs_until.gt(now.0))
        .filter(issuers::revoked_at.is_null())
        .order((issuers::created_at.desc(), issuers::id))
        .select(Row::as_select());
    let row: Option<Row> = tx.run(scope, |conn| newest.first(conn).optional())?;
    Ok(row.map(StoredIssuer::from))
}

/// Revokes one, for good; one that is revoked stays as it is.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, id: KeyId, now: Millis) -> Result<StoredIssuer, StoreError> {
    let its = issuers::table.filter(issuers::tenant_id.eq(Txt(scope.tenant()))).filter(issuers::id.eq(Txt(id)));
    let standing = its.filter(issuers::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(standing).set(issuers::revoked_at.eq(now.0)).execute(conn))?;
    let row: Option<Row> = tx.run(scope, |conn| its.select(Row::as_select()).first(conn).optional())?;
    Ok(row.ok_or(StoreError::NotFound { what: "the key" })?.into())
}

/// Those whose time was not over at `at`, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope, at: Millis) -> Result<Vec<StoredIssuer>, StoreError> {
    let known = issuers::table
        .filter(issuers::tenant_id.eq(Txt(scope.tenant())))
        .filter(issuers::not_after.gt(at.0))
        .order((issuers::created_at, issuers::id))
        .select(Row::as_select());
    let rows: Vec<Row> = tx.run(scope, |conn| known.load(conn))?;
    Ok(rows.into_iter().map(StoredIssuer::from).collect())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = issuers)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<KeyId>,
    public_key: String,
    secret: Vec<u8>,
    not_before: i64,
    not_after: i64,
    signs_until: i64,
    revoked_at: Option<i64>,
    created_at: i64,
}

impl From<Row> for StoredIssuer {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            issuer: Issuer {
                public_key: row.public_key,
                not_before: Millis(row.not_before),
                not_after: Millis(row.not_after),
                revoked: row.revoked_at.is_some(),
            },
            secret: Opaque(row.secret),
            signs_until: Millis(row.signs_until),
            revoked_at: millis(row.revoked_at),
            created_at: Millis(row.created_at),
        }
    }
}
