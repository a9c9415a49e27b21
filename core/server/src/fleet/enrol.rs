//! How a terminal comes to its certificate: once with a claim code, and from then on with the certificate it has.
//!
//! A claim code is the whole secret of an enrolment, so it is drawn by core, kept only as a hash, works once and for a
//! short time. A terminal that enrols again (a new machine behind the same counter) shuts the old one out.

use std::net::IpAddr;

use ring::rand::SecureRandom;
use saoma_protocol::{Millis, StoreId, TerminalId};
use saoma_store::{
    StoreError, TenantScope, access, audit,
    terminals::{self, Certificate},
};
use sha2::{Digest, Sha256};

use super::ca::{CaError, CheckedRequest, CsrError};
use crate::{
    app::App,
    limits::{self, TooOften},
};

/// Crockford's base 32: no I, L, O, U, so that a code can be read out over the phone.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 12 symbols are 60 bits: not to be guessed within the life of a code at the rate that [`limits`] leave.
const CLAIM_SYMBOLS: usize = 12;
/// Longest claim code that is looked at, in bytes; with separators ours have 14.
const CLAIM_LEN_MAX: usize = 64;
/// How long a claim code works, in milliseconds: a day, so that it can be made in the evening and used in the morning.
pub const CLAIM_LIFE_MS: i64 = 24 * 3600 * 1000;

/// Why a terminal is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Unknown, used, withdrawn or expired: a stranger does not learn which.
    #[error("the claim code is not valid (any more)")]
    ClaimCode,
    #[error("too many wrong claim codes from this address")]
    TooManyAttempts(TooOften),
    #[error(transparent)]
    Csr(#[from] CsrError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A terminal with its new certificate.
#[derive(Clone, Debug)]
pub struct Enrolment {
    pub scope: TenantScope,
    pub terminal: TerminalId,
    pub store: StoreId,
    pub chain_pem: String,
    pub not_after: Millis,
}

/// A new claim code, as a person reads it: `K7QP-2M4X-9TRW`.
///
/// # Errors
/// `None` if the operating system gives no random bytes.
#[must_use]
pub fn draw_claim_code(random: &dyn SecureRandom) -> Option<String> {
    let mut bytes = [0; CLAIM_SYMBOLS];
    random.fill(&mut bytes).ok()?;
    let symbols: Vec<char> = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups: Vec<String> = symbols.chunks(4).map(|group| group.iter().collect()).collect();
    Some(groups.join("-"))
}

/// What the database has of a claim code: SHA-256 over the symbols, however the person wrote them. `None` for a text that
/// no claim code can be.
#[must_use]
pub fn claim_hash(code: &str) -> Option<[u8; 32]> {
    if code.len() > CLAIM_LEN_MAX {
        return None;
    }
    let symbols: Vec<u8> = code
        .bytes()
        .filter(|byte| !matches!(byte, b'-' | b' '))
        .map(|byte| match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        })
        .collect();
    let fits = symbols.len() == CLAIM_SYMBOLS && symbols.iter().all(|symbol| ALPHABET.contains(symbol));
    fits.then(|| Sha256::digest(&symbols).into())
}

/// Gives the terminal behind the claim code a certificate. The code is used up, and certificates it had before are revoked.
///
/// # Errors
/// In this order: `TooManyAttempts`, `Csr`, `ClaimCode`, `Store`. A refused request leaves the code as it was.
pub async fn enrol(app: &App, peer: IpAddr, claim_code: &str, csr_pem: &str) -> Result<Enrolment, EnrolError> {
    let attempt = limits::claim_code(peer);
    app.limits().begin(&attempt, app.now()).await.map_err(EnrolError::TooManyAttempts)?;
    let enrolled = redeem(app, claim_code, csr_pem).await;
    if !matches!(enrolled, Err(EnrolError::ClaimCode)) {
        app.limits().forgive(&attempt).await;
    }
    enrolled
}

async fn redeem(app: &App, claim_code: &str, csr_pem: &str) -> Result<Enrolment, EnrolError> {
    let now = app.now();
    let fleet = app.fleet();
    // The request is checked before the code is used up: a broken one can be repeated with the same code. Whose it is
    // comes out of the code, so the certificate itself is made afterwards.
    let request = CheckedRequest::read(csr_pem)?;
    let hash = claim_hash(claim_code).ok_or(EnrolError::ClaimCode)?;
    let ca_fleet = fleet.clone();
    let enrolled = app
        .store()
        .write(move |tx| {
            let (scope, terminal) = access::redeem_claim(tx, &hash, now)?;
            for before in terminals::certificates(tx, &scope, terminal.id)? {
                if before.revoked_at.is_none() {
                    terminals::revoke_certificate(tx, &scope, terminal.id, &before.serial, now)?;
                }
            }
            let issued = ca_fleet.ca().issue(terminal.id, &request, now)?;
            let certificate = Certificate {
                serial: issued.serial.clone(),
                not_after: issued.not_after,
                issued_at: now,
                revoked_at: None,
            };
            terminals::add_certificate(tx, &scope, terminal.id, &certificate)?;
            terminals::keep_public_key(tx, &scope, terminal.id, &issued.serial, &issued.public_key)?;
            note(tx, &scope, terminal.id, "terminal.enrolled", &issued.serial, now)?;
            Ok(Enrolment {
                scope,
                terminal: terminal.id,
                store: terminal.store,
                chain_pem: issued.chain_pem,
                not_after: issued.not_after,
            })
        })
        .await
        .map_err(|error: EnrolError| match error {
            EnrolError::Store(
                StoreError::NotFound { .. } | StoreError::Revoked { .. } | StoreError::Expired { .. },
            ) => EnrolError::ClaimCode,
            other => other,
        })?;
    // Who held the old certificate is connected no longer.
    fleet.shut_out(enrolled.terminal).await;
    Ok(enrolled)
}

/// Gives a terminal a new certificate on the strength of the one it shows (`serial`). That one goes on working, since the
/// answer may be lost; those before it do not.
///
/// # Errors
/// `Csr`, `Store`.
pub async fn renew(
    app: &App,
    scope: TenantScope,
    terminal: TerminalId,
    serial: String,
    csr_pem: &str,
) -> Result<Enrolment, EnrolError> {
    let now = app.now();
    let fleet = app.fleet().clone();
    let request = CheckedRequest::read(csr_pem)?;
    app.store()
        .write(move |tx| {
            let store = terminals::load(tx, &scope, terminal)?.store;
            for before in terminals::certificates(tx, &scope, terminal)? {
                if before.revoked_at.is_none() && before.serial != serial {
                    terminals::revoke_certificate(tx, &scope, terminal, &before.serial, now)?;
                }
            }
            let issued = fleet.ca().issue(terminal, &request, now)?;
            let certificate = Certificate {
                serial: issued.serial.clone(),
                not_after: issued.not_after,
                issued_at: now,
                revoked_at: None,
            };
            terminals::add_certificate(tx, &scope, terminal, &certificate)?;
            terminals::keep_public_key(tx, &scope, terminal, &issued.serial, &issued.public_key)?;
            note(tx, &scope, terminal, "terminal.certificate_renewed", &issued.serial, now)?;
            Ok(Enrolment { scope, terminal, store, chain_pem: issued.chain_pem, not_after: issued.not_after })
        })
        .await
}

fn note(
    tx: &mut saoma_store::Tx<'_>,
    scope: &TenantScope,
    terminal: TerminalId,
    action: &str,
    serial: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let entry = audit::NewEntry::new(
        &terminal.to_string(),
        action,
        &terminal,
        &serde_json::json!({ "certificate_serial": serial }),
        at,
    );
    audit::append(tx, scope, &entry).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let random = ring::rand::SystemRandom::new();
        let code = draw_claim_code(&random).unwrap();
        assert_eq!(code.len(), 14);
        assert_ne!(code, draw_claim_code(&random).unwrap());
        let hash = claim_hash(&code).unwrap();
        assert_eq!(claim_hash(&code.to_lowercase().replace('-', " ")), Some(hash));
        assert_eq!(claim_hash("0123-4567-891A"), claim_hash("o123 4567 89ia"));
        for wrong in ["", "K7QP-2M4X", "K7QP-2M4X-9TRWX", "K7QP-2M4X-9TR!", "收款收款", &"0".repeat(100)] {
            assert_eq!(claim_hash(wrong), None, "{wrong}");
        }
    }
}
