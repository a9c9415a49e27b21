//! One order as the scheme keeps it, and the shapes in which it is shown: to the merchant, the customer and the tester.

use serde::{Deserialize, Serialize};

use super::{
    amount::{self, Currency},
    fault::Fault,
    refusal::Refusal,
};

/// Longest order or refund number, in characters of `[A-Za-z0-9_-]`.
const NUMBER_LEN_MAX: usize = 64;
/// Longest text (subject, names, reason), in characters.
const TEXT_LEN_MAX: usize = 256;
/// Longest `notify_url`, in bytes.
const URL_LEN_MAX: usize = 2_048;

/// `POST /v1/orders` and, with `code`, `POST /v1/charges`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub order_number: String,
    pub amount: String,
    pub currency: String,
    pub subject: String,
    pub merchant_name: String,
    pub store_name: String,
    /// Milliseconds since 1970.
    pub expires_at: i64,
    /// Empty: the merchant wants no notification and will ask.
    #[serde(default)]
    pub notify_url: String,
    #[serde(default)]
    pub code: Option<String>,
}

/// `POST /v1/orders/{order_number}/refunds`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    pub refund_number: String,
    pub amount: String,
    #[serde(default)]
    pub reason: String,
}

impl NewOrder {
    /// Its amount in minor units and its currency, if all of it can be used.
    ///
    /// # Errors
    /// `BadRequest`, `CurrencyUnsupported`.
    pub fn check(&self) -> Result<(i64, Currency), Refusal> {
        check_number("order_number", &self.order_number)?;
        check_text("subject", &self.subject)?;
        check_text("merchant_name", &self.merchant_name)?;
        check_text("store_name", &self.store_name)?;
        let url = self.notify_url.as_str();
        let known_scheme = url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
        if !known_scheme || url.len() > URL_LEN_MAX {
            return Err(Refusal::BadRequest("notify_url must be an http:// or https:// address, or empty".into()));
        }
        let currency = Currency::read(&self.currency)?;
        Ok((amount::parse(&self.amount, currency)?, currency))
    }
}

impl NewRefund {
    /// Its amount in minor units of the order's currency, if all of it can be used.
    ///
    /// # Errors
    /// `BadRequest`.
    pub fn check(&self, currency: Currency) -> Result<i64, Refusal> {
        check_number("refund_number", &self.refund_number)?;
        check_text("reason", &self.reason)?;
        amount::parse(&self.amount, currency)
    }
}

/// Where an order stands. An order's own `status` is never one of the last two: they follow from its refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Waiting,
    Paying,
    Paid,
    Declined,
    Closed,
    Reversed,
    Refunded,
    PartlyRefunded,
}

/// Why a payment was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeclineCode {
    InsufficientFunds,
    Declined,
    LimitExceeded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    Processing,
    Done,
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub number: String,
    pub amount_minor: i64,
    pub reason: String,
    pub reference: String,
    pub status: RefundStatus,
    pub at: i64,
    /// When a `PROCESSING` refund will be done.
    pub done_at: i64,
}

/// One change of an order, for the tester's eyes.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    pub at: i64,
    pub status: Status,
    pub why: &'static str,
}

/// How the customer came to the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// The merchant shows a link; `token` is its unguessable part.
    MerchantShows { token: String },
    /// The merchant scanned the customer's code.
    CustomerShows,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub merchant: String,
    pub number: String,
    pub presentation: Presentation,
    pub amount_minor: i64,
    pub currency: Currency,
    /// By its amount, unless the scheme is on the stage.
    pub fault: Option<Fault>,
    pub subject: String,
    pub merchant_name: String,
    pub store_name: String,
    pub created_at: i64,
    pub expires_at: i64,
    pub notify_url: String,
    pub traceparent: Option<String>,
    pub reference: String,
    /// `Waiting`, `Paying`, `Paid`, `Declined`, `Closed` or `Reversed`; what refunds add is worked out when shown.
    pub status: Status,
    pub decline_code: Option<DeclineCode>,
    /// The account that pays or has paid.
    pub payer: Option<&'static str>,
    pub paid_at: Option<i64>,
    pub reversed_at: Option<i64>,
    /// When a `Paying` order will be paid.
    pub settles_at: Option<i64>,
    /// Closed because its time was up.
    pub expired: bool,
    pub refunds: Vec<Refund>,
    pub changes: Vec<Change>,
    /// How often money left the customer's account for this order.
    pub charged_count: u32,
    /// How often it went back by a close.
    pub reversed_count: u32,
    pub notifications: Notifications,
}

/// What became of the notifications of an order.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Notifications {
    /// Requests sent.
    pub attempts: u32,
    /// Answered 200 `OK`.
    pub accepted: u32,
    /// Given up after the last repetition.
    pub abandoned: u32,
}

/// What the merchant is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderView {
    pub order_number: String,
    pub status: Status,
    pub amount: String,
    pub currency: &'static str,
    pub reference: String,
    pub paid_at: Option<i64>,
    pub payer_hint: String,
    pub decline_code: Option<DeclineCode>,
    pub refunded: String,
    pub code_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundView {
    pub refund_number: String,
    pub order_number: String,
    pub status: RefundStatus,
    pub amount: String,
    pub currency: &'static str,
    pub reference: String,
}

/// What the customer's page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomerView {
    pub merchant_name: String,
    pub store_name: String,
    pub subject: String,
    pub amount: String,
    pub currency: &'static str,
    pub status: Status,
    pub expires_at: i64,
    pub reference: String,
    pub decline_code: Option<DeclineCode>,
}

/// The far side's books of one order, for tests.
#[derive(Clone, Debug, Serialize)]
pub struct AdminView {
    pub merchant_id: String,
    pub order: OrderView,
    pub presentation: &'static str,
    pub created_at: i64,
    pub expires_at: i64,
    pub payer: Option<&'static str>,
    pub charged_count: u32,
    pub reversed_count: u32,
    pub refunded_count: usize,
    pub refunded: String,
    /// What the merchant has of this order at the end: charged, less reversed, less refunded.
    pub net: String,
    pub refunds: Vec<RefundView>,
    pub changes: Vec<Change>,
    pub notifications: Notifications,
    pub traceparent: Option<String>,
}

impl Order {
    #[must_use]
    pub const fn token(&self) -> Option<&String> {
        match &self.presentation {
            Presentation::MerchantShows { token } => Some(token),
            Presentation::CustomerShows => None,
        }
    }

    pub(super) fn enter(&mut self, status: Status, at: i64, why: &'static str) {
        self.status = status;
        self.changes.push(Change { at, status, why });
    }

    /// Refunds that are done, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let done = self.refunds.iter().filter(|refund| refund.status == RefundStatus::Done);
        done.map(|refund| refund.amount_minor).sum()
    }

    /// What can still be refunded: nothing unless paid, and less what is being refunded now.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        let taken: i64 = self.refunds.iter().map(|refund| refund.amount_minor).sum();
        if self.status == Status::Paid { self.amount_minor - taken } else { 0 }
    }

    /// What the merchant has of it.
    #[must_use]
    pub fn net_minor(&self) -> i64 {
        let kept = i64::from(self.charged_count) - i64::from(self.reversed_count);
        self.amount_minor * kept - self.refunded_minor()
    }

    /// The status with refunds taken in.
    #[must_use]
    pub fn shown_status(&self) -> Status {
        match (self.status, self.refunded_minor()) {
            (Status::Paid, refunded) if refunded == self.amount_minor => Status::Refunded,
            (Status::Paid, refunded) if refunded > 0 => Status::PartlyRefunded,
            (status, _) => status,
        }
    }

    /// What the merchant is told; `overstated_minor` is added to the amount (fault 99).
    #[must_use]
    pub fn view(&self, base_url: &str, overstated_minor: i64) -> OrderView {
        OrderView {
            order_number: self.number.clone(),
            status: self.shown_status(),
            amount: amount::format(self.amount_minor + overstated_minor, self.currency),
            currency: self.currency.code(),
            reference: self.reference.clone(),
            paid_at: self.paid_at,
            payer_hint: self.payer.map(hint).unwrap_or_default(),
            decline_code: self.decline_code,
            refunded: amount::format(self.refunded_minor(), self.currency),
            code_url: self.token().map(|token| format!("{base_url}/pay/{token}")),
        }
    }

    #[must_use]
    pub fn customer_view(&self) -> CustomerView {
        // With fault 98 the wallet has not heard of the close: that is the race.
        let races = self.status == Status::Closed && self.fault == Some(Fault::CloseRaces);
        CustomerView {
            merchant_name: self.merchant_name.clone(),
            store_name: self.store_name.clone(),
            subject: self.subject.clone(),
            amount: amount::format(self.amount_minor, self.currency),
            currency: self.currency.code(),
            status: if races { Status::Waiting } else { self.shown_status() },
            expires_at: self.expires_at,
            reference: self.reference.clone(),
            decline_code: self.decline_code,
        }
    }

    #[must_use]
    pub fn refund_view(&self, refund: &Refund) -> RefundView {
        RefundView {
            refund_number: refund.number.clone(),
            order_number: self.number.clone(),
            status: refund.status,
            amount: amount::format(refund.amount_minor, self.currency),
            currency: self.currency.code(),
            reference: refund.reference.clone(),
        }
    }

    #[must_use]
    pub fn admin_view(&self, base_url: &str) -> AdminView {
        AdminView {
            merchant_id: self.merchant.clone(),
            order: self.view(base_url, 0),
            presentation: match self.presentation {
                Presentation::MerchantShows { .. } => "merchant",
                Presentation::CustomerShows => "customer",
            },
            created_at: self.created_at,
            expires_at: self.expires_at,
            payer: self.payer,
            charged_count: self.charged_count,
            reversed_count: self.reversed_count,
            refunded_count: self.refunds.iter().filter(|refund| refund.status == RefundStatus::Done).count(),
            refunded: amount::format(self.refunded_minor(), self.currency),
            net: amount::format(self.net_minor(), self.currency),
            refunds: self.refunds.iter().map(|refund| self.refund_view(refund)).collect(),
            changes: self.changes.clone(),
            notifications: self.notifications,
            traceparent: self.traceparent.clone(),
        }
    }
}

/// Enough of the payer for a receipt, not enough to know them: `a***e`.
fn hint(account: &str) -> String {
    match (account.chars().next(), account.chars().last()) {
        (Some(first), Some(last)) => format!("{first}***{last}"),
        _ => String::new(),
    }
}

fn check_number(field: &str, number: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if number.is_empty() || number.len() > NUMBER_LEN_MAX || !number.bytes().all(good) {
        return Err(Refusal::BadRequest(format!("{field} must be 1 to {NUMBER_LEN_MAX} of A-Z, a-z, 0-9, - and _")));
    }
    Ok(())
}

fn check_text(field: &str, text: &str) -> Result<(), Refusal> {
    if text.chars().count() > TEXT_LEN_MAX {
        return Err(Refusal::BadRequest(format!("{field} must be at most {TEXT_LEN_MAX} characters")));
    }
    Ok(())
}
