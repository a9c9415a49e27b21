//! The account's settings (`settings.schema.json`), and what the schema cannot say about them.

use saoma_channel_sdk::{Account, Error, check_fields, web_path};
use serde::Deserialize;

const MS_PER_MINUTE: i64 = 60_000;
/// The gateway's clock and ours need not agree to the second.
const CLOCK_MARGIN_MS: i64 = 60_000;
/// Of a certificate's serial number, in decimal: 20 bytes (RFC 5280, section 4.1.2.2).
const CERTIFICATE_ID_LEN_MAX: usize = 49;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub gateway_url: String,
    pub file_url: String,
    pub merchant_id: String,
    pub certificate_id: String,
    pub terminal_id: String,
    pub code_minutes_max: i64,
}

impl Settings {
    /// What no payment can do without is checked; [`Self::check_bills`] by what uses it, so that a slip there costs no sale, nor the
    /// refund and query of an earlier one.
    ///
    /// # Errors
    /// `misconfigured`, naming the field and what it must be.
    pub fn of(account: &Account) -> Result<Self, Error> {
        let settings: Self = saoma_channel_sdk::settings(account)?;
        settings.check().map(|()| settings)
    }

    /// # Errors
    /// As [`Self::of`].
    pub fn check_bills(&self) -> Result<(), Error> {
        check_fields([(
            web_path(&self.file_url).is_some(),
            "file_url",
            "http(s)://host without query, for example https://filedownload.95516.com",
        )])
    }

    fn check(&self) -> Result<(), Error> {
        let is_plain = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let id = self.certificate_id.as_str();
        let is_decimal = (1..=CERTIFICATE_ID_LEN_MAX).contains(&id.len())
            && !id.starts_with('0')
            && id.bytes().all(|byte| byte.is_ascii_digit());
        check_fields([
            (
                web_path(&self.gateway_url).is_some(),
                "gateway_url",
                "http(s)://host without query, for example https://gateway.95516.com",
            ),
            (
                is_plain(&self.merchant_id, 15),
                "merchant_id",
                "15 letters and digits without spaces, for example 777290058110048",
            ),
            (
                is_decimal,
                "certificate_id",
                "the certificate's serial number in decimal digits, without zeros in front; openssl shows it in hexadecimal, \
                 UnionPay's own tools in decimal",
            ),
            (is_plain(&self.terminal_id, 8), "terminal_id", "8 digits or letters without spaces, for example 49000001"),
        ])
    }

    /// Until when a code that was made at `created_at` can be paid, unless its order expires sooner.
    #[must_use]
    pub fn code_dies_at(&self, created_at: i64) -> i64 {
        created_at.saturating_add(self.code_minutes_max.saturating_mul(MS_PER_MINUTE))
    }

    /// Whether a code that was made at `created_at` can no longer be paid: what a query says from then on is final.
    #[must_use]
    pub fn is_code_dead(&self, created_at: i64, now: i64) -> bool {
        now > self.code_dies_at(created_at).saturating_add(CLOCK_MARGIN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::tests::settings;
    use super::*;

    #[test]
    fn each_field_that_is_wrong_is_named_with_its_fix() {
        let told = |field: &str, value: &str| {
            let mut settings = settings();
            let place = match field {
                "gateway_url" => &mut settings.gateway_url,
                "file_url" => &mut settings.file_url,
                "merchant_id" => &mut settings.merchant_id,
                "certificate_id" => &mut settings.certificate_id,
                _ => &mut settings.terminal_id,
            };
            value.clone_into(place);
            match settings.check().and_then(|()| settings.check_bills()) {
                Ok(()) => String::new(),
                Err(Error::Misconfigured(why)) => why,
                Err(other) => format!("{other:?}"),
            }
        };
        let long = "9".repeat(50);
        for (field, value, named) in [
            ("gateway_url", "https://gateway.95516.com/", ""),
            ("gateway_url", "", "\"gateway_url\" must be http(s)://host"),
            ("gateway_url", "gateway.95516.com", "\"gateway_url\""),
            ("gateway_url", "https://", "\"gateway_url\""),
            ("gateway_url", "https://gateway.95516.com?a=b", "\"gateway_url\""),
            ("file_url", "ftp://filedownload.95516.com", "\"file_url\" must be http(s)://host"),
            ("file_url", "https://filedownload.95516.com#", "\"file_url\""),
            ("merchant_id", "89834014900000A", ""),
            ("merchant_id", "77729005811004", "\"merchant_id\" must be 15 letters and digits"),
            ("merchant_id", "777290058110048 ", "\"merchant_id\""),
            ("merchant_id", "7772-0058110048", "\"merchant_id\""),
            ("merchant_id", "77729005811００", "\"merchant_id\""),
            ("certificate_id", "10025A3F", "\"certificate_id\" must be the certificate's serial number in decimal"),
            ("certificate_id", "0x68759663", "\"certificate_id\""),
            ("certificate_id", "068759663125", "\"certificate_id\""),
            ("certificate_id", "68 75", "\"certificate_id\""),
            ("certificate_id", &long, "\"certificate_id\""),
            ("certificate_id", &long[1..], ""),
            ("terminal_id", "POS00001", ""),
            ("terminal_id", "4900001", "\"terminal_id\" must be 8 digits or letters"),
            ("terminal_id", "till 001", "\"terminal_id\""),
            ("terminal_id", "49000_01", "\"terminal_id\""),
        ] {
            let told = told(field, value);
            assert_eq!(told.is_empty(), named.is_empty(), "{field} {value}: {told}");
            assert!(told.contains(named), "{field} {value}: {told}");
        }
        let file_url = "https://filedownload.95516.com?a=b".to_owned();
        assert!(Settings { file_url, ..settings() }.check().is_ok(), "what bills alone use stops no payment");
    }
}
