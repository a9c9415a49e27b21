//! Keys of those who make releases: Ed25519 (RFC 8032), the private half in the PEM that OpenSSL reads and writes (RFC 8410), the
//! public one as 64 hex digits.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::private_file::{self, GROUP_AND_OTHERS, PrivateFileError};

/// DER of a `PrivateKeyInfo` of Ed25519, up to the 32 bytes of the seed.
const DER_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("draw a key from the system")]
    Chance,
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("find the key {0}")]
    Missing(PathBuf),
    #[error("write the key {0}: there is one already, and whoever signed with it is needed still")]
    Taken(PathBuf),
    #[error("understand the key {0}: it is no Ed25519 private key; `saoma-edge release keygen` makes one")]
    Other(PathBuf),
    #[error("understand the public key {0:?}: it must be the 64 hex digits that `saoma-edge release keygen` printed")]
    Public(String),
}

/// Who is believed: the 32 bytes of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    #[must_use]
    pub fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| KeyError::Public(text.chars().take(80).collect()))?;
        Ok(Self(bytes))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        hex::encode(key.0)
    }
}

/// A key that signs. It is never printed.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Draws a key into a new file, for its owner alone.
    ///
    /// # Errors
    /// `Taken`, `Chance`, `File`.
    pub fn generate(path: &Path) -> Result<Self, KeyError> {
        if path.symlink_metadata().is_ok() {
            return Err(KeyError::Taken(path.to_owned()));
        }
        let mut der = [0; DER_HEAD.len() + 32];
        let (head, seed) = der.split_at_mut(DER_HEAD.len());
        head.copy_from_slice(&DER_HEAD);
        SystemRandom::new().fill(seed).map_err(|_| KeyError::Chance)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Chance)?;
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der));
        private_file::write(path, pem.as_bytes())?;
        Ok(Self(pair))
    }

    /// # Errors
    /// `Missing`, `File` (also if others than its owner get at it), `Other`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let other = || KeyError::Other(path.to_owned());
        let pem = private_file::read(path, GROUP_AND_OTHERS)?.ok_or_else(|| KeyError::Missing(path.to_owned()))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| other())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map(Self).map_err(|_| other())
    }

    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(key)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}
