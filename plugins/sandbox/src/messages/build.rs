//! Requests, and the texts that are signed.

use saoma_channel_sdk::{Error, MoneyText, Order, RefundOrder, decimal, not_sent};
use serde::{Deserialize, Serialize};

/// The account's settings (`settings.schema.json`).
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub base_url: String,
    pub merchant_id: String,
}

/// One call of the merchant API, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// With query.
    pub path: String,
    /// JSON, empty for `GET`.
    pub body: String,
}

impl Call {
    fn get(path: String) -> Self {
        Self { method: "GET", path, body: String::new() }
    }

    fn post(path: String, body: &impl Serialize) -> Self {
        // These bodies are plain records of texts and numbers: writing them cannot fail.
        Self { method: "POST", path, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

#[derive(Serialize)]
struct NewOrder<'a> {
    order_number: &'a str,
    amount: String,
    currency: &'a str,
    subject: &'a str,
    merchant_name: &'a str,
    store_name: &'a str,
    expires_at: i64,
    notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> NewOrder<'a> {
    fn of(order: &'a Order, notify_url: &'a str, code: Option<&'a str>) -> Result<Self, Error> {
        Ok(Self {
            order_number: &order.number,
            amount: decimal(&order.amount).map_err(unsayable)?,
            currency: &order.amount.currency,
            subject: &order.subject,
            merchant_name: &order.merchant_name,
            store_name: &order.store_name,
            expires_at: order.expires_at,
            notify_url,
            code,
        })
    }
}

#[derive(Serialize)]
struct NewRefund<'a> {
    refund_number: &'a str,
    amount: String,
    reason: &'a str,
}

#[derive(Serialize)]
struct Nothing {}

fn unsayable(why: MoneyText) -> Error {
    not_sent(why.0)
}

/// `POST /v1/orders`.
///
/// # Errors
/// `not-sent` if the amount cannot be written in its currency.
pub fn create(order: &Order, notify_url: &str) -> Result<Call, Error> {
    Ok(Call::post("/v1/orders".to_owned(), &NewOrder::of(order, notify_url, None)?))
}

/// `POST /v1/charges`.
///
/// # Errors
/// `not-sent` if the amount cannot be written in its currency.
pub fn charge(order: &Order, notify_url: &str, code: &str) -> Result<Call, Error> {
    Ok(Call::post("/v1/charges".to_owned(), &NewOrder::of(order, notify_url, Some(code))?))
}

/// `GET /v1/orders/{order_number}`.
#[must_use]
pub fn query(number: &str) -> Call {
    Call::get(format!("/v1/orders/{}", escaped(number)))
}

/// `POST /v1/orders/{order_number}/close`.
#[must_use]
pub fn close(number: &str) -> Call {
    Call::post(format!("/v1/orders/{}/close", escaped(number)), &Nothing {})
}

/// `POST /v1/orders/{order_number}/refunds`.
///
/// # Errors
/// `not-sent` if the amount cannot be written in its currency.
pub fn refund(refund: &RefundOrder) -> Result<Call, Error> {
    let body = NewRefund {
        refund_number: &refund.refund_number,
        amount: decimal(&refund.amount).map_err(unsayable)?,
        reason: &refund.reason,
    };
    Ok(Call::post(format!("/v1/orders/{}/refunds", escaped(&refund.number)), &body))
}

/// `GET /v1/orders/{order_number}/refunds/{refund_number}`.
#[must_use]
pub fn query_refund(refund: &RefundOrder) -> Call {
    Call::get(format!("/v1/orders/{}/refunds/{}", escaped(&refund.number), escaped(&refund.refund_number)))
}

/// `GET /v1/bills/{day}?cursor=`.
#[must_use]
pub fn bill(day: &str, cursor: Option<&str>) -> Call {
    let day = escaped(day);
    Call::get(match cursor {
        Some(cursor) => format!("/v1/bills/{day}?cursor={}", escaped(cursor)),
        None => format!("/v1/bills/{day}"),
    })
}

/// `GET /v1/ping`.
#[must_use]
pub fn ping() -> Call {
    Call::get("/v1/ping".to_owned())
}

/// The whole URL, and the path that is signed: a base URL with a path of its own counts in both.
///
/// # Errors
/// The base URL has no host.
pub fn address(base_url: &str, path: &str) -> Result<(String, String), String> {
    let base_url = base_url.trim_end_matches('/');
    let rest = base_url.split_once("://").map(|(_, rest)| rest).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or_else(|| "base_url must begin with http:// or https:// and a host".to_owned())?;
    let base_path = rest.find('/').map_or("", |start| &rest[start..]);
    Ok((format!("{base_url}{path}"), format!("{base_path}{path}")))
}

/// What the signature of a request is over.
#[must_use]
pub fn request_text(method: &str, path: &str, timestamp: &str, nonce: &str, body: &str) -> Vec<u8> {
    signed(&["REQUEST", method, path, timestamp, nonce], body.as_bytes())
}

/// What the signature of an answer is over. The request's nonce ties it to the question.
#[must_use]
pub fn response_text(status: u16, timestamp: &str, request_nonce: &str, body: &[u8]) -> Vec<u8> {
    signed(&["RESPONSE", &status.to_string(), timestamp, request_nonce], body)
}

/// What the signature of a notification is over.
#[must_use]
pub fn notification_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    signed(&["NOTIFY", timestamp, nonce], body)
}

/// Fields joined by, and ending in, one line feed.
fn signed(fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len() + 160);
    for field in fields {
        text.extend_from_slice(field.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => {
                escaped.push('%');
                escaped.push_str(&saoma_channel_sdk::to_hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use saoma_channel_sdk::Money;

    use super::*;

    const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn cny(minor: i64) -> Money {
        Money { minor, currency: "CNY".to_owned() }
    }

    fn order() -> Order {
        Order {
            number: NUMBER.to_owned(),
            amount: cny(1_250),
            subject: "Coffee \"large\" 大杯".to_owned(),
            merchant_name: "Corner Shop".to_owned(),
            store_name: "Main Street".to_owned(),
            store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            terminal_id: "ter_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            terminal_name: "till 1".to_owned(),
            created_at: 1_700_000_000_000,
            expires_at: 1_700_000_120_000,
        }
    }

    fn refund_order() -> RefundOrder {
        RefundOrder {
            number: NUMBER.to_owned(),
            reference: "W1".to_owned(),
            refund_number: "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            amount: cny(5),
            total: cny(1_250),
            reason: "cold".to_owned(),
            created_at: 1_700_000_000_000,
        }
    }

    fn shown(call: &Call) -> String {
        format!("{} {}\n{}", call.method, call.path, call.body)
    }

    #[test]
    fn requests() {
        assert_snapshot!(shown(&create(&order(), "").expect("an amount")), @r#"
        POST /v1/orders
        {"order_number":"pay_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"12.50","currency":"CNY","subject":"Coffee \"large\" 大杯","merchant_name":"Corner Shop","store_name":"Main Street","expires_at":1700000120000,"notify_url":""}
        "#);
        assert_snapshot!(shown(&charge(&order(), "", "881234567890123456").expect("an amount")), @r#"
        POST /v1/charges
        {"order_number":"pay_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"12.50","currency":"CNY","subject":"Coffee \"large\" 大杯","merchant_name":"Corner Shop","store_name":"Main Street","expires_at":1700000120000,"notify_url":"","code":"881234567890123456"}
        "#);
        assert_snapshot!(shown(&query(NUMBER)), @"GET /v1/orders/pay_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_snapshot!(shown(&close(NUMBER)), @r"
        POST /v1/orders/pay_aaaaaaaaaaaaaaaaaaaaaaaaaa/close
        {}
        ");
        assert_snapshot!(shown(&refund(&refund_order()).expect("an amount")), @r#"
        POST /v1/orders/pay_aaaaaaaaaaaaaaaaaaaaaaaaaa/refunds
        {"refund_number":"rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"0.05","reason":"cold"}
        "#);
        assert_snapshot!(shown(&query_refund(&refund_order())), @"GET /v1/orders/pay_aaaaaaaaaaaaaaaaaaaaaaaaaa/refunds/rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_snapshot!(shown(&bill("2026-01-31", None)), @"GET /v1/bills/2026-01-31");
        assert_snapshot!(shown(&bill("2026-01-31", Some("a&b=ü/2"))), @"GET /v1/bills/2026-01-31?cursor=a%26b%3D%C3%BC%2F2");
        assert_snapshot!(shown(&ping()), @"GET /v1/ping");
    }

    #[test]
    fn signed_texts() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text").replace('\n', "⏎");
        assert_snapshot!(text(request_text("POST", "/v1/orders", "17", "ab", "{}")), @"REQUEST⏎POST⏎/v1/orders⏎17⏎ab⏎{}⏎");
        assert_snapshot!(text(request_text("GET", "/v1/ping", "17", "ab", "")), @"REQUEST⏎GET⏎/v1/ping⏎17⏎ab⏎⏎");
        assert_snapshot!(text(response_text(404, "18", "ab", b"{}")), @"RESPONSE⏎404⏎18⏎ab⏎{}⏎");
        assert_snapshot!(text(notification_text("19", "cd", b"{}")), @"NOTIFY⏎19⏎cd⏎{}⏎");
    }

    #[test]
    fn addresses() {
        for (base, url, path) in [
            ("http://127.0.0.1:9100", "http://127.0.0.1:9100/v1/ping", "/v1/ping"),
            ("http://127.0.0.1:9100/", "http://127.0.0.1:9100/v1/ping", "/v1/ping"),
            ("https://x.example/wallet", "https://x.example/wallet/v1/ping", "/wallet/v1/ping"),
        ] {
            assert_eq!(address(base, "/v1/ping"), Ok((url.to_owned(), path.to_owned())));
        }
        for base in ["", "x.example", "https://"] {
            assert!(address(base, "/v1/ping").is_err(), "{base}");
        }
    }

    #[test]
    fn an_amount_that_cannot_be_written_is_not_sent() {
        let order = Order { amount: Money { minor: 1, currency: "XXX".to_owned() }, ..order() };
        assert!(matches!(create(&order, ""), Err(Error::NotSent(_))));
    }
}
