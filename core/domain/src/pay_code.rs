//! The code a shop shows: a random 128-bit id and a MAC over it, so that nobody can guess a code and a forged one costs no
//! look-up in the database.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;

/// Bytes of the MAC that the token carries: 128 bits of HMAC-SHA-256, the least that NIST SP 800-107 §5.3.3 suggests
/// keeps forgery out of reach, so that the QR stays small.
const MAC_LEN: usize = 16;

/// A code's number, drawn at random by core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayCodeId(pub [u8; 16]);

/// The token that stands in the code's link: 43 characters of base64url.
#[must_use]
pub fn issue(id: PayCodeId, key: &hmac::Key) -> String {
    let tag = hmac::sign(key, &signed(id));
    let mut token = [0; 16 + MAC_LEN];
    token[..16].copy_from_slice(&id.0);
    token[16..].copy_from_slice(&tag.as_ref()[..MAC_LEN]);
    BASE64URL_NOPAD.encode(&token)
}

/// The id inside a token that we issued, or nothing: a token is either ours or it is not.
#[must_use]
pub fn read(token: &str, key: &hmac::Key) -> Option<PayCodeId> {
    let bytes: [u8; 16 + MAC_LEN] = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?.try_into().ok()?;
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[..16]);
    let id = PayCodeId(id);
    let tag = hmac::sign(key, &signed(id));
    // Both sides in constant time: a MAC of our MAC under the same key hides where they first differ.
    let given = hmac::sign(key, &bytes[16..]);
    let expected = hmac::sign(key, &tag.as_ref()[..MAC_LEN]);
    constant_time_eq(given.as_ref(), expected.as_ref()).then_some(id)
}

fn signed(id: PayCodeId) -> Vec<u8> {
    [b"saoma pay code 1".as_slice(), &id.0].concat()
}

fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ours_is_read_and_any_change_is_not(id in any::<[u8; 16]>(), at in 0_usize..43, to in "[A-Za-z0-9_-]") {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key");
            let token = issue(PayCodeId(id), &key);
            prop_assert_eq!(token.len(), 43);
            prop_assert_eq!(read(&token, &key), Some(PayCodeId(id)));
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(read(&changed, &key).is_some(), changed == token);
            prop_assert_eq!(read(&token, &hmac::Key::new(hmac::HMAC_SHA256, b"another")), None);
        }
    }

    #[test]
    fn other_texts_are_nobody_s() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key");
        for token in ["", "x", "AAAA", "../../etc/passwd", &"A".repeat(43), &"A".repeat(10_000), "é"] {
            assert_eq!(read(token, &key), None, "{token:.50}");
        }
    }
}
