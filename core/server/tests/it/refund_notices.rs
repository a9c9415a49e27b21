//! What schemes tell of refunds on their own, and of several things at once: once is enough, another's is nothing, and the
//! past does not come back.

use saoma_channels::{DisputeNotice, NotificationEvent, PaymentAnswer, PaymentStatus, RefundAnswer, RefundStatus};
use saoma_domain::{dispute::News, payment::State as Stand, refund::State};
use saoma_protocol::{ChannelAccountId, Money, PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{GiveBack, PaymentError, Told, give_back, refund_notified, told};
use saoma_store::{StoreError, payments::Sale, refunds::StoredRefund, tenants::LatePolicy};

use crate::scheme_world::{Counter, Say, answer, cny};

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

async fn refund_told(
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
        let refused = refund_told(&counter, account, number, RefundStatus::Succeeded, BACK_MINOR).await;
        assert!(matches!(refused, Err(PaymentError::Store(StoreError::NotFound { .. }))), "{number}: {refused:?}");
    }
    refund_told(&counter, ours, &number, RefundStatus::NotFound, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Pending);
    assert_eq!(counter.scheme.calls("refund"), 1, "it was not sent again");
    refund_told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR + 1).await.unwrap();
    assert_ne!(standing(&counter, payment).await, State::Succeeded);
    assert!(counter.events(payment).await.contains(&"answer_refused".to_owned()));

    refund_told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Succeeded);
    let events = counter.events(payment).await;
    // Late, twice, and out of order.
    refund_told(&counter, ours, &number, RefundStatus::Succeeded, BACK_MINOR).await.unwrap();
    refund_told(&counter, ours, &number, RefundStatus::Pending, BACK_MINOR).await.unwrap();
    assert_eq!(standing(&counter, payment).await, State::Succeeded);
    assert_eq!(counter.events(payment).await, events);
    assert_eq!(counter.refunds(payment).await[0].channel_reference.as_deref(), Some("R-1"));
    counter.books_hold().await;
}

/// Pix tells of many payments in one message. What is not ours is passed over, and the whole message may come again.
#[tokio::test]
async fn one_message_may_tell_of_several() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (paid, refund) = waiting(&counter).await;
    let (first, second) = (counter.shows(0, None).await, counter.shows(0, None).await);
    let elsewhere = counter.shows(1, None).await;
    let [ours, _] = counter.accounts;
    let payment = |sale: &Sale| NotificationEvent::Payment(answer(sale.payment.payment.id, PaymentStatus::Succeeded));
    let foreign = PaymentAnswer { number: "not ours".to_owned(), ..answer(paid, PaymentStatus::Succeeded) };
    let back = RefundAnswer {
        status: RefundStatus::Succeeded,
        refund_number: refund.to_string(),
        amount: Some(cny(BACK_MINOR).money()),
        reference: "R-1".to_owned(),
    };
    let message = || {
        vec![
            payment(&first),
            NotificationEvent::Payment(foreign.clone()),
            NotificationEvent::Refund(back.clone()),
            payment(&elsewhere),
            payment(&second),
        ]
    };
    let heard = told(&counter.app, counter.scope, ours, message()).await.unwrap();
    assert_eq!(heard, Told { known: 3, unknown: 2 });
    for sale in [&first, &second] {
        assert!(matches!(counter.state(sale.payment.payment.id).await, Stand::Captured(_)));
    }
    assert!(matches!(counter.state(elsewhere.payment.payment.id).await, Stand::Presenting { .. }));
    assert_eq!(standing(&counter, paid).await, State::Succeeded);
    let all = async || {
        let mut events = counter.events(paid).await;
        events.extend(counter.events(first.payment.payment.id).await);
        events
    };
    let before = all().await;
    assert_eq!(told(&counter.app, counter.scope, ours, message()).await.unwrap(), heard);
    assert_eq!(all().await, before, "the same message again changes nothing");
    let none = told(&counter.app, counter.scope, ours, vec![NotificationEvent::Payment(foreign)]).await.unwrap();
    assert_eq!(none, Told { known: 0, unknown: 1 });
    counter.books_hold().await;
}

/// A dispute of what is not paid here cannot be booked; what the message tells besides is, and the scheme tells all of it again.
#[tokio::test]
async fn what_cannot_be_booked_holds_nothing_else_of_its_message_back() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (unpaid, paid) = (counter.shows(0, None).await, counter.shows(0, None).await);
    let message = || {
        vec![
            NotificationEvent::Dispute(DisputeNotice {
                number: unpaid.payment.payment.id.to_string(),
                case_number: "C-1".to_owned(),
                amount: cny(BACK_MINOR),
                reason_code: None,
                news: News::Opened { respond_by: None },
                at: counter.app.now(),
            }),
            NotificationEvent::Payment(answer(paid.payment.payment.id, PaymentStatus::Succeeded)),
        ]
    };
    for _ in 0..2 {
        let heard = told(&counter.app, counter.scope, counter.accounts[0], message()).await;
        assert!(matches!(heard, Err(PaymentError::Refused(_))), "{heard:?}");
        assert!(matches!(counter.state(paid.payment.payment.id).await, Stand::Captured(_)));
    }
    counter.books_hold().await;
}
