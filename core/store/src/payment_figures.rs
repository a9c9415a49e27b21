//! What a merchant's own rules are told of the payments before. It is read before a sale, of merchants with rules alone: outcomes of
//! so many payments, takings of all that were made since a moment.

use std::collections::HashMap;

use diesel::{
    dsl::{count_star, sql},
    prelude::*,
    sql_types::BigInt,
};
use saoma_protocol::{ChannelAccountId, Currency, Millis, StoreId, api::PaymentState};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Tag, Txt, unsigned},
    schema::{orders, payments},
};

/// Of a merchant's payments the newest that are looked at to say how often an account's succeed.
pub const OUTCOMES_MAX: i64 = 1_000;

/// Whose takings are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// By name, wherever they sell.
    Cashier(String),
    /// All that a store sells, whoever does.
    Store(StoreId),
}

/// How many payments in this currency that were made since then are paid, and how much that is in minor units. What was given
/// back of them still counts.
///
/// # Errors
/// None of its own.
pub fn takings(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    whose: &Whose,
    currency: Currency,
    since: Millis,
) -> Result<(u64, i64), StoreError> {
    let paid = payments::table
        .filter(payments::tenant_id.eq(Txt(scope.tenant())))
        .filter(payments::created_at.ge(since.0))
        .filter(payments::currency.eq(Txt(currency)))
        .filter(payments::captured_at.is_not_null());
    let sum = sql::<BigInt>("CAST(COALESCE(SUM(payments.amount_minor), 0) AS BIGINT)");
    let (count, minor): (i64, i64) = match whose {
        Whose::Store(store) => {
            let query = paid.filter(payments::store_id.eq(Txt(*store))).select((count_star(), sum));
            tx.run(scope, |conn| query.first(conn))?
        }
        Whose::Cashier(name) => {
            let same = orders::tenant_id.eq(payments::tenant_id).and(orders::id.eq(payments::order_id));
            let query =
                paid.inner_join(orders::table.on(same)).filter(orders::cashier.eq(name)).select((count_star(), sum));
            tx.run(scope, |conn| query.first(conn))?
        }
    };
    Ok((unsigned(count)?, minor))
}

/// Of the accounts' payments since then that the channel has decided: how many, and how many of them it took.
///
/// # Errors
/// None of its own.
pub fn outcomes(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    since: Millis,
) -> Result<HashMap<ChannelAccountId, (u32, u32)>, StoreError> {
    let query = payments::table
        .filter(payments::tenant_id.eq(Txt(scope.tenant())))
        .filter(payments::created_at.ge(since.0))
        .order((payments::created_at.desc(), payments::id.desc()))
        .limit(OUTCOMES_MAX)
        .select((payments::channel_account_id, payments::public_state, payments::captured_at.is_not_null()));
    let rows: Vec<(Option<Txt<ChannelAccountId>>, Tag<PaymentState>, bool)> = tx.run(scope, |conn| query.load(conn))?;
    let mut all: HashMap<ChannelAccountId, (u32, u32)> = HashMap::new();
    for (account, state, was_taken) in rows {
        if let Some(Txt(account)) = account
            && (was_taken || state.0 == PaymentState::Failed)
        {
            let (outcomes, taken) = all.entry(account).or_default();
            *outcomes += 1;
            *taken += u32::from(was_taken);
        }
    }
    Ok(all)
}
