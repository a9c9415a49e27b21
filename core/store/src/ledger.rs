//! The tenant's books: posting sets that are written once and never changed. Balances are derived.

use saoma_domain::ledger::{Account, Posting, PostingSet};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PaymentId, RefundId};

use crate::{PlatformScope, StoreError, TenantScope, Tx};

/// Why money moved. With the payment and refund it names a movement once and for all: booking it again is a `Conflict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    /// For example `captured`, `refund_reserved`, `refund_succeeded`, `refund_failed`, `undone`.
    pub kind: &'static str,
    /// Whose clearing account is meant; `None` for cash.
    pub channel_account: Option<ChannelAccountId>,
    pub at: Millis,
}

/// A set as it stands in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedSet {
    /// Grows over all tenants, with gaps.
    pub id: u64,
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    pub kind: String,
    pub channel_account: Option<ChannelAccountId>,
    pub at: Millis,
    pub postings: Vec<Posting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    pub account: Account,
    /// Set for clearing accounts alone.
    pub channel_account: Option<ChannelAccountId>,
    /// Positive: a debit balance.
    pub money: Money,
}

/// All debits and credits of one currency; equal, or the books are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialBalance {
    pub currency: Currency,
    pub debits_minor: i64,
    /// As a positive number.
    pub credits_minor: i64,
}

/// A way in which books are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A set that does not sum to zero, has one posting or none, or mixes currencies.
    Set { scope: TenantScope, id: u64 },
    /// A currency whose postings do not sum to zero.
    Sum { scope: TenantScope, money: Money },
    /// A payment or refund whose row and whose postings tell different stories.
    Payment { scope: TenantScope, payment: PaymentId, why: String },
}

/// Books the sets of one movement. No set is fine: nothing moved (a fee of zero).
///
/// # Errors
/// `Conflict` if that movement was booked before, `NotFound` if the payment is not the tenant's.
pub fn post(tx: &mut Tx<'_>, scope: &TenantScope, booking: &Booking, sets: &[PostingSet]) -> Result<(), StoreError> {
    todo!()
}

/// In the order in which they were booked.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<BookedSet>, StoreError> {
    todo!()
}

/// Every account that was ever posted to.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn balances(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Balance>, StoreError> {
    todo!()
}

/// A line per currency.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn trial_balance(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<TrialBalance>, StoreError> {
    todo!()
}

/// What is broken in one tenant's books; empty when they hold.
///
/// # Errors
/// None of its own.
pub fn check(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Broken>, StoreError> {
    todo!()
}

/// What is broken in anybody's books; empty when they hold. Reads everything: for the invariant worker and tests.
///
/// # Errors
/// None of its own.
pub fn check_all(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<Broken>, StoreError> {
    todo!()
}
