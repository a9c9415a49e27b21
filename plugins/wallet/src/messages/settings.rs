//! The account's settings (`settings.schema.json`), and what the schema cannot say about them.

use saoma_channel_sdk::{Account, Error, check_fields, web_path};
use serde::Deserialize;

/// As the issuer takes it (core's OpenAPI document, `{acceptor}`).
const ACCEPTOR_LEN_MAX: usize = 64;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub base_url: String,
    /// Stands in the path of every call.
    pub acceptor: String,
}

impl Settings {
    /// # Errors
    /// `misconfigured`, naming the field and what it must be.
    pub fn of(account: &Account) -> Result<Self, Error> {
        let settings: Self = saoma_channel_sdk::settings(account)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let acceptor = settings.acceptor.as_bytes();
        check_fields([
            (
                web_path(&settings.base_url).is_some(),
                "base_url",
                "http(s)://host without query, for example https://pay.example.com",
            ),
            (
                (1..=ACCEPTOR_LEN_MAX).contains(&acceptor.len()) && acceptor.iter().copied().all(is_plain),
                "acceptor",
                "1 to 64 of a-z, 0-9, - and _, as agreed with the issuer, for example canteen-2",
            ),
        ])?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_field_that_is_wrong_is_named_with_its_fix() {
        let told = |field: &str, value: &str| {
            let mut settings = json!({ "base_url": "https://pay.example.com", "acceptor": "canteen-2" });
            settings[field] = Value::from(value);
            let account = Account { id: String::new(), settings_json: settings.to_string(), notify_url: String::new() };
            match Settings::of(&account) {
                Ok(_) => String::new(),
                Err(Error::Misconfigured(why)) => why,
                Err(other) => format!("{other:?}"),
            }
        };
        let long = "a".repeat(65);
        for (field, value, named) in [
            ("base_url", "http://127.0.0.1:8080/", ""),
            ("base_url", "https://pay.example.com/core", ""),
            ("base_url", "pay.example.com", "\"base_url\" must be http(s)://host"),
            ("base_url", "https://pay.example.com?tenant=1", "\"base_url\""),
            ("base_url", "https://key@pay.example.com", "\"base_url\""),
            ("acceptor", "a_b-9", ""),
            ("acceptor", &long[1..], ""),
            ("acceptor", "", "\"acceptor\" must be 1 to 64"),
            ("acceptor", &long, "\"acceptor\""),
            ("acceptor", "a/../b", "\"acceptor\""),
            ("acceptor", "..", "\"acceptor\""),
            ("acceptor", "a%2Fb", "\"acceptor\""),
            ("acceptor", "a?b", "\"acceptor\""),
            ("acceptor", "a b", "\"acceptor\""),
            ("acceptor", "a\n", "\"acceptor\""),
            ("acceptor", "Canteen", "\"acceptor\""),
            ("acceptor", "食堂", "\"acceptor\""),
        ] {
            let told = told(field, value);
            assert_eq!(told.is_empty(), named.is_empty(), "{field} {value}: {told}");
            assert!(told.contains(named), "{field} {value}: {told}");
        }
    }
}
