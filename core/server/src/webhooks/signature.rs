//! Standard Webhooks 1.0.0, "Signature scheme": HMAC-SHA256 over `id.timestamp.body`, one signature for each secret in force.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;

/// Bytes of a secret; the specification asks for 24 to 64.
pub const SECRET_LEN: usize = 32;

/// A secret as receivers are given it.
#[must_use]
pub fn secret_text(secret: &[u8; SECRET_LEN]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

/// The value of `webhook-signature`. `timestamp` is of the attempt, in seconds since 1970.
#[must_use]
pub fn sign<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures = secrets.into_iter().map(|secret| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with another implementation of HMAC (Python's).
    #[test]
    fn a_request_signed_elsewhere() {
        let vector: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/webhook.json")).unwrap();
        let text = |name: &str| vector[name].as_str().unwrap();
        let (new, old) = ([7; SECRET_LEN], [9; SECRET_LEN]);
        assert_eq!((secret_text(&new), secret_text(&old)), (text("secret").to_owned(), text("previous").to_owned()));
        let timestamp = vector["timestamp"].as_i64().unwrap();
        let signed = sign([new.as_slice(), old.as_slice()], text("id"), timestamp, text("body"));
        assert_eq!(signed, text("signature"));
    }
}
