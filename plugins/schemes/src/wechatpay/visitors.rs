//! Pages of an official account (公众号网页授权, `snsapi_base`): where visitors are sent, and the exchange of the code that they come
//! back with. The customer is in WeChat and is asked nothing.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Bytes, Data},
};
use serde_json::{Value, json};

use super::{APPID, WechatPay};
use crate::stage::{Act, leave};

/// A code is good for five minutes, and once.
const CODE_MS_MAX: i64 = 5 * 60_000;
/// Of the official account, made for tests.
pub(super) const APP_SECRET: &str = "d4624c36b6795d1d99dcf0547af5443d";
/// The customer, as this official account knows them.
pub(super) const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// The codes that were given to visitors.
#[derive(Default)]
pub(super) struct Visitors {
    codes: BTreeMap<String, Code>,
}

struct Code {
    given_at: i64,
    is_used: bool,
}

impl Visitors {
    fn give(&mut self, now: i64) -> String {
        let code = format!("0{:06}uPqM1Vw0a1Hi9q0a1Hi9pB{:06}", self.codes.len() + 1, now.rem_euclid(1_000_000));
        self.codes.insert(code.clone(), Code { given_at: now, is_used: false });
        code
    }

    fn exchange(&mut self, code: &str, now: i64) -> Result<(), (i64, &'static str)> {
        let known = self.codes.get_mut(code).ok_or((40_029, "invalid code"))?;
        if known.is_used {
            return Err((40_163, "code been used"));
        }
        if now - known.given_at > CODE_MS_MAX {
            return Err((42_003, "code expired"));
        }
        known.is_used = true;
        Ok(())
    }
}

/// `GET /connect/oauth2/authorize?…#wechat_redirect`. WeChat compares the address letter by letter: parameters in another order, or
/// others, lead to a page of its own.
pub(super) async fn authorize(scheme: Data<WechatPay>, request: HttpRequest) -> HttpResponse {
    let fault = scheme.stage.enter(Act::Other, &request, &Bytes::new());
    let pairs: Vec<(String, String)> = form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let honest = match pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>().as_slice()
    {
        [
            ("appid", APPID),
            ("redirect_uri", to),
            ("response_type", "code"),
            ("scope", "snsapi_base"),
            ("state", state),
        ] if is_state(state) && (to.starts_with("https://") || to.starts_with("http://")) => {
            let code = scheme.visitors().give(scheme.stage.now_ms());
            let joint = if to.contains('?') { '&' } else { '?' };
            HttpResponse::Found().insert_header((LOCATION, format!("{to}{joint}code={code}&state={state}"))).finish()
        }
        _ => HttpResponse::Ok().content_type("text/html").body("<html>该链接无法访问</html>"),
    };
    leave(fault, honest).await
}

/// Letters and digits, at most 128.
fn is_state(state: &str) -> bool {
    (1..=128).contains(&state.len()) && state.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `GET /sns/oauth2/access_token`: always 200, with an `errcode` if it was refused.
pub(super) async fn access_token(scheme: Data<WechatPay>, request: HttpRequest) -> HttpResponse {
    let fault = scheme.stage.enter(Act::Other, &request, &Bytes::new());
    let given: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let of = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    let told: Value = match (of("appid"), of("secret"), of("grant_type")) {
        (APPID, APP_SECRET, "authorization_code") => {
            match scheme.visitors().exchange(of("code"), scheme.stage.now_ms()) {
                Ok(()) => json!({
                    "access_token": "ACCESS_TOKEN", "expires_in": 7200, "refresh_token": "REFRESH_TOKEN",
                    "openid": OPENID, "scope": "snsapi_base",
                }),
                Err((code, words)) => json!({ "errcode": code, "errmsg": words }),
            }
        }
        (APPID, APP_SECRET, _) => json!({ "errcode": 40_002, "errmsg": "invalid grant_type" }),
        (APPID, ..) => json!({ "errcode": 40_125, "errmsg": "invalid appsecret" }),
        _ => json!({ "errcode": 40_013, "errmsg": "invalid appid" }),
    };
    leave(fault, HttpResponse::Ok().content_type("text/plain").body(told.to_string())).await
}
