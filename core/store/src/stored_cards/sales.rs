//! Sales that are forwarded to the acquirer, in the order in which they came in.

use std::collections::{HashMap, HashSet};

use diesel::{
    dsl::{count_star, max, min},
    prelude::*,
};
use saoma_protocol::{Amount, ChannelAccountId, Currency, Millis, PaymentId, TenantId, TerminalId, api::CardDigits};

use super::schema::{stored_card_resolutions as resolutions, stored_card_sales as sales};
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, amount, corrupt, millis, signed32, unsigned32},
    payments::AHEAD_MS_MAX,
    schema::payments,
};

/// As a journal brought it.
#[derive(Clone, Debug)]
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
    /// As the terminal encrypted it.
    pub track_2: Option<Vec<u8>>,
    pub emv: Vec<u8>,
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
    /// `None` while the acquirer has not answered.
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

/// What a person said of one that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The card may be sold to without a network again.
    pub unblocks: bool,
    pub reason: String,
    pub made_by: String,
    pub at: Millis,
}

/// One of the list, and what was said of it.
pub type Found = (StoredSale, Option<Resolution>);

/// Which of them to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    All,
    /// The acquirer has not answered.
    Waiting,
    /// Lost, and no person has said anything.
    Open,
}

/// A place in the list, by `taken_at`.
pub type Cursor = crate::Cursor<PaymentId>;

/// What is needed to forward one, which this process has in hand.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub sale: StoredSale,
    pub track_2: Option<Vec<u8>>,
    pub emv: Vec<u8>,
    /// When the acquirer may have had it first; `None`: it has not.
    pub first_sent_at: Option<Millis>,
    pub attempts: u32,
    /// It holds up no other.
    pub aside: bool,
    /// By which this process' lease is known.
    pub lease_until: Millis,
}

/// Work that is due, of any tenant.
#[derive(Clone, Debug)]
pub struct Due {
    pub scope: TenantScope,
    pub waiting: Waiting,
}

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
        sales::next_attempt_at.eq(new.taken_at.0),
        sales::attempts.eq(0),
        sales::aside.eq(false),
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
    let let_in = resolutions::table
        .filter(resolutions::tenant_id.eq(Txt(scope.tenant())))
        .filter(resolutions::unblocks.eq(true))
        .select(resolutions::payment_id);
    let rows: Vec<(String, String)> = tx.run(scope, |conn| {
        sales::table
            .filter(sales::tenant_id.eq(Txt(scope.tenant())))
            .filter(sales::outcome.eq(Outcome::Lost.text()))
            .filter(sales::payment_id.ne_all(let_in))
            .group_by((sales::first_6, sales::last_4))
            .order(max(sales::ended_at).desc())
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .select((sales::first_6, sales::last_4))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(first_6, last_4)| CardDigits { first_6, last_4 }).collect())
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    let mut query = sales::table
        .filter(sales::tenant_id.eq(Txt(scope.tenant())))
        .order((sales::taken_at.desc(), sales::payment_id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    match filter {
        Filter::All => {}
        Filter::Waiting => query = query.filter(sales::ended_at.is_null()),
        Filter::Open => {
            let said = resolutions::table
                .filter(resolutions::tenant_id.eq(Txt(scope.tenant())))
                .select(resolutions::payment_id);
            query = query.filter(sales::outcome.eq(Outcome::Lost.text())).filter(sales::payment_id.ne_all(said));
        }
    }
    if let Some(Cursor { at, id }) = after {
        let same_moment = sales::taken_at.eq(at.0).and(sales::payment_id.lt(Txt(id)));
        query = query.filter(sales::taken_at.lt(at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    let ids: Vec<_> = rows.iter().map(|row| row.payment_id).collect();
    let said: Vec<ResolutionRow> = tx.run(scope, |conn| {
        resolutions::table
            .filter(resolutions::tenant_id.eq(Txt(scope.tenant())))
            .filter(resolutions::payment_id.eq_any(ids))
            .select(ResolutionRow::as_select())
            .load(conn)
    })?;
    let mut said: HashMap<PaymentId, Resolution> = said.into_iter().map(|row| (row.payment_id.0, row.into())).collect();
    rows.into_iter()
        .map(|row| {
            let sale = StoredSale::try_from(row)?;
            let resolution = said.remove(&sale.payment);
            Ok((sale, resolution))
        })
        .collect()
}

/// Writes down what a person said of one that was lost.
///
/// # Errors
/// `Conflict` if something was said before.
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

/// Takes what is due, until `lease_until`, unless it ends before. Of each account one is in hand at a time: the first that waits, or, while that is
/// not due, the one of those aside that is due the longest.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let firsts: Vec<(Txt<TenantId>, Txt<ChannelAccountId>, Option<i64>)> = tx.run(platform, |conn| {
        sales::table
            .filter(sales::ended_at.is_null())
            .filter(sales::aside.eq(false))
            .group_by((sales::tenant_id, sales::channel_account_id))
            .select((sales::tenant_id, sales::channel_account_id, min(sales::place)))
            .load(conn)
    })?;
    let apart: Vec<(Txt<TenantId>, Txt<ChannelAccountId>, Option<i64>)> = tx.run(platform, |conn| {
        due(now)
            .filter(sales::aside.eq(true))
            .group_by((sales::tenant_id, sales::channel_account_id))
            .select((sales::tenant_id, sales::channel_account_id, min(sales::next_attempt_at)))
            .load(conn)
    })?;
    let in_hand: Vec<(Txt<TenantId>, Txt<ChannelAccountId>)> = tx.run(platform, |conn| {
        sales::table
            .filter(sales::ended_at.is_null())
            .filter(sales::lease_until.between(now.0 + 1, now.plus(AHEAD_MS_MAX).0))
            .select((sales::tenant_id, sales::channel_account_id))
            .load(conn)
    })?;
    let mut busy: HashSet<(TenantId, ChannelAccountId)> =
        in_hand.into_iter().map(|(tenant, account)| (tenant.0, account.0)).collect();
    let mut found = Vec::new();
    for (tenant, account, place) in firsts {
        if busy.contains(&(tenant.0, account.0)) {
            continue;
        }
        let first: Option<Txt<PaymentId>> = tx.run(platform, |conn| {
            due(now)
                .filter(sales::tenant_id.eq(tenant))
                .filter(sales::channel_account_id.eq(account))
                .filter(sales::place.eq(place.unwrap_or_default()))
                .select(sales::payment_id)
                .first(conn)
                .optional()
        })?;
        if let Some(payment) = first {
            busy.insert((tenant.0, account.0));
            found.push((tenant, payment));
        }
    }
    for (tenant, account, at) in apart {
        if busy.contains(&(tenant.0, account.0)) {
            continue;
        }
        let first: Option<Txt<PaymentId>> = tx.run(platform, |conn| {
            due(now)
                .filter(sales::tenant_id.eq(tenant))
                .filter(sales::channel_account_id.eq(account))
                .filter(sales::aside.eq(true))
                .filter(sales::next_attempt_at.eq(at))
                .select(sales::payment_id)
                .first(conn)
                .optional()
        })?;
        found.extend(first.map(|payment| (tenant, payment)));
    }
    found.truncate(limit as usize);
    let mut taken = Vec::with_capacity(found.len());
    for (tenant, payment) in found {
        let scope = access::of_row(tenant.0);
        let row: Option<WaitingRow> =
            tx.run(&scope, |conn| row_of(&scope, payment.0).select(WaitingRow::as_select()).first(conn).optional())?;
        let Some(row) = row else { continue };
        // Of two nodes that found it one writes.
        let as_found = due(now).filter(sales::tenant_id.eq(tenant)).filter(sales::payment_id.eq(payment));
        let change = sales::lease_until.eq(lease_until.0);
        if tx.run(&scope, |conn| diesel::update(as_found).set(change).execute(conn))? == 0 {
            continue;
        }
        let (track_2, emv) = (row.track_2, row.emv.unwrap_or_default());
        let attempts = unsigned32(row.sale.attempts)?;
        let (first_sent_at, aside) = (millis(row.first_sent_at), row.aside);
        let waiting = Waiting { sale: row.sale.try_into()?, track_2, emv, first_sent_at, attempts, aside, lease_until };
        taken.push(Due { scope, waiting });
    }
    Ok(taken)
}

/// What follows an attempt, or one that something else went before.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    pub at: Millis,
    /// It holds up no other from now on.
    pub aside: bool,
    /// When the acquirer may have had it first, by this attempt or an earlier one.
    pub first_sent_at: Option<Millis>,
    /// How often it was tried, this time too.
    pub attempts: u32,
}

/// It goes out now, for the first time if it has not before. Whether this process still has it in hand: if not, it may not send.
///
/// # Errors
/// None of its own.
pub fn goes_out(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    waiting: &Waiting,
    first_sent_at: Millis,
) -> Result<bool, StoreError> {
    let own = row_of(scope, waiting.sale.payment)
        .filter(sales::ended_at.is_null())
        .filter(sales::lease_until.eq(waiting.lease_until.0));
    let change = sales::first_sent_at.eq(first_sent_at.0);
    Ok(tx.run(scope, |conn| diesel::update(own).set(change).execute(conn))? == 1)
}

/// Gives up this process' lease of one that has not ended, and says when the next attempt is.
///
/// # Errors
/// None of its own: one that has ended since, or that another has in hand now, is left alone.
pub fn set_back(tx: &mut Tx<'_>, scope: &TenantScope, waiting: &Waiting, next: Next) -> Result<(), StoreError> {
    let open = row_of(scope, waiting.sale.payment)
        .filter(sales::ended_at.is_null())
        .filter(sales::lease_until.eq(waiting.lease_until.0));
    let changes = (
        sales::lease_until.eq(None::<i64>),
        sales::next_attempt_at.eq(next.at.0),
        sales::attempts.eq(signed32(next.attempts)),
        sales::aside.eq(next.aside),
        sales::first_sent_at.eq(next.first_sent_at.map(|at| at.0)),
    );
    tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn)).map(drop)
}

/// It has its end: what of the card only a sale needs is deleted. Whether it was waiting.
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
    let open = row_of(scope, payment).filter(sales::ended_at.is_null());
    let changes = (
        sales::outcome.eq(outcome.text()),
        sales::ended_at.eq(now.0),
        sales::track_2.eq(None::<Vec<u8>>),
        sales::emv.eq(None::<Vec<u8>>),
        sales::next_attempt_at.eq(None::<i64>),
        sales::lease_until.eq(None::<i64>),
    );
    Ok(tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn))? == 1)
}

/// Payments of the account that are being undone, or are about to be, and that no person is called for: they go first.
///
/// # Errors
/// None of its own.
pub fn reversals_under_way(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<bool, StoreError> {
    let count: i64 = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::channel_account_id.eq(Txt(account)))
            .filter(payments::attention_at.is_null())
            .filter(payments::next_attempt_at.is_not_null())
            .filter(payments::state.eq("unknown").or(payments::close_asked_at.is_not_null()))
            .select(count_star())
            .first(conn)
    })?;
    Ok(count > 0)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, payment: PaymentId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<PaymentId> = Txt(payment);
    sales::table.filter(sales::tenant_id.eq(tenant)).filter(sales::payment_id.eq(id))
}

/// What waits, is due, and is in nobody's hands. What a clock wrote that ran ahead is not waited for.
#[diesel::dsl::auto_type(no_type_alias)]
fn due(now: Millis) -> _ {
    let (after, ahead): (i64, i64) = (now.0 + 1, now.plus(AHEAD_MS_MAX).0);
    sales::table
        .filter(sales::ended_at.is_null())
        .filter(sales::next_attempt_at.not_between(after, ahead))
        .filter(sales::lease_until.is_null().or(sales::lease_until.not_between(after, ahead)))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sales)]
struct Row {
    payment_id: Txt<PaymentId>,
    channel_account_id: Txt<ChannelAccountId>,
    terminal_id: Txt<TerminalId>,
    first_6: String,
    last_4: String,
    amount_minor: i64,
    currency: Txt<Currency>,
    sold_at: i64,
    taken_at: i64,
    doubt: Option<String>,
    attempts: i32,
    outcome: Option<String>,
    ended_at: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sales)]
struct WaitingRow {
    #[diesel(embed)]
    sale: Row,
    track_2: Option<Vec<u8>>,
    emv: Option<Vec<u8>>,
    first_sent_at: Option<i64>,
    aside: bool,
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

impl TryFrom<Row> for StoredSale {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let outcome = match row.outcome.as_deref() {
            None => None,
            Some("paid") => Some(Outcome::Paid),
            Some("lost") => Some(Outcome::Lost),
            Some(other) => return Err(corrupt(format!("a stored sale that ended as {other:?}"))),
        };
        Ok(Self {
            payment: row.payment_id.0,
            account: row.channel_account_id.0,
            terminal: row.terminal_id.0,
            digits: CardDigits { first_6: row.first_6, last_4: row.last_4 },
            amount: amount(row.amount_minor, row.currency.0)?,
            sold_at: Millis(row.sold_at),
            taken_at: Millis(row.taken_at),
            doubt: row.doubt,
            outcome: outcome.zip(millis(row.ended_at)),
        })
    }
}
