//! Whose keys these are, and what is done with them: SHA256-RSA2048 both ways (`doc/v3/merchant/4012365342`, `4013053420`),
//! AES-256-GCM for what only the merchant may read (`doc/v3/merchant/4012071382`).
//!
//! Made once by openssl, for tests alone, valid until 2100: `merchant` is the merchant's API certificate and key, `platform` and
//! `platform-next` two of WeChat Pay's platform certificates, `public-key` its public key.

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};
use serde_json::{Value, json};

use super::envelope::{self, Chance};

pub(super) const MERCHANT_KEY: &str = include_str!("keys/merchant.key");
pub(super) const MERCHANT_SERIAL: &str = "3775B6A45ACD588826D15E583A95F5DD4A000001";
pub(super) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0119000000012026010100000001";
/// 32 characters, which are the key.
pub(super) const APIV3_KEY: &str = "made-for-tests-and-published-32b";

const PLATFORM: (&str, &str) = ("5157F09EFDC096DE15EBE81A47057A7232000001", include_str!("keys/platform.crt"));
const PLATFORM_NEXT: (&str, &str) =
    ("5157F09EFDC096DE15EBE81A47057A7232000002", include_str!("keys/platform-next.crt"));

/// By which key the scheme signs, and so what the merchant must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Signing {
    /// By the public key that new merchants get; there are no platform certificates.
    #[default]
    PublicKey,
    /// By a platform certificate that the merchant holds.
    Certificate,
    /// By the next platform certificate, while the merchant holds the one before: it has to be fetched. Of the days in which both
    /// are in force; the list of certificates is then signed by the older one.
    NextCertificate,
}

pub(super) struct Keys {
    signing: Signing,
    merchant: UnparsedPublicKey<Vec<u8>>,
    ours: (&'static str, RsaKeyPair),
    /// For the list of certificates.
    of_list: (&'static str, RsaKeyPair),
    chance: SystemRandom,
}

impl Keys {
    pub(super) fn new(signing: Signing) -> anyhow::Result<Self> {
        let public_key = || Ok::<_, anyhow::Error>((PUBLIC_KEY_ID, key_pair(include_str!("keys/public-key.key"))?));
        let platform = || Ok::<_, anyhow::Error>((PLATFORM.0, key_pair(include_str!("keys/platform.key"))?));
        let next = || Ok::<_, anyhow::Error>((PLATFORM_NEXT.0, key_pair(include_str!("keys/platform-next.key"))?));
        let (ours, of_list) = match signing {
            Signing::PublicKey => (public_key()?, public_key()?),
            Signing::Certificate => (platform()?, platform()?),
            Signing::NextCertificate => (next()?, platform()?),
        };
        let merchant = key_pair(MERCHANT_KEY)?.public_key().as_ref().to_vec();
        let merchant = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, merchant);
        Ok(Self { signing, merchant, ours, of_list, chance: SystemRandom::new() })
    }

    /// The keys that a merchant has entered before the play begins.
    pub(super) fn known_to_merchants(&self) -> String {
        match self.signing {
            // As the console gives it, with the id that its user writes above.
            Signing::PublicKey => format!("Key-Id: {PUBLIC_KEY_ID}\n{}", include_str!("keys/public-key.pem")),
            Signing::Certificate | Signing::NextCertificate => PLATFORM.1.to_owned(),
        }
    }

    /// What the header `Wechatpay-Serial` of a request may name: the key by which the merchant wants to be answered.
    pub(super) fn may_be_asked_for(&self, serial: &str) -> bool {
        match self.signing {
            Signing::PublicKey => serial == PUBLIC_KEY_ID,
            _ => serial == PLATFORM.0 || serial == PLATFORM_NEXT.0,
        }
    }

    /// Whether the merchant signed the text.
    pub(super) fn is_merchants(&self, text: &[u8], signature_base64: &str) -> bool {
        STANDARD.decode(signature_base64).is_ok_and(|signature| self.merchant.verify(text, &signature).is_ok())
    }

    /// The headers that sign a body, at this time; `is_list` if it is the list of certificates.
    pub(super) fn headers(&self, now_ms: i64, body: &[u8], is_list: bool) -> anyhow::Result<Vec<(String, String)>> {
        let (timestamp, nonce) = (now_ms.div_euclid(1_000).to_string(), self.nonce(16)?);
        let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        let (serial, key) = if is_list { &self.of_list } else { &self.ours };
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &self.chance, &text, &mut signature)
            .map_err(|_| anyhow!("the scheme's key does not sign"))?;
        Ok([
            ("wechatpay-timestamp", timestamp),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", STANDARD.encode(signature)),
            ("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
            ("wechatpay-serial", (*serial).to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec())
    }

    /// Seals for the merchant, as `resource` of a notification and `encrypt_certificate` of a list have it.
    pub(super) fn seal(&self, associated_data: &str, plain: &[u8]) -> anyhow::Result<Value> {
        let key =
            UnboundKey::new(&AES_256_GCM, APIV3_KEY.as_bytes()).map_err(|_| anyhow!("the APIv3 key is no key"))?;
        // Twelve characters, which are the nonce's bytes.
        let nonce = self.nonce(6)?;
        let unique =
            Nonce::try_assume_unique_for_key(nonce.as_bytes()).map_err(|_| anyhow!("the nonce has no 12 bytes"))?;
        let mut sealed = plain.to_vec();
        LessSafeKey::new(key)
            .seal_in_place_append_tag(unique, Aad::from(associated_data.as_bytes()), &mut sealed)
            .map_err(|_| anyhow!("cannot be sealed"))?;
        Ok(json!({
            "algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": associated_data,
            "ciphertext": STANDARD.encode(sealed),
        }))
    }

    /// Seals for the private key of the merchant's certificate: what is sealed, the sealed key, the nonce. `is_strangers`: for that of
    /// another certificate.
    pub(super) fn seal_envelope(&self, plain: &[u8], is_strangers: bool) -> anyhow::Result<(Vec<u8>, String, String)> {
        let chance = Chance { key: self.nonce(16)?, nonce: self.nonce(8)? };
        let opens = if is_strangers { include_str!("keys/platform.key") } else { MERCHANT_KEY };
        let (sealed, sealed_key) = envelope::seal(&der(opens)?, &chance, plain)?;
        Ok((sealed, sealed_key, chance.nonce))
    }

    /// What `GET /v3/certificates` hands out; none if merchants have the public key.
    pub(super) fn certificates(&self) -> anyhow::Result<Option<Value>> {
        if self.signing == Signing::PublicKey {
            return Ok(None);
        }
        let data = [PLATFORM, PLATFORM_NEXT].map(|(serial, certificate)| {
            Ok::<_, anyhow::Error>(json!({
                "serial_no": serial,
                "effective_time": "2026-01-01T00:00:00+08:00",
                "expire_time": "2099-12-31T23:59:59+08:00",
                "encrypt_certificate": self.seal("certificate", certificate.as_bytes())?,
            }))
        });
        let data = data.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Some(json!({ "data": data })))
    }

    /// Twice as many characters.
    fn nonce(&self, bytes: usize) -> anyhow::Result<String> {
        let mut chance = vec![0; bytes];
        self.chance.fill(&mut chance).map_err(|_| anyhow!("the machine gives no chance"))?;
        Ok(hex::encode(chance))
    }
}

fn key_pair(pem: &str) -> anyhow::Result<RsaKeyPair> {
    RsaKeyPair::from_pkcs8(&der(pem)?).map_err(|why| anyhow!("the key cannot be read: {why}"))
}

fn der(pem: &str) -> anyhow::Result<Vec<u8>> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).context("the key is no PEM")
}
