//! The account's settings (`settings.schema.json`).

use saoma_channel_sdk::{Error, misconfigured};
use serde::Deserialize;

use super::codec::from_digits;

#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub address: String,
    #[serde(default)]
    pub private_authority: bool,
    /// Field 41.
    pub terminal_number: String,
    /// Field 42.
    pub merchant_number: String,
    pub mac: Mac,
    #[serde(default)]
    pub length_header: Length,
    #[serde(default)]
    pub pin_format: PinFormat,
    /// Field 53 of a message with a PIN.
    pub security_control: Option<String>,
    #[serde(default = "tpdu")]
    pub tpdu: String,
    #[serde(default = "header")]
    pub header: String,
    pub serial_number: Option<String>,
    #[serde(default)]
    pub order_number_field: OrderNumberField,
    #[serde(default = "answer_timeout_s")]
    pub answer_timeout_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mac {
    UnionpayEcb,
    Retail,
    /// The first 8 bytes of it (NIST SP 800-38B).
    AesCmac,
}

/// How long a message is, in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    #[default]
    Binary,
    BinaryWithItself,
    Decimal,
    DecimalWithItself,
}

/// What field 52 has (ISO 9564-1:2017, sections 9.3.2 and 9.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum PinFormat {
    #[default]
    #[serde(rename = "iso-0")]
    Iso0,
    /// Under AES, as all working keys are then.
    #[serde(rename = "iso-4")]
    Iso4,
}

impl PinFormat {
    /// Bytes of a block.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Iso0 => 8,
            Self::Iso4 => 16,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum OrderNumberField {
    #[default]
    #[serde(rename = "none")]
    None,
    #[serde(rename = "62")]
    Field62,
}

fn tpdu() -> String {
    "6000060000".to_owned()
}

fn header() -> String {
    "603100311003".to_owned()
}

const fn answer_timeout_s() -> u32 {
    25
}

/// Field 53 with a PIN block of format 0 under a key of two halves; tracks are not encrypted once more.
const SECURITY: &str = "2600000000000000";

impl Settings {
    /// Whether the acquirer, and nobody else, is at the other end.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.address.starts_with("tls://")
    }

    /// Field 53 of a message with a PIN.
    #[must_use]
    pub fn security(&self) -> &str {
        self.security_control.as_deref().unwrap_or(SECURITY)
    }

    /// What stands before every message.
    ///
    /// # Errors
    /// `misconfigured`, naming the setting: what no schema can say of TPDU, header, field 53 and the two numbers.
    pub fn prefix(&self) -> Result<([u8; 5], [u8; 6]), Error> {
        if !self.is_tls() && !self.address.starts_with("tcp://") {
            return Err(misconfigured("address must begin with tls:// or tcp://"));
        }
        if self.private_authority && !self.is_tls() {
            return Err(misconfigured("private_authority is for an address with tls:// alone"));
        }
        let tpdu = from_digits(&self.tpdu).filter(|_| self.tpdu.starts_with("60"));
        let tpdu = tpdu.ok_or_else(|| misconfigured("tpdu must be ten digits that begin with 60"))?;
        let header = from_digits(&self.header).ok_or_else(|| misconfigured("header must be twelve digits"))?;
        // Working keys come under one master key, and so are of one cipher.
        if (self.pin_format == PinFormat::Iso4) != (self.mac == Mac::AesCmac) {
            return Err(misconfigured("pin_format iso-4 and mac aes-cmac go together: set both or neither"));
        }
        match &self.security_control {
            None if self.pin_format == PinFormat::Iso4 => {
                return Err(misconfigured(
                    "security_control must be given with pin_format iso-4: the field 53 of your acquirer's document",
                ));
            }
            Some(digits) if from_digits::<8>(digits).is_none() => {
                return Err(misconfigured("security_control must be sixteen digits"));
            }
            _ => {}
        }
        for (name, value) in [
            ("terminal_number", self.terminal_number.as_str()),
            ("merchant_number", &self.merchant_number),
            ("serial_number", self.serial_number.as_deref().unwrap_or_default()),
        ] {
            if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                return Err(misconfigured(format!("{name} must be printable ASCII characters")));
            }
        }
        Ok((tpdu, header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_cannot_say_is_said_by_name() {
        let sound = serde_json::json!({
            "address": "tls://a.example:1", "terminal_number": "10000019", "merchant_number": "850100082410002", "mac": "retail",
        });
        let settings: Settings = serde_json::from_value(sound).expect("reads");
        assert!(settings.prefix().is_ok() && settings.answer_timeout_s == 25);
        type Spoil = fn(&mut Settings);
        let rows: [(Spoil, &str); 11] = [
            (|settings| settings.address = "https://a.example:1".to_owned(), "address"),
            (
                |settings| {
                    settings.address = "tcp://10.0.0.1:1".to_owned();
                    settings.private_authority = true;
                },
                "private_authority",
            ),
            (|settings| settings.tpdu = "60000600zz".to_owned(), "tpdu"),
            (|settings| settings.tpdu = "6100060000".to_owned(), "tpdu"),
            (|settings| settings.header = "60310031100x".to_owned(), "header"),
            (|settings| settings.pin_format = PinFormat::Iso4, "pin_format"),
            (|settings| settings.mac = Mac::AesCmac, "pin_format"),
            (
                |settings| {
                    settings.mac = Mac::AesCmac;
                    settings.pin_format = PinFormat::Iso4;
                },
                "security_control",
            ),
            (|settings| settings.security_control = Some("260000000000000x".to_owned()), "security_control"),
            (|settings| settings.terminal_number = "1000001九".to_owned(), "terminal_number"),
            (|settings| settings.merchant_number = "\u{7f}50100082410002".to_owned(), "merchant_number"),
        ];
        for (spoil, named) in rows {
            let mut settings = settings.clone();
            spoil(&mut settings);
            assert!(matches!(settings.prefix(), Err(Error::Misconfigured(why)) if why.starts_with(named)), "{named}");
        }
    }
}
