//! Enrolment, once: a claim code for a certificate.
//!
//! The key is made here and stays here. Core is known by the fingerprint of its CA, which the manager passes on together with
//! the claim code; nobody in between can take the code's place.

use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use saoma_protocol::api::{Enrol, Enrolled, Problem};
use url::Url;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{
    identity::{DataDir, Identity, IdentityError},
    tls::{self, Fingerprint, TlsError},
};

/// How long core may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Why the terminal is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("enrol again: this data directory belongs to terminal {0}; use another one, or restore its backup")]
    Already(String),
    #[error("read the fingerprint {0:?}: it is `sha256:` and 64 hex digits, as the dashboard shows it")]
    Fingerprint(String),
    #[error("read the address {0:?}: it is like https://pay.example:7643, the address of core's terminal listener")]
    Address(String),
    #[error(
        "trust {address}: its CA has the fingerprint sha256:{offered}, not the one given. Compare it with the dashboard; \
         if it differs, somebody is in between"
    )]
    WrongCa { address: String, offered: String },
    #[error("reach {address}: {why}")]
    Unreachable { address: String, why: String },
    #[error("use the claim code: {0}")]
    Refused(String),
    #[error("believe core's answer: {0}")]
    Answer(String),
    #[error("make a key")]
    Key(#[from] rcgen::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// What a person types.
#[derive(Clone, Debug)]
pub struct Request {
    pub core: String,
    pub claim_code: String,
    /// `sha256:` and 64 hex digits; the prefix may be missing.
    pub ca_fingerprint: String,
}

/// Enrols and writes the identity down. Nothing is left behind if it fails, except a key that the next try replaces.
///
/// # Errors
/// In this order: `Already`, `Fingerprint`, `Address`, `Key`, then what happens on the wire, `Answer`, `Identity`.
pub async fn enrol(folder: &DataDir, request: &Request) -> Result<Identity, EnrolError> {
    if folder.is_enrolled() {
        return Err(EnrolError::Already(folder.identity()?.terminal.to_string()));
    }
    let pinned = read_fingerprint(&request.ca_fingerprint)?;
    let base = read_address(&request.core)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    folder.write_key(&key.serialize_pem())?;
    // Core names the terminal; an empty subject says nothing that it would have to ignore.
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let csr_pem = params.serialize_request(&key)?.pem()?;
    let body = Enrol { claim_code: request.claim_code.trim().to_owned(), csr_pem };
    let enrolled = post(&base, pinned, &body).await?;
    check(&enrolled, pinned, &key)?;
    let identity = Identity {
        v: Identity::version(),
        core_url: base.as_str().trim_end_matches('/').to_owned(),
        tenant: enrolled.tenant,
        terminal: enrolled.terminal,
        store: enrolled.store,
        mqtt_host: enrolled.mqtt_host,
        mqtt_port: enrolled.mqtt_port,
        profile: enrolled.profile,
        ca_pem: enrolled.ca_pem,
        certificate_chain_pem: enrolled.certificate_chain_pem,
    };
    folder.write_identity(&identity)?;
    Ok(identity)
}

fn read_fingerprint(text: &str) -> Result<Fingerprint, EnrolError> {
    let refused = || EnrolError::Fingerprint(text.chars().take(80).collect());
    let digits = text.trim().strip_prefix("sha256:").unwrap_or(text.trim()).replace(':', "");
    hex::decode(digits).map_err(|_| refused())?.try_into().map_err(|_| refused())
}

fn read_address(text: &str) -> Result<Url, EnrolError> {
    let refused = || EnrolError::Address(text.chars().take(200).collect());
    let url = Url::parse(text.trim()).map_err(|_| refused())?;
    let bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
    if url.scheme() == "https" && url.has_host() && bare { Ok(url) } else { Err(refused()) }
}

async fn post(base: &Url, pinned: Fingerprint, body: &Enrol) -> Result<Enrolled, EnrolError> {
    let (config, verifier) = tls::first_contact(pinned)?;
    let address = base.to_string();
    let unreachable =
        |error: reqwest::Error| EnrolError::Unreachable { address: address.clone(), why: super::https::chain(&error) };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(ANSWER_MAX)
        .build()
        .map_err(unreachable)?;
    let url = format!("{}v1/terminal/enrol", base.as_str());
    // The claim code is single-use; the key only tells repetitions of this very request apart.
    let response = client.post(url).header("idempotency-key", idempotency_key(body)).json(body).send().await;
    let response = response.map_err(|error| match verifier.offered_instead() {
        Some(offered) => EnrolError::WrongCa { address: address.clone(), offered: hex::encode(offered) },
        None => unreachable(error),
    })?;
    let status = response.status();
    let text = response.text().await.map_err(unreachable)?;
    if !status.is_success() {
        let problem = serde_json::from_str::<Problem>(&text);
        let why = problem.map_or_else(|_| format!("core answered {status}"), |problem| problem.detail);
        return Err(EnrolError::Refused(why));
    }
    serde_json::from_str(&text).map_err(|error| EnrolError::Answer(error.to_string()))
}

fn idempotency_key(body: &Enrol) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(body.csr_pem.as_bytes()))
}

/// Core's answer must be about our key, from the CA that was pinned, and name the terminal that the certificate names.
fn check(enrolled: &Enrolled, pinned: Fingerprint, key: &KeyPair) -> Result<(), EnrolError> {
    let wrong = |why: &str| Err(EnrolError::Answer(why.to_owned()));
    let cas = tls::certificates("core's CA", &enrolled.ca_pem)?;
    if !matches!(cas.as_slice(), [ca] if tls::fingerprint(ca) == pinned) {
        return wrong("it names another CA than the one given");
    }
    let chain = tls::certificates("the terminal's certificate", &enrolled.certificate_chain_pem)?;
    let Some(own) = chain.first() else { return wrong("it holds no certificate") };
    let (_, parsed) =
        X509Certificate::from_der(own).map_err(|_| EnrolError::Answer("its certificate is unreadable".to_owned()))?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return wrong("its certificate is for another key");
    }
    let mut names = parsed.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    if names.next() != Some(enrolled.terminal.to_string().as_str()) {
        return wrong("its certificate names another terminal");
    }
    if enrolled.mqtt_host.is_empty() || enrolled.mqtt_port == 0 {
        return wrong("it names no broker");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_copy_them() {
        let digits = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        for text in [format!("sha256:{digits}"), digits.clone(), format!(" sha256:{digits}\n"), colons] {
            assert_eq!(read_fingerprint(&text).unwrap(), [0xab; 32], "{text}");
        }
        for text in ["", "sha256:", "sha256:abcd", "sha1:abab", &digits[1..], &format!("{digits}ab"), "zz"] {
            assert!(matches!(read_fingerprint(text), Err(EnrolError::Fingerprint(_))), "{text}");
        }
    }

    #[test]
    fn addresses() {
        for text in ["https://127.0.0.1:7643", "https://pay.example", " https://[::1]:7643/ "] {
            assert!(read_address(text).is_ok(), "{text}");
        }
        for text in
            ["", "127.0.0.1:7643", "http://pay.example", "https://", "https://pay.example/v1", "https://a@b", "ftp://x"]
        {
            assert!(matches!(read_address(text), Err(EnrolError::Address(_))), "{text}");
        }
    }
}
