//! What WeChat Pay seals for whoever holds the private key of the merchant's certificate: the pieces of a sub-merchant's fund bill
//! (`doc/v3/partner/4014314390`), each under a key of its own, that key by RSAES-OAEP with SHA-1
//! (`wiki/doc/api_external/ch/wechatpay/wechatpay4_3`).

use aes_gcm::{
    AeadInOut as _, AesGcm, KeyInit as _,
    aead::{array::Array, consts::U16},
    aes::Aes256,
};
use anyhow::anyhow;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// An AES-256 key and a nonce, both of characters: software that hands them on as text is in use.
pub(super) struct Chance {
    /// 32 of them.
    pub(super) key: String,
    /// 16 of them.
    pub(super) nonce: String,
}

/// What is sealed, with its tag at its end, and the sealed key in Base64. `private_der`: the PKCS #8 of the key that opens it.
pub(super) fn seal(private_der: &[u8], chance: &Chance, plain: &[u8]) -> anyhow::Result<(Vec<u8>, String)> {
    let opens =
        PrivateDecryptingKey::from_pkcs8(private_der).map_err(|why| anyhow!("the key cannot be read: {why}"))?;
    let sealing = OaepPublicEncryptingKey::new(opens.public_key()).map_err(|_| anyhow!("the key does not seal"))?;
    let mut sealed_key = vec![0; sealing.ciphertext_size()];
    sealing
        .encrypt(&OAEP_SHA1_MGF1SHA1, chance.key.as_bytes(), &mut sealed_key, None)
        .map_err(|_| anyhow!("the key cannot be sealed"))?;
    let cipher =
        AesGcm::<Aes256, U16>::new_from_slice(chance.key.as_bytes()).map_err(|_| anyhow!("no key of 32 bytes"))?;
    let nonce: &Array<u8, U16> = chance.nonce.as_bytes().try_into().map_err(|_| anyhow!("no nonce of 16 bytes"))?;
    let mut sealed = plain.to_vec();
    cipher.encrypt_in_place(nonce, b"", &mut sealed).map_err(|_| anyhow!("cannot be sealed"))?;
    Ok((sealed, STANDARD.encode(sealed_key)))
}
