//! Requests, and the text that is signed.
//!
//! All but `biz_content` stands in the URL's query, `biz_content` in the form that is its body, as Alipay's own SDKs send it.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use saoma_channel_sdk::{Error, Money, MoneyText, Order, RefundOrder, decimal, misconfigured, not_sent};
use serde::Serialize;

use super::{beijing, settings::Settings};

/// Longest `notify_url`, in characters (common parameters).
const NOTIFY_URL_LEN_MAX: usize = 256;
/// Longest `subject` and `refund_reason`, in characters; the contract's texts are shorter.
const SUBJECT_LEN_MAX: usize = 256;
/// The largest amount of a trade: 100,000,000.00 yuan (`total_amount`).
const AMOUNT_MINOR_MAX: i64 = 10_000_000_000;
/// How long an order lives at least, from now: Alipay takes a `time_expire` that is 1 minute to 15 days ahead by its own clock, and
/// refuses a payment whose time is shorter. The rest is for the way, and for clocks that differ.
const LIFE_MS_MIN: i64 = 90_000;
/// A number that no trade has: asking for it proves the keys and moves nothing.
const NOBODYS_NUMBER: &str = "saoma_self_test";

/// One call of the gateway, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// JSON, sent as it was signed; empty where the parameters stand beside the common ones.
    biz_content: String,
    notify_url: String,
    /// The code by which a visitor is known, or empty.
    code: String,
}

/// What is signed and sent: all parameters but `sign`, by name.
pub type Parameters = BTreeMap<&'static str, String>;

impl Call {
    fn new(method: &'static str, biz_content: &impl Serialize) -> Self {
        // These are plain records of texts: writing them cannot fail.
        let biz_content = serde_json::to_string(biz_content).unwrap_or_default();
        Self { method, biz_content, notify_url: String::new(), code: String::new() }
    }

    fn notified_at(self, notify_url: &str) -> Result<Self, Error> {
        if notify_url.chars().count() > NOTIFY_URL_LEN_MAX {
            return Err(misconfigured(format!(
                "the notification address has more than the {NOTIFY_URL_LEN_MAX} characters that Alipay takes"
            )));
        }
        Ok(Self { notify_url: notify_url.to_owned(), ..self })
    }
}

#[derive(Serialize)]
struct NewTrade<'a> {
    out_trade_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer_open_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_code: Option<&'a str>,
    total_amount: String,
    subject: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    store_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    terminal_id: &'a str,
    time_expire: String,
}

impl<'a> NewTrade<'a> {
    fn of(order: &'a Order, auth_code: Option<&'a str>, now_ms: i64) -> Result<Self, Error> {
        Ok(Self {
            out_trade_no: &order.number,
            buyer_id: None,
            buyer_open_id: None,
            scene: auth_code.map(|_| "bar_code"),
            auth_code,
            total_amount: yuan(&order.amount)?,
            subject: subject(&order.subject, [&order.merchant_name, &order.number]),
            store_id: &order.store_id,
            terminal_id: &order.terminal_id,
            time_expire: beijing::text(order.expires_at.max(now_ms.saturating_add(LIFE_MS_MIN)))
                .ok_or_else(|| not_sent("the order expires in a year that cannot be written"))?,
        })
    }
}

#[derive(Serialize)]
struct Known<'a> {
    out_trade_no: &'a str,
}

#[derive(Serialize)]
struct NewRefund<'a> {
    out_trade_no: &'a str,
    refund_amount: String,
    out_request_no: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    refund_reason: String,
}

#[derive(Serialize)]
struct KnownRefund<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
}

#[derive(Serialize)]
struct Bill<'a> {
    bill_type: &'static str,
    bill_date: &'a str,
}

/// `alipay.trade.precreate`: a code for the customer to scan.
///
/// # Errors
/// `not-sent` for an amount that Alipay does not take; `misconfigured` for a notification address that is too long.
pub fn precreate(order: &Order, notify_url: &str, now_ms: i64) -> Result<Call, Error> {
    Call::new("alipay.trade.precreate", &NewTrade::of(order, None, now_ms)?).notified_at(notify_url)
}

/// `alipay.trade.create`: a trade that this buyer pays in the app, whose page is open (docs.antom.com, "4. Applying payment using
/// jsapi:tradePay"; the method's page at docs.open.alipay.com). Applications of before 2023 know buyers by a user id of 16 digits,
/// others by an open id.
///
/// # Errors
/// As [`precreate`].
pub fn create(order: &Order, notify_url: &str, buyer: &str, now_ms: i64) -> Result<Call, Error> {
    let is_user_id = buyer.len() == 16 && buyer.bytes().all(|byte| byte.is_ascii_digit());
    let (buyer_id, buyer_open_id) = if is_user_id { (Some(buyer), None) } else { (None, Some(buyer)) };
    let trade = NewTrade { buyer_id, buyer_open_id, ..NewTrade::of(order, None, now_ms)? };
    Call::new("alipay.trade.create", &trade).notified_at(notify_url)
}

/// `alipay.system.oauth.token`: who came back with this code, which is good once.
#[must_use]
pub fn oauth_token(code: &str) -> Call {
    let (biz_content, notify_url) = (String::new(), String::new());
    Call { method: "alipay.system.oauth.token", biz_content, notify_url, code: code.to_owned() }
}

/// Where a visitor is sent who need not be asked (`auth_base`; docs.antom.com, "How to obtain Alipay user_id").
///
/// # Errors
/// `misconfigured` without the setting.
pub fn authorize_url(settings: &Settings, return_url: &str, state: &str) -> Result<String, Error> {
    let Some(oauth_url) = &settings.oauth_url else {
        return Err(misconfigured("oauth_url must be https://openauth.alipay.com for static codes"));
    };
    let query = Serializer::new(String::new())
        .append_pair("app_id", &settings.app_id)
        .append_pair("scope", "auth_base")
        .append_pair("redirect_uri", return_url)
        .append_pair("state", state)
        .finish();
    Ok(format!("{}/oauth2/publicAppAuthorize.htm?{query}", oauth_url.trim_end_matches('/')))
}

/// `alipay.trade.pay`: charges the code that the customer shows (付款码).
///
/// # Errors
/// As [`precreate`].
pub fn pay(order: &Order, notify_url: &str, auth_code: &str, now_ms: i64) -> Result<Call, Error> {
    Call::new("alipay.trade.pay", &NewTrade::of(order, Some(auth_code), now_ms)?).notified_at(notify_url)
}

/// `alipay.trade.query`.
#[must_use]
pub fn query(number: &str) -> Call {
    Call::new("alipay.trade.query", &Known { out_trade_no: number })
}

/// `alipay.trade.query` for a number that no trade has.
#[must_use]
pub fn self_test() -> Call {
    query(NOBODYS_NUMBER)
}

/// `alipay.trade.cancel`: closes what is unpaid, gives back what is paid.
#[must_use]
pub fn cancel(number: &str) -> Call {
    Call::new("alipay.trade.cancel", &Known { out_trade_no: number })
}

/// `alipay.trade.close`: closes what waits for the customer.
#[must_use]
pub fn close(number: &str) -> Call {
    Call::new("alipay.trade.close", &Known { out_trade_no: number })
}

/// `alipay.trade.refund`. The refund's number is the idempotency key.
///
/// # Errors
/// `not-sent` for an amount that Alipay does not take.
pub fn refund(refund: &RefundOrder) -> Result<Call, Error> {
    let body = NewRefund {
        out_trade_no: &refund.number,
        refund_amount: yuan(&refund.amount)?,
        out_request_no: &refund.refund_number,
        refund_reason: plain(&refund.reason),
    };
    Ok(Call::new("alipay.trade.refund", &body))
}

/// `alipay.trade.fastpay.refund.query`.
#[must_use]
pub fn query_refund(number: &str, refund_number: &str) -> Call {
    let body = KnownRefund { out_trade_no: number, out_request_no: refund_number };
    Call::new("alipay.trade.fastpay.refund.query", &body)
}

/// `alipay.data.dataservice.bill.downloadurl.query`: where the trade bill of a day (`YYYY-MM-DD`) lies for 30 seconds.
#[must_use]
pub fn bill(day: &str) -> Call {
    Call::new("alipay.data.dataservice.bill.downloadurl.query", &Bill { bill_type: "trade", bill_date: day })
}

/// All parameters of a call sent at `now_ms`.
///
/// # Errors
/// `not-sent` for a moment that cannot be written.
pub fn parameters(settings: &Settings, call: &Call, now_ms: i64) -> Result<Parameters, Error> {
    let timestamp = beijing::text(now_ms).ok_or_else(|| not_sent("the clock shows a year that cannot be written"))?;
    let mut parameters = Parameters::from([
        ("app_id", settings.app_id.clone()),
        ("charset", "utf-8".to_owned()),
        ("format", "JSON".to_owned()),
        ("method", call.method.to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("timestamp", timestamp),
        ("version", "1.0".to_owned()),
    ]);
    if !call.biz_content.is_empty() {
        parameters.insert("biz_content", call.biz_content.clone());
    }
    if !call.code.is_empty() {
        parameters.insert("grant_type", "authorization_code".to_owned());
        parameters.insert("code", call.code.clone());
    }
    if !call.notify_url.is_empty() {
        parameters.insert("notify_url", call.notify_url.clone());
    }
    if let (Some(app), Some(root)) = (&settings.app_cert_sn, &settings.alipay_root_cert_sn) {
        parameters.insert("app_cert_sn", app.clone());
        parameters.insert("alipay_root_cert_sn", root.clone());
    }
    Ok(parameters)
}

/// What the signature of a request is over: `name=value` by name, joined by `&`, values as they are before they are escaped
/// for transport ("自行实现签名": sort, join, SHA256withRSA). No value is empty here.
#[must_use]
pub fn sign_text(parameters: &Parameters) -> String {
    let fields: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.join("&")
}

/// The URL and the form that carry a signed call.
#[must_use]
pub fn wire(gateway_url: &str, parameters: &Parameters, signature: &str) -> (String, String) {
    let (mut query, mut form) = (Serializer::new(String::new()), Serializer::new(String::new()));
    for (name, value) in parameters {
        let part = if *name == "biz_content" { &mut form } else { &mut query };
        part.append_pair(name, value);
    }
    query.append_pair("sign", signature);
    (format!("{gateway_url}?{}", query.finish()), form.finish())
}

fn yuan(amount: &Money) -> Result<String, Error> {
    if amount.minor > AMOUNT_MINOR_MAX {
        return Err(not_sent("Alipay takes at most 100,000,000.00 yuan at once"));
    }
    decimal(amount).map_err(|MoneyText(why)| not_sent(why))
}

/// Without `/`, `=` and `&`, which `subject` may not have; the first of the others where nothing is left.
fn subject(subject: &str, others: [&str; 2]) -> String {
    [subject, others[0], others[1]].into_iter().map(plain).find(|text| !text.is_empty()).unwrap_or_default()
}

fn plain(text: &str) -> String {
    let allowed = |letter: char| if matches!(letter, '/' | '=' | '&') || letter.is_control() { ' ' } else { letter };
    text.chars().map(allowed).take(SUBJECT_LEN_MAX).collect::<String>().trim().to_owned()
}
