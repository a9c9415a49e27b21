//! Until when the certificates in a secret are good.
//!
//! One that this side shows (a client certificate) must be good when it is entered and when the account is tested, since nobody takes
//! it afterwards. Those of the other side are trusted for what they are, and go on being trusted past their end: a scheme that renews
//! too late must not stop a shop. People are told of them instead, and of all that will end soon.

use jiff::Timestamp;
use saoma_protocol::Millis;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    Secrets,
    key::SecretFault,
    pem::{Block, blocks},
};
use crate::{
    failure::Failure,
    manifest::{SecretKind, SecretSpec},
};

/// So long before its end people are told of a certificate: longer than a bank takes to issue the next one.
const NOTICE_DAYS: i64 = 30;
const DAY_SECONDS: i64 = 86_400;

/// A certificate, as far as time is concerned. Moments in seconds since 1970.
struct Validity {
    /// Serial number, in hex, as schemes name their certificates.
    serial: String,
    begins: i64,
    ends: i64,
}

impl SecretKind {
    /// As [`SecretKind::check`], and that a client certificate is good at that moment.
    ///
    /// # Errors
    /// See [`SecretFault`].
    pub fn check_at(self, text: &[u8], now: Millis) -> Result<(), SecretFault> {
        self.check(text)?;
        let now = now.0.div_euclid(1_000);
        match certificates(text).first().filter(|_| self == Self::ClientCertificate) {
            Some(ours) if ours.ends < now => Err(SecretFault::Ended(moment(ours.ends))),
            Some(ours) if now < ours.begins => Err(SecretFault::NotYet(moment(ours.begins))),
            _ => Ok(()),
        }
    }

    /// What people ought to know of certificates that are used all the same: those that have ended, and those that soon will.
    fn notices(self, text: &[u8], now: Millis) -> Vec<String> {
        let fix = match self {
            Self::ClientCertificate => "ask whoever issued it for a new one",
            Self::RsaPublicKeys | Self::Certificates => "ask the scheme for the next one, and add it beside this",
            // Keys alone have no end.
            _ => return Vec::new(),
        };
        let now = now.0.div_euclid(1_000);
        let told = |certificate: Validity| {
            let (serial, at) = (certificate.serial, moment(certificate.ends));
            match certificate.ends - now {
                ..0 => Some(format!("the certificate {serial} ended on {at}: {fix}")),
                left if left < NOTICE_DAYS * DAY_SECONDS => {
                    Some(format!("the certificate {serial} ends on {at}, in {} days: {fix}", left / DAY_SECONDS))
                }
                _ => None,
            }
        };
        certificates(text).into_iter().filter_map(told).collect()
    }
}

impl Secrets {
    /// What time has done to an account's secrets: in words, what people ought to see to before it is too late.
    ///
    /// # Errors
    /// `Misconfigured`, naming a secret that is of no use any more, why, and what to do.
    pub fn review(&self, specs: &[SecretSpec], now: Millis) -> Result<Vec<String>, Failure> {
        let mut notices = Vec::new();
        for SecretSpec { name, kind, .. } in specs {
            let Some(secret) = self.0.get(name) else { continue };
            kind.check_at(&secret.text, now).map_err(|fault| Failure::Misconfigured {
                why: format!("the secret {name:?} is of no use: {fault}"),
            })?;
            notices.extend(kind.notices(&secret.text, now).into_iter().map(|notice| format!("{name:?}: {notice}")));
        }
        Ok(notices)
    }
}

/// The certificates of a text, in their order; nothing of what cannot be read, which [`SecretKind::check`] tells.
fn certificates(text: &[u8]) -> Vec<Validity> {
    let read = |block: Block<'_>| {
        let (_, certificate) = X509Certificate::from_der(&block.der).ok()?;
        let (validity, serial) = (certificate.validity(), hex::encode_upper(certificate.raw_serial()));
        Some(Validity {
            serial: serial.trim_start_matches('0').chars().take(40).collect(),
            begins: validity.not_before.timestamp(),
            ends: validity.not_after.timestamp(),
        })
    };
    blocks(text).unwrap_or_default().into_iter().filter_map(read).collect()
}

fn moment(seconds: i64) -> String {
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};

    use super::*;

    /// 2026-03-01.
    const NOW: Millis = Millis(1_772_323_200_000);

    /// A certificate of those days and its key, both PEM.
    fn of(begins: (i32, u8, u8), ends: (i32, u8, u8)) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        signed(&key, begins, ends)
    }

    fn signed(key: &KeyPair, begins: (i32, u8, u8), ends: (i32, u8, u8)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["shop".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(begins.0, begins.1, begins.2);
        params.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        params.serial_number = Some(0x0051_57F0_u64.into());
        (params.self_signed(key).expect("signed").pem(), key.serialize_pem())
    }

    const GOOD: [(i32, u8, u8); 2] = [(2025, 1, 1), (2027, 1, 1)];
    const ENDED: [(i32, u8, u8); 2] = [(2025, 1, 1), (2026, 2, 28)];
    const SOON: [(i32, u8, u8); 2] = [(2025, 1, 1), (2026, 3, 11)];
    const TO_COME: [(i32, u8, u8); 2] = [(2026, 3, 2), (2027, 1, 1)];

    #[test]
    fn a_client_certificate_that_is_not_good_now_is_refused_with_its_end_and_what_to_do() {
        let told = |days: [(i32, u8, u8); 2]| {
            let (certificate, key) = of(days[0], days[1]);
            let checked = SecretKind::ClientCertificate.check_at(format!("{certificate}{key}").as_bytes(), NOW);
            checked.map_or_else(|fault| fault.to_string(), |()| "ok".to_owned())
        };
        assert_eq!((told(GOOD).as_str(), told(SOON).as_str()), ("ok", "ok"));
        let ended = told(ENDED);
        assert!(ended.contains("ended on 2026-02-28 00:00 UTC") && ended.contains("ask whoever issued it"), "{ended}");
        let to_come = told(TO_COME);
        assert!(to_come.contains("from 2026-03-02 00:00 UTC on") && to_come.contains("clock"), "{to_come}");
        // What is no certificate at all is told as such, whatever the time.
        let fault = SecretKind::ClientCertificate.check_at(b"my key", NOW).expect_err("no PEM");
        assert_eq!(fault, SecretFault::NotPem);
    }

    #[test]
    fn whoever_tests_an_account_is_told_what_ends() {
        let spec = |name: &str, kind| SecretSpec { name: name.to_owned(), kind, description: String::new() };
        let reviewed = |kind, days: [(i32, u8, u8); 2]| {
            let (certificate, key) = of(days[0], days[1]);
            let text = if kind == SecretKind::ClientCertificate { format!("{certificate}{key}") } else { certificate };
            let secrets = Secrets::none().with("theirs", text);
            secrets.review(&[spec("theirs", kind), spec("unset", SecretKind::Text)], NOW)
        };
        for kind in [SecretKind::ClientCertificate, SecretKind::Certificates] {
            assert_eq!(reviewed(kind, GOOD), Ok(Vec::new()), "{kind:?}");
            let soon = reviewed(kind, SOON).expect("of use").join("; ");
            assert!(
                soon.starts_with("\"theirs\": the certificate 5157F0 ends on 2026-03-11 00:00 UTC, in 10 days: ask"),
                "{soon}"
            );
        }
        // Their certificates are trusted past their end, and before their beginning: the next one is entered beforehand.
        let ended = reviewed(SecretKind::Certificates, ENDED).expect("of use").join("; ");
        assert!(ended.contains("5157F0 ended on 2026-02-28 00:00 UTC: ask the scheme for the next one"), "{ended}");
        assert_eq!(reviewed(SecretKind::Certificates, TO_COME), Ok(Vec::new()));
        match reviewed(SecretKind::ClientCertificate, ENDED) {
            Err(Failure::Misconfigured { why }) => {
                assert!(why.contains("\"theirs\" is of no use: the certificate ended"), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_schemes_keys_those_that_are_certificates_have_an_end() {
        let rsa = include_str!("../../tests/keys/merchant-pkcs8.pem");
        let key = KeyPair::from_pem_and_sign_algo(rsa, &PKCS_RSA_SHA256).expect("a key");
        let (certificate, _) = signed(&key, ENDED[0], ENDED[1]);
        let bare = include_str!("../../tests/keys/merchant-public.pem");
        let text = format!("Key-Id: PUB_KEY_ID_01\n{bare}{certificate}");
        assert_eq!(SecretKind::RsaPublicKeys.check_at(text.as_bytes(), NOW), Ok(()));
        let notices = SecretKind::RsaPublicKeys.notices(text.as_bytes(), NOW);
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(notices[0].contains("5157F0 ended on"), "{notices:?}");
        assert_eq!(SecretKind::RsaPrivateKey.notices(rsa.as_bytes(), NOW), [""; 0]);
    }

    #[test]
    fn a_chain_is_looked_at_whole() {
        let (ours, key) = of(GOOD[0], GOOD[1]);
        let (issuer, _) = of(ENDED[0], ENDED[1]);
        let text = format!("{ours}{issuer}{key}");
        assert_eq!(SecretKind::ClientCertificate.check_at(text.as_bytes(), NOW), Ok(()));
        let notices = SecretKind::ClientCertificate.notices(text.as_bytes(), NOW);
        assert!(notices.len() == 1 && notices[0].contains("ended on 2026-02-28"), "{notices:?}");
    }
}
