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
/// Names the key that signs; a verifier refuses others.
const KID: &str = "session-1";
const ISSUER: &str = "saoma";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
}

/// A token for the session, good for [`LIFE_SECONDS`]; `None` if the key cannot be used, which its making excludes.
#[must_use]
pub fn issue(vault: &Vault, session: SessionId, now: Millis) -> Option<String> {
    let seconds = now.0.div_euclid(1_000);
    let claims = Claims { iss: ISSUER.to_owned(), sub: session.to_string(), iat: seconds, exp: seconds + LIFE_SECONDS };
    let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, &vault.session_keys().sign).ok()
}

/// The session that a token names, if we signed it and it is not over at `now`.
#[must_use]
pub fn verify(vault: &Vault, token: &str, now: Millis) -> Option<SessionId> {
    if jsonwebtoken::decode_header(token).ok()?.kid.as_deref() != Some(KID) {
        return None;
    }
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    // Our own clock is the one that counts, and tests turn it.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, &vault.session_keys().verify, &validation).ok()?.claims;
    (claims.exp > now.0.div_euclid(1_000)).then(|| claims.sub.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_time_and_from_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ours = Vault::open(&folder.path().join("ours.key")).unwrap();
        let theirs = Vault::open(&folder.path().join("theirs.key")).unwrap();
        let session = SessionId::from_bytes([7; 16]);
        let now = Millis(1_790_000_000_000);
        let token = issue(&ours, session, now).unwrap();
        assert_eq!(verify(&ours, &token, now.plus(LIFE_SECONDS * 1_000 - 1)), Some(session));
        assert_eq!(verify(&ours, &token, now.plus(LIFE_SECONDS * 1_000)), None);
        assert_eq!(verify(&theirs, &token, now), None);
        let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"session-1"}"#);
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
