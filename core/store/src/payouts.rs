//! What channels paid out, as it was seen at the bank: the last leg of reconciliation.

use diesel::prelude::*;
use saoma_domain::ledger::{Kind, rules};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PayoutId, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount},
    ledger::{self, Booking, Subject},
    schema::payouts,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    pub id: PayoutId,
    pub account: ChannelAccountId,
    /// The first and the last day that it is for, as the scheme counts days, `2026-01-31`.
    pub from_day: String,
    pub to_day: String,
    pub amount: Amount,
    /// What the bills of these days come to, fees taken off, in minor units of the same currency.
    pub expected_minor: i64,
    /// The bank's or the scheme's number of it: one of an account is booked once.
    pub reference: String,
    /// When it arrived, as whoever entered it says.
    pub received_at: Millis,
    pub entered_by: String,
    pub entered_at: Millis,
    /// It was booked by mistake, and taken back.
    pub reversed: Option<Reversed>,
}

/// By whom a payout was taken back, when, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversed {
    pub by: String,
    pub at: Millis,
    pub reason: String,
}

/// A place in the list, by `entered_at`.
pub type Cursor = crate::Cursor<PayoutId>;

/// Writes a payout down and books it.
///
/// # Errors
/// `NotFound` if the account is not the tenant's, `Conflict` if the account has one of that reference that stands.
pub fn enter(tx: &mut Tx<'_>, scope: &TenantScope, payout: &Payout) -> Result<(), StoreError> {
    crate::channel_accounts::load(tx, scope, payout.account)?;
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        id: Txt(payout.id),
        channel_account_id: Txt(payout.account),
        from_day: payout.from_day.clone(),
        to_day: payout.to_day.clone(),
        currency: Txt(payout.amount.currency()),
        amount_minor: payout.amount.minor(),
        expected_minor: payout.expected_minor,
        reference: payout.reference.clone(),
        received_at: payout.received_at.0,
        entered_by: payout.entered_by.clone(),
        entered_at: payout.entered_at.0,
        reversed_by: None,
        reversed_at: None,
        reversal_reason: None,
    };
    tx.run(scope, |conn| diesel::insert_into(payouts::table).values(&row).execute(conn))
        .map_err(|error| error.about("the payout's reference"))?;
    let booking = Booking {
        subject: Subject::Other(payout.id.to_string()),
        kind: Kind::PayoutReceived,
        channel_account: Some(payout.account),
        at: payout.received_at,
        booked_at: payout.entered_at,
    };
    ledger::post(tx, scope, &booking, &rules::payout_received(payout.amount))
}

/// Takes a payout back that was booked by mistake.
///
/// # Errors
/// `NotFound`; `Stale` if it was taken back before.
pub fn reverse(tx: &mut Tx<'_>, scope: &TenantScope, id: PayoutId, reversed: &Reversed) -> Result<Payout, StoreError> {
    let stands = payouts::table
        .filter(payouts::tenant_id.eq(Txt(scope.tenant())))
        .filter(payouts::id.eq(Txt(id)))
        .filter(payouts::reversed_at.is_null());
    let changes = (
        payouts::reversed_by.eq(&reversed.by),
        payouts::reversed_at.eq(reversed.at.0),
        payouts::reversal_reason.eq(&reversed.reason),
    );
    let n = tx.run(scope, |conn| diesel::update(stands).set(changes).execute(conn))?;
    let payout = load(tx, scope, id)?;
    if n == 0 {
        return Err(StoreError::Stale { what: "the payout" });
    }
    let booking = Booking {
        subject: Subject::Other(id.to_string()),
        kind: Kind::PayoutReversed,
        channel_account: Some(payout.account),
        at: reversed.at,
        booked_at: reversed.at,
    };
    ledger::post(tx, scope, &booking, &rules::payout_reversed(payout.amount))?;
    Ok(payout)
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: PayoutId) -> Result<Payout, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        payouts::table
            .filter(payouts::tenant_id.eq(Txt(scope.tenant())))
            .filter(payouts::id.eq(Txt(id)))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the payout" })?.try_into()
}

/// Those of an account and currency that stand and are for any of these days.
///
/// # Errors
/// None of its own.
pub fn of_days(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    currency: Currency,
    from_day: &str,
    to_day: &str,
) -> Result<Vec<Payout>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        payouts::table
            .filter(payouts::tenant_id.eq(Txt(scope.tenant())))
            .filter(payouts::channel_account_id.eq(Txt(account)))
            .filter(payouts::currency.eq(Txt(currency)))
            .filter(payouts::to_day.ge(from_day))
            .filter(payouts::from_day.le(to_day))
            .filter(payouts::reversed_at.is_null())
            .order((payouts::entered_at, payouts::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Payout::try_from).collect()
}

/// The currencies of those that stand and are for this day.
///
/// # Errors
/// None of its own.
pub fn currencies_of_day(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
) -> Result<Vec<Currency>, StoreError> {
    let found: Vec<Txt<Currency>> = tx.run(scope, |conn| {
        payouts::table
            .filter(payouts::tenant_id.eq(Txt(scope.tenant())))
            .filter(payouts::channel_account_id.eq(Txt(account)))
            .filter(payouts::to_day.ge(day))
            .filter(payouts::from_day.le(day))
            .filter(payouts::reversed_at.is_null())
            .order(payouts::currency)
            .select(payouts::currency)
            .distinct()
            .load(conn)
    })?;
    Ok(found.into_iter().map(|currency| currency.0).collect())
}

/// Newest first, of all accounts or of one.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: Option<ChannelAccountId>,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Payout>, StoreError> {
    let mut query = payouts::table
        .filter(payouts::tenant_id.eq(Txt(scope.tenant())))
        .order((payouts::entered_at.desc(), payouts::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(account) = account {
        query = query.filter(payouts::channel_account_id.eq(Txt(account)));
    }
    if let Some(Cursor { at: entered_at, id }) = after {
        let same_moment = payouts::entered_at.eq(entered_at.0).and(payouts::id.lt(Txt(id)));
        query = query.filter(payouts::entered_at.lt(entered_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Payout::try_from).collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payouts)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<PayoutId>,
    channel_account_id: Txt<ChannelAccountId>,
    from_day: String,
    to_day: String,
    currency: Txt<Currency>,
    amount_minor: i64,
    expected_minor: i64,
    reference: String,
    received_at: i64,
    entered_by: String,
    entered_at: i64,
    reversed_by: Option<String>,
    reversed_at: Option<i64>,
    reversal_reason: Option<String>,
}

impl TryFrom<Row> for Payout {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let reversed = row.reversed_by.zip(row.reversed_at).zip(row.reversal_reason);
        Ok(Self {
            id: row.id.0,
            account: row.channel_account_id.0,
            from_day: row.from_day,
            to_day: row.to_day,
            amount: amount(row.amount_minor, row.currency.0)?,
            expected_minor: row.expected_minor,
            reference: row.reference,
            received_at: Millis(row.received_at),
            entered_by: row.entered_by,
            entered_at: Millis(row.entered_at),
            reversed: reversed.map(|((by, at), reason)| Reversed { by, at: Millis(at), reason }),
        })
    }
}
