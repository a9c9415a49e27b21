//! How an account stands that settles batches, beside its batches: from where on the books are core's to settle, and whether new
//! payments are held back so that a batch can be closed.

use diesel::prelude::*;
use saoma_domain::settlement::{APART_MS_MAX, Drain, HOLD_MS};
use saoma_protocol::{ChannelAccountId, Millis, TenantId};

use super::CALL_MS_MAX;
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, millis, moment, signed32, unsigned, unsigned32},
    dialect::insert_or_ignore,
    ledger,
    schema::{settlement_batches, settling_accounts},
};

/// How far an account's first batch looks back from when core first had to do with its settlement: what is older, the scheme has closed by
/// itself.
const FIRST_LOOKS_BACK_MS: i64 = 48 * 3_600_000;

/// An account that settles batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling {
    /// The first batch begins behind this set.
    pub(super) from_set: i64,
    /// A close that is wanted among payments under way.
    pub drain: Option<Drain>,
    /// Who wants it.
    pub wanted_by: Option<String>,
    /// Since when a person is called about it.
    pub attention_at: Option<Millis>,
    /// Until when something may be going out through it that is in no payment's or refund's state.
    busy_until: Option<Millis>,
    /// When a person put a close off.
    pub put_off_at: Option<Millis>,
}

impl Settling {
    /// Whether something of that kind may be on its way; what a clock wrote that ran far ahead is not.
    pub(super) fn is_busy(&self, now: Millis) -> bool {
        self.busy_until.is_some_and(|until| now < until && until <= now.plus(CALL_MS_MAX + APART_MS_MAX))
    }
}

/// How the account stands; `None` if core has had nothing to do with its settlement yet.
///
/// # Errors
/// `Corrupt`.
pub fn settling(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<Option<Settling>, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, account).select(Row::as_select()).first(conn).optional())?;
    row.map(Settling::try_from).transpose()
}

/// From here on what comes into the books through the account is in one of its batches, however late the first is closed; with it what came
/// two days before. Nothing if that is so.
///
/// # Errors
/// None of its own.
pub fn begin(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, now: Millis) -> Result<(), StoreError> {
    if settling(tx, scope, account)?.is_some() {
        return Ok(());
    }
    let row = (
        settling_accounts::tenant_id.eq(Txt(scope.tenant())),
        settling_accounts::channel_account_id.eq(Txt(account)),
        settling_accounts::from_set.eq(first_set(tx, scope, now)?),
        settling_accounts::holds.eq(0),
    );
    insert_or_ignore!(tx, scope, settling_accounts::table, row).map(drop)
}

/// Behind which set an account's first batch begins that core first sees now.
pub(super) fn first_set(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<i64, StoreError> {
    ledger::last_set_before(tx, scope, now.plus(-FIRST_LOOKS_BACK_MS))
}

/// Something goes out through the account until then, for all that its books say. In the account's turn ([`super::take_turn`]), so that no
/// batch is closed meanwhile.
///
/// # Errors
/// None of its own.
pub fn goes_out(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    until: Millis,
    now: Millis,
) -> Result<(), StoreError> {
    let settling = settling(tx, scope, account)?.filter(|settling| settling.is_busy(now));
    let until = settling.and_then(|settling| settling.busy_until).max(Some(until));
    let busy = settling_accounts::busy_until.eq(moment(until));
    tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(busy).execute(conn)).map(drop)
}

/// Holds new payments and refunds of the account back; with the first hold the call of a person about an earlier close is over. After
/// [`begin`], in the account's turn ([`super::take_turn`]).
///
/// # Errors
/// `NotFound`.
pub fn hold(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    drain: Drain,
    by: &str,
) -> Result<(), StoreError> {
    let changes = (
        settling_accounts::wanted_at.eq(Some(drain.wanted_at.0)),
        settling_accounts::wanted_by.eq(Some(by)),
        settling_accounts::held_at.eq(Some(drain.held_at.0)),
        settling_accounts::holds.eq(signed32(drain.holds)),
    );
    if drain.holds == 1 {
        let over = settling_accounts::attention_at.eq(moment(None));
        tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(over).execute(conn))?;
    }
    let n_rows = tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(changes).execute(conn))?;
    if n_rows == 1 { Ok(()) } else { Err(StoreError::NotFound { what: "the settling account" }) }
}

/// Calls a person about a close that waits.
///
/// # Errors
/// None of its own.
pub fn call_person(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<(), StoreError> {
    let called = settling_accounts::attention_at.eq(Some(now.0));
    tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(called).execute(conn)).map(drop)
}

/// Nothing waits to be closed any more.
///
/// # Errors
/// None of its own.
pub fn end_drain(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId) -> Result<(), StoreError> {
    let changes = (
        settling_accounts::wanted_at.eq(None::<i64>),
        settling_accounts::wanted_by.eq(None::<String>),
        settling_accounts::held_at.eq(None::<i64>),
        settling_accounts::holds.eq(0),
        settling_accounts::attention_at.eq(moment(None)),
    );
    tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(changes).execute(conn)).map(drop)
}

/// A person puts a close off: nothing waits to be closed any more, nor does core want it on that day. After [`begin`], in the account's turn
/// ([`super::take_turn`]).
///
/// # Errors
/// None of its own.
pub fn put_off(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, now: Millis) -> Result<(), StoreError> {
    end_drain(tx, scope, account)?;
    let put_off = settling_accounts::put_off_at.eq(Some(now.0));
    tx.run(scope, |conn| diesel::update(row_of(scope, account)).set(put_off).execute(conn)).map(drop)
}

/// Accounts that are held back for a close, of all tenants, those held longest first.
///
/// # Errors
/// None of its own.
pub fn held(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    limit: u32,
) -> Result<Vec<(TenantScope, ChannelAccountId)>, StoreError> {
    let rows: Vec<(Txt<TenantId>, Txt<ChannelAccountId>)> = tx.run(platform, |conn| {
        settling_accounts::table
            .filter(settling_accounts::held_at.gt(now.plus(-HOLD_MS).0))
            .order(settling_accounts::held_at)
            .limit(limit.into())
            .select((settling_accounts::tenant_id, settling_accounts::channel_account_id))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(tenant, account)| (access::of_row(tenant.0), account.0)).collect())
}

/// Batches, and closes that wait, that a person is called for: of all tenants. A close that was given up waits no more.
///
/// # Errors
/// `Corrupt`.
pub fn waiting_count(tx: &mut Tx<'_>, platform: &PlatformScope, now: Millis) -> Result<u64, StoreError> {
    let of_batches: i64 = tx.run(platform, |conn| {
        settlement_batches::table.filter(settlement_batches::attention_at.is_not_null()).count().get_result(conn)
    })?;
    let called: Vec<Row> = tx.run(platform, |conn| {
        settling_accounts::table
            .filter(settling_accounts::attention_at.is_not_null())
            .select(Row::as_select())
            .load(conn)
    })?;
    let mut of_accounts = 0;
    for row in called {
        of_accounts += u64::from(Settling::try_from(row)?.drain.is_some_and(|drain| drain.is_wanted_at(now)));
    }
    Ok(unsigned(of_batches)? + of_accounts)
}

/// Whether new payments and refunds of the account have to wait: for a close, or for what the scheme says to its batch.
///
/// # Errors
/// `Corrupt`.
pub fn holds(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, now: Millis) -> Result<bool, StoreError> {
    let drain = settling(tx, scope, account)?.and_then(|settling| settling.drain);
    Ok(drain.is_some_and(|drain| drain.holds_at(now)) || is_closing(tx, scope, account, now)?)
}

/// Whether the totals of a batch of the account are on their way, and nothing may change what the scheme counts: not for longer than
/// it is held.
///
/// # Errors
/// None of its own.
pub fn is_closing(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<bool, StoreError> {
    let count: i64 = tx.run(scope, |conn| {
        super::of_account(scope, account)
            .filter(settlement_batches::state.eq_any(super::ON_THEIR_WAY))
            // What a clock wrote that ran far ahead holds nobody for so long; the other node's may be a little ahead of this one's.
            .filter(settlement_batches::holds_until.between(now.0 + 1, now.plus(HOLD_MS + APART_MS_MAX).0))
            .count()
            .get_result(conn)
    })?;
    Ok(count > 0)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, account: ChannelAccountId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let account: Txt<ChannelAccountId> = Txt(account);
    settling_accounts::table
        .filter(settling_accounts::tenant_id.eq(tenant))
        .filter(settling_accounts::channel_account_id.eq(account))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = settling_accounts)]
struct Row {
    from_set: i64,
    wanted_at: Option<i64>,
    wanted_by: Option<String>,
    held_at: Option<i64>,
    holds: i32,
    attention_at: Option<i64>,
    busy_until: Option<i64>,
    put_off_at: Option<i64>,
}

impl TryFrom<Row> for Settling {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let drain = match (row.wanted_at, row.held_at) {
            (Some(wanted_at), Some(held_at)) => {
                Some(Drain { wanted_at: Millis(wanted_at), held_at: Millis(held_at), holds: unsigned32(row.holds)? })
            }
            _ => None,
        };
        Ok(Self {
            from_set: row.from_set,
            drain,
            wanted_by: row.wanted_by,
            attention_at: millis(row.attention_at),
            busy_until: millis(row.busy_until),
            put_off_at: millis(row.put_off_at),
        })
    }
}
