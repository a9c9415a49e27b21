//! The account's settings (`settings.schema.json`), and what the schema cannot say about them.

use saoma_channel_sdk::{Account, Error, check_fields, misconfigured, web_path};
use serde::Deserialize;
use serde_json::{Map, Value};

/// How the merchant is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Direct,
    /// Through a service provider, who signs.
    Partner,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub base_url: String,
    pub mode: Mode,
    /// Whose certificate signs: in partner mode the service provider's.
    pub mchid: String,
    pub appid: String,
    pub merchant_serial: String,
    /// Empty while the account has platform certificates.
    #[serde(default)]
    pub wechatpay_public_key_id: String,
    #[serde(default)]
    pub sub_mchid: String,
    #[serde(default)]
    pub sub_appid: String,
    /// Where visitors of a page are sent to be known, and where that is asked; both empty where no page is served.
    #[serde(default)]
    pub authorize_url: String,
    #[serde(default)]
    pub official_account_url: String,
    /// Whether a day's bill has what moved in the merchant's funds beside payments; and in which accounts beside the basic one.
    #[serde(default)]
    pub fund_bills: bool,
    #[serde(default)]
    pub fund_bills_operation: bool,
    #[serde(default)]
    pub fund_bills_fees: bool,
    /// In partner mode alone.
    #[serde(default)]
    pub fund_bills_deposit: bool,
}

impl Settings {
    /// # Errors
    /// `misconfigured`, naming the field and what it must be.
    pub fn of(account: &Account) -> Result<Self, Error> {
        let settings: Self = saoma_channel_sdk::settings(account)?;
        settings.check().map(|()| settings)
    }

    fn check(&self) -> Result<(), Error> {
        let is_number = |text: &str| (8..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_app = |text: &str| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_web = |text: &str| text.is_empty() || web_path(text).is_some();
        let is_partner = self.mode == Mode::Partner;
        let key_id = &self.wechatpay_public_key_id;
        let is_key_id = key_id.strip_prefix("PUB_KEY_ID_").is_some_and(|rest| !rest.is_empty() && is_word(rest));
        check_fields([
            (
                web_path(&self.base_url).is_some(),
                "base_url",
                "http(s)://host without query, for example https://api.mch.weixin.qq.com",
            ),
            (is_number(&self.mchid), "mchid", "8 to 10 digits"),
            (
                !self.appid.is_empty() && is_app(&self.appid),
                "appid",
                "letters and digits, for example wx8888888888888888",
            ),
            (
                is_serial(&self.merchant_serial),
                "merchant_serial",
                "the certificate's serial number, at most 40 hexadecimal digits",
            ),
            (
                key_id.is_empty() || is_key_id,
                "wechatpay_public_key_id",
                "PUB_KEY_ID_… as the merchant console shows it, or empty",
            ),
            (!is_partner || is_number(&self.sub_mchid), "sub_mchid", "8 to 10 digits in partner mode"),
            (
                !is_partner || self.sub_mchid != self.mchid,
                "sub_mchid",
                "another number than the service provider's in mchid",
            ),
            (is_app(&self.sub_appid), "sub_appid", "letters and digits, or empty"),
            (
                is_web(&self.authorize_url),
                "authorize_url",
                "http(s)://host without query, for example https://open.weixin.qq.com, or empty",
            ),
            (
                is_web(&self.official_account_url),
                "official_account_url",
                "http(s)://host without query, for example https://api.weixin.qq.com, or empty",
            ),
            (is_partner || self.sub_mchid.is_empty(), "sub_mchid", "empty in direct mode"),
            (is_partner || self.sub_appid.is_empty(), "sub_appid", "empty in direct mode"),
        ])
    }

    /// Where orders live: the paths of both modes differ in this alone.
    pub(super) fn orders(&self) -> &'static str {
        match self.mode {
            Mode::Direct => "/v3/pay/transactions",
            Mode::Partner => "/v3/pay/partner/transactions",
        }
    }

    /// Who is paid, with the apps that the customer meets them by, for the body of a request.
    pub(super) fn merchant_and_app(&self) -> Map<String, Value> {
        let mut body = self.merchant();
        let (app, sub_app) = match self.mode {
            Mode::Direct => ("appid", None),
            Mode::Partner => ("sp_appid", Some(&self.sub_appid).filter(|app| !app.is_empty())),
        };
        body.insert(app.to_owned(), self.appid.as_str().into());
        if let Some(sub_app) = sub_app {
            body.insert("sub_appid".to_owned(), sub_app.as_str().into());
        }
        body
    }

    /// Who is paid, for the body of a request.
    pub(super) fn merchant(&self) -> Map<String, Value> {
        self.merchant_numbers().into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect()
    }

    /// The same for a query string.
    pub(super) fn merchant_query(&self) -> String {
        let pairs: Vec<String> =
            self.merchant_numbers().into_iter().map(|(name, number)| format!("{name}={number}")).collect();
        pairs.join("&")
    }

    fn merchant_numbers(&self) -> Vec<(&'static str, &str)> {
        match self.mode {
            Mode::Direct => vec![("mchid", &self.mchid)],
            Mode::Partner => vec![("sp_mchid", &self.mchid), ("sub_mchid", &self.sub_mchid)],
        }
    }

    /// The whole URL, and the path that is signed: a base URL with a path of its own counts in both.
    ///
    /// # Errors
    /// `misconfigured` for a base URL without a host.
    pub fn address(&self, path: &str) -> Result<(String, String), Error> {
        let base_path = web_path(&self.base_url).ok_or_else(|| misconfigured("\"base_url\" has no host"))?;
        Ok((format!("{}{path}", self.base_url.trim_end_matches('/')), format!("{base_path}{path}")))
    }
}

/// Whether it can be a certificate's serial number (RFC 5280, section 4.1.2.2: at most 20 bytes).
pub(super) fn is_serial(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::build::samples::account;
    use super::*;

    #[test]
    fn each_field_that_is_wrong_is_named_with_its_fix() {
        let fault = |field: &str, value: &str, mode: &str| {
            let mut settings: Value = serde_json::from_str(&account(mode).settings_json).unwrap();
            settings[field] = value.into();
            let told = Settings::of(&Account { settings_json: settings.to_string(), ..account(mode) });
            match told {
                Ok(_) => String::new(),
                Err(Error::Misconfigured(why)) => why,
                Err(other) => format!("{other:?}"),
            }
        };
        for (field, value, mode, named) in [
            ("base_url", "ftp://x", "direct", "\"base_url\" must be http(s)://"),
            ("base_url", "https://", "direct", "\"base_url\""),
            ("base_url", "https://x?y", "direct", "\"base_url\""),
            ("mchid", "19000000", "direct", ""),
            ("mchid", "1900000", "direct", "\"mchid\" must be 8 to 10 digits"),
            ("mchid", "19000000a", "direct", "\"mchid\""),
            ("appid", "wx 8", "direct", "\"appid\""),
            ("appid", "", "direct", "\"appid\""),
            ("mode", "both", "direct", "the settings: unknown variant"),
            ("merchant_serial", "PUB_KEY_ID_01", "direct", "\"merchant_serial\""),
            ("wechatpay_public_key_id", "", "direct", ""),
            ("wechatpay_public_key_id", "0114", "direct", "\"wechatpay_public_key_id\" must be PUB_KEY_ID_"),
            ("wechatpay_public_key_id", "PUB_KEY_ID_", "direct", "\"wechatpay_public_key_id\""),
            ("sub_mchid", "1900000109", "direct", "\"sub_mchid\" must be empty in direct mode"),
            ("sub_appid", "wx1", "direct", "\"sub_appid\" must be empty in direct mode"),
            ("sub_mchid", "", "partner", "\"sub_mchid\" must be 8 to 10 digits"),
            ("sub_mchid", "1900000001", "partner", "\"sub_mchid\" must be another number"),
            ("sub_appid", "", "partner", ""),
            ("sub_appid", "wx-1", "partner", "\"sub_appid\""),
        ] {
            let told = fault(field, value, mode);
            assert_eq!(told.is_empty(), named.is_empty(), "{field} {value}: {told}");
            assert!(told.contains(named), "{field} {value}: {told}");
        }
    }

    #[test]
    fn addresses() {
        let at = |base_url: &str| {
            let settings = Settings { base_url: base_url.to_owned(), ..Settings::of(&account("direct")).unwrap() };
            settings.address("/v3/certificates").ok()
        };
        let both = |url: &str, path: &str| Some((url.to_owned(), path.to_owned()));
        assert_eq!(at("https://x.example"), both("https://x.example/v3/certificates", "/v3/certificates"));
        assert_eq!(at("http://x:1/a/"), both("http://x:1/a/v3/certificates", "/a/v3/certificates"));
        assert_eq!(at("https:///a"), None);
    }
}
