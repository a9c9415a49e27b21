//! The secret that a payment buys, made from the order's number so that announcing again leads to the same invoice.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saoma_channel_sdk::from_hex;
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

/// The payment hash that stands in an order's reference, as this channel says it: 64 hex digits. `None` for any other text: core
/// never learned it, or a person typed something else.
#[must_use]
pub fn referred(reference: &str) -> Option<Hash> {
    from_hex(reference).and_then(|bytes| bytes.try_into().ok())
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

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::to_hex;

    use super::*;
    use crate::messages::samples::{NUMBER, hash};

    /// With any other text, or any other hash of the tag, every invoice that is open is lost. Tag and hash are by openssl:
    /// `printf 'saoma lightning preimage 1\npay_aaaaaaaaaaaaaaaaaaaaaaaaaa' | openssl dgst -sha256 -mac HMAC -macopt key:'made for tests'`
    /// and, of its 32 bytes, `openssl dgst -sha256`.
    #[test]
    fn a_number_has_its_preimage_for_good() {
        assert_eq!(text(NUMBER), b"saoma lightning preimage 1\npay_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        let tag = from_hex("c63286f346a3cd758ba18f3b3b9fbdb9ebf41ae6b5bd7dee448229188862f889").expect("hex");
        let preimage = Preimage::new(&tag).expect("32 bytes");
        assert_eq!(to_hex(&preimage.hash()), "fd4495c4201689789fc66c0320b647dc68669a885a9478d18efae03b8ea55d56");
        assert!(Preimage::new(&tag[1..]).is_none());
    }

    #[test]
    fn references() {
        let reference = to_hex(&hash());
        assert_eq!(referred(&reference), Some(hash()));
        for other in ["", "pay_1", "0x", &reference[2..], &format!("{reference}00"), &reference.replace('0', "g")] {
            assert_eq!(referred(other), None, "{other}");
        }
    }
}
