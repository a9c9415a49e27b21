//! Attempts to give money back, by refund or by void.

use std::collections::HashMap;

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use saoma_domain::refund::{Refund, State};
use saoma_protocol::{Currency, Millis, PaymentId, RefundId, TenantId, api::RefundKind};

use crate::{
    Insertion, PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Tag, Txt, amount, corrupt, millis, moment, signed, signed32, unsigned, unsigned32},
    dialect::{claim, insert_or_ignore},
    payment_row::failure,
    payments::AHEAD_MS_MAX,
    payments::Watch,
    schema::refunds,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRefund {
    pub refund: Refund,
    pub payment: PaymentId,
    /// 1 when inserted; [`save`] adds one.
    pub version: u64,
    pub reason: Option<String>,
    /// Who asked for it, as [`crate::Principal::actor`] names them; `core` for core itself.
    pub requested_by: String,
    pub channel_reference: Option<String>,
    pub next_attempt_at: Option<Millis>,
    pub attempts: u32,
    pub watch: Watch,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// Work on a refund that is due, of any tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub refund: StoredRefund,
}

/// `refund.version` is not read: it becomes 1.
///
/// # Errors
/// `NotFound` if the payment is not the tenant's.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, refund: &StoredRefund) -> Result<Insertion, StoreError> {
    let row = RefundRow::new(scope, &StoredRefund { version: 1, ..refund.clone() });
    match insert_or_ignore!(tx, scope, refunds::table, &row)? {
        0 => Ok(Insertion::Existing),
        _ => Ok(Insertion::Inserted),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, refund: RefundId) -> Result<StoredRefund, StoreError> {
    let row: Option<RefundRow> =
        tx.run(scope, |conn| row_of(scope, refund).select(RefundRow::as_select()).first(conn).optional())?;
    row.ok_or(NO_REFUND)?.try_into()
}

/// Oldest first.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<StoredRefund>, StoreError> {
    of_payments(tx, scope, &[payment])
}

pub(crate) fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<StoredRefund>, StoreError> {
    let payments: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<RefundRow> = tx.run(scope, |conn| {
        refunds::table
            .filter(refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(refunds::payment_id.eq_any(payments))
            .order((refunds::created_at, refunds::id))
            .select(RefundRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredRefund::try_from).collect()
}

/// Saves state, channel reference, schedule and `updated_at` if the row still has `refund.version`, which is then one
/// higher in the row and in `refund`. Ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, refund: &mut StoredRefund) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, refund.refund.id).filter(refunds::version.eq(signed(refund.version)));
    let (state, failure_code, failure_message) = state_columns(&refund.refund.state);
    let changes = (
        refunds::state.eq(state),
        refunds::failure_code.eq(failure_code),
        refunds::failure_message.eq(failure_message),
        refunds::channel_reference.eq(&refund.channel_reference),
        refunds::next_attempt_at.eq(moment(refund.next_attempt_at)),
        refunds::attempts.eq(signed32(refund.attempts)),
        refunds::attention_at.eq(moment(refund.watch.attention_at)),
        refunds::doubted_at.eq(moment(refund.watch.doubted_at)),
        refunds::lease_until.eq(None::<i64>),
        refunds::version.eq(signed(refund.version + 1)),
        refunds::updated_at.eq(refund.updated_at.0),
    );
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        refund.version += 1;
        return Ok(());
    }
    load(tx, scope, refund.refund.id)?;
    Err(STALE)
}

/// Moves the next attempt without a new version, and ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale` if the row has another version by now.
pub fn reschedule(tx: &mut Tx<'_>, scope: &TenantScope, refund: &StoredRefund) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, refund.refund.id).filter(refunds::version.eq(signed(refund.version)));
    let changes = (
        refunds::next_attempt_at.eq(moment(refund.next_attempt_at)),
        refunds::attempts.eq(signed32(refund.attempts)),
        refunds::attention_at.eq(moment(refund.watch.attention_at)),
        refunds::lease_until.eq(None::<i64>),
    );
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, refund.refund.id)?;
    Err(STALE)
}

/// Notes what the channel said when it was asked, without a new version.
///
/// # Errors
/// None of its own.
pub fn note_said(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    refund: RefundId,
    words: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let changes = (refunds::asked.eq(refunds::asked + 1), refunds::last_said.eq(words), refunds::last_said_at.eq(at.0));
    tx.run(scope, |conn| diesel::update(row_of(scope, refund)).set(changes).execute(conn)).map(drop)
}

/// Takes refunds whose next attempt is due: no other worker gets them until `lease_until`, or until they are saved. At most
/// [`IN_HAND_MAX`] of one tenant are in hand at once, over all workers.
///
/// # Errors
/// None of its own.
pub fn claim_due_for_resolving(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    // What a clock wrote that ran ahead is not waited for.
    let never = refunds::table.filter(refunds::next_attempt_at.gt(now.plus(AHEAD_MS_MAX).0));
    tx.run(platform, |conn| diesel::update(never).set(refunds::next_attempt_at.eq(now.0)).execute(conn))?;
    let leased: Vec<(Txt<TenantId>, i64)> = tx.run(platform, |conn| {
        refunds::table
            .filter(refunds::lease_until.gt(now.0))
            .filter(refunds::lease_until.le(now.plus(AHEAD_MS_MAX).0))
            .group_by(refunds::tenant_id)
            .select((refunds::tenant_id, count_star()))
            .load(conn)
    })?;
    let mut in_hand: HashMap<TenantId, i64> = leased.into_iter().map(|(tenant, count)| (tenant.0, count)).collect();
    let mut due = Vec::new();
    loop {
        let full: Vec<Txt<TenantId>> =
            in_hand.iter().filter(|(_, count)| **count >= IN_HAND_MAX).map(|(tenant, _)| Txt(*tenant)).collect();
        let room = i64::from(limit) - due.len() as i64;
        let rows: Vec<(Txt<TenantId>, Txt<RefundId>)> = claim!(
            tx,
            platform,
            refunds::table
                .filter(refunds::next_attempt_at.le(now.0))
                .filter(
                    refunds::lease_until
                        .is_null()
                        .or(refunds::lease_until.not_between(now.0 + 1, now.plus(AHEAD_MS_MAX).0))
                )
                .filter(refunds::tenant_id.ne_all(full.clone()))
                .order(refunds::next_attempt_at)
                .limit(room)
                .select((refunds::tenant_id, refunds::id))
        )?;
        let mut passed_over = false;
        for (tenant, id) in rows {
            let count = in_hand.entry(tenant.0).or_default();
            if *count >= IN_HAND_MAX {
                passed_over = true;
                continue;
            }
            *count += 1;
            let scope = access::of_row(tenant.0);
            let lease = refunds::lease_until.eq(lease_until.0);
            tx.run(platform, |conn| diesel::update(row_of(&scope, id.0)).set(lease).execute(conn))?;
            due.push(Due { refund: load(tx, &scope, id.0)?, scope });
        }
        // Each round fills at least one tenant more, so this ends.
        if !passed_over || due.len() >= limit as usize {
            return Ok(due);
        }
    }
}

/// Most refunds of one tenant that workers have in hand at once. On PostgreSQL two claims at the same
/// instant do not see each other, so it may be passed by one batch.
pub const IN_HAND_MAX: i64 = 16;

/// When the next attempt is due. Leases count as due when they end.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Option<Millis>, StoreError> {
    let attempt: Option<i64> = tx.run(platform, |conn| {
        refunds::table
            .filter(refunds::next_attempt_at.is_not_null())
            .filter(refunds::lease_until.is_null())
            .order(refunds::next_attempt_at)
            .select(refunds::next_attempt_at.assume_not_null())
            .first(conn)
            .optional()
    })?;
    let lease: Option<i64> = tx.run(platform, |conn| {
        refunds::table
            .filter(refunds::next_attempt_at.is_not_null())
            .filter(refunds::lease_until.is_not_null())
            .select(min(refunds::lease_until))
            .first(conn)
    })?;
    Ok([attempt, lease].into_iter().flatten().min().map(Millis))
}

const NO_REFUND: StoreError = StoreError::NotFound { what: "the refund" };
const STALE: StoreError = StoreError::Stale { what: "the refund" };

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, refund: RefundId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<RefundId> = Txt(refund);
    refunds::table.filter(refunds::tenant_id.eq(tenant)).filter(refunds::id.eq(id))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refunds)]
struct RefundRow {
    tenant_id: Txt<TenantId>,
    id: Txt<RefundId>,
    payment_id: Txt<PaymentId>,
    kind: Tag<RefundKind>,
    currency: Txt<Currency>,
    amount_minor: i64,
    state: String,
    failure_code: Option<String>,
    failure_message: Option<String>,
    reason: Option<String>,
    requested_by: String,
    channel_reference: Option<String>,
    next_attempt_at: Option<i64>,
    attempts: i32,
    version: i64,
    created_at: i64,
    updated_at: i64,
    attention_at: Option<i64>,
    asked: i32,
    last_said: Option<String>,
    last_said_at: Option<i64>,
    doubted_at: Option<i64>,
}

impl RefundRow {
    fn new(scope: &TenantScope, stored: &StoredRefund) -> Self {
        let refund = &stored.refund;
        let (state, failure_code, failure_message) = state_columns(&refund.state);
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(refund.id),
            payment_id: Txt(stored.payment),
            kind: Tag(refund.kind),
            currency: Txt(refund.amount.currency()),
            amount_minor: refund.amount.minor(),
            state: state.to_owned(),
            failure_code,
            failure_message,
            reason: stored.reason.clone(),
            requested_by: stored.requested_by.clone(),
            channel_reference: stored.channel_reference.clone(),
            next_attempt_at: moment(stored.next_attempt_at),
            attempts: signed32(stored.attempts),
            version: signed(stored.version),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
            attention_at: moment(stored.watch.attention_at),
            asked: signed32(stored.watch.asked),
            last_said: stored.watch.last_said.clone(),
            last_said_at: moment(stored.watch.last_said_at),
            doubted_at: moment(stored.watch.doubted_at),
        }
    }
}

impl TryFrom<RefundRow> for StoredRefund {
    type Error = StoreError;

    fn try_from(row: RefundRow) -> Result<Self, StoreError> {
        let state = match row.state.as_str() {
            "created" => State::Created,
            "submitting" => State::Submitting,
            "pending" => State::Pending,
            "unknown" => State::Unknown,
            "succeeded" => State::Succeeded,
            "failed" => State::Failed { failure: failure(row.failure_code, row.failure_message)? },
            other => return Err(corrupt(format!("a refund in state {other:?}"))),
        };
        let amount = amount(row.amount_minor, row.currency.0)?;
        Ok(Self {
            refund: Refund { id: row.id.0, kind: row.kind.0, amount, state },
            payment: row.payment_id.0,
            version: unsigned(row.version)?,
            reason: row.reason,
            requested_by: row.requested_by,
            channel_reference: row.channel_reference,
            next_attempt_at: millis(row.next_attempt_at),
            attempts: unsigned32(row.attempts)?,
            watch: Watch {
                doubted_at: millis(row.doubted_at),
                attention_at: millis(row.attention_at),
                asked: unsigned32(row.asked)?,
                last_said: row.last_said,
                last_said_at: millis(row.last_said_at),
            },
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

fn state_columns(state: &State) -> (&'static str, Option<String>, Option<String>) {
    match state {
        State::Created => ("created", None, None),
        State::Submitting => ("submitting", None, None),
        State::Pending => ("pending", None, None),
        State::Unknown => ("unknown", None, None),
        State::Succeeded => ("succeeded", None, None),
        State::Failed { failure } => ("failed", Some(failure.code.clone()), Some(failure.message.clone())),
    }
}
