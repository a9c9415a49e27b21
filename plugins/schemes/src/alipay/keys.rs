//! The two key pairs, made for tests: the application signs requests, Alipay signs answers and notifications (RSA2).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{self, RsaKeyPair, UnparsedPublicKey},
};

pub const APP_PRIVATE: &str = include_str!("keys/test-app-private.pem");
pub const ALIPAY_PUBLIC: &str = include_str!("keys/test-alipay-public.pem");
pub const ALIPAY_CERTIFICATE: &str = include_str!("keys/test-alipay-cert.pem");
pub const APP_ID: &str = "2014072300007148";
pub const SELLER_ID: &str = "2088102146225135";
/// `app_cert_sn`, `alipay_root_cert_sn` and `alipay_cert_sn` of the certificates in `keys/`, as Alipay's SDK computes them.
pub const APP_CERT_SN: &str = "1dde5d1bdeed3f05a36db39b30a430b6";
pub const ROOT_CERT_SN: &str = "b367c1668616831984098b21ed3c1e31";
pub const ALIPAY_CERT_SN: &str = "427bdc8f23753e894d74f867c8429b05";

/// What a gateway signs and checks with.
pub struct Keys {
    alipay: RsaKeyPair,
    app: UnparsedPublicKey<Vec<u8>>,
}

impl Keys {
    /// # Errors
    /// If the committed keys are broken.
    pub fn load() -> anyhow::Result<Self> {
        let pair = |pem: &str| -> anyhow::Result<RsaKeyPair> {
            RsaKeyPair::from_pkcs8(&der(pem)?).map_err(|why| anyhow::anyhow!("a test key is refused: {why}"))
        };
        let app = pair(APP_PRIVATE)?.public().as_ref().to_vec();
        Ok(Self {
            alipay: pair(include_str!("keys/test-alipay-private.pem"))?,
            app: UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, app),
        })
    }

    /// Alipay's signature, in Base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.alipay.public().modulus_len()];
        match self.alipay.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature) {
            Ok(()) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    /// Whether the application signed it.
    #[must_use]
    pub fn verifies(&self, text: &str, signature_base64: &str) -> bool {
        STANDARD.decode(signature_base64).is_ok_and(|signature| self.app.verify(text.as_bytes(), &signature).is_ok())
    }
}

fn der(pem: &str) -> anyhow::Result<Vec<u8>> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Ok(STANDARD.decode(base64)?)
}
