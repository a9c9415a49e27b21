//! What a scheme seals for the merchant alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Error, bindings::saoma::channel::secrets, misconfigured, sign::refused};

/// What was sealed by AES-256-GCM under the account's key of that name, from the Base64 in which schemes send it. `None` if it was
/// not sealed under this key with this nonce and associated data, or is no Base64: nobody knows then who wrote it.
///
/// # Errors
/// `misconfigured` if the account has no such key, `no-answer` if the nonce has not 12 bytes.
pub fn aes_gcm_open(
    secret: &str,
    nonce: &[u8],
    associated_data: &[u8],
    sealed_base64: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let Ok(sealed) = STANDARD.decode(sealed_base64) else {
        return Ok(None);
    };
    secrets::aes_256_gcm_open(secret, nonce, associated_data, &sealed).map_err(|error| refused(&error))
}

/// What was sealed by AES-256-GCM under a key of its own, which the scheme sealed for the account's private key of that name by
/// RSAES-OAEP with SHA-1: a digital envelope. The key comes in the Base64 in which schemes send it, what is sealed in bytes. `None` if
/// it was not sealed so under that key, this nonce and associated data, or if the key is no Base64. In `fetch-bill` it may have 8 MiB.
///
/// # Errors
/// `misconfigured` if the account has no such key, or if the sealed key is not for it; `no-answer` if the nonce has neither 12 nor 16
/// bytes, or what is sealed too many.
pub fn envelope_open(
    secret: &str,
    sealed_key_base64: &str,
    nonce: &[u8],
    associated_data: &[u8],
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    let Ok(sealed_key) = STANDARD.decode(sealed_key_base64) else {
        return Ok(None);
    };
    let opened = secrets::rsa_oaep_sha1_aes_256_gcm_open(secret, &sealed_key, nonce, associated_data, sealed);
    opened.map_err(|error| match error {
        secrets::Error::UnknownKey(_) => {
            misconfigured(format!("the secret {secret:?} does not open what was sealed for it"))
        }
        other => refused(&other),
    })
}
