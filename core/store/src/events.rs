//! What happened to payments, written once and never changed, in one order per tenant.
//!
//! Within a tenant, a lower sequence is never seen after a higher one: a reader that has read up to N misses nothing by
//! asking for what comes after N, also with several nodes writing (they take turns from the first event to the commit).

use saoma_protocol::{Millis, PaymentId, RefundId, Sequence, StoreId, TerminalId};

use crate::{StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    /// The payment's version after the event.
    pub version: u64,
    /// What happened, for example `payment.succeeded`.
    pub kind: String,
    /// More about it as JSON text; no secrets, no codes.
    pub data_json: String,
    /// Who caused it, as [`crate::Principal::actor`] names them; `channel` or `core` otherwise.
    pub actor: String,
    /// For the live views' filters.
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Unique over all tenants, with gaps.
    pub sequence: Sequence,
    pub event: NewEvent,
}

/// # Errors
/// `NotFound` if the payment is not the tenant's.
pub fn append(tx: &mut Tx<'_>, scope: &TenantScope, event: &NewEvent) -> Result<Sequence, StoreError> {
    todo!()
}

/// All of one payment, oldest first.
///
/// # Errors
/// None of its own.
pub fn timeline(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<StoredEvent>, StoreError> {
    todo!()
}

/// The tenant's events after `after`, oldest first, for the live stream.
///
/// # Errors
/// None of its own.
pub fn after(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    after: Sequence,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    todo!()
}

/// The tenant's newest event; 0 before the first. A live stream without a place to resume from begins here.
///
/// # Errors
/// None of its own.
pub fn newest(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Sequence, StoreError> {
    todo!()
}
