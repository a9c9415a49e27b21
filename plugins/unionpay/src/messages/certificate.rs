//! The serial number of a certificate in an answer (`signPubKeyCert`): by it the account's pinned certificate is found. Nothing
//! else of it is believed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channel_sdk::to_hex;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// The version, explicitly tagged; version 1 leaves it out.
const VERSION: u8 = 0xa0;

/// The serial number of a PEM certificate in upper-case hex without leading zeros, as the contract names pinned ones. `None` if it
/// is no certificate. Source: RFC 5280, section 4.1 (Certificate, TBSCertificate), and X.690 for DER.
#[must_use]
pub fn serial_hex(pem: &str) -> Option<String> {
    let (_, after) = pem.split_once(BEGIN)?;
    let (body, _) = after.split_once(END)?;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).ok()?;
    let certificate = take(&der, SEQUENCE)?.0;
    let to_be_signed = take(certificate, SEQUENCE)?.0;
    let after_version = take(to_be_signed, VERSION).map_or(to_be_signed, |(_, rest)| rest);
    let serial = to_hex(take(after_version, INTEGER)?.0).to_ascii_uppercase();
    Some(serial.trim_start_matches('0').to_owned()).filter(|serial| !serial.is_empty())
}

/// The value of the element of this tag that stands first, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&len, rest) = rest.split_first()?;
    let (len, rest) = if len < 0x80 {
        (usize::from(len), rest)
    } else {
        // A certificate is shorter than 64 KiB: at most two bytes of length.
        let (bytes, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
        let len = match *bytes {
            [one] => usize::from(one),
            [high, low] => usize::from(high) << 8 | usize::from(low),
            _ => return None,
        };
        (len, rest)
    };
    (first == tag).then(|| rest.split_at_checked(len)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials() {
        let pem = include_str!("../../../schemes/keys/unionpay/unionpay-sign.pem");
        assert_eq!(serial_hex(pem).as_deref(), Some("1002414901"));
        assert_eq!(serial_hex(&pem.replace('\n', "\r\n")).as_deref(), Some("1002414901"));
        for unread in ["", BEGIN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", &pem[..300]] {
            assert_eq!(serial_hex(unread), None, "{unread}");
        }
        let cut = format!("{}{END}", &pem[..BEGIN.len() + 9]);
        assert_eq!(serial_hex(&cut), None);
    }
}
