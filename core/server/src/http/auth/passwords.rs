//! Passwords: argon2id (RFC 9106) with the parameters that OWASP's cheat sheet names first (19 MiB, two passes, one lane).

use std::time::Duration;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use saoma_store::Opaque;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
    time::timeout,
};

use crate::http::problem::{INVALID, Problem, UNAVAILABLE};

/// Shortest password, in characters (NIST SP 800-63B §5.1.1.2 asks for 8; we ask for more since there is no second factor).
pub const LEN_MIN: usize = 12;
/// Longest, in bytes, so that hashing one is not an attack.
pub const LEN_MAX: usize = 256;

/// Hashes at once. Each takes 19 MiB and a processor for some 20 ms, and anybody may ask for one.
const AT_ONCE_MAX: usize = 4;
/// Longest wait for a turn.
const WAIT_MAX: Duration = Duration::from_secs(5);
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

/// A hash that no password fits, for names that do not exist: both answers take as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FvbWEtbm9ib2R5LXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Why a password cannot be hashed: the machine's fault.
#[derive(Debug, thiserror::Error)]
#[error("hash a password: {0}")]
pub struct HashError(String);

impl HashError {
    pub(super) fn new(why: &impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

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

/// Whether a new password is long enough, and not too long.
///
/// # Errors
/// `INVALID` at `pointer`.
pub fn check_new(password: &str, pointer: &str) -> Result<(), Problem> {
    if password.chars().count() < LEN_MIN {
        return Err(Problem::new(INVALID, format!("A password has at least {LEN_MIN} characters.")).at(pointer));
    }
    if password.len() > LEN_MAX {
        return Err(Problem::new(INVALID, format!("A password has at most {LEN_MAX} bytes.")).at(pointer));
    }
    Ok(())
}

/// A password to be used once and changed, from bits that were drawn for it: `ABCD-EFGH-IJKL-MNOP`, 80 of them.
#[must_use]
pub fn one_time(random: &[u8; 16]) -> String {
    let (drawn, _) = random.split_at(10);
    let symbols = data_encoding::BASE32_NOPAD.encode(drawn);
    let groups: Vec<&str> = [0, 4, 8, 12].into_iter().filter_map(|at| symbols.get(at..at + 4)).collect();
    groups.join("-")
}

/// [`fits`] on a thread of its own, a few at a time. A password that is too long for one fits nothing, at once.
///
/// # Errors
/// `UNAVAILABLE` if too many wait.
pub async fn check(password: String, stored: Option<String>) -> Result<bool, Problem> {
    if password.len() > LEN_MAX {
        return Ok(false);
    }
    let turn = turn().await?;
    let checked = spawn_blocking(move || {
        let _turn = turn;
        fits(&password, stored.as_deref())
    });
    checked.await.map_err(|error| Problem::internal(&error))
}

/// [`hash`] on a thread of its own, a few at a time.
///
/// # Errors
/// `UNAVAILABLE` if too many wait, `INTERNAL` if the machine cannot.
pub async fn hash_new(password: String, salt: [u8; 16]) -> Result<Opaque<String>, Problem> {
    let turn = turn().await?;
    let hashed = spawn_blocking(move || {
        let _turn = turn;
        hash(&password, salt)
    });
    hashed.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::internal(&error))
}

/// Waits until few enough hash.
///
/// # Errors
/// `UNAVAILABLE`.
pub(super) async fn turn() -> Result<SemaphorePermit<'static>, Problem> {
    match timeout(WAIT_MAX, TURNS.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) | Err(_) => Err(Problem::new(UNAVAILABLE, "Too many people sign in at once. Try again.")),
    }
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

    #[test]
    fn a_one_time_password_may_be_used_as_one() {
        let (one, other) = (one_time(&[7; 16]), one_time(&[8; 16]));
        assert_eq!(one, "A4DQ-OBYH-A4DQ-OBYH");
        assert_ne!(one, other);
        assert!(check_new(&one, "/password").is_ok());
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        for (password, good) in [
            ("eleven char".to_owned(), false),
            ("twelve chars".to_owned(), true),
            ("收款码".repeat(4), true),
            ("x".repeat(LEN_MAX), true),
            ("x".repeat(LEN_MAX + 1), false),
        ] {
            assert_eq!(check_new(&password, "/new_password").is_ok(), good, "{password}");
        }
    }
}
