//! Attempts to collect an order.

use saoma_domain::{fee::BasisPoints, payment::Payment};
use saoma_protocol::{ChannelAccountId, Millis, OrderId, PaymentId, Sequence, StoreId, TerminalId, api::PaymentState};

use crate::{Insertion, PlatformScope, StoreError, TenantScope, Tx, orders::Order, pay_codes::PayCode};

/// A payment with what is kept beside the part that rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPayment {
    pub payment: Payment,
    /// 1 when inserted; [`save`] adds one.
    pub version: u64,
    pub order: OrderId,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    /// Name of the plugin, or `cash`.
    pub channel: String,
    /// `None` for cash.
    pub channel_account: Option<ChannelAccountId>,
    /// The channel's own number, once it gave one.
    pub channel_reference: Option<String>,
    /// Who paid, as masked by the channel.
    pub payer_hint: Option<String>,
    /// The account's rate when the payment was made.
    pub fee: BasisPoints,
    /// A person asked to cancel it while only the channel can say: keep asking the channel to undo it.
    pub close_asked_at: Option<Millis>,
    /// When core must next ask the channel; `None` while there is nothing to ask.
    pub next_attempt_at: Option<Millis>,
    /// How often core has asked since it last had an answer that moved the payment.
    pub attempts: u32,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// A payment with all that a view of it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub payment: StoredPayment,
    pub order: Order,
    pub code: Option<PayCode>,
}

/// Which payments to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<PaymentState>,
    pub store: Option<StoreId>,
    pub terminal: Option<TerminalId>,
    pub channel_account: Option<ChannelAccountId>,
    /// Created at or after.
    pub from: Option<Millis>,
    /// Created before.
    pub to: Option<Millis>,
}

/// A place in the list: after this payment. Its text is for the API's `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: Millis,
    pub id: PaymentId,
}

/// A page of the list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub sales: Vec<Sale>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// Work on a payment that is due, of any tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub payment: StoredPayment,
}

/// The order must be stored first. `payment.version` is not read: it becomes 1.
///
/// # Errors
/// `NotFound` if the order is not the tenant's.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, payment: &StoredPayment) -> Result<Insertion, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<StoredPayment, StoreError> {
    todo!()
}

/// The payment with its order and code.
///
/// # Errors
/// `NotFound`.
pub fn load_sale(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Sale, StoreError> {
    todo!()
}

/// Saves state, channel reference, payer hint, close wish, schedule and `updated_at` if the row still has
/// `payment.version`, which is then one higher in the row and in `payment`. Ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, payment: &mut StoredPayment) -> Result<(), StoreError> {
    todo!()
}

/// Moves the next attempt without a new version (nothing happened that anybody must see), and ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale` if the row has another version by now.
pub fn reschedule(tx: &mut Tx<'_>, scope: &TenantScope, payment: &StoredPayment) -> Result<(), StoreError> {
    todo!()
}

/// Newest first, at most `limit` (1 to 200).
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Listed, StoreError> {
    todo!()
}

/// Payments whose code on show is over at `now`, oldest first.
///
/// # Errors
/// None of its own.
pub fn due_for_expiry(tx: &mut Tx<'_>, _: &PlatformScope, now: Millis, limit: u32) -> Result<Vec<Due>, StoreError> {
    todo!()
}

/// Takes payments whose next attempt is due: no other worker gets them until `lease_until`, or until they are saved.
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

/// When the next expiry or attempt is due, so that a worker knows how long to sleep. Leases count as due when they end.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, _: &PlatformScope) -> Result<Option<Millis>, StoreError> {
    todo!()
}
