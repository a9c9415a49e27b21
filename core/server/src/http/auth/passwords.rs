//! Passwords: argon2id (RFC 9106) with the parameters that OWASP's cheat sheet names first (19 MiB, two passes, one lane).

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use saoma_store::Opaque;

/// Shortest password, in characters (NIST SP 800-63B §5.1.1.2 asks for 8; we ask for more since there is no second factor).
pub const LEN_MIN: usize = 12;
/// Longest, in bytes, so that hashing one is not an attack.
pub const LEN_MAX: usize = 256;

/// A hash that no password fits, for names that do not exist: both answers take as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FvbWEtbm9ib2R5LXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password cannot be hashed: the machine's fault.
#[derive(Debug, thiserror::Error)]
#[error("hash a password: {0}")]
pub struct HashError(String);

fn hasher() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password. Takes some 20 ms of a processor: not for an async thread.
///
/// # Errors
/// See [`HashError`].
pub fn hash(password: &str, salt: [u8; 16]) -> Result<Opaque<String>, HashError> {
    let failed = |error: argon2::password_hash::Error| HashError(error.to_string());
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hash = hasher()?.hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(Opaque(hash.to_string()))
}

/// Whether the password fits the stored hash; without one it takes as long and does not. As slow as [`hash`].
#[must_use]
pub fn fits(password: &str, stored: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(stored.unwrap_or(NOBODY)) else { return false };
    let fits = hasher().is_ok_and(|hasher| hasher.verify_password(password.as_bytes(), &parsed).is_ok());
    fits && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_fits() {
        let stored = hash("correct horse battery", [3; 16]).unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(fits("correct horse battery", Some(&stored.0)));
        assert!(!fits("correct horse batterz", Some(&stored.0)));
        assert!(!fits("correct horse battery", None) && !fits("", None) && !fits("x", Some("not a hash")));
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
