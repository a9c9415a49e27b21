//! Attempts to collect an order.

use std::collections::HashMap;

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use saoma_domain::payment::{Method, Payment};
use saoma_protocol::{ChannelAccountId, Millis, OrderId, PaymentId, StoreId, TenantId, TerminalId, api::PaymentState};

use crate::{
    Insertion, PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Tag, Txt, corrupt, moment, signed, signed32, unsigned, unsigned32},
    dialect::{claim, insert_or_ignore, upsert},
    disputes,
    orders::{self, Order},
    pay_codes::{self, PayCode},
    payment_row::{Changes, PaymentRow},
    schema::{disputes as disputes_table, payment_words, payments, refunds},
    static_codes::{self, Origin},
    stored_cards,
};

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
    /// The version of the account's fee plan that it is booked with: the one when it was made. `None` for cash.
    pub fee_plan: Option<u64>,
    /// A person asked to cancel it while only the channel can say: keep asking the channel to undo it.
    pub close_asked_at: Option<Millis>,
    /// When core must next ask the channel; `None` while there is nothing to ask.
    pub next_attempt_at: Option<Millis>,
    /// How often core has asked since it last had an answer that moved the payment.
    pub attempts: u32,
    pub watch: Watch,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// What is known of a payment or refund that the channel leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Something contradicts the channel's last definite word; of a refund: persons settled it, and the channel has not spoken
    /// since.
    pub doubted_at: Option<Millis>,
    /// Since when a person is called.
    pub attention_at: Option<Millis>,
    /// How often the channel was asked in all.
    pub asked: u32,
    /// What it said last, or how it kept silent; in words, without secrets.
    pub last_said: Option<String>,
    pub last_said_at: Option<Millis>,
}

/// A payment with all that a view of it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub payment: StoredPayment,
    pub order: Order,
    pub code: Option<PayCode>,
    /// If it came through one.
    pub static_code: Option<Origin>,
    /// When a terminal sold it without a network, if one did.
    pub stored_at: Option<Millis>,
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
    /// Only those for which, or for a refund or dispute of which, a person is called.
    pub attention: bool,
}

/// A place in the list, by `created_at`.
pub type Cursor = crate::Cursor<PaymentId>;

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
    let row = PaymentRow::new(scope, &StoredPayment { version: 1, ..payment.clone() });
    match insert_or_ignore!(tx, scope, payments::table, &row)? {
        0 => Ok(Insertion::Existing),
        _ => Ok(Insertion::Inserted),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<StoredPayment, StoreError> {
    let row: Option<PaymentRow> =
        tx.run(scope, |conn| row_of(scope, payment).select(PaymentRow::as_select()).first(conn).optional())?;
    stored(tx, scope, row.into_iter().collect())?.pop().ok_or(NO_PAYMENT)
}

/// Those of these that are the tenant's.
pub(crate) fn of_ids(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<StoredPayment>, StoreError> {
    let ids: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<PaymentRow> = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::id.eq_any(ids))
            .select(PaymentRow::as_select())
            .load(conn)
    })?;
    stored(tx, scope, rows)
}

/// How often the payment has changed; `None` if there is none.
///
/// # Errors
/// None of its own.
pub fn version(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Option<u64>, StoreError> {
    let version: Option<i64> =
        tx.run(scope, |conn| row_of(scope, payment).select(payments::version).first(conn).optional())?;
    version.map(unsigned).transpose()
}

/// The payment with its order and code.
///
/// # Errors
/// `NotFound`.
pub fn load_sale(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Sale, StoreError> {
    let payment = load(tx, scope, payment)?;
    sales(tx, scope, vec![payment])?.pop().ok_or(NO_PAYMENT)
}

/// Saves state, channel reference, payer hint, close wish, schedule and `updated_at` if the row still has
/// `payment.version`, which is then one higher in the row and in `payment`. Ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, payment: &mut StoredPayment) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, payment.payment.id).filter(payments::version.eq(signed(payment.version)));
    let changes = Changes::new(payment);
    if tx.run(scope, |conn| diesel::update(as_loaded).set(&changes).execute(conn))? == 1 {
        payment.version += 1;
        return Ok(());
    }
    load(tx, scope, payment.payment.id)?;
    Err(STALE)
}

/// Moves the next attempt without a new version (nothing happened that anybody must see), and ends a worker's lease.
///
/// # Errors
/// `NotFound`, `Stale` if the row has another version by now.
pub fn reschedule(tx: &mut Tx<'_>, scope: &TenantScope, payment: &StoredPayment) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, payment.payment.id).filter(payments::version.eq(signed(payment.version)));
    let changes = (
        payments::next_attempt_at.eq(moment(payment.next_attempt_at)),
        payments::attempts.eq(signed32(payment.attempts)),
        payments::lease_until.eq(None::<i64>),
    );
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, payment.payment.id)?;
    Err(STALE)
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
    let limit = limit.clamp(1, PAGE_MAX);
    let mut query = payments::table
        .filter(payments::tenant_id.eq(Txt(scope.tenant())))
        .order((payments::created_at.desc(), payments::id.desc()))
        // One more than asked for tells whether there is a next page.
        .limit(i64::from(limit) + 1)
        .select(PaymentRow::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(payments::public_state.eq(Tag(state)));
    }
    if let Some(store) = filter.store {
        query = query.filter(payments::store_id.eq(Txt(store)));
    }
    if let Some(terminal) = filter.terminal {
        query = query.filter(payments::terminal_id.eq(Txt(terminal)));
    }
    if let Some(account) = filter.channel_account {
        query = query.filter(payments::channel_account_id.eq(Txt(account)));
    }
    if let Some(from) = filter.from {
        query = query.filter(payments::created_at.ge(from.0));
    }
    if let Some(to) = filter.to {
        query = query.filter(payments::created_at.lt(to.0));
    }
    if filter.attention {
        let refunds_waiting = refunds::table
            .filter(refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(refunds::attention_at.is_not_null())
            .select(refunds::payment_id);
        let disputes_waiting = disputes_table::table
            .filter(disputes_table::tenant_id.eq(Txt(scope.tenant())))
            .filter(disputes_table::attention_at.is_not_null())
            .select(disputes_table::payment_id);
        let waits = payments::id.eq_any(refunds_waiting).or(payments::id.eq_any(disputes_waiting));
        query = query.filter(payments::attention_at.is_not_null().or(waits));
    }
    if let Some(Cursor { at: created_at, id }) = after {
        let same_moment = payments::created_at.eq(created_at.0).and(payments::id.lt(Txt(*id)));
        query = query.filter(payments::created_at.lt(created_at.0).or(same_moment));
    }
    let mut rows: Vec<PaymentRow> = tx.run(scope, |conn| query.load(conn))?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let page = stored(tx, scope, rows)?;
    let next = page.last().filter(|_| more).map(|last| Cursor { at: last.created_at, id: last.payment.id });
    Ok(Listed { sales: sales(tx, scope, page)?, next })
}

/// Notes what the channel said when it was asked, without a new version.
///
/// # Errors
/// None of its own: a payment that is gone is left alone.
pub fn note_said(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    words: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let row = (
        payment_words::tenant_id.eq(Txt(scope.tenant())),
        payment_words::payment_id.eq(Txt(payment)),
        payment_words::asked.eq(1),
        payment_words::last_said.eq(words),
        payment_words::last_said_at.eq(at.0),
    );
    let changes = (
        payment_words::asked.eq(payment_words::asked + 1),
        payment_words::last_said.eq(words),
        payment_words::last_said_at.eq(at.0),
    );
    let key = (payment_words::tenant_id, payment_words::payment_id);
    upsert!(tx, scope, payment_words::table, row, key, changes).map(drop)
}

/// Puts what the channel said to a payment that is shown with it.
fn with_words(tx: &mut Tx<'_>, scope: &TenantScope, payment: &mut StoredPayment) -> Result<(), StoreError> {
    let found: Option<(i32, String, i64)> = tx.run(scope, |conn| {
        payment_words::table
            .filter(payment_words::tenant_id.eq(Txt(scope.tenant())))
            .filter(payment_words::payment_id.eq(Txt(payment.payment.id)))
            .select((payment_words::asked, payment_words::last_said, payment_words::last_said_at))
            .first(conn)
            .optional()
    })?;
    if let Some((asked, last_said, last_said_at)) = found {
        payment.watch.asked = unsigned32(asked)?;
        payment.watch.last_said = Some(last_said);
        payment.watch.last_said_at = Some(Millis(last_said_at));
    }
    Ok(())
}

/// All attempts at an order, oldest first.
///
/// # Errors
/// None of its own.
pub fn of_order(tx: &mut Tx<'_>, scope: &TenantScope, order: OrderId) -> Result<Vec<StoredPayment>, StoreError> {
    let rows: Vec<PaymentRow> = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::order_id.eq(Txt(order)))
            .order((payments::created_at, payments::id))
            .select(PaymentRow::as_select())
            .load(conn)
    })?;
    stored(tx, scope, rows)
}

/// Payments whose code on show is over at `now`, oldest first, but for those of the accounts in `without`.
///
/// # Errors
/// None of its own.
pub fn due_for_expiry(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    now: Millis,
    without: &[ChannelAccountId],
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let without: Vec<Txt<ChannelAccountId>> = without.iter().copied().map(Txt).collect();
    let rows: Vec<PaymentRow> = tx.run(platform, |conn| {
        payments::table
            .filter(payments::state.eq("presenting"))
            .filter(payments::expires_at.not_between(now.0 + 1, now.plus(AHEAD_MS_MAX).0))
            .filter(payments::channel_account_id.ne_all(without))
            .order(payments::expires_at)
            .limit(limit.into())
            .select(PaymentRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(due).collect()
}

/// Takes payments whose next attempt is due: no other worker gets them until `lease_until`, or until they are saved. At most
/// [`IN_HAND_MAX`] of one channel account are in hand at once, over all workers, so that a slow channel stops itself alone.
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
    let never = payments::table.filter(payments::next_attempt_at.gt(now.plus(AHEAD_MS_MAX).0));
    tx.run(platform, |conn| diesel::update(never).set(payments::next_attempt_at.eq(now.0)).execute(conn))?;
    let leased: Vec<(Option<Txt<ChannelAccountId>>, i64)> = tx.run(platform, |conn| {
        payments::table
            .filter(payments::lease_until.gt(now.0))
            .filter(payments::lease_until.le(now.plus(AHEAD_MS_MAX).0))
            .group_by(payments::channel_account_id)
            .select((payments::channel_account_id, count_star()))
            .load(conn)
    })?;
    let mut in_hand: HashMap<Option<ChannelAccountId>, i64> =
        leased.into_iter().map(|(account, count)| (account.map(|account| account.0), count)).collect();
    let mut due = Vec::new();
    loop {
        let full: Vec<Txt<ChannelAccountId>> = in_hand
            .iter()
            .filter(|(_, count)| **count >= IN_HAND_MAX)
            .filter_map(|(account, _)| account.map(Txt))
            .collect();
        let room = i64::from(limit) - due.len() as i64;
        let rows: Vec<Waiting> = claim!(
            tx,
            platform,
            payments::table
                .filter(payments::next_attempt_at.le(now.0))
                .filter(
                    payments::lease_until
                        .is_null()
                        .or(payments::lease_until.not_between(now.0 + 1, now.plus(AHEAD_MS_MAX).0))
                )
                .filter(payments::channel_account_id.ne_all(full.clone()))
                .order(payments::next_attempt_at)
                .limit(room)
                .select((payments::tenant_id, payments::id, payments::channel_account_id))
        )?;
        let mut passed_over = false;
        for (tenant, id, account) in rows {
            let count = in_hand.entry(account.map(|account| account.0)).or_default();
            if *count >= IN_HAND_MAX {
                passed_over = true;
                continue;
            }
            *count += 1;
            let scope = access::of_row(tenant.0);
            let lease = payments::lease_until.eq(lease_until.0);
            tx.run(platform, |conn| diesel::update(row_of(&scope, id.0)).set(lease).execute(conn))?;
            due.push(Due { payment: load(tx, &scope, id.0)?, scope });
        }
        // Each round fills at least one account more, so this ends.
        if !passed_over || due.len() >= limit as usize {
            return Ok(due);
        }
    }
}

/// No attempt and no end of a code (3,600 s) is ever planned further ahead than this, in milliseconds: what is was written by a
/// clock that has been set back since, and is due.
pub(crate) const AHEAD_MS_MAX: i64 = 3_660_000;

/// Whose a payment is, which, and through which account it goes.
type Waiting = (Txt<TenantId>, Txt<PaymentId>, Option<Txt<ChannelAccountId>>);

/// Most payments of one channel account that workers have in hand at once. On PostgreSQL two claims at the same
/// instant do not see each other, so it may be passed by one batch.
pub const IN_HAND_MAX: i64 = 8;

/// When the next expiry or attempt is due, so that a worker knows how long to sleep. Leases count as due when they end.
///
/// # Errors
/// None of its own.
pub fn next_due_at(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Option<Millis>, StoreError> {
    let expiry: Option<i64> = tx.run(platform, |conn| {
        payments::table
            .filter(payments::state.eq("presenting"))
            .filter(payments::expires_at.is_not_null())
            .order(payments::expires_at)
            .select(payments::expires_at.assume_not_null())
            .first(conn)
            .optional()
    })?;
    let attempt: Option<i64> = tx.run(platform, |conn| {
        payments::table
            .filter(payments::next_attempt_at.is_not_null())
            .filter(payments::lease_until.is_null())
            .order(payments::next_attempt_at)
            .select(payments::next_attempt_at.assume_not_null())
            .first(conn)
            .optional()
    })?;
    let lease: Option<i64> = tx.run(platform, |conn| {
        payments::table
            .filter(payments::next_attempt_at.is_not_null())
            .filter(payments::lease_until.is_not_null())
            .select(min(payments::lease_until))
            .first(conn)
    })?;
    Ok([expiry, attempt, lease].into_iter().flatten().min().map(Millis))
}

/// Payments whose end is not known yet, of all tenants: all of them, and those whose channel gave no answer.
///
/// # Errors
/// None of its own.
pub fn open_count(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<(u64, u64), StoreError> {
    let open = payments::table.filter(payments::next_attempt_at.is_not_null());
    let all: i64 = tx.run(platform, |conn| open.count().get_result(conn))?;
    let unknown: i64 = tx.run(platform, |conn| open.filter(payments::state.eq("unknown")).count().get_result(conn))?;
    Ok((unsigned(all)?, unsigned(unknown)?))
}

/// Most payments of one page.
pub const PAGE_MAX: u32 = 200;

const NO_PAYMENT: StoreError = StoreError::NotFound { what: "the payment" };
const STALE: StoreError = StoreError::Stale { what: "the payment" };

fn due(row: PaymentRow) -> Result<Due, StoreError> {
    // While a code is on show nothing is captured that could be disputed.
    Ok(Due { scope: access::of_row(row.tenant_id.0), payment: row.stored(0)? })
}

/// The rows as payments, each with what its disputes have of it.
fn stored(tx: &mut Tx<'_>, scope: &TenantScope, rows: Vec<PaymentRow>) -> Result<Vec<StoredPayment>, StoreError> {
    let disputed: Vec<PaymentId> = rows.iter().filter(|row| row.is_disputed()).map(PaymentRow::id).collect();
    let mut sums = if disputed.is_empty() { HashMap::new() } else { disputes::held_minor(tx, scope, &disputed)? };
    rows.into_iter()
        .map(|row| {
            let disputed_minor = sums.remove(&row.id()).unwrap_or_default();
            row.stored(disputed_minor)
        })
        .collect()
}

/// Puts orders and codes to payments, whose order stays.
fn sales(tx: &mut Tx<'_>, scope: &TenantScope, payments: Vec<StoredPayment>) -> Result<Vec<Sale>, StoreError> {
    let order_ids: Vec<_> = payments.iter().map(|payment| payment.order).collect();
    let ids: Vec<_> = payments.iter().map(|payment| payment.payment.id).collect();
    let orders: HashMap<_, _> =
        orders::of_ids(tx, scope, &order_ids)?.into_iter().map(|order| (order.id, order)).collect();
    let mut codes: HashMap<_, _> =
        pay_codes::of_payments(tx, scope, &ids)?.into_iter().map(|code| (code.payment, code)).collect();
    let shown = payments.iter().filter(|payment| payment.payment.method == Method::MerchantPresented);
    let shown: Vec<_> = shown.map(|payment| payment.payment.id).collect();
    let mut origins: HashMap<_, _> = match shown.as_slice() {
        [] => HashMap::new(),
        shown => static_codes::of_payments(tx, scope, shown)?.into_iter().collect(),
    };
    let by_card = payments.iter().filter(|payment| payment.payment.method == Method::Card);
    let by_card: Vec<_> = by_card.map(|payment| payment.payment.id).collect();
    let mut stored = match by_card.as_slice() {
        [] => HashMap::new(),
        by_card => stored_cards::of_payments(tx, scope, by_card)?,
    };
    payments
        .into_iter()
        .map(|mut payment| {
            if payment.watch.attention_at.is_some() || payment.attempts > 0 {
                with_words(tx, scope, &mut payment)?;
            }
            let order = orders.get(&payment.order).cloned().ok_or_else(|| corrupt("a payment without its order"))?;
            let (code, static_code) = (codes.remove(&payment.payment.id), origins.remove(&payment.payment.id));
            let stored_at = stored.remove(&payment.payment.id);
            Ok(Sale { order, code, static_code, stored_at, payment })
        })
        .collect()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, payment: PaymentId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<PaymentId> = Txt(payment);
    payments::table.filter(payments::tenant_id.eq(tenant)).filter(payments::id.eq(id))
}
