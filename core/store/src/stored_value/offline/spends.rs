//! Offline codes that were spent, as terminals' journals told it: written once.

use diesel::prelude::*;
use saoma_domain::stored_value::offline::Over;
use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, StoredValueAccountId, TenantId, TerminalId, code::offline::Token,
};

use super::{schema::offline_spends as spends, small};
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

/// Whether a code with this counter was spent before.
///
/// # Errors
/// None of its own.
pub fn is_spent(tx: &mut Tx<'_>, scope: &TenantScope, grant: Token, counter: u32) -> Result<bool, StoreError> {
    let n: i64 = tx.run(scope, |conn| {
        spends::table
            .filter(spends::tenant_id.eq(Txt(scope.tenant())))
            .filter(spends::grant_id.eq(Txt(grant)))
            .filter(spends::counter.eq(i64::from(counter)))
            .count()
            .get_result(conn)
    })?;
    Ok(n > 0)
}

/// Those with which something was wrong, newest first.
///
/// # Errors
/// None of its own.
pub fn list_over(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Spend>, StoreError> {
    let mut query = spends::table
        .filter(spends::tenant_id.eq(Txt(scope.tenant())))
        .filter(spends::excess.is_not_null())
        .order((spends::at.desc(), spends::payment_id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(Cursor { at, id }) = after {
        let same_moment = spends::at.eq(at.0).and(spends::payment_id.lt(Txt(id)));
        query = query.filter(spends::at.lt(at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Spend::try_from).collect()
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
