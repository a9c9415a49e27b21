//! The account's settings (`settings.schema.json`), and what the schema cannot say about them.

use saoma_channel_sdk::{Account, Error, check_fields, web_path};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub gateway_url: String,
    pub app_id: String,
    pub bill_url: String,
    pub seller_id: Option<String>,
    /// With the next one: certificate mode.
    pub app_cert_sn: Option<String>,
    pub alipay_root_cert_sn: Option<String>,
    /// Where visitors of a page are sent to be known.
    pub oauth_url: Option<String>,
}

impl Settings {
    /// # Errors
    /// `misconfigured`, naming the field and what it must be.
    pub fn of(account: &Account) -> Result<Self, Error> {
        let settings: Self = saoma_channel_sdk::settings(account)?;
        settings.check().map(|()| settings)
    }

    fn check(&self) -> Result<(), Error> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_page = |url: &str| !url.ends_with('/') && web_path(url).is_some_and(|path| !path.is_empty());
        let is_web = |url: &str| web_path(url).is_some();
        let is_seller = |text: &str| text.len() == 16 && text.starts_with("2088") && is_number(text);
        let (app, root) = (self.app_cert_sn.as_deref(), self.alipay_root_cert_sn.as_deref());
        check_fields([
            (
                is_page(&self.gateway_url),
                "gateway_url",
                "http(s)://host/path without query, for example https://openapi.alipay.com/gateway.do",
            ),
            (is_number(&self.app_id), "app_id", "digits, as the open platform shows it, for example 2014072300007148"),
            (
                is_web(&self.bill_url),
                "bill_url",
                "http(s)://host without query, for example https://dwbillcenter.alipay.com",
            ),
            (
                self.seller_id.as_deref().is_none_or(is_seller),
                "seller_id",
                "16 digits that begin with 2088; leave it out if you do not know it",
            ),
            (
                app.is_none_or(is_serial),
                "app_cert_sn",
                "32 hexadecimal digits, as Alipay's tools print it for appCertPublicKey_….crt",
            ),
            (
                root.is_none_or(|root| root.split('_').all(is_serial)),
                "alipay_root_cert_sn",
                "32 hexadecimal digits for each certificate of alipayRootCert.crt, joined by _",
            ),
            (root.is_none() || app.is_some(), "app_cert_sn", "there too in certificate mode: alipay_root_cert_sn is"),
            (app.is_none() || root.is_some(), "alipay_root_cert_sn", "there too in certificate mode: app_cert_sn is"),
            (
                self.oauth_url.as_deref().is_none_or(is_web),
                "oauth_url",
                "http(s)://host without query, for example https://openauth.alipay.com; leave it out without static codes",
            ),
        ])
    }
}

/// What Alipay calls a certificate's serial: an MD5 in hex.
fn is_serial(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SERIAL: &str = "1dde5d1bdeed3f05a36db39b30a430b6";

    fn told(changes: &[(&str, &str)]) -> String {
        let mut settings = json!({
            "gateway_url": "https://openapi.alipay.com/gateway.do", "app_id": "2014072300007148",
            "bill_url": "https://dwbillcenter.alipay.com",
        });
        for (field, value) in changes {
            settings[*field] = Value::from(*value);
        }
        let account = Account { id: String::new(), settings_json: settings.to_string(), notify_url: String::new() };
        match Settings::of(&account) {
            Ok(_) => String::new(),
            Err(Error::Misconfigured(why)) => why,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn each_field_that_is_wrong_is_named_with_its_fix() {
        let two = format!("{SERIAL}_{SERIAL}");
        for (field, value, named) in [
            ("gateway_url", "https://openapi.alipay.com/gateway.do?x=1", "\"gateway_url\" must be http(s)://host/path"),
            ("gateway_url", "https://openapi.alipay.com", "\"gateway_url\""),
            ("gateway_url", "https://openapi.alipay.com/gateway.do/", "\"gateway_url\""),
            ("gateway_url", "ftp://openapi.alipay.com/gateway.do", "\"gateway_url\""),
            ("app_id", "wx8888888888888888", "\"app_id\" must be digits"),
            ("app_id", " 2014072300007148", "\"app_id\""),
            ("app_id", "２０１４", "\"app_id\""),
            ("bill_url", "dwbillcenter.alipay.com", "\"bill_url\" must be http(s)://host"),
            ("bill_url", "https://dwbillcenter.alipay.com#x", "\"bill_url\""),
            ("seller_id", "2088102146225135", ""),
            ("seller_id", "2089102146225135", "\"seller_id\" must be 16 digits that begin with 2088"),
            ("seller_id", "208810214622513x", "\"seller_id\""),
            ("seller_id", "20881021462251350", "\"seller_id\""),
            ("app_cert_sn", "1dde5d1bdeed3f05a36db39b30a430bx", "\"app_cert_sn\" must be 32 hexadecimal digits"),
            ("app_cert_sn", &two, "\"app_cert_sn\""),
            ("app_cert_sn", SERIAL, "\"alipay_root_cert_sn\" must be there too"),
            ("alipay_root_cert_sn", SERIAL, "\"app_cert_sn\" must be there too"),
            (
                "alipay_root_cert_sn",
                "1dde5d1bdeed3f05a36db39b30a430b6_",
                "\"alipay_root_cert_sn\" must be 32 hexadecimal",
            ),
            ("oauth_url", "https://openauth.alipay.com/", ""),
            ("oauth_url", "https://openauth.alipay.com?a", "\"oauth_url\""),
            ("oauth_url", "openauth", "\"oauth_url\""),
        ] {
            let told = told(&[(field, value)]);
            assert_eq!(told.is_empty(), named.is_empty(), "{field} {value}: {told}");
            assert!(told.contains(named), "{field} {value}: {told}");
        }
        for root in [SERIAL, &two] {
            assert_eq!(told(&[("app_cert_sn", SERIAL), ("alipay_root_cert_sn", root)]), "");
        }
    }
}
