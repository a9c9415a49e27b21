//! The code a shop shows: a random 128-bit id and a MAC over it, so that nobody can guess a code and a forged one costs no
//! look-up in the database; and what such a code is still good for.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use saoma_protocol::Millis;

use crate::payment::State;

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

/// How long, and for how many openings, a code may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    pub expires_at: Millis,
    /// How often it was opened while it was [`Standing::Live`].
    pub scans: u32,
    /// How often it may be opened.
    pub scan_limit: u32,
}

/// How a code stands. It pays once: what it is good for follows from its payment first, and only while that waits for a
/// customer from the code's own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// It leads to a payment; each opening counts.
    Live,
    /// Its time is over, whether or not its payment has been closed by now.
    Expired,
    /// Opened more often than it may be: many people have it, and its payment is to be closed.
    WornOut,
    /// It was paid.
    Used,
    /// Its payment ended without money.
    Dead,
}

impl Standing {
    pub const ALL: [Self; 5] = [Self::Live, Self::Expired, Self::WornOut, Self::Used, Self::Dead];

    /// As it is called in `STATES.md`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Expired => "expired",
            Self::WornOut => "worn_out",
            Self::Used => "used",
            Self::Dead => "dead",
        }
    }
}

/// How the code of a payment that is `payment` stands at `now`.
#[must_use]
pub fn standing(payment: &State, life: &Life, now: Millis) -> Standing {
    match payment {
        State::Presenting { .. } if now >= life.expires_at => Standing::Expired,
        State::Presenting { .. } if life.scans > life.scan_limit => Standing::WornOut,
        State::Presenting { .. } => Standing::Live,
        State::Captured(_) | State::Voided { .. } => Standing::Used,
        State::Expired { .. } => Standing::Expired,
        // Those of a payment that is charged, not shown, never have a code.
        State::Created
        | State::Submitting { .. }
        | State::Pending { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Cancelled { .. } => Standing::Dead,
    }
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
