//! Paying from a page that is open in WeChat (JSAPI).
//!
//! Sources: web page authorization of official accounts (网页授权, `snsapi_base`), orders
//! (`docs/partner/apis/.../jsapi-prepay`, `doc/v3/partner/4012523579`, `docs/merchant/products/mini-program-payment`), the bridge
//! (`docs/partner/apis/combine-payment/orders/jsapi-transfer-payment`, `apiv3/apis/chapter5_1_8`).

use saoma_channel_sdk::{Error, Order, in_app::BridgeCall, misconfigured, no_answer, not_sent};
use serde::Deserialize;
use serde_json::json;

use super::{
    build::{Call, escaped, shown},
    read::parsed,
    refusal::refusal,
    settings::{Mode, Settings},
};

/// Where the visitor is sent. WeChat matches the order of the parameters.
///
/// # Errors
/// `misconfigured` without the setting.
pub fn authorize_url(settings: &Settings, return_url: &str, state: &str) -> Result<String, Error> {
    if settings.authorize_url.is_empty() {
        return Err(misconfigured("\"authorize_url\" must be https://open.weixin.qq.com for static codes"));
    }
    Ok(format!(
        "{}/connect/oauth2/authorize?appid={}&redirect_uri={}&response_type=code&scope=snsapi_base&state={state}#wechat_redirect",
        settings.authorize_url.trim_end_matches('/'),
        settings.appid,
        escaped(return_url),
    ))
}

/// Where the code is exchanged, but for the secret, which the host puts behind it.
///
/// # Errors
/// `misconfigured` without the setting, `not-sent` for what is no code.
pub fn token_url(settings: &Settings, parameters: &[(String, String)]) -> Result<String, Error> {
    if settings.official_account_url.is_empty() {
        return Err(misconfigured("\"official_account_url\" must be https://api.weixin.qq.com for static codes"));
    }
    // A visitor who does not permit it comes back without a code.
    let code = parameters.iter().find(|(name, _)| name == "code").map(|(_, code)| code.as_str()).unwrap_or_default();
    if code.is_empty() || code.len() > 512 {
        return Err(not_sent("the visitor came back without a code"));
    }
    Ok(format!(
        "{}/sns/oauth2/access_token?appid={}&code={}&grant_type=authorization_code",
        settings.official_account_url.trim_end_matches('/'),
        settings.appid,
        escaped(code),
    ))
}

#[derive(Deserialize)]
struct TokenMessage {
    openid: Option<String>,
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: String,
}

/// Who the visitor is. The answer is not signed: it is believed for the TLS under it, and for no more than whom to ask for money.
///
/// # Errors
/// `not-sent` for a code that is used up, too old or another app's, `misconfigured` for a wrong app or secret, else `no-answer`.
pub fn read_payer(status: u16, body: &[u8]) -> Result<String, Error> {
    if status != 200 {
        return Err(no_answer(format!("status {status} instead of a token")));
    }
    let told: TokenMessage = parsed(body)?;
    match (told.errcode.unwrap_or(0), told.openid) {
        (0, Some(openid)) if !openid.is_empty() => Ok(openid),
        // Not valid; used; expired; another app's (官方全局返回码).
        (code @ (40029 | 40163 | 42003 | 41008), _) => Err(not_sent(format!("{code}: {}", told.errmsg))),
        (code @ (40001 | 40013 | 40125 | 41002 | 41004 | 48001), _) => {
            Err(misconfigured(format!("{code}: {} (check appid and app-secret)", told.errmsg)))
        }
        (code, _) => Err(no_answer(format!("{code}: {}", told.errmsg))),
    }
}

/// `POST …/jsapi`.
///
/// # Errors
/// As [`super::create`].
pub fn open(settings: &Settings, order: &Order, payer: &str, notify_url: &str) -> Result<Call, Error> {
    let mut body = shown(settings, order, notify_url)?;
    // In partner mode the page is the service provider's, and so is the id by which the payer is known there.
    let name = if settings.mode == Mode::Partner { "sp_openid" } else { "openid" };
    body.insert("payer".to_owned(), json!({ name: payer }));
    Ok(Call::post(format!("{}/jsapi", settings.orders()), body))
}

#[derive(Deserialize)]
struct PrepayMessage {
    prepay_id: String,
}

/// The order as the app knows it. The answer says neither number nor amount.
///
/// # Errors
/// `not-sent` if the scheme refused it, `no-answer` for all that is no order.
pub fn read_opened(status: u16, body: &[u8]) -> Result<String, Error> {
    if status == 200 {
        let id = parsed::<PrepayMessage>(body)?.prepay_id;
        let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        return is_id.then_some(id).ok_or_else(|| no_answer("the answer has no prepay_id"));
    }
    let refusal = refusal(status, body)?;
    Err(match refusal.code.as_str() {
        "ORDERCLOSED" | "RULELIMIT" | "TRADEERROR" | "ACCOUNTERROR" | "OPENIDMISMATCH" if status < 500 => {
            not_sent(refusal.words)
        }
        _ => refusal.into_error(),
    })
}

/// What `paySign` is over: four lines, each ended by LF.
#[must_use]
pub fn pay_text(settings: &Settings, timestamp: &str, nonce: &str, prepay_id: &str) -> Vec<u8> {
    format!("{}\n{timestamp}\n{nonce}\nprepay_id={prepay_id}\n", settings.appid).into_bytes()
}

/// `getBrandWCPayRequest`.
#[must_use]
pub fn bridge(settings: &Settings, timestamp: &str, nonce: &str, prepay_id: &str, signature: &str) -> BridgeCall {
    let parameters = json!({
        "appId": settings.appid, "timeStamp": timestamp, "nonceStr": nonce, "package": format!("prepay_id={prepay_id}"),
        "signType": "RSA", "paySign": signature,
    });
    BridgeCall {
        object: "WeixinJSBridge".to_owned(),
        ready: "WeixinJSBridgeReady".to_owned(),
        function: "invoke".to_owned(),
        name: "getBrandWCPayRequest".to_owned(),
        parameters_json: parameters.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::build::samples::{order, settings},
        *,
    };

    fn served(mode: &str) -> Settings {
        Settings {
            authorize_url: "https://open.weixin.qq.com/".to_owned(),
            official_account_url: "https://api.weixin.qq.com".to_owned(),
            ..settings(mode)
        }
    }

    #[test]
    fn addresses_are_the_published_ones() {
        assert_eq!(
            authorize_url(&served("direct"), "https://shop.example/s/a?b", "0a").unwrap(),
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx8888888888888888&redirect_uri=https%3A%2F%2Fshop.example%2Fs%2Fa%3Fb\
             &response_type=code&scope=snsapi_base&state=0a#wechat_redirect"
        );
        let came = |code: &str| vec![("code".to_owned(), code.to_owned())];
        assert_eq!(
            token_url(&served("direct"), &came("0a&b")).unwrap(),
            "https://api.weixin.qq.com/sns/oauth2/access_token?appid=wx8888888888888888&code=0a%26b&grant_type=authorization_code"
        );
        assert!(matches!(token_url(&served("direct"), &[]), Err(Error::NotSent(_))));
        assert!(matches!(token_url(&settings("direct"), &came("0a")), Err(Error::Misconfigured(_))));
        assert!(matches!(authorize_url(&settings("direct"), "https://x", "0a"), Err(Error::Misconfigured(_))));
    }

    #[test]
    fn who_came_back() {
        let kind = |status, body: &str| match read_payer(status, body.as_bytes()) {
            Ok(openid) => openid,
            Err(Error::NotSent(_)) => "not-sent".to_owned(),
            Err(Error::Misconfigured(_)) => "misconfigured".to_owned(),
            Err(_) => "no-answer".to_owned(),
        };
        for (status, body, outcome) in [
            (
                200,
                r#"{"access_token":"a","expires_in":7200,"refresh_token":"r","openid":"oUp","scope":"snsapi_base"}"#,
                "oUp",
            ),
            (200, r#"{"errcode":40029,"errmsg":"invalid code"}"#, "not-sent"),
            (200, r#"{"errcode":40163,"errmsg":"code been used"}"#, "not-sent"),
            (200, r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#, "misconfigured"),
            (200, r#"{"errcode":-1,"errmsg":"system error"}"#, "no-answer"),
            (200, r#"{"openid":""}"#, "no-answer"),
            (200, "<html>", "no-answer"),
            (502, r#"{"openid":"oUp"}"#, "no-answer"),
        ] {
            assert_eq!(kind(status, body), outcome, "{body}");
        }
    }

    #[test]
    fn each_mode_names_the_payer_as_its_page_knows_them() {
        for (mode, path, payer) in [
            ("direct", "/v3/pay/transactions/jsapi", r#""payer":{"openid":"oUp"}"#),
            ("partner", "/v3/pay/partner/transactions/jsapi", r#""payer":{"sp_openid":"oUp"}"#),
        ] {
            let call = open(&settings(mode), &order(), "oUp", "https://x/n").unwrap();
            assert_eq!(call.path, path);
            assert!(call.body.contains(payer), "{}", call.body);
        }
        let text = pay_text(
            &settings("direct"),
            "1414561699",
            "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
            "wx201410272009395522657a690389285100",
        );
        let documented = "wx8888888888888888\n1414561699\n5K8264ILTKCH16CQ2502SI8ZNMTM67VS\nprepay_id=wx201410272009395522657a690389285100\n";
        assert_eq!(text, documented.as_bytes());
    }
}
