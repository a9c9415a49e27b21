//! Offline codes that were spent, as terminals' journals told it: written once.

use std::collections::HashMap;

use diesel::prelude::*;
use saoma_domain::stored_value::offline::Over;
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, StoredValueAccountId, TenantId, TerminalId, code::offline::Token,
};

use super::{
    schema::{offline_resolutions as resolutions, offline_spends as spends},
    small,
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    pub payment: PaymentId,
    pub grant: Token,
    pub account: StoredValueAccountId,
    pub terminal: TerminalId,
    /// Of the code.
    pub counter: u32,
    pub amount: Amount,
    /// Paid by the account; the rest is the issuer's loss.
    pub covered_minor: i64,
    pub over: Option<Over>,
    /// By the terminal's clock.
    pub sold_at: Millis,
    pub at: Millis,
}

/// What a person decided about one that was too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Taken from the account for it.
    pub recovered_minor: i64,
    pub reason: String,
    pub made_by: String,
    pub at: Millis,
}

/// One that was too much, and what was decided.
pub type Excess = (Spend, Option<Resolution>);

/// A place in the list of those that were too much, by `at`.
pub type Cursor = crate::Cursor<PaymentId>;

/// # Errors
/// `Conflict` if the payment has one.
pub fn insert(tx: &mut Tx<'_>, scope: &TenantScope, spend: &Spend) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(spend.payment),
        grant_id: Txt(spend.grant),
        account_id: Txt(spend.account),
        terminal_id: Txt(spend.terminal),
        counter: spend.counter.into(),
        currency: Txt(spend.amount.currency()),
        amount_minor: spend.amount.minor(),
        covered_minor: spend.covered_minor,
        excess: spend.over.map(|over| over.text().to_owned()),
        sold_at: spend.sold_at.0,
        at: spend.at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(spends::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the payment's code"))
}

/// The terminals at which a code with this counter was spent before.
///
/// # Errors
/// None of its own.
pub fn spent_at(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    grant: Token,
    counter: u32,
) -> Result<Vec<TerminalId>, StoreError> {
    let terminals: Vec<Txt<TerminalId>> = tx.run(scope, |conn| {
        spends::table
            .filter(spends::tenant_id.eq(Txt(scope.tenant())))
            .filter(spends::grant_id.eq(Txt(grant)))
            .filter(spends::counter.eq(i64::from(counter)))
            .select(spends::terminal_id)
            .load(conn)
    })?;
    Ok(terminals.into_iter().map(|terminal| terminal.0).collect())
}

/// One that was too much.
///
/// # Errors
/// `NotFound`, also for one with which nothing was wrong.
pub fn load_over(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Excess, StoreError> {
    let query = over(scope).filter(spends::payment_id.eq(Txt(payment))).select(Row::as_select());
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    with_resolutions(tx, scope, rows)?.pop().ok_or(StoreError::NotFound { what: "the double spend" })
}

/// Writes down what a person decided.
///
/// # Errors
/// `Conflict` if something was decided before.
pub fn resolve(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    resolution: &Resolution,
) -> Result<(), StoreError> {
    let row = ResolutionRow {
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(payment),
        recovered_minor: resolution.recovered_minor,
        reason: resolution.reason.clone(),
        made_by: resolution.made_by.clone(),
        at: resolution.at.0,
    };
    tx.run(scope, |conn| diesel::insert_into(resolutions::table).values(&row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the double spend's resolution"))
}

/// Those with which something was wrong, newest first; `open`: those about which nobody has decided.
///
/// # Errors
/// None of its own.
pub fn list_over(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    open: bool,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Excess>, StoreError> {
    let mut query = over(scope)
        .order((spends::at.desc(), spends::payment_id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if open {
        let decided =
            resolutions::table.filter(resolutions::tenant_id.eq(Txt(scope.tenant()))).select(resolutions::payment_id);
        query = query.filter(spends::payment_id.ne_all(decided));
    }
    if let Some(Cursor { at, id }) = after {
        let same_moment = spends::at.eq(at.0).and(spends::payment_id.lt(Txt(id)));
        query = query.filter(spends::at.lt(at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    with_resolutions(tx, scope, rows)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn over(scope: &TenantScope) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    spends::table.filter(spends::tenant_id.eq(tenant)).filter(spends::excess.is_not_null())
}

/// Each with what was decided about it.
fn with_resolutions(tx: &mut Tx<'_>, scope: &TenantScope, rows: Vec<Row>) -> Result<Vec<Excess>, StoreError> {
    let payments: Vec<_> = rows.iter().map(|row| row.payment_id).collect();
    let decided = resolutions::table
        .filter(resolutions::tenant_id.eq(Txt(scope.tenant())))
        .filter(resolutions::payment_id.eq_any(payments))
        .select(ResolutionRow::as_select());
    let decided: Vec<ResolutionRow> = tx.run(scope, |conn| decided.load(conn))?;
    let mut decided: HashMap<PaymentId, Resolution> =
        decided.into_iter().map(|row| (row.payment_id.0, row.into())).collect();
    rows.into_iter()
        .map(|row| {
            let spend = Spend::try_from(row)?;
            let resolution = decided.remove(&spend.payment);
            Ok((spend, resolution))
        })
        .collect()
}

impl From<ResolutionRow> for Resolution {
    fn from(row: ResolutionRow) -> Self {
        Self { recovered_minor: row.recovered_minor, reason: row.reason, made_by: row.made_by, at: Millis(row.at) }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = resolutions)]
struct ResolutionRow {
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    recovered_minor: i64,
    reason: String,
    made_by: String,
    at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = spends)]
struct Row {
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    grant_id: Txt<Token>,
    account_id: Txt<StoredValueAccountId>,
    terminal_id: Txt<TerminalId>,
    counter: i64,
    currency: Txt<Currency>,
    amount_minor: i64,
    covered_minor: i64,
    excess: Option<String>,
    sold_at: i64,
    at: i64,
}

impl TryFrom<Row> for Spend {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let read = |text: String| {
            Over::from_text(&text).ok_or_else(|| corrupt(format!("an offline code that was too much as {text:?}")))
        };
        Ok(Self {
            payment: row.payment_id.0,
            grant: row.grant_id.0,
            account: row.account_id.0,
            terminal: row.terminal_id.0,
            counter: small(row.counter)?,
            amount: amount(row.amount_minor, row.currency.0)?,
            covered_minor: row.covered_minor,
            over: row.excess.map(read).transpose()?,
            sold_at: Millis(row.sold_at),
            at: Millis(row.at),
        })
    }
}
