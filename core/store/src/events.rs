//! What happened to payments, written once and never changed, in one order per tenant.
//!
//! Within a tenant, a lower sequence is never seen after a higher one: a reader that has read up to N misses nothing by
//! asking for what comes after N, also with several nodes writing (they take turns from the first event to the commit).

use diesel::{dsl::max, prelude::*};
use saoma_protocol::{DisputeId, Millis, PaymentId, RefundId, Sequence, StoreId, TenantId, TerminalId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, sequence, signed, unsigned},
    dialect::take_turn,
    schema::payment_events,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub payment: PaymentId,
    pub refund: Option<RefundId>,
    pub dispute: Option<DisputeId>,
    /// The payment's version after the event.
    pub version: u64,
    /// What happened, for example `succeeded`.
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
    take_turn(tx, scope)?;
    let row = NewRow {
        tenant_id: Txt(scope.tenant()),
        payment_id: Txt(event.payment),
        refund_id: event.refund.map(Txt),
        dispute_id: event.dispute.map(Txt),
        version: signed(event.version),
        kind: &event.kind,
        data_json: &event.data_json,
        actor: &event.actor,
        store_id: Txt(event.store),
        terminal_id: event.terminal.map(Txt),
        at: event.at.0,
        traceparent: tx.traceparent.clone(),
    };
    let number: i64 = tx.run(scope, |conn| {
        diesel::insert_into(payment_events::table).values(&row).returning(payment_events::sequence).get_result(conn)
    })?;
    sequence(number)
}

/// The trace in which a payment (or one of its refunds) began.
///
/// # Errors
/// None of its own.
pub fn trace_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payment: PaymentId,
    refund: Option<RefundId>,
) -> Result<Option<String>, StoreError> {
    let mut first = payment_events::table
        .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
        .filter(payment_events::payment_id.eq(Txt(payment)))
        .order(payment_events::sequence)
        .select(payment_events::traceparent)
        .into_boxed();
    if let Some(refund) = refund {
        first = first.filter(payment_events::refund_id.eq(Txt(refund)));
    }
    let found: Option<Option<String>> = tx.run(scope, |conn| first.first(conn).optional())?;
    Ok(found.flatten())
}

/// All of one payment, oldest first.
///
/// # Errors
/// None of its own.
pub fn timeline(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<StoredEvent>, StoreError> {
    let rows: Vec<EventRow> = tx.run(scope, |conn| {
        payment_events::table
            .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
            .filter(payment_events::payment_id.eq(Txt(payment)))
            .order(payment_events::sequence)
            .select(EventRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredEvent::try_from).collect()
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
    let rows: Vec<EventRow> = tx.run(scope, |conn| {
        payment_events::table
            .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
            .filter(payment_events::sequence.gt(signed(after.0)))
            .order(payment_events::sequence)
            .limit(limit.into())
            .select(EventRow::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredEvent::try_from).collect()
}

/// The tenant's newest event; 0 before the first. A live stream without a place to resume from begins here.
///
/// # Errors
/// None of its own.
pub fn newest(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Sequence, StoreError> {
    let newest: Option<i64> = tx.run(scope, |conn| {
        payment_events::table
            .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
            .select(max(payment_events::sequence))
            .first(conn)
    })?;
    sequence(newest.unwrap_or(0))
}

#[derive(Insertable)]
#[diesel(table_name = payment_events)]
struct NewRow<'a> {
    tenant_id: Txt<TenantId>,
    payment_id: Txt<PaymentId>,
    refund_id: Option<Txt<RefundId>>,
    dispute_id: Option<Txt<DisputeId>>,
    version: i64,
    kind: &'a str,
    data_json: &'a str,
    actor: &'a str,
    store_id: Txt<StoreId>,
    terminal_id: Option<Txt<TerminalId>>,
    at: i64,
    traceparent: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = payment_events)]
struct EventRow {
    sequence: i64,
    payment_id: Txt<PaymentId>,
    refund_id: Option<Txt<RefundId>>,
    dispute_id: Option<Txt<DisputeId>>,
    version: i64,
    kind: String,
    data_json: String,
    actor: String,
    store_id: Txt<StoreId>,
    terminal_id: Option<Txt<TerminalId>>,
    at: i64,
}

impl TryFrom<EventRow> for StoredEvent {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: sequence(row.sequence)?,
            event: NewEvent {
                payment: row.payment_id.0,
                refund: row.refund_id.map(|refund| refund.0),
                dispute: row.dispute_id.map(|dispute| dispute.0),
                version: unsigned(row.version)?,
                kind: row.kind,
                data_json: row.data_json,
                actor: row.actor,
                store: row.store_id.0,
                terminal: row.terminal_id.map(|terminal| terminal.0),
                at: Millis(row.at),
            },
        })
    }
}
