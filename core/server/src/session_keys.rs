//! What signs access tokens (Ed25519, RFC 8032), by `kid`, and what still checks those that were signed before.
//!
//! A new key is known to every node before one of them signs with it: each reads the keys at every beat (3 s), and a key signs
//! when it is half a minute old. So a `kid` that a node does not know is nobody's. A retired key checks until the last token
//! that it may have signed is over.

use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use saoma_protocol::Millis;
use zeroize::Zeroizing;

use crate::{
    http::auth::tokens::LIFE_SECONDS,
    secrets::{KEY_LEN, SecretsError},
};

/// How long a key is known before it signs, in milliseconds: ten beats, some of which may be missed.
pub const PUBLISHED_MS: i64 = 30_000;
/// How far a node's clock may be behind another's, in milliseconds.
const CLOCKS_MS: i64 = 300_000;
/// How long a retired key checks, in milliseconds.
pub const CHECKS_MS: i64 = LIFE_SECONDS * 1_000 + CLOCKS_MS;
/// How old a key becomes before the platform draws the next by itself, in milliseconds: thirty days.
pub const AGE_MS_MAX: i64 = 30 * 24 * 3_600_000;

/// RFC 8410 §7: what stands before the 32 bytes of an Ed25519 seed in a PKCS #8 document.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// One key.
pub struct SessionKey {
    pub kid: String,
    pub sign: EncodingKey,
    pub verify: DecodingKey,
    pub created_at: Millis,
    /// From when on it signs no more.
    pub retired_at: Option<Millis>,
}

/// All that sign or check.
pub struct SessionKeys(Vec<SessionKey>);

impl SessionKey {
    /// # Errors
    /// `Sealed` for a seed that is none.
    pub fn of_seed(
        kid: &str,
        seed: &[u8],
        created_at: Millis,
        retired_at: Option<Millis>,
    ) -> Result<Self, SecretsError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SecretsError::Sealed)?;
        if seed.len() != KEY_LEN {
            return Err(SecretsError::Sealed);
        }
        let document = Zeroizing::new([PKCS8_PREFIX.as_slice(), seed].concat());
        Ok(Self {
            kid: kid.to_owned(),
            sign: EncodingKey::from_ed_der(&document),
            verify: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            created_at,
            retired_at,
        })
    }

    fn signs_no_more(&self, now: Millis) -> bool {
        self.retired_at.is_some_and(|at| at <= now)
    }
}

impl SessionKeys {
    #[must_use]
    pub fn new(mut keys: Vec<SessionKey>) -> Self {
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        Self(keys)
    }

    /// The newest that is known everywhere; the oldest of those in force if none is old enough for that.
    #[must_use]
    pub fn signing(&self, now: Millis) -> Option<&SessionKey> {
        let in_force = || self.0.iter().filter(|key| !key.signs_no_more(now));
        in_force().find(|key| key.created_at.plus(PUBLISHED_MS) <= now).or_else(|| in_force().next_back())
    }

    /// The key of this `kid`, while a token of its can be good.
    #[must_use]
    pub fn checking(&self, kid: &str, now: Millis) -> Option<&SessionKey> {
        let is_over = |key: &&SessionKey| key.retired_at.is_some_and(|at| at.plus(CHECKS_MS) <= now);
        self.0.iter().find(|key| key.kid == kid).filter(|key| !is_over(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_once_all_know_it_and_checks_until_its_last_token_is_over() {
        let key = |kid: &str, created, retired: Option<i64>| {
            SessionKey::of_seed(kid, &[created as u8; 32], Millis(created), retired.map(Millis)).unwrap()
        };
        let first = SessionKeys::new(vec![key("first", 0, None)]);
        assert_eq!(first.signing(Millis(0)).unwrap().kid, "first", "an only key signs at once");
        let rotated = 100_000;
        let keys = SessionKeys::new(vec![key("first", 0, Some(rotated + PUBLISHED_MS)), key("second", rotated, None)]);
        let signing = |now| keys.signing(Millis(now)).unwrap().kid.as_str();
        for (now, kid) in [
            (rotated, "first"),
            (rotated + PUBLISHED_MS - 1, "first"),
            (rotated + PUBLISHED_MS, "second"),
            (rotated + 10 * PUBLISHED_MS, "second"),
            // By a clock that was set back.
            (-1_000_000, "first"),
        ] {
            assert_eq!(signing(now), kid, "at {now}");
        }
        let end = rotated + PUBLISHED_MS + CHECKS_MS;
        assert!(keys.checking("first", Millis(end - 1)).is_some() && keys.checking("second", Millis(end)).is_some());
        assert!(keys.checking("first", Millis(end)).is_none() && keys.checking("third", Millis(0)).is_none());
        assert!(SessionKey::of_seed("short", &[1; 31], Millis(0), None).is_err());
    }
}
