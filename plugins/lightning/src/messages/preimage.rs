//! The secret that a payment buys, made from the order's number so that announcing again leads to the same invoice.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// The payment hash: the invoice's number on the whole network (BOLT 11, `p`).
pub type Hash = [u8; 32];

/// Whoever knows it before it is paid for can take the payment on its way. So it is never written to a log and has no `Debug`.
pub struct Preimage([u8; 32]);

/// What the key authenticates to make the preimage. Changing a letter of it loses every invoice that is open.
#[must_use]
pub fn text(number: &str) -> Vec<u8> {
    format!("saoma lightning preimage 1\n{number}").into_bytes()
}

impl Preimage {
    /// From an HMAC-SHA-256 over [`text`]; `None` if it has not 32 bytes.
    #[must_use]
    pub fn new(tag: &[u8]) -> Option<Self> {
        tag.try_into().ok().map(Self)
    }

    #[must_use]
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.0).into()
    }

    #[must_use]
    pub(super) fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}
