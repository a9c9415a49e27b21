//! Where plugins can go, and what leaves with them.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, pki_types::PrivatePkcs8KeyDer};
use saoma_channels::{Account, ChannelCaller as _, Failure, Grant, Host, HostConfig, HostError, PaymentStatus};
use tracing::{Instrument as _, instrument::WithSubscriber as _};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{
    guests::{CODE, config, host, hostile_account, order, sandbox_account},
    wallet::Wallet,
};

#[tokio::test]
async fn private_addresses_are_refused_unless_the_operator_allows_them() {
    let wallet = Wallet::start().await;
    let port = wallet.address.port();
    let closed = host(HostConfig { allow_private_addresses: false, ..config() }).await;
    for base_url in [
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        // The same address in the spellings that URL parsers take.
        format!("https://2130706433:{port}"),
        format!("https://0x7f.1:{port}"),
        "https://169.254.169.254".to_owned(),
        "https://10.0.0.1".to_owned(),
    ] {
        let failure = closed.charge(&sandbox_account(&base_url), &order(1, 1_000), CODE).await.expect_err("refused");
        assert!(
            matches!(&failure, Failure::NotSent { why } if why.contains("not a public address")),
            "{base_url}: {failure:?}"
        );
    }
    let plain = closed.charge(&sandbox_account(&wallet.url()), &order(1, 1_000), CODE).await.expect_err("no TLS");
    assert!(matches!(&plain, Failure::NotSent { why } if why.contains("https")), "{plain:?}");
    assert!(wallet.requests().is_empty());

    let open = host(config()).await;
    let by_name = sandbox_account(&format!("http://localhost:{port}"));
    let answer = open.charge(&by_name, &order(1, 1_000), CODE).await.expect("allowed");
    assert_eq!(answer.status, PaymentStatus::Succeeded);
    // Without TLS only inside: an address written as a number needs no resolver to be refused.
    let outside = open.charge(&sandbox_account("http://8.8.8.8"), &order(2, 1_000), CODE).await.expect_err("refused");
    assert!(matches!(&outside, Failure::NotSent { why } if why.contains("without TLS")), "{outside:?}");
}

/// A TLS handshake that comes to nothing: the request never left.
#[tokio::test]
async fn no_tls_is_no_connection() {
    let wallet = Wallet::start().await;
    let host = host(config()).await;
    let account = sandbox_account(&wallet.url().replace("http:", "https:"));
    let failure = host.charge(&account, &order(1, 1_000), CODE).await.expect_err("no TLS there");
    assert!(matches!(&failure, Failure::NotSent { why } if why.contains("cannot be reached")), "{failure:?}");
}

/// A server on `localhost` that speaks TLS under a certificate of its own making and answers 204 to whatever comes.
fn tls_server() -> (u16, String) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into()));
    let config = Arc::new(config.expect("a configuration"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            if matches!(tls.read(&mut [0; 4_096]), Ok(1..)) {
                let _ = tls.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
            }
        }
    });
    (port, cert.pem())
}

#[tokio::test]
async fn tls_needs_a_certificate_that_is_trusted() {
    let (port, pem) = tls_server();
    let visited = async |config: HostConfig, name: &str| {
        let account = Account {
            settings_json: format!(r#"{{"mode":"private-address","base_url":"https://{name}:{port}"}}"#),
            ..hostile_account("")
        };
        host(config).await.charge(&account, &order(1, 1_000), "770000000000000000").await.expect_err("no payment")
    };
    let trusting = || HostConfig { extra_roots_pem: Some(pem.clone()), ..config() };
    let failure = visited(trusting(), "localhost").await;
    assert!(matches!(&failure, Failure::NoAnswer { why } if why.contains("it got out: status 204")), "{failure:?}");
    // Not trusted, or trusted for another name: the request never left.
    for failure in [visited(config(), "localhost").await, visited(trusting(), "127.0.0.1").await] {
        assert!(matches!(&failure, Failure::NotSent { why } if why.contains("ertificate")), "{failure:?}");
    }
    let nonsense = HostConfig { extra_roots_pem: Some("nonsense".to_owned()), ..config() };
    assert!(matches!(Host::new(nonsense), Err(HostError::Http(_))));
}

/// One trace from the caller's span to the scheme's door.
#[tokio::test]
async fn the_scheme_is_told_the_trace() {
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let (wallet, account);
    {
        let host = host(config()).await;
        wallet = Wallet::start().await;
        account = sandbox_account(&wallet.url());
        let sale = async {
            let trace_id = tracing::Span::current().context().span().span_context().trace_id();
            host.charge(&account, &order(1, 1_000), CODE).await.expect("paid");
            trace_id
        };
        let trace_id = async { sale.instrument(tracing::info_span!("sale")).await }.with_subscriber(subscriber).await;
        let parents = wallet.trace_parents();
        let [parent] = &parents[..] else { panic!("{parents:?}") };
        let parts: Vec<&str> = parent.split('-').collect();
        assert_eq!(parts[..2], ["00", &trace_id.to_string()], "{parent}");
        assert_eq!((parts[2].len(), parts[3]), (16, "01"), "{parent}");
    }
    // Without a recorder there is no trace to tell of.
    let host = host(config()).await;
    host.charge(&account, &order(2, 1_000), CODE).await.expect("paid");
    assert_eq!(wallet.trace_parents().len(), 1);
}

#[tokio::test]
async fn the_operators_grant_is_the_last_word() {
    let wallet = Wallet::start().await;
    let granted = Grant::only([format!("127.0.0.1:{}", wallet.address.port()).as_str()]).expect("a grant");
    let host = host(HostConfig { grant: granted, ..config() }).await;
    host.charge(&sandbox_account(&wallet.url()), &order(1, 1_000), CODE).await.expect("granted");
    let other = Wallet::start().await;
    let failure = host.charge(&sandbox_account(&other.url()), &order(1, 1_000), CODE).await.expect_err("not granted");
    assert!(matches!(&failure, Failure::NotSent { why } if why.contains("granted")), "{failure:?}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_setting_opens_its_own_host_and_no_other() {
    let wallet = Wallet::start().await;
    let host = host(config()).await;
    let account = hostile_account("private-address");
    let pointed = Account {
        settings_json: format!(r#"{{"mode":"private-address","base_url":"{}"}}"#, wallet.url()),
        ..account.clone()
    };
    // Allowed by the operator and named in the settings: it does get there, and the wallet turns it away.
    let failure = host.charge(&pointed, &order(1, 1_000), "770000000000000000").await.expect_err("a refusal");
    assert!(matches!(&failure, Failure::NoAnswer { why } if why.contains("401")), "{failure:?}");
    // Forbidden: the error shows the author the line that would open it.
    let failure = host.charge(&hostile_account("forbidden-host"), &order(1, 1_000), "770000000000000000").await;
    assert!(
        matches!(&failure, Err(Failure::NotSent { why }) if why.contains("fixed(\"example.com:443\")")),
        "{failure:?}"
    );
}
