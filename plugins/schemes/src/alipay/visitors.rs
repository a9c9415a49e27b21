//! Pages of an application (用户信息授权, `auth_base`): where visitors are sent, and the exchange of the code that they come back with.
//! The customer is in Alipay and is asked nothing.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Bytes, Data},
};
use serde_json::{Value, json};

use super::{Alipay, keys, refusal::Refusal};
use crate::stage::{Act, leave};

pub(super) const METHOD: &str = "alipay.system.oauth.token";
/// The customer, as Alipay knows them.
pub(super) const USER_ID: &str = "2088102150527498";
/// A code is good for three minutes at least, and once ("How to obtain Alipay user_id").
const CODE_MS_MAX: i64 = 3 * 60_000;

/// The codes that were given to visitors.
#[derive(Default)]
pub struct Visitors {
    codes: BTreeMap<String, Code>,
}

struct Code {
    given_at: i64,
    is_used: bool,
}

impl Visitors {
    fn give(&mut self, now: i64) -> String {
        let code = format!("{:032x}", 0x00ca_34ea_491e_7146_u128 + self.codes.len() as u128);
        self.codes.insert(code.clone(), Code { given_at: now, is_used: false });
        code
    }

    /// # Errors
    /// If the code is none, used or too old: Alipay does not tell them apart.
    pub(super) fn exchange(&mut self, code: Option<&str>, now: i64) -> Result<Value, Refusal> {
        let code = code.ok_or(Refusal::Missing("code"))?;
        let known = self.codes.get_mut(code).filter(|known| !known.is_used && now - known.given_at <= CODE_MS_MAX);
        known.ok_or(Refusal::Invalid("code"))?.is_used = true;
        Ok(json!({
            "user_id": USER_ID, "access_token": "publicpBa869cad0990e4e17a57ecf7c5469a4b2", "expires_in": 300,
            "refresh_token": "publicpB0ff17e364f0743c79b0b0d7f55e20bfc", "re_expires_in": 300,
        }))
    }
}

/// `GET /oauth2/publicAppAuthorize.htm`.
pub(super) async fn authorize(far_side: Data<Alipay>, request: HttpRequest) -> HttpResponse {
    let fault = far_side.stage.enter(Act::Other, &request, &Bytes::new());
    let given: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let of = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    let (to, state) = (of("redirect_uri"), of("state"));
    let is_fit = of("app_id") == keys::APP_ID
        && of("scope") == "auth_base"
        && (to.starts_with("https://") || to.starts_with("http://"));
    let honest = if is_fit {
        let code = far_side.visitors().give(far_side.stage.now_ms());
        let told = form_urlencoded::Serializer::new(String::new())
            .append_pair("app_id", keys::APP_ID)
            .append_pair("source", "alipay_wallet")
            .append_pair("scope", "auth_base")
            .append_pair("state", state)
            .append_pair("auth_code", &code)
            .finish();
        let joint = if to.contains('?') { '&' } else { '?' };
        HttpResponse::Found().insert_header((LOCATION, format!("{to}{joint}{told}"))).finish()
    } else {
        HttpResponse::Ok().content_type("text/html").body("<html>授权链接参数错误</html>")
    };
    leave(fault, honest).await
}
