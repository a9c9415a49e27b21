//! An account where nobody answers is passed over by the payments that come after, and by none that was sent.

use saoma_channels::{Capability, Decline, DeclineCode, Failure, PaymentStatus};
use saoma_domain::routing::{REST_MS, SILENCES_MAX};
use saoma_protocol::ChannelAccountId;
use saoma_server::payments::{PaymentError, ask};
use saoma_store::{events, payments::Sale, tenants::LatePolicy};

use crate::scheme_world::{ALL, Counter, Say, no_answer, not_sent, scanned};

const PAID: Say = Say::Status(PaymentStatus::Succeeded);

/// A merchant with two accounts for the same wallet; the first by rank and the second.
async fn two_lines() -> (Counter, [ChannelAccountId; 2]) {
    let counter = Counter::open(LatePolicy::Refund).await;
    let mut ranked = counter.accounts;
    ranked.sort_by_key(ToString::to_string);
    (counter, ranked)
}

async fn sold(counter: &Counter) -> Sale {
    counter.collects(scanned(), None, None).await.unwrap()
}

async fn account_of_next(counter: &Counter) -> ChannelAccountId {
    counter.scheme.next("charge", PAID);
    sold(counter).await.payment.channel_account.unwrap()
}

async fn fails(counter: &Counter, times: u32, say: &Say) {
    for _ in 0..times {
        counter.scheme.next("charge", say.clone());
        sold(counter).await;
    }
}

#[tokio::test]
async fn a_silent_account_costs_those_who_find_it_out_and_nobody_after_them() {
    let broken = Failure::Trapped { why: "unreachable".to_owned() };
    for say in [no_answer(), not_sent(), Say::Fails(broken)] {
        let (counter, [first, second]) = two_lines().await;
        assert_eq!(account_of_next(&counter).await, first);
        fails(&counter, SILENCES_MAX - 1, &say).await;
        assert_eq!(account_of_next(&counter).await, first, "an answer between makes up for it");
        fails(&counter, SILENCES_MAX, &say).await;
        assert_eq!(account_of_next(&counter).await, second);
        // Nobody's wish is overridden: who names the account gets it.
        counter.scheme.next("charge", not_sent());
        let named = counter.collects(scanned(), Some(first), None).await.unwrap();
        assert_eq!(named.payment.channel_account, Some(first));
        counter.books_hold().await;
    }
}

#[tokio::test]
async fn after_its_rest_one_payment_tries_it_and_an_answer_brings_it_back() {
    let (counter, [first, second]) = two_lines().await;
    fails(&counter, SILENCES_MAX, &not_sent()).await;
    counter.later(REST_MS - 1);
    assert_eq!(account_of_next(&counter).await, second);
    counter.later(1);
    counter.scheme.next("charge", not_sent());
    assert_eq!(sold(&counter).await.payment.channel_account, Some(first), "its rest is over");
    assert_eq!(account_of_next(&counter).await, second, "it was tried in vain");
    counter.later(REST_MS);
    counter.scheme.next(
        "charge",
        Say::Status(PaymentStatus::Failed(Decline {
            code: DeclineCode::InsufficientFunds,
            message: "the wallet is empty".to_owned(),
        })),
    );
    sold(&counter).await;
    assert_eq!(account_of_next(&counter).await, first, "a decline is an answer");
}

/// What was sent stays where it was sent, however long nobody answers there.
#[tokio::test]
async fn a_payment_that_was_sent_is_asked_about_at_its_own_account() {
    let (counter, [first, second]) = two_lines().await;
    counter.scheme.next("charge", no_answer());
    let unknown = sold(&counter).await.payment;
    fails(&counter, SILENCES_MAX, &not_sent()).await;
    assert_eq!(account_of_next(&counter).await, second);
    counter.scheme.next("query", PAID);
    let asked = ask(&counter.app, counter.scope, unknown.payment.id).await.unwrap();
    assert_eq!(asked.sale.payment.channel_account, Some(first));
    assert_eq!(
        account_of_next(&counter).await,
        second,
        "what is asked about one payment says nothing of those to come"
    );
    counter.books_hold().await;
}

#[tokio::test]
async fn who_reads_the_payment_sees_what_was_passed_over() {
    let (counter, _) = two_lines().await;
    fails(&counter, SILENCES_MAX, &not_sent()).await;
    counter.scheme.next("charge", PAID);
    let (scope, payment) = (counter.scope, sold(&counter).await.payment.payment.id);
    let told = counter.app.store().read(move |tx| events::timeline(tx, &scope, payment)).await.unwrap();
    let details: Vec<_> = told.iter().map(|told| (told.event.kind.as_str(), told.event.data_json.as_str())).collect();
    assert_eq!(
        details,
        [("created", r#"{"detail":"passed over: Wallet"}"#), ("submitting", "{}"), ("succeeded", "{}")]
    );
}

/// A channel that cannot do something says so each time; a card that cannot be read is the terminal's; a full house is others'.
#[tokio::test]
async fn what_is_not_the_channels_fault_is_no_silence() {
    let (counter, [first, _]) = two_lines().await;
    let unreadable = Failure::CardUnreadable { why: "another base key".to_owned() };
    for failure in [Failure::Unsupported, unreadable, Failure::Overloaded] {
        fails(&counter, SILENCES_MAX, &Say::Fails(failure)).await;
        assert_eq!(account_of_next(&counter).await, first);
    }
    counter
        .scheme
        .install(Some(&ALL.iter().copied().filter(|able| *able != Capability::CustomerPresented).collect::<Vec<_>>()));
    let refused = counter.collects(scanned(), None, None).await.unwrap_err();
    assert!(matches!(refused, PaymentError::CodeNotRecognised), "{refused}");
}
