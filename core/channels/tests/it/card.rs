//! Cards: charged by a component that never sees them.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use rcgen::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use saoma_channels::{
    Account, Card, CardEntry, ChannelCaller as _, EncryptedPin, Failure, HostConfig, KeptCard, KnownOrder, Secrets,
};

use super::guests::{config, host, hostile_account, known, order};

const NUMBER: &str = "4012345678909";
const TRACK_2: &str = "4012345678909=25122010000012345";

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hex").try_into().expect("that long")
}

/// [`NUMBER`] of December 2025, [`TRACK_2`] and PIN 1234, as a terminal encrypts them: by `pycryptodome` under the keys that the Python package
/// `dukpt` derives.
fn card() -> Card {
    let ksn = bytes("FFFF9876543210E00002");
    Card {
        kept: KeptCard {
            entry: CardEntry::Chip,
            sequence_number: Some(1),
            ksn,
            number: bytes::<24>("a2b4e70f846e63d666a501869e442dbc351b59e427d9d44d").to_vec(),
        },
        track_2: Some(bytes::<32>("a2b4e70f846e63d666a501869e442dbc0980ec6aebbdb20af3b694708f6f85f1").to_vec()),
        pin: Some(EncryptedPin { ksn, block: bytes("10A01C8D02C69107") }),
        emv: bytes::<11>("9F2608A1B2C3D4E5F60718").to_vec(),
    }
}

/// A far side over TLS that sends back what it gets, and keeps it.
fn echo() -> (u16, String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into()));
    let config = Arc::new(config.expect("a configuration"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut tls = StreamOwned::new(connection, stream);
            let mut length = [0; 2];
            if tls.read_exact(&mut length).is_err() {
                continue;
            }
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            if tls.read_exact(&mut message).is_ok() {
                list.lock().expect("a list").push(message.clone());
                let _ = tls.write_all(&[&length[..], &message].concat());
                let _ = tls.flush();
            }
        }
    });
    (port, cert.pem(), heard)
}

fn account(mode: &str, port: u16) -> Account {
    let settings_json = format!(r#"{{"mode":"{mode}","base_url":"tls://localhost:{port}"}}"#);
    Account { settings_json, ..hostile_account("") }
}

#[tokio::test]
async fn a_card_is_charged_by_who_never_sees_it() {
    let (port, pem, heard) = echo();
    let host = host(HostConfig { extra_roots_pem: Some(pem), ..config() }).await;
    let outcome = host.charge_card(&account("card-echo", port), &order(1, 1_000), &card()).await;
    let Err(Failure::NoAnswer { why }) = outcome else { panic!("{outcome:?}") };
    // The far side got all of it.
    let heard = heard.lock().expect("a list").clone();
    let [message] = &heard[..] else { panic!("{} messages", heard.len()) };
    let packed = hex::encode(message);
    assert!(packed.contains(&format!("ee{NUMBER}0ee")) && packed.contains(&TRACK_2.replace('=', "d")), "{packed}");
    assert!(message.windows(NUMBER.len()).any(|window| window == NUMBER.as_bytes()));
    assert!(message.windows(TRACK_2.len()).any(|window| window == TRACK_2.as_bytes()));
    // By `pycryptodome` under the working key.
    assert!(packed.ends_with("6b5634ee70d8c83f"), "{packed}");
    // The plugin got none of it, although it was sent back.
    let words: Vec<&str> = why.split(' ').collect();
    assert_eq!(words[..4], ["401234***8909", "201", "true", "true"], "{why}");
    let answer = words[4];
    for part in [NUMBER.to_owned(), hex::encode(NUMBER), "25122010000012345".to_owned(), hex::encode("2512201")] {
        assert!(!answer.contains(&part), "{answer}");
    }
    assert!(answer.contains("4012340008909") && answer.contains(&hex::encode("4012340008909")), "{answer}");
}

#[tokio::test]
async fn a_later_call_knows_of_a_card_what_core_may_keep() {
    let (port, pem, _) = echo();
    let host = host(HostConfig { extra_roots_pem: Some(pem), ..config() }).await;
    let account = account("key-probe", port);
    // Its keys are none, and what was kept has no PIN: but the number goes out.
    let order = KnownOrder { card: Some(card().kept), ..known(1) };
    let outcome = host.cancel(&account, &order).await;
    assert!(matches!(&outcome, Err(Failure::NoAnswer { why }) if why.contains("message 2 went out")), "{outcome:?}");
    let none = host.cancel(&account, &known(1)).await;
    assert!(matches!(&none, Err(Failure::NotSent { why }) if why == "no key was found"), "{none:?}");
}

#[tokio::test]
async fn cards_that_do_not_open_are_not_sent() {
    let host = host(config()).await;
    let unlike = Card { track_2: None, kept: KeptCard { ksn: bytes("FFFF9876543210E00003"), ..card().kept }, ..card() };
    let failure = host.charge_card(&account("card-echo", 1), &order(1, 1_000), &unlike).await.expect_err("refused");
    assert!(matches!(&failure, Failure::CardUnreadable { why } if why.contains("does not open")), "{failure:?}");
    let without = Account { secrets: Secrets::none(), ..account("card-echo", 1) };
    let failure = host.charge_card(&without, &order(1, 1_000), &card()).await.expect_err("refused");
    assert!(matches!(&failure, Failure::Misconfigured { why } if why.contains("terminal-data-key")), "{failure:?}");
    let wallet = super::guests::sandbox_account("http://127.0.0.1:1");
    assert_eq!(host.charge_card(&wallet, &order(1, 1_000), &card()).await, Err(Failure::Unsupported));
}
