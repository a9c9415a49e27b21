//! What goes into a channel call and what comes out: plain types, checked where they leave the plugin's world.
//!
//! Everything here is bounded. A scheme's words are carried as it said them, so that the domain can refuse an answer
//! about another order or amount; only what no answer may ever contain (a currency that does not exist, a negative
//! amount) is refused here, as [`crate::Failure::BadAnswer`].

use saoma_domain::{
    dispute,
    package::ContentHash,
    recon::{Key, Side},
};
use saoma_protocol::{Amount, ChannelAccountId, Millis, Money, PaymentId, RefundId, StoreId, TenantId, TerminalId};

use crate::{card::KeptCard, failure, secret::Secrets};

/// What a tenant has with one scheme, as a call needs it.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: ChannelAccountId,
    pub tenant: TenantId,
    /// The plugin's id, for example `sandbox`: which installed plugin answers.
    pub channel: String,
    /// The package of that plugin that answers; without it the built-in.
    pub package: Option<ContentHash>,
    /// A JSON object, valid under [`crate::Manifest::settings_schema`]. No secrets in it.
    pub settings_json: String,
    pub secrets: Secrets,
    /// Where the scheme sends its notifications; empty if core cannot be reached from outside.
    pub notify_url: String,
}

/// What is to be collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The payment's id, and so the order number at the scheme: the same number never charges twice.
    pub number: PaymentId,
    pub amount: Amount,
    /// What the customer may be shown; cut to 127 characters.
    pub subject: String,
    pub merchant_name: String,
    pub store: StoreId,
    pub store_name: String,
    /// `None` for an online payment.
    pub terminal: Option<TerminalId>,
    /// Empty for an online payment.
    pub terminal_name: String,
    pub created_at: Millis,
    /// When an unpaid order must be dead at the scheme as well.
    pub expires_at: Millis,
}

/// An order that was announced or charged before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOrder {
    pub number: PaymentId,
    /// The scheme's number of the payment, empty if it never gave one.
    pub reference: String,
    pub amount: Amount,
    pub presented_by: Presenter,
    /// As in [`Order::created_at`].
    pub created_at: Millis,
    /// Of a charge of a card, what was kept of it.
    pub card: Option<KeptCard>,
}

/// Who shows the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presenter {
    Merchant,
    Customer,
}

/// A code to show to the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// A URL or a payload, 1 to 4,096 characters.
    pub code: String,
}

/// What the scheme says of an order. Hand `number`, `amount` and `status` to the domain before believing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentAnswer {
    pub status: PaymentStatus,
    /// The order number in the scheme's answer, at most 64 characters. Equal to the one asked for, unless the answer
    /// came by notification.
    pub number: String,
    /// The amount in the scheme's answer, if it said one. Equal to the order's in an answer to `charge`.
    pub amount: Option<Money>,
    /// The scheme's own number of the payment, empty until it has one; at most 128 characters.
    pub reference: String,
    pub paid_at: Option<Millis>,
    /// Who paid, masked; at most 64 characters.
    pub payer_hint: String,
}

impl PaymentAnswer {
    /// The same without the customer's code, should the scheme's words quote it.
    pub(crate) fn without_code(mut self, code: &str) -> Self {
        if let PaymentStatus::Failed(decline) = &mut self.status {
            decline.message = failure::without_code(std::mem::take(&mut decline.message), Some(code));
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    Succeeded,
    /// The customer has to confirm, or has not paid yet.
    Pending,
    /// It will never succeed.
    Failed(Decline),
    /// The scheme has no such order.
    NotFound,
    /// Closed without payment, or undone.
    Closed,
    /// Paid, and given back in part or in whole.
    Refunded,
}

/// Why a scheme said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    pub code: DeclineCode,
    /// The scheme's own code and words, for the merchant's log; cut to 500 characters.
    pub message: String,
}

/// The codes of `failure.code` in the contract; anything else a plugin says becomes `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclineCode {
    Declined,
    InsufficientFunds,
    CodeInvalid,
    CodeExpired,
    LimitExceeded,
    NotPermitted,
    AmountInvalid,
    Other,
}

impl DeclineCode {
    /// As the contract has it, with `-`.
    #[must_use]
    pub fn from_contract(code: &str) -> Self {
        match code {
            "declined" => Self::Declined,
            "insufficient-funds" => Self::InsufficientFunds,
            "code-invalid" => Self::CodeInvalid,
            "code-expired" => Self::CodeExpired,
            "limit-exceeded" => Self::LimitExceeded,
            "not-permitted" => Self::NotPermitted,
            "amount-invalid" => Self::AmountInvalid,
            _ => Self::Other,
        }
    }

    /// As the public API has it, with `_`: `insufficient_funds`; `other` is plain `declined` to a cashier.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Declined | Self::Other => "declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::CodeInvalid => "code_invalid",
            Self::CodeExpired => "code_expired",
            Self::LimitExceeded => "limit_exceeded",
            Self::NotPermitted => "not_permitted",
            Self::AmountInvalid => "amount_invalid",
        }
    }
}

/// What is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOrder {
    pub number: PaymentId,
    /// The scheme's number of the payment, empty if it never gave one.
    pub reference: String,
    /// The idempotency key at the scheme.
    pub refund_number: RefundId,
    pub amount: Amount,
    /// The whole payment's amount.
    pub total: Amount,
    pub reason: String,
    /// The same in every call about this refund.
    pub created_at: Millis,
    /// Of a payment by card, what was kept of it.
    pub card: Option<KeptCard>,
}

/// What the scheme says of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundAnswer {
    pub status: RefundStatus,
    /// Equal to the one asked for, unless the answer came by notification.
    pub refund_number: String,
    /// The amount in the scheme's answer, if it said one.
    pub amount: Option<Money>,
    pub reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    Succeeded,
    Pending,
    Failed(Decline),
    NotFound,
}

/// A notification as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMessage {
    /// Names in either case; the plugin gets them in lower case.
    pub headers: Vec<(String, String)>,
    /// With the headers at most [`crate::NOTIFICATION_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// A notification that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationOutcome {
    /// 1 to 100.
    pub events: Vec<NotificationEvent>,
    /// To be sent once all events are in the database, not before.
    pub acknowledgement: HttpReply,
}

/// What a notification tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationEvent {
    Payment(PaymentAnswer),
    Refund(RefundAnswer),
    Dispute(DisputeNotice),
}

/// What a scheme says of a dispute that takes money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNotice {
    /// Our number of the payment, as the scheme has it.
    pub number: String,
    /// The scheme's number of the dispute; the payment's where it has none.
    pub case_number: String,
    /// What it takes.
    pub amount: Amount,
    pub reason_code: Option<String>,
    pub news: dispute::News,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// 200 to 599.
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// One page of a scheme's bill of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillPage {
    pub lines: Vec<BillLine>,
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BillLine {
    Row(BillRow),
    /// What stands there, cut, with long numbers masked.
    Unreadable(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// By number as the scheme has it: a bill may list orders that we never made.
    pub key: Key,
    /// The order's number, also of a refund.
    pub order_number: String,
    pub reference: String,
    pub side: Side,
}
