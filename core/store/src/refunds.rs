//! Attempts to give money back, by refund or by void.

use saoma_domain::refund::Refund;
use saoma_protocol::{Millis, PaymentId, RefundId};

use crate::{Insertion, PlatformScope, StoreError, TenantScope, Tx};

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
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, refund: RefundId) -> Result<StoredRefund, StoreError> {
    todo!()
}

/// Oldest first.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<StoredRefund>, StoreError> {
    todo!()
}

/// Saves state, channel reference, schedule and `updated_at` if the row still has `refund.version`, which is then one
/// higher in the row and in `refund`. Ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, refund: &mut StoredRefund) -> Result<(), StoreError> {
    todo!()
}

/// Moves the next attempt without a new version, and ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale` if the row has another version by now.
pub fn reschedule(tx: &mut Tx<'_>, scope: &TenantScope, refund: &StoredRefund) -> Result<(), StoreError> {
    todo!()
}

/// Takes refunds whose next attempt is due: no other worker gets them until `lease_until`, or until they are saved.
///
/// # Errors
/// None of its own.
pub fn claim_due_for_resolving(
    tx: &mut Tx<'_>,
    _: &PlatformScope,
    now: Millis,
    lease_until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    todo!()
}

/// When the next attempt is due. Leases count as due when they end.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, _: &PlatformScope) -> Result<Option<Millis>, StoreError> {
    todo!()
}
