//! What waits to be forwarded, in the order in which it came in, and whose turn it is.

use std::{collections::HashSet, fmt};

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use saoma_protocol::{ChannelAccountId, Millis, PaymentId, TenantId};

use super::{
    sales::{Row, StoredSale, row_of},
    schema::stored_card_sales as sales,
};
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, millis, signed32, unsigned, unsigned32},
    payments::AHEAD_MS_MAX,
    schema::payments,
};

/// What is needed to forward one, which this process has in hand. Printing shows nothing of its card.
#[derive(Clone)]
pub struct Waiting {
    pub sale: StoredSale,
    pub track_2: Option<Vec<u8>>,
    /// `None`: it is deleted, and nothing can be sent.
    pub emv: Option<Vec<u8>>,
    /// When the acquirer may have had it first; `None`: it has not.
    pub first_sent_at: Option<Millis>,
    pub attempts: u32,
    /// It holds up no other.
    pub aside: bool,
    /// By which this process' lease is known.
    pub lease_until: Millis,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, attempt {}", self.sale, self.attempts)
    }
}

/// Work that is due, of any tenant.
#[derive(Clone, Debug)]
pub struct Due {
    pub scope: TenantScope,
    pub waiting: Waiting,
}

/// One that is held from now on, of any tenant: a person is to be called in the same transaction.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub scope: TenantScope,
    pub payment: PaymentId,
}

/// What was taken up, and what cannot be.
#[derive(Debug, Default)]
pub struct Claimed {
    pub due: Vec<Due>,
    pub held: Vec<Held>,
}

/// Takes what is due, until `lease_until`, unless it ends before. Of each account one is in hand at a time: the first that waits, or, while that is
/// not due, the one of those aside that is due the longest. One that cannot be read is logged, and held.
///
/// # Errors
/// None of its own.
pub fn claim_due(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Claimed, StoreError> {
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
    let busy_now: Vec<(Txt<TenantId>, Txt<ChannelAccountId>)> = tx.run(platform, |conn| {
        sales::table
            .filter(sales::ended_at.is_null())
            .filter(sales::lease_until.between(now.0 + 1, now.plus(AHEAD_MS_MAX).0))
            .select((sales::tenant_id, sales::channel_account_id))
            .load(conn)
    })?;
    let mut busy: HashSet<(TenantId, ChannelAccountId)> =
        busy_now.into_iter().map(|(tenant, account)| (tenant.0, account.0)).collect();
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
    let mut claimed = Claimed::default();
    for (tenant, payment) in found {
        let scope = access::of_row(tenant.0);
        // Of two nodes that found it one writes.
        let as_found = due(now).filter(sales::tenant_id.eq(tenant)).filter(sales::payment_id.eq(payment));
        let lease = sales::lease_until.eq(lease_until.0);
        if tx.run(&scope, |conn| diesel::update(as_found).set(lease).execute(conn))? == 0 {
            continue;
        }
        match read(tx, &scope, payment.0, lease_until) {
            Ok(waiting) => claimed.due.push(Due { scope, waiting }),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(payment.id = %payment.0, %error, "a stored sale cannot be read, and is not forwarded");
                let held =
                    (sales::aside.eq(true), sales::next_attempt_at.eq(None::<i64>), sales::lease_until.eq(None::<i64>));
                tx.run(&scope, |conn| diesel::update(row_of(&scope, payment.0)).set(held).execute(conn))?;
                claimed.held.push(Held { scope, payment: payment.0 });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(claimed)
}

fn read(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId, lease_until: Millis) -> Result<Waiting, StoreError> {
    let row: WaitingRow = tx.run(scope, |conn| row_of(scope, payment).select(WaitingRow::as_select()).first(conn))?;
    let (track_2, emv) = (row.track_2, row.emv);
    let (first_sent_at, attempts, aside) = (millis(row.first_sent_at), unsigned32(row.attempts)?, row.aside);
    Ok(Waiting { sale: row.sale.try_into()?, track_2, emv, first_sent_at, attempts, aside, lease_until })
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
    let own = in_hand(scope, waiting.sale.payment, waiting.lease_until);
    let change = sales::first_sent_at.eq(first_sent_at.0);
    Ok(tx.run(scope, |conn| diesel::update(own).set(change).execute(conn))? == 1)
}

/// Whether this process has it in hand, and the acquirer cannot have it.
///
/// # Errors
/// None of its own.
pub fn is_unsent(tx: &mut Tx<'_>, scope: &TenantScope, waiting: &Waiting) -> Result<bool, StoreError> {
    let own = in_hand(scope, waiting.sale.payment, waiting.lease_until).filter(sales::first_sent_at.is_null()).count();
    Ok(tx.run(scope, |conn| own.get_result::<i64>(conn))? == 1)
}

/// A person lets one that is held go out. Whether it can: it is held, and its card is kept.
///
/// # Errors
/// None of its own.
pub fn let_go(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId, now: Millis) -> Result<bool, StoreError> {
    let held = row_of(scope, payment)
        .filter(sales::ended_at.is_null())
        .filter(sales::next_attempt_at.is_null())
        .filter(sales::emv.is_not_null());
    let change = sales::next_attempt_at.eq(now.0);
    Ok(tx.run(scope, |conn| diesel::update(held).set(change).execute(conn))? == 1)
}

/// Deletes what of the card only a sale needs where that came in before `before`, and has no end yet, of so many sales at most. Such a sale is held
/// from then on, and whoever had it in hand has it no more.
///
/// # Errors
/// None of its own.
pub fn forget(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    before: Millis,
    now: Millis,
    limit: u32,
) -> Result<Vec<Held>, StoreError> {
    let old: Vec<(Txt<TenantId>, Txt<PaymentId>)> = tx.run(platform, |conn| {
        forgettable(before, now)
            .order((sales::taken_at, sales::payment_id))
            .limit(limit.into())
            .select((sales::tenant_id, sales::payment_id))
            .load(conn)
    })?;
    let changes = || {
        (
            sales::track_2.eq(None::<Vec<u8>>),
            sales::emv.eq(None::<Vec<u8>>),
            sales::next_attempt_at.eq(None::<i64>),
            sales::lease_until.eq(None::<i64>),
            sales::aside.eq(true),
        )
    };
    let mut held = Vec::with_capacity(old.len());
    for (tenant, payment) in old {
        let scope = access::of_row(tenant.0);
        let still = forgettable(before, now).filter(sales::tenant_id.eq(tenant)).filter(sales::payment_id.eq(payment));
        if tx.run(&scope, |conn| diesel::update(still).set(changes()).execute(conn))? == 1 {
            held.push(Held { scope, payment: payment.0 });
        }
    }
    Ok(held)
}

/// Whether the payment was sold without a network, has no end, and the acquirer cannot have it.
///
/// # Errors
/// None of its own.
pub fn never_sent(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<bool, StoreError> {
    let unsent = row_of(scope, payment).filter(sales::ended_at.is_null()).filter(sales::first_sent_at.is_null());
    Ok(tx.run(scope, |conn| unsent.count().get_result::<i64>(conn))? == 1)
}

/// A person ends it without the acquirer: it is taken from whoever has it in hand, if the acquirer cannot have it. Whether that is so.
///
/// # Errors
/// None of its own.
pub fn take_unsent(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<bool, StoreError> {
    let unsent = row_of(scope, payment).filter(sales::ended_at.is_null()).filter(sales::first_sent_at.is_null());
    let change = sales::lease_until.eq(None::<i64>);
    Ok(tx.run(scope, |conn| diesel::update(unsent).set(change).execute(conn))? == 1)
}

/// How many of its account wait for this one, or for the same as it.
///
/// # Errors
/// None of its own.
pub fn behind(tx: &mut Tx<'_>, scope: &TenantScope, waiting: &Waiting) -> Result<u64, StoreError> {
    let others = sales::table
        .filter(sales::tenant_id.eq(Txt(scope.tenant())))
        .filter(sales::channel_account_id.eq(Txt(waiting.sale.account)))
        .filter(sales::payment_id.ne(Txt(waiting.sale.payment)))
        .filter(sales::ended_at.is_null())
        .filter(sales::next_attempt_at.is_not_null())
        .select(count_star());
    unsigned(tx.run(scope, |conn| others.get_result(conn))?)
}

/// Gives up this process' lease of one that has not ended, and says when the next attempt is.
///
/// # Errors
/// None of its own: one that has ended since, or that another has in hand now, is left alone.
pub fn set_back(tx: &mut Tx<'_>, scope: &TenantScope, waiting: &Waiting, next: Next) -> Result<(), StoreError> {
    let open = in_hand(scope, waiting.sale.payment, waiting.lease_until);
    let changes = (
        sales::lease_until.eq(None::<i64>),
        sales::next_attempt_at.eq(next.at.0),
        sales::attempts.eq(signed32(next.attempts)),
        sales::aside.eq(next.aside),
        sales::first_sent_at.eq(next.first_sent_at.map(|at| at.0)),
    );
    tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn)).map(drop)
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

/// What has no end, and is in the hands of whoever has this lease.
#[diesel::dsl::auto_type(no_type_alias)]
fn in_hand(scope: &TenantScope, payment: PaymentId, lease_until: Millis) -> _ {
    let (tenant, id): (Txt<TenantId>, Txt<PaymentId>) = (Txt(scope.tenant()), Txt(payment));
    let lease: i64 = lease_until.0;
    sales::table
        .filter(sales::tenant_id.eq(tenant))
        .filter(sales::payment_id.eq(id))
        .filter(sales::ended_at.is_null())
        .filter(sales::lease_until.eq(lease))
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

/// What has no end, came in before `before`, and is in nobody's hands, with what only a sale needs of its card.
#[diesel::dsl::auto_type(no_type_alias)]
fn forgettable(before: Millis, now: Millis) -> _ {
    let (latest, after, ahead): (i64, i64, i64) = (before.0, now.0 + 1, now.plus(AHEAD_MS_MAX).0);
    sales::table
        .filter(sales::ended_at.is_null())
        .filter(sales::emv.is_not_null())
        .filter(sales::taken_at.lt(latest))
        .filter(sales::lease_until.is_null().or(sales::lease_until.not_between(after, ahead)))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sales)]
struct WaitingRow {
    #[diesel(embed)]
    sale: Row,
    track_2: Option<Vec<u8>>,
    emv: Option<Vec<u8>>,
    first_sent_at: Option<i64>,
    attempts: i32,
    aside: bool,
}
