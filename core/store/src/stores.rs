//! The shops of a tenant.

use diesel::prelude::*;
use saoma_protocol::{Millis, StoreId, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found},
    dialect::insert_or_ignore,
    schema::stores,
};

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
    let row = ShopRow {
        tenant_id: Txt(scope.tenant()),
        id: Txt(shop.id),
        name: shop.name.clone(),
        active: shop.active,
        created_at: shop.created_at.0,
    };
    match insert_or_ignore!(tx, scope, stores::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the store's id" }),
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, store: StoreId) -> Result<Shop, StoreError> {
    let row: Option<ShopRow> = tx.run(scope, |conn| {
        stores::table.find((Txt(scope.tenant()), Txt(store))).select(ShopRow::as_select()).first(conn).optional()
    })?;
    row.map(Shop::from).ok_or(StoreError::NotFound { what: "the store" })
}

/// All of them, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Shop>, StoreError> {
    let rows: Vec<ShopRow> = tx.run(scope, |conn| {
        stores::table
            .filter(stores::tenant_id.eq(Txt(scope.tenant())))
            .order((stores::created_at, stores::id))
            .select(ShopRow::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(Shop::from).collect())
}

/// Changes the name and whether it is active.
///
/// # Errors
/// `NotFound`.
pub fn update(tx: &mut Tx<'_>, scope: &TenantScope, shop: &Shop) -> Result<(), StoreError> {
    let changes = (stores::name.eq(&shop.name), stores::active.eq(shop.active));
    let row = stores::table.find((Txt(scope.tenant()), Txt(shop.id)));
    let n = tx.run(scope, |conn| diesel::update(row).set(changes).execute(conn))?;
    found(n, "the store")
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = stores)]
struct ShopRow {
    tenant_id: Txt<TenantId>,
    id: Txt<StoreId>,
    name: String,
    active: bool,
    created_at: i64,
}

impl From<ShopRow> for Shop {
    fn from(row: ShopRow) -> Self {
        Self { id: row.id.0, name: row.name, active: row.active, created_at: Millis(row.created_at) }
    }
}
