//! Signatures with keys that stay in the host.

use crate::{
    Error,
    bindings::saoma::channel::{random, secrets},
    misconfigured,
};

/// HMAC-SHA-256 over the message under the account's secret of that name, in lower-case hex.
///
/// # Errors
/// `misconfigured` if the account has no such secret.
pub fn hmac_hex(secret: &str, message: &[u8]) -> Result<String, Error> {
    secrets::hmac_sha256(secret, message).map(|tag| to_hex(&tag)).map_err(|error| no_secret(&error))
}

/// Whether `tag_hex` is the HMAC-SHA-256 of the message; the host compares in constant time. A text that is no hex is not.
///
/// # Errors
/// `misconfigured` if the account has no such secret.
pub fn hmac_verifies(secret: &str, message: &[u8], tag_hex: &str) -> Result<bool, Error> {
    let Some(tag) = from_hex(tag_hex) else {
        return Ok(false);
    };
    secrets::hmac_sha256_verify(secret, message, &tag).map_err(|error| no_secret(&error))
}

/// `bytes` unpredictable bytes (at most 1,024) in lower-case hex: nonces.
#[must_use]
pub fn random_hex(bytes: u32) -> String {
    to_hex(&random::bytes(bytes))
}

/// Lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

/// Bytes from hex of either case; `None` if it is none.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn no_secret(error: &secrets::Error) -> Error {
    match error {
        secrets::Error::Missing(name) => misconfigured(format!("the secret {name:?} is missing")),
        secrets::Error::WrongKind(name) => misconfigured(format!("the secret {name:?} is of another kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex() {
        assert_eq!(to_hex(&[0x00, 0x7f, 0xff]), "007fff");
        assert_eq!(from_hex("007fFF"), Some(vec![0x00, 0x7f, 0xff]));
        for text in ["0", "0g", "+1", "é"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
