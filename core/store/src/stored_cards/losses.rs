//! What persons said of sales that were lost.

use diesel::prelude::*;
use saoma_protocol::{Millis, PaymentId, TenantId};

use super::{
    sales::StoredSale,
    schema::{stored_card_resolutions as resolutions, stored_card_sales as sales},
};
use crate::{StoreError, TenantScope, Tx, column::Txt};

/// What a person said of one that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The card may be sold to without a network again.
    pub unblocks: bool,
    pub reason: String,
    pub made_by: String,
    pub at: Millis,
}

/// Writes down what a person said of one that was lost. What was said before stays.
///
/// # Errors
/// `Conflict` if something was said in the same moment.
pub fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    resolution: &Resolution,
) -> Result<(), StoreError> {
    let row = ResolutionRow {
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(payment),
        unblocks: resolution.unblocks,
        reason: resolution.reason.clone(),
        made_by: resolution.made_by.clone(),
        at: resolution.at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(resolutions::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the stored sale's resolution"))
}

/// The last that was said of it since it is lost.
///
/// # Errors
/// None of its own.
pub fn what_was_said(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    sale: &StoredSale,
) -> Result<Option<Resolution>, StoreError> {
    let Some((_, since)) = sale.outcome else { return Ok(None) };
    let row: Option<ResolutionRow> = tx.run(scope, |conn| {
        resolutions::table
            .filter(resolutions::tenant_id.eq(Txt(scope.tenant())))
            .filter(resolutions::payment_id.eq(Txt(sale.payment)))
            .filter(resolutions::at.ge(since.0))
            .order(resolutions::at.desc())
            .select(ResolutionRow::as_select())
            .first(conn)
            .optional()
    })?;
    Ok(row.map(Resolution::from))
}

/// What was said of a sale of the query around it, since it is lost.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn said_of() -> _ {
    resolutions::table
        .filter(resolutions::tenant_id.eq(sales::tenant_id))
        .filter(resolutions::payment_id.eq(sales::payment_id))
        .filter(resolutions::at.nullable().ge(sales::ended_at))
}

/// The same, where it lets the card in again.
#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn unblocked() -> _ {
    resolutions::table
        .filter(resolutions::tenant_id.eq(sales::tenant_id))
        .filter(resolutions::payment_id.eq(sales::payment_id))
        .filter(resolutions::at.nullable().ge(sales::ended_at))
        .filter(resolutions::unblocks.eq(true))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = resolutions)]
struct ResolutionRow {
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    unblocks: bool,
    reason: String,
    made_by: String,
    at: i64,
}

impl From<ResolutionRow> for Resolution {
    fn from(row: ResolutionRow) -> Self {
        Self { unblocks: row.unblocks, reason: row.reason, made_by: row.made_by, at: Millis(row.at) }
    }
}
