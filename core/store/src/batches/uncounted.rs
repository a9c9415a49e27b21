//! Cash that moved at a terminal while no shift was open, and that no count has ever covered.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::batch::{Class, Fix, Subject};
use saoma_protocol::{BatchId, Millis, Money};

use super::{
    Batch,
    differences::{Place, Stated, StoredDifference, differences, save},
    schema::{terminal_refunds, terminal_sales},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, unsigned},
};

/// What a terminal took less what it gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// Negative if more was given back.
    pub sum: Money,
    /// Sales and refunds; not 0.
    pub entries: u64,
}

/// What the batch's terminal moved with no shift open, in the batch's currency and not swept before: from here on it is swept
/// by this batch. `None`: nothing was.
///
/// # Errors
/// None of its own.
pub fn sweep(tx: &mut Tx<'_>, scope: &TenantScope, batch: &Batch) -> Result<Option<Uncounted>, StoreError> {
    let currency = batch.float.currency();
    let found: SumRow = tx.run(scope, |conn| {
        sql_query(
            "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(m.amount_minor), 0) AS BIGINT) AS sum_minor FROM \
             (SELECT amount_minor FROM terminal_sales WHERE tenant_id = $1 AND terminal_id = $2 AND currency = $3 \
                AND cash AND batch_id IS NULL AND swept_batch_id IS NULL \
              UNION ALL SELECT -amount_minor FROM terminal_refunds \
                WHERE tenant_id = $1 AND terminal_id = $2 AND currency = $3 \
                AND cash AND batch_id IS NULL AND swept_batch_id IS NULL) m",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(batch.terminal.to_string())
        .bind::<Text, _>(currency.code())
        .get_result(conn)
    })?;
    let entries = unsigned(found.n)?;
    if entries == 0 {
        return Ok(None);
    }
    let sales = terminal_sales::table
        .filter(terminal_sales::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_sales::terminal_id.eq(Txt(batch.terminal)))
        .filter(terminal_sales::currency.eq(Txt(currency)))
        .filter(terminal_sales::cash.eq(true))
        .filter(terminal_sales::batch_id.is_null())
        .filter(terminal_sales::swept_batch_id.is_null());
    tx.run(scope, |conn| diesel::update(sales).set(terminal_sales::swept_batch_id.eq(Txt(batch.id))).execute(conn))?;
    let refunds = terminal_refunds::table
        .filter(terminal_refunds::tenant_id.eq(Txt(scope.tenant())))
        .filter(terminal_refunds::terminal_id.eq(Txt(batch.terminal)))
        .filter(terminal_refunds::currency.eq(Txt(currency)))
        .filter(terminal_refunds::cash.eq(true))
        .filter(terminal_refunds::batch_id.is_null())
        .filter(terminal_refunds::swept_batch_id.is_null());
    let swept = terminal_refunds::swept_batch_id.eq(Txt(batch.id));
    tx.run(scope, |conn| diesel::update(refunds).set(swept).execute(conn))?;
    Ok(Some(Uncounted { sum: Money::new(found.sum_minor, currency), entries }))
}

/// Keeps it as a difference of the batch that swept it. No comparison ends it: [`accept_uncounted`] does.
///
/// # Errors
/// `NotFound` if the batch is not the tenant's.
pub fn keep_uncounted(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: BatchId,
    uncounted: Uncounted,
    at: Millis,
) -> Result<(), StoreError> {
    let core = Stated { amount: uncounted.sum, state: None, refunded_minor: 0, entries: Some(uncounted.entries) };
    let difference = StoredDifference {
        subject: Subject::Uncounted(batch).to_string(),
        class: Class::Uncounted,
        fields: Vec::new(),
        fix: Fix::LookAtTerminal,
        terminal: None,
        core: Some(core),
        found_at: at,
        closed_at: None,
    };
    save(tx, scope, &Place::Batch(batch), &difference)
}

/// A person has looked at it. Whether that was still to be done.
///
/// # Errors
/// `NotFound` if nothing uncounted was swept by that batch.
pub fn accept_uncounted(tx: &mut Tx<'_>, scope: &TenantScope, batch: BatchId, at: Millis) -> Result<bool, StoreError> {
    let place = Place::Batch(batch);
    let kept = differences(tx, scope, &place)?.into_iter().find(|kept| kept.class == Class::Uncounted);
    let mut kept = kept.ok_or(StoreError::NotFound { what: "the uncounted cash" })?;
    if kept.closed_at.is_some() {
        return Ok(false);
    }
    kept.closed_at = Some(at);
    save(tx, scope, &place, &kept)?;
    Ok(true)
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
}
