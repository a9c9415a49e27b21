//! Certificates shown and looked at, against a server of rustls.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use reqwest::header::HeaderMap;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use saoma_protocol::ChannelAccountId;
use tokio::time::Instant;

use super::{Identity, provider};
use crate::{
    bindings::http::Error,
    host::{
        HostConfig,
        http::{Checked, Network, Sent},
    },
    manifest::SecretKind,
    secret::{Secrets, key::Key},
};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A certificate for that name, and its key, both PEM.
fn issued(name: &str, issuer: &CertifiedIssuer<'static, KeyPair>) -> (CertificateDer<'static>, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, issuer).expect("signed");
    (certificate.der().clone(), format!("{}{}", certificate.pem(), key.serialize_pem()))
}

/// Answers 204 to whoever shows a certificate of `clients` (or to anybody), and says on which port.
fn server(chain: CertificateDer<'static>, key: &[u8], clients: Option<&CertificateDer<'static>>) -> u16 {
    let provider = Arc::new(provider::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        Some(root) => {
            let mut roots = RootCertStore::empty();
            roots.add(root.clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivatePkcs8KeyDer::from(key.to_vec());
    let config = Arc::new(builder.with_single_cert(vec![chain], key.into()).expect("a configuration"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            if matches!(tls.read(&mut [0; 4_096]), Ok(1..)) {
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
        }
    });
    port
}

/// What comes back from there: the status, or the error's kind.
async fn visited(
    network: &Network,
    url: &str,
    client: Option<&str>,
    trusted: Option<&str>,
) -> Result<u16, &'static str> {
    let secrets =
        Secrets::none().with("client", client.unwrap_or_default()).with("trusted", trusted.unwrap_or_default());
    let key = |name, kind| secrets.key(name, kind).expect("there").expect("sound");
    let client = client.map(|_| match &*key("client", SecretKind::ClientCertificate) {
        Key::Client(certified) => (**certified).clone(),
        other => panic!("{other:?}"),
    });
    let trusted = trusted.map(|_| match &*key("trusted", SecretKind::Certificates) {
        Key::Certificates(certificates) => certificates.clone(),
        other => panic!("{other:?}"),
    });
    let request = Checked {
        method: reqwest::Method::GET,
        url: url.parse().expect("a URL"),
        headers: HeaderMap::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(5),
        answer_bytes_max: 1_024,
        sent: Sent::default(),
        identity: Some(Identity { account: ChannelAccountId::from_bytes([1; 16]), client, trusted }),
    };
    match network.send(Box::new(request), None, Instant::now() + Duration::from_secs(10)).await {
        Ok(response) => Ok(response.status),
        Err(Error::Unreachable(_)) => Err("unreachable"),
        Err(Error::Broken(_)) => Err("broken"),
        Err(other) => panic!("{other:?}"),
    }
}

fn network() -> Network {
    Network::new(&HostConfig { allow_private_addresses: true, ..HostConfig::new("") }).expect("a network")
}

#[tokio::test]
async fn a_node_is_known_by_the_very_certificate_it_made_itself() {
    let (node, other) = (authority("node.invalid"), authority("node.invalid"));
    let port = server(node.der().clone(), &node.key().serialize_der(), None);
    let (network, url) = (network(), format!("https://127.0.0.1:{port}/"));
    assert_eq!(visited(&network, &url, None, Some(&node.pem())).await, Ok(204));
    // Kept, and used again.
    assert_eq!(visited(&network, &url, None, Some(&node.pem())).await, Ok(204));
    assert_eq!(visited(&network, &url, None, Some(&format!("{}{}", other.pem(), node.pem()))).await, Ok(204));
    assert_eq!(visited(&network, &url, None, Some(&other.pem())).await, Err("unreachable"));
    assert_eq!(visited(&network, &url, None, None).await, Err("unreachable"));
}

#[tokio::test]
async fn a_trusted_authority_vouches_for_names() {
    let authority = authority("authority.invalid");
    let (certificate, pem) = issued("localhost", &authority);
    let port = server(certificate, &key_of(&pem), None);
    let network = network();
    let trusted = authority.pem();
    assert_eq!(visited(&network, &format!("https://localhost:{port}/"), None, Some(&trusted)).await, Ok(204));
    let by_address = visited(&network, &format!("https://127.0.0.1:{port}/"), None, Some(&trusted)).await;
    assert_eq!(by_address, Err("unreachable"), "it is not the name in the certificate");
}

#[tokio::test]
async fn a_node_is_known_past_the_end_of_its_certificate_and_what_an_authority_issued_is_not() {
    let ended = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2025, 1, 1);
        params
    };
    let (network, key) = (network(), KeyPair::generate().expect("a key"));
    let node = ended("node.invalid").self_signed(&key).expect("signed");
    let port = server(node.der().clone(), &key.serialize_der(), None);
    let url = format!("https://127.0.0.1:{port}/");
    assert_eq!(visited(&network, &url, None, Some(&node.pem())).await, Ok(204));
    assert_eq!(visited(&network, &url, None, Some(&authority("node.invalid").pem())).await, Err("unreachable"));
    let authority = authority("authority.invalid");
    let issued = ended("localhost").signed_by(&key, &authority).expect("signed");
    let port = server(issued.der().clone(), &key.serialize_der(), None);
    let by_name = visited(&network, &format!("https://localhost:{port}/"), None, Some(&authority.pem())).await;
    assert_eq!(by_name, Err("unreachable"));
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_wanted() {
    let (node, clients, others) = (authority("node.invalid"), authority("clients"), authority("others"));
    let port = server(node.der().clone(), &node.key().serialize_der(), Some(clients.der()));
    let (network, url) = (network(), format!("https://127.0.0.1:{port}/"));
    let (_, ours) = issued("shop", &clients);
    let (_, theirs) = issued("shop", &others);
    let trusted = node.pem();
    assert_eq!(visited(&network, &url, Some(&ours), Some(&trusted)).await, Ok(204));
    // TLS 1.3 lets the server refuse a client after the client's first words: then they may have been heard.
    assert!(visited(&network, &url, None, Some(&trusted)).await.is_err());
    assert!(visited(&network, &url, Some(&theirs), Some(&trusted)).await.is_err());
    assert_eq!(visited(&network, &url, Some(&ours), Some(&trusted)).await, Ok(204));
}

/// The private key's DER of a text that holds one.
fn key_of(text: &str) -> Vec<u8> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).expect("a key").secret_der().to_vec()
}
