//! The gateway's HTTP: `backTransReq.do`, `queryTrans.do` and the root of the bills' host. Every answer has status 200 and is
//! signed, refusals too.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data, ServiceConfig, post},
};

use super::{
    bill,
    book::{New, State, Transaction},
    moment::{clearing_day, from_digits14},
    request::{Kind, Refusal, check, refusal},
    side::{MERCHANT_ID, UnionPay, common, field, lie, moved, signed, spoil},
    signature::MERCHANT_CERT_ID,
    text::{Fields, from_form, to_answer},
};
use crate::stage::{Act, FarSide as _, Fault, leave};

const DAY_MS: i64 = 24 * 3_600_000;

pub fn configure(to: &mut ServiceConfig) {
    to.route("/gateway/api/backTransReq.do", post().to(back_trans))
        .route("/gateway/api/queryTrans.do", post().to(query_trans))
        .route("/", post().to(file));
}

async fn back_trans(side: Data<UnionPay>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answered(&side, &request, &body, &[Kind::Apply, Kind::Charge, Kind::Refund, Kind::Void, Kind::Reverse]).await
}

async fn query_trans(side: Data<UnionPay>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answered(&side, &request, &body, &[Kind::Query]).await
}

async fn file(side: Data<UnionPay>, request: HttpRequest, body: Bytes) -> HttpResponse {
    answered(&side, &request, &body, &[Kind::File]).await
}

async fn answered(side: &UnionPay, request: &HttpRequest, body: &Bytes, kinds: &[Kind]) -> HttpResponse {
    let is_form = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let is_form = is_form.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
    let fields = from_form(body).filter(|_| is_form).unwrap_or_default();
    let kind = Kind::of(&fields).filter(|kind| kinds.contains(kind));
    let fault = side.stage().enter(act(side, kind, &fields), request, body);
    let mut answer = echoed(&fields);
    match played(side, kind, &fields, fault) {
        Ok(more) => answer
            .extend([more, [field("respCode", "00"), field("respMsg", "成功[0000000]")].into()].into_iter().flatten()),
        Err(Refusal { code, words }) => {
            answer.extend([field("respCode", code), field("respMsg", &format!("{words}[{code}00000]"))])
        }
    }
    if let Some(fault) = fault {
        overlay(fault, kind, &mut answer);
        lie(fault, &mut answer);
    }
    let mut answer = signed(side.keys(), answer);
    if let Some(fault) = fault {
        spoil(fault, &mut answer);
    }
    leave(fault, HttpResponse::Ok().content_type("text/html;charset=UTF-8").body(to_answer(&answer))).await
}

/// A query is of a refund if there is a refund of that number.
fn act(side: &UnionPay, kind: Option<Kind>, fields: &Fields) -> Act {
    match kind {
        Some(Kind::Apply) => Act::Create,
        Some(Kind::Charge) => Act::Charge,
        Some(Kind::Refund) => Act::Refund,
        Some(Kind::Void | Kind::Reverse) => Act::Cancel,
        Some(Kind::File) => Act::Bill,
        Some(Kind::Query) => {
            let book = side.book();
            let about = fields.get("orderId").and_then(|order_id| book.get(order_id));
            if about.is_some_and(|about| about.txn_type == "04") { Act::QueryRefund } else { Act::Query }
        }
        None => Act::Other,
    }
}

/// What an answer repeats of its request.
fn echoed(fields: &Fields) -> Fields {
    const NAMES: [&str; 11] = [
        "version",
        "encoding",
        "signMethod",
        "txnType",
        "txnSubType",
        "bizType",
        "accessType",
        "merId",
        "orderId",
        "txnTime",
        "origQryId",
    ];
    let repeated = fields.iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
    repeated.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Checks a request and does what it asks; the answer's fields beyond the repeated ones.
fn played(side: &UnionPay, kind: Option<Kind>, fields: &Fields, fault: Option<Fault>) -> Result<Fields, Refusal> {
    let kind = kind.ok_or_else(|| refusal("10", "报文格式错误: txnType"))?;
    check(kind, fields)?;
    let text = |name: &str| fields.get(name).map_or("", String::as_str);
    if text("certId") != MERCHANT_CERT_ID || !side.keys().merchant_signed(fields) {
        return Err(refusal("11", "验证签名失败"));
    }
    if text("merId") != MERCHANT_ID {
        return Err(refusal("31", "商户状态不正确"));
    }
    match fault {
        Some(Fault::Unheard) => return Ok(Fields::new()),
        Some(Fault::InsufficientFunds) => return Err(refusal("64", "卡上的余额不足")),
        Some(Fault::CodeExpired) => return Err(refusal("80", "交易失败，Token 已过期")),
        Some(Fault::CodeInvalid) => return Err(refusal("61", "输入的卡号无效，请确认后输入")),
        Some(Fault::LimitExceeded) => return Err(refusal("33", "交易金额超限")),
        Some(Fault::Declined) => return Err(refusal("60", "交易失败，详情请咨询您的发卡行")),
        _ => {}
    }
    let now = side.stage().now_ms();
    let moment = |name: &str| from_digits14(text(name)).unwrap_or_default();
    let new = New {
        order_id: text("orderId"),
        txn_time: text("txnTime"),
        sent_ms: moment("txnTime"),
        amount: text("txnAmt").parse().unwrap_or_default(),
    };
    let state = if fault == Some(Fault::Pending) { State::Working } else { State::Done };
    let mut book = side.book();
    match kind {
        Kind::Apply => {
            let dies_at = if text("payTimeout").is_empty() { now + DAY_MS } else { moment("payTimeout") };
            let applied = book.apply(&new, dies_at, now)?;
            Ok([field("qrCode", &applied.code), field("txnAmt", text("txnAmt"))].into())
        }
        Kind::Charge => book.charge(&new, text("qrNo"), state, now).map(|sale| taken(&sale)),
        Kind::Refund => book.refund(&new, text("origQryId"), state, now).map(|refund| taken(&refund)),
        Kind::Void => book.void(&new, text("origQryId"), now).map(|void| taken(&void)),
        Kind::Reverse => {
            book.reverse(new.order_id, new.txn_time, now).map(|sale| [field("queryId", &sale.query_id)].into())
        }
        Kind::Query => {
            let found = book.find(new.order_id, new.txn_time).ok_or_else(|| refusal("34", "查无此交易"))?;
            Ok(told(found))
        }
        Kind::File => {
            let day = day(text("settleDate"), now).ok_or_else(|| refusal("98", "文件不存在"))?;
            let (name, content) = bill::file(&book, MERCHANT_ID, &day, fault);
            Ok([field("settleDate", text("settleDate")), field("fileName", &name), field("fileContent", &content)]
                .into())
        }
    }
}

/// The synchronous answer to what moves money says that it was taken in, no more.
fn taken(transaction: &Transaction) -> Fields {
    [
        field("queryId", &transaction.query_id),
        field("txnAmt", &transaction.amount.to_string()),
        field("currencyCode", "156"),
    ]
    .into()
}

/// What a query tells of a transaction.
fn told(transaction: &Transaction) -> Fields {
    let (code, words) = match transaction.state {
        // No public document says so, nor otherwise.
        State::Done | State::Reversed if transaction.given_back > 0 => {
            ("45", "原交易已被成功退货或已被成功撤销[4500000]")
        }
        State::Done => ("00", "成功[0000000]"),
        State::Refused(code) => (code, "交易失败，详情请咨询您的发卡行[6000060]"),
        _ => ("05", "交易已受理，请稍后查询交易结果[0500000]"),
    };
    let mut fields = common(transaction);
    fields.extend(moved(transaction));
    fields.extend([field("origRespCode", code), field("origRespMsg", words)]);
    fields
}

/// The clearing day of `MMDD` that began last; the day that runs has what it has so far.
fn day(settle_date: &str, now: i64) -> Option<String> {
    let today = clearing_day(now);
    let year: i32 = today.get(..4)?.parse().ok()?;
    let day = [year, year - 1].map(|year| format!("{year:04}{settle_date}")).into_iter().find(|day| *day <= today)?;
    from_digits14(&format!("{day}000000")).map(|_| day)
}

/// Answers that leave it open.
fn overlay(fault: Fault, kind: Option<Kind>, answer: &mut Fields) {
    let strange = [field("respCode", "Q7"), field("respMsg", "?[Q700000]")];
    match fault {
        Fault::Busy if kind == Some(Kind::Query) => {
            answer.extend([field("respCode", "06"), field("respMsg", "系统繁忙，请稍后再试[0600000]")]);
        }
        Fault::Busy => {
            answer.extend([field("respCode", "04"), field("respMsg", "交易状态未明，请查询对账结果[0400000]")])
        }
        Fault::StrangeState if answer.contains_key("origRespCode") => answer.extend([field("origRespCode", "Q7")]),
        Fault::StrangeError | Fault::StrangeState => answer.extend(strange),
        _ => {}
    }
}
