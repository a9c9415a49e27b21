//! What becomes of money that somebody has given up, had undone, or is owed back.

use std::sync::Arc;

use saoma_channels::{Decline, DeclineCode, PaymentStatus, RefundStatus};
use saoma_domain::{
    payment::{Refusal, State},
    refund::State as RefundStanding,
};
use saoma_protocol::{PaymentId, RefundId, api::RefundKind};
use saoma_server::payments::{self, GiveBack, PaymentError, Proposal, answer_came, attend, cancel, expire, give_back};
use saoma_store::{ledger, payments::Filter, tenants::LatePolicy};

use crate::{
    by_hand::proposal,
    scheme_world::{Counter, Say, answer, cny, giving_back, no_answer, not_sent},
};

const PAID: Say = Say::Status(PaymentStatus::Succeeded);
const CLOSED: Say = Say::Status(PaymentStatus::Closed);

fn declined() -> Decline {
    Decline { code: DeclineCode::NotPermitted, message: "the merchant's balance is too low".to_owned() }
}

async fn doubt_ends(counter: &Counter, id: PaymentId) {
    let workers = counter.workers();
    counter.in_time("the doubt ends", async || counter.events(id).await.contains(&"doubt_ended".to_owned())).await;
    workers.stop().await;
}

async fn waits_for_a_person(counter: &Counter) -> usize {
    let (scope, filter) = (counter.scope, Filter { attention: true, ..Filter::default() });
    let listed = counter.app.store().read(move |tx| saoma_store::payments::list(tx, &scope, &filter, None, 10)).await;
    listed.unwrap().sales.len()
}

/// The scheme took the money, then undid it at our word, and both its replies were lost: only "paid", sent in between, comes.
#[tokio::test]
async fn a_success_that_our_own_reversal_has_overtaken_is_asked_about() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", no_answer());
    cancel(&counter.app, counter.scope, id, "core").await.unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    assert!(matches!(counter.state(id).await, State::Captured(_)), "late truth is booked");
    counter.scheme.always("query", CLOSED);
    doubt_ends(&counter, id).await;
    assert!(matches!(counter.state(id).await, State::Voided { .. }), "the books have money that the scheme gave back");
    counter.books_hold().await;
}

/// The same of a code that had expired: the refund that was set aside is declined, since there is nothing to give back.
#[tokio::test]
async fn a_late_success_that_our_own_close_has_undone_does_not_stay_in_the_books() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    counter.scheme.next("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.next("cancel", no_answer());
    expire(&counter.app, counter.scope, id).await.unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    counter.scheme.always("query", CLOSED);
    counter.scheme.always("refund", Say::Refund(RefundStatus::Failed(declined())));
    let workers = counter.workers();
    counter
        .comes_to(id, "it is undone in the books too", |sale| {
            matches!(sale.payment.payment.state, State::Voided { .. })
        })
        .await;
    workers.stop().await;
    counter.books_hold().await;
}

/// The customer confirms a moment after the cashier gave up and took cash.
#[tokio::test]
async fn what_is_paid_after_the_cashier_gave_it_up_is_given_back() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", Say::Status(PaymentStatus::Pending));
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", no_answer());
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    counter.scheme.always("query", PAID);
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    let workers = counter.workers();
    counter
        .comes_to(id, "it is given back", |sale| {
            matches!(&sale.payment.payment.state, State::Captured(capture) if capture.late && capture.refunded_minor == 1_250)
        })
        .await;
    workers.stop().await;
    let events = counter.events(id).await;
    for kind in ["cancel_asked", "paid_late"] {
        assert_eq!(events.iter().filter(|event| *event == kind).count(), 1, "{kind}: {events:?}");
    }
    counter.books_hold().await;
}

/// Core's own reversal is no person's wish, and who asks for a cancel and hears at once that it was too late goes on.
#[tokio::test]
async fn a_success_that_nobody_had_given_up_is_kept() {
    let counter = Counter::open(LatePolicy::Refund).await;
    for actor in ["core", "usr_cashier"] {
        counter.scheme.next("charge", Say::Status(PaymentStatus::Pending));
        let id = counter.charges().await.payment.payment.id;
        counter.scheme.next("cancel", PAID);
        let sale = cancel(&counter.app, counter.scope, id, actor).await.unwrap();
        assert!(matches!(&sale.payment.payment.state, State::Captured(capture) if !capture.late), "{actor}");
        assert!(counter.refunds(id).await.is_empty(), "{actor}");
    }
    counter.books_hold().await;
}

async fn owes_a_late_refund(counter: &Counter) -> PaymentId {
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    counter.scheme.next("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.next("cancel", CLOSED);
    expire(&counter.app, counter.scope, id).await.unwrap();
    counter.scheme.always("query", PAID);
    // After a confirmed close only the channel's reply is believed.
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    id
}

#[tokio::test]
async fn a_late_refund_that_the_channel_declines_waits_for_a_person_until_one_has_seen_to_it() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let id = owes_a_late_refund(&counter).await;
    counter.scheme.always("refund", Say::Refund(RefundStatus::Failed(declined())));
    let workers = counter.workers();
    counter
        .in_time("a person is called", async || {
            counter.refunds(id).await.iter().any(|refund| refund.watch.attention_at.is_some())
                && counter.sale(id).await.payment.watch.doubted_at.is_none()
        })
        .await;
    workers.stop().await;
    assert!(matches!(counter.refunds(id).await[0].refund.state, RefundStanding::Failed { .. }));
    assert_eq!(waits_for_a_person(&counter).await, 1);
    for _ in 0..2 {
        attend(&counter.app, counter.scope, id, "paid back in cash".to_owned(), "usr_owner").await.unwrap();
    }
    assert_eq!(waits_for_a_person(&counter).await, 0);
    let events = counter.events(id).await;
    for kind in ["needs_attention", "attended"] {
        assert_eq!(events.iter().filter(|event| *event == kind).count(), 1, "{kind}: {events:?}");
    }
    counter.books_hold().await;
}

#[tokio::test]
async fn a_late_refund_that_never_gets_through_is_tried_ever_more_slowly_and_a_person_is_called() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let id = owes_a_late_refund(&counter).await;
    counter.scheme.always("refund", not_sent());
    let workers = counter.workers();
    counter
        .in_time("it is tried seven times", async || {
            counter.later(2_000);
            counter.refunds(id).await.iter().any(|refund| refund.attempts >= 7)
        })
        .await;
    counter.later(20 * 60_000);
    counter
        .in_time("a person is called", async || {
            counter.refunds(id).await.iter().any(|refund| refund.watch.attention_at.is_some())
        })
        .await;
    workers.stop().await;
    let events = counter.events(id).await;
    for kind in ["refund_not_sent", "needs_attention"] {
        assert_eq!(events.iter().filter(|event| *event == kind).count(), 1, "{kind}: {events:?}");
    }
    assert!(counter.scheme.calls("refund") < 20, "{}", counter.scheme.calls("refund"));
    // Its channel may be gone for good: two persons say that it was paid some other way.
    let refund = counter.refunds(id).await[0].refund.id;
    settle_refund(&counter, id, refund, true).await.unwrap();
    assert_eq!(counter.refunds(id).await[0].refund.state, RefundStanding::Succeeded);
    counter.books_hold().await;
}

/// A proposal and its confirmation.
async fn settle_refund(
    counter: &Counter,
    payment: PaymentId,
    refund: RefundId,
    paid: bool,
) -> Result<(), PaymentError> {
    let wish = Proposal { refund: Some(refund), ..proposal(payment, paid, u8::from(paid)) };
    let (proposed, _) = payments::propose(&counter.app, counter.scope, wish).await?;
    payments::confirm(&counter.app, counter.scope, proposed.id, "usr_accountant").await.map(drop)
}

/// A refund of 400 without an answer.
async fn unknown_refund(counter: &Counter) -> (PaymentId, RefundId) {
    counter.scheme.next("charge", PAID);
    let payment = counter.charges().await.payment.payment.id;
    counter.scheme.next("refund", no_answer());
    let wish = giving_back(7, payment, RefundKind::Refund, Some(cny(400)));
    let (refund, ..) = give_back(&counter.app, counter.scope, wish).await.unwrap();
    assert_eq!(refund.refund.state, RefundStanding::Unknown);
    (payment, refund.refund.id)
}

/// Asking once more must not be another way of giving the money back.
#[tokio::test]
async fn a_refund_is_settled_by_hand_without_being_sent_again() {
    for (paid, said, settled) in [
        (false, Say::Refund(RefundStatus::NotFound), true),
        (true, Say::Refund(RefundStatus::NotFound), false),
        (false, Say::Refund(RefundStatus::Pending), false),
        (true, Say::Refund(RefundStatus::Pending), false),
        (false, no_answer(), true),
        (true, no_answer(), true),
        (false, Say::Refund(RefundStatus::Succeeded), false),
    ] {
        let counter = Counter::open(LatePolicy::Refund).await;
        let (payment, refund) = unknown_refund(&counter).await;
        counter.scheme.always("query_refund", said);
        let outcome = settle_refund(&counter, payment, refund, paid).await;
        assert_eq!(counter.scheme.calls("refund"), 1, "the refund was sent again");
        assert_eq!(outcome.is_ok(), settled, "{paid}: {outcome:?}");
        if settled {
            let state = counter.refunds(payment).await.remove(0).refund.state;
            assert_eq!(state == RefundStanding::Succeeded, paid, "{state:?}");
        }
        counter.books_hold().await;
    }
}

/// Persons called it not given back while the channel kept silent, and the channel had given it back.
#[tokio::test]
async fn a_refund_that_persons_call_not_paid_is_asked_about_until_the_channel_speaks() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (payment, refund) = unknown_refund(&counter).await;
    counter.scheme.always("query_refund", no_answer());
    settle_refund(&counter, payment, refund, false).await.unwrap();
    assert!(matches!(counter.refunds(payment).await[0].refund.state, RefundStanding::Failed { .. }));
    // 1,250 less the 400 that may have gone.
    for (minor, goes) in [(851, false), (850, true)] {
        let wish = giving_back(8, payment, RefundKind::Refund, Some(cny(minor)));
        counter.scheme.next("refund", Say::Refund(RefundStatus::Succeeded));
        let given = give_back(&counter.app, counter.scope, wish).await;
        let in_doubt =
            matches!(&given, Err(PaymentError::Refused(Refusal::InDoubt { left_minor: 850, doubted_minor: 400, .. })));
        assert_eq!((given.is_ok(), in_doubt), (goes, !goes), "{minor}: {given:?}");
    }
    counter.scheme.always("query_refund", Say::Refund(RefundStatus::Succeeded));
    let workers = counter.workers();
    counter
        .in_time("the channel is heard", async || counter.refunds(payment).await[0].watch.doubted_at.is_none())
        .await;
    workers.stop().await;
    assert_eq!(counter.refunds(payment).await[0].refund.state, RefundStanding::Succeeded);
    let state = counter.state(payment).await;
    assert!(matches!(&state, State::Captured(capture) if capture.refunded_minor == 1_250), "{state:?}");
    assert!(counter.events(payment).await.contains(&"contradicts_hand".to_owned()));
    assert_eq!(waits_for_a_person(&counter).await, 1, "the persons hear that they were wrong");
    assert_eq!(counter.scheme.calls("refund"), 2, "it was sent again");
    counter.books_hold().await;
}

#[tokio::test]
async fn what_persons_said_of_a_refund_ends_with_the_channel_s_word() {
    for (paid, says, waiting) in [
        (false, Say::Refund(RefundStatus::NotFound), 0),
        (false, Say::Refund(RefundStatus::Failed(declined())), 0),
        (true, Say::Refund(RefundStatus::Succeeded), 0),
        (true, Say::Refund(RefundStatus::Failed(declined())), 1),
    ] {
        let counter = Counter::open(LatePolicy::Refund).await;
        let (payment, refund) = unknown_refund(&counter).await;
        counter.scheme.always("query_refund", no_answer());
        settle_refund(&counter, payment, refund, paid).await.unwrap();
        let settled = counter.refunds(payment).await[0].refund.state.clone();
        counter.scheme.always("query_refund", says);
        let workers = counter.workers();
        counter.in_time("the doubt ends", async || counter.refunds(payment).await[0].watch.doubted_at.is_none()).await;
        workers.stop().await;
        assert_eq!(counter.refunds(payment).await[0].refund.state, settled);
        assert_eq!(waits_for_a_person(&counter).await, waiting);
        assert_eq!(counter.scheme.calls("refund"), 1, "it was sent again");
        counter.books_hold().await;
    }
}

/// A void is undone by the channel's cancel, so it is the payment that is asked about.
#[tokio::test]
async fn a_void_that_persons_call_not_done_and_that_was_done_is_booked() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", PAID);
    let payment = counter.charges().await.payment.payment.id;
    counter.scheme.always("cancel", no_answer());
    let wish = giving_back(7, payment, RefundKind::Void, None);
    give_back(&counter.app, counter.scope, wish).await.unwrap();
    settle_refund(&counter, payment, RefundId::from_bytes([7; 16]), false).await.unwrap();
    let asked = counter.scheme.calls("cancel");
    counter.scheme.always("query", CLOSED);
    let workers = counter.workers();
    counter
        .in_time("the channel is heard", async || counter.refunds(payment).await[0].watch.doubted_at.is_none())
        .await;
    workers.stop().await;
    assert!(matches!(counter.state(payment).await, State::Voided { .. }));
    assert_eq!(counter.refunds(payment).await[0].refund.state, RefundStanding::Succeeded);
    assert_eq!(counter.scheme.calls("cancel"), asked, "what persons called over was asked for again");
    counter.books_hold().await;
}

/// A terminal chooses the ids of its own refunds. It once could take the one that core would give back late money under, and
/// the money could never be booked.
#[tokio::test]
async fn nobody_can_be_in_the_way_of_what_core_gives_back() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let late = counter.charges().await;
    let id = late.payment.payment.id;
    counter.scheme.next("charge", PAID);
    let other = counter.charges().await.payment.payment.id;
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    let taken = RefundId::for_key(counter.scope.tenant(), id, "paid late");
    let wish = GiveBack { id: taken, ..giving_back(1, other, RefundKind::Refund, Some(cny(1))) };
    give_back(&counter.app, counter.scope, wish).await.unwrap();
    counter.scheme.next("cancel", CLOSED);
    cancel(&counter.app, counter.scope, id, "core").await.unwrap();
    counter.scheme.always("query", PAID);
    counter.notified(&late, PaymentStatus::Succeeded).await;
    doubt_ends(&counter, id).await;
    let state = counter.state(id).await;
    assert!(matches!(&state, State::Captured(capture) if capture.late), "{state:?}");
    counter.books_hold().await;
}

/// Found by the simulator (seed 748): the channel has no such order and never will, and core asked for ever.
#[tokio::test]
async fn what_persons_call_not_paid_and_the_channel_never_heard_of_is_over() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
    counter.scheme.always("query", Say::Status(PaymentStatus::NotFound));
    let wish = Proposal { reference: String::new(), ..proposal(id, false, 1) };
    let (proposed, _) = payments::propose(&counter.app, scope, wish).await.unwrap();
    payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
    assert_eq!(counter.state(id).await, State::Reversed);
    assert!(!counter.events(id).await.contains(&"doubt_ended".to_owned()), "it may still be on its way");
    doubt_ends(&counter, id).await;
    assert_eq!(counter.state(id).await, State::Reversed);
    assert_eq!(waits_for_a_person(&counter).await, 0);
    counter.books_hold().await;
}

/// Two persons said paid, and the channel says in the end that it never was: it took no fee either.
#[tokio::test]
async fn what_was_never_paid_costs_no_fee() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
    let wish = proposal(id, true, 1);
    let (proposed, _) = payments::propose(&counter.app, scope, wish).await.unwrap();
    payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
    assert_ne!(fees(&counter, id).await, 0);
    counter.scheme.always("query", Say::Status(PaymentStatus::Failed(declined())));
    doubt_ends(&counter, id).await;
    assert!(matches!(counter.state(id).await, State::Voided { .. }));
    assert_eq!(fees(&counter, id).await, 0);
    assert_eq!(waits_for_a_person(&counter).await, 1, "the persons hear that they were wrong");
    counter.books_hold().await;
}

/// Found by the simulator (seed 5057): neither payment nor refund came to an end, since each waited for the other.
#[tokio::test]
async fn what_gives_back_a_payment_that_never_was_ends_with_it() {
    for amount in [None, Some(cny(400))] {
        let counter = Counter::open(LatePolicy::Refund).await;
        counter.scheme.next("charge", no_answer());
        let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
        let (proposed, _) = payments::propose(&counter.app, scope, proposal(id, true, 1)).await.unwrap();
        payments::confirm(&counter.app, scope, proposed.id, "usr_accountant").await.unwrap();
        counter.scheme.next("refund", no_answer());
        let wish = giving_back(7, id, RefundKind::Refund, amount);
        give_back(&counter.app, scope, wish).await.unwrap();
        counter.scheme.always("query", Say::Status(PaymentStatus::NotFound));
        counter.scheme.always("query_refund", Say::Refund(RefundStatus::NotFound));
        counter.scheme.always("refund", Say::Refund(RefundStatus::NotFound));
        doubt_ends(&counter, id).await;
        assert!(matches!(counter.state(id).await, State::Voided { .. }));
        let refund = counter.refunds(id).await.remove(0).refund.state;
        assert!(matches!(&refund, RefundStanding::Failed { failure } if failure.code == "never_paid"), "{refund:?}");
        assert_eq!(fees(&counter, id).await, 0);
        assert_eq!(waits_for_a_person(&counter).await, 1, "the persons hear that they were wrong");
        counter.books_hold().await;
    }
}

async fn fees(counter: &Counter, payment: PaymentId) -> i64 {
    let scope = counter.scope;
    let sets = counter.app.store().read(move |tx| ledger::of_payment(tx, &scope, payment)).await.unwrap();
    let postings = sets.iter().flat_map(|set| &set.postings);
    postings.filter(|posting| posting.account.text() == "fees").map(|posting| posting.money.minor()).sum()
}

/// A crash left it on its way, and then its plugin is gone.
#[tokio::test]
async fn a_charge_whose_channel_cannot_be_called_becomes_unknown_and_can_be_settled_by_hand() {
    let counter = Arc::new(Counter::open(LatePolicy::Refund).await);
    let bell = Arc::new(tokio::sync::Notify::new());
    counter.scheme.next("charge", Say::Held(bell, Box::new(PAID)));
    let cut_off = tokio::spawn({
        let counter = counter.clone();
        async move { counter.charges().await }
    });
    counter.in_time("the charge is under way", async || counter.scheme.calls("charge") == 1).await;
    cut_off.abort();
    counter.scheme.install(None);
    let scope = counter.scope;
    let filter = Filter::default();
    let listed = counter.app.store().read(move |tx| saoma_store::payments::list(tx, &scope, &filter, None, 10)).await;
    let id = listed.unwrap().sales[0].payment.payment.id;
    assert!(matches!(counter.state(id).await, State::Submitting { .. }));
    let workers = counter.workers();
    counter
        .in_time("nobody knows", async || {
            counter.later(10_000);
            matches!(counter.state(id).await, State::Unknown { .. })
        })
        .await;
    workers.stop().await;
}

/// A success that was on its way while the sale was voided says nothing new; one that is said now does.
#[tokio::test]
async fn a_success_after_a_void_is_asked_about() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", PAID);
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", CLOSED);
    let wish = giving_back(8, id, RefundKind::Void, None);
    give_back(&counter.app, counter.scope, wish).await.unwrap();
    assert!(matches!(counter.state(id).await, State::Voided { .. }));
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    counter.scheme.next("query", CLOSED);
    doubt_ends(&counter, id).await;
    assert_eq!(waits_for_a_person(&counter).await, 0);
    counter.scheme.next("query", PAID);
    payments::ask(&counter.app, counter.scope, id).await.unwrap();
    assert!(counter.events(id).await.contains(&"contradicts_void".to_owned()));
    assert_eq!(waits_for_a_person(&counter).await, 1);
    counter.books_hold().await;
}

/// Schemes give each try of the customer a number of its own, and announce a declined one late.
#[tokio::test]
async fn a_declined_try_does_not_change_the_channels_number_of_the_paid_one() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let sale = counter.shows(0, None).await;
    let (id, account) = (sale.payment.payment.id, sale.payment.channel_account.unwrap());
    for (status, reference) in [
        (PaymentStatus::Succeeded, "try-2"),
        (PaymentStatus::Pending, "try-1"),
        (PaymentStatus::Failed(declined()), "try-1"),
    ] {
        let said = saoma_channels::PaymentAnswer { reference: reference.to_owned(), ..answer(id, status) };
        answer_came(&counter.app, counter.scope, id, account, said).await.unwrap();
    }
    assert_eq!(counter.sale(id).await.payment.channel_reference.as_deref(), Some("try-2"));
}
