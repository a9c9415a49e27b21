//! TLS towards core: only core's own CA is trusted, and this terminal shows its certificate.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsFailure, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};

use super::{certificate::Validity, clock::VerifierSince};

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("read {what} as PEM: {why}")]
    Pem { what: &'static str, why: String },
    #[error("set TLS up")]
    Tls(#[from] TlsFailure),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes the one provider of cryptography everybody's default; clients that are not ours to configure (traces) need it.
pub fn install_provider() {
    // Installed already is as good.
    let _ = ring::default_provider().install_default();
}

/// All certificates of a PEM text.
///
/// # Errors
/// `Pem` if there is none, or one cannot be read.
pub fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::Pem { what, why: error.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::Pem { what, why: "there is no certificate in it".to_owned() });
    }
    Ok(certificates)
}

/// For a terminal that is enrolled: trusts `ca_pem` alone, shows `chain_pem`. Core itself lets nobody in before the first day of that.
///
/// # Errors
/// `Pem`, `Tls`: the identity's files are damaged.
pub fn enrolled(ca_pem: &str, chain_pem: &str, key_pem: &str) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("core's CA", ca_pem)? {
        roots.add(certificate)?;
    }
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
        .map_err(|error| TlsError::Pem { what: "the terminal's key", why: error.to_string() })?;
    let began = Validity::of_chain(chain_pem).map(|validity| validity.not_before);
    let verifier =
        VerifierSince::new(roots, provider(), began).map_err(|error| TlsFailure::General(error.to_string()))?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(certificates("the terminal's certificate", chain_pem)?, key)?)
}

/// SHA-256 of a CA certificate (DER).
pub type Fingerprint = [u8; 32];

/// The fingerprint of a certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Sha256::digest(certificate).into()
}

/// For the first contact: trusts whatever chain leads to the one CA with this fingerprint, and to nothing else.
///
/// # Errors
/// `Tls`, which the making excludes.
pub fn first_contact(pinned: Fingerprint) -> Result<(ClientConfig, Arc<FirstContact>), TlsError> {
    let verifier = Arc::new(FirstContact { pinned, provider: provider(), offered: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    Ok((config, verifier))
}

/// Finds the pinned CA in the chain that the server shows, then verifies that chain as usual, with that CA as only root.
#[derive(Debug)]
pub struct FirstContact {
    pinned: Fingerprint,
    provider: Arc<CryptoProvider>,
    offered: Mutex<Option<Fingerprint>>,
}

impl FirstContact {
    /// The last certificate that the server showed when the pinned one was not among them: for the error message.
    #[must_use]
    pub fn offered_instead(&self) -> Option<Fingerprint> {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for FirstContact {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsFailure> {
        let Some(ca) = intermediates.iter().find(|certificate| fingerprint(certificate) == self.pinned) else {
            let last = intermediates.last().unwrap_or(end_entity);
            *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint(last));
            return Err(TlsFailure::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        // Whichever began earlier: a CA that was drawn by a clock that was ahead must not make core's own certificate one that is over.
        let lives = [Validity::of_der(ca), Validity::of_der(end_entity)];
        let began = lives.into_iter().flatten().map(|life| life.not_before).min();
        let verifier = VerifierSince::new(roots, Arc::clone(&self.provider), began)
            .map_err(|error| TlsFailure::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsFailure> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsFailure> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
