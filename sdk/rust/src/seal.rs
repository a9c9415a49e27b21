//! What a scheme seals for the merchant alone.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{Error, bindings::saoma::channel::secrets, sign::refused};

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
