//! Who may call the merchant API: known merchant, right signature, fresh timestamp, nonce never seen.

use std::collections::{BTreeMap, HashMap};

use super::{refusal::Refusal, signature::MerchantKey};

/// How far a request's timestamp may be from the scheme's clock, in either direction.
pub const SKEW_MS_MAX: i64 = 300_000;
/// Length of a nonce, in hex digits.
const NONCE_LEN: usize = 32;
/// Nonces kept before the ones that no timestamp could still carry are dropped.
const NONCES_MAX: usize = 50_000;

/// What a request says of itself in its headers.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    pub merchant: &'a str,
    pub timestamp: &'a str,
    pub nonce: &'a str,
    pub signature: &'a str,
}

/// The merchants and the nonces they have used.
#[derive(Debug)]
pub struct Gate {
    merchants: BTreeMap<String, MerchantKey>,
    /// By merchant and nonce: the request's timestamp.
    seen: HashMap<(String, String), i64>,
}

impl Gate {
    #[must_use]
    pub fn new(merchants: impl IntoIterator<Item = (String, MerchantKey)>) -> Self {
        Self { merchants: merchants.into_iter().collect(), seen: HashMap::new() }
    }

    #[must_use]
    pub fn key(&self, merchant: &str) -> Option<&MerchantKey> {
        self.merchants.get(merchant)
    }

    /// Lets a request in, once. A request that fails any check does not use its nonce up.
    ///
    /// # Errors
    /// `BadSignature`, always with the same status and code: the text says which check failed, for the developer.
    pub fn admit(
        &mut self,
        claims: Claims<'_>,
        method: &str,
        path: &str,
        body: &[u8],
        now: i64,
    ) -> Result<(), Refusal> {
        let key = self.merchants.get(claims.merchant).ok_or(Refusal::BadSignature("the merchant is not known here"))?;
        let well_formed = claims.nonce.len() == NONCE_LEN && claims.nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !well_formed {
            return Err(Refusal::BadSignature("x-sandbox-nonce must be 32 hex digits"));
        }
        let timestamp: i64 =
            claims.timestamp.parse().map_err(|_| Refusal::BadSignature("x-sandbox-timestamp must be milliseconds"))?;
        if now.abs_diff(timestamp) > SKEW_MS_MAX.unsigned_abs() {
            return Err(Refusal::BadSignature("x-sandbox-timestamp is more than 300 s away from the scheme's clock"));
        }
        let fields: [&[u8]; 6] = [
            b"REQUEST",
            method.as_bytes(),
            path.as_bytes(),
            claims.timestamp.as_bytes(),
            claims.nonce.as_bytes(),
            body,
        ];
        if !key.verifies(&fields, claims.signature) {
            return Err(Refusal::BadSignature("x-sandbox-signature does not fit the request and the merchant's key"));
        }
        self.use_up(claims, timestamp, now)
    }

    fn use_up(&mut self, claims: Claims<'_>, timestamp: i64, now: i64) -> Result<(), Refusal> {
        if self.seen.len() >= NONCES_MAX {
            self.seen.retain(|_, at| now.abs_diff(*at) <= SKEW_MS_MAX.unsigned_abs());
        }
        let nonce = (claims.merchant.to_owned(), claims.nonce.to_ascii_lowercase());
        match self.seen.insert(nonce, timestamp) {
            None => Ok(()),
            Some(_) => Err(Refusal::BadSignature("x-sandbox-nonce was used before")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "0123456789abcdef0123456789abcdef";
    const NOW: i64 = 1_700_000_000_000;

    fn signed(timestamp: &str, nonce: &str, body: &[u8]) -> String {
        let fields: [&[u8]; 6] = [b"REQUEST", b"POST", b"/v1/orders?x=1", timestamp.as_bytes(), nonce.as_bytes(), body];
        MerchantKey::new("key").sign(&fields)
    }

    #[test]
    fn who_gets_in() {
        let now = NOW.to_string();
        let old = (NOW - SKEW_MS_MAX).to_string();
        let too_old = (NOW - SKEW_MS_MAX - 1).to_string();
        let too_new = (NOW + SKEW_MS_MAX + 1).to_string();
        for (merchant, timestamp, nonce, body, in_or_why) in [
            ("m1", now.as_str(), NONCE, "{}", "in"),
            ("m1", old.as_str(), NONCE, "{}", "in"),
            ("m2", now.as_str(), NONCE, "{}", "known"),
            ("", now.as_str(), NONCE, "{}", "known"),
            ("m1", now.as_str(), "", "{}", "32 hex"),
            ("m1", now.as_str(), "0123456789abcdef0123456789abcdeg", "{}", "32 hex"),
            ("m1", "soon", NONCE, "{}", "milliseconds"),
            ("m1", too_old.as_str(), NONCE, "{}", "300 s"),
            ("m1", too_new.as_str(), NONCE, "{}", "300 s"),
            ("m1", "-9223372036854775808", NONCE, "{}", "300 s"),
            ("m1", now.as_str(), NONCE, "{\"changed\":1}", "does not fit"),
        ] {
            let mut gate = Gate::new([("m1".to_owned(), MerchantKey::new("key"))]);
            let signature = signed(timestamp, nonce, b"{}");
            let claims = Claims { merchant, timestamp, nonce, signature: &signature };
            let result = gate.admit(claims, "POST", "/v1/orders?x=1", body.as_bytes(), NOW);
            match result {
                Ok(()) => assert_eq!(in_or_why, "in"),
                Err(refusal) => assert!(refusal.to_string().contains(in_or_why), "{in_or_why}: {refusal}"),
            }
        }
    }

    #[test]
    fn a_nonce_is_good_for_one_request_and_a_forger_cannot_use_it_up() {
        let mut gate = Gate::new([("m1".to_owned(), MerchantKey::new("key"))]);
        let now = NOW.to_string();
        let signature = signed(&now, NONCE, b"");
        let claims = Claims { merchant: "m1", timestamp: &now, nonce: NONCE, signature: &signature };
        let forged = Claims { signature: "00", ..claims };
        assert!(gate.admit(forged, "POST", "/v1/orders?x=1", b"", NOW).is_err());
        assert!(gate.admit(claims, "POST", "/v1/orders?x=1", b"", NOW).is_ok());
        assert!(gate.admit(claims, "POST", "/v1/orders?x=1", b"", NOW).is_err());
    }
}
