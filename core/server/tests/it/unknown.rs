//! What becomes of money when channels answer late, twice, in the wrong order, or not at all.

use std::sync::Arc;

use saoma_channels::{Capability, Decline, DeclineCode, PaymentStatus, RefundStatus};
use saoma_domain::{
    payment::{Close, State},
    refund::State as RefundStanding,
};
use saoma_protocol::{Currency, Money, api::RefundKind};
use saoma_server::payments::{self, PaymentError, ask, cancel, close_now, expire, give_back};
use saoma_store::{payments::Sale, tenants::LatePolicy};
use tokio::sync::Notify;

use crate::{
    fleet_world::eventually,
    postgres,
    scheme_world::{ALL, AMOUNT_MINOR, Counter, Say, giving_back, no_answer, not_sent},
};

const PAID: Say = Say::Status(PaymentStatus::Succeeded);
const CLOSED: Say = Say::Status(PaymentStatus::Closed);

fn is_paid(state: &State) -> bool {
    matches!(state, State::Captured(_))
}

/// M1 (a): a query begins, the payment is reversed, and then the query's old "paid" comes.
#[tokio::test]
async fn an_old_reply_that_it_is_paid_does_not_overwrite_a_reversal() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let (id, bell) = (sale.payment.payment.id, Arc::new(Notify::new()));
    counter.scheme.next("query", Say::Held(bell.clone(), Box::new(PAID)));
    counter.scheme.always("query", CLOSED);
    counter.scheme.next("cancel", CLOSED);
    let (app, scope) = (counter.app.clone(), counter.scope);
    let slow = tokio::spawn(async move { ask(&app, scope, id).await.map(drop) });
    eventually("the query is under way", async || counter.scheme.calls("query") == 1).await;
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    assert_eq!(counter.state(id).await, State::Reversed);
    bell.notify_one();
    slow.await.unwrap().unwrap();
    assert_eq!(counter.state(id).await, State::Reversed, "an older answer overwrote a final state");
    // The contradiction is not dropped either: the channel is asked, and says which is true.
    let workers = counter.workers();
    counter.in_time("the doubt ends", async || counter.events(id).await.contains(&"doubt_ended".to_owned())).await;
    workers.stop().await;
    assert_eq!(counter.state(id).await, State::Reversed);
    assert!(counter.refunds(id).await.is_empty());
    counter.books_hold().await;
}

/// It was closed, and then paid at the channel all the same; and the one message about that names another sum. It is not
/// believed, and it is not forgotten: the channel is asked, and what it has goes back. (Seed 100221 of the simulator.)
#[tokio::test]
async fn what_cannot_be_believed_of_a_closed_payment_is_asked_about() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", CLOSED);
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    assert_eq!(counter.state(id).await, State::Reversed);
    counter.scheme.always("query", PAID);
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    counter.notified_of(&sale, Money::new(AMOUNT_MINOR + 3, Currency::CNY)).await;
    assert!(!is_paid(&counter.state(id).await), "another sum was believed");
    let workers = counter.workers();
    let is_back = async || counter.refunds(id).await.iter().any(|row| row.refund.state == RefundStanding::Succeeded);
    counter.in_time("the money to go back", is_back).await;
    workers.stop().await;
    let events = counter.events(id).await;
    for kind in ["answer_refused", "doubted", "paid_late"] {
        assert!(events.contains(&kind.to_owned()), "{kind}: {events:?}");
    }
    counter.books_hold().await;
}

/// M1 (b): a slow "closed" with the success booked in between.
#[tokio::test]
async fn an_old_reply_that_it_is_closed_does_not_undo_a_capture() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let (id, bell) = (sale.payment.payment.id, Arc::new(Notify::new()));
    counter.scheme.next("query", Say::Held(bell.clone(), Box::new(CLOSED)));
    let (app, scope) = (counter.app.clone(), counter.scope);
    let slow = tokio::spawn(async move { ask(&app, scope, id).await.map(drop) });
    eventually("the query is under way", async || counter.scheme.calls("query") == 1).await;
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    bell.notify_one();
    slow.await.unwrap().unwrap();
    assert!(is_paid(&counter.state(id).await), "an older answer undid a capture");
    counter.scheme.always("query", PAID);
    let workers = counter.workers();
    counter.in_time("the doubt ends", async || counter.events(id).await.contains(&"doubt_ended".to_owned())).await;
    workers.stop().await;
    assert!(is_paid(&counter.state(id).await));
    counter.books_hold().await;
}

/// Found by the simulator (seeds 96028, 145190): one node's wait was over by the clock of another, a day ahead, and the undoing
/// that was still on its way came after the end of the doubt.
#[tokio::test]
async fn a_doubt_is_waited_out_by_each_nodes_own_clock() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (neighbour, scope) = (counter.neighbour(86_400_000), counter.scope);
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let (id, bell) = (sale.payment.payment.id, Arc::new(Notify::new()));
    counter.scheme.next("cancel", Say::Held(bell.clone(), Box::new(CLOSED)));
    let (app, other) = (counter.app.clone(), neighbour.clone());
    let slow = tokio::spawn(async move { close_now(&other, scope, id).await.map(drop) });
    eventually("the cancel is under way", async || counter.scheme.calls("cancel") == 1).await;
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    assert!(is_paid(&counter.state(id).await));
    counter.scheme.always("query", PAID);
    for node in [&neighbour, &app, &neighbour, &app] {
        ask(node, scope, id).await.unwrap();
    }
    counter.later(29_000);
    for node in [&neighbour, &app] {
        ask(node, scope, id).await.unwrap();
    }
    assert!(!counter.events(id).await.contains(&"doubt_ended".to_owned()), "{:?}", counter.events(id).await);
    bell.notify_one();
    slow.await.unwrap().unwrap();
    counter.scheme.always("query", CLOSED);
    counter.later(2_000);
    for node in [&neighbour, &app] {
        ask(node, scope, id).await.unwrap();
    }
    assert!(!is_paid(&counter.state(id).await), "an undoing that the channel carried out was not heard of");
    counter.books_hold().await;
}

/// M2: a success that was announced after a reversal, and whose confirmation takes several questions. M3: it is given back.
#[tokio::test]
async fn a_doubt_lasts_until_the_channel_is_definite() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", CLOSED);
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    for say in [no_answer(), Say::Status(PaymentStatus::Pending), Say::Status(PaymentStatus::NotFound), no_answer()] {
        counter.scheme.next("query", say);
    }
    counter.scheme.always("query", PAID);
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    assert_eq!(counter.state(id).await, State::Reversed);
    let workers = counter.workers();
    counter
        .comes_to(id, "the late success is booked and given back", |sale| {
            matches!(&sale.payment.payment.state, State::Captured(capture) if capture.late && capture.refunded_minor == 1_250)
        })
        .await;
    workers.stop().await;
    let events = counter.events(id).await;
    // Announced; and until the cancel cannot reach the channel any more.
    assert_eq!(events.iter().filter(|event| *event == "doubted").count(), 2, "{events:?}");
    assert!(events.contains(&"paid_late".to_owned()), "{events:?}");
    counter.books_hold().await;
}

/// M3: the refund of a late success is in the database with the success itself, also while its plugin is gone.
#[tokio::test]
async fn a_late_refund_is_set_aside_with_the_capture_and_outlives_everything() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    counter.scheme.next("query", Say::Status(PaymentStatus::Pending));
    expire(&counter.app, counter.scope, id).await.unwrap();
    // No worker runs: whatever is there is there by the transaction of the answer alone.
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    let set_aside = counter.refunds(id).await;
    assert_eq!(set_aside.len(), 1);
    assert_eq!((set_aside[0].refund.kind, set_aside[0].refund.amount.minor()), (RefundKind::Late, 1_250));
    assert!(matches!(counter.state(id).await, State::Captured(capture) if capture.reserved_minor == 1_250));
    counter.books_hold().await;
    counter.scheme.install(None);
    let workers = counter.workers();
    counter.later(120_000);
    counter.scheme.install(Some(ALL));
    // Twice it does not get through; then it does.
    counter.scheme.next("refund", not_sent());
    counter.scheme.next("refund", not_sent());
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    counter
        .comes_to(
            id,
            "it is given back",
            |sale| matches!(&sale.payment.payment.state, State::Captured(capture) if capture.refunded_minor == 1_250),
        )
        .await;
    workers.stop().await;
    counter.books_hold().await;
}

/// M3: a channel that knows no refunds gives back by cancelling.
#[tokio::test]
async fn a_late_success_of_a_channel_without_refunds_is_cancelled() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.install(Some(&[Capability::MerchantPresented, Capability::Cancel]));
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    counter.scheme.next("query", Say::Status(PaymentStatus::Pending));
    expire(&counter.app, counter.scope, id).await.unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    counter.scheme.always("cancel", CLOSED);
    let workers = counter.workers();
    counter
        .comes_to(
            id,
            "it is given back",
            |sale| matches!(&sale.payment.payment.state, State::Captured(capture) if capture.refunded_minor == 1_250),
        )
        .await;
    workers.stop().await;
    assert_eq!(counter.scheme.calls("refund"), 0);
    counter.books_hold().await;
}

/// The tenant's policy `accept`: the late success stays, and is visible.
#[tokio::test]
async fn a_late_success_is_kept_where_the_merchant_accepts_it() {
    let counter = Counter::open(LatePolicy::Accept).await;
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    expire(&counter.app, counter.scope, id).await.unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    assert!(matches!(counter.state(id).await, State::Captured(capture) if capture.late && capture.reserved_minor == 0));
    assert!(counter.refunds(id).await.is_empty());
    assert!(counter.events(id).await.contains(&"paid_late".to_owned()));
    counter.books_hold().await;
}

/// M4: a process that ended while a refund was under way; the repeat does not get through.
#[tokio::test]
async fn a_refund_that_may_have_been_sent_is_not_called_failed() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", PAID);
    let sale = counter.charges().await;
    let id = sale.payment.payment.id;
    let bell = Arc::new(Notify::new());
    let held = Say::Held(bell, Box::new(Say::Refund(RefundStatus::Succeeded)));
    counter.scheme.next("refund", held);
    let wish = giving_back(7, id, RefundKind::Refund, Some(sale.payment.payment.amount));
    let (app, scope) = (counter.app.clone(), counter.scope);
    let caller = tokio::spawn(async move { give_back(&app, scope, wish).await.map(drop) });
    eventually("the refund is under way", async || counter.scheme.calls("refund") == 1).await;
    // As after a crash: the row says submitting, and somebody takes it up. The scheme does not know it yet.
    counter.scheme.always("query_refund", Say::Refund(RefundStatus::NotFound));
    counter.scheme.next("refund", not_sent());
    let row = counter.refunds(id).await.remove(0);
    assert_eq!(row.refund.state, RefundStanding::Submitting);
    payments::resume_refund(&counter.app, counter.scope, row).await.unwrap();
    assert_eq!(counter.refunds(id).await[0].refund.state, RefundStanding::Unknown, "it was called failed");
    caller.abort();
    counter.books_hold().await;
}

/// M5 and M7.
#[tokio::test]
async fn what_a_channel_says_of_money_is_booked_whole_and_only_with_its_amount() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let unknown = counter.charges().await.payment.payment.id;
    counter.scheme.next("query", Say::Bare(PaymentStatus::Succeeded));
    ask(&counter.app, counter.scope, unknown).await.unwrap();
    assert!(matches!(counter.state(unknown).await, State::Unknown { .. }), "a success without an amount was believed");
    assert!(counter.events(unknown).await.contains(&"answer_refused".to_owned()));
    counter.scheme.next("query", Say::Status(PaymentStatus::Refunded));
    ask(&counter.app, counter.scope, unknown).await.unwrap();
    assert!(is_paid(&counter.state(unknown).await), "money that stayed was called reversed");
    assert!(counter.events(unknown).await.contains(&"refunded_elsewhere".to_owned()));

    let silent = [Capability::CustomerPresented, Capability::Cancel, Capability::AmountsNotNamed];
    counter.scheme.install(Some(&silent));
    counter.scheme.next("charge", Say::Bare(PaymentStatus::Succeeded));
    assert!(is_paid(&counter.charges().await.payment.payment.state));
    counter.books_hold().await;
}

/// M6: the channel has never heard of it, and the charge can no longer be on its way.
#[tokio::test]
async fn a_reversal_ends_when_the_channel_never_heard_of_the_charge() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", no_answer());
    let id = counter.charges().await.payment.payment.id;
    counter.scheme.always("cancel", Say::Status(PaymentStatus::NotFound));
    cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
    assert!(matches!(counter.state(id).await, State::Unknown { .. }), "the charge may still be on its way");
    let workers = counter.workers();
    counter.comes_to(id, "it is reversed", |sale| sale.payment.payment.state == State::Reversed).await;
    workers.stop().await;
}

/// M8: what cannot be asked any more still ends here, and the channel hears of it when it can.
#[tokio::test]
async fn a_code_ends_in_time_also_when_its_plugin_is_gone() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let gone = counter.shows(0, None).await.payment.payment.id;
    counter.scheme.install(None);
    counter.later(121_000);
    let workers = counter.workers();
    counter
        .comes_to(gone, "it expires", |sale| sale.payment.payment.state == State::Expired { close: Close::Asked })
        .await;
    counter.scheme.always("cancel", CLOSED);
    counter.scheme.install(Some(ALL));
    counter
        .comes_to(gone, "the channel closes it", |sale| {
            sale.payment.payment.state == State::Expired { close: Close::Confirmed }
        })
        .await;
    workers.stop().await;
}

/// M8: one slow account does not hold up the other.
#[tokio::test]
async fn a_channel_that_does_not_answer_delays_nobody_else() {
    let counter = Counter::open(LatePolicy::Refund).await;
    *counter.scheme.stuck.lock().unwrap() = Some(counter.accounts[0]);
    counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
    for _ in 0..40 {
        counter.shows(0, None).await;
    }
    counter.later(2_000);
    let workers = counter.workers();
    eventually("its share of the slow account is in hand", async || counter.scheme.calls("stuck") == 8).await;
    let quick = counter.shows(1, None).await.payment.payment.id;
    counter.later(121_000);
    counter
        .comes_to(quick, "the other account's code expires", |sale| {
            matches!(sale.payment.payment.state, State::Expired { .. })
        })
        .await;
    // The workers have calls in hand that never end: they go with the story.
    drop(workers);
}

/// M9: an answer without news writes nothing that anybody must see; its reference is kept.
#[tokio::test]
async fn an_answer_without_news_is_no_news() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let sale = counter.shows(0, None).await;
    let id = sale.payment.payment.id;
    let version = counter.sale(id).await.payment.version;
    let mut bell = counter.app.news();
    counter.notified(&sale, PaymentStatus::Pending).await;
    assert!(bell.try_recv().is_err(), "a bell rang for nothing");
    assert_eq!(counter.sale(id).await.payment.version, version);
    let mut answer = crate::scheme_world::answer(id, PaymentStatus::Pending);
    answer.reference = "W-77".to_owned();
    payments::answer_came(&counter.app, counter.scope, id, counter.accounts[0], answer).await.unwrap();
    assert_eq!(counter.sale(id).await.payment.channel_reference.as_deref(), Some("W-77"));
    assert!(bell.try_recv().is_ok());
}

/// M12: the scheme's own words stay in the events.
#[tokio::test]
async fn the_scheme_s_words_of_a_decline_stay_in_the_timeline() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let decline = Decline { code: DeclineCode::Declined, message: "E-4711: card blocked".to_owned() };
    counter.scheme.next("charge", Say::Status(PaymentStatus::Failed(decline)));
    let (id, scope) = (counter.charges().await.payment.payment.id, counter.scope);
    let events = counter.app.store().read(move |tx| saoma_store::events::timeline(tx, &scope, id)).await.unwrap();
    assert!(events.iter().any(|stored| stored.event.data_json.contains("E-4711")), "{events:?}");
}

/// A void that races a second answer of success, and is doubted: the books hold, and nothing is given back twice.
#[tokio::test]
async fn a_void_and_a_repeated_success_do_not_disturb_each_other() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.scheme.next("charge", PAID);
    let sale = counter.charges().await;
    let (id, bell) = (sale.payment.payment.id, Arc::new(Notify::new()));
    counter.scheme.next("cancel", Say::Held(bell.clone(), Box::new(CLOSED)));
    let wish = giving_back(8, id, RefundKind::Void, None);
    let (app, scope) = (counter.app.clone(), counter.scope);
    let voiding = tokio::spawn(async move { give_back(&app, scope, wish).await.map(drop) });
    eventually("the void is under way", async || counter.scheme.calls("cancel") == 1).await;
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    counter.notified(&sale, PaymentStatus::Closed).await;
    bell.notify_one();
    voiding.await.unwrap().unwrap();
    counter.notified(&sale, PaymentStatus::Succeeded).await;
    assert!(matches!(counter.state(id).await, State::Voided { .. }));
    assert_eq!(counter.refunds(id).await.len(), 1);
    counter.books_hold().await;
}

/// A cancel that was cut off reaches the channel after the success was booked, and undoes it there: for as long as it may be on
/// its way, "paid" proves nothing.
#[tokio::test]
async fn a_cancel_that_was_cut_off_and_arrives_late_leaves_no_capture_in_the_books() {
    let (counter, sale) = cancelled_without_a_word("usr_cashier").await;
    undone_after_it_was_paid(&counter, &sale, 0).await;
}

/// The same where a repeated cancel had been confirmed before: the first one is still on its way. (Seed 3125040 of the simulator.)
#[tokio::test]
async fn a_cancel_that_arrives_after_a_repeated_one_was_confirmed_leaves_no_capture_in_the_books() {
    let (counter, sale) = cancelled_without_a_word("core").await;
    let id = sale.payment.payment.id;
    counter.scheme.next("cancel", CLOSED);
    close_now(&counter.app, counter.scope, id).await.unwrap();
    assert_eq!(counter.state(id).await, State::Reversed);
    undone_after_it_was_paid(&counter, &sale, 0).await;
}

/// The same where the node that booked the success has a clock half a minute behind that of the node that asks. (Seed 3027704.)
#[tokio::test]
async fn a_wait_that_a_slower_clock_began_is_not_over_at_once() {
    let (counter, sale) = cancelled_without_a_word("core").await;
    undone_after_it_was_paid(&counter, &sale, -30_000).await;
}

/// Neither the charge nor its cancel was answered.
async fn cancelled_without_a_word(actor: &str) -> (Counter, Sale) {
    let counter = Counter::open(LatePolicy::Accept).await;
    counter.scheme.next("charge", no_answer());
    let sale = counter.charges().await;
    counter.scheme.next("cancel", no_answer());
    cancel(&counter.app, counter.scope, sale.payment.payment.id, actor).await.unwrap();
    (counter, sale)
}

/// A signed success; the channel still says so when it is first asked, and then the cancel arrives there.
async fn undone_after_it_was_paid(counter: &Counter, sale: &Sale, ahead_ms: i64) {
    let id = sale.payment.payment.id;
    counter.later(ahead_ms);
    counter.notified(sale, PaymentStatus::Succeeded).await;
    counter.later(-ahead_ms);
    counter.scheme.next("query", PAID);
    ask(&counter.app, counter.scope, id).await.unwrap();
    assert!(is_paid(&counter.state(id).await));
    counter.scheme.always("query", CLOSED);
    let workers = counter.workers();
    let is_undone = |sale: &Sale| matches!(sale.payment.payment.state, State::Voided { .. });
    counter.comes_to(id, "what is undone is undone here", is_undone).await;
    counter.in_time("the doubt ends", async || counter.events(id).await.contains(&"doubt_ended".to_owned())).await;
    workers.stop().await;
    counter.books_hold().await;
}

/// What was planned by a clock that was a day ahead is not left for a day.
#[tokio::test]
async fn what_a_clock_planned_that_was_ahead_is_taken_up_by_the_right_one() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.later(86_400_000);
    counter.scheme.next("charge", no_answer());
    let charged = counter.charges().await.payment.payment.id;
    let shown = counter.shows(0, None).await.payment.payment.id;
    counter.later(-86_400_000);
    counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.always("cancel", CLOSED);
    let workers = counter.workers();
    counter.comes_to(charged, "the charge is undone", |sale| sale.payment.payment.state == State::Reversed).await;
    let expired = State::Expired { close: Close::Confirmed };
    counter.comes_to(shown, "the code is over", |sale| sale.payment.payment.state == expired).await;
    workers.stop().await;
    counter.books_hold().await;
}

/// One order, two codes, both paid: the first keeps the order, the second goes back by itself.
#[tokio::test]
async fn a_second_payment_of_an_order_is_booked_and_given_back() {
    let counter = Counter::open(LatePolicy::Accept).await;
    let first = counter.shows(0, None).await;
    let second = counter.shows(1, Some(first.payment.order)).await;
    assert_eq!(first.payment.order, second.payment.order);
    counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.always("cancel", no_answer());
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    counter.notified(&first, PaymentStatus::Succeeded).await;
    let (one, two) = (first.payment.payment.id, second.payment.payment.id);
    // The other code dies by itself, and was paid all the same.
    counter
        .comes_to(two, "the other is closed", |sale| matches!(sale.payment.payment.state, State::Cancelled { .. }))
        .await;
    counter.notified(&second, PaymentStatus::Succeeded).await;
    let workers = counter.workers();
    counter
        .comes_to(
            two,
            "the second is given back",
            |sale| matches!(&sale.payment.payment.state, State::Captured(capture) if capture.refunded_minor == 1_250),
        )
        .await;
    workers.stop().await;
    assert!(matches!(counter.state(one).await, State::Captured(capture) if capture.reserved_minor == 0));
    assert!(counter.events(two).await.contains(&"second_payment".to_owned()));
    assert_eq!(counter.sale(two).await.order.paid_by, Some(one));
    counter.books_hold().await;
    let late = counter.try_collect(
        payments::How::Present { lives: std::time::Duration::from_secs(60) },
        1,
        Some(first.payment.order),
    );
    assert!(matches!(late.await, Err(PaymentError::Order(saoma_domain::order::Refusal::Paid { .. }))));
}

/// Both successes at the same instant, again and again: neither is refused, one stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_successes_of_one_order_at_once_are_both_booked_and_one_stays() {
    let counter = Arc::new(Counter::open(LatePolicy::Refund).await);
    both_at_once(counter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_on_postgresql() {
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let counter = Arc::new(Counter::open_on(&database, folder, LatePolicy::Refund).await);
    both_at_once(counter).await;
}

async fn both_at_once(counter: Arc<Counter>) {
    counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
    for _ in 0..10 {
        let first = counter.shows(0, None).await;
        let second = counter.shows(1, Some(first.payment.order)).await;
        let both = [first.clone(), second.clone()].map(|sale| {
            let counter = counter.clone();
            tokio::spawn(async move { counter.notified(&sale, PaymentStatus::Succeeded).await })
        });
        for done in both {
            done.await.unwrap();
        }
        let mut reserved = Vec::new();
        for sale in [&first, &second] {
            match counter.state(sale.payment.payment.id).await {
                State::Captured(capture) => reserved.push(capture.reserved_minor),
                other => panic!("a success was not booked: {other:?}"),
            }
        }
        reserved.sort_unstable();
        assert_eq!(reserved, [0, 1_250], "one stays, the other goes back");
    }
    counter.books_hold().await;
}

/// A second payment of an order, of which somebody else has given a part back: that part would go back twice.
#[tokio::test]
async fn a_second_payment_that_was_given_back_elsewhere_is_left_to_a_person() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let first = counter.shows(0, None).await;
    let second = counter.shows(1, Some(first.payment.order)).await;
    counter.notified(&first, PaymentStatus::Succeeded).await;
    let two = second.payment.payment.id;
    counter.notified(&second, PaymentStatus::Refunded).await;
    assert!(matches!(counter.state(two).await, State::Captured(capture) if capture.reserved_minor == 0));
    assert!(counter.sale(two).await.payment.watch.attention_at.is_some());
    let told = counter.events(two).await;
    assert!(["second_payment", "refunded_elsewhere"].iter().all(|kind| told.contains(&(*kind).to_owned())), "{told:?}");
    counter.books_hold().await;
}

/// A scheme whose clock is hours ahead: the sale is of now, and can be undone today.
#[tokio::test]
async fn no_sale_is_of_a_moment_that_is_still_to_come() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let now = counter.app.now();
    for (said, expected) in [(20 * 3_600_000, 0), (-1_000, -1_000), (-20 * 3_600_000, -3_600_000)] {
        let sale = counter.shows(0, None).await;
        counter.notified_paid(&sale, Some(now.plus(said))).await;
        let State::Captured(capture) = counter.state(sale.payment.payment.id).await else { panic!("it is paid") };
        assert_eq!(capture.at, now.plus(expected));
    }
    counter.books_hold().await;
}
