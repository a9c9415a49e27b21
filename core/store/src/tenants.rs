//! Merchant organisations.

use diesel::prelude::*;
use saoma_protocol::{Currency, Millis, TenantId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, found},
    dialect::insert_or_ignore,
    reach::Reach,
    schema::tenants,
};

/// What a tenant wants done with money that arrives after its payment was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatePolicy {
    /// Give it back by itself.
    Refund,
    /// Keep it as a sale.
    Accept,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    /// What customers see.
    pub name: String,
    /// What its terminals sell in.
    pub currency: Currency,
    pub late_policy: LatePolicy,
    /// IANA name, for example `Asia/Shanghai`; whoever writes it has checked that it exists. Its days begin and end there.
    pub time_zone: String,
    /// An inactive tenant's people, keys and terminals are not let in.
    pub active: bool,
    pub created_at: Millis,
}

/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, platform: &PlatformScope, tenant: &Tenant) -> Result<TenantScope, StoreError> {
    let inserted = insert_or_ignore!(tx, platform, tenants::table, TenantRow::from(tenant))?;
    if inserted == 0 {
        return Err(StoreError::Conflict { what: "the tenant's id" });
    }
    Ok(access::of_row(tenant.id))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Tenant, StoreError> {
    let row: Option<TenantRow> = tx.run(scope, |conn| {
        tenants::table.find(Txt(scope.tenant())).select(TenantRow::as_select()).first(conn).optional()
    })?;
    row.map(Tenant::from).ok_or(StoreError::NotFound { what: "the tenant" })
}

/// Reads a tenant by the id that a credential names: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Tenant, StoreError> {
    let row: Option<TenantRow> = tx.run(Reach::All, |conn| {
        tenants::table.find(Txt(tenant)).select(TenantRow::as_select()).first(conn).optional()
    })?;
    row.map(Tenant::from).ok_or(StoreError::NotFound { what: "the tenant" })
}

/// In the order of their ids, from the one after `after`.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    after: Option<TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, StoreError> {
    let rows: Vec<TenantRow> = tx.run(platform, |conn| {
        let mut query =
            tenants::table.select(TenantRow::as_select()).order(tenants::id).limit(limit.into()).into_boxed();
        if let Some(after) = after {
            query = query.filter(tenants::id.gt(Txt(after)));
        }
        query.load(conn)
    })?;
    Ok(rows.into_iter().map(Tenant::from).collect())
}

/// Changes name, currency, policy, time zone and whether it is active.
///
/// # Errors
/// `NotFound`.
pub fn update(tx: &mut Tx<'_>, platform: &PlatformScope, tenant: &Tenant) -> Result<(), StoreError> {
    let changes = (
        tenants::name.eq(&tenant.name),
        tenants::currency.eq(Txt(tenant.currency)),
        tenants::late_policy.eq(Txt(tenant.late_policy)),
        tenants::time_zone.eq(&tenant.time_zone),
        tenants::active.eq(tenant.active),
    );
    let n = tx.run(platform, |conn| diesel::update(tenants::table.find(Txt(tenant.id))).set(changes).execute(conn))?;
    found(n, "the tenant")
}

impl LatePolicy {
    /// The stable text of this policy, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Accept => "accept",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Refund, Self::Accept].into_iter().find(|policy| policy.text() == text)
    }
}

crate::column::stored_as_text!(LatePolicy);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tenants)]
struct TenantRow {
    id: Txt<TenantId>,
    name: String,
    currency: Txt<Currency>,
    late_policy: Txt<LatePolicy>,
    time_zone: String,
    active: bool,
    created_at: i64,
}

impl From<&Tenant> for TenantRow {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: Txt(tenant.id),
            name: tenant.name.clone(),
            currency: Txt(tenant.currency),
            late_policy: Txt(tenant.late_policy),
            time_zone: tenant.time_zone.clone(),
            active: tenant.active,
            created_at: tenant.created_at.0,
        }
    }
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            currency: row.currency.0,
            late_policy: row.late_policy.0,
            time_zone: row.time_zone,
            active: row.active,
            created_at: Millis(row.created_at),
        }
    }
}
