//! TLS as core does it: a CA that names terminals, doors that ask for their certificates, check them by the clock, and
//! remember whom they let in.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, PublicKeyData,
};
use rustls::{
    DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use saoma_edge::link::tls;
use saoma_protocol::TerminalId;
use time::{Duration, OffsetDateTime};

/// A certificate's life: how long it has been good, and how long it will be, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub past: i64,
    pub left: i64,
}

pub const LONG: Life = Life { past: 60, left: 86_400 };

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pub pem: String,
    pub terminal: TerminalId,
    /// Of certificates that enrolment gives; renewal gives a [`LONG`] one.
    first: Mutex<Life>,
    pub renewals: AtomicUsize,
    /// How many renewals more are made and never told.
    pub lost: AtomicUsize,
    pub https: Guests,
    pub mqtt: Guests,
    /// How many seconds the doors' clock is ahead of this machine's.
    ahead_seconds: Arc<AtomicU64>,
}

/// Certificates that a door let in, as they came.
#[derive(Clone, Debug, Default)]
pub struct Guests(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Guests {
    pub fn last(&self) -> Option<CertificateDer<'static>> {
        self.0.lock().unwrap().last().cloned()
    }
}

impl Authority {
    pub fn new(first: Life) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            terminal: TerminalId::from_bytes([2; 16]),
            first: Mutex::new(first),
            renewals: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            https: Guests::default(),
            mqtt: Guests::default(),
            ahead_seconds: Arc::default(),
        }
    }

    pub fn fingerprint(&self) -> String {
        hex::encode(tls::fingerprint(&self.der))
    }

    fn issue(&self, key: &impl PublicKeyData, terminal: TerminalId, life: Life) -> String {
        let mut params = CertificateParams::default();
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) =
            (now - Duration::seconds(life.past), now + Duration::seconds(life.left));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, terminal.to_string());
        format!("{}{}", params.signed_by(key, &self.issuer).unwrap().pem(), self.pem)
    }

    pub fn enrol(&self, csr_pem: &str, terminal: TerminalId) -> String {
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        self.issue(&csr.public_key, terminal, *self.first.lock().unwrap())
    }

    /// At the doors so much time passes.
    pub fn put_clocks_on(&self, seconds: u64) {
        self.ahead_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn set_first(&self, life: Life) {
        *self.first.lock().unwrap() = life;
    }

    /// The next certificate; none if the answer gets lost.
    pub fn renew(&self, csr_pem: &str) -> Option<String> {
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        self.renewals.fetch_add(1, Ordering::SeqCst);
        let is_lost = self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lost| lost.checked_sub(1)).is_ok();
        (!is_lost).then(|| self.issue(&csr.public_key, self.terminal, LONG))
    }

    /// A door that lets in without a certificate, or with one that is good now.
    pub fn door(&self, guests: &Guests) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let own = own.signed_by(&key, &self.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .unwrap();
        let verifier =
            Arc::new(Doorkeeper { inner, guests: guests.clone(), ahead_seconds: Arc::clone(&self.ahead_seconds) });
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![own.der().clone(), self.der.clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap()
    }
}

#[derive(Debug)]
struct Doorkeeper {
    inner: Arc<dyn ClientCertVerifier>,
    guests: Guests,
    ahead_seconds: Arc<AtomicU64>,
}

impl ClientCertVerifier for Doorkeeper {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let seconds = now.as_secs() + self.ahead_seconds.load(Ordering::SeqCst);
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        self.guests.0.lock().unwrap().push(end_entity.clone().into_owned());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
