//! Components of the contract 0.1.0 go on working, beside those of the newest; others are refused in words that teach.

use saoma_channels::{
    BillLine, ChannelCaller as _, DeclineCode, Failure, HttpMessage, InstallError, NotificationEvent,
    NotificationFailure, PaymentStatus, RefundOrder, RefundStatus, SecretKind,
};
use saoma_domain::recon::Movement;
use saoma_protocol::{Millis, RefundId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use sha2::{Digest as _, Sha256};

use super::{
    guests::{
        CODE, KEY, cny, component, config, frozen_account, host, known, number, order, sandbox_account,
        stored_component,
    },
    wallet::{Wallet, mac},
};

/// A scheme that says `word` to every request that is signed, and what the last request was.
async fn scheme(word: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while stream.read_buf(&mut request).await.is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                if body.len() < number(1).to_string().len() {
                    continue;
                }
                let is_signed = head.to_ascii_lowercase().contains(&format!("x-tag: {}", mac(KEY, body)));
                let word = if is_signed { word } else { "forged" };
                let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{word}", word.len());
                let _ = stream.write_all(reply.as_bytes()).await;
                request.clear();
            }
        }
    });
    format!("http://{address}")
}

/// A contract that authors have built against is never edited: what it was built into would not fit any more.
#[test]
fn the_older_contract_is_as_it_was_released() {
    let released = [
        ("channel.wit", "e05a7eafb30c31f3e37a0e2a8ebf36cec6ed17add43aef6f761c5b6b83f7946b"),
        ("host.wit", "9ff42109d763ad737da8570a1caf6b9484d153bbf9c11c4da4859344abf1a978"),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/wit/0.1.0");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|file| {
            let file = file.expect("a file");
            let digest = Sha256::digest(std::fs::read(file.path()).expect("it is read"));
            (file.file_name().to_string_lossy().into_owned(), hex::encode(digest))
        })
        .collect();
    found.sort_unstable();
    let released = released.map(|(name, digest)| (name.to_owned(), digest.to_owned()));
    assert_eq!(
        found, released,
        "sdk/wit/0.1.0 is released, and a released contract is never edited, not even its comments: put the change into a new version \
         (a folder beside it; ARCHITECTURE.md says what goes with it)"
    );
}

/// Built from today's source, and as it was built when the contract was released: whoever changes the contract and the source together
/// still has the latter against them.
#[tokio::test]
async fn a_component_of_the_older_contract_does_all_that_it_did() {
    for bytes in [component("frozen"), stored_component("frozen-0.1.0")] {
        does_all_that_it_did(&bytes).await;
    }
}

async fn does_all_that_it_did(bytes: &[u8]) {
    let host = host(config()).await;
    let manifest = host.install(bytes).await.expect("installs").manifest().clone();
    assert_eq!((manifest.claims.len(), manifest.secrets[0].kind), (3, SecretKind::MacKey));
    // What settles batches is found in the component; one without it goes on as it is, of either version.
    assert_eq!(manifest.settlement, None);
    for (name, rows_max) in [("sandbox", None), ("card", Some(999))] {
        let found = host.install(&component(name)).await.expect("installs").manifest().settlement;
        assert_eq!(found.map(|terms| terms.rows_max), rows_max, "{name}");
    }
    let account = frozen_account(&scheme("paid").await);

    let created = host.create(&account, &order(1, 1_000)).await.expect("created");
    assert_eq!(created.code, format!("frozen:{}:http://127.0.0.1:1/notify", number(1)));
    let paid = host.charge(&account, &order(1, 1_000), CODE).await.expect("paid");
    assert_eq!((paid.status, paid.amount), (PaymentStatus::Succeeded, Some(cny(1_000).money())));
    assert_eq!((paid.paid_at, paid.reference.as_str()), (Some(Millis(1_700_000_000_000)), "F1"));
    let waiting = frozen_account(&scheme("waiting").await);
    assert_eq!(host.query(&waiting, &known(1)).await.expect("an answer").status, PaymentStatus::Pending);
    let strange = frozen_account(&scheme("strange").await);
    assert!(matches!(host.query(&strange, &known(1)).await, Err(Failure::NoAnswer { .. })));
    let nobody = frozen_account("http://127.0.0.1:1");
    assert!(matches!(host.query(&nobody, &known(1)).await, Err(Failure::NotSent { .. })));
    assert_eq!(host.cancel(&account, &known(1)).await.expect("undone").status, PaymentStatus::Closed);

    let refund = RefundOrder {
        number: number(1),
        reference: "no more".to_owned(),
        refund_number: RefundId::from_bytes([9; 16]),
        amount: cny(100),
        total: cny(1_000),
        reason: "cold".to_owned(),
        created_at: Millis(1_700_000_000_000),
        card: None,
    };
    let answer = host.refund(&account, &refund).await.expect("taken");
    assert_eq!((answer.status, answer.reference.as_str()), (RefundStatus::Pending, "cold"));
    let RefundStatus::Failed(decline) = host.query_refund(&account, &refund).await.expect("an answer").status else {
        panic!("it failed")
    };
    assert_eq!((decline.code, decline.message.as_str()), (DeclineCode::LimitExceeded, "no more"));
    assert!(host.self_test(&account).await.expect("works").contains("base_url"));
}

#[tokio::test]
async fn its_notifications_and_bills_are_read() {
    for bytes in [component("frozen"), stored_component("frozen-0.1.0")] {
        notifications_and_bills_are_read(&bytes).await;
    }
}

async fn notifications_and_bills_are_read(bytes: &[u8]) {
    let host = host(config()).await;
    host.install(bytes).await.expect("installs");
    let account = frozen_account("http://127.0.0.1:1");
    let told = async |tag: &str, body: &str| {
        let headers = vec![("X-Tag".to_owned(), tag.to_owned())];
        host.parse_notification(&account, &HttpMessage { headers, body: body.as_bytes().to_vec() }).await
    };
    let number = number(1).to_string();
    let outcome = told(&mac(KEY, &number), &number).await.expect("genuine");
    let [NotificationEvent::Payment(answer)] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!((&answer.number, &answer.status), (&number, &PaymentStatus::Succeeded));
    assert_eq!(outcome.acknowledgement.body, b"OK");
    let forged = told(&mac("another key", &number), &number).await;
    assert!(matches!(forged, Err(NotificationFailure::Forged(why)) if why == "its tag is wrong"));
    let news = told("", "news").await;
    assert!(matches!(news, Err(NotificationFailure::Irrelevant(reply)) if reply.body == b"OK"));

    let first = host.fetch_bill(&account, "2026-01-31", None).await.expect("a page");
    let movements: Vec<_> = first
        .lines
        .iter()
        .map(|line| match line {
            BillLine::Row(row) => (row.key.movement, row.key.number.as_str(), row.reference.as_str()),
            BillLine::Unreadable(text) => panic!("{text}"),
        })
        .collect();
    assert_eq!(
        movements,
        [
            (Movement::Payment, "pay_1", "2026-01-31"),
            (Movement::Refund, "rfd_1", "2026-01-31"),
            (Movement::Reversal, "pay_1", "2026-01-31")
        ]
    );
    let last = host.fetch_bill(&account, "2026-01-31", first.next_cursor.as_deref()).await.expect("a page");
    assert_eq!((last.lines.as_slice(), last.next_cursor), (&[BillLine::Unreadable("end".to_owned())][..], None));
}

/// One host, one moment, components of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_are_called_at_once() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    host.install(&component("frozen")).await.expect("installs");
    let (old, new) = (frozen_account(&scheme("paid").await), sandbox_account(&wallet.url()));
    for n in 1..20 {
        let order = order(n, 1_000);
        let (a, b) = tokio::join!(host.charge(&old, &order, CODE), host.charge(&new, &order, CODE));
        for answer in [a, b] {
            let answer = answer.expect("paid");
            assert_eq!((answer.status, answer.number), (PaymentStatus::Succeeded, number(n).to_string()));
        }
    }
}

#[tokio::test]
async fn an_unknown_version_is_refused_in_words_that_teach() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = saoma_channels::Host::new(saoma_channels::HostConfig {
        calls_max: saoma_channels::CallsMax::of(4),
        ..saoma_channels::HostConfig::new(dir.path().join("cache"))
    })
    .expect("starts");
    // The names of imports and exports carry the version; they have the same length.
    let mut bytes = component("frozen");
    let (from, to) = (b"@0.1.0", b"@0.9.0");
    let found: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, text)| text == from).map(|(at, _)| at).collect();
    assert!(!found.is_empty());
    found.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    let error = host.install(&bytes).await.expect_err("refused");
    assert!(matches!(&error, InstallError::UnknownVersion { version } if version == "0.9.0"), "{error:?}");
    let told = error.to_string();
    for part in ["0.9.0", "0.1.0 and 0.2.0", "update core"] {
        assert!(told.contains(part), "{told}");
    }
}
