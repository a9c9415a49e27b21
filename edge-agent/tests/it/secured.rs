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
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
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

/// Core's own certificate, from the day on which it was started.
pub const SERVER: Life = Life { past: 86_400, left: 825 * 86_400 };

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
    plate: Arc<Plate>,
}

/// What the doors show for a certificate.
#[derive(Debug)]
struct Plate(Mutex<Arc<CertifiedKey>>);

impl ResolvesServerCert for Plate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap()))
    }
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
        Self::ahead(first, 0)
    }

    /// Of a core whose clock is so many seconds ahead of this machine's: from where the terminal stands, its own is behind.
    pub fn ahead(first: Life, seconds: u64) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let now = clock(seconds);
        // Core dates its own certificate back to this day as well.
        params.not_before = now - Duration::seconds(SERVER.past);
        let certificate = params.self_signed(&key).unwrap();
        let (der, issuer) = (certificate.der().clone(), Issuer::new(params, key));
        Self {
            plate: Arc::new(Plate(Mutex::new(certified(&issuer, &der, now, SERVER)))),
            der,
            pem: certificate.pem(),
            issuer,
            terminal: TerminalId::from_bytes([2; 16]),
            first: Mutex::new(first),
            renewals: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            https: Guests::default(),
            mqtt: Guests::default(),
            ahead_seconds: Arc::new(AtomicU64::new(seconds)),
        }
    }

    pub fn fingerprint(&self) -> String {
        hex::encode(tls::fingerprint(&self.der))
    }

    fn issue(&self, key: &impl PublicKeyData, terminal: TerminalId, life: Life) -> String {
        let mut params = lives(CertificateParams::default(), self.now(), life);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, terminal.to_string());
        format!("{}{}", params.signed_by(key, &self.issuer).unwrap().pem(), self.pem)
    }

    pub fn enrol(&self, csr_pem: &str, terminal: TerminalId) -> String {
        let csr = CertificateSigningRequestParams::from_pem(csr_pem).unwrap();
        self.issue(&csr.public_key, terminal, *self.first.lock().unwrap())
    }

    fn now(&self) -> OffsetDateTime {
        clock(self.ahead_seconds.load(Ordering::SeqCst))
    }

    /// From now on the doors show a certificate of that life.
    pub fn show(&self, life: Life) {
        self.show_of(self, life);
    }

    /// One that somebody else has made.
    pub fn show_of(&self, other: &Self, life: Life) {
        *self.plate.0.lock().unwrap() = certified(&other.issuer, &other.der, self.now(), life);
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
            .with_cert_resolver(Arc::clone(&self.plate) as Arc<dyn ResolvesServerCert>)
    }
}

fn clock(ahead_seconds: u64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + std::time::Duration::from_secs(ahead_seconds)
}

fn lives(mut params: CertificateParams, now: OffsetDateTime, life: Life) -> CertificateParams {
    (params.not_before, params.not_after) = (now - Duration::seconds(life.past), now + Duration::seconds(life.left));
    params
}

fn certified(
    issuer: &Issuer<'_, KeyPair>,
    ca: &CertificateDer<'static>,
    now: OffsetDateTime,
    life: Life,
) -> Arc<CertifiedKey> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let own = lives(params, now, life).signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Arc::new(CertifiedKey::new(vec![own.der().clone(), ca.clone()], any_supported_type(&key).unwrap()))
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
