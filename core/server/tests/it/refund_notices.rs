//! What schemes tell of refunds on their own, and of several things at once: once is enough, another's is nothing, and the
//! past does not come back.

use saoma_channels::{
    Decline, DeclineCode, DisputeNotice, NotificationEvent, PaymentAnswer, PaymentStatus, RefundAnswer, RefundStatus,
};
use saoma_domain::{
    dispute::News,
    payment::{Refusal, State as Stand},
    refund::State,
};
use saoma_protocol::{ChannelAccountId, Money, PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{PaymentError, Told, attend, give_back, refund_notified, told};
use saoma_store::{StoreError, payments::Sale, refunds::StoredRefund, tenants::LatePolicy};

use crate::scheme_world::{Counter, Say, answer, cny, giving_back, no_answer};

const BACK_MINOR: i64 = 100;

/// A paid payment, and a refund of some of it that the channel has and has not finished.
async fn waiting(counter: &Counter) -> (PaymentId, RefundId) {
    counter.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
    let payment = counter.charges().await.payment.payment.id;
    counter.scheme.next("refund", Say::Refund(RefundStatus::Pending));
    let id = RefundId::from_bytes([7; 16]);
    let wish = giving_back(7, payment, RefundKind::Refund, Some(cny(BACK_MINOR)));
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

/// The scheme pays a refund that it had called failed: on its word alone nothing is booked, it is asked, nobody may give the money
/// back again meanwhile, and what it says then is in the books.
#[tokio::test]
async fn a_refund_that_is_paid_after_it_failed_is_booked_once() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (payment, refund) = waiting(&counter).await;
    let [ours, _] = counter.accounts;
    let tell = async |status| refund_told(&counter, ours, &refund.to_string(), status, BACK_MINOR).await.unwrap();
    tell(RefundStatus::Failed(declined())).await;
    assert!(matches!(standing(&counter, payment).await, State::Failed { .. }));
    for _ in 0..2 {
        tell(RefundStatus::Succeeded).await;
        let row = counter.refunds(payment).await.remove(0);
        assert!(matches!(row.refund.state, State::Failed { .. }), "a word that may be old was believed");
        assert!(row.watch.doubted_at.is_some() && row.watch.attention_at.is_some());
    }
    let rest = cny(1_250);
    let again = giving_back(8, payment, RefundKind::Refund, Some(rest));
    let twice = give_back(&counter.app, counter.scope, again).await;
    assert!(matches!(twice, Err(PaymentError::Refused(Refusal::InDoubt { .. }))), "{twice:?}");
    attend(&counter.app, counter.scope, payment, "seen".to_owned(), "usr_owner").await.unwrap();
    assert!(counter.refunds(payment).await[0].watch.attention_at.is_some(), "the call ended before the doubt");
    counter.scheme.always("query", Say::Status(PaymentStatus::Succeeded));
    counter.scheme.next("query_refund", no_answer());
    counter.scheme.always("query_refund", Say::Refund(RefundStatus::Succeeded));
    let workers = counter.workers();
    counter
        .in_time("the scheme's answer is booked", async || standing(&counter, payment).await == State::Succeeded)
        .await;
    workers.stop().await;
    let row = counter.refunds(payment).await.remove(0);
    assert!(row.watch.doubted_at.is_none() && row.watch.attention_at.is_some(), "nobody is told");
    assert!(matches!(counter.state(payment).await, Stand::Captured(capture) if capture.refunded_minor == BACK_MINOR));
    let told = counter.events(payment).await;
    let times = |kind: &str| told.iter().filter(|told| *told == kind).count();
    assert_eq!((times("contradicts_refund"), times("refund_succeeded")), (2, 1), "{told:?}");
    assert_eq!(counter.scheme.calls("refund"), 1, "it was sent again");
    counter.books_hold().await;
}

/// "Failed" of a refund that was paid: old news change nothing, and a person hears of what is no old news.
#[tokio::test]
async fn a_refund_that_fails_after_it_was_paid_calls_a_person() {
    for (asked, calls) in [(RefundStatus::Succeeded, 1), (RefundStatus::Failed(declined()), 2)] {
        let counter = Counter::open(LatePolicy::Refund).await;
        let (payment, refund) = waiting(&counter).await;
        let [ours, _] = counter.accounts;
        let tell = async |status| refund_told(&counter, ours, &refund.to_string(), status, BACK_MINOR).await.unwrap();
        tell(RefundStatus::Succeeded).await;
        tell(RefundStatus::Failed(declined())).await;
        counter.scheme.always("query_refund", Say::Refund(asked));
        let workers = counter.workers();
        let doubt_ended = async || counter.refunds(payment).await[0].watch.doubted_at.is_none();
        counter.in_time("the scheme was asked", doubt_ended).await;
        workers.stop().await;
        assert_eq!(standing(&counter, payment).await, State::Succeeded);
        assert!(counter.refunds(payment).await[0].watch.attention_at.is_some());
        let told = counter.events(payment).await;
        assert_eq!(told.iter().filter(|told| *told == "contradicts_refund").count(), calls, "{told:?}");
        counter.books_hold().await;
    }
}

fn declined() -> Decline {
    Decline { code: DeclineCode::Other, message: "the bank sent it back".to_owned() }
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
