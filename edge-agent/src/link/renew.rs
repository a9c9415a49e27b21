//! The next certificate, before the one in use is over.
//!
//! With a new key each time: what somebody copied from this machine (a backup, a disk that was sold) is worth nothing after
//! the renewal that follows. Core goes on accepting the certificate that asked until the next renewal, so every step may be
//! the last: a lost answer, a crash or a full disk leaves a terminal that works, and asks again.
//!
//! Nothing is switched here. Whoever asked writes the answer down first ([`super::identity::DataDir::switch_to`]).

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use super::{
    certificate::{self, Validity},
    https::{Core, HttpsError},
    identity::Identity,
    tls::{self, TlsError},
};

/// Why there is no next certificate.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    #[error("make a key")]
    Key(#[from] rcgen::Error),
    #[error(transparent)]
    Core(#[from] HttpsError),
    #[error("believe core's answer: {0}")]
    Answer(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("prepare requests to core")]
    Https(#[from] reqwest::Error),
}

/// A certificate that core has let in. Does not print: it holds the key.
pub struct Next {
    pub certificate_chain_pem: String,
    pub key_pem: String,
    pub validity: Validity,
    pub tls: rustls::ClientConfig,
    /// Core, asked with this certificate.
    pub core: Core,
}

/// Makes a key, gets a certificate for it, and tries it.
///
/// # Errors
/// Any; nothing has changed then.
pub async fn next(core: &Core, identity: &Identity) -> Result<Next, RenewError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let renewed = core.renew(certificate::signing_request(&key)?).await?;
    let certificate_chain_pem = renewed.certificate_chain_pem;
    let validity = certificate::check(&certificate_chain_pem, &key, identity.terminal).map_err(RenewError::Answer)?;
    let key_pem = key.serialize_pem();
    let tls = tls::enrolled(&identity.ca_pem, &certificate_chain_pem, &key_pem)?;
    let core = core.showing(tls.clone())?;
    // The old one is given up only for one that opens the door.
    core.profile().await?;
    Ok(Next { certificate_chain_pem, key_pem, validity, tls, core })
}
