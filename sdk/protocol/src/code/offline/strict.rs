//! Ed25519 (RFC 8032) as strictly as a code needs it: one signature is good for one reading of it, and no key vouches for
//! everything.
//!
//! `ring` refuses an S that is not below the group's order and compares R byte for byte. It takes keys of small order, under which
//! one signature fits any message; those are refused here, as is an R of small order.

use ring::signature::{ED25519, UnparsedPublicKey};

/// y of the points of small order, little-endian, each with the sign of x left out: 0 (order 4), 1 (the identity), the two of
/// order 8, and p − 1 (order 2).
const SMALL_ORDER: [[u8; 32]; 5] = [
    y(0, 0, 0),
    y(1, 0, 0),
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    y(0xec, 0xff, 0x7f),
];

const fn y(lowest: u8, middle: u8, highest: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = lowest;
    bytes[31] = highest;
    bytes
}

/// Whether a key or an R is written as RFC 8032, section 5.1.2 says (y below p = 2^255 − 19) and is not of small order. Whether it
/// is on the curve, the check of a signature finds.
#[must_use]
pub fn is_sound(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    let is_below_p = y[31] != 0x7f || y[1..31].iter().any(|byte| *byte != 0xff) || y[0] < 0xed;
    is_below_p && !SMALL_ORDER.contains(&y)
}

/// Whether `signature` is the key's over `message`, in the one way in which it can be written.
#[must_use]
pub fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let Some(r) = signature.first_chunk::<32>() else { return false };
    is_sound(key) && is_sound(r) && UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The identity as key and as R with S = 0 fits every message, by the equation alone.
    #[test]
    fn a_key_that_vouches_for_everything_is_refused() {
        let identity = y(1, 0, 0);
        let mut signature = [0; 64];
        signature[0] = 1;
        let by_ring = UnparsedPublicKey::new(&ED25519, identity).verify(b"anything", &signature);
        assert!(by_ring.is_ok(), "ring alone takes it; without the check it would be taken");
        assert!(!is_signed(&identity, b"anything", &signature));
    }

    #[test]
    fn points_that_are_no_ones_key() {
        let p_plus = |add: u8| y(0xed + add, 0xff, 0x7f);
        let signed = |mut point: [u8; 32]| {
            point[31] |= 0x80;
            point
        };
        for point in SMALL_ORDER.into_iter().chain([p_plus(0), p_plus(1), p_plus(18)]) {
            assert!(!is_sound(&point) && !is_sound(&signed(point)), "{point:02x?}");
        }
        for point in [y(2, 0, 0), y(0xeb, 0xff, 0x7f), y(0xec, 0xff, 0x7e)] {
            assert!(is_sound(&point), "{point:02x?}");
        }
        // The two of order 8 are each other's negative: their sum is p.
        let mut carry = 0;
        let sum: Vec<u8> = (0..32)
            .map(|idx| {
                let sum = u16::from(SMALL_ORDER[2][idx]) + u16::from(SMALL_ORDER[3][idx]) + carry;
                carry = sum >> 8;
                sum.to_le_bytes()[0]
            })
            .collect();
        assert_eq!(sum, p_plus(0));
    }
}
