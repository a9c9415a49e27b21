//! Signatures with keys that stay in the host.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Error,
    bindings::saoma::channel::{random, secrets},
    misconfigured, no_answer, not_sent,
};

/// HMAC-SHA-256 over the message under the account's secret of that name, in lower-case hex.
///
/// # Errors
/// `misconfigured` if the account has no such secret.
pub fn hmac_hex(secret: &str, message: &[u8]) -> Result<String, Error> {
    secrets::hmac_sha256(secret, message).map(|tag| to_hex(&tag)).map_err(|error| refused(&error))
}

/// Whether `tag_hex` is the HMAC-SHA-256 of the message; the host compares in constant time. A text that is no hex is not.
///
/// # Errors
/// `misconfigured` if the account has no such secret.
pub fn hmac_verifies(secret: &str, message: &[u8], tag_hex: &str) -> Result<bool, Error> {
    let Some(tag) = from_hex(tag_hex) else {
        return Ok(false);
    };
    secrets::hmac_sha256_verify(secret, message, &tag).map_err(|error| refused(&error))
}

/// RSASSA-PKCS1-v1_5 with SHA-256 over the message under the account's private key of that name, in Base64, as Alipay (RSA2),
/// WeChat Pay (API v3) and UnionPay want it.
///
/// # Errors
/// `misconfigured` if the account has no such key; `not-sent` if the host signs no more in this call: say so before you send.
pub fn rsa_sign(secret: &str, message: &[u8]) -> Result<String, Error> {
    match secrets::rsa_sha256_sign(secret, message) {
        Ok(signature) => Ok(STANDARD.encode(signature)),
        Err(error) => Err(match refused(&error) {
            Error::NoAnswer(why) => not_sent(why),
            other => other,
        }),
    }
}

/// Whether the Base64 is such a signature by the scheme: by the key of that id, else by any that the secret holds. A text that
/// is no Base64 is none.
///
/// # Errors
/// `misconfigured` if the account has no such secret; `no-answer` if it holds no key of that id.
pub fn rsa_verifies(secret: &str, key_id: Option<&str>, message: &[u8], signature_base64: &str) -> Result<bool, Error> {
    let Ok(signature) = STANDARD.decode(signature_base64) else {
        return Ok(false);
    };
    secrets::rsa_sha256_verify(secret, key_id, message, &signature).map_err(|error| refused(&error))
}

/// The same by a public key or certificate that the scheme itself handed out, signed or sealed.
///
/// # Errors
/// `no-answer` if the key cannot be read.
pub fn rsa_verifies_with(key: &[u8], message: &[u8], signature_base64: &str) -> Result<bool, Error> {
    let Ok(signature) = STANDARD.decode(signature_base64) else {
        return Ok(false);
    };
    secrets::rsa_sha256_verify_with(key, message, &signature).map_err(|error| refused(&error))
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

/// What the host would not do, for the answer of a call. In doubt `no-answer`: it may be that a request went before.
pub(crate) fn refused(error: &secrets::Error) -> Error {
    match error {
        secrets::Error::Missing(name) => misconfigured(format!("the secret {name:?} is missing")),
        secrets::Error::WrongKind(name) => misconfigured(format!("the secret {name:?} is of another kind")),
        secrets::Error::UnknownKey(id) => no_answer(format!("there is no key {id:?} to check the signature with")),
        secrets::Error::Invalid(why) => no_answer(why.as_str()),
        secrets::Error::Exhausted => no_answer("too many RSA operations in one call"),
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
