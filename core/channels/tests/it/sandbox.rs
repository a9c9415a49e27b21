//! The sandbox channel against a wallet written from the published protocol.

use std::time::Instant;

use saoma_channels::{
    Account, BillLine, ChannelCaller as _, Decline, DeclineCode, Failure, HttpMessage, NotificationEvent,
    NotificationFailure, Order, PaymentStatus, RefundOrder, RefundStatus, Secrets,
};
use saoma_protocol::{Amount, Currency, Millis, RefundId};

use super::{
    guests::{CODE, KEY, cny, config, host, known, number, order, sandbox_account},
    wallet::{CUT, HUGE, NOW, REDIRECT, Wallet},
};

#[tokio::test]
async fn a_sale_of_each_kind() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());

    assert_eq!(host.create(&account, &order(1, 1_250)).await.expect("created").code, "http://w/pay/t");
    assert_eq!(host.query(&account, &known(1)).await.expect("known").status, PaymentStatus::Pending);
    assert_eq!(host.cancel(&account, &known(1)).await.expect("closed").status, PaymentStatus::Closed);

    let paid = host.charge(&account, &order(2, 1_250), CODE).await.expect("paid");
    assert_eq!(paid.status, PaymentStatus::Succeeded);
    assert_eq!((paid.number, paid.amount), (number(2).to_string(), Some(cny(1_250).money())));
    assert_eq!((paid.reference.as_str(), paid.paid_at), ("W-1", Some(Millis(NOW))));
    let again = host.charge(&account, &order(2, 1_250), CODE).await.expect("the first result");
    assert_eq!(again.reference, "W-1");
    assert_eq!(host.cancel(&account, &known(2)).await.expect("undone").status, PaymentStatus::Closed);

    assert_eq!(host.query(&account, &known(3)).await.expect("an answer").status, PaymentStatus::NotFound);
    insta::assert_debug_snapshot!(wallet.requests().len(), @"7");
}

#[tokio::test]
async fn refusals_are_answers() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    for (n, minor, code, expected) in [
        (1, 1_091, CODE, DeclineCode::InsufficientFunds),
        (2, 1_000, "880000000000000000", DeclineCode::CodeInvalid),
        (3, 1_000, "880000000000000001", DeclineCode::CodeExpired),
    ] {
        let answer = host.charge(&account, &order(n, minor), code).await.expect("an answer");
        assert!(matches!(answer.status, PaymentStatus::Failed(Decline { code, .. }) if code == expected), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_the_schemes_clear_word_is_no_answer() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    for (minor, why) in [
        (1_093, "did not answer in time"),
        (1_095, "signature does not fit"),
        (1_096, "cut off"),
        (1_000 + REDIRECT, "signature does not fit"),
        (1_000 + HUGE, "larger than 1048576 bytes"),
        (1_000 + CUT, "cut off"),
    ] {
        let n = u8::try_from(minor % 100).expect("two digits");
        let failure = host.charge(&account, &order(n, minor), CODE).await.expect_err("no clear answer");
        assert!(matches!(&failure, Failure::NoAnswer { why: text } if text.contains(why)), "{minor}: {failure:?}");
        assert!(failure.may_have_taken_effect());
        // And yet it was carried out, which a query tells.
        assert_eq!(host.query(&account, &known(n)).await.expect("known").status, PaymentStatus::Succeeded, "{minor}");
    }
    // Nothing was asked twice, and the redirect was not followed.
    let charges = wallet.requests().iter().filter(|request| *request == "POST /v1/charges").count();
    assert_eq!(charges, 6);
    assert!(!wallet.requests().iter().any(|request| request.contains("elsewhere")));
}

#[tokio::test]
async fn an_answer_with_another_amount_is_not_believed() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let failure = host.charge(&sandbox_account(&wallet.url()), &order(1, 1_099), CODE).await.expect_err("a lie");
    assert!(
        matches!(&failure, Failure::BadAnswer { why } if why.contains("11.00") && why.contains("10.99")),
        "{failure:?}"
    );
    assert!(failure.may_have_taken_effect());
}

#[tokio::test]
async fn a_scheme_that_is_not_there_got_nothing() {
    let host = host(config()).await;
    // A port that was free a moment ago: nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for base_url in [format!("http://{free}"), "http://no-such-host.invalid:80".to_owned()] {
        let failure = host.charge(&sandbox_account(&base_url), &order(1, 1_000), CODE).await.expect_err("not there");
        assert!(matches!(failure, Failure::NotSent { .. }), "{base_url}: {failure:?}");
        assert!(!failure.may_have_taken_effect());
    }
}

#[tokio::test]
async fn refunds_bills_and_the_self_test() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    host.charge(&account, &order(1, 1_000), CODE).await.expect("paid");
    let refund = RefundOrder {
        number: number(1),
        reference: "W-1".to_owned(),
        refund_number: RefundId::from_bytes([9; 16]),
        amount: cny(100),
        total: cny(1_000),
        reason: "cold".to_owned(),
        created_at: Millis(1_700_000_000_000),
        card: None,
    };
    assert_eq!(host.refund(&account, &refund).await.expect("done").status, RefundStatus::Succeeded);
    assert_eq!(host.query_refund(&account, &refund).await.expect("known").status, RefundStatus::Succeeded);
    // The wallet always says 1.00 to a query: of a refund of 2.00 that is no answer.
    let other = RefundOrder { amount: cny(200), ..refund };
    assert!(matches!(host.query_refund(&account, &other).await, Err(Failure::BadAnswer { .. })));

    let first = host.fetch_bill(&account, "2026-01-31", None).await.expect("a page");
    let BillLine::Row(row) = &first.lines[0] else { panic!("{first:?}") };
    assert_eq!((row.side.money, row.side.fee.minor()), (cny(1_250).money(), 8));
    let last = host.fetch_bill(&account, "2026-01-31", first.next_cursor.as_deref()).await.expect("a page");
    assert_eq!(last.next_cursor, None);

    assert!(host.self_test(&account).await.expect("works").contains("m-1"));
    let wrong_key = Account { secrets: Secrets::none().with("merchant-key", "wrong"), ..account.clone() };
    assert!(
        matches!(host.self_test(&wrong_key).await, Err(Failure::Misconfigured { why }) if why.contains("merchant key"))
    );
    let no_key = Account { secrets: Secrets::none(), ..account };
    assert!(
        matches!(host.self_test(&no_key).await, Err(Failure::Misconfigured { why }) if why.contains("merchant-key"))
    );
}

#[tokio::test]
async fn bills_in_other_encodings() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    let lines = async |day: &str| host.fetch_bill(&account, day, None).await.map(|page| page.lines);
    for day in ["2026-02-01", "2026-02-02", "2026-02-03"] {
        let lines = lines(day).await.expect("a page");
        let told: Vec<String> = lines
            .iter()
            .map(|line| match line {
                BillLine::Row(row) => format!("{} {} {}", row.key.number, row.reference, row.side.money),
                BillLine::Unreadable(words) => words.clone(),
            })
            .collect();
        let [first, second] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(second, "pay_2 W2 12.50 CNY");
        match day {
            // What no encoding has costs its row; a person sees where it stood, and what else stands there.
            "2026-02-03" => assert!(first.contains("\u{fffd}-1") && first.contains("pay_1"), "{first}"),
            _ => assert_eq!(first, "pay_1 门店-1 12.50 CNY"),
        }
    }
    let strange = lines("2026-02-04").await;
    assert!(matches!(&strange, Err(Failure::NoAnswer { why }) if why.contains("klingon")), "{strange:?}");
}

#[tokio::test]
async fn notifications_are_believed_only_with_a_signature() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    host.charge(&account, &order(1, 1_000), CODE).await.expect("paid");
    let asked_so_far = wallet.requests().len();

    let (headers, body) = wallet.notification(&number(1).to_string(), KEY);
    let genuine = HttpMessage { headers, body };
    let outcome = host.parse_notification(&account, &genuine).await.expect("genuine");
    let [NotificationEvent::Payment(answer)] = outcome.events.as_slice() else { panic!("{outcome:?}") };
    assert_eq!(answer.status, PaymentStatus::Succeeded);
    assert_eq!(answer.number, number(1).to_string());
    assert_eq!((outcome.acknowledgement.status, outcome.acknowledgement.body), (200, b"OK".to_vec()));

    let (headers, body) = wallet.notification(&number(1).to_string(), "another key");
    let forged = HttpMessage { headers, body };
    let mut altered = genuine.clone();
    altered.body.push(b' ');
    let unsigned = HttpMessage { headers: Vec::new(), body: genuine.body.clone() };
    let mut no_hex = genuine.clone();
    no_hex.headers[2].1 = "zz".to_owned();
    for message in [forged, altered, unsigned, no_hex] {
        let failure = host.parse_notification(&account, &message).await.expect_err("not genuine");
        assert!(matches!(failure, NotificationFailure::Forged(_)), "{failure:?}");
    }
    assert_eq!(wallet.requests().len(), asked_so_far, "reading a notification asks nobody");
}

#[tokio::test]
async fn an_account_that_is_not_set_up_sends_nothing() {
    let (host, wallet) = (host(config()).await, Wallet::start().await);
    let good = sandbox_account(&wallet.url());
    for (settings_json, why) in [
        ("{}".to_owned(), "base_url"),
        ("nonsense".to_owned(), "not a JSON object"),
        (good.settings_json.replace("http:", "gopher:"), "web address"),
        (good.settings_json.replace("merchant_id", "merchant"), "merchant_id"),
    ] {
        let account = Account { settings_json, ..good.clone() };
        let failure = host.charge(&account, &order(1, 1_000), CODE).await.expect_err("not set up");
        assert!(matches!(&failure, Failure::Misconfigured { why: text } if text.contains(why)), "{why}: {failure:?}");
    }
    let dollars = Order { amount: Amount::new(1_000, Currency::USD).expect("an amount"), ..order(1, 1_000) };
    let failure = host.charge(&good, &dollars, CODE).await.expect_err("takes CNY");
    assert!(matches!(&failure, Failure::NotSent { why } if why.contains("USD")), "{failure:?}");
    let unknown = Account { channel: "nobody".to_owned(), ..good };
    let failure = host.charge(&unknown, &order(1, 1_000), CODE).await.expect_err("not installed");
    assert!(matches!(&failure, Failure::Misconfigured { why } if why.contains("install")), "{failure:?}");
    assert!(wallet.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_wait_for_their_turn() {
    let (host, wallet) = (std::sync::Arc::new(host(config()).await), Wallet::start().await);
    let account = sandbox_account(&wallet.url());
    let began = Instant::now();
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let (host, account) = (std::sync::Arc::clone(&host), account.clone());
            tokio::spawn(async move { host.charge(&account, &order(n, 1_000), CODE).await })
        })
        .collect();
    let mut paid = 0;
    for call in calls {
        match call.await.expect("no panic") {
            Ok(answer) => {
                assert_eq!(answer.status, PaymentStatus::Succeeded);
                paid += 1;
            }
            // More than the places and the longest wait allow: refused before anything was sent.
            Err(failure) => assert_eq!(failure, Failure::Overloaded),
        }
    }
    assert!(paid >= 8, "{paid} of 64 within {:?}", began.elapsed());
    let charges = wallet.requests().len();
    assert_eq!(charges, paid, "what was refused was not sent");
}
