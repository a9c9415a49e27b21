//! Clients for requests that show a certificate, or trust others than the public authorities: one for each account and set of
//! certificates, kept for a while, so that a call need not begin with a handshake.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::Client;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::{CertifiedKey, SingleCertAndKey},
};
use saoma_protocol::ChannelAccountId;
use sha2::{Digest as _, Sha256};

use super::{credentials::no_secret, invalid};
use crate::{bindings::http::Error, host::Known, manifest::SecretKind, secret::key::Key};

/// Clients kept. Each is some 10 KiB, and no more than a few thousand channel accounts of one core show certificates.
const CLIENTS_MAX: usize = 1_024;

/// Who this side is, and whom it trusts.
pub(in crate::host) struct Identity {
    pub(super) account: ChannelAccountId,
    pub(in crate::host) client: Option<CertifiedKey>,
    /// `None`: the public authorities.
    pub(in crate::host) trusted: Option<Vec<CertificateDer<'static>>>,
}

impl Identity {
    /// Of the secrets that a request names.
    ///
    /// # Errors
    /// `NoSecret`.
    pub(in crate::host) fn named(
        client_certificate: Option<String>,
        server_certificates: Option<String>,
        known: &Known,
    ) -> Result<Self, Error> {
        let client = client_certificate.map(|name| {
            match &*known.secret(&name, SecretKind::ClientCertificate).map_err(|error| no_secret(&error))? {
                Key::Client(certified) => Ok((**certified).clone()),
                _ => Err(Error::NoSecret(name)),
            }
        });
        let trusted = server_certificates.map(|name| {
            match &*known.secret(&name, SecretKind::Certificates).map_err(|error| no_secret(&error))? {
                Key::Certificates(certificates) => Ok(certificates.clone()),
                _ => Err(Error::NoSecret(name)),
            }
        });
        Ok(Self { account: known.account.id, client: client.transpose()?, trusted: trusted.transpose()? })
    }

    /// No account uses the connections of another, whatever certificates they share.
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.account.to_string());
        let shown = self.client.as_ref().map_or(&[][..], |client| &client.cert);
        for certificates in [shown, self.trusted.as_deref().unwrap_or_default()] {
            hash.update(certificates.len().to_le_bytes());
            for certificate in certificates {
                hash.update(certificate.len().to_le_bytes());
                hash.update(certificate);
            }
        }
        hash.finalize().into()
    }

    pub(super) fn config(self, public: Option<&Arc<dyn ServerCertVerifier>>) -> Result<ClientConfig, Error> {
        let verifier = match (self.trusted, public) {
            (Some(trusted), _) => Arc::new(Trusted::new(trusted)?),
            (None, Some(public)) => Arc::clone(public),
            (None, None) => return Err(Error::Unreachable("this machine has no TLS roots".to_owned())),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Unreachable(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(match self.client {
            Some(client) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client))),
            None => builder.with_no_client_auth(),
        })
    }
}

/// The clients by fingerprint.
#[derive(Default)]
pub(super) struct Clients(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    uses: u64,
    /// With the count of uses when it was last used.
    clients: HashMap<[u8; 32], (u64, Client)>,
}

impl Clients {
    /// The client of that identity, built by `build` if there is none.
    pub(super) fn of(
        &self,
        identity: Identity,
        public: Option<&Arc<dyn ServerCertVerifier>>,
        build: impl FnOnce(ClientConfig) -> Result<Client, Error>,
    ) -> Result<Client, Error> {
        let fingerprint = identity.fingerprint();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { uses, clients } = &mut *held;
        *uses += 1;
        if let Some((used, client)) = clients.get_mut(&fingerprint) {
            *used = *uses;
            return Ok(client.clone());
        }
        let client = build(identity.config(public)?)?;
        if clients.len() >= CLIENTS_MAX
            && let Some(oldest) = clients.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key)
        {
            clients.remove(&oldest);
        }
        clients.insert(fingerprint, (*uses, client.clone()));
        Ok(client)
    }
}

/// Trusts these certificates: each for itself, whatever name stands in it (a node's own, made by itself, is often called
/// `localhost`, and marked as an authority, which no path of certificates may end in), and for those that it issued. The very one is
/// trusted past its end as well: it is known by its bytes, and a node that renews too late must not stop a shop; the account's test
/// says so (`secret/validity.rs`). What it issued is not.
#[derive(Debug)]
struct Trusted {
    certificates: Vec<CertificateDer<'static>>,
    issued: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Trusted {
    fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, Error> {
        let provider = Arc::new(provider::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        let issued = if roots.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(builder.build().map_err(|error| invalid(&format!("the server certificates: {error}")))?)
        };
        Ok(Self { certificates, issued, provider })
    }
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.certificates.iter().any(|certificate| certificate == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.issued {
            Some(issued) => issued.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Err(TlsError::InvalidCertificate(rustls::CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

#[cfg(test)]
mod tests;
