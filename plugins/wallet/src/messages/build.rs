//! Requests.

use saoma_channel_sdk::{Money, Order, RefundOrder};
use serde::Serialize;

use super::{Call, Settings};

/// Rows of a page of the bill: the most that the issuer gives.
const PAGE_ROWS: u32 = 200;

#[derive(Serialize)]
struct Amount<'a> {
    minor: i64,
    currency: &'a str,
}

impl<'a> From<&'a Money> for Amount<'a> {
    fn from(money: &'a Money) -> Self {
        Self { minor: money.minor, currency: &money.currency }
    }
}

#[derive(Serialize)]
struct NewCharge<'a> {
    amount: Amount<'a>,
    code: &'a str,
}

#[derive(Serialize)]
struct NewRefund<'a> {
    amount: Amount<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

fn place(settings: &Settings, leaf: &str) -> String {
    format!("/v1/stored-value/acceptors/{}{leaf}", settings.acceptor)
}

const fn get(path: String) -> Call {
    Call { method: "GET", path, key: None, body: String::new() }
}

fn post(path: String, key: &str, body: &impl Serialize) -> Call {
    // These bodies are plain records of texts and numbers: writing them cannot fail.
    let body = serde_json::to_string(body).unwrap_or_default();
    Call { method: "POST", path, key: Some(key.to_owned()), body }
}

#[must_use]
pub fn charge(settings: &Settings, order: &Order, code: &str) -> Call {
    let body = NewCharge { amount: (&order.amount).into(), code };
    post(place(settings, "/charges"), &order.number, &body)
}

#[must_use]
pub fn query(settings: &Settings, number: &str) -> Call {
    get(place(settings, &format!("/charges/{number}")))
}

#[must_use]
pub fn cancel(settings: &Settings, number: &str) -> Call {
    post(place(settings, &format!("/charges/{number}/cancel")), number, &Nothing {})
}

#[must_use]
pub fn refund(settings: &Settings, refund: &RefundOrder) -> Call {
    let body = NewRefund { amount: (&refund.amount).into(), reason: &refund.reason };
    post(place(settings, &format!("/charges/{}/refunds", refund.number)), &refund.refund_number, &body)
}

#[must_use]
pub fn query_refund(settings: &Settings, refund_number: &str) -> Call {
    get(place(settings, &format!("/refunds/{refund_number}")))
}

/// The cursor is the issuer's own: a moment, a dash and an id, which need no escape.
#[must_use]
pub fn bill(settings: &Settings, day: &str, cursor: Option<&str>) -> Call {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    get(place(settings, &format!("/bills/{day}?limit={PAGE_ROWS}{cursor}")))
}

#[must_use]
pub fn introduce(settings: &Settings) -> Call {
    get(place(settings, ""))
}
