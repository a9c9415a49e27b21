//! When a person is called about a payment, and what ends the call.

use saoma_channels::{PaymentStatus, RefundStatus};
use saoma_domain::payment::State;
use saoma_protocol::{Amount, DisputeId, PaymentId, api::RefundKind};
use saoma_server::payments::{self, Opening, attend, cancel, give_back, open_dispute};
use saoma_store::{payments::Filter, tenants::LatePolicy};

use crate::{
    fleet_world::eventually,
    scheme_world::{Counter, Say, giving_back, no_answer},
};

const CLOSED: Say = Say::Status(PaymentStatus::Closed);
const DAY_MS: i64 = 86_400_000;

/// Stuck for a quarter of an hour: a person is called, with all that is known; core goes on and clears it.
#[tokio::test]
async fn a_person_is_called_for_what_is_stuck() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    let workers = counter.workers();
    eventually("a person is called", async || {
        counter.later(30_000);
        counter.sale(id).await.payment.watch.attention_at.is_some()
    })
    .await;
    let view = payments::payment_view(&counter.app, &counter.sale(id).await);
    let attention = view.needs_attention.unwrap();
    assert!(attention.asked >= 3 && attention.last_said.is_some(), "{attention:?}");
    let scope = counter.scope;
    let filter = Filter { attention: true, ..Filter::default() };
    let listed = counter.app.store().read(move |tx| saoma_store::payments::list(tx, &scope, &filter, None, 10)).await;
    assert_eq!(listed.unwrap().sales.len(), 1);
    counter.scheme.always("cancel", CLOSED);
    eventually("core has come to an end with it", async || {
        counter.later(30_000);
        counter.state(id).await == State::Reversed
    })
    .await;
    workers.stop().await;
    assert_eq!(counter.sale(id).await.payment.watch.attention_at, None);
    let calls = counter.events(id).await.iter().filter(|event| *event == "needs_attention").count();
    assert_eq!(calls, 1);
}

/// The clock that wrote when the payment began was a day ahead, and was set right before a person was called. (Seed 301066.)
#[tokio::test]
async fn a_call_ends_with_what_was_stuck_also_if_a_clock_was_set_back() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    counter.later(-DAY_MS);
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    let workers = counter.workers();
    eventually("a person is called", async || {
        counter.later(30_000);
        is_called(&counter, id).await
    })
    .await;
    counter.scheme.always("cancel", CLOSED);
    eventually("core has come to an end with it", async || {
        counter.later(30_000);
        counter.state(id).await == State::Reversed
    })
    .await;
    workers.stop().await;
    assert!(!is_called(&counter, id).await);
}

/// While a payment is stuck its customer disputes more than is left of it: that is for a person too, and is not over when the
/// channel speaks again.
#[tokio::test]
async fn a_call_for_something_else_outlasts_what_was_stuck() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
    let sale = counter.charges().await;
    let (id, scope) = (sale.payment.payment.id, counter.scope);
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    let wish = giving_back(7, id, RefundKind::Refund, Amount::new(400, sale.payment.payment.amount.currency()).ok());
    give_back(&counter.app, scope, wish).await.unwrap();
    counter.scheme.always("query", no_answer());
    counter.notified(&sale, PaymentStatus::Closed).await;
    let workers = counter.workers();
    eventually("a person is called", async || {
        counter.later(30_000);
        is_called(&counter, id).await
    })
    .await;
    let opening = Opening {
        id: DisputeId::from_bytes([8; 16]),
        fingerprint: [8; 32],
        payment: id,
        amount: sale.payment.payment.amount,
        case_reference: "C-1".to_owned(),
        reason_code: None,
        respond_by: None,
        actor: "usr_owner".to_owned(),
    };
    open_dispute(&counter.app, scope, opening).await.unwrap();
    counter.scheme.always("query", Say::Status(PaymentStatus::Succeeded));
    eventually("the channel is definite", async || {
        counter.later(30_000);
        counter.sale(id).await.payment.watch.doubted_at.is_none()
    })
    .await;
    workers.stop().await;
    assert!(is_called(&counter, id).await, "{:?}", counter.events(id).await);
    attend(&counter.app, scope, id, "the acquirer was told".to_owned(), "usr_owner").await.unwrap();
    assert!(!is_called(&counter, id).await);
}

async fn is_called(counter: &Counter, id: PaymentId) -> bool {
    counter.sale(id).await.payment.watch.attention_at.is_some()
}
