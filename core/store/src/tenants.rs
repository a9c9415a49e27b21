//! Merchant organisations.

use saoma_protocol::{Currency, Millis, TenantId};

use crate::{PlatformScope, StoreError, TenantScope, Tx};

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
    /// An inactive tenant's people, keys and terminals are not let in.
    pub active: bool,
    pub created_at: Millis,
}

/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, _: &PlatformScope, tenant: &Tenant) -> Result<TenantScope, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Tenant, StoreError> {
    todo!()
}

/// In the order of their ids, from the one after `after`.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    _: &PlatformScope,
    after: Option<TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, StoreError> {
    todo!()
}

/// Changes name, currency, policy and whether it is active.
///
/// # Errors
/// `NotFound`.
pub fn update(tx: &mut Tx<'_>, _: &PlatformScope, tenant: &Tenant) -> Result<(), StoreError> {
    todo!()
}
