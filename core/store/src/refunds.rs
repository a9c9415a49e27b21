//! Attempts to give money back, by refund or by void.

use diesel::{dsl::min, prelude::*};
use saoma_domain::refund::{Refund, State};
use saoma_protocol::{Currency, Millis, PaymentId, RefundId, TenantId, api::RefundKind};

use crate::{
    Insertion, PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Tag, Txt, amount, corrupt, millis, moment, signed, signed32, unsigned, unsigned32},
    dialect::{claim, insert_or_ignore},
    payment_row::failure,
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
        refunds::lease_until.eq(None::<i64>),
    );
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, refund.refund.id)?;
    Err(STALE)
}

/// Takes refunds whose next attempt is due: no other worker gets them until `lease_until`, or until they are saved.
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
    let ids: Vec<(Txt<TenantId>, Txt<RefundId>)> = claim!(
        tx,
        platform,
        refunds::table
            .filter(refunds::next_attempt_at.le(now.0))
            .filter(refunds::lease_until.is_null().or(refunds::lease_until.le(now.0)))
            .order(refunds::next_attempt_at)
            .limit(limit.into())
            .select((refunds::tenant_id, refunds::id))
    )?;
    ids.into_iter()
        .map(|(tenant, id)| {
            let scope = access::of_row(tenant.0);
            let lease = refunds::lease_until.eq(lease_until.0);
            tx.run(platform, |conn| diesel::update(row_of(&scope, id.0)).set(lease).execute(conn))?;
            Ok(Due { refund: load(tx, &scope, id.0)?, scope })
        })
        .collect()
}

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
        }
    }
}

impl TryFrom<RefundRow> for StoredRefund {
    type Error = StoreError;

    fn try_from(row: RefundRow) -> Result<Self, StoreError> {
        let state = match row.state.as_str() {
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
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

fn state_columns(state: &State) -> (&'static str, Option<String>, Option<String>) {
    match state {
        State::Submitting => ("submitting", None, None),
        State::Pending => ("pending", None, None),
        State::Unknown => ("unknown", None, None),
        State::Succeeded => ("succeeded", None, None),
        State::Failed { failure } => ("failed", Some(failure.code.clone()), Some(failure.message.clone())),
    }
}
