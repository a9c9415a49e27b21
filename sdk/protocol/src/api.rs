//! The part of core's HTTP API that a terminal speaks: payments, refunds, enrolment, and the HTTPS stand-in for MQTT.
//!
//! Requests deny unknown fields (a misspelt one must not be ignored); answers ignore them (core may be newer).

mod card;
mod goods;
#[cfg(feature = "offline-codes")]
mod offline;
#[cfg(feature = "offline-codes")]
mod phone;
mod quote;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::{
    card::{CardDigits, CardEntry, PresentedCard, PresentedPin},
    goods::{CatalogueGoods, CatalogueRate, Goods, GoodsChanges, GoodsTax},
    quote::{Adjustment, AskQuote, QUOTE_LINES_MAX, QUOTE_LIVES_MS, QuoteMethod, QuoteView, Quoted},
};
#[cfg(feature = "offline-codes")]
pub use self::{
    offline::{CardLimits, OfflineLimits, OfflineList},
    phone::PhoneLimits,
};
use crate::{
    Amount, ChannelAccountId, Millis, Money, OrderId, PaymentId, RefundId, Sequence, StaticCodeId, StoreId, TenantId,
    TerminalId,
};

/// Most lines of goods in one order.
pub const GOODS_LINES_MAX: usize = 200;
/// Longest text a person wrote (names, references, reasons), in characters.
pub const TEXT_LEN_MAX: usize = 128;
/// Whether the character may stand in a text that a person wrote: no control characters, and none of those that turn the
/// direction of writing around (embeddings, overrides and isolates, UAX #9 §2.1 to 2.5), with which a shop's name can make
/// an amount beside it read backwards.
#[must_use]
pub fn stands_in_text(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Longest scanned code, in bytes: EMVCo limits consumer-presented payloads to 512 characters.
pub const SCANNED_CODE_LEN_MAX: usize = 512;

/// `POST /v1/payments`. The `Idempotency-Key` header names the payment: if it is itself a `pay_…` id it becomes the
/// payment's id (a terminal mints it with [`PaymentId::for_sale`]), else the id is [`PaymentId::for_key`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreatePayment {
    pub amount: Amount,
    pub presentation: Presentation,
    /// Another way to pay an order that an earlier payment made (its `order`): the same amount, in the same store. The
    /// first success keeps the order; what is on show beside it is closed, and a second success is given back by itself.
    /// Without it the payment makes an order of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Which channel account collects; without it the tenant's first enabled one that fits (merchant-presented, card) or the
    /// one whose plugin claims the scanned code (customer-presented).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_account: Option<ChannelAccountId>,
    /// The store that sells. A terminal leaves it out: its own store is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Goods>,
    /// The merchant's own order reference, shown to the customer; at most [`TEXT_LEN_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who keyed it in, as the till knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashier: Option<String>,
    /// The terminal's number of this sale, printed on the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<Sequence>,
    /// The quote that it is made of: the amount is then what was quoted, and the goods come to what was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quoted>,
}

/// Who shows the code, or which card pays.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Presentation {
    /// The shop shows a code (主扫).
    Merchant {
        /// How long the code lives, 5 to 3,600 seconds; 120 without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in_seconds: Option<u32>,
    },
    /// The cashier scanned the customer's code (被扫). The code is a bearer credential: it is never logged or stored.
    Customer { code: String },
    /// A bank card at the terminal (刷卡).
    Card { card: PresentedCard },
}

/// Without the code, which whoever reads a log could spend, and without the card.
impl fmt::Debug for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merchant { expires_in_seconds } => {
                f.debug_struct("Merchant").field("expires_in_seconds", expires_in_seconds).finish()
            }
            Self::Customer { .. } => f.write_str("Customer { .. }"),
            Self::Card { card } => f.debug_struct("Card").field("card", card).finish(),
        }
    }
}

/// Where a payment stands. See `core/domain/src/payment` for the rules between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    Created,
    /// A code is on show.
    Presenting,
    /// Sent to the channel, no answer yet.
    Submitting,
    /// The customer is confirming.
    Pending,
    /// The channel did not answer; core is finding out.
    Unknown,
    Succeeded,
    PartlyRefunded,
    Refunded,
    Voided,
    Failed,
    /// The channel confirmed that an unknown payment was undone or never happened.
    Reversed,
    Expired,
    Cancelled,
}

impl PaymentState {
    /// Whether money is with the merchant, at least in part.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Succeeded | Self::PartlyRefunded)
    }

    /// Whether the till may stop waiting: only a late success can still change it.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Created | Self::Presenting | Self::Submitting | Self::Pending | Self::Unknown)
    }
}

/// Where a refund or void stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Written down, being sent.
    Submitting,
    /// The channel has it and has not finished.
    Pending,
    /// The channel did not answer; core is finding out.
    Unknown,
    Succeeded,
    Failed,
}

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefundKind {
    /// Part or all of the amount, any time the channel allows.
    Refund,
    /// The whole payment undone, on the day it was made.
    Void,
    /// By core itself: success that arrived after the payment was closed, or after another payment had paid the order.
    Late,
}

/// What a failed payment or refund failed of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Failure {
    /// Stable, for programs: `declined`, `insufficient_funds`, `code_invalid`, `channel_unavailable`, …
    pub code: String,
    /// For the cashier.
    pub message: String,
}

/// A payment as everyone with the right to it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentView {
    pub id: PaymentId,
    pub order: OrderId,
    /// Grows with each change; of two views the higher is the newer.
    pub version: u64,
    pub state: PaymentState,
    pub amount: Amount,
    /// Given back or being given back, in minor units; never more than the amount.
    pub refunded_minor: i64,
    /// In disputes that are open or lost, in minor units. It cannot be given back, and may be more than is left.
    #[serde(default)]
    pub disputed_minor: i64,
    /// `merchant_presented`, `customer_presented`, `card` or `cash`.
    pub method: String,
    /// The plugin that collects, for example `sandbox`; `cash` for cash.
    pub channel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_account: Option<ChannelAccountId>,
    /// The channel's own number of this payment, once it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_reference: Option<String>,
    pub store: StoreId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<Sequence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub goods: Vec<Goods>,
    /// What the code on show holds: the link to the customer's page. Only while `presenting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_url: Option<String>,
    /// The printed code that the customer scanned, if it came through one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_code: Option<StaticCodeId>,
    /// When the code on show dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
    /// The channel confirmed success after the payment had been closed.
    pub paid_late: bool,
    /// Two persons said that it is paid, and the channel has not (yet).
    #[serde(default)]
    pub paid_by_hand: bool,
    /// Core has not come to an end with it by itself. It goes on asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<Attention>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    pub created_at: Millis,
    pub updated_at: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Millis>,
    /// When a terminal sold it by card without a network, by its own clock. The goods are gone then; what the acquirer says of the
    /// sale comes later: until then it is not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<Millis>,
}

/// `POST /v1/payments/{id}/refunds`. The `Idempotency-Key` names the refund: itself if it is an `rfd_…` id, else
/// [`RefundId::for_key`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateRefund {
    pub amount: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A refund or void as everyone with the right to it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefundView {
    pub id: RefundId,
    pub payment: PaymentId,
    pub version: u64,
    pub kind: RefundKind,
    pub state: RefundState,
    pub amount: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Core has not come to an end with it by itself. It goes on asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<Attention>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// What is known of a payment or refund for which a person is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attention {
    pub since: Millis,
    /// How often the channel was asked.
    pub asked: u32,
    /// What it said last, or how it kept silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_said: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_said_at: Option<Millis>,
    /// When core asks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Millis>,
}

/// `POST /v1/terminal/enrol`, once, over TLS without a client certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The claim code a manager made for this terminal, single-use.
    pub claim_code: String,
    /// A PKCS #10 request in PEM, signed with the terminal's new key. Its subject is ignored: core names the terminal.
    pub csr_pem: String,
}

/// Without the claim code.
impl fmt::Debug for Enrol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrol").field("csr_pem", &self.csr_pem).finish_non_exhaustive()
    }
}

/// `POST /v1/terminal/renew`, with the certificate that will soon be over. It goes on working (the answer may be lost), and
/// those before it do not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// A PKCS #10 request in PEM, signed with the terminal's next key, ECDSA on P-256.
    pub csr_pem: String,
}

/// The terminal's next certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Renewed {
    /// The terminal's certificate, then core's CA.
    pub certificate_chain_pem: String,
    pub not_after: Millis,
}

/// What a terminal needs from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Enrolled {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub store: StoreId,
    /// The terminal's certificate, common name = its id, then core's CA.
    pub certificate_chain_pem: String,
    pub ca_pem: String,
    pub mqtt_host: String,
    pub mqtt_port: u16,
    pub profile: TerminalProfile,
}

/// `GET /v1/terminal/profile`: what the till shows and prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TerminalProfile {
    pub merchant_name: String,
    pub store_name: String,
    pub terminal_name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "CNY"))]
    pub currency: crate::Currency,
    /// The merchant has rules of its own: the till asks for a quote before a sale. A core of before had none for tills.
    #[serde(default)]
    pub rules: bool,
}

/// `GET /v1/terminal/pushes?after=N`: the HTTPS stand-in for the push topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pushes {
    pub pushes: Vec<crate::message::Push>,
}

/// An error, RFC 9457 problem details (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `https://saoma.dev/problems/{code}`: a name, not an address to be opened.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// What is wrong in this case and what to do.
    pub detail: String,
    /// The field at fault, as a JSON pointer, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Everything that is wrong, where one request says many things and more than the first is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// The trace to give to support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// One of the things that are wrong with a request (RFC 9457, section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    /// As a problem's.
    pub code: String,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Sums of one terminal's books, to compare with its journal: `GET /v1/terminal/books`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TerminalBooks {
    /// All entries up to this one are in core's database.
    pub journal_through: Sequence,
    /// Captured payments of this terminal: how many, and one sum per currency.
    pub sales_count: u64,
    pub sales: Vec<Money>,
    pub refunds_count: u64,
    pub refunds: Vec<Money>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_whoever_holds_it_can_spend_is_not_printed() {
        let code = Presentation::Customer { code: "281234567890".to_owned() };
        let claim = Enrol { claim_code: "K7QP-2M4X-9TRW".to_owned(), csr_pem: "csr".to_owned() };
        let pin = PresentedPin { ksn: "FFFF9876543210E00002".to_owned(), block: "10a01c8d02c69107".to_owned() };
        let card = PresentedCard {
            entry: CardEntry::Chip,
            ksn: pin.ksn.clone(),
            number: "a2b4e70f".to_owned(),
            sequence_number: Some(1),
            track_2: Some("831d122014".to_owned()),
            pin: Some(pin.clone()),
            emv: Some("9f26".to_owned()),
        };
        let card = Presentation::Card { card };
        let printed = format!("{code:?} {claim:?} {card:?} {pin:?}");
        let secrets = ["2812", "K7QP", "a2b4", "831d", "10a0", "E00002", "9f26"];
        assert!(secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");
    }
}
