//! A channel whose self-test does one cryptographic operation so many times: by the host, or with code of its own.

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rsa::{
    RsaPrivateKey,
    pkcs1v15::SigningKey,
    pkcs8::DecodePrivateKey as _,
    signature::{SignatureEncoding as _, Signer as _},
};
use saoma_channel_sdk::{
    Account, BillPage, Cadence, Capability, Created, Error, Guest, HttpMessage, KnownOrder, Manifest,
    NotificationError, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder, SecretKind, SecretSpec,
    aes_gcm_open, not_sent, rsa_sign, settings,
};
use serde::Deserialize;
use sha2::Sha256;

#[derive(Deserialize)]
struct Settings {
    work: Work,
    times: u32,
    /// PKCS#8 in PEM: what a guest would have to be given if the host did not sign.
    rsa_key: String,
    aes_key_base64: String,
    nonce_base64: String,
    sealed_base64: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Work {
    RsaHost,
    RsaGuest,
    AesHost,
    AesGuest,
}

struct Crypto;

impl Guest for Crypto {
    fn describe() -> Manifest {
        let secret =
            |name: &str, kind| SecretSpec { name: name.to_owned(), kind, description: String::new() };
        Manifest {
            id: "crypto".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Crypto (for a bench)".to_owned(),
            currencies: vec!["CNY".to_owned()],
            capabilities: vec![Capability::MerchantPresented, Capability::Cancel],
            claims: Vec::new(),
            settings_schema: r#"{"type":"object"}"#.to_owned(),
            secrets: vec![secret("rsa", SecretKind::RsaPrivateKey), secret("aes", SecretKind::Aes256Key)],
            hosts: Vec::new(),
            cadence: Cadence { call_timeout_ms: 30_000, query_interval_ms: 1_000, reverse_after_ms: 5_000 },
            bills: None,
        }
    }

    /// The result of the last time, so that nobody can leave the work out: the signature in Base64, or the opened length.
    fn self_test(account: Account) -> Result<String, Error> {
        let Settings { work, times, rsa_key, aes_key_base64, nonce_base64, sealed_base64 } = settings(&account)?;
        let mut last = String::new();
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| not_sent("no Base64"));
        match work {
            Work::RsaHost => {
                for _ in 0..times {
                    last = rsa_sign("rsa", MESSAGE)?;
                }
            }
            Work::RsaGuest => {
                let key = RsaPrivateKey::from_pkcs8_pem(&rsa_key).map_err(|error| not_sent(error.to_string()))?;
                let key = SigningKey::<Sha256>::new(key);
                for _ in 0..times {
                    last = STANDARD.encode(key.sign(MESSAGE).to_bytes());
                }
            }
            Work::AesHost => {
                let nonce = bytes(&nonce_base64)?;
                for _ in 0..times {
                    let opened = aes_gcm_open("aes", &nonce, b"transaction", &sealed_base64)?;
                    last = opened.ok_or_else(|| not_sent("not sealed so"))?.len().to_string();
                }
            }
            Work::AesGuest => {
                let (key, nonce) = (bytes(&aes_key_base64)?, bytes(&nonce_base64)?);
                let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| not_sent("no key"))?;
                for _ in 0..times {
                    let sealed = bytes(&sealed_base64)?;
                    let sealed = Payload { msg: &sealed, aad: b"transaction" };
                    let opened = cipher.decrypt(Nonce::from_slice(&nonce), sealed);
                    last = opened.map_err(|_| not_sent("not sealed so"))?.len().to_string();
                }
            }
        }
        Ok(last)
    }

    fn create(_: Account, _: Order) -> Result<Created, Error> {
        Err(Error::Unsupported)
    }

    fn charge(_: Account, _: Order, _: String) -> Result<PaymentAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query(_: Account, _: KnownOrder) -> Result<PaymentAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn cancel(_: Account, _: KnownOrder) -> Result<PaymentAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn refund(_: Account, _: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query_refund(_: Account, _: RefundOrder) -> Result<RefundAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn parse_notification(_: Account, _: HttpMessage) -> Result<NotificationOutcome, NotificationError> {
        Err(NotificationError::Malformed("this channel has no notifications".to_owned()))
    }

    fn fetch_bill(_: Account, _: String, _: Option<String>) -> Result<BillPage, Error> {
        Err(Error::Unsupported)
    }
}

/// As long as the text that a scheme has signed.
const MESSAGE: &[u8] = &[b'm'; 512];

saoma_channel_sdk::export!(Crypto);
