//! Codes that a shop shows: one per merchant-presented payment.

use saoma_domain::pay_code::PayCodeId;
use saoma_protocol::{Millis, PaymentId};

use crate::{StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayCode {
    pub id: PayCodeId,
    pub payment: PaymentId,
    /// What the customer's app must receive in the end, as the channel gave it.
    pub channel_code: String,
    /// How often it was opened.
    pub scans: u32,
    /// How often it may be opened.
    pub scan_limit: u32,
    pub created_at: Millis,
    pub expires_at: Millis,
}

/// # Errors
/// `Conflict` if the code's id is taken or the payment has one.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, code: &PayCode) -> Result<(), StoreError> {
    todo!()
}

/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Option<PayCode>, StoreError> {
    todo!()
}

/// Counts one more opening; the answer is the code with the new count, which may now be past its limit.
///
/// # Errors
/// `NotFound`.
pub fn count_scan(tx: &mut Tx<'_>, scope: &TenantScope, code: PayCodeId) -> Result<PayCode, StoreError> {
    todo!()
}
