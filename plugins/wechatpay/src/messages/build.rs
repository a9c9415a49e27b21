//! Requests.
//!
//! Bodies are written from sorted maps: the same order gives the same bytes, which WeChat Pay asks of a repeated request (error
//! 268498688: a repetition must have the parameters of the first).

use saoma_channel_sdk::{Error, KnownOrder, Money, Order, RefundOrder, misconfigured, not_sent, web_path};
use serde_json::{Map, Value, json};

use super::{
    funds::FundAccount,
    moment,
    settings::{Mode, Settings},
    signature,
};

/// WeChat Pay asks to wait so long before a charge of which nobody knows how it stands is reversed (v2 `4011937125`).
const REVERSE_AFTER_MS: i64 = 15_000;
/// A charge waits for the customer's bank.
const CHARGE_TIMEOUT_MS: u32 = 9_000;
/// A charge and one of these, or three of these, fit the manifest's 15,000 ms.
const TIMEOUT_MS: u32 = 4_500;
/// Of `description`, in characters.
const DESCRIPTION_CHARS_MAX: usize = 127;
/// Of `reason`. The documents count "80" without a unit; so many bytes fit either reading.
const REASON_BYTES_MAX: usize = 80;
const NOTIFY_URL_BYTES_MAX: usize = 255;

/// One call of the API, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// With query, percent-encoded, as it is sent and signed.
    pub path: String,
    /// JSON, empty for `GET`.
    pub body: String,
    pub timeout_ms: u32,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: "GET", path, body: String::new(), timeout_ms: TIMEOUT_MS }
    }

    pub(super) fn post(path: String, body: Map<String, Value>) -> Self {
        Self { method: "POST", path, body: Value::Object(body).to_string(), timeout_ms: TIMEOUT_MS }
    }
}

/// `POST …/native`: a code for the customer to scan. Source: `doc/v3/merchant/4012791877`, `doc/v3/partner/4012714902`.
///
/// # Errors
/// `not-sent` for another currency than CNY or a time that cannot be written, `misconfigured` without an address for
/// notifications, which the scheme asks for.
pub fn create(settings: &Settings, order: &Order, notify_url: &str) -> Result<Call, Error> {
    Ok(Call::post(format!("{}/native", settings.orders()), shown(settings, order, notify_url)?))
}

/// What an order says of itself that the customer pays in the app: until when, and who is told.
pub(super) fn shown(settings: &Settings, order: &Order, notify_url: &str) -> Result<Map<String, Value>, Error> {
    if notify_url.is_empty() {
        return Err(misconfigured(
            "WeChat Pay shows no code without an address for notifications: give core a public one",
        ));
    }
    let expires_at =
        moment::to_rfc3339(order.expires_at).ok_or_else(|| not_sent("the order's expiry cannot be written"))?;
    let mut body = announced(settings, order)?;
    body.insert("notify_url".to_owned(), notify(notify_url)?.into());
    body.insert("time_expire".to_owned(), expires_at.into());
    Ok(body)
}

/// `POST …/codepay`: charges the customer's code. Source: `code-payment-v3/direct/code-pay`, `partner-code-payment-v3`.
///
/// # Errors
/// `not-sent` for another currency than CNY.
pub fn charge(settings: &Settings, order: &Order, code: &str) -> Result<Call, Error> {
    let mut body = announced(settings, order)?;
    body.insert("payer".to_owned(), json!({ "auth_code": code }));
    // The store is mandatory here, by the scheme's number or, as here, by the merchant's own.
    let mut scene = json!({ "store_info": { "out_id": order.store_id } });
    if !order.terminal_id.is_empty() {
        scene["device_id"] = order.terminal_id.as_str().into();
    }
    body.insert("scene_info".to_owned(), scene);
    Ok(Call { timeout_ms: CHARGE_TIMEOUT_MS, ..Call::post(format!("{}/codepay", settings.orders()), body) })
}

/// What both kinds of orders say of themselves.
fn announced(settings: &Settings, order: &Order) -> Result<Map<String, Value>, Error> {
    let said = [&order.subject, &order.merchant_name, &order.number].into_iter().find(|text| !text.trim().is_empty());
    let description: String = said.into_iter().flat_map(|text| text.chars()).take(DESCRIPTION_CHARS_MAX).collect();
    let mut body = settings.merchant_and_app();
    body.insert("description".to_owned(), description.into());
    body.insert("out_trade_no".to_owned(), order.number.as_str().into());
    body.insert("amount".to_owned(), json!({ "total": fen(&order.amount)?, "currency": "CNY" }));
    Ok(body)
}

/// `GET …/out-trade-no/{no}`. Source: `doc/v3/merchant/4013070356`.
#[must_use]
pub fn query(settings: &Settings, number: &str) -> Call {
    Call::get(format!("{}?{}", of_number(settings, number), settings.merchant_query()))
}

/// `POST …/out-trade-no/{no}/close`: of an order that was announced and is not paid. May be repeated.
#[must_use]
pub fn close(settings: &Settings, number: &str) -> Call {
    Call::post(format!("{}/close", of_number(settings, number)), settings.merchant())
}

/// `POST …/out-trade-no/{no}/reverse`: of a charged order, paid or not. Source: `code-payment-v3/direct/reverse`.
#[must_use]
pub fn reverse(settings: &Settings, number: &str) -> Call {
    Call::post(format!("{}/reverse", of_number(settings, number)), settings.merchant_and_app())
}

/// From when on a charged order may be reversed however it stands, in milliseconds since 1970.
#[must_use]
pub fn undoable_from(order: &KnownOrder) -> i64 {
    order.created_at.saturating_add(REVERSE_AFTER_MS)
}

/// `POST /v3/refund/domestic/refunds`. Source: `doc/v3/merchant/4012791862`, `doc/v3/partner/4012709253`.
///
/// # Errors
/// `not-sent` for another currency than CNY, `misconfigured` for an address that takes no notifications.
pub fn refund(settings: &Settings, refund: &RefundOrder, notify_url: &str) -> Result<Call, Error> {
    let mut body = json!({
        "out_trade_no": refund.number,
        "out_refund_no": refund.refund_number,
        "amount": { "refund": fen(&refund.amount)?, "total": fen(&refund.total)?, "currency": "CNY" },
    });
    let reason = &refund.reason[..refund.reason.floor_char_boundary(REASON_BYTES_MAX)];
    if !reason.is_empty() {
        body["reason"] = reason.into();
    }
    if !notify_url.is_empty() {
        body["notify_url"] = notify(notify_url)?.into();
    }
    if settings.mode == Mode::Partner {
        body["sub_mchid"] = settings.sub_mchid.as_str().into();
    }
    let (path, body) = ("/v3/refund/domestic/refunds".to_owned(), body.to_string());
    Ok(Call { method: "POST", path, body, timeout_ms: TIMEOUT_MS })
}

/// `GET /v3/refund/domestic/refunds/{out_refund_no}`.
#[must_use]
pub fn query_refund(settings: &Settings, refund_number: &str) -> Call {
    let path = format!("/v3/refund/domestic/refunds/{}", escaped(refund_number));
    Call::get(match settings.mode {
        Mode::Direct => path,
        Mode::Partner => format!("{path}?sub_mchid={}", settings.sub_mchid),
    })
}

/// `GET /v3/bill/tradebill`: where the bill of a day is. Not compressed, since the hash is of the plain file, and what cannot blow
/// up needs no bound. Source: `doc/v3/merchant/4013070405`, `doc/v3/partner/4012759683`.
#[must_use]
pub fn bill(settings: &Settings, day: &str) -> Call {
    let path = format!("/v3/bill/tradebill?bill_date={}&bill_type=ALL", escaped(day));
    Call::get(match settings.mode {
        Mode::Direct => path,
        Mode::Partner => format!("{path}&sub_mchid={}", settings.sub_mchid),
    })
}

/// Where the bill of a day is of one of the merchant's accounts: `GET /v3/bill/fundflowbill`, of a service provider's merchant
/// `GET /v3/bill/sub-merchant-fundflowbill`, since the other one would be of the provider's own. Not compressed either. Sources:
/// `doc/v3/merchant/4012556742`, `docs/partner/apis/partner-mini-program-payment/get-sub-mch-fund-flow-bill`.
#[must_use]
pub fn fund_bill(settings: &Settings, day: &str, account: FundAccount) -> Call {
    let of = format!("bill_date={}&account_type={}", escaped(day), account.word());
    Call::get(match settings.mode {
        Mode::Direct => format!("/v3/bill/fundflowbill?{of}"),
        Mode::Partner => format!(
            "/v3/bill/sub-merchant-fundflowbill?sub_mchid={}&{of}&algorithm=AEAD_AES_256_GCM",
            settings.sub_mchid
        ),
    })
}

/// The URL of a bill's file, and what is signed of it.
///
/// # Errors
/// `no-answer` for what is no URL.
pub fn download(url: &str) -> Result<Call, Error> {
    Ok(Call::get(signature::path_of(url)?.to_owned()))
}

/// `GET /v3/certificates`: the platform certificates in force and the next ones, sealed.
#[must_use]
pub fn certificates() -> Call {
    Call::get("/v3/certificates".to_owned())
}

/// A query of an order that is not there: what comes back shows that both sides' keys fit. Nothing is changed by it.
#[must_use]
pub fn self_test(settings: &Settings, nonce: &str) -> Call {
    query(settings, &format!("selftest{}", &nonce[..nonce.len().min(24)]))
}

fn of_number(settings: &Settings, number: &str) -> String {
    format!("{}/out-trade-no/{}", settings.orders(), escaped(number))
}

/// Amounts are whole fen: CNY's minor unit.
fn fen(amount: &Money) -> Result<i64, Error> {
    match amount.currency.as_str() {
        "CNY" => Ok(amount.minor),
        other => Err(not_sent(format!("WeChat Pay takes CNY from a merchant in China, not {other}"))),
    }
}

/// The scheme takes no address with a query, and none that is longer.
fn notify(url: &str) -> Result<&str, Error> {
    let fits = url.len() <= NOTIFY_URL_BYTES_MAX && web_path(url).is_some();
    fits.then_some(url).ok_or_else(|| {
        misconfigured(format!(
            "WeChat Pay notifies http(s) addresses of at most {NOTIFY_URL_BYTES_MAX} bytes without a query, not {url:?}"
        ))
    })
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
pub(super) fn escaped(text: &str) -> String {
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
pub(super) mod samples {
    use saoma_channel_sdk::{Account, Presenter};

    use super::*;

    pub(in super::super) const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    pub(in super::super) const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

    pub(in super::super) fn account(mode: &str) -> Account {
        let mut settings = json!({
            "base_url": "https://api.mch.weixin.qq.com", "mode": mode, "mchid": "1900000001", "appid": "wx8888888888888888",
            "merchant_serial": "3775B6A45ACD588826D15E583A95F5DD4A000001",
        });
        if mode == "partner" {
            settings["sub_mchid"] = "1900000109".into();
            settings["sub_appid"] = "wx9999999999999999".into();
        }
        let settings_json = settings.to_string();
        Account { id: "cha_1".to_owned(), settings_json, notify_url: "https://pay.example/n/1".to_owned() }
    }

    pub(in super::super) fn settings(mode: &str) -> Settings {
        Settings::of(&account(mode)).unwrap()
    }

    pub(in super::super) fn cny(minor: i64) -> Money {
        Money { minor, currency: "CNY".to_owned() }
    }

    pub(in super::super) fn order() -> Order {
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

    pub(in super::super) fn known_order() -> KnownOrder {
        KnownOrder {
            number: NUMBER.to_owned(),
            reference: String::new(),
            amount: cny(1_250),
            presented_by: Presenter::Customer,
            created_at: 1_700_000_000_000,
        }
    }

    pub(in super::super) fn refund_order() -> RefundOrder {
        RefundOrder {
            number: NUMBER.to_owned(),
            reference: "4200000001".to_owned(),
            refund_number: REFUND.to_owned(),
            amount: cny(5),
            total: cny(1_250),
            reason: "cold".to_owned(),
            created_at: 1_700_000_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{samples::*, *};

    #[test]
    fn what_cannot_be_said_is_not_sent() {
        let settings = settings("direct");
        let dollars = Order { amount: Money { minor: 1, currency: "USD".to_owned() }, ..order() };
        let never = Order { expires_at: i64::MAX, ..order() };
        for told in [
            charge(&settings, &dollars, "13"),
            create(&settings, &dollars, "https://x/n"),
            create(&settings, &never, "https://x/n"),
        ] {
            assert!(matches!(told, Err(Error::NotSent(_))), "{told:?}");
        }
        for url in ["", "https://x/n?a=b", "ftp://x/n", &format!("https://x/{}", "n".repeat(250))] {
            assert!(matches!(create(&settings, &order(), url), Err(Error::Misconfigured(_))), "{url}");
        }
    }

    #[test]
    fn texts_are_cut_to_what_the_scheme_takes() {
        let settings = settings("direct");
        let said = |order: &Order| {
            let body: Value = serde_json::from_str(&charge(&settings, order, "13").unwrap().body).unwrap();
            body["description"].as_str().unwrap().to_owned()
        };
        assert_eq!(said(&Order { subject: "茶".repeat(200), ..order() }), "茶".repeat(127));
        assert_eq!(said(&Order { subject: " ".to_owned(), ..order() }), "Corner Shop");
        assert_eq!(said(&Order { subject: String::new(), merchant_name: String::new(), ..order() }), NUMBER);
        let online = charge(&settings, &Order { terminal_id: String::new(), ..order() }, "13").unwrap();
        assert!(!online.body.contains("device_id"), "{}", online.body);
        let reason = |reason: &str| {
            refund(&settings, &RefundOrder { reason: reason.to_owned(), ..refund_order() }, "").unwrap().body
        };
        assert!(reason(&"冷".repeat(40)).contains(&format!(r#""{}""#, "冷".repeat(26))));
        assert!(!reason("").contains("reason") && !reason("").contains("notify_url"));
    }

    #[test]
    fn paths_are_escaped() {
        assert_eq!(query_refund(&settings("direct"), "r|1@/").path, "/v3/refund/domestic/refunds/r%7C1%40%2F");
        assert_eq!(undoable_from(&known_order()), 1_700_000_015_000);
    }
}
