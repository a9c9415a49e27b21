//! The tenant's books: posting sets that are written once and never changed. Balances are derived.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
};
use saoma_domain::ledger::{Account, Posting, PostingSet};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PaymentId, RefundId, TenantId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, corrupt, signed32, unsigned},
    payments,
    schema::{posting_sets, postings},
};

/// Why money moved. With the payment and refund it names a movement once and for all: booking it again is a `Conflict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    /// For example `captured`, `refund_reserved`, `refund_succeeded`, `refund_failed`, `undone`.
    pub kind: &'static str,
    /// Whose clearing account is meant; `None` for cash.
    pub channel_account: Option<ChannelAccountId>,
    pub at: Millis,
}

/// A set as it stands in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedSet {
    /// Grows over all tenants, with gaps.
    pub id: u64,
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    pub kind: String,
    pub channel_account: Option<ChannelAccountId>,
    pub at: Millis,
    pub postings: Vec<Posting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub account: Account,
    /// Set for clearing accounts alone.
    pub channel_account: Option<ChannelAccountId>,
    /// Positive: a debit balance.
    pub money: Money,
}

/// All debits and credits of one currency; equal, or the books are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialBalance {
    pub currency: Currency,
    pub debits_minor: i64,
    /// As a positive number.
    pub credits_minor: i64,
}

/// A way in which books are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A set that does not sum to zero, has one posting or none, or mixes currencies.
    Set { scope: TenantScope, id: u64 },
    /// A currency whose postings do not sum to zero.
    Sum { scope: TenantScope, money: Money },
    /// A payment or refund whose row and whose postings tell different stories.
    Payment { scope: TenantScope, payment: PaymentId, why: String },
}

/// Books the sets of one movement. No set is fine: nothing moved (a fee of zero).
///
/// # Errors
/// `Conflict` if that movement was booked before, `NotFound` if the payment is not the tenant's.
pub fn post(tx: &mut Tx<'_>, scope: &TenantScope, booking: &Booking, sets: &[PostingSet]) -> Result<(), StoreError> {
    payments::load(tx, scope, booking.payment)?;
    let refund = refund_text(booking.refund);
    let before: i64 = tx.run(|conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::payment_id.eq(Txt(booking.payment)))
            .filter(posting_sets::refund_id.eq(&refund))
            .filter(posting_sets::kind.eq(booking.kind))
            .count()
            .get_result(conn)
    })?;
    if before > 0 {
        return Err(StoreError::Conflict { what: "the movement" });
    }
    for (part, set) in sets.iter().enumerate() {
        let row = (
            posting_sets::tenant_id.eq(Txt(scope.tenant())),
            posting_sets::payment_id.eq(Txt(booking.payment)),
            posting_sets::refund_id.eq(&refund),
            posting_sets::kind.eq(booking.kind),
            posting_sets::part.eq(place(part)),
            posting_sets::channel_account_id.eq(booking.channel_account.map(Txt)),
            posting_sets::at.eq(booking.at.0),
        );
        let id: i64 = tx.run(|conn| {
            diesel::insert_into(posting_sets::table).values(row).returning(posting_sets::id).get_result(conn)
        })?;
        for (idx, posting) in set.postings().iter().enumerate() {
            let clearing = posting.account == Account::ChannelClearing;
            let row = (
                postings::tenant_id.eq(Txt(scope.tenant())),
                postings::set_id.eq(id),
                postings::idx.eq(place(idx)),
                postings::account.eq(posting.account.text()),
                postings::channel_account_id.eq(booking.channel_account.filter(|_| clearing).map(Txt)),
                postings::currency.eq(Txt(posting.money.currency())),
                postings::amount_minor.eq(posting.money.minor()),
            );
            tx.run(|conn| diesel::insert_into(postings::table).values(row).execute(conn))?;
        }
    }
    Ok(())
}

/// In the order in which they were booked.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<BookedSet>, StoreError> {
    let rows: Vec<SetRow> = tx.run(|conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::payment_id.eq(Txt(payment)))
            .order(posting_sets::id)
            .select(SetRow::as_select())
            .load(conn)
    })?;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let lines: Vec<PostingRow> = tx.run(|conn| {
        postings::table
            .filter(postings::tenant_id.eq(Txt(scope.tenant())))
            .filter(postings::set_id.eq_any(ids))
            .order((postings::set_id, postings::idx))
            .select(PostingRow::as_select())
            .load(conn)
    })?;
    let mut by_set: BTreeMap<i64, Vec<Posting>> = BTreeMap::new();
    for line in lines {
        let posting =
            Posting { account: account(&line.account)?, money: Money::new(line.amount_minor, line.currency.0) };
        by_set.entry(line.set_id).or_default().push(posting);
    }
    rows.into_iter()
        .map(|row| {
            let postings = by_set.remove(&row.id).unwrap_or_default();
            let refund = Some(row.refund_id).filter(|refund| !refund.is_empty());
            Ok(BookedSet {
                id: unsigned(row.id)?,
                payment: row.payment_id.0,
                refund: refund.map(|refund| refund.parse().map_err(|_| corrupt("a refund's id"))).transpose()?,
                kind: row.kind,
                channel_account: row.channel_account_id.map(|account| account.0),
                at: Millis(row.at),
                postings,
            })
        })
        .collect()
}

/// Every account that was ever posted to.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn balances(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Balance>, StoreError> {
    let rows: Vec<BalanceRow> = tx.run(|conn| {
        sql_query(
            "SELECT account, channel_account_id, currency, CAST(SUM(amount_minor) AS BIGINT) AS sum_minor FROM postings \
             WHERE tenant_id = $1 GROUP BY account, channel_account_id, currency \
             ORDER BY currency, account, channel_account_id",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .load(conn)
    })?;
    rows.into_iter()
        .map(|row| {
            Ok(Balance {
                account: account(&row.account)?,
                channel_account: row.channel_account_id.map(|account| account.0),
                money: Money::new(row.sum_minor, row.currency.0),
            })
        })
        .collect()
}

/// A line per currency.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn trial_balance(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<TrialBalance>, StoreError> {
    let mut lines: BTreeMap<Currency, (i64, i64)> = BTreeMap::new();
    for Balance { money, .. } in balances(tx, scope)? {
        let (debits, credits) = lines.entry(money.currency()).or_default();
        let side = if money.minor() >= 0 { debits } else { credits };
        *side = side.checked_add(money.minor().saturating_abs()).ok_or_else(|| corrupt("a sum past 64 bits"))?;
    }
    let line = |(currency, (debits_minor, credits_minor))| TrialBalance { currency, debits_minor, credits_minor };
    Ok(lines.into_iter().map(line).collect())
}

/// What is broken in one tenant's books; empty when they hold.
///
/// # Errors
/// None of its own.
pub fn check(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Broken>, StoreError> {
    let tenant = scope.tenant().to_string();
    let sets: Vec<IdRow> = tx.run(|conn| {
        sql_query(
            "SELECT s.id AS id FROM posting_sets s LEFT JOIN postings p ON p.set_id = s.id AND p.tenant_id = s.tenant_id \
             WHERE s.tenant_id = $1 GROUP BY s.id \
             HAVING COALESCE(SUM(p.amount_minor), 0) <> 0 OR COUNT(p.idx) < 2 OR COUNT(DISTINCT p.currency) <> 1 \
             ORDER BY s.id",
        )
        .bind::<Text, _>(&tenant)
        .load(conn)
    })?;
    let mut broken: Vec<Broken> = sets
        .into_iter()
        .map(|row| Ok(Broken::Set { scope: *scope, id: unsigned(row.id)? }))
        .collect::<Result<_, StoreError>>()?;
    let sums: Vec<SumRow> = tx.run(|conn| {
        sql_query(
            "SELECT currency, CAST(SUM(amount_minor) AS BIGINT) AS sum_minor FROM postings WHERE tenant_id = $1 \
             GROUP BY currency HAVING SUM(amount_minor) <> 0 ORDER BY currency",
        )
        .bind::<Text, _>(&tenant)
        .load(conn)
    })?;
    broken.extend(
        sums.into_iter().map(|row| Broken::Sum { scope: *scope, money: Money::new(row.sum_minor, row.currency.0) }),
    );
    Ok(broken)
}

/// What is broken in anybody's books; empty when they hold. Reads everything: for the invariant worker and tests.
///
/// # Errors
/// None of its own.
pub fn check_all(tx: &mut Tx<'_>, _: &PlatformScope) -> Result<Vec<Broken>, StoreError> {
    let tenants: Vec<Txt<TenantId>> =
        tx.run(|conn| posting_sets::table.select(posting_sets::tenant_id).distinct().load(conn))?;
    let mut broken = Vec::new();
    for tenant in tenants {
        broken.extend(check(tx, &access::of_row(tenant.0))?);
    }
    Ok(broken)
}

/// Movements that are of no refund have the empty text, since a unique key treats NULLs as different.
fn refund_text(refund: Option<RefundId>) -> String {
    refund.map(|refund| refund.to_string()).unwrap_or_default()
}

/// A place in a short list.
fn place(idx: usize) -> i32 {
    signed32(u32::try_from(idx).unwrap_or(u32::MAX))
}

fn account(text: &str) -> Result<Account, StoreError> {
    Account::from_text(text).ok_or_else(|| corrupt(format!("an account called {text:?}")))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = posting_sets)]
struct SetRow {
    id: i64,
    payment_id: Txt<PaymentId>,
    refund_id: String,
    kind: String,
    channel_account_id: Option<Txt<ChannelAccountId>>,
    at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = postings)]
struct PostingRow {
    set_id: i64,
    account: String,
    currency: Txt<Currency>,
    amount_minor: i64,
}

#[derive(QueryableByName)]
struct BalanceRow {
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Nullable<Text>)]
    channel_account_id: Option<Txt<ChannelAccountId>>,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}
