//! Enrolment, once: a claim code for a certificate.
//!
//! The key is made here and stays here. Core is known by the fingerprint of its CA, which the manager passes on together with
//! the claim code; nobody in between can take the code's place.

use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use saoma_protocol::{
    TerminalId,
    api::{Enrol, Enrolled, Problem},
};
use url::Url;

use super::{
    certificate,
    clock::Untimely,
    identity::{DataDir, Identity, IdentityError},
    tls::{self, Fingerprint, TlsError},
};

/// How long core may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Why the terminal is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(
        "enrol: this data directory belongs to terminal {0}. For another terminal use another directory; if this one's \
         certificate is over or lost, add --again and a claim code for the same terminal"
    )]
    Already(TerminalId),
    #[error(
        "enrol again: the claim code is for terminal {offered}, and this data directory holds the sales of {held}. Make a \
         claim code for that one on the dashboard"
    )]
    AnotherTerminal { held: TerminalId, offered: TerminalId },
    #[error("read the fingerprint {0:?}: it is `sha256:` and 64 hex digits, as the dashboard shows it")]
    Fingerprint(String),
    #[error("read the address {0:?}: it is like https://pay.example:7643, the address of core's terminal listener")]
    Address(String),
    #[error(
        "trust {address}: its CA has the fingerprint sha256:{offered}, not the one given. Compare it with the dashboard; \
         if it differs, somebody is in between"
    )]
    WrongCa { address: String, offered: String },
    #[error(
        "believe {address}: {untimely}, and this machine's clock says another day. Set it, and enrol again; if it is right, \
         core must be started anew"
    )]
    Untimely { address: String, untimely: Untimely },
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
#[derive(Clone)]
pub struct Request {
    pub core: String,
    pub claim_code: String,
    /// `sha256:` and 64 hex digits; the prefix may be missing.
    pub ca_fingerprint: String,
    /// The directory is enrolled already, and keeps its journal: only the certificate is replaced.
    pub again: bool,
}

/// Enrols and writes the identity down. Nothing is left behind if it fails.
///
/// # Errors
/// In this order: `Already`, `Fingerprint`, `Address`, `Key`, then what happens on the wire, `Answer`, `AnotherTerminal`,
/// `Identity`.
pub async fn enrol(folder: &DataDir, request: &Request) -> Result<Identity, EnrolError> {
    let held = match folder.identity() {
        Ok(identity) if request.again => Some(identity.terminal),
        Ok(identity) => return Err(EnrolError::Already(identity.terminal)),
        Err(IdentityError::NotEnrolled(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let pinned = read_fingerprint(&request.ca_fingerprint)?;
    let base = read_address(&request.core)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let csr_pem = certificate::signing_request(&key)?;
    let body = Enrol { claim_code: request.claim_code.trim().to_owned(), csr_pem };
    let enrolled = post(&base, pinned, &body).await?;
    check(&enrolled, pinned, &key)?;
    if let Some(held) = held.filter(|held| *held != enrolled.terminal) {
        return Err(EnrolError::AnotherTerminal { held, offered: enrolled.terminal });
    }
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
        key_file: String::new(),
    };
    Ok(folder.switch_to(identity, &key.serialize_pem())?)
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
    let response = response.map_err(|error| match (verifier.offered_instead(), Untimely::of(&error)) {
        (Some(offered), _) => EnrolError::WrongCa { address: address.clone(), offered: hex::encode(offered) },
        (None, Some(untimely)) => EnrolError::Untimely { address: address.clone(), untimely },
        (None, None) => unreachable(error),
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
    certificate::check(&enrolled.certificate_chain_pem, key, enrolled.terminal).map_err(EnrolError::Answer)?;
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
