//! What accounts hold as of a moment, and what moved on them in a period.

use std::collections::BTreeMap;

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::ledger::Account;
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money};

use super::{account, checkpoint, last_set_before, past_64_bits};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub account: Account,
    /// Set for the accounts alone that are kept per channel account.
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

/// What moved on an account in a period. Balances are positive if they are debits, and
/// `opening + debits − credits = closing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnover {
    pub account: Account,
    pub channel_account: Option<ChannelAccountId>,
    pub currency: Currency,
    pub opening_minor: i64,
    pub debits_minor: i64,
    /// As a positive number.
    pub credits_minor: i64,
    pub closing_minor: i64,
}

/// Every account that was ever posted to, as of a moment (with what was booked in that very millisecond); without one, as of
/// now.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn balances(tx: &mut Tx<'_>, scope: &TenantScope, as_of: Option<Millis>) -> Result<Vec<Balance>, StoreError> {
    let through = match as_of {
        Some(as_of) => last_set_before(tx, scope, as_of.plus(1))?,
        None => i64::MAX,
    };
    totals(tx, scope, through)?
        .into_iter()
        .map(|(key, sums)| {
            let money = Money::new(sums.balance()?, key.currency.0);
            Ok(Balance { account: account(&key.account)?, channel_account: key.channel_account()?, money })
        })
        .collect()
}

/// A line per currency, of balances as of one moment.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn trial_balance(balances: &[Balance]) -> Result<Vec<TrialBalance>, StoreError> {
    let mut lines: BTreeMap<Currency, (i64, i64)> = BTreeMap::new();
    for Balance { money, .. } in balances {
        let (debits, credits) = lines.entry(money.currency()).or_default();
        let side = if money.minor() >= 0 { debits } else { credits };
        *side = side.checked_add(money.minor().saturating_abs()).ok_or_else(past_64_bits)?;
    }
    let line = |(currency, (debits_minor, credits_minor))| TrialBalance { currency, debits_minor, credits_minor };
    Ok(lines.into_iter().map(line).collect())
}

/// Every account that was ever posted to before `to`: what it held, what moved from `from` on and before `to`.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn turnover(tx: &mut Tx<'_>, scope: &TenantScope, from: Millis, to: Millis) -> Result<Vec<Turnover>, StoreError> {
    let (first, last) = (last_set_before(tx, scope, from)?, last_set_before(tx, scope, to)?);
    let opening = totals(tx, scope, first)?;
    totals(tx, scope, last.max(first))?
        .into_iter()
        .map(|(key, closing)| {
            let opening = opening.get(&key).copied().unwrap_or_default();
            Ok(Turnover {
                account: account(&key.account)?,
                channel_account: key.channel_account()?,
                currency: key.currency.0,
                opening_minor: opening.balance()?,
                debits_minor: closing.debits_minor.checked_sub(opening.debits_minor).ok_or_else(past_64_bits)?,
                credits_minor: closing.credits_minor.checked_sub(opening.credits_minor).ok_or_else(past_64_bits)?,
                closing_minor: closing.balance()?,
            })
        })
        .collect()
}

/// An account of its own: by currency, name, channel account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub currency: Txt<Currency>,
    pub account: String,
    /// Empty where there is none.
    pub channel_account: String,
}

impl Key {
    fn channel_account(&self) -> Result<Option<ChannelAccountId>, StoreError> {
        if self.channel_account.is_empty() {
            return Ok(None);
        }
        self.channel_account.parse().map(Some).map_err(|_| corrupt("a channel account's id"))
    }
}

/// All that was ever posted to an account; both positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub debits_minor: i64,
    pub credits_minor: i64,
}

impl Sums {
    fn balance(self) -> Result<i64, StoreError> {
        self.debits_minor.checked_sub(self.credits_minor).ok_or_else(past_64_bits)
    }
}

/// All that was posted up to and with the set `through`, from the last checkpoint before it on.
pub fn totals(tx: &mut Tx<'_>, scope: &TenantScope, through: i64) -> Result<BTreeMap<Key, Sums>, StoreError> {
    let base = checkpoint::last_through(tx, scope, through)?;
    let mut totals: BTreeMap<Key, Sums> = match base {
        0 => BTreeMap::new(),
        base => checkpoint::load(tx, scope, base)?.into_iter().collect(),
    };
    for (key, sums) in counted(tx, scope, base, through)? {
        let total = totals.entry(key).or_default();
        let add = |total: i64, part: i64| total.checked_add(part).ok_or_else(past_64_bits);
        total.debits_minor = add(total.debits_minor, sums.debits_minor)?;
        total.credits_minor = add(total.credits_minor, sums.credits_minor)?;
    }
    Ok(totals)
}

/// What was posted by the sets after `after` up to and with `through`, from the postings alone.
pub fn counted(tx: &mut Tx<'_>, scope: &TenantScope, after: i64, through: i64) -> Result<Vec<(Key, Sums)>, StoreError> {
    let rows: Vec<SumsRow> = tx.run(scope, |conn| {
        sql_query(
            "SELECT account, COALESCE(channel_account_id, '') AS channel_account_id, currency, \
             CAST(SUM(CASE WHEN amount_minor > 0 THEN amount_minor ELSE 0 END) AS BIGINT) AS debits_minor, \
             CAST(SUM(CASE WHEN amount_minor < 0 THEN -amount_minor ELSE 0 END) AS BIGINT) AS credits_minor \
             FROM postings WHERE tenant_id = $1 AND set_id > $2 AND set_id <= $3 \
             GROUP BY account, COALESCE(channel_account_id, ''), currency",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(through)
        .load(conn)
    })?;
    Ok(rows.into_iter().map(SumsRow::into).collect())
}

#[derive(QueryableByName)]
struct SumsRow {
    #[diesel(sql_type = Text)]
    account: String,
    #[diesel(sql_type = Text)]
    channel_account_id: String,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    debits_minor: i64,
    #[diesel(sql_type = BigInt)]
    credits_minor: i64,
}

impl From<SumsRow> for (Key, Sums) {
    fn from(row: SumsRow) -> Self {
        let key = Key { currency: row.currency, account: row.account, channel_account: row.channel_account_id };
        (key, Sums { debits_minor: row.debits_minor, credits_minor: row.credits_minor })
    }
}
