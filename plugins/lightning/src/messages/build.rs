//! Requests to the node (LND's REST API). Bytes are Base64 in JSON and hex in a path; numbers of 64 bits are texts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channel_sdk::{Error, Order, not_sent, to_hex};
use serde::Serialize;

use super::{
    Settings, memo,
    preimage::{Hash, Preimage},
    rate::Rate,
};

/// One call of the node. An announcement's body holds the preimage, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// Behind the node's address, with its query.
    pub path: String,
    /// JSON; empty for `GET`.
    pub body: String,
}

/// A rate is not given for longer than a day, and a bill need not look further back ([`super::bill`]).
pub const EXPIRY_SECONDS_MAX: i64 = 86_400;

#[derive(Serialize)]
struct NewInvoice<'a> {
    memo: &'a str,
    r_preimage: String,
    value_msat: String,
    expiry: String,
    /// With the way to a node that the network does not know.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    private: bool,
}

#[derive(Serialize)]
struct Cancellation {
    payment_hash: String,
}

/// An invoice that is to be made, and the memo that it will have.
pub struct Announcement {
    pub call: Call,
    pub memo: String,
    /// Thousandths of a satoshi.
    pub msat: i64,
}

/// `POST /v1/invoices`.
///
/// # Errors
/// `not-sent` for an order that has expired, or an amount that no invoice can have.
pub fn add(
    order: &Order,
    settings: &Settings,
    rate: &Rate,
    preimage: &Preimage,
    now_ms: i64,
) -> Result<Announcement, Error> {
    let left = (order.expires_at.saturating_sub(now_ms)) / 1_000;
    if left < 1 {
        return Err(not_sent("the order has expired"));
    }
    let msat = rate.msat(&order.amount).map_err(not_sent)?;
    let memo = memo::write(order, rate)?;
    let body = NewInvoice {
        memo: &memo,
        r_preimage: preimage.base64(),
        value_msat: msat.to_string(),
        expiry: left.min(EXPIRY_SECONDS_MAX).to_string(),
        private: settings.private_channels,
    };
    let call = post("/v1/invoices", &body);
    Ok(Announcement { call, memo, msat })
}

/// `GET /v1/invoice/{r_hash_str}`.
#[must_use]
pub fn look_up(hash: &Hash) -> Call {
    get(format!("/v1/invoice/{}", to_hex(hash)))
}

/// `POST /v2/invoices/cancel`.
#[must_use]
pub fn cancel(hash: &Hash) -> Call {
    post("/v2/invoices/cancel", &Cancellation { payment_hash: STANDARD.encode(hash) })
}

/// `GET /v1/invoices`, for what was made from the one second (since 1970) to the other, both counted, behind the invoice of that
/// index: so many in the order in which they were made.
#[must_use]
pub fn list(from: i64, to: i64, rows: usize, behind: u64) -> Call {
    get(format!(
        "/v1/invoices?creation_date_start={from}&creation_date_end={to}&num_max_invoices={rows}&index_offset={behind}"
    ))
}

/// The node's last invoices, so many and whatever they are.
#[must_use]
pub fn last(rows: usize) -> Call {
    get(format!("/v1/invoices?num_max_invoices={rows}&reversed=true"))
}

const fn get(path: String) -> Call {
    Call { method: "GET", path, body: String::new() }
}

fn post(path: &str, body: &impl Serialize) -> Call {
    // These bodies are plain records of texts: writing them cannot fail.
    Call { method: "POST", path: path.to_owned(), body: serde_json::to_string(body).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{NOW_MS, hash, kind, order, preimage, rate, settings};

    #[test]
    fn requests() {
        let add = add(&order(), &settings(), &rate(), &preimage(), NOW_MS).expect("an announcement");
        let calls = [add.call, look_up(&hash()), cancel(&hash()), list(1_700_000_000, 1_700_086_399, 200, 0), last(1)];
        let texts = calls.map(|call| format!("{} {}\n{}", call.method, call.path, call.body));
        insta::assert_snapshot!(texts.join("\n"));
        assert_eq!(add.msat, 25_253_000);
    }

    #[test]
    fn what_no_invoice_can_be_made_of() {
        let told = |order: &Order| {
            add(order, &settings(), &rate(), &preimage(), NOW_MS).map(|add| add.call.body).map_err(|error| kind(&error))
        };
        assert_eq!(told(&Order { expires_at: NOW_MS + 999, ..order() }), Err("not-sent"));
        let mut large = order();
        large.amount.minor = 999_999_999_999;
        assert_eq!(told(&large), Err("not-sent"));
        large.amount.currency = "EUR".to_owned();
        assert_eq!(told(&large), Err("not-sent"));
        let long = told(&Order { expires_at: NOW_MS + 7 * 86_400_000, ..order() }).expect("a body");
        assert!(long.contains(r#""expiry":"86400""#) && !long.contains("private"), "{long}");
    }
}
