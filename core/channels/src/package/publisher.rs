//! Who signs, and who is believed: Ed25519 keys (RFC 8032) in the PEM that OpenSSL reads and writes (RFC 8410).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    ports::{Chance, NoChance},
    secret::{SecretFault, pem},
};

/// DER of a `SubjectPublicKeyInfo` up to the 32 bytes of an Ed25519 key: the algorithm has no parameters, so it never differs.
const PUBLIC_DER_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER of a `PrivateKeyInfo`, version 1, up to the 32 bytes of an Ed25519 seed.
const PRIVATE_DER_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const KEY_BYTES: usize = 32;

/// Why a file is no key of a publisher's. Never quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error(transparent)]
    Pem(#[from] SecretFault),
    #[error("it must hold one key and nothing else")]
    Count,
    #[error("it is not {wanted}; `saoma plugin keygen` makes a key, and so does `openssl genpkey -algorithm ed25519`")]
    Other { wanted: &'static str },
}

/// A key that signs. Prints as the id of its public half.
pub struct PublisherKey(Ed25519KeyPair, Zeroizing<String>);

impl PublisherKey {
    /// A key that nobody has yet.
    ///
    /// # Errors
    /// The machine gives no random bytes.
    pub fn generate(chance: &dyn Chance) -> Result<Self, NoChance> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        chance.fill(seed.as_mut())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| NoChance)?;
        let der = Zeroizing::new([PRIVATE_DER_HEAD.as_slice(), seed.as_ref()].concat());
        Ok(Self(pair, Zeroizing::new(in_pem("PRIVATE KEY", &der))))
    }

    /// Reads a private key in PKCS#8.
    ///
    /// # Errors
    /// See [`KeyFault`].
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyFault> {
        let wanted = KeyFault::Other { wanted: "an Ed25519 private key" };
        let blocks = pem::blocks(text)?;
        let [block] = blocks.as_slice() else { return Err(KeyFault::Count) };
        match block.label {
            "PRIVATE KEY" => {}
            "ENCRYPTED PRIVATE KEY" => return Err(SecretFault::Locked.into()),
            _ => return Err(wanted),
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&block.der).map_err(|_| wanted)?;
        Ok(Self(pair, Zeroizing::new(in_pem("PRIVATE KEY", &block.der))))
    }

    /// The private key, for a file that its owner alone can read.
    #[must_use]
    pub fn to_pem(&self) -> &Zeroizing<String> {
        &self.1
    }

    #[must_use]
    pub fn publisher(&self) -> Publisher {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        Publisher(key)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for PublisherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key of {:?}", self.publisher())
    }
}

/// A key that verifies: whom an operator or a tenant trusts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Publisher([u8; KEY_BYTES]);

impl Publisher {
    /// Reads a public key (`SubjectPublicKeyInfo`), in PEM or as its Base64 alone.
    ///
    /// # Errors
    /// See [`KeyFault`].
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyFault> {
        let blocks = pem::blocks(text)?;
        let [block] = blocks.as_slice() else { return Err(KeyFault::Count) };
        let der = Some(&block.der).filter(|_| matches!(block.label, "PUBLIC KEY" | ""));
        der.and_then(|der| der.strip_prefix(PUBLIC_DER_HEAD.as_slice())?.try_into().ok())
            .map(Self)
            .ok_or(KeyFault::Other { wanted: "an Ed25519 public key" })
    }

    #[must_use]
    pub fn to_pem(&self) -> String {
        in_pem("PUBLIC KEY", &[PUBLIC_DER_HEAD.as_slice(), &self.0].concat())
    }

    /// SHA-256 of the key's 32 bytes, in hex: its name in envelopes and lists.
    #[must_use]
    pub fn key_id(&self) -> String {
        hex::encode(Sha256::digest(self.0))
    }

    pub(super) fn fits(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key_id())
    }
}

/// A key's DER has at most 64 Base64 characters a line, which is one line here.
fn in_pem(label: &str, der: &[u8]) -> String {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let lines: Vec<&str> = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
