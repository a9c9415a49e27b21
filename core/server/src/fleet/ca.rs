//! Core's own certificate authority: it names terminals, and core itself to terminals. Nobody else trusts it.
//!
//! Made at the first start and kept in the database, its key sealed ([`crate::own_keys`]), so that all nodes have one; what
//! the broker reads from files lies in `<data_dir>/fleet`, readable by core's user alone. Revocation is a
//! flag in the database, checked at every connect and every request, so there is no CRL to publish or to miss.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey,
    PublicKeyData as _, SerialNumber,
};
use ring::{
    rand::{SecureRandom, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use saoma_protocol::{Millis, TerminalId};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::private_file;

/// The CA outlives every terminal in the field; replacing it means enrolling them all again.
const CA_VALID_DAYS: i64 = 20 * 365;
/// A terminal renews over mTLS long before that (`POST /v1/terminal/renew`).
const TERMINAL_VALID_DAYS: i64 = 365;
/// Core's own certificate is made anew at each start, so this only bounds how long one process may run.
const SERVER_VALID_DAYS: i64 = 825;
/// Certificates are valid from a day ago: a terminal whose clock is slow by hours can still connect.
const BACKDATED_DAYS: i64 = 1;
/// The CA's certificate in core's own folder for terminals.
pub const CERTIFICATE_FILE: &str = "ca.pem";
/// Longest signing request that is read, in bytes; one with a P-256 key has about 500.
const CSR_LEN_MAX: usize = 8 * 1024;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("read or write {path}: check that core's user owns the data directory and that the disk has room")]
    File { path: PathBuf, source: io::Error },
    #[error("use the terminals' CA that the database holds: if it is damaged, restore it from a backup")]
    Damaged(#[source] rcgen::Error),
    #[error("make a certificate")]
    Make(#[from] rcgen::Error),
    #[error("draw random bytes from the operating system")]
    Random,
    #[error("compute with the time {0:?}, which lies outside the calendar")]
    Time(Millis),
}

/// Why a terminal's signing request is refused. Each is the terminal's doing.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    #[error("the signing request has {0} bytes; at most {CSR_LEN_MAX} are read")]
    TooLong(usize),
    #[error("the signing request is not PKCS #10 in PEM, signed with the key it carries")]
    Unreadable,
    #[error("the signing request's key must be ECDSA on P-256")]
    Key,
}

/// A certificate made for a terminal.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The terminal's certificate, then the CA's.
    pub chain_pem: String,
    /// 128 random bits in lower-case hex, without leading zeros.
    pub serial: String,
    /// An uncompressed point of P-256.
    pub public_key: Vec<u8>,
    pub not_after: Millis,
}

/// A signing request of which only the key is believed: the request was signed with it.
#[derive(Clone, Debug)]
pub struct CheckedRequest {
    key: PublicKey,
}

impl CheckedRequest {
    /// # Errors
    /// In this order: `TooLong`, `Unreadable` (also when the request is not signed with its own key), `Key`.
    pub fn read(csr_pem: &str) -> Result<Self, CsrError> {
        if csr_pem.len() > CSR_LEN_MAX {
            return Err(CsrError::TooLong(csr_pem.len()));
        }
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).map_err(|_| CsrError::Unreadable)?;
        if csr.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(CsrError::Key);
        }
        Ok(Self { key: csr.public_key })
    }
}

/// What the terminal listeners show to terminals. The key does not print.
pub struct ServerIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// The same in PEM files, for the broker, which reads nothing else.
    pub chain_path: PathBuf,
    pub key_path: PathBuf,
}

pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
    folder: PathBuf,
    random: SystemRandom,
}

impl Ca {
    /// The CA with this certificate and key (PEM). The certificate is written into `folder`, where the broker reads it.
    ///
    /// # Errors
    /// `Damaged`, `File`.
    pub fn open(folder: &Path, certificate: &str, key: &str) -> Result<Self, CaError> {
        let key = KeyPair::from_pem(key).map_err(CaError::Damaged)?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| CaError::Damaged(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(CaError::Damaged)?;
        fs::create_dir_all(folder).map_err(|source| CaError::File { path: folder.to_owned(), source })?;
        write(&folder.join(CERTIFICATE_FILE), certificate.as_bytes())?;
        let (pem, folder) = (certificate.to_owned(), folder.to_owned());
        Ok(Self { issuer, pem, der, folder, random: SystemRandom::new() })
    }

    /// A new CA's certificate and key, both in PEM.
    ///
    /// # Errors
    /// `Random`, `Time`, `Make`.
    pub fn draw(now: Millis) -> Result<(String, Zeroizing<String>), CaError> {
        let random = SystemRandom::new();
        let serial = serial(&random)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(now, CA_VALID_DAYS, &serial)?;
        // The serial in the name keeps two CAs apart in a terminal's log.
        params.distinguished_name.push(DnType::CommonName, format!("Saoma terminals {}", &hex::encode(serial)[..8]));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert = params.self_signed(&key)?;
        Ok((cert.pem(), Zeroizing::new(key.serialize_pem())))
    }

    /// The CA's certificate in PEM, for terminals to trust.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// Where the CA's certificate lies.
    #[must_use]
    pub fn pem_path(&self) -> PathBuf {
        self.folder.join(CERTIFICATE_FILE)
    }

    /// SHA-256 of the CA's certificate (DER) in lower-case hex. A person gives it to a terminal with the claim code, so that
    /// the terminal knows core at the first contact.
    #[must_use]
    pub fn ca_fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.der))
    }

    /// A fresh certificate for core's terminal listeners. `names` are DNS names or addresses; `localhost` and the loopback
    /// addresses are always among them.
    ///
    /// It is made anew at each start: the configured names are then always in it, and it is never near its end. It is good from the
    /// CA's first day on: to a terminal whose clock is behind it is never one of the future, whenever core was started. Whoever steals
    /// its key gains nothing by that, since what bounds him is its end.
    ///
    /// # Errors
    /// `Damaged`; `Make` for a name that is neither a DNS name nor an address.
    pub fn server_identity(&self, names: &[String], now: Millis) -> Result<ServerIdentity, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        all.extend(names.iter().filter(|name| !name.is_empty()).cloned());
        all.dedup();
        let mut params = params(now, SERVER_VALID_DAYS, &serial(&self.random)?)?;
        // What is dated before 1970, by a clock that stood there at the first start, no terminal reads.
        params.not_before = params.not_before.min(self.first_day()?).max(OffsetDateTime::UNIX_EPOCH);
        params.subject_alt_names = CertificateParams::new(all)?.subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, "Saoma core");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let cert = params.signed_by(&key, &self.issuer)?;

        let (chain_path, key_path) = (self.folder.join("server.pem"), self.folder.join("server.key"));
        write(&key_path, key.serialize_pem().as_bytes())?;
        write(&chain_path, format!("{}{}", cert.pem(), self.pem).as_bytes())?;
        Ok(ServerIdentity {
            chain: vec![cert.der().clone(), self.der.clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            chain_path,
            key_path,
        })
    }

    fn first_day(&self) -> Result<OffsetDateTime, CaError> {
        let (_, own) = x509_parser::parse_x509_certificate(&self.der)
            .map_err(|_| CaError::Damaged(rcgen::Error::CouldNotParseCertificate))?;
        Ok(own.validity().not_before.to_datetime())
    }

    /// A client certificate for `terminal` and the key in the request. Whatever name or extension the request asked for is
    /// gone by now: core names the terminal.
    ///
    /// # Errors
    /// `Random`, `Time`, `Make`.
    pub fn issue(&self, terminal: TerminalId, request: &CheckedRequest, now: Millis) -> Result<Issued, CaError> {
        let serial = serial(&self.random)?;
        let mut params = params(now, TERMINAL_VALID_DAYS, &serial)?;
        params.distinguished_name.push(DnType::CommonName, terminal.to_string());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let not_after = Millis(params.not_after.unix_timestamp().saturating_mul(1000));
        let cert = params.signed_by(&request.key, &self.issuer)?;
        Ok(Issued {
            chain_pem: format!("{}{}", cert.pem(), self.pem),
            serial: normal_serial(&hex::encode(serial)),
            public_key: request.key.der_bytes().to_vec(),
            not_after,
        })
    }
}

/// A terminal's certificate that came by another way than TLS, and is this CA's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub terminal: TerminalId,
    pub serial: String,
    /// An uncompressed point of P-256.
    pub public_key: Vec<u8>,
}

impl Ca {
    /// Whom a certificate (DER) names, if this CA has signed it; whether it is over or was withdrawn is not looked at.
    #[must_use]
    pub fn know(&self, der: &[u8]) -> Option<Known> {
        let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
        let (_, own) = x509_parser::parse_x509_certificate(&self.der).ok()?;
        // The one kind of key that a CA of ours has.
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &own.public_key().subject_public_key.data)
            .verify(cert.tbs_certificate.as_ref(), &cert.signature_value.data)
            .ok()?;
        let (terminal, serial) = named(&cert)?;
        Some(Known { terminal, serial, public_key: cert.public_key().subject_public_key.data.to_vec() })
    }
}

/// A certificate's serial number as every part of core writes it: lower-case hex without leading zeros.
#[must_use]
pub fn normal_serial(hex: &str) -> String {
    hex.trim_start_matches('0').to_ascii_lowercase()
}

/// Who a client certificate names, if it names a terminal: its common name, and its serial number.
///
/// Only asked of certificates that TLS has verified against the CA.
#[must_use]
pub fn terminal_of(cert: &CertificateDer<'_>) -> Option<(TerminalId, String)> {
    named(&x509_parser::parse_x509_certificate(cert).ok()?.1)
}

fn named(cert: &x509_parser::certificate::X509Certificate<'_>) -> Option<(TerminalId, String)> {
    let mut names = cert.subject().iter_common_name();
    let terminal = names.next()?.as_str().ok()?.parse().ok()?;
    // Two names would leave open which one another part of core reads.
    names.next().is_none().then(|| (terminal, normal_serial(&cert.serial.to_str_radix(16))))
}

fn params(now: Millis, valid_days: i64, serial: &[u8]) -> Result<CertificateParams, CaError> {
    let moment = OffsetDateTime::from_unix_timestamp(now.0.div_euclid(1000)).map_err(|_| CaError::Time(now))?;
    let shifted = |days| moment.checked_add(Duration::days(days)).ok_or(CaError::Time(now));
    let mut params = CertificateParams::default();
    params.not_before = shifted(-BACKDATED_DAYS)?;
    params.not_after = shifted(valid_days)?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

/// 128 random bits of which the first is 0: a serial number is a positive integer (RFC 5280, 4.1.2.2).
fn serial(random: &SystemRandom) -> Result<[u8; 16], CaError> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|_| CaError::Random)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    private_file::replace(path, bytes).map_err(|source| CaError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);
    const TERMINAL: TerminalId = TerminalId::from_bytes([7; 16]);

    fn csr(key: &KeyPair, name: &str) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serialize_request(key).unwrap().pem().unwrap()
    }

    fn new_ca(folder: &Path) -> Ca {
        let (certificate, key) = Ca::draw(NOW).unwrap();
        Ca::open(folder, &certificate, &key).unwrap()
    }

    #[test]
    fn the_same_ca_on_every_node_and_a_key_of_each_nodes_own() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (certificate, key) = Ca::draw(NOW).unwrap();
        let [first, second] = [&a, &b].map(|node| Ca::open(node.path(), &certificate, &key).unwrap());
        assert_eq!(first.ca_fingerprint(), second.ca_fingerprint());
        assert_eq!(first.ca_fingerprint().len(), 64);
        first.server_identity(&["pos.example".to_owned()], NOW).unwrap();
        let mode = fs::metadata(a.path().join("server.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(Ca::open(a.path(), "not a certificate", &key), Err(CaError::Damaged(_))));
        assert!(matches!(Ca::open(a.path(), &certificate, "not a key"), Err(CaError::Damaged(_))));
    }

    #[test]
    fn cores_own_certificate_is_good_from_the_cas_first_day_on() {
        const YEAR_MS: i64 = 365 * 86_400_000;
        let folder = tempfile::tempdir().unwrap();
        let life = |drawn: Millis, started: Millis| {
            let (certificate, key) = Ca::draw(drawn).unwrap();
            let ca = Ca::open(folder.path(), &certificate, &key).unwrap();
            let own = ca.server_identity(&[], started).unwrap().chain.remove(0);
            let (_, own) = x509_parser::parse_x509_certificate(&own).unwrap();
            (own.validity().not_before.timestamp() * 1_000, own.validity().not_after.timestamp() * 1_000)
        };
        let day_ms = |days: i64| days * 86_400_000;
        let end = |started: Millis| started.plus(day_ms(SERVER_VALID_DAYS)).0;
        let later = NOW.plus(3 * YEAR_MS);
        assert_eq!(life(NOW, later), (NOW.plus(-day_ms(1)).0, end(later)));
        // The clock was ahead at the first start, or stood at 1970.
        assert_eq!(life(later, NOW), (NOW.plus(-day_ms(1)).0, end(NOW)));
        assert_eq!(life(Millis(0), NOW), (0, end(NOW)));
    }

    #[test]
    fn the_request_has_no_say_in_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let ca = new_ca(folder.path());
        let key = KeyPair::generate().unwrap();
        let other = TerminalId::from_bytes([9; 16]).to_string();
        let issued = ca.issue(TERMINAL, &CheckedRequest::read(&csr(&key, &other)).unwrap(), NOW).unwrap();
        let der = CertificateDer::from_pem_slice(issued.chain_pem.as_bytes()).unwrap();
        assert_eq!(terminal_of(&der), Some((TERMINAL, issued.serial.clone())));
        let known = ca.know(&der).unwrap();
        assert_eq!(
            (known.terminal, &known.serial, known.public_key),
            (TERMINAL, &issued.serial, key.public_key_raw().to_vec())
        );
        assert_eq!(issued.public_key, key.public_key_raw());
        let other = tempfile::tempdir().unwrap();
        assert_eq!(new_ca(other.path()).know(&der), None);
        assert_eq!(ca.know(ca.der()), None, "it is no terminal");
        assert_eq!(issued.serial.len(), 32);
        assert_eq!(issued.not_after.since(NOW) / 86_400_000, TERMINAL_VALID_DAYS);
        let (_, cert) = x509_parser::parse_x509_certificate(&der).unwrap();
        let usage = cert.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth && !cert.is_ca());
        assert!(
            cert.verify_signature(Some(x509_parser::parse_x509_certificate(ca.der()).unwrap().1.public_key())).is_ok()
        );
    }

    #[test]
    fn bad_requests_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let ca = new_ca(folder.path());
        let key = KeyPair::generate().unwrap();
        let good = csr(&key, "x");
        // One bit in the middle of the base64: the signature no longer fits.
        let mut forged = good.clone().into_bytes();
        let middle = forged.len() / 2;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let long = format!("{good}{}", " ".repeat(CSR_LEN_MAX));
        for (csr, expected) in [
            ("", "not PKCS #10"),
            ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "not PKCS #10"),
            (ca.pem(), "not PKCS #10"),
            (&String::from_utf8(forged).unwrap(), "not PKCS #10"),
            (&csr(&p384, "x"), "P-256"),
            (&long, "at most"),
        ] {
            let error = CheckedRequest::read(csr).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn serials_compare_in_one_form() {
        assert_eq!(normal_serial("00AB01"), "ab01");
    }
}
