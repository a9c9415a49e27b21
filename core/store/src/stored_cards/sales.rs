//! What was sold, as the journals brought it, and what became of it.

use std::{collections::HashMap, fmt};

use diesel::{
    dsl::{exists, max, not},
    prelude::*,
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, TenantId, TerminalId, api::CardDigits};

use super::{
    losses::{Resolution, said_of, unblocked, what_was_said},
    schema::stored_card_sales as sales,
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, amount, corrupt, millis, moment},
};

/// As a journal brought it. Printing shows nothing of its card.
#[derive(Clone)]
pub struct NewSale {
    pub payment: PaymentId,
    pub account: ChannelAccountId,
    pub terminal: TerminalId,
    pub digits: CardDigits,
    pub amount: Amount,
    /// By the terminal's clock.
    pub sold_at: Millis,
    pub taken_at: Millis,
    /// What was wrong with it.
    pub doubt: Option<String>,
    /// It is not forwarded before a person says so, and holds up no other.
    pub held: bool,
    /// As the terminal encrypted it.
    pub track_2: Option<Vec<u8>>,
    /// What the chip signed, nothing of a stripe. `None`: there is no card that could be forwarded.
    pub emv: Option<Vec<u8>>,
}

impl fmt::Debug for NewSale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored sale {} of {}", self.payment, self.amount)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSale {
    pub payment: PaymentId,
    pub account: ChannelAccountId,
    pub terminal: TerminalId,
    pub digits: CardDigits,
    pub amount: Amount,
    pub sold_at: Millis,
    pub taken_at: Millis,
    pub doubt: Option<String>,
    /// It has no end, and is not forwarded: a person decides.
    pub held: bool,
    /// `None` while it has no end.
    pub outcome: Option<(Outcome, Millis)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Paid,
    /// The merchant bears it.
    Lost,
}

impl Outcome {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Lost => "lost",
        }
    }
}

/// One of the list, and what was said of it.
pub type Found = (StoredSale, Option<Resolution>);

/// Which of them to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    All,
    /// The acquirer has not answered.
    Waiting,
    /// What a person is to see to: lost, and nobody has said anything; or held.
    Open,
}

/// A place in the list, by `taken_at`.
pub type Cursor = crate::Cursor<PaymentId>;

/// The payment must be stored first. It gets the next place of its account.
///
/// # Errors
/// `Conflict` if the payment has one.
pub fn insert(tx: &mut Tx<'_>, scope: &TenantScope, new: &NewSale) -> Result<(), StoreError> {
    let last: Option<i64> = tx.run(scope, |conn| {
        sales::table
            .filter(sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(sales::channel_account_id.eq(Txt(new.account)))
            .select(max(sales::place))
            .first(conn)
    })?;
    let row = (
        sales::tenant_id.eq(Txt(scope.tenant())),
        sales::payment_id.eq(Txt(new.payment)),
        sales::channel_account_id.eq(Txt(new.account)),
        sales::place.eq(last.unwrap_or(0) + 1),
        sales::terminal_id.eq(Txt(new.terminal)),
        sales::first_6.eq(&new.digits.first_6),
        sales::last_4.eq(&new.digits.last_4),
        sales::amount_minor.eq(new.amount.minor()),
        sales::currency.eq(Txt(new.amount.currency())),
        sales::sold_at.eq(new.sold_at.0),
        sales::taken_at.eq(new.taken_at.0),
        sales::doubt.eq(&new.doubt),
        sales::track_2.eq(&new.track_2),
        sales::emv.eq(&new.emv),
        sales::next_attempt_at.eq(moment((!new.held).then_some(new.taken_at))),
        sales::attempts.eq(0),
        sales::aside.eq(new.held),
    );
    tx.run(scope, |conn| diesel::insert_into(sales::table).values(row).execute(conn))
        .map(drop)
        .map_err(|error| error.about("the payment's stored sale"))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<StoredSale, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, payment).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the stored sale" })?.try_into()
}

/// How it ended, whatever else of it can be read.
///
/// # Errors
/// `NotFound`, `Corrupt`.
pub fn ended_as(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Option<Outcome>, StoreError> {
    let outcome: Option<Option<String>> =
        tx.run(scope, |conn| row_of(scope, payment).select(sales::outcome).first(conn).optional())?;
    outcome_of(outcome.ok_or(StoreError::NotFound { what: "the stored sale" })?.as_deref())
}

/// When terminals sold those of these payments that were sold without a network.
///
/// # Errors
/// None of its own.
pub fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<HashMap<PaymentId, Millis>, StoreError> {
    let ids: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<(Txt<PaymentId>, i64)> = tx.run(scope, |conn| {
        sales::table
            .filter(sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(sales::payment_id.eq_any(ids))
            .select((sales::payment_id, sales::sold_at))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(payment, at)| (payment.0, Millis(at))).collect())
}

/// Whether the payment was sold without a network, and the acquirer has not answered.
///
/// # Errors
/// None of its own.
pub fn waiting(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<bool, StoreError> {
    let open = row_of(scope, payment).filter(sales::ended_at.is_null()).count();
    Ok(tx.run(scope, |conn| open.get_result::<i64>(conn))? > 0)
}

/// What the card paid without a network at this terminal since then: how often, and how much.
///
/// # Errors
/// None of its own.
pub fn of_card_since(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    digits: &CardDigits,
    since: Millis,
) -> Result<(i64, i64), StoreError> {
    let rows = sales::table
        .filter(sales::tenant_id.eq(Txt(scope.tenant())))
        .filter(sales::terminal_id.eq(Txt(terminal)))
        .filter(sales::first_6.eq(&digits.first_6))
        .filter(sales::last_4.eq(&digits.last_4))
        .filter(sales::sold_at.gt(since.0))
        .select(sales::amount_minor);
    let amounts: Vec<i64> = tx.run(scope, |conn| rows.load(conn))?;
    Ok((i64::try_from(amounts.len()).unwrap_or(i64::MAX), amounts.iter().copied().fold(0, i64::saturating_add)))
}

/// The numbers of cards that a sale was lost to, the last first; not those that a person has let in again.
///
/// # Errors
/// None of its own.
pub fn blocked(tx: &mut Tx<'_>, scope: &TenantScope, limit: usize) -> Result<Vec<CardDigits>, StoreError> {
    let rows: Vec<(String, String)> = tx.run(scope, |conn| {
        sales::table
            .filter(sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(sales::outcome.eq(Outcome::Lost.text()))
            // Of some that were held no digits are known.
            .filter(sales::first_6.ne(""))
            .filter(not(exists(unblocked())))
            .group_by((sales::first_6, sales::last_4))
            .order(max(sales::ended_at).desc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select((sales::first_6, sales::last_4))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(first_6, last_4)| CardDigits { first_6, last_4 }).collect())
}

/// Newest first. One that cannot be read is logged, and hides none of the others.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: Filter,
    mut after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    loop {
        let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        let rows = page(tx, scope, filter, after, left)?;
        let is_last = rows.len() < left as usize;
        after = rows.last().map(|row| Cursor { at: Millis(row.taken_at), id: row.payment_id.0 });
        for row in rows {
            let payment = row.payment_id.0;
            match StoredSale::try_from(row) {
                Ok(sale) => {
                    let said = what_was_said(tx, scope, &sale)?;
                    found.push((sale, said));
                }
                Err(error) => {
                    tracing::error!(payment.id = %payment, %error, "a stored sale cannot be read, and is not shown")
                }
            }
        }
        if is_last || found.len() >= limit as usize {
            return Ok(found);
        }
    }
}

fn page(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Row>, StoreError> {
    let mut query = sales::table
        .filter(sales::tenant_id.eq(Txt(scope.tenant())))
        .order((sales::taken_at.desc(), sales::payment_id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    match filter {
        Filter::All => {}
        Filter::Waiting => query = query.filter(sales::next_attempt_at.is_not_null()),
        Filter::Open => {
            let held = sales::ended_at.is_null().and(sales::next_attempt_at.is_null());
            let lost = sales::outcome.eq(Outcome::Lost.text()).and(not(exists(said_of())));
            query = query.filter(held.or(lost.assume_not_null()));
        }
    }
    if let Some(Cursor { at, id }) = after {
        let same_moment = sales::taken_at.eq(at.0).and(sales::payment_id.lt(Txt(id)));
        query = query.filter(sales::taken_at.lt(at.0).or(same_moment));
    }
    tx.run(scope, |conn| query.load(conn))
}

/// It has its end, now or otherwise than was thought: what of the card only a sale needs is deleted. Whether that is news.
///
/// # Errors
/// None of its own.
pub fn end(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    outcome: Outcome,
    now: Millis,
) -> Result<bool, StoreError> {
    let otherwise = row_of(scope, payment).filter(sales::outcome.is_null().or(sales::outcome.ne(outcome.text())));
    let changes = (
        sales::outcome.eq(outcome.text()),
        sales::ended_at.eq(now.0),
        sales::track_2.eq(None::<Vec<u8>>),
        sales::emv.eq(None::<Vec<u8>>),
        sales::next_attempt_at.eq(None::<i64>),
        sales::lease_until.eq(None::<i64>),
    );
    Ok(tx.run(scope, |conn| diesel::update(otherwise).set(changes).execute(conn))? == 1)
}

fn outcome_of(text: Option<&str>) -> Result<Option<Outcome>, StoreError> {
    match text {
        None => Ok(None),
        Some("paid") => Ok(Some(Outcome::Paid)),
        Some("lost") => Ok(Some(Outcome::Lost)),
        Some(other) => Err(corrupt(format!("a stored sale that ended as {other:?}"))),
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
pub(super) fn row_of(scope: &TenantScope, payment: PaymentId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<PaymentId> = Txt(payment);
    sales::table.filter(sales::tenant_id.eq(tenant)).filter(sales::payment_id.eq(id))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sales)]
pub(super) struct Row {
    payment_id: Txt<PaymentId>,
    channel_account_id: Txt<ChannelAccountId>,
    terminal_id: Txt<TerminalId>,
    first_6: String,
    last_4: String,
    amount_minor: i64,
    currency: String,
    sold_at: i64,
    taken_at: i64,
    doubt: Option<String>,
    next_attempt_at: Option<i64>,
    outcome: Option<String>,
    ended_at: Option<i64>,
}

impl TryFrom<Row> for StoredSale {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let outcome = outcome_of(row.outcome.as_deref())?;
        let currency: Currency = row.currency.parse().map_err(|_| corrupt("a currency of a stored sale"))?;
        Ok(Self {
            payment: row.payment_id.0,
            account: row.channel_account_id.0,
            terminal: row.terminal_id.0,
            digits: CardDigits { first_6: row.first_6, last_4: row.last_4 },
            amount: amount(row.amount_minor, currency)?,
            sold_at: Millis(row.sold_at),
            taken_at: Millis(row.taken_at),
            doubt: row.doubt,
            held: row.ended_at.is_none() && row.next_attempt_at.is_none(),
            outcome: outcome.zip(millis(row.ended_at)),
        })
    }
}
