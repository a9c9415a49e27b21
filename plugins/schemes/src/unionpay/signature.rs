//! RSA with SHA-256 over the lower-case hex of the SHA-256 of the sorted text (signMethod 01 of version 5.1.0).

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey},
};

use super::text::{Fields, to_sign};

/// What the merchant signs with: the far side knows it, to check by and to hand out at the stage door.
pub const MERCHANT_KEY: &str = include_str!("../../keys/unionpay/merchant-sign.key");
/// The serial number of the merchant's certificate, in decimal.
pub const MERCHANT_CERT_ID: &str = "68759663125";
/// What the scheme's answers are signed with.
const SCHEME_KEY: &str = include_str!("../../keys/unionpay/unionpay-sign.key");
pub const SCHEME_CERTIFICATE: &str = include_str!("../../keys/unionpay/unionpay-sign.pem");

/// The keys of both sides.
pub struct Keys {
    merchant: Vec<u8>,
    scheme: RsaKeyPair,
}

impl Keys {
    /// # Errors
    /// If the keys that come with this program cannot be read.
    pub fn new() -> anyhow::Result<Self> {
        let merchant = pair(MERCHANT_KEY)?.public_key().as_ref().to_vec();
        Ok(Self { merchant, scheme: pair(SCHEME_KEY)? })
    }

    /// Whether the merchant signed these fields.
    pub fn merchant_signed(&self, fields: &Fields) -> bool {
        let signature = fields.get("signature").and_then(|text| STANDARD.decode(text).ok());
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.merchant);
        signature.is_some_and(|signature| key.verify(hashed(fields).as_bytes(), &signature).is_ok())
    }

    /// Adds the scheme's certificate and signature.
    pub fn sign(&self, fields: &mut Fields) {
        fields.insert("signPubKeyCert".to_owned(), SCHEME_CERTIFICATE.trim_end().replace('\n', "\r\n"));
        let mut signature = vec![0; self.scheme.public().modulus_len()];
        let hashed = hashed(fields);
        if self.scheme.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), hashed.as_bytes(), &mut signature).is_ok() {
            fields.insert("signature".to_owned(), STANDARD.encode(signature));
        }
    }
}

fn hashed(fields: &Fields) -> String {
    hex::encode(digest::digest(&digest::SHA256, to_sign(fields).as_bytes()))
}

fn pair(pem: &str) -> anyhow::Result<RsaKeyPair> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).context("a test key is no PEM")?;
    RsaKeyPair::from_pkcs8(&der).map_err(|error| anyhow!("a test key cannot be read: {error}"))
}
