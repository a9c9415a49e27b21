//! The shops of a tenant.

use saoma_protocol::{Millis, StoreId};

use crate::{StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    pub id: StoreId,
    pub name: String,
    pub active: bool,
    pub created_at: Millis,
}

/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, shop: &Shop) -> Result<(), StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, store: StoreId) -> Result<Shop, StoreError> {
    todo!()
}

/// All of them, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Shop>, StoreError> {
    todo!()
}

/// Changes the name and whether it is active.
///
/// # Errors
/// `NotFound`.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, shop: &Shop) -> Result<(), StoreError> {
    todo!()
}
