//! `gateway.do`: every method behind one address, each answer signed over its text as it is sent.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::{
    Alipay, bill,
    book::{Action, Book, NewOrder, Trade},
    clock,
    gate::{self, Fields, yuan},
    keys,
    refusal::Refusal,
    visitors,
};
use crate::stage::{Act, FarSide as _, Fault, leave};

/// What a refusal for good is called. Alipay does not tell old codes from wrong ones.
const fn refused_by(act: Act, fault: Fault) -> Option<&'static str> {
    match (act, fault) {
        (Act::Refund, Fault::InsufficientFunds) => Some("ACQ.SELLER_BALANCE_NOT_ENOUGH"),
        (Act::Refund, Fault::LimitExceeded) => Some("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"),
        (Act::Refund, Fault::Declined) => Some("ACQ.TRADE_NOT_ALLOW_REFUND"),
        (Act::Create, Fault::Declined) => Some("ACQ.ACCESS_FORBIDDEN"),
        (_, Fault::InsufficientFunds) => Some("ACQ.BUYER_BALANCE_NOT_ENOUGH"),
        (_, Fault::CodeInvalid) => Some("ACQ.PAYMENT_AUTH_CODE_INVALID"),
        (_, Fault::LimitExceeded) => Some("ACQ.BEYOND_PAY_RESTRICTION"),
        (_, Fault::Declined) => Some("ACQ.PAYMENT_FAIL"),
        _ => None,
    }
}

fn act(method: &str) -> Act {
    match method {
        "alipay.trade.precreate" | "alipay.trade.create" => Act::Create,
        "alipay.trade.pay" => Act::Charge,
        "alipay.trade.query" => Act::Query,
        "alipay.trade.cancel" | "alipay.trade.close" => Act::Cancel,
        "alipay.trade.refund" => Act::Refund,
        "alipay.trade.fastpay.refund.query" => Act::QueryRefund,
        "alipay.data.dataservice.bill.downloadurl.query" => Act::Bill,
        _ => Act::Other,
    }
}

/// `POST /gateway.do`.
pub async fn handle(far_side: web::Data<Alipay>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let parameters = gate::parameters(request.query_string(), &body);
    let method = parameters.as_ref().ok().and_then(|parameters| parameters.get("method")).cloned();
    let method = method.unwrap_or_default();
    let act = act(&method);
    let fault = far_side.stage().enter(act, &request, &body);
    // The amount of a refund is told by its query alone: it is wrong there.
    if (act, fault) == (Act::Refund, Some(Fault::WrongAmount)) {
        far_side.stage().arm(Act::QueryRefund, Fault::WrongAmount);
    }
    let now = far_side.stage().now_ms();
    let admitted = parameters.and_then(|parameters| gate::admit(&parameters, far_side.config, &far_side.keys, now));
    let by_certificate = admitted.as_ref().is_ok_and(|request| request.by_certificate);
    let done = admitted.and_then(|request| {
        if let Some(code) = fault.and_then(|fault| refused_by(act, fault)) {
            return Err(Refusal::Business(code));
        }
        if fault == Some(Fault::Unheard) {
            return Err(Refusal::Business("ACQ.SYSTEM_ERROR"));
        }
        far_side.carry_out(act, &request, fault, now)
    });
    let mut node = match done {
        Ok(fields) => fields,
        Err(refusal) => refused(&refusal),
    };
    spoil(&mut node, act, fault);
    leave(fault, far_side.sealed(&method, node, by_certificate, fault)).await
}

fn refused(refusal: &Refusal) -> Map<String, Value> {
    let [code, msg, sub_code, sub_msg] = refusal.parts();
    fields(json!({ "code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg }))
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Makes of an honest answer what the fault wants.
fn spoil(node: &mut Map<String, Value>, act: Act, fault: Option<Fault>) {
    match fault {
        Some(Fault::Busy) => *node = refused(&Refusal::Business("ACQ.SYSTEM_ERROR")),
        Some(Fault::StrangeError) => *node = refused(&Refusal::Business("ACQ.NOWHERE_DESCRIBED")),
        Some(Fault::StrangeState) => {
            let (name, value) = match act {
                Act::Query => ("trade_status", "TRADE_DREAMING"),
                Act::QueryRefund => ("refund_status", "REFUND_DREAMING"),
                Act::Cancel => ("action", "dream"),
                _ => ("code", "10004"),
            };
            node.insert(name.to_owned(), json!(value));
        }
        Some(Fault::WrongNumber) => {
            for name in ["out_trade_no", "out_request_no"] {
                if let Some(number) = node.get_mut(name) {
                    *number = json!("pay_zzzzzzzzzzzzzzzzzzzzzzzzzz");
                }
            }
        }
        Some(Fault::WrongAmount) => {
            for name in ["total_amount", "refund_amount"] {
                let more = node.get(name).and_then(Value::as_str).and_then(|text| text.replace('.', "").parse().ok());
                if let Some(minor) = more.map(|minor: i64| minor + 1) {
                    node.insert(name.to_owned(), json!(yuan(minor)));
                }
            }
        }
        _ => {}
    }
}

impl Alipay {
    /// The answer's text, signed. Slashes are escaped, as Alipay does: who writes the JSON anew gets another text.
    fn sealed(
        &self,
        method: &str,
        node: Map<String, Value>,
        by_certificate: bool,
        fault: Option<Fault>,
    ) -> HttpResponse {
        let is_refused = node.contains_key("sub_code");
        let text = Value::Object(node).to_string().replace('/', "\\/");
        let signature = match fault {
            Some(Fault::Unsigned) => String::new(),
            Some(Fault::Forged) => format!(r#","sign":"{}""#, self.keys.sign("{}")),
            _ => format!(r#","sign":"{}""#, self.keys.sign(&text)),
        };
        let certificate = match by_certificate {
            true => format!(r#","alipay_cert_sn":"{}""#, keys::ALIPAY_CERT_SN),
            false => String::new(),
        };
        let name = if act(method) == Act::Other && (is_refused || method != visitors::METHOD) {
            "error_response".to_owned()
        } else {
            format!("{}_response", method.replace('.', "_"))
        };
        HttpResponse::Ok()
            .content_type("text/html;charset=utf-8")
            .body(format!(r#"{{"{name}":{text}{certificate}{signature}}}"#))
    }

    fn carry_out(
        &self,
        act: Act,
        request: &gate::Request,
        fault: Option<Fault>,
        now: i64,
    ) -> Result<Map<String, Value>, Refusal> {
        if request.method == visitors::METHOD {
            // No `code` in it: the one answer that has none.
            return self.visitors().exchange(request.code.as_deref(), now).map(fields);
        }
        let content = Fields(&request.content);
        let is_slow = fault == Some(Fault::Pending);
        let mut book = self.book();
        let done = match act {
            Act::Create if request.method == "alipay.trade.create" => {
                let order = new_order(&content, now)?;
                if content.required("buyer_id", 28)? != visitors::USER_ID {
                    return Err(Refusal::Field("buyer_id"));
                }
                // Open until the buyer, in whose app the page is, says yes.
                let trade = book.pay(order, true, now)?;
                json!({ "out_trade_no": trade.order.number, "trade_no": trade.trade_no })
            }
            Act::Create => {
                let order = new_order(&content, now)?;
                let number = order.number.clone();
                json!({ "out_trade_no": number, "qr_code": book.precreate(order, now)? })
            }
            Act::Charge => pay(&mut book, &content, is_slow, now)?,
            Act::Query => query(&mut book, &content, now)?,
            Act::Cancel if request.method == "alipay.trade.close" => {
                let trade = book.close(number(&content)?, now)?;
                json!({ "out_trade_no": trade.order.number, "trade_no": trade.trade_no })
            }
            Act::Cancel => cancel(&mut book, &content, now)?,
            Act::Refund => refund(&mut book, &content, is_slow, now)?,
            Act::QueryRefund => query_refund(&mut book, &content, now)?,
            Act::Bill => {
                let day = bill_day(&book, &content, now)?;
                json!({ "bill_download_url": self.bill_url(day, fault, now) })
            }
            Act::Forward | Act::Settle | Act::Upload | Act::Finish | Act::Other => {
                return Err(Refusal::Invalid("method"));
            }
        };
        let mut node = fields(json!({ "code": "10000", "msg": "Success" }));
        node.extend(fields(done));
        Ok(node)
    }
}

fn pay(book: &mut Book, content: &Fields<'_>, must_confirm: bool, now: i64) -> Result<Value, Refusal> {
    let order = new_order(content, now)?;
    if content.required("scene", 32)? != "bar_code" {
        return Err(Refusal::Field("scene"));
    }
    if !is_pay_code(content.required("auth_code", 64)?) {
        return Err(Refusal::Business("ACQ.PAYMENT_AUTH_CODE_INVALID"));
    }
    let trade = book.pay(order, must_confirm, now)?;
    let mut told = told(&trade);
    told.insert("code".to_owned(), json!(if trade.paid_at.is_some() { "10000" } else { "10003" }));
    Ok(Value::Object(told))
}

fn query(book: &mut Book, content: &Fields<'_>, now: i64) -> Result<Value, Refusal> {
    let trade = book.trade(number(content)?, now).ok_or(Refusal::Business("ACQ.TRADE_NOT_EXIST"))?;
    let mut told = told(trade);
    told.insert("trade_status".to_owned(), json!(trade.status.word()));
    // The same moment has another name here.
    if let Some(paid_at) = told.remove("gmt_payment") {
        told.insert("send_pay_date".to_owned(), paid_at);
    }
    if trade.is_cancelled {
        told.insert("ext_infos".to_owned(), json!(r#"{"action":"cancel"}"#));
    }
    Ok(Value::Object(told))
}

fn cancel(book: &mut Book, content: &Fields<'_>, now: i64) -> Result<Value, Refusal> {
    let number = number(content)?;
    Ok(match book.cancel(number, now)? {
        None => json!({ "out_trade_no": number, "retry_flag": "N" }),
        Some((trade, action)) => json!({
            "out_trade_no": number,
            "trade_no": trade.trade_no,
            "retry_flag": "N",
            "action": if action == Action::Close { "close" } else { "refund" },
        }),
    })
}

fn refund(book: &mut Book, content: &Fields<'_>, is_slow: bool, now: i64) -> Result<Value, Refusal> {
    let (number, refund_number) = (number(content)?, content.required("out_request_no", 64)?);
    let amount = content.amount("refund_amount")?;
    content.optional("refund_reason", 256)?;
    let (trade, is_moved) = book.refund(number, refund_number, amount, is_slow, now)?;
    Ok(json!({
        "out_trade_no": number,
        "trade_no": trade.trade_no,
        "buyer_logon_id": BUYER,
        "fund_change": if is_moved { "Y" } else { "N" },
        "refund_fee": yuan(trade.refunded_minor()),
    }))
}

fn query_refund(book: &mut Book, content: &Fields<'_>, now: i64) -> Result<Value, Refusal> {
    let (number, refund_number) = (number(content)?, content.required("out_request_no", 64)?);
    let trade = book.trade(number, now).ok_or(Refusal::Business("ACQ.TRADE_NOT_EXIST"))?;
    // Of a refund that is not there the question was understood, and there is nothing to tell.
    let Some(refund) = trade.refunds.iter().find(|refund| refund.number == refund_number) else {
        return Ok(json!({}));
    };
    let mut told = fields(json!({
        "out_trade_no": number,
        "trade_no": trade.trade_no,
        "out_request_no": refund.number,
        "total_amount": yuan(trade.order.amount_minor),
        "refund_amount": yuan(refund.amount_minor),
    }));
    if refund.is_paid {
        told.insert("refund_status".to_owned(), json!("REFUND_SUCCESS"));
    }
    Ok(Value::Object(told))
}

/// The day whose bill is asked for: one before this one, and only if something happened.
fn bill_day<'a>(book: &Book, content: &Fields<'a>, now: i64) -> Result<&'a str, Refusal> {
    if content.required("bill_type", 20)? != "trade" {
        return Err(Refusal::Field("bill_type"));
    }
    let day = content.required("bill_date", 15)?;
    if !clock::is_day(day) {
        return Err(Refusal::Field("bill_date"));
    }
    if *day >= *clock::day(now) || !bill::has_rows(book, day) {
        return Err(Refusal::Business("isp.bill_not_exist"));
    }
    Ok(day)
}

/// `time_expire` is 1 minute to 15 days ahead.
const LIFE_MS_MIN: i64 = 60_000;
const LIFE_MS_MAX: i64 = 15 * 24 * 3_600_000;

/// As Alipay masks whom it knows.
const BUYER: &str = "159****5620";

fn told(trade: &Trade) -> Map<String, Value> {
    let mut told = fields(json!({
        "out_trade_no": trade.order.number,
        "trade_no": trade.trade_no,
        "buyer_logon_id": BUYER,
        "total_amount": yuan(trade.order.amount_minor),
    }));
    if let Some(paid_at) = trade.paid_at {
        told.insert("gmt_payment".to_owned(), json!(clock::second(paid_at)));
        told.insert("receipt_amount".to_owned(), json!(yuan(trade.order.amount_minor)));
    }
    told
}

fn number<'a>(content: &Fields<'a>) -> Result<&'a str, Refusal> {
    content.number("out_trade_no")
}

fn new_order(content: &Fields<'_>, now: i64) -> Result<NewOrder, Refusal> {
    let subject = content.required("subject", 256)?;
    if subject.contains(['/', '=', '&']) {
        return Err(Refusal::Field("subject"));
    }
    content.optional("store_id", 32)?;
    content.optional("terminal_id", 32)?;
    let expires_at = content.required("time_expire", 32).ok().and_then(clock::parse);
    let is_taken = |at: &i64| (LIFE_MS_MIN..=LIFE_MS_MAX).contains(&(at - now));
    let expires_at = expires_at.filter(is_taken).ok_or(Refusal::Field("time_expire"))?;
    let (number, amount_minor) = (number(content)?.to_owned(), content.amount("total_amount")?);
    Ok(NewOrder { number, amount_minor, subject: subject.to_owned(), expires_at })
}

/// 付款码: 16 to 24 digits that begin with 25 to 30.
fn is_pay_code(code: &str) -> bool {
    let begins = code.get(..2).and_then(|prefix| prefix.parse::<u8>().ok());
    (16..=24).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && begins.is_some_and(|prefix| (25..=30).contains(&prefix))
}
