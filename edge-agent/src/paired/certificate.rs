//! The certificate of the door in the network. Nobody vouches for it: a person compares its fingerprint with the one at the till.
//!
//! Key and certificate are in one file, so that no power cut parts them. One that somebody else made and put there is used
//! as it is, and never replaced.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use saoma_protocol::Millis;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::Host;
use crate::{
    link::{
        certificate::Validity,
        tls::{self, TlsError, fingerprint},
    },
    private_file::{self, GROUP_AND_OTHERS, PrivateFileError},
};

/// Who made it, if the agent did.
const OURS: &str = "Saoma till";
/// Each new one has to be believed anew on every device; phones refuse those that live longer than 825 days.
const LIFE_DAYS: i64 = 730;
/// Renewed so long before its end. The renewal is at a start or within a minute of this moment.
const RENEWED_MS_BEFORE: i64 = 60 * 24 * 60 * 60 * 1000;
/// A clock on a device may be behind.
const BEGUN_DAYS_AGO: i64 = 2;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("use {path}: {why}. Remove it, and the agent makes another")]
    Damaged { path: PathBuf, why: String },
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("name this machine in a certificate: {0}")]
    Name(String),
}

/// A certificate with its key, as it is shown.
#[derive(Debug)]
pub struct Shown {
    /// SHA-256 of it (DER).
    pub fingerprint: String,
    pub validity: Validity,
    /// The agent made it, and renews it.
    pub is_ours: bool,
    pub names_host: bool,
    pem: Pem,
}

/// Certificate and key. Does not print.
struct Pem(Zeroizing<String>);

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pem")
    }
}

/// Where it is in the data directory. Not `paired.…`: what is written anew there goes through `paired.new`.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("paired-door.pem")
}

/// The one in the data directory, if there is one.
///
/// # Errors
/// `File` also if others than its owner get at it, `Damaged`.
pub fn look(data_dir: &Path, host: &Host, shut_out: u32) -> Result<Option<Shown>, CertificateError> {
    let path = path(data_dir);
    let Some(bytes) = private_file::read(&path, shut_out)? else { return Ok(None) };
    let shown = String::from_utf8(bytes)
        .map_err(|error| error.to_string())
        .and_then(|pem| Shown::read(Zeroizing::new(pem), host));
    shown.map(Some).map_err(|why| CertificateError::Damaged { path, why })
}

/// The one in the data directory; made if there is none or none for this name, and made anew if it is ours and nearly over or not yet
/// good. `known`: what time it is, if core has said so: this machine's own clock may begin before the certificate at each start, and
/// must not make people compare another one each time. It is asked, as `own`, for one that has to be made at once.
///
/// # Errors
/// `File`, `Damaged`, `Make`, `Name`.
pub fn keep(data_dir: &Path, host: &Host, known: Option<Millis>, own: Millis) -> Result<Shown, CertificateError> {
    if let Some(shown) = look(data_dir, host, GROUP_AND_OTHERS)? {
        let Validity { not_before, not_after } = shown.validity;
        // A clock that was ahead has made one that no browser believes in, for years.
        let is_of_now = |now: Millis| not_before <= now && not_after.since(now) > RENEWED_MS_BEFORE;
        let is_good = shown.names_host && known.is_none_or(is_of_now);
        if is_good || !shown.is_ours {
            return Ok(shown);
        }
    }
    let pem = make(host, known.unwrap_or(own))?;
    private_file::write(&path(data_dir), pem.as_bytes())?;
    let shown = Shown::read(pem, host).map_err(|why| CertificateError::Damaged { path: path(data_dir), why })?;
    tracing::info!(fingerprint = shown.fingerprint, "the door in the network has a new certificate");
    Ok(shown)
}

fn make(host: &Host, now: Millis) -> Result<Zeroizing<String>, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let now = OffsetDateTime::from_unix_timestamp(now.0 / 1_000)
        .map_err(|error| CertificateError::Name(error.to_string()))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, OURS);
    params.subject_alt_names = vec![match host {
        Host::Address(address) => SanType::IpAddress(*address),
        Host::Name(name) => SanType::DnsName(name.as_str().try_into()?),
    }];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = now - Duration::days(BEGUN_DAYS_AGO);
    params.not_after = now + Duration::days(LIFE_DAYS);
    let certificate = params.self_signed(&key)?;
    Ok(Zeroizing::new(format!("{}{}", *Zeroizing::new(key.serialize_pem()), certificate.pem())))
}

impl Shown {
    fn read(pem: Zeroizing<String>, host: &Host) -> Result<Self, String> {
        let chain = chain(&pem).map_err(|error| error.to_string())?;
        let own = chain.first().ok_or("there is no certificate in it")?;
        let (_, certificate) = X509Certificate::from_der(own).map_err(|_| "its certificate is unreadable")?;
        let validity = Validity::of_chain(&pem).ok_or("its certificate is never good")?;
        let is_ours = certificate.issuer() == certificate.subject()
            && certificate.subject().iter_common_name().any(|name| name.as_str() == Ok(OURS));
        let names = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
        let names_host = names.is_some_and(|names| names.value.general_names.iter().any(|name| is_of(name, host)));
        let fingerprint = fingerprint(own).map(|byte| format!("{byte:02X}")).join(":");
        let shown = Self { fingerprint, validity, is_ours, names_host, pem: Pem(pem) };
        shown.certified().map(|_| shown)
    }

    /// As rustls shows it.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn certified(&self) -> Result<CertifiedKey, String> {
        let chain = chain(&self.pem.0).map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(self.pem.0.as_bytes())
            .map_err(|error| format!("its key is unreadable: {error}"))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| error.to_string())
    }
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    tls::certificates("the door's certificate", pem)
}

fn is_of(name: &GeneralName<'_>, host: &Host) -> bool {
    match (name, host) {
        (GeneralName::DNSName(name), Host::Name(host)) => name.eq_ignore_ascii_case(host),
        (GeneralName::IPAddress(bytes), Host::Address(std::net::IpAddr::V4(address))) => **bytes == address.octets(),
        (GeneralName::IPAddress(bytes), Host::Address(std::net::IpAddr::V6(address))) => **bytes == address.octets(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    #[test]
    fn it_is_kept_until_it_is_nearly_over_or_for_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let host: Host = "192.168.1.20".parse().unwrap();
        let first = keep(folder.path(), &host, Some(NOW), NOW).unwrap();
        assert!(first.is_ours && first.names_host && first.fingerprint.len() == 95, "{first:?}");
        let mode = fs::metadata(path(folder.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for (days, renewed) in [(0, false), (LIFE_DAYS - 61, false), (LIFE_DAYS - 59, true)] {
            let shown = keep(folder.path(), &host, Some(NOW.plus(days * DAY_MS)), NOW).unwrap();
            assert_eq!(shown.fingerprint != first.fingerprint, renewed, "{days}");
        }
        assert!(!format!("{first:?}").contains("PRIVATE KEY"), "{first:?}");
        // A clock that was years ahead, or at 1970, is set right.
        for wrong in [NOW.plus(3 * 365 * DAY_MS), Millis(0)] {
            fs::remove_file(path(folder.path())).unwrap();
            let made = keep(folder.path(), &host, None, wrong).unwrap();
            // Until core has said what time it is, that one is as good as any.
            let again = keep(folder.path(), &host, None, NOW.plus(-4 * 365 * DAY_MS)).unwrap();
            assert_eq!(again.fingerprint, made.fingerprint);
            let validity = keep(folder.path(), &host, Some(NOW), NOW).unwrap().validity;
            assert!(validity != made.validity && validity.not_before < NOW && NOW < validity.not_after, "{wrong:?}");
        }
        let before = look(folder.path(), &host, 0).unwrap().unwrap().fingerprint;
        let other: Host = "till-1.local".parse().unwrap();
        assert_ne!(keep(folder.path(), &other, Some(NOW), NOW).unwrap().fingerprint, before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn somebody_elses_is_used_as_it_is_and_a_shared_or_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let host: Host = "till-1.local".parse().unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["till-1.local".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "The shop");
        params.not_after = OffsetDateTime::from_unix_timestamp(NOW.0 / 1_000).unwrap() + Duration::days(1);
        let pem = format!("{}{}", params.self_signed(&key).unwrap().pem(), key.serialize_pem());
        let file = path(folder.path());
        private_file::write(&file, pem.as_bytes()).unwrap();
        let shown = keep(folder.path(), &host, Some(NOW), NOW).unwrap();
        assert!(!shown.is_ours && fs::read_to_string(&file).unwrap() == pem);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(keep(folder.path(), &host, Some(NOW), NOW), Err(CertificateError::File(_))));
        private_file::write(&file, b"-----BEGIN").unwrap();
        let told = keep(folder.path(), &host, Some(NOW), NOW).unwrap_err().to_string();
        assert!(told.contains("Remove it"), "{told}");
    }
}
