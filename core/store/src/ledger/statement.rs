//! An account's lines in the order in which they were booked, each with the balance after it.

use std::{fmt, str::FromStr};

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Integer, Nullable, Text},
};
use saoma_domain::ledger::{Account, Kind};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PaymentId, RefundId};

use super::{balances::totals, kind, last_set_before, past_64_bits};
use crate::{StoreError, TenantScope, Tx, column::Txt};

/// Whose statement, and of which period: booked from `from` on and before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Of {
    pub account: Account,
    /// Without it all of them, where the account is kept per channel account.
    pub channel_account: Option<ChannelAccountId>,
    pub currency: Currency,
    pub from: Millis,
    pub to: Millis,
}

/// A place in a statement: after this line. Its text is for the API's `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    set: i64,
    idx: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub place: Place,
    pub at: Millis,
    pub booked_at: Millis,
    pub kind: Kind,
    /// What it is about: the id of a refund, a payment, or whatever moved the money.
    pub subject: String,
    pub payment: Option<PaymentId>,
    pub refund: Option<RefundId>,
    pub channel_account: Option<ChannelAccountId>,
    /// Positive: a debit.
    pub money: Money,
    /// After it, in minor units.
    pub balance_minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At the start of the period.
    pub opening_minor: i64,
    /// At its end.
    pub closing_minor: i64,
    pub lines: Vec<Line>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Place>,
}

/// Most lines of one page.
pub const LINES_MAX: u32 = 1_000;

/// At most `limit` lines (1 to [`LINES_MAX`]) after `after`.
///
/// # Errors
/// `Corrupt` if a balance does not fit 64 bits.
pub fn statement(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    of: &Of,
    after: Option<Place>,
    limit: u32,
) -> Result<Page, StoreError> {
    let limit = limit.clamp(1, LINES_MAX);
    let first = last_set_before(tx, scope, of.from)?;
    let last = last_set_before(tx, scope, of.to)?.max(first);
    let opening_minor = balance(tx, scope, of, first)?;
    let closing_minor = balance(tx, scope, of, last)?;
    // A place from before the period, or made up, is the period's start.
    let (after, mut balance_minor) = match after.filter(|after| after.set > first) {
        Some(after) => (after, balance_at(tx, scope, of, after)?),
        None => (Place { set: first, idx: i32::MAX }, opening_minor),
    };
    let mut rows = lines(tx, scope, of, after, last, limit + 1)?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let mut page = Vec::with_capacity(rows.len());
    for row in rows {
        balance_minor = balance_minor.checked_add(row.amount_minor).ok_or_else(past_64_bits)?;
        page.push(row.line(of.currency, balance_minor)?);
    }
    let next = page.last().map(|line| line.place).filter(|_| more);
    Ok(Page { opening_minor, closing_minor, lines: page, next })
}

fn balance(tx: &mut Tx<'_>, scope: &TenantScope, of: &Of, through: i64) -> Result<i64, StoreError> {
    let channel_account = of.channel_account.map(|account| account.to_string());
    let mut sum = 0_i64;
    for (key, sums) in totals(tx, scope, through)? {
        let meant = key.account == of.account.text()
            && key.currency.0 == of.currency
            && channel_account.as_ref().is_none_or(|account| *account == key.channel_account);
        if meant {
            sum = sum
                .checked_add(sums.debits_minor)
                .and_then(|sum| sum.checked_sub(sums.credits_minor))
                .ok_or_else(past_64_bits)?;
        }
    }
    Ok(sum)
}

/// The balance after one line, which may be in the midst of its set.
fn balance_at(tx: &mut Tx<'_>, scope: &TenantScope, of: &Of, place: Place) -> Result<i64, StoreError> {
    let before = balance(tx, scope, of, place.set - 1)?;
    let begin = Place { set: place.set, idx: -1 };
    let of_set = lines(tx, scope, of, begin, place.set, LINES_MAX)?;
    let upto = of_set.iter().filter(|row| row.idx <= place.idx);
    upto.map(|row| row.amount_minor).try_fold(before, i64::checked_add).ok_or_else(past_64_bits)
}

fn lines(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    of: &Of,
    after: Place,
    last: i64,
    limit: u32,
) -> Result<Vec<LineRow>, StoreError> {
    let (tenant, channel_account) = (scope.tenant().to_string(), of.channel_account.map(|account| account.to_string()));
    tx.run(scope, |conn| {
        sql_query(
            "SELECT p.set_id, p.idx, p.channel_account_id, p.amount_minor, s.at, s.booked_at, s.kind, s.subject, \
             s.payment_id, s.refund_id FROM postings p JOIN posting_sets s ON s.id = p.set_id \
             WHERE p.tenant_id = $1 AND p.account = $2 AND p.currency = $3 AND (p.set_id, p.idx) > ($4, $5) \
             AND p.set_id <= $6 AND ($7 IS NULL OR p.channel_account_id = $8) ORDER BY p.set_id, p.idx LIMIT $9",
        )
        .bind::<Text, _>(tenant)
        .bind::<Text, _>(of.account.text())
        .bind::<Text, _>(Txt(of.currency))
        .bind::<BigInt, _>(after.set)
        .bind::<Integer, _>(after.idx)
        .bind::<BigInt, _>(last)
        .bind::<Nullable<Text>, _>(channel_account.clone())
        .bind::<Nullable<Text>, _>(channel_account)
        .bind::<BigInt, _>(i64::from(limit))
        .load(conn)
    })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.set, self.idx)
    }
}

impl FromStr for Place {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::NotFound { what: "the cursor's place in the statement" };
        let (set, idx) = text.split_once('-').ok_or_else(bad)?;
        let (set, idx) = (set.parse().map_err(|_| bad())?, idx.parse().map_err(|_| bad())?);
        if set < 1 || idx < 0 { Err(bad()) } else { Ok(Self { set, idx }) }
    }
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = BigInt)]
    set_id: i64,
    #[diesel(sql_type = Integer)]
    idx: i32,
    #[diesel(sql_type = Nullable<Text>)]
    channel_account_id: Option<Txt<ChannelAccountId>>,
    #[diesel(sql_type = BigInt)]
    amount_minor: i64,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = BigInt)]
    booked_at: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Nullable<Text>)]
    payment_id: Option<Txt<PaymentId>>,
    #[diesel(sql_type = Nullable<Text>)]
    refund_id: Option<Txt<RefundId>>,
}

impl LineRow {
    fn line(self, currency: Currency, balance_minor: i64) -> Result<Line, StoreError> {
        Ok(Line {
            place: Place { set: self.set_id, idx: self.idx },
            at: Millis(self.at),
            booked_at: Millis(self.booked_at),
            kind: kind(&self.kind)?,
            subject: self.subject,
            payment: self.payment_id.map(|payment| payment.0),
            refund: self.refund_id.map(|refund| refund.0),
            channel_account: self.channel_account_id.map(|account| account.0),
            money: Money::new(self.amount_minor, currency),
            balance_minor,
        })
    }
}
