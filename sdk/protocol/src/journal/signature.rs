//! An entry's signature: which of its keys the terminal wrote it down with, and over what.
//!
//! The hash of an entry covers the entry before, and so all of them; the signature adds whose they are. Where one is made, chance is
//! drawn: that is the terminal's. Which certificates count is core's.

use serde::{Deserialize, Serialize};

use crate::{Sequence, TenantId, TerminalId};

/// What is signed begins with this, so that no signature over anything else is one over an entry.
const DOMAIN: &[u8; 25] = b"saoma journal signature 1";

/// Length of what is signed, in bytes.
pub const SIGNED_LEN: usize = DOMAIN.len() + 16 + 16 + 8 + 32;

/// By a key of the terminal's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntrySignature {
    /// Serial number of the certificate with that key: lower-case hex without leading zeros.
    pub certificate: String,
    /// ECDSA on P-256 with SHA-256 over [`signed_bytes`]: r and s, 32 bytes each, in base64url without padding.
    pub value: String,
}

/// What the signature of an entry is over: `saoma journal signature 1`, tenant and terminal (16 bytes each), the number as big-endian
/// 64 bits, and the entry's hash.
#[must_use]
pub fn signed_bytes(tenant: TenantId, terminal: TerminalId, sequence: Sequence, hash: &[u8; 32]) -> [u8; SIGNED_LEN] {
    let mut bytes = [0; SIGNED_LEN];
    let parts: [&[u8]; 5] = [DOMAIN, tenant.as_bytes(), terminal.as_bytes(), &sequence.0.to_be_bytes(), hash];
    let mut rest = bytes.as_mut_slice();
    for part in parts {
        let (here, after) = rest.split_at_mut(part.len());
        here.copy_from_slice(part);
        rest = after;
    }
    bytes
}

impl EntrySignature {
    #[must_use]
    pub fn new(certificate: String, value: &[u8]) -> Self {
        Self { certificate, value: data_encoding::BASE64URL_NOPAD.encode(value) }
    }

    /// Whether `public_key` (an uncompressed point of P-256, 65 bytes) made it over `signed`.
    #[cfg(feature = "offline-codes")]
    #[must_use]
    pub fn fits(&self, public_key: &[u8], signed: &[u8; SIGNED_LEN]) -> bool {
        use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
        let Ok(value) = data_encoding::BASE64URL_NOPAD.decode(self.value.as_bytes()) else { return false };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key).verify(signed, &value).is_ok()
    }
}
