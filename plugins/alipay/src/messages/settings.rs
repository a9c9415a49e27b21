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
    /// What no payment can do without is checked; all else by what uses it and by [`Self::check_all`], so that a slip in it costs no
    /// sale, nor the refund and query of an earlier one.
    ///
    /// # Errors
    /// `misconfigured`, naming the field and what it must be.
    pub fn of(account: &Account) -> Result<Self, Error> {
        let settings: Self = saoma_channel_sdk::settings(account)?;
        settings.check().map(|()| settings)
    }

    /// # Errors
    /// As [`Self::of`].
    pub fn check_all(&self) -> Result<(), Error> {
        let is_seller = |text: &str| text.len() == 16 && text.starts_with("2088") && is_number(text);
        self.check_bills()?;
        self.check_pages()?;
        check_fields([(
            self.seller_id.as_deref().is_none_or(is_seller),
            "seller_id",
            "16 digits that begin with 2088; leave it out if you do not know it",
        )])
    }

    /// # Errors
    /// As [`Self::of`].
    pub fn check_bills(&self) -> Result<(), Error> {
        check_fields([(
            web_path(&self.bill_url).is_some(),
            "bill_url",
            "http(s)://host without query, for example https://dwbillcenter.alipay.com",
        )])
    }

    /// # Errors
    /// As [`Self::of`].
    pub fn check_pages(&self) -> Result<(), Error> {
        check_fields([(
            self.oauth_url.as_deref().is_none_or(|url| web_path(url).is_some()),
            "oauth_url",
            "http(s)://host without query, for example https://openauth.alipay.com; leave it out without static codes",
        )])
    }

    fn check(&self) -> Result<(), Error> {
        let (app, root) = (self.app_cert_sn.as_deref(), self.alipay_root_cert_sn.as_deref());
        check_fields([
            (
                web_path(&self.gateway_url).is_some(),
                "gateway_url",
                "http(s)://host/path without query, for example https://openapi.alipay.com/gateway.do",
            ),
            (is_number(&self.app_id), "app_id", "digits, as the open platform shows it, for example 2014072300007148"),
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
        ])
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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

    fn settings(changes: &[(&str, &str)]) -> Result<Settings, Error> {
        let mut settings = json!({
            "gateway_url": "https://openapi.alipay.com/gateway.do", "app_id": "2014072300007148",
            "bill_url": "https://dwbillcenter.alipay.com",
        });
        for (field, value) in changes {
            settings[*field] = Value::from(*value);
        }
        let account = Account { id: String::new(), settings_json: settings.to_string(), notify_url: String::new() };
        Settings::of(&account)
    }

    fn told(changes: &[(&str, &str)]) -> String {
        match settings(changes).and_then(|settings| settings.check_all()) {
            Ok(()) => String::new(),
            Err(Error::Misconfigured(why)) => why,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn each_field_that_is_wrong_is_named_with_its_fix() {
        let two = format!("{SERIAL}_{SERIAL}");
        for (field, value, named) in [
            ("gateway_url", "https://openapi.alipay.com/gateway.do?x=1", "\"gateway_url\" must be http(s)://host/path"),
            // A proxy of the merchant's own may have it at its root.
            ("gateway_url", "https://alipay.shop.example", ""),
            ("gateway_url", "https://alipay.shop.example/", ""),
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

    #[test]
    fn a_slip_in_what_no_payment_uses_stops_none() {
        for (field, value, is_of_bills, is_of_pages) in [
            ("seller_id", "2014072300007148", false, false),
            ("bill_url", "https://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade", true, false),
            ("oauth_url", "https://openauth.alipay.com/oauth2/publicAppAuthorize.htm?app_id=1", false, true),
        ] {
            let settings = settings(&[(field, value)]).unwrap();
            assert!(settings.check_all().is_err(), "{field}");
            let refused = (settings.check_bills().is_err(), settings.check_pages().is_err());
            assert_eq!(refused, (is_of_bills, is_of_pages), "{field}");
        }
    }
}
