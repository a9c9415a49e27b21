//! A payment as it lies in its row: the domain's state taken apart into columns, and put together again.

use diesel::prelude::*;
use saoma_domain::payment::{Capture, Close, Method, Payment, State};
use saoma_protocol::{
    ChannelAccountId, Currency, Millis, OrderId, PaymentId, StoreId, TenantId, TerminalId,
    api::{Failure, PaymentState},
};

use crate::{
    StoreError, TenantScope,
    column::{Tag, Txt, amount, basis_points, corrupt, millis, moment, signed, signed32, unsigned, unsigned32},
    payments::StoredPayment,
    schema::payments,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = payments)]
pub struct PaymentRow {
    pub tenant_id: Txt<TenantId>,
    id: Txt<PaymentId>,
    order_id: Txt<OrderId>,
    store_id: Txt<StoreId>,
    terminal_id: Option<Txt<TerminalId>>,
    channel: String,
    channel_account_id: Option<Txt<ChannelAccountId>>,
    channel_reference: Option<String>,
    payer_hint: Option<String>,
    method: String,
    currency: Txt<Currency>,
    amount_minor: i64,
    fee_basis_points: i32,
    #[diesel(embed)]
    state: StateColumns,
    close_asked_at: Option<i64>,
    next_attempt_at: Option<i64>,
    attempts: i32,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

/// What an event changes: the columns that [`crate::payments::save`] writes.
#[derive(AsChangeset)]
#[diesel(table_name = payments, treat_none_as_null = true)]
pub struct Changes {
    channel_reference: Option<String>,
    payer_hint: Option<String>,
    #[diesel(embed)]
    state: StateColumns,
    close_asked_at: Option<i64>,
    next_attempt_at: Option<i64>,
    attempts: i32,
    lease_until: Option<i64>,
    version: i64,
    updated_at: i64,
}

/// A [`State`], each part in a column of its own; what is not true in a state is empty.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payments, treat_none_as_null = true)]
struct StateColumns {
    state: &'static str,
    public_state: Tag<PaymentState>,
    since: Option<i64>,
    expires_at: Option<i64>,
    close: Option<String>,
    captured_at: Option<i64>,
    paid_late: bool,
    refunded_minor: i64,
    reserved_minor: i64,
    failure_code: Option<String>,
    failure_message: Option<String>,
}
