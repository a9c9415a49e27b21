//! What is signed, and how: HMAC-SHA-256 over fields that are joined by and end in one line feed (`PROTOCOL.md`).

use ring::hmac;

/// A merchant's key. Does not print.
#[derive(Clone)]
pub struct MerchantKey(hmac::Key);

impl std::fmt::Debug for MerchantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MerchantKey(..)")
    }
}

impl MerchantKey {
    /// The key's text as the scheme gave it to the merchant; its UTF-8 bytes are the HMAC key.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    /// Lower-case hex of the MAC over the fields.
    #[must_use]
    pub fn sign(&self, fields: &[&[u8]]) -> String {
        hex::encode(hmac::sign(&self.0, &text(fields)).as_ref())
    }

    /// Whether `signature` (lower-case hex) is the MAC over the fields; compared in constant time.
    #[must_use]
    pub fn verifies(&self, fields: &[&[u8]], signature: &str) -> bool {
        let lower_case = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
        lower_case && hex::decode(signature).is_ok_and(|mac| hmac::verify(&self.0, &text(fields), &mac).is_ok())
    }
}

fn text(fields: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::with_capacity(fields.iter().map(|field| field.len() + 1).sum());
    for field in fields {
        text.extend_from_slice(field);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_the_published_one() {
        // Checked with: printf 'REQUEST\nGET\n/v1/ping\n1700000000000\n00\n\n' | openssl dgst -sha256 -hmac secret
        let key = MerchantKey::new("secret");
        let fields: [&[u8]; 6] = [b"REQUEST", b"GET", b"/v1/ping", b"1700000000000", b"00", b""];
        let signature = key.sign(&fields);
        assert_eq!(signature, "2098c450a0f011f2064c1eb5afde846e079def7caa2364e9e6297176e01046b7");
        assert!(key.verifies(&fields, &signature));
        assert!(!key.verifies(&fields, &signature.to_uppercase()));
        assert!(!key.verifies(&fields[..5], &signature));
        assert!(!key.verifies(&fields, ""));
        assert!(!MerchantKey::new("Secret").verifies(&fields, &signature));
        assert_eq!(format!("{key:?}"), "MerchantKey(..)");
    }
}
