//! A payment as it lies in its row: the domain's state taken apart into columns, and put together again.

use diesel::prelude::*;
use saoma_domain::payment::{Capture, Close, Method, Payment, State};
use saoma_protocol::{
    ChannelAccountId, Currency, Millis, OrderId, PaymentId, StoreId, TenantId, TerminalId,
    api::{Failure, PaymentState},
};

use crate::{
    StoreError, TenantScope,
    column::{Tag, Txt, amount, corrupt, millis, moment, signed, signed32, unsigned, unsigned32},
    payments::{StoredPayment, Watch},
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
    fee_plan_version: Option<i64>,
    #[diesel(embed)]
    state: StateColumns,
    close_asked_at: Option<i64>,
    next_attempt_at: Option<i64>,
    attempts: i32,
    attention_at: Option<i64>,
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
    attention_at: Option<i64>,
    lease_until: Option<i64>,
    version: i64,
    updated_at: i64,
}

/// A [`State`], each part in a column of its own; what is not true in a state is empty.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payments, treat_none_as_null = true)]
pub struct StateColumns {
    state: String,
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

impl PaymentRow {
    pub fn new(scope: &TenantScope, stored: &StoredPayment) -> Self {
        let payment = &stored.payment;
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(payment.id),
            order_id: Txt(stored.order),
            store_id: Txt(stored.store),
            terminal_id: stored.terminal.map(Txt),
            channel: stored.channel.clone(),
            channel_account_id: stored.channel_account.map(Txt),
            channel_reference: stored.channel_reference.clone(),
            payer_hint: stored.payer_hint.clone(),
            method: payment.method.text().to_owned(),
            currency: Txt(payment.amount.currency()),
            amount_minor: payment.amount.minor(),
            fee_plan_version: stored.fee_plan.map(signed),
            state: StateColumns::new(payment),
            close_asked_at: wish(stored),
            next_attempt_at: moment(stored.next_attempt_at),
            attempts: signed32(stored.attempts),
            attention_at: moment(stored.watch.attention_at),
            version: signed(stored.version),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
        }
    }
}

impl PaymentRow {
    pub const fn id(&self) -> PaymentId {
        self.id.0
    }

    /// Whether disputes have some of it: how much, their own rows say. (diesel counts 32 columns.)
    pub fn is_disputed(&self) -> bool {
        matches!(self.state.state.as_str(), DISPUTED | DISPUTED_BY_HAND)
    }

    /// # Errors
    /// `Corrupt`.
    pub fn stored(self, disputed_minor: i64) -> Result<StoredPayment, StoreError> {
        let row = self;
        let payment = Payment {
            id: row.id.0,
            amount: amount(row.amount_minor, row.currency.0)?,
            method: method(&row.method)?,
            state: row.state.state(disputed_minor)?,
        };
        let is_over = is_over(&payment);
        Ok(StoredPayment {
            payment,
            version: unsigned(row.version)?,
            order: row.order_id.0,
            store: row.store_id.0,
            terminal: row.terminal_id.map(|terminal| terminal.0),
            channel: row.channel,
            channel_account: row.channel_account_id.map(|account| account.0),
            channel_reference: row.channel_reference,
            payer_hint: row.payer_hint,
            fee_plan: row.fee_plan_version.map(unsigned).transpose()?,
            close_asked_at: millis(row.close_asked_at).filter(|_| !is_over),
            next_attempt_at: millis(row.next_attempt_at),
            attempts: unsigned32(row.attempts)?,
            watch: Watch {
                doubted_at: millis(row.close_asked_at).filter(|_| is_over),
                attention_at: millis(row.attention_at),
                ..Watch::default()
            },
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}

impl Changes {
    /// The row's next version of `stored`. A lease ends with it.
    pub fn new(stored: &StoredPayment) -> Self {
        Self {
            channel_reference: stored.channel_reference.clone(),
            payer_hint: stored.payer_hint.clone(),
            state: StateColumns::new(&stored.payment),
            close_asked_at: wish(stored),
            next_attempt_at: moment(stored.next_attempt_at),
            attempts: signed32(stored.attempts),
            attention_at: moment(stored.watch.attention_at),
            lease_until: None,
            version: signed(stored.version + 1),
            updated_at: stored.updated_at.0,
        }
    }
}

impl StateColumns {
    fn new(payment: &Payment) -> Self {
        let mut columns = Self {
            state: String::new(),
            public_state: Tag(payment.public_state()),
            since: None,
            expires_at: None,
            close: None,
            captured_at: None,
            paid_late: false,
            refunded_minor: 0,
            reserved_minor: 0,
            failure_code: None,
            failure_message: None,
        };
        let name = match &payment.state {
            State::Created => "created",
            State::Presenting { expires_at } => {
                columns.expires_at = Some(expires_at.0);
                "presenting"
            }
            State::Submitting { since } => {
                columns.since = Some(since.0);
                "submitting"
            }
            State::Pending { since } => {
                columns.since = Some(since.0);
                "pending"
            }
            State::Unknown { since } => {
                columns.since = Some(since.0);
                "unknown"
            }
            State::Captured(Capture { at, late, by_hand, refunded_minor, reserved_minor, disputed_minor }) => {
                columns.captured_at = Some(at.0);
                columns.paid_late = *late;
                columns.refunded_minor = *refunded_minor;
                columns.reserved_minor = *reserved_minor;
                match (*by_hand, *disputed_minor > 0) {
                    (false, false) => CAPTURED,
                    (true, false) => BY_HAND,
                    (false, true) => DISPUTED,
                    (true, true) => DISPUTED_BY_HAND,
                }
            }
            State::Voided { captured_at } => {
                columns.captured_at = Some(captured_at.0);
                "voided"
            }
            State::Failed { failure } => {
                columns.failure_code = Some(failure.code.clone());
                columns.failure_message = Some(failure.message.clone());
                "failed"
            }
            State::Reversed => "reversed",
            State::Expired { close } => {
                columns.close = Some(close_text(*close).to_owned());
                "expired"
            }
            State::Cancelled { close } => {
                columns.close = Some(close_text(*close).to_owned());
                "cancelled"
            }
        };
        name.clone_into(&mut columns.state);
        columns
    }

    fn state(self, disputed_minor: i64) -> Result<State, StoreError> {
        let state = self.state;
        let part =
            |part: Option<i64>| part.map(Millis).ok_or_else(|| corrupt(format!("a payment {state:?} lacks a part")));
        Ok(match state.as_str() {
            "created" => State::Created,
            "presenting" => State::Presenting { expires_at: part(self.expires_at)? },
            "submitting" => State::Submitting { since: part(self.since)? },
            "pending" => State::Pending { since: part(self.since)? },
            "unknown" => State::Unknown { since: part(self.since)? },
            CAPTURED | BY_HAND | DISPUTED | DISPUTED_BY_HAND => State::Captured(Capture {
                at: part(self.captured_at)?,
                late: self.paid_late,
                by_hand: matches!(state.as_str(), BY_HAND | DISPUTED_BY_HAND),
                refunded_minor: self.refunded_minor,
                reserved_minor: self.reserved_minor,
                disputed_minor,
            }),
            "voided" => State::Voided { captured_at: part(self.captured_at)? },
            "failed" => State::Failed { failure: failure(self.failure_code, self.failure_message)? },
            "reversed" => State::Reversed,
            "expired" => State::Expired { close: close(self.close.as_deref())? },
            "cancelled" => State::Cancelled { close: close(self.close.as_deref())? },
            other => return Err(corrupt(format!("a payment in state {other:?}"))),
        })
    }
}

const CAPTURED: &str = "captured";
/// A capture that two persons said, and the channel has not.
const BY_HAND: &str = "captured_by_hand";
/// The same two of which disputes have some, open or lost.
const DISPUTED: &str = "captured_disputed";
const DISPUTED_BY_HAND: &str = "captured_by_hand_disputed";

/// Whether nothing is to be closed any more, so that `close_asked_at` means a doubt.
fn is_over(payment: &Payment) -> bool {
    !payment.is_open() && !matches!(payment.state, State::Created | State::Presenting { .. })
}

fn wish(stored: &StoredPayment) -> Option<i64> {
    moment(if is_over(&stored.payment) { stored.watch.doubted_at } else { stored.close_asked_at })
}

/// What a failed payment or refund failed of.
pub fn failure(code: Option<String>, message: Option<String>) -> Result<Failure, StoreError> {
    match (code, message) {
        (Some(code), Some(message)) => Ok(Failure { code, message }),
        _ => Err(corrupt("a failure without a reason")),
    }
}

fn method(text: &str) -> Result<Method, StoreError> {
    [Method::MerchantPresented, Method::CustomerPresented, Method::Card, Method::Cash]
        .into_iter()
        .find(|method| method.text() == text)
        .ok_or_else(|| corrupt(format!("a payment of method {text:?}")))
}

const fn close_text(close: Close) -> &'static str {
    match close {
        Close::Asked => "asked",
        Close::Confirmed => "confirmed",
    }
}

fn close(text: Option<&str>) -> Result<Close, StoreError> {
    match text {
        Some("asked") => Ok(Close::Asked),
        Some("confirmed") => Ok(Close::Confirmed),
        other => Err(corrupt(format!("a close {other:?}"))),
    }
}
