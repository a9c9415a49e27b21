//! Totals written down now and then, so that no balance needs all postings ever made. They are derived: what is missing is
//! counted again from the postings, and the check of the books counts them again from the start.

use diesel::{dsl::max, prelude::*};
use saoma_protocol::{Currency, TenantId};

use super::balances::{Key, Sums, totals};
use crate::{
    StoreError, TenantScope, Tx,
    column::Txt,
    dialect::insert_or_ignore,
    schema::{ledger_checkpoints, posting_sets},
};

/// Sets from one checkpoint to the next: a balance then reads some 2,000 postings, which takes a few milliseconds, and a
/// million sets need a thousand checkpoints.
pub const CHECKPOINT_SETS: u32 = 1_000;

/// Writes the next checkpoint down if there are `sets` of them since the last; whether it did.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn checkpoint(tx: &mut Tx<'_>, scope: &TenantScope, sets: u32) -> Result<bool, StoreError> {
    let last = last_through(tx, scope, i64::MAX)?;
    let last_booked_at: i64 = match last {
        0 => i64::MIN,
        last => tx.run(scope, |conn| posting_sets::table.find(last).select(posting_sets::booked_at).first(conn))?,
    };
    let next: Option<i64> = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::booked_at.ge(last_booked_at))
            .filter(posting_sets::id.gt(last))
            .order((posting_sets::booked_at, posting_sets::id))
            .offset(i64::from(sets.max(1)) - 1)
            .select(posting_sets::id)
            .first(conn)
            .optional()
    })?;
    let Some(next) = next else { return Ok(false) };
    for (key, sums) in totals(tx, scope, next)? {
        let row = CheckpointRow {
            tenant_id: Txt(scope.tenant()),
            through_set: next,
            account: key.account,
            channel_account_id: key.channel_account,
            currency: key.currency,
            debits_minor: sums.debits_minor,
            credits_minor: sums.credits_minor,
        };
        // Another node may be writing the same one: it comes to the same sums.
        insert_or_ignore!(tx, scope, ledger_checkpoints::table, &row)?;
    }
    Ok(true)
}

/// The last checkpoint up to and with the set `through`; 0 if there is none.
pub fn last_through(tx: &mut Tx<'_>, scope: &TenantScope, through: i64) -> Result<i64, StoreError> {
    let last: Option<i64> = tx.run(scope, |conn| {
        ledger_checkpoints::table
            .filter(ledger_checkpoints::tenant_id.eq(Txt(scope.tenant())))
            .filter(ledger_checkpoints::through_set.le(through))
            .select(max(ledger_checkpoints::through_set))
            .first(conn)
    })?;
    Ok(last.unwrap_or(0))
}

pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, through: i64) -> Result<Vec<(Key, Sums)>, StoreError> {
    let rows: Vec<CheckpointRow> = tx.run(scope, |conn| {
        ledger_checkpoints::table
            .filter(ledger_checkpoints::tenant_id.eq(Txt(scope.tenant())))
            .filter(ledger_checkpoints::through_set.eq(through))
            .select(CheckpointRow::as_select())
            .load(conn)
    })?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let key = Key { currency: row.currency, account: row.account, channel_account: row.channel_account_id };
            (key, Sums { debits_minor: row.debits_minor, credits_minor: row.credits_minor })
        })
        .collect())
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = ledger_checkpoints)]
struct CheckpointRow {
    tenant_id: Txt<TenantId>,
    through_set: i64,
    account: String,
    channel_account_id: String,
    currency: Txt<Currency>,
    debits_minor: i64,
    credits_minor: i64,
}
