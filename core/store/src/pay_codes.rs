//! Codes that a shop shows: one per merchant-presented payment.

use diesel::prelude::*;
use saoma_domain::pay_code::PayCodeId;
use saoma_protocol::{Millis, PaymentId, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, found, signed32, unsigned32},
    dialect::insert_or_ignore,
    reach::Reach,
    schema::pay_codes,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayCode {
    pub id: PayCodeId,
    pub payment: PaymentId,
    /// What the customer's app must receive in the end, as the channel gave it.
    pub channel_code: String,
    /// How often it was opened.
    pub scans: u32,
    /// How often it may be opened.
    pub scan_limit: u32,
    pub created_at: Millis,
    pub expires_at: Millis,
}

/// # Errors
/// `Conflict` if the code's id is taken or the payment has one.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, code: &PayCode) -> Result<(), StoreError> {
    let row = CodeRow {
        id: code.id.0.to_vec(),
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(code.payment),
        channel_code: code.channel_code.clone(),
        scans: signed32(code.scans),
        scan_limit: signed32(code.scan_limit),
        created_at: code.created_at.0,
        expires_at: code.expires_at.0,
    };
    match insert_or_ignore!(tx, scope, pay_codes::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the payment's code" }),
        _ => Ok(()),
    }
}

/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Option<PayCode>, StoreError> {
    Ok(of_payments(tx, scope, &[payment])?.pop())
}

/// Counts one more opening; the answer is the code with the new count, which may now be past its limit.
///
/// # Errors
/// `NotFound`.
pub fn count_scan(tx: &mut Tx<'_>, scope: &TenantScope, code: PayCodeId) -> Result<PayCode, StoreError> {
    let row = pay_codes::table
        .filter(pay_codes::tenant_id.eq(Txt(scope.tenant())))
        .filter(pay_codes::id.eq(code.0.as_slice()));
    let n = tx.run(scope, |conn| diesel::update(row).set(pay_codes::scans.eq(pay_codes::scans + 1)).execute(conn))?;
    found(n, "the code")?;
    by_id(tx, code)?.map(|(_, code)| code).ok_or(StoreError::NotFound { what: "the code" })
}

/// The codes of several payments, in no order.
pub(crate) fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<PayCode>, StoreError> {
    let rows: Vec<CodeRow> = tx.run(scope, |conn| {
        pay_codes::table
            .filter(pay_codes::tenant_id.eq(Txt(scope.tenant())))
            .filter(pay_codes::payment_id.eq_any(payments.iter().map(|payment| Txt(*payment))))
            .select(CodeRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(PayCode::try_from).collect()
}

/// Reads a code by its id, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, code: PayCodeId) -> Result<Option<(TenantId, PayCode)>, StoreError> {
    let row: Option<CodeRow> = tx.run(Reach::All, |conn| {
        pay_codes::table.find(code.0.as_slice()).select(CodeRow::as_select()).first(conn).optional()
    })?;
    row.map(|row| Ok((row.tenant_id.0, row.try_into()?))).transpose()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = pay_codes)]
struct CodeRow {
    id: Vec<u8>,
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    channel_code: String,
    scans: i32,
    scan_limit: i32,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<CodeRow> for PayCode {
    type Error = StoreError;

    fn try_from(row: CodeRow) -> Result<Self, StoreError> {
        let id = row.id.try_into().map_err(|_| corrupt("a pay code whose id has not 16 bytes"))?;
        Ok(Self {
            id: PayCodeId(id),
            payment: row.payment_id.0,
            channel_code: row.channel_code,
            scans: unsigned32(row.scans)?,
            scan_limit: unsigned32(row.scan_limit)?,
            created_at: Millis(row.created_at),
            expires_at: Millis(row.expires_at),
        })
    }
}
