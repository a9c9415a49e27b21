//! What schemes tell of refunds on their own: once is enough, another's is nothing, and the past does not come back.

use saoma_channels::{PaymentStatus, RefundAnswer, RefundStatus};
use saoma_domain::refund::State;
use saoma_protocol::{ChannelAccountId, Money, PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{GiveBack, PaymentError, give_back, refund_notified};
use saoma_store::{StoreError, refunds::StoredRefund, tenants::LatePolicy};

use crate::scheme_world::{Counter, Say, cny};

const BACK_MINOR: i64 = 100;

/// A paid payment, and a refund of some of it that the channel has and has not finished.
async fn waiting(counter: &Counter) -> (PaymentId, RefundId) {
    counter.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
    let payment = counter.charges().await.payment.payment.id;
    counter.scheme.next("refund", Say::Refund(RefundStatus::Pending));
    let id = RefundId::from_bytes([7; 16]);
    let wish = GiveBack {
        id,
        fingerprint: None,
        payment,
        kind: RefundKind::Refund,
        amount: Some(cny(BACK_MINOR)),
        reason: None,
        actor: "usr_cashier".to_owned(),
    };
    give_back(&counter.app, counter.scope, wish).await.unwrap();
    assert_eq!(standing(counter, payment).await, State::Pending);
    (payment, id)
}

async fn standing(counter: &Counter, payment: PaymentId) -> State {
    let refunds: Vec<StoredRefund> = counter.refunds(payment).await;
    refunds[0].refund.state.clone()
}

async fn told(
    counter: &Counter,
    account: ChannelAccountId,
    refund: &str,
    status: RefundStatus,
    minor: i64,
) -> Result<(), PaymentError> {
    let (refund_number, amount) = (refund.to_owned(), Some(Money::new(minor, cny(1).currency())));
    let answer = RefundAnswer { status, refund_number, amount, reference: "R-1".to_owned() };
    refund_notified(&counter.app, counter.scope, account, answer).await
}

#[tokio::test]
async fn a_refund_ends_by_the_schemes_own_word() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (payment, refund) = waiting(&counter).await;
    let [ours, other] = counter.accounts;
    let number = refund.to_string();
    // Of another account, of a refund that is not ours, and of another sum: none of it ends the refund.
    for (account, number) in [(other, number.as_str()), (ours, "rfd_qqqqqqqqqqqqqqqqqqqqqqqqqa"), (ours, "not ours")] {
        let refused = told(&counter, account, number, RefundStatus::Succeeded, BACK_MINOR).await;
        assert!(matches!(refused, Err(PaymentError::Store(StoreError::NotFound { .. }))), "{number}: {refused:?}");
    }
    told(&counter, ours, &number, RefundStatus::NotFound, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Pending);
    assert_eq!(counter.scheme.calls("refund"), 1, "it was not sent again");
    told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR + 1).await.unwrap();
    assert_ne!(standing(&counter, payment).await, State::Succeeded);
    assert!(counter.events(payment).await.contains(&"answer_refused".to_owned()));

    told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Succeeded);
    let events = counter.events(payment).await;
    // Late, twice, and out of order.
    told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR).await.unwrap();
    told(&counter, ours, &number, RefundStatus::Pending, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Succeeded);
    assert_eq!(counter.events(payment).await, events);
    assert_eq!(counter.refunds(payment).await[0].channel_reference.as_deref(), Some("R-1"));
    counter.books_hold().await;
}
