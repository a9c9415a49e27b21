//! Access tokens: short JWTs signed with Ed25519 (RFC 8037), naming a session and nothing more.
//!
//! The session itself is looked up at each request, so that a revoked one ends at once; the token's signature keeps
//! guesses away from the database.

use jsonwebtoken::{Algorithm, Header, Validation};
use saoma_protocol::{Millis, SessionId};
use serde::{Deserialize, Serialize};

use crate::secrets::Vault;

/// How long an access token works, in seconds.
pub const LIFE_SECONDS: i64 = 600;
const ISSUER: &str = "saoma";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

/// A token for the session, good for [`LIFE_SECONDS`]; `None` if there is no key that signs, which the start excludes.
#[must_use]
pub fn issue(vault: &Vault, session: SessionId, now: Millis) -> Option<String> {
    let seconds = now.0.div_euclid(1_000);
    let claims = Claims { iss: ISSUER.to_owned(), sub: session.to_string(), iat: seconds, exp: seconds + LIFE_SECONDS };
    let keys = vault.sessions();
    let key = keys.signing(now)?;
    let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, &key.sign).ok()
}

/// The session that a token names, if we signed it and it is not over at `now`.
#[must_use]
pub fn verify(vault: &Vault, token: &str, now: Millis) -> Option<SessionId> {
    let keys = vault.sessions();
    let key = keys.checking(&jsonwebtoken::decode_header(token).ok()?.kid?, now)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    // Our own clock is the one that counts, and tests turn it.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &key.verify, &validation).ok()?.claims;
    (claims.exp > now.0.div_euclid(1_000)).then(|| claims.sub.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{own_keys, secrets::tests::vault, session_keys::CHECKS_MS};

    /// A node that was told nothing refuses what a key signs that it does not know; one that reads the keys again does not.
    #[tokio::test]
    async fn a_rotated_key_checks_until_its_last_token_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let now = Millis(1_790_000_000_000);
        let (store, a) = vault(folder.path(), "ours", now);
        let (_, b) = vault(folder.path(), "ours", now);
        let session = SessionId::from_bytes([7; 16]);
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let before = issue(&a, session, now).unwrap();
        assert_eq!(own_keys::rotate_sessions(&store, &a, now.plus(1), true).unwrap(), None, "it is not due");
        let at = now.plus(1_000);
        let next = own_keys::rotate_sessions(&store, &a, at, false).unwrap().unwrap();
        // Everybody hears of it before anybody signs with it.
        own_keys::learn(&store, &a).await.unwrap();
        assert_eq!(kid(&issue(&a, session, at).unwrap()), kid(&before));
        let later = at.plus(60_000);
        let after = issue(&a, session, later).unwrap();
        assert_eq!(kid(&after), next);
        assert_eq!((verify(&a, &after, later), verify(&b, &after, later)), (Some(session), None));
        own_keys::learn(&store, &b).await.unwrap();
        assert_eq!((verify(&b, &after, later), verify(&b, &before, later)), (Some(session), Some(session)));
        // The very last token of the old key.
        let last = issue(&a, session, at.plus(29_999)).unwrap();
        assert_eq!(kid(&last), kid(&before));
        let end = at.plus(29_999 + LIFE_SECONDS * 1_000 - 1_000);
        assert_eq!(verify(&b, &last, end), Some(session));
        // In a month the next is due, and the first is gone for good.
        let month = now.plus(31 * 24 * 3_600_000);
        assert!(own_keys::rotate_sessions(&store, &a, month, true).unwrap().is_some());
        assert_eq!(own_keys::rotate_sessions(&store, &b, month, true).unwrap(), None, "two nodes do it once");
        own_keys::learn(&store, &a).await.unwrap();
        assert!(a.sessions().checking(&kid(&before), at.plus(CHECKS_MS)).is_none());
        assert_eq!(kid(&issue(&a, session, month).unwrap()), next);
    }

    #[test]
    fn a_token_is_good_for_its_time_and_from_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let now = Millis(1_790_000_000_000);
        let [ours, theirs] = ["ours", "theirs"].map(|whose| vault(folder.path(), whose, now).1);
        let session = SessionId::from_bytes([7; 16]);
        let token = issue(&ours, session, now).unwrap();
        assert_eq!(verify(&ours, &token, now.plus(LIFE_SECONDS * 1_000 - 1)), Some(session));
        assert_eq!(verify(&ours, &token, now.plus(LIFE_SECONDS * 1_000)), None);
        assert_eq!(verify(&theirs, &token, now), None);
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let none = data_encoding::BASE64URL_NOPAD.encode(format!(r#"{{"alg":"none","kid":"{kid}"}}"#).as_bytes());
        let parts: Vec<&str> = token.split('.').collect();
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{}.{}.{}", parts[0], parts[1], "AAAA"),
            format!("{}.{}", parts[0], parts[1]),
            String::new(),
        ] {
            assert_eq!(verify(&ours, &forged, now), None, "{forged}");
        }
    }
}
