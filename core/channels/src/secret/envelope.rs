//! Digital envelopes: what a scheme sealed under a key of its own, and that key, sealed for an account's RSA key.
//!
//! By other libraries than signatures are: `ring` opens nothing by RSA, and takes no nonce but one of 12 bytes.

use std::sync::OnceLock;

use aes_gcm::{
    AeadInOut as _, AesGcm, KeyInit as _,
    aead::{
        array::{Array, ArraySize},
        consts::{U12, U16},
    },
    aes::Aes256,
};
use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{self, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey},
};
use ring::rsa::KeyPair;
use zeroize::Zeroizing;

const AES_256_KEY_BYTES: usize = 32;

/// A private key that signs and opens.
pub(crate) struct RsaPrivateKey {
    pub(crate) signing: KeyPair,
    /// PKCS #8 or PKCS #1.
    der: Zeroizing<Vec<u8>>,
    /// Of the same key, read where something is opened first, which few calls do; `None` if it opens nothing.
    opening: OnceLock<Option<OaepPrivateDecryptingKey>>,
}

/// What is wrong with an envelope before it can be said whether it is genuine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeFault {
    #[error("a sealed key that this secret does not open")]
    NotForThisKey,
    #[error("the nonce has {0} bytes; it must have 12 or 16")]
    NonceLength(usize),
}

impl RsaPrivateKey {
    pub(super) fn new(signing: KeyPair, der: Zeroizing<Vec<u8>>) -> Self {
        Self { signing, der, opening: OnceLock::new() }
    }

    /// Whether it can open: the two libraries do not take the same keys.
    pub(super) fn opens(&self) -> bool {
        self.opening().is_some()
    }

    fn opening(&self) -> Option<&OaepPrivateDecryptingKey> {
        self.opening.get_or_init(|| OaepPrivateDecryptingKey::new(decrypting(&self.der)?).ok()).as_ref()
    }

    /// What was sealed by AES-256-GCM, its tag at its end, under the key that RSAES-OAEP (SHA-1) sealed; `None` if it was not.
    ///
    /// # Errors
    /// `NonceLength`, `NotForThisKey`; that one also for a sealed key of another length, since how long a sealed text is is nobody's to know.
    pub(crate) fn open_envelope(
        &self,
        sealed_key: &[u8],
        nonce: &[u8],
        associated_data: &[u8],
        sealed: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, EnvelopeFault> {
        if !matches!(nonce.len(), 12 | 16) {
            return Err(EnvelopeFault::NonceLength(nonce.len()));
        }
        let key = self.unseal(sealed_key).filter(|key| key.len() == AES_256_KEY_BYTES);
        let key = key.ok_or(EnvelopeFault::NotForThisKey)?;
        Ok(match nonce.len() {
            12 => opened::<U12>(&key, nonce, associated_data, sealed),
            _ => opened::<U16>(&key, nonce, associated_data, sealed),
        })
    }

    /// Why it does not open says nothing: whoever can tell the reasons apart can have anything opened (Manger's attack).
    fn unseal(&self, sealed_key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.opening()?;
        let mut opened = Zeroizing::new(vec![0; key.min_output_size()]);
        let len = key.decrypt(&OAEP_SHA1_MGF1SHA1, sealed_key, &mut opened, None).ok()?.len();
        opened.truncate(len);
        Some(opened)
    }
}

fn decrypting(der: &[u8]) -> Option<PrivateDecryptingKey> {
    if let Ok(key) = PrivateDecryptingKey::from_pkcs8(der) {
        return Some(key);
    }
    let pkcs8: Pkcs8V1Der<'_> = rsa::KeyPair::from_der(der).ok()?.as_der().ok()?;
    PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).ok()
}

fn opened<NonceSize: ArraySize>(
    key: &[u8],
    nonce: &[u8],
    associated_data: &[u8],
    mut sealed: Vec<u8>,
) -> Option<Vec<u8>> {
    let nonce: &Array<u8, NonceSize> = nonce.try_into().ok()?;
    let cipher = AesGcm::<Aes256, NonceSize>::new_from_slice(key).ok()?;
    cipher.decrypt_in_place(nonce, associated_data, &mut sealed).ok()?;
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::SecretKind, secret::key::Key};

    const PKCS8: &str = include_str!("../../tests/keys/merchant-pkcs8.pem");
    const PKCS1: &str = include_str!("../../tests/keys/merchant-pkcs1.pem");
    const NONCE: &[u8] = b"a8607ef79034c49c";
    const PLAIN: &str = "记账时间,收支金额(元)";

    /// Made by Python's `cryptography` for the key of `merchant-public.pem`: keys in Base64, what is sealed in hex.
    fn made(name: &str) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let made: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/keys/envelopes.json")).expect("JSON");
        let text = made[name].as_str().expect(name);
        if name.starts_with("key") { STANDARD.decode(text).expect(name) } else { hex::decode(text).expect(name) }
    }

    fn key(pem: &str) -> std::sync::Arc<RsaPrivateKey> {
        match Key::read(SecretKind::RsaPrivateKey, pem.as_bytes()) {
            Ok(Key::RsaPrivate(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_sealed_elsewhere_is_opened() {
        let bare: String = PKCS1.lines().filter(|line| !line.starts_with("-----")).collect();
        for pem in [PKCS8, PKCS1, &bare] {
            for (nonce, data, sealed) in [
                (&b"fdasflkja484"[..], &b"bill"[..], "sealed_12"),
                (NONCE, b"bill", "sealed_16"),
                (NONCE, b"", "sealed_16_bare"),
            ] {
                let opened = key(pem).open_envelope(&made("key_sha1"), nonce, data, made(sealed));
                assert_eq!(opened, Ok(Some(PLAIN.as_bytes().to_vec())), "{sealed}");
            }
        }
        let empty = key(PKCS8).open_envelope(&made("key_sha1"), NONCE, b"", made("sealed_nothing"));
        assert_eq!(empty, Ok(Some(Vec::new())));
    }

    #[test]
    fn what_was_changed_or_is_another_envelopes_is_not() {
        let (sealed_key, sealed) = (made("key_sha1"), made("sealed_16"));
        let open = |nonce: &[u8], data: &[u8], sealed: &[u8]| {
            key(PKCS8).open_envelope(&sealed_key, nonce, data, sealed.to_vec())
        };
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(NONCE, b"bill", &changed), Ok(None), "byte {at}");
        }
        assert_eq!(open(NONCE, b"", &sealed), Ok(None));
        assert_eq!(open(b"a8607ef79034c49d", b"bill", &sealed), Ok(None));
        // The same bytes in front, under the other form of nonces.
        assert_eq!(open(&NONCE[..12], b"bill", &sealed), Ok(None));
        assert_eq!(open(NONCE, b"bill", &made("sealed_12")), Ok(None));
        for len in [0, 9, sealed.len() - 1] {
            assert_eq!(open(NONCE, b"bill", &sealed[..len]), Ok(None), "{len} bytes");
        }
        for len in [0, 11, 13] {
            assert_eq!(open(&NONCE[..len], b"bill", &sealed), Err(EnvelopeFault::NonceLength(len)));
        }
    }

    #[test]
    fn a_key_sealed_otherwise_or_for_another_is_not_opened() {
        let good = made("key_sha1");
        let mut changed = good.clone();
        changed[100] ^= 1;
        let open = |sealed_key: &[u8]| key(PKCS8).open_envelope(sealed_key, NONCE, b"bill", made("sealed_16"));
        assert!(open(&good).is_ok_and(|opened| opened.is_some()));
        for (name, sealed_key) in [
            ("SHA-256", made("key_sha256")),
            ("SHA-256, its mask by SHA-1", made("key_sha256_mgf_sha1")),
            ("with a label", made("key_labelled")),
            ("PKCS #1 v1.5", made("key_pkcs1_v1_5")),
            ("another's", made("key_for_another")),
            ("of 16 bytes", made("key_of_16_bytes")),
            ("changed", changed),
            ("none", Vec::new()),
            ("cut off", good[..255].to_vec()),
            ("too long", [&good[..], b"\0"].concat()),
            ("a zero in front", [b"\0", &good[..]].concat()),
            ("much too long", vec![1; 1 << 20]),
            ("no number below the modulus", vec![0xff; 256]),
        ] {
            assert_eq!(open(&sealed_key), Err(EnvelopeFault::NotForThisKey), "{name}");
        }
    }
}
