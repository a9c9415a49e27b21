//! The fields of requests, and what may stand in them. Unknown fields are refused (error 270924358).

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{APPID, Config, MCHID, SUB_APPID, SUB_MCHID, moment, refusal::Refusal, visitors::OPENID};

const DESCRIPTION_CHARS_MAX: usize = 127;
const URL_LEN_MAX: usize = 255;
/// In bytes, the stricter of the two readings of "80".
const REASON_LEN_MAX: usize = 80;
/// Ten million yuan: no wallet holds more.
const TOTAL_MAX: i64 = 1_000_000_000;

/// Who is paid, and by which apps customers meet them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    pub(super) appid: Option<String>,
    pub(super) mchid: Option<String>,
    pub(super) sp_appid: Option<String>,
    pub(super) sp_mchid: Option<String>,
    pub(super) sub_appid: Option<String>,
    pub(super) sub_mchid: Option<String>,
}

/// `codepay`, `native` and `jsapi`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pay {
    appid: Option<String>,
    mchid: Option<String>,
    sp_appid: Option<String>,
    sp_mchid: Option<String>,
    sub_appid: Option<String>,
    sub_mchid: Option<String>,
    description: String,
    pub(super) out_trade_no: String,
    pub(super) amount: Amount,
    payer: Option<Payer>,
    scene_info: Option<Scene>,
    notify_url: Option<String>,
    time_expire: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    pub(super) total: i64,
    currency: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payer {
    auth_code: Option<String>,
    openid: Option<String>,
    sp_openid: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    device_id: Option<String>,
    store_info: Option<Store>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    id: Option<String>,
    out_id: Option<String>,
}

/// `refunds`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refund {
    sub_mchid: Option<String>,
    pub(super) transaction_id: Option<String>,
    pub(super) out_trade_no: Option<String>,
    pub(super) out_refund_no: String,
    reason: Option<String>,
    notify_url: Option<String>,
    pub(super) amount: RefundAmount,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundAmount {
    pub(super) refund: i64,
    pub(super) total: i64,
    currency: String,
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|why| Refusal::parameter("/", &why.to_string()))
}

/// The body as it stands, by which a repetition is known.
pub(super) fn raw(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

impl Who {
    /// Of a query string.
    pub(super) fn of_query(query: &str) -> Result<Self, Refusal> {
        let mut who = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("mchid", number)) => who.mchid = Some(number.to_owned()),
                Some(("sp_mchid", number)) => who.sp_mchid = Some(number.to_owned()),
                Some(("sub_mchid", number)) => who.sub_mchid = Some(number.to_owned()),
                _ => return Err(Refusal::parameter(pair, "参数中含有非法的额外参数")),
            }
        }
        Ok(who)
    }

    /// Whether they are the merchant at play; `has_app` if the request has to name the app too.
    pub(super) fn check(&self, config: Config, has_app: bool) -> Result<(), Refusal> {
        let (numbers, apps) = if config.is_partner {
            if self.mchid.is_some() || self.appid.is_some() {
                return Err(Refusal::parameter("/mchid", "服务商模式应传sp_mchid和sub_mchid"));
            }
            if self.sub_appid.as_deref().is_some_and(|app| app != SUB_APPID) {
                return Err(Refusal::app());
            }
            (vec![(&self.sp_mchid, MCHID), (&self.sub_mchid, SUB_MCHID)], vec![(&self.sp_appid, APPID)])
        } else {
            let of_partners = [&self.sp_appid, &self.sp_mchid, &self.sub_appid, &self.sub_mchid];
            if of_partners.into_iter().any(Option::is_some) {
                return Err(Refusal::parameter("/sp_mchid", "参数中含有非法的额外参数"));
            }
            (vec![(&self.mchid, MCHID)], vec![(&self.appid, APPID)])
        };
        if numbers.into_iter().any(|(given, ours)| given.as_deref() != Some(ours)) {
            return Err(Refusal::parameter("/mchid", "商户号有误"));
        }
        let apps_fit = apps.into_iter().all(|(given, ours)| given.as_deref().map_or(!has_app, |given| given == ours));
        if apps_fit { Ok(()) } else { Err(Refusal::app()) }
    }
}

impl Pay {
    fn who(&self) -> Who {
        let Self { appid, mchid, sp_appid, sp_mchid, sub_appid, sub_mchid, .. } = self.clone();
        Who { appid, mchid, sp_appid, sp_mchid, sub_appid, sub_mchid }
    }

    fn check(&self, config: Config) -> Result<(), Refusal> {
        self.who().check(config, true)?;
        if !(1..=DESCRIPTION_CHARS_MAX).contains(&self.description.chars().count()) {
            return Err(Refusal::parameter("/description", "长度应为1到127个字符"));
        }
        if !is_number(&self.out_trade_no, 6, 32, b"_-|*") {
            return Err(Refusal::parameter("/out_trade_no", "应为6到32个字符，只能是数字、大小写字母_-|*"));
        }
        if !(1..=TOTAL_MAX).contains(&self.amount.total) {
            return Err(Refusal::parameter("/amount/total", "金额超出取值范围"));
        }
        currency(self.amount.currency.as_deref())
    }

    /// The customer's code.
    pub(super) fn check_charge(&self, config: Config) -> Result<&str, Refusal> {
        self.check(config)?;
        if self.notify_url.is_some() || self.time_expire.is_some() {
            return Err(Refusal::parameter("/notify_url", "参数中含有非法的额外参数"));
        }
        let scene = self.scene_info.as_ref().ok_or_else(|| Refusal::parameter("/scene_info", "必填"))?;
        let fits =
            |text: &Option<String>, len_max| text.as_ref().is_none_or(|text| (1..=len_max).contains(&text.len()));
        let store = scene.store_info.as_ref().ok_or_else(|| Refusal::parameter("/scene_info/store_info", "必填"))?;
        if store.id.is_none() && store.out_id.is_none() || !fits(&store.id, 32) || !fits(&store.out_id, 256) {
            return Err(Refusal::parameter("/scene_info/store_info", "id与out_id二选一"));
        }
        if !fits(&scene.device_id, 32) {
            return Err(Refusal::parameter("/scene_info/device_id", "长度不能超过32"));
        }
        let code = self.payer.as_ref().and_then(|payer| payer.auth_code.as_deref());
        let code = code.ok_or_else(|| Refusal::parameter("/payer/auth_code", "必填"))?;
        let is_code = code.len() == 18 && code.bytes().all(|byte| byte.is_ascii_digit());
        if is_code && ("10".."16").contains(&&code[..2]) { Ok(code) } else { Err(Refusal::code()) }
    }

    /// When the order can no longer be paid, in milliseconds since 1970.
    pub(super) fn check_native(&self, config: Config) -> Result<Option<i64>, Refusal> {
        self.check(config)?;
        if self.payer.is_some() || self.scene_info.is_some() {
            return Err(Refusal::parameter("/payer", "参数中含有非法的额外参数"));
        }
        self.shown()
    }

    /// The same of an order that the customer pays in the app, who is one of those that this app knows.
    pub(super) fn check_jsapi(&self, config: Config) -> Result<Option<i64>, Refusal> {
        self.check(config)?;
        let payer = self.payer.as_ref().ok_or_else(|| Refusal::parameter("/payer", "必填"))?;
        let (wanted, other) =
            if config.is_partner { (&payer.sp_openid, &payer.openid) } else { (&payer.openid, &payer.sp_openid) };
        if wanted.as_deref() != Some(OPENID) || other.is_some() || payer.auth_code.is_some() {
            return Err(Refusal::parameter("/payer/openid", "无效的openid"));
        }
        self.shown()
    }

    fn shown(&self) -> Result<Option<i64>, Refusal> {
        let url = self.notify_url.as_deref().ok_or_else(|| Refusal::parameter("/notify_url", "必填"))?;
        notify_url(url)?;
        let expiry = self.time_expire.as_deref().map(|text| {
            moment::from_rfc3339(text).ok_or_else(|| Refusal::parameter("/time_expire", "应遵循rfc3339标准格式"))
        });
        expiry.transpose()
    }
}

impl Refund {
    pub(super) fn check(&self, config: Config) -> Result<(), Refusal> {
        if self.sub_mchid.as_deref() != config.is_partner.then_some(SUB_MCHID) {
            return Err(Refusal::parameter("/sub_mchid", "子商户号有误"));
        }
        if self.transaction_id.is_some() == self.out_trade_no.is_some() {
            return Err(Refusal::parameter("/out_trade_no", "transaction_id与out_trade_no二选一"));
        }
        if !is_number(&self.out_refund_no, 1, 64, b"_-|*@") {
            return Err(Refusal::parameter("/out_refund_no", "应为1到64个字符，只能是数字、大小写字母_-|*@"));
        }
        if self.reason.as_ref().is_some_and(|reason| !(1..=REASON_LEN_MAX).contains(&reason.len())) {
            return Err(Refusal::parameter("/reason", "长度不能超过80"));
        }
        self.notify_url.as_deref().map_or(Ok(()), notify_url)?;
        if self.amount.refund < 1 || self.amount.total < 1 {
            return Err(Refusal::parameter("/amount", "金额超出取值范围"));
        }
        currency(Some(&self.amount.currency))
    }
}

fn currency(given: Option<&str>) -> Result<(), Refusal> {
    match given {
        None | Some("CNY") => Ok(()),
        Some(_) => Err(Refusal::parameter("/amount/currency", "境内商户号仅支持人民币CNY")),
    }
}

/// Merchants with a line of their own may be notified without TLS.
fn notify_url(url: &str) -> Result<(), Refusal> {
    let has_scheme = url.starts_with("https://") || url.starts_with("http://");
    if has_scheme && url.len() <= URL_LEN_MAX && !url.contains(['?', '#', ' ']) {
        Ok(())
    } else {
        Err(Refusal::parameter("/notify_url", "应为外网可访问的URL，不能携带参数"))
    }
}

fn is_number(text: &str, len_min: usize, len_max: usize, others: &[u8]) -> bool {
    (len_min..=len_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}
