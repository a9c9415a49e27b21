//! `secrets`: keyed operations. The keys stay on this side.

use std::sync::Arc;

use ring::{
    aead::{Aad, Nonce},
    hmac,
    rand::SystemRandom,
    signature::RSA_PKCS1_SHA256,
};

use super::{CallState, Given, Known};
use crate::{
    bindings::secrets::{Error, Host},
    manifest::SecretKind,
    secret::{
        envelope::EnvelopeFault,
        key::{Key, RsaPublicKey},
    },
};

/// Limits of the contract (`sdk/wit`, interface `secrets`).
const MESSAGE_BYTES_MAX: usize = 1 << 20;
const GIVEN_KEY_BYTES_MAX: usize = 16 << 10;

/// RSA operations in one call. A request takes two of them, to sign it and to verify its answer, and a call has 16 requests;
/// with twice that a plugin keeps a processor busy for 64 ms (2,048 bits) to 400 ms (4,096). An envelope
/// counts once more for each MiB in it.
const RSA_OPERATIONS_MAX: u32 = 64;

impl Host for CallState {
    fn hmac_sha256(&mut self, secret: String, message: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        match bounded(&message) {
            Ok(()) => self.hmac_sha256_of(&secret, &message),
            Err(error) => Ok(Err(error)),
        }
    }

    fn hmac_sha256_verify(
        &mut self,
        secret: String,
        message: Vec<u8>,
        tag: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        match bounded(&message) {
            Ok(()) => self.hmac_sha256_fits(&secret, &message, &tag),
            Err(error) => Ok(Err(error)),
        }
    }

    fn rsa_sha256_sign(&mut self, secret: String, message: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let given = self.given_mut()?;
        let key = bounded(&message)
            .and_then(|()| given.secret(&secret, SecretKind::RsaPrivateKey))
            .and_then(|key| given.count_rsa().map(|()| key));
        let key = match key.as_deref() {
            Ok(Key::RsaPrivate(key)) => Arc::clone(key),
            Ok(_) => return Ok(Err(Error::WrongKind(secret))),
            Err(error) => return Ok(Err(error.clone())),
        };
        // 1 ms (2,048 bits) to 6 ms (4,096), here and now: so it is the plugin's own turn that it burns.
        let mut signature = vec![0; key.signing.public().modulus_len()];
        // Its randomness blinds the key against timing; the signature does not depend on it.
        key.signing
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &message, &mut signature)
            .map_err(|_| wasmtime::Error::msg("the machine gives no random bytes"))?;
        Ok(Ok(signature))
    }

    fn rsa_sha256_verify(
        &mut self,
        secret: String,
        key_id: Option<String>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let given = self.given_mut()?;
        Ok((|| {
            bounded(&message)?;
            let key = given.secret(&secret, SecretKind::RsaPublicKeys)?;
            let Key::RsaPublic(keys) = &*key else { return Err(Error::WrongKind(secret)) };
            let asked: Vec<&RsaPublicKey> = match &key_id {
                Some(id) => keys.iter().filter(|key| key.is_called(id)).collect(),
                None => keys.iter().collect(),
            };
            if asked.is_empty() {
                return Err(Error::UnknownKey(cut(key_id.as_deref().unwrap_or_default())));
            }
            for key in asked {
                given.count_rsa()?;
                if key.fits(&message, &signature) {
                    return Ok(true);
                }
            }
            Ok(false)
        })())
    }

    fn rsa_sha256_verify_with(
        &mut self,
        key: Vec<u8>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let given = self.given_mut()?;
        Ok((|| {
            bounded(&message)?;
            if key.len() > GIVEN_KEY_BYTES_MAX {
                return Err(Error::Invalid("the key is longer than 16 KiB".to_owned()));
            }
            given.count_rsa()?;
            let key = RsaPublicKey::given(&key).map_err(|fault| Error::Invalid(format!("the key: {fault}")))?;
            Ok(key.fits(&message, &signature))
        })())
    }

    fn aes_256_gcm_open(
        &mut self,
        secret: String,
        nonce: Vec<u8>,
        associated_data: Vec<u8>,
        mut sealed: Vec<u8>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let given = self.given()?;
        Ok((|| {
            bounded(&sealed)?;
            bounded(&associated_data)?;
            let key = given.secret(&secret, SecretKind::Aes256Key)?;
            let Key::Aes256(key) = &*key else { return Err(Error::WrongKind(secret)) };
            let nonce = Nonce::try_assume_unique_for_key(&nonce)
                .map_err(|_| Error::Invalid(format!("the nonce has {} bytes; it must have 12", nonce.len())))?;
            let opened = key.open_in_place(nonce, Aad::from(associated_data), &mut sealed);
            Ok(opened.ok().map(|plain| plain.to_vec()))
        })())
    }

    fn rsa_oaep_sha1_aes_256_gcm_open(
        &mut self,
        secret: String,
        sealed_key: Vec<u8>,
        nonce: Vec<u8>,
        associated_data: Vec<u8>,
        sealed: Vec<u8>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        let given = self.given_mut()?;
        Ok((|| {
            let bytes_max = given.answer_bytes_max;
            if sealed.len() > bytes_max as usize {
                return Err(Error::Invalid(format!("what is sealed is longer than {bytes_max} bytes")));
            }
            bounded(&associated_data)?;
            let key = given.secret(&secret, SecretKind::RsaPrivateKey)?;
            let Key::RsaPrivate(key) = &*key else { return Err(Error::WrongKind(secret)) };
            for _ in 0..=sealed.len() >> 20 {
                given.count_rsa()?;
            }
            key.open_envelope(&sealed_key, &nonce, &associated_data, sealed).map_err(|fault| match fault {
                EnvelopeFault::NotForThisKey => Error::UnknownKey(fault.to_string()),
                EnvelopeFault::NonceLength(_) => Error::Invalid(fault.to_string()),
            })
        })())
    }
}

impl CallState {
    pub(crate) fn hmac_sha256_of(&self, secret: &str, message: &[u8]) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(self.given()?.mac(secret, |key| hmac::sign(key, message).as_ref().to_vec()))
    }

    pub(crate) fn hmac_sha256_fits(
        &self,
        secret: &str,
        message: &[u8],
        tag: &[u8],
    ) -> wasmtime::Result<Result<bool, Error>> {
        // `verify` compares in constant time.
        Ok(self.given()?.mac(secret, |key| hmac::verify(key, message, tag).is_ok()))
    }
}

impl Known {
    /// A secret that the manifest lists as of this kind and the account has. What the manifest does not list does not exist
    /// for the plugin, and both cases read alike: it cannot find out which names an account holds.
    pub(super) fn secret(&self, name: &str, kind: SecretKind) -> Result<Arc<Key>, Error> {
        let missing = || Error::Missing(cut(name));
        let spec = self.plugin.secrets.iter().find(|spec| spec.name == name).ok_or_else(missing)?;
        if spec.kind != kind {
            return Err(Error::WrongKind(cut(name)));
        }
        self.account.secrets.key(name, kind).ok_or_else(missing)?.map_err(|fault| {
            // It was looked at when it was entered: then the plugin said that it was something else.
            tracing::warn!(secret = name, error = %fault, "a secret of a channel account is not of its kind");
            Error::WrongKind(format!("{}: {fault}", cut(name)))
        })
    }
}

impl Given {
    fn mac<T>(&self, name: &str, work: impl FnOnce(&hmac::Key) -> T) -> Result<T, Error> {
        match &*self.secret(name, SecretKind::MacKey)? {
            Key::Mac(key) => Ok(work(key)),
            _ => Err(Error::WrongKind(cut(name))),
        }
    }

    fn count_rsa(&mut self) -> Result<(), Error> {
        self.rsa_operations += 1;
        if self.rsa_operations > RSA_OPERATIONS_MAX { Err(Error::Exhausted) } else { Ok(()) }
    }
}

fn bounded(message: &[u8]) -> Result<(), Error> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(Error::Invalid("the message is longer than 1 MiB".to_owned()));
    }
    Ok(())
}

/// A name as the plugin gave it, for an error.
fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::types as wit,
        host::tests::call_of,
        manifest::{self, Manifest},
        secret::Secrets,
    };

    const MESSAGE: &[u8] = include_bytes!("../../tests/keys/message.txt");

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).expect("hex")
    }

    fn unbase64(text: &str) -> Vec<u8> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.decode(text).expect("Base64")
    }

    /// A call of an account that holds these, all of which the manifest lists, and one more that it does not.
    fn call(secrets: &[(&str, wit::SecretKind, &str)]) -> CallState {
        let mut manifest = manifest::tests::good();
        let spec = |(name, kind, _): &(&str, wit::SecretKind, &str)| wit::SecretSpec {
            name: (*name).to_owned(),
            kind: *kind,
            description: String::new(),
        };
        manifest.secrets = secrets.iter().map(spec).collect();
        let held = secrets.iter().fold(Secrets::none(), |held, (name, _, text)| held.with(*name, *text));
        call_of(Manifest::check(manifest).expect("sound"), held.with("unlisted", "k".repeat(32)), None)
    }

    /// The signatures were made by `openssl dgst -sha256 -sign`.
    #[test]
    fn rsa_signs_and_verifies_as_openssl_does() {
        let keys = [
            ("ours", wit::SecretKind::RsaPrivateKey, include_str!("../../tests/keys/merchant-pkcs8.pem")),
            ("theirs", wit::SecretKind::RsaPublicKeys, include_str!("../../tests/keys/scheme-certificate.pem")),
        ];
        let mut call = call(&keys);
        let ours = unbase64(include_str!("../../tests/keys/merchant-signature.base64"));
        let theirs = unbase64(include_str!("../../tests/keys/scheme-signature.base64"));
        let signed = call.rsa_sha256_sign("ours".to_owned(), MESSAGE.to_vec()).expect("no trap");
        assert_eq!(signed.expect("signed"), ours);
        let mut verify = |id: Option<&str>, signature: &[u8]| {
            let id = id.map(str::to_owned);
            call.rsa_sha256_verify("theirs".to_owned(), id, MESSAGE.to_vec(), signature.to_vec()).expect("no trap")
        };
        assert!(matches!(verify(None, &theirs), Ok(true)));
        assert!(matches!(verify(Some("5157F09EFDC096DE15EBE81A47057A7232F1B8E"), &theirs), Ok(true)));
        assert!(matches!(verify(None, &ours), Ok(false)));
        // A scheme that probes whether signatures are looked at.
        assert!(matches!(verify(Some("WECHATPAY/SIGNTEST"), &theirs), Err(Error::UnknownKey(_))));
        let key = include_bytes!("../../tests/keys/merchant-public.pem").to_vec();
        let with = |call: &mut CallState, key: &[u8]| {
            call.rsa_sha256_verify_with(key.to_vec(), MESSAGE.to_vec(), ours.clone()).expect("no trap")
        };
        assert!(matches!(with(&mut call, &key), Ok(true)));
        assert!(matches!(with(&mut call, b"nonsense"), Err(Error::Invalid(_))));
        for (name, error) in [("unlisted", "Missing"), ("nowhere", "Missing"), ("theirs", "WrongKind")] {
            let refused = call.rsa_sha256_sign(name.to_owned(), MESSAGE.to_vec()).expect("no trap");
            let told = format!("{:?}", refused.expect_err(name));
            assert!(told.contains(error), "{name}: {told}");
        }
    }

    /// What Node's `crypto` sealed.
    #[test]
    fn what_was_sealed_for_the_merchant_is_opened_and_nothing_else() {
        let text = "0123456789abcdef0123456789abcdef";
        let mut call = call(&[("seal-key", wit::SecretKind::Aes256Key, text)]);
        let sealed = hex(SEALED);
        let mut open = |nonce: &[u8], associated: &[u8], sealed: &[u8]| {
            call.aes_256_gcm_open("seal-key".to_owned(), nonce.to_vec(), associated.to_vec(), sealed.to_vec())
                .expect("no trap")
        };
        let opened = open(b"fdasflkja484", b"transaction", &sealed).expect("done").expect("genuine");
        assert_eq!(String::from_utf8(opened).expect("text"), r#"{"out_trade_no":"扫码"}"#);
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(matches!(open(b"fdasflkja484", b"transaction", &changed), Ok(None)), "byte {at}");
        }
        assert!(matches!(open(b"fdasflkja484", b"", &sealed), Ok(None)));
        assert!(matches!(open(b"fdasflkja485", b"transaction", &sealed), Ok(None)));
        assert!(matches!(open(b"fdasflkja484", b"transaction", &sealed[..9]), Ok(None)));
        assert!(matches!(open(b"fdasflkja48", b"transaction", &sealed), Err(Error::Invalid(_))));
    }

    /// What Python's `cryptography` sealed.
    #[test]
    fn an_envelope_is_opened_by_its_key_and_within_its_limits() {
        let mut call = call(&[
            ("ours", wit::SecretKind::RsaPrivateKey, include_str!("../../tests/keys/merchant-pkcs8.pem")),
            ("theirs", wit::SecretKind::RsaPublicKeys, include_str!("../../tests/keys/scheme-certificate.pem")),
            ("aes", wit::SecretKind::Aes256Key, "0123456789abcdef0123456789abcdef"),
            ("mac", wit::SecretKind::MacKey, "0123456789abcdef0123456789abcdef"),
        ]);
        let made: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/keys/envelopes.json")).expect("JSON");
        let made = |name: &str| made[name].as_str().expect("made");
        let (key, sealed) = (unbase64(made("key_sha1")), hex(made("sealed_16_bare")));
        let open = |call: &mut CallState, secret: &str, key: &[u8], nonce: &[u8], sealed: &[u8]| {
            let (key, nonce, sealed) = (key.to_vec(), nonce.to_vec(), sealed.to_vec());
            let opened = call.rsa_oaep_sha1_aes_256_gcm_open(secret.to_owned(), key, nonce, Vec::new(), sealed);
            match opened.expect("no trap") {
                Ok(Some(plain)) => String::from_utf8(plain).expect("text"),
                Ok(None) => "none".to_owned(),
                Err(error) => format!("{error:?}").split('(').next().unwrap_or_default().trim().to_owned(),
            }
        };
        let (nonce, large) = (&b"a8607ef79034c49c"[..], vec![0; MESSAGE_BYTES_MAX + 1]);
        for (secret, sealed_key, nonce, sealed, told) in [
            ("ours", &key, nonce, &sealed, "记账时间,收支金额(元)"),
            ("ours", &key, &nonce[..12], &sealed, "none"),
            ("ours", &key, &nonce[..13], &sealed, "Error::Invalid"),
            ("ours", &unbase64(made("key_for_another")), nonce, &sealed, "Error::UnknownKey"),
            ("ours", &unbase64(made("key_of_16_bytes")), nonce, &sealed, "Error::UnknownKey"),
            ("ours", &key, nonce, &large[1..].to_vec(), "none"),
            ("ours", &key, nonce, &large, "Error::Invalid"),
            ("theirs", &key, nonce, &sealed, "Error::WrongKind"),
            ("aes", &key, nonce, &sealed, "Error::WrongKind"),
            ("mac", &key, nonce, &sealed, "Error::WrongKind"),
            ("unlisted", &key, nonce, &sealed, "Error::Missing"),
        ] {
            assert_eq!(open(&mut call, secret, sealed_key, nonce, sealed), told, "{secret}");
        }
        // As `fetch-bill` has it: what `http` takes can be opened.
        call.given_mut().expect("given").known_mut().answer_bytes_max = 8 << 20;
        assert_eq!(open(&mut call, "ours", &key, nonce, &large), "none");
        call.given_mut().expect("given").rsa_operations = RSA_OPERATIONS_MAX;
        assert_eq!(open(&mut call, "ours", &key, nonce, &sealed), "Error::Exhausted");
    }

    const SEALED: &str = "0d471c96b1c113935f7c5324ea9cc4ca15bc74c237516e8241e71a1c34415354e020b6cfd5331ca21e";
}
