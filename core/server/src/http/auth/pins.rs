//! PINs of cashiers: argon2id (RFC 9106) with parameters for the terminals that check them.
//!
//! A terminal has 40 MiB of memory for all that it does and a processor ten times as slow as a server's. Of the settings that
//! OWASP's cheat sheet holds to be equal we take the one with the least memory, 7 MiB and five passes: some 20 ms here, about
//! a quarter of a second on a Cortex-A53. What that is good for, and what not, stands in [`saoma_protocol::cashier`].

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, Version,
    password_hash::{Error, SaltString},
};
use saoma_protocol::cashier::{Pin, WeakPin};
use saoma_store::Opaque;
use tokio::task::spawn_blocking;

use super::passwords::{HashError, turn};
use crate::http::problem::{INVALID, Problem};

const MEMORY_KIB: u32 = 7_168;
const PASSES: u32 = 5;

/// The PHC string of a PIN that may be somebody's. Takes some 20 ms of a processor.
///
/// # Errors
/// `INVALID` at `/pin` for one that everybody tries first, or that is the staff code that stands on receipts; `UNAVAILABLE`
/// if too many wait, `INTERNAL` if the machine cannot.
pub async fn verifier(pin: Pin, staff_code: &str, salt: [u8; 16]) -> Result<Opaque<String>, Problem> {
    check(&pin, staff_code)?;
    let turn = turn().await?;
    let hashed = spawn_blocking(move || {
        let _turn = turn;
        hash(&pin, salt)
    });
    hashed.await.map_err(|error| Problem::internal(&error))?.map_err(|error| Problem::internal(&error))
}

fn check(pin: &Pin, staff_code: &str) -> Result<(), Problem> {
    let weak = |why: String| Problem::new(INVALID, why).at("/pin");
    pin.check_new().map_err(|error: WeakPin| weak(format!("{}.", upper(&error.to_string()))))?;
    if pin.expose() == staff_code {
        return Err(weak("The staff code stands on receipts; choose another PIN.".to_owned()));
    }
    Ok(())
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn hash(pin: &Pin, salt: [u8; 16]) -> Result<Opaque<String>, HashError> {
    let failed = |error: Error| HashError::new(&error);
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| HashError::new(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = hasher.hash_password(pin.expose().as_bytes(), &salt).map_err(failed)?;
    Ok(Opaque(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHash, PasswordVerifier as _};

    use super::*;

    #[test]
    fn a_verifier_fits_its_pin_alone() {
        let stored = hash(&Pin::new("7391".to_owned()), [3; 16]).unwrap().0;
        assert!(stored.starts_with("$argon2id$v=19$m=7168,t=5,p=1$") && !stored.contains("7391"), "{stored}");
        let fits =
            |pin: &str| Argon2::default().verify_password(pin.as_bytes(), &PasswordHash::new(&stored).unwrap()).is_ok();
        assert!(fits("7391") && !fits("7392") && !fits("07391"));
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for (pin, is_good) in [("7391", true), ("1234", false), ("739", false), ("0825", false)] {
            assert_eq!(check(&Pin::new(pin.to_owned()), "0825").is_ok(), is_good, "{pin}");
        }
    }
}
