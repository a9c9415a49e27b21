//! The terminal's certificate: asking for one, believing it, and when to ask for the next. Pure.

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use saoma_protocol::{Millis, TerminalId};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::tls;

/// Pause between two attempts to renew: a sixteenth of what is left, so that there are dozens, within these bounds.
const AGAIN_MS_MIN: i64 = 1_000;
const AGAIN_MS_MAX: i64 = 60 * 60 * 1000;

/// A PKCS #10 request for `key` in PEM. Core names the terminal; an empty subject says nothing that it would have to ignore.
///
/// # Errors
/// If the key cannot sign.
pub fn signing_request(key: &KeyPair) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(key)?.pem()
}

/// Whether the first certificate of `chain_pem` is for `key` and names `terminal`; that it is from core's CA shows in TLS.
///
/// # Errors
/// What is wrong with it, as a fragment that fits "believe core's answer: …".
pub fn check(chain_pem: &str, key: &KeyPair, terminal: TerminalId) -> Result<Validity, String> {
    first(chain_pem, |certificate| {
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err("its certificate is for another key".to_owned());
        }
        let mut names = certificate.subject().iter_common_name().map(|name| name.as_str().ok());
        let terminal = terminal.to_string();
        if names.next() != Some(Some(terminal.as_str())) || names.next().is_some() {
            return Err("its certificate names another terminal".to_owned());
        }
        Validity::of(certificate)
    })
}

fn first<T>(chain_pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> Result<T, String>) -> Result<T, String> {
    let chain = tls::certificates("the terminal's certificate", chain_pem).map_err(|error| error.to_string())?;
    let own = chain.first().ok_or("it holds no certificate")?;
    let (_, certificate) = X509Certificate::from_der(own).map_err(|_| "its certificate is unreadable")?;
    look(&certificate)
}

/// When a certificate is good: from `not_before` until `not_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub not_before: Millis,
    pub not_after: Millis,
}

impl Validity {
    /// Of the first certificate in a PEM text; none if there is none to read.
    #[must_use]
    pub fn of_chain(chain_pem: &str) -> Option<Self> {
        first(chain_pem, Self::of).ok()
    }

    /// Of a certificate in DER.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Self::of(&certificate).ok()
    }

    fn of(certificate: &X509Certificate<'_>) -> Result<Self, String> {
        let millis = |time: x509_parser::time::ASN1Time| Millis(time.timestamp().saturating_mul(1_000));
        let validity = certificate.validity();
        let (not_before, not_after) = (millis(validity.not_before), millis(validity.not_after));
        if not_before < not_after {
            Ok(Self { not_before, not_after })
        } else {
            Err("its certificate is never good".to_owned())
        }
    }

    const fn life_ms(&self) -> i64 {
        self.not_after.since(self.not_before)
    }

    #[must_use]
    pub const fn is_over(&self, now: Millis) -> bool {
        now.0 >= self.not_after.0
    }

    /// Little is left, half of the time for renewals is gone, and a person should know.
    #[must_use]
    pub const fn is_nearly_over(&self, now: Millis) -> bool {
        self.not_after.since(now) < self.life_ms() / 6
    }

    /// Whether to ask for the next one: in the last third, or somewhat before it, since a fleet that was enrolled on one day
    /// must not renew in one minute. `tried_at`: the last attempt.
    #[must_use]
    pub fn is_due(&self, terminal: TerminalId, tried_at: Option<Millis>, now: Millis) -> bool {
        let life_ms = self.life_ms();
        let spread_ms = life_ms / 12 / 256 * i64::from(terminal.as_bytes()[0]);
        let begins = self.not_after.plus(-(life_ms / 3) - spread_ms);
        let again_ms = (self.not_after.since(now) / 16).clamp(AGAIN_MS_MIN, AGAIN_MS_MAX);
        // An attempt in the future is from before the clock was set back.
        let waits = tried_at.is_some_and(|tried_at| (0..again_ms).contains(&now.since(tried_at)));
        now >= begins && !self.is_over(now) && !waits
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{DnType, PKCS_ECDSA_P256_SHA256};

    use super::*;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    const FIRST: TerminalId = TerminalId::from_bytes([0; 16]);
    const LAST: TerminalId = TerminalId::from_bytes([255; 16]);

    #[test]
    fn a_year_is_renewed_in_its_last_third_and_not_by_all_at_once() {
        let year = Validity { not_before: Millis(0), not_after: Millis(360 * DAY_MS) };
        let day = |day: i64| Millis(day * DAY_MS);
        let table = [
            (FIRST, 239, None, false),
            (FIRST, 240, None, true),
            (LAST, 209, None, false),
            (LAST, 211, None, true),
            // Tried this day already.
            (FIRST, 300, Some(day(300).plus(-1_000)), false),
            (FIRST, 300, Some(day(300).plus(-AGAIN_MS_MAX)), true),
            (FIRST, 300, Some(day(301)), true),
            (FIRST, 359, None, true),
            // Nobody lets it in any more.
            (FIRST, 360, None, false),
        ];
        for (terminal, today, tried_at, due) in table {
            assert_eq!(year.is_due(terminal, tried_at, day(today)), due, "{terminal} {today} {tried_at:?}");
        }
        assert!(!year.is_nearly_over(day(299)) && year.is_nearly_over(day(301)));
    }

    #[test]
    fn only_a_certificate_for_this_key_and_this_terminal_is_believed() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let named = |names: &[TerminalId], key: &KeyPair| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            for name in names {
                params.distinguished_name.push(DnType::CommonName, name.to_string());
            }
            params.self_signed(key).unwrap().pem()
        };
        assert!(check(&named(&[FIRST], &key), &key, FIRST).is_ok());
        for (chain, why) in [
            (named(&[FIRST], &other), "another key"),
            (named(&[LAST], &key), "another terminal"),
            (named(&[], &key), "another terminal"),
            (String::new(), "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "unreadable"),
        ] {
            let told = check(&chain, &key, FIRST).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
