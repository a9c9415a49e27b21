//! What every request must carry. Source: `doc/v3/merchant/4012365342` and the API's general rules (`4012081606`).

use std::collections::BTreeMap;

use actix_web::{HttpRequest, http::header::HeaderMap, web::Bytes};

use super::{MCHID, keys, keys::Keys, refusal::Refusal};

const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Requests from further back, or ahead, are refused.
const SKEW_SECONDS_MAX: u64 = 300;
const NONCE_LEN_MAX: usize = 32;

/// Lets a request of the merchant's in.
pub(super) fn admit(keys: &Keys, now_ms: i64, request: &HttpRequest, body: &Bytes) -> Result<(), Refusal> {
    let headers = request.headers();
    let header = |name: &str| text(headers, name).unwrap_or_default();
    if !header("accept").contains("application/json") {
        return Err(Refusal::invalid("请求头Accept应为application/json"));
    }
    if header("user-agent").trim().is_empty() {
        return Err(Refusal::invalid("请求头User-Agent不能为空"));
    }
    if !body.is_empty() && !header("content-type").starts_with("application/json") {
        return Err(Refusal::invalid("请求头Content-Type应为application/json"));
    }
    let asked_for = header("wechatpay-serial");
    if !asked_for.is_empty() && !keys.may_be_asked_for(asked_for) {
        return Err(Refusal::invalid("请求头Wechatpay-Serial有误"));
    }
    let given = parsed(header("authorization")).ok_or_else(|| Refusal::signature("Http头Authorization值格式错误"))?;
    let of = |name: &str| given.get(name).copied().unwrap_or_default();
    if of("mchid") != MCHID {
        return Err(Refusal::signature("商户号有误"));
    }
    if of("serial_no") != keys::MERCHANT_SERIAL {
        return Err(Refusal::signature("商户证书序列号有误"));
    }
    let (timestamp, nonce) = (of("timestamp"), of("nonce_str"));
    let is_near = timestamp.parse::<i64>().is_ok_and(|at| at.abs_diff(now_ms.div_euclid(1_000)) <= SKEW_SECONDS_MAX);
    if !is_near {
        return Err(Refusal::signature("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    if !(1..=NONCE_LEN_MAX).contains(&nonce.len()) || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::signature("Http头Authorization中的nonce_str有误"));
    }
    let mut signed = format!("{}\n{}\n{timestamp}\n{nonce}\n", request.method(), request.uri()).into_bytes();
    signed.extend_from_slice(body);
    signed.push(b'\n');
    if keys.is_merchants(&signed, of("signature")) { Ok(()) } else { Err(Refusal::signature("签名错误")) }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The attributes of `Authorization`; none of them twice, and no others.
fn parsed(authorization: &str) -> Option<BTreeMap<&str, &str>> {
    let attributes = authorization.strip_prefix(SCHEME)?.strip_prefix(' ')?;
    let mut given = BTreeMap::new();
    for attribute in attributes.split(',') {
        let (name, value) = attribute.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        let is_known = matches!(name, "mchid" | "serial_no" | "timestamp" | "nonce_str" | "signature");
        if !is_known || given.insert(name, value).is_some() {
            return None;
        }
    }
    (given.len() == 5).then_some(given)
}
