//! The taxes on a merchant's goods.

use diesel::prelude::*;
use saoma_protocol::{Millis, TaxRateId, TenantId, api::GoodsTax};

use super::{next_version, schema::tax_rates};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, signed, unsigned},
    dialect::insert_or_ignore,
};

/// Most taxes of one merchant; a terminal gets them all with each page of goods.
pub const RATES_MAX: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxRate {
    pub id: TaxRateId,
    pub tax: GoodsTax,
    /// Whether further goods may have it. Those that have it keep it.
    pub active: bool,
    /// Of the catalogue, when it changed last.
    pub version: u64,
    pub created_at: Millis,
}

/// A new one; its version is drawn here.
///
/// # Errors
/// `Limit`, `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, rate: &TaxRate) -> Result<TaxRate, StoreError> {
    let version = next_version(tx, scope)?;
    if list(tx, scope)?.len() >= RATES_MAX {
        return Err(StoreError::Limit { what: "the merchant's taxes", max: RATES_MAX as u64 });
    }
    let rate = TaxRate { version, ..rate.clone() };
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(rate.id),
        name: rate.tax.name.clone(),
        basis_points: rate.tax.basis_points.into(),
        included: rate.tax.included,
        active: rate.active,
        version: signed(version),
        created_at: rate.created_at.0,
    };
    match insert_or_ignore!(tx, scope, tax_rates::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the tax's id" }),
        _ => Ok(rate),
    }
}

/// Changes one whose version is that which was seen; the new version is drawn here.
///
/// # Errors
/// `NotFound`, `Stale` if it has another version.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, rate: &TaxRate) -> Result<TaxRate, StoreError> {
    let version = next_version(tx, scope)?;
    load(tx, scope, rate.id)?;
    let changes = (
        tax_rates::name.eq(&rate.tax.name),
        tax_rates::basis_points.eq(i32::from(rate.tax.basis_points)),
        tax_rates::included.eq(rate.tax.included),
        tax_rates::active.eq(rate.active),
        tax_rates::version.eq(signed(version)),
    );
    let seen = tax_rates::table
        .filter(tax_rates::tenant_id.eq(Txt(scope.tenant())))
        .filter(tax_rates::id.eq(Txt(rate.id)))
        .filter(tax_rates::version.eq(signed(rate.version)));
    match tx.run(scope, |conn| diesel::update(seen).set(changes).execute(conn))? {
        0 => Err(StoreError::Stale { what: "the tax" }),
        _ => Ok(TaxRate { version, ..rate.clone() }),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, rate: TaxRateId) -> Result<TaxRate, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        tax_rates::table.find((Txt(scope.tenant()), Txt(rate))).select(Row::as_select()).first(conn).optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the tax" })?.try_into()
}

/// All of them, oldest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<TaxRate>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        tax_rates::table
            .filter(tax_rates::tenant_id.eq(Txt(scope.tenant())))
            .order((tax_rates::created_at, tax_rates::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(TaxRate::try_from).collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = tax_rates)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<TaxRateId>,
    name: String,
    basis_points: i32,
    included: bool,
    active: bool,
    version: i64,
    created_at: i64,
}

impl TryFrom<Row> for TaxRate {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let basis_points = u16::try_from(row.basis_points)
            .map_err(|_| corrupt(format!("a tax of {} basis points", row.basis_points)))?;
        Ok(Self {
            id: row.id.0,
            tax: GoodsTax { name: row.name, basis_points, included: row.included },
            active: row.active,
            version: unsigned(row.version)?,
            created_at: Millis(row.created_at),
        })
    }
}
