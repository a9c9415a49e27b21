//! The wire: every answer signed over its bytes, and spoilt as the stage wants it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, Path},
};
use ring::digest;
use serde_json::{Value, json};

use super::{
    Config, MCHID, SUB_MCHID, WechatPay, bill,
    book::{self, Book, Kind, Order, RefundOrder},
    form::{self, Pay, Refund, Who},
    funds, gate,
    keys::Keys,
    moment,
    refusal::Refusal,
    visitors::{self, OPENID},
};
use crate::stage::{Act, Fault, leave};

pub(super) fn routes(to: &mut web::ServiceConfig) {
    for orders in ["/v3/pay/transactions", "/v3/pay/partner/transactions"] {
        to.route(&format!("{orders}/codepay"), web::post().to(charge))
            .route(&format!("{orders}/native"), web::post().to(create))
            .route(&format!("{orders}/jsapi"), web::post().to(open))
            .route(&format!("{orders}/out-trade-no/{{number}}"), web::get().to(query))
            .route(&format!("{orders}/out-trade-no/{{number}}/close"), web::post().to(close))
            .route(&format!("{orders}/out-trade-no/{{number}}/reverse"), web::post().to(reverse));
    }
    to.route("/v3/refund/domestic/refunds", web::post().to(refund))
        .route("/v3/refund/domestic/refunds/{number}", web::get().to(query_refund))
        .route("/v3/bill/tradebill", web::get().to(trade_bill))
        .route("/v3/bill/fundflowbill", web::get().to(fund_bill))
        .route("/v3/bill/sub-merchant-fundflowbill", web::get().to(sealed_fund_bill))
        .route("/v3/billdownload/file", web::get().to(bill_file))
        .route("/v3/certificates", web::get().to(certificates))
        .route("/connect/oauth2/authorize", web::get().to(visitors::authorize))
        .route("/sns/oauth2/access_token", web::get().to(visitors::access_token));
}

type Scheme = Data<WechatPay>;

/// What is carried out for a request that was let in.
type Outcome = Result<Option<Value>, Refusal>;

/// Hears a request, lets it in, carries it out and answers, each as the fault has it.
async fn answer(
    scheme: &Scheme,
    act: Act,
    request: &HttpRequest,
    body: &Bytes,
    carry_out: impl FnOnce(&mut Book, i64, Option<Fault>) -> Outcome,
) -> HttpResponse {
    let fault = scheme.stage.enter(act, request, body);
    let now = scheme.stage.now_ms();
    let outcome =
        mode(scheme.config, request).and_then(|()| gate::admit(&scheme.keys, now, request, body)).and_then(|()| {
            match fault.map(|fault| (fault, Refusal::of_fault(fault))) {
                Some((Fault::Unheard, _)) => Ok(None),
                Some((_, Some(refusal))) => Err(refusal),
                _ => carry_out(&mut scheme.book(), now, fault),
            }
        });
    leave(fault, told(scheme, request, now, fault, outcome)).await
}

/// Each mode has its own addresses.
fn mode(config: Config, request: &HttpRequest) -> Result<(), Refusal> {
    let path = request.path();
    let is_partners = path.starts_with("/v3/pay/partner/");
    if path.starts_with("/v3/pay/") && is_partners != config.is_partner {
        return Err(Refusal::no_permission("商户号未开通该产品权限"));
    }
    Ok(())
}

fn told(scheme: &Scheme, request: &HttpRequest, now: i64, fault: Option<Fault>, outcome: Outcome) -> HttpResponse {
    let outcome = match fault {
        Some(Fault::Busy) => Err(Refusal::system()),
        Some(Fault::StrangeError) => {
            Err(Refusal { status: 400, code: "MOON_PHASE_ERROR", message: "月相错误".to_owned(), field: None })
        }
        _ => outcome,
    };
    let (status, body) = match outcome {
        Ok(None) if fault == Some(Fault::StrangeState) => (StatusCode::OK, strange_state().to_string().into_bytes()),
        Ok(None) => (StatusCode::NO_CONTENT, Vec::new()),
        Ok(Some(mut told)) => {
            if let Some(fault) = fault {
                spoil(&mut told, fault);
            }
            (StatusCode::OK, told.to_string().into_bytes())
        }
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, refusal.body().to_string().into_bytes())
        }
    };
    let signed_over: &[u8] = if fault == Some(Fault::Forged) { b"other bytes" } else { &body };
    let is_list = request.path() == "/v3/certificates";
    let Ok(headers) = scheme.keys.headers(now, signed_over, is_list) else {
        return HttpResponse::InternalServerError().finish();
    };
    let mut response = HttpResponse::build(status);
    if fault != Some(Fault::Unsigned) {
        for header in headers {
            response.insert_header(header);
        }
    }
    if body.is_empty() { response.finish() } else { response.content_type("application/json").body(body) }
}

/// Says another amount, number or state than the books have.
pub(super) fn spoil(told: &mut Value, fault: Fault) {
    let has_refund = told.get("out_refund_no").is_some();
    let (amount, number) =
        if has_refund { ("/amount/refund", "/out_refund_no") } else { ("/amount/total", "/out_trade_no") };
    let state = ["/trade_state", "/status", "/hash_type"].into_iter().find(|place| told.pointer(place).is_some());
    let say = |told: &mut Value, place: &str, other: fn(&Value) -> Value| {
        // What an answer does not say cannot be said wrongly: that of a code names neither number nor amount.
        if let Some(said) = told.pointer_mut(place) {
            *said = other(said);
        }
    };
    match (fault, state) {
        (Fault::WrongAmount, _) => say(told, amount, |said| json!(said.as_i64().unwrap_or_default() + 1)),
        (Fault::WrongNumber, _) => say(told, number, |said| json!(format!("x{}", said.as_str().unwrap_or_default()))),
        (Fault::StrangeState, Some(state)) => say(told, state, |_| json!("DREAMING")),
        (Fault::StrangeState, None) => *told = strange_state(),
        _ => {}
    }
}

/// In place of an answer that has no state.
fn strange_state() -> Value {
    json!({ "state": "DREAMING" })
}

async fn charge(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Charge, &request, &body, |book, now, fault| {
        let pay: Pay = form::parsed(&body)?;
        let code = pay.check_charge(config)?;
        let order = book.charge(&pay, code, form::raw(&body), now, fault == Some(Fault::Pending))?;
        Ok(Some(order_told(config, order, order.trade_state())))
    })
    .await
}

async fn create(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Create, &request, &body, |book, now, _| {
        let pay: Pay = form::parsed(&body)?;
        let expires_at = pay.check_native(config)?;
        book.announce(&pay, form::raw(&body), Kind::Native, now, expires_at)?;
        Ok(Some(json!({ "code_url": book::code_url(&pay.out_trade_no) })))
    })
    .await
}

async fn open(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Create, &request, &body, |book, now, _| {
        let pay: Pay = form::parsed(&body)?;
        let expires_at = pay.check_jsapi(config)?;
        book.announce(&pay, form::raw(&body), Kind::Jsapi, now, expires_at)?;
        let hash = digest::digest(&digest::SHA256, pay.out_trade_no.as_bytes());
        Ok(Some(json!({ "prepay_id": format!("wx{}", &hex::encode(hash)[..32]) })))
    })
    .await
}

async fn query(scheme: Scheme, request: HttpRequest, number: Path<String>, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Query, &request, &body, |book, _, _| {
        Who::of_query(request.query_string())?.check(config, false)?;
        let order = book.order(&number).ok_or_else(Refusal::no_order)?;
        Ok(Some(order_told(config, order, order.trade_state())))
    })
    .await
}

async fn close(scheme: Scheme, request: HttpRequest, number: Path<String>, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Cancel, &request, &body, |book, _, _| {
        form::parsed::<Who>(&body)?.check(config, false)?;
        book.close(&number).map(|()| None)
    })
    .await
}

async fn reverse(scheme: Scheme, request: HttpRequest, number: Path<String>, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Cancel, &request, &body, |book, now, _| {
        form::parsed::<Who>(&body)?.check(config, true)?;
        book.reverse(&number, now)?;
        let mut told = merchant(config);
        told["out_trade_no"] = number.as_str().into();
        Ok(Some(told))
    })
    .await
}

async fn refund(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Refund, &request, &body, |book, now, fault| {
        let asked: Refund = form::parsed(&body)?;
        asked.check(config)?;
        let (order, refund) = book.refund(&asked, now, fault == Some(Fault::Pending))?;
        Ok(Some(refund_told(order, refund)))
    })
    .await
}

async fn query_refund(scheme: Scheme, request: HttpRequest, number: Path<String>, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::QueryRefund, &request, &body, |book, _, _| {
        let who = Who::of_query(request.query_string())?;
        if who.sub_mchid.as_deref() != config.is_partner.then_some(SUB_MCHID) {
            return Err(Refusal::parameter("sub_mchid", "子商户号有误"));
        }
        let (order, refund) = book.refund_of(&number).ok_or_else(|| Refusal::no_resource("退款单不存在"))?;
        Ok(Some(refund_told(order, refund)))
    })
    .await
}

async fn trade_bill(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Bill, &request, &body, |book, now, fault| {
        let asked = bill_asked(config, request.query_string())?;
        let file = bill::file(config, book, &asked, now, fault)?;
        Ok(Some(offered(book, &request, file)))
    })
    .await
}

async fn fund_bill(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let config = scheme.config;
    answer(&scheme, Act::Bill, &request, &body, |book, now, fault| {
        let asked = FundsAsked::of(request.query_string(), &["BASIC", "OPERATION", "FEES"])?;
        if asked.sub_mchid.is_some() || asked.algorithm.is_some() {
            return Err(Refusal::parameter("sub_mchid", "参数中含有非法的额外参数"));
        }
        let is_of_sales = asked.account == "BASIC" && !config.is_partner;
        let file = funds::file(book, asked.day, is_of_sales, config.withdraws, now, fault)?;
        Ok(Some(offered(book, &request, file)))
    })
    .await
}

/// The bill of a service provider's merchant. The scheme makes pieces of files of 16 GB; here there are always two, so that they are put
/// together again.
async fn sealed_fund_bill(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let (config, keys) = (scheme.config, &scheme.keys);
    answer(&scheme, Act::Bill, &request, &body, |book, now, fault| {
        let asked = FundsAsked::of(request.query_string(), &["BASIC", "OPERATION", "FEES", "DEPOSIT"])?;
        if asked.sub_mchid != Some(SUB_MCHID) || !config.is_partner {
            return Err(Refusal::no_permission("权限异常(无该子商户账单的权限)"));
        }
        // SM4 is not played.
        if asked.algorithm != Some("AEAD_AES_256_GCM") {
            return Err(Refusal::parameter("algorithm", "仅支持AEAD_AES_256_GCM"));
        }
        let file = funds::file(book, asked.day, asked.account == "BASIC", config.withdraws, now, fault)?;
        let sealed = offered_sealed(book, keys, &request, &file, fault == Some(Fault::WrongNumber));
        sealed.map(Some).map_err(|why| {
            tracing::error!(%why, "the fund bill cannot be sealed");
            Refusal::system()
        })
    })
    .await
}

/// Where a file is, and its hash.
fn offered(book: &mut Book, request: &HttpRequest, file: Vec<u8>) -> Value {
    let hash = sha1(&file);
    let told = json!({ "hash_type": "SHA1", "hash_value": hash, "download_url": file_url(request, &hash) });
    book.files = vec![(hash, file)];
    told
}

/// Where its pieces are, and what opens them. The documents say of the hash that it is of the bill, and that it is of the file; here it is
/// of the piece before it was sealed. `is_strangers`: they are sealed for another certificate.
fn offered_sealed(
    book: &mut Book,
    keys: &Keys,
    request: &HttpRequest,
    file: &[u8],
    is_strangers: bool,
) -> anyhow::Result<Value> {
    book.files.clear();
    let mut list = Vec::new();
    // The second is the larger by far, so that one piece can be as long as a bill.
    let (first, second) = file.split_at(file.len() / 8);
    for (piece, place) in [first, second].into_iter().zip(1..) {
        let (sealed, encrypt_key, nonce) = keys.seal_envelope(piece, is_strangers)?;
        let token = sha1(&sealed);
        list.push(json!({
            "bill_sequence": place, "hash_type": "SHA1", "hash_value": sha1(piece), "download_url": file_url(request, &token),
            "encrypt_key": encrypt_key, "nonce": nonce,
        }));
        book.files.push((token, sealed));
    }
    // Their order is not promised.
    list.reverse();
    Ok(json!({ "download_bill_count": list.len(), "download_bill_list": list }))
}

fn sha1(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes))
}

fn file_url(request: &HttpRequest, token: &str) -> String {
    let base = request.connection_info();
    format!("{}://{}/v3/billdownload/file?token={token}", base.scheme(), base.host())
}

struct FundsAsked<'a> {
    day: &'a str,
    account: &'a str,
    sub_mchid: Option<&'a str>,
    algorithm: Option<&'a str>,
}

impl<'a> FundsAsked<'a> {
    fn of(query: &'a str, accounts: &[&str]) -> Result<Self, Refusal> {
        let (mut day, mut account, mut sub_mchid, mut algorithm) = (None, "BASIC", None, None);
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("bill_date", value)) => day = Some(value),
                Some(("account_type", value)) if accounts.contains(&value) => account = value,
                Some(("sub_mchid", value)) => sub_mchid = Some(value),
                Some(("algorithm", value)) => algorithm = Some(value),
                _ => return Err(Refusal::parameter(pair, "参数中含有非法的额外参数")),
            }
        }
        let day = day.ok_or_else(|| Refusal::parameter("bill_date", "必填"))?;
        Ok(Self { day, account, sub_mchid, algorithm })
    }
}

/// The day.
fn bill_asked(config: Config, query: &str) -> Result<String, Refusal> {
    let (mut day, mut sub_merchant) = (None, None);
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("bill_date", value)) => day = Some(value.to_owned()),
            Some(("bill_type", "ALL")) => {}
            Some(("sub_mchid", value)) => sub_merchant = Some(value),
            _ => return Err(Refusal::parameter(pair, "参数中含有非法的额外参数")),
        }
    }
    if sub_merchant != config.is_partner.then_some(SUB_MCHID) {
        return Err(Refusal::no_permission("权限异常(无该子商户账单的权限)"));
    }
    day.ok_or_else(|| Refusal::parameter("bill_date", "必填"))
}

/// Signed as a request, and answered without a signature.
async fn bill_file(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    let fault = scheme.stage.enter(Act::Other, &request, &body);
    let now = scheme.stage.now_ms();
    if let Err(refusal) = gate::admit(&scheme.keys, now, &request, &body) {
        return leave(fault, told(&scheme, &request, now, fault, Err(refusal))).await;
    }
    let token = request.query_string().strip_prefix("token=").unwrap_or_default();
    let file = scheme.book().files.iter().find(|(known, _)| known == token).cloned();
    let honest = match file {
        Some((_, mut file)) => {
            if fault == Some(Fault::WrongAmount) {
                // No more the file that was hashed.
                file.push(b' ');
            }
            HttpResponse::Ok().content_type("text/plain").body(file)
        }
        None => told(&scheme, &request, now, None, Err(Refusal::invalid("账单下载地址已失效"))),
    };
    leave(fault, honest).await
}

async fn certificates(scheme: Scheme, request: HttpRequest, body: Bytes) -> HttpResponse {
    answer(&scheme, Act::Other, &request, &body, |_, _, _| match scheme.keys.certificates() {
        Ok(Some(list)) => Ok(Some(list)),
        Ok(None) => Err(Refusal::no_resource("无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")),
        Err(why) => {
            tracing::error!(%why, "the certificates cannot be sealed");
            Err(Refusal::system())
        }
    })
    .await
}

fn merchant(config: Config) -> Value {
    if config.is_partner {
        json!({ "sp_appid": super::APPID, "sp_mchid": MCHID, "sub_appid": super::SUB_APPID, "sub_mchid": SUB_MCHID })
    } else {
        json!({ "appid": super::APPID, "mchid": MCHID })
    }
}

/// An order, as a query tells it.
pub(super) fn order_told(config: Config, order: &Order, state: &str) -> Value {
    let mut told = merchant(config);
    told["out_trade_no"] = order.number.as_str().into();
    told["trade_state"] = state.into();
    told["trade_state_desc"] = state.into();
    told["attach"] = "".into();
    told["amount"] = json!({ "total": order.total, "currency": "CNY" });
    if order.is_paid() {
        let kind = match order.kind {
            Kind::Micropay => "MICROPAY",
            Kind::Native => "NATIVE",
            Kind::Jsapi => "JSAPI",
        };
        told["transaction_id"] = order.transaction_id.as_str().into();
        told["trade_type"] = kind.into();
        told["bank_type"] = "OTHERS".into();
        told["success_time"] = moment::rfc3339(order.paid_at).into();
        told["payer"] = if config.is_partner {
            json!({ "sp_openid": OPENID, "sub_openid": OPENID })
        } else {
            json!({ "openid": OPENID })
        };
        told["amount"] =
            json!({ "total": order.total, "payer_total": order.total, "currency": "CNY", "payer_currency": "CNY" });
    }
    told
}

/// A refund, as a query tells it.
fn refund_told(order: &Order, refund: &RefundOrder) -> Value {
    let mut told = json!({
        "refund_id": refund.refund_id, "out_refund_no": refund.number, "transaction_id": order.transaction_id,
        "out_trade_no": order.number, "channel": "ORIGINAL", "user_received_account": "支付用户零钱",
        "create_time": moment::rfc3339(refund.created_at), "status": if refund.is_done { "SUCCESS" } else { "PROCESSING" },
        "amount": {
            "total": order.total, "refund": refund.amount, "payer_total": order.total, "payer_refund": refund.amount,
            "settlement_refund": refund.amount, "settlement_total": order.total, "discount_refund": 0, "currency": "CNY",
        },
    });
    if refund.is_done {
        told["success_time"] = moment::rfc3339(refund.created_at).into();
    }
    told
}

/// A refund, as a notification tells it: under other names, and without a currency.
pub(super) fn refund_notified(config: Config, order: &Order, refund: &RefundOrder) -> Value {
    let mut told = if config.is_partner {
        json!({ "sp_mchid": MCHID, "sub_mchid": SUB_MCHID })
    } else {
        json!({ "mchid": MCHID })
    };
    told["transaction_id"] = order.transaction_id.as_str().into();
    told["out_trade_no"] = order.number.as_str().into();
    told["refund_id"] = refund.refund_id.as_str().into();
    told["out_refund_no"] = refund.number.as_str().into();
    told["refund_status"] = "SUCCESS".into();
    told["success_time"] = moment::rfc3339(refund.created_at).into();
    told["user_received_account"] = "支付用户零钱".into();
    told["amount"] = json!({
        "total": order.total, "refund": refund.amount, "payer_total": order.total, "payer_refund": refund.amount,
    });
    told
}
