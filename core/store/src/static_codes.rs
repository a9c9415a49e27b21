//! Printed codes of small stalls, and the payments that came through them.

use diesel::prelude::*;
use saoma_protocol::{Millis, PaymentId, StaticCodeId, StoreId, TenantId, TerminalId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found},
    dialect::insert_or_ignore,
    reach::Reach,
    schema::{static_code_payments, static_codes},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticCode {
    pub id: StaticCodeId,
    pub store: StoreId,
    /// A terminal beside it: a note.
    pub terminal: Option<TerminalId>,
    /// The terminal of its store at which its payments are announced.
    pub announce_at: Option<TerminalId>,
    pub label: String,
    /// Of one payment, in minor units of the tenant's currency; `min_minor` is at least 1 and at most `max_minor`.
    pub min_minor: i64,
    pub max_minor: i64,
    pub created_at: Millis,
    /// Since then it leads to no payment any more.
    pub revoked_at: Option<Millis>,
}

/// What is known of a payment that came through a static code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub code: StaticCodeId,
    /// The app whose page it was opened in; `None` where any browser pays.
    pub app: Option<String>,
}

/// # Errors
/// `Conflict` if the id is taken.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, code: &StaticCode) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(code.id),
        store_id: Txt(code.store),
        terminal_id: code.terminal.map(Txt),
        announce_at: code.announce_at.map(Txt),
        label: code.label.clone(),
        min_minor: code.min_minor,
        max_minor: code.max_minor,
        created_at: code.created_at.0,
        revoked_at: code.revoked_at.map(|at| at.0),
    };
    match insert_or_ignore!(tx, scope, static_codes::table, &row)? {
        0 => Err(StoreError::Conflict { what: "the static code's id" }),
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, code: StaticCodeId) -> Result<StaticCode, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        static_codes::table.find((Txt(scope.tenant()), Txt(code))).select(Row::as_select()).first(conn).optional()
    })?;
    row.map(StaticCode::from).ok_or(NO_CODE)
}

/// All of them, oldest first, those that were revoked too.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<StaticCode>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        static_codes::table
            .filter(static_codes::tenant_id.eq(Txt(scope.tenant())))
            .order((static_codes::created_at, static_codes::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    Ok(rows.into_iter().map(StaticCode::from).collect())
}

/// From now on its payments are announced there, or nowhere.
///
/// # Errors
/// `NotFound`.
pub fn announce_at(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    code: StaticCodeId,
    terminal: Option<TerminalId>,
) -> Result<(), StoreError> {
    let row = static_codes::table.find((Txt(scope.tenant()), Txt(code)));
    let place = static_codes::announce_at.eq(terminal.map(Txt));
    found(tx.run(scope, |conn| diesel::update(row).set(place).execute(conn))?, "the static code")
}

/// From now on it leads to no payment. One that is revoked already stays as it is.
///
/// # Errors
/// `NotFound`.
pub fn revoke(tx: &mut Tx<'_>, scope: &TenantScope, code: StaticCodeId, at: Millis) -> Result<(), StoreError> {
    load(tx, scope, code)?;
    let row = static_codes::table.find((Txt(scope.tenant()), Txt(code))).filter(static_codes::revoked_at.is_null());
    tx.run(scope, |conn| diesel::update(row).set(static_codes::revoked_at.eq(at.0)).execute(conn)).map(drop)
}

/// Notes through which code a payment came; in the transaction that makes the payment.
///
/// # Errors
/// `Conflict` if the payment has one.
pub fn note_payment(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    origin: &Origin,
) -> Result<(), StoreError> {
    let row = (
        static_code_payments::tenant_id.eq(Txt(scope.tenant())),
        static_code_payments::payment_id.eq(Txt(payment)),
        static_code_payments::static_code_id.eq(Txt(origin.code)),
        static_code_payments::app.eq(origin.app.as_deref()),
    );
    found(insert_or_ignore!(tx, scope, static_code_payments::table, row)?, "the payment's static code")
}

/// Those of these payments that came through a static code, in no order.
pub(crate) fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<(PaymentId, Origin)>, StoreError> {
    let rows: Vec<(Txt<PaymentId>, Txt<StaticCodeId>, Option<String>)> = tx.run(scope, |conn| {
        static_code_payments::table
            .filter(static_code_payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(static_code_payments::payment_id.eq_any(payments.iter().map(|payment| Txt(*payment))))
            .select((static_code_payments::payment_id, static_code_payments::static_code_id, static_code_payments::app))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(payment, code, app)| (payment.0, Origin { code: code.0, app })).collect())
}

/// Reads a code by its id, whosever it is: for [`crate::access`] alone.
pub(crate) fn by_id(tx: &mut Tx<'_>, code: StaticCodeId) -> Result<Option<(TenantId, StaticCode)>, StoreError> {
    let row: Option<Row> = tx.run(Reach::All, |conn| {
        static_codes::table.filter(static_codes::id.eq(Txt(code))).select(Row::as_select()).first(conn).optional()
    })?;
    Ok(row.map(|row| (row.tenant_id.0, row.into())))
}

const NO_CODE: StoreError = StoreError::NotFound { what: "the static code" };

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = static_codes)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<StaticCodeId>,
    store_id: Txt<StoreId>,
    terminal_id: Option<Txt<TerminalId>>,
    announce_at: Option<Txt<TerminalId>>,
    label: String,
    min_minor: i64,
    max_minor: i64,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl From<Row> for StaticCode {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            store: row.store_id.0,
            terminal: row.terminal_id.map(|terminal| terminal.0),
            announce_at: row.announce_at.map(|terminal| terminal.0),
            label: row.label,
            min_minor: row.min_minor,
            max_minor: row.max_minor,
            created_at: Millis(row.created_at),
            revoked_at: row.revoked_at.map(Millis),
        }
    }
}
