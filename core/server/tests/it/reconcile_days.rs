//! Days against each other: what is heard of late, listed late, listed twice, revised, or taken back after persons decided.

use std::sync::Arc;

use saoma_channels::{BillLine, Decline, DeclineCode, Failure, PaymentStatus, RefundStatus};
use saoma_domain::{
    ledger::Account,
    recon::{Key, Movement},
};
use saoma_protocol::{Millis, PaymentId, RefundId, api::RefundKind};
use saoma_server::{
    payments::give_back,
    reconcile::{self, ReconcileError, resolve::Deed},
};
use saoma_store::{
    StoreError, bills, channel_accounts, ledger,
    payments::Sale,
    reconciliations::{self, Reconciliation, State},
    tenants::LatePolicy,
};
use tokio::sync::Notify;

use crate::{
    fleet_world::eventually,
    reconcile::{DAY, FEE_MINOR, HOUR_MS, NEXT_DAY, line, number, of, on_both},
    scheme_world::{AMOUNT_MINOR, Counter, Say, cny, giving_back, no_answer},
};

const THIRD_DAY: &str = "2026-09-23";
const FOURTH_DAY: &str = "2026-09-24";
const NET_MINOR: i64 = AMOUNT_MINOR - FEE_MINOR;

impl Counter {
    pub async fn ended(&self, run: &Reconciliation) -> Reconciliation {
        let (id, scope) = (run.id, self.scope);
        let load = async || self.app.store().read(move |tx| reconciliations::load(tx, &scope, id)).await.unwrap();
        eventually("the comparison ends", async || load().await.state != State::Running).await;
        load().await
    }

    async fn due(&self) -> Vec<String> {
        let (scope, account) = (self.scope, self.accounts[0]);
        let stored = self.app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await.unwrap();
        reconcile::due_days(&self.app, scope, &stored).await.unwrap()
    }

    async fn classes(&self) -> Vec<&'static str> {
        self.waiting().await.iter().map(|one| one.finding.class.text()).collect()
    }
}

/// A payment without an answer is on its day's bill, and is heard of on the fourth day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_heard_of_late_is_compared_where_the_scheme_listed_it() {
    for says_when in [true, false] {
        on_both(async |counter: Counter| {
            counter.scheme.next("charge", no_answer());
            let sale = counter.charges().await;
            let paid_at = counter.app.now();
            counter.later(36 * HOUR_MS);
            counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
            counter.compares(DAY).await;
            assert_eq!(counter.classes().await, ["status"]);
            counter.later(36 * HOUR_MS);
            counter.notified_paid(&sale, says_when.then_some(paid_at)).await;
            for day in [NEXT_DAY, THIRD_DAY, FOURTH_DAY] {
                counter.scheme.lists(day, Vec::new());
            }
            counter.later(96 * HOUR_MS);
            for day in [FOURTH_DAY, DAY, NEXT_DAY, THIRD_DAY, FOURTH_DAY] {
                let run = counter.compares(day).await;
                assert_eq!(run.state, State::Done, "{day}: {run:?}");
                assert!(!counter.classes().await.contains(&"missing_there"), "{day}");
            }
            assert_eq!(counter.waiting().await, [], "the channel is right, and nobody is asked to book against it");
            // The books of a period that is over do not change by it.
            let scope = counter.scope;
            let payment = sale.payment.payment.id;
            let sets = counter.app.store().read(move |tx| ledger::of_payment(tx, &scope, payment)).await.unwrap();
            let heard_at = paid_at.plus(72 * HOUR_MS);
            let at = if says_when { paid_at } else { heard_at };
            assert!(sets.iter().all(|set| (set.at, set.booked_at) == (at, heard_at)), "{sets:?}");
            counter.books_hold().await;
        })
        .await;
    }
}

/// A moment that cannot be (before the sale, or to come) is no day to look on.
#[tokio::test]
async fn a_scheme_does_not_move_a_sale_to_another_year() {
    let counter = Counter::open(LatePolicy::Refund).await;
    for (said, booked) in [(-400 * 24 * HOUR_MS, -HOUR_MS), (400 * 24 * HOUR_MS, 0), (-60_000, -60_000)] {
        counter.scheme.next("charge", no_answer());
        let sale = counter.charges().await;
        let now = counter.app.now();
        counter.notified_paid(&sale, Some(now.plus(said))).await;
        let (scope, payment): (_, PaymentId) = (counter.scope, sale.payment.payment.id);
        let sets = counter.app.store().read(move |tx| ledger::of_payment(tx, &scope, payment)).await.unwrap();
        assert_eq!(sets[0].at, now.plus(booked), "{said}");
    }
    counter.books_hold().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_taken_back_when_the_next_bill_proves_it_wrong() {
    on_both(async |counter: Counter| {
        let given_up = counter.sells(PaymentStatus::Succeeded).await;
        let written_off = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(72 * HOUR_MS);
        counter.scheme.lists(DAY, vec![counter.listed(&given_up, AMOUNT_MINOR, FEE_MINOR)]);
        counter.compares(DAY).await;
        counter.scheme.lists(DAY, vec![line(Movement::Payment, "WX-1", 300, 2, counter.app.now())]);
        counter.compares(DAY).await;
        let waiting = counter.waiting().await;
        let id = |class: &str, number: &str| of(&waiting, class, number).id;
        counter.resolves(id("missing_there", &number(&given_up))).await.unwrap();
        counter.resolves(id("missing_here", "WX-1")).await.unwrap();
        counter.write_off(id("missing_there", &number(&written_off))).await;
        assert_eq!(counter.holds(Account::ChannelClearing).await, 300 - 2);
        assert_eq!(counter.holds(Account::RiskLoss).await, NET_MINOR);

        // The next day's bill lists both sales; and the day's own, revised, has no WX-1 any more.
        let both = [&given_up, &written_off].map(|sale| counter.listed(sale, AMOUNT_MINOR, FEE_MINOR));
        counter.scheme.lists(NEXT_DAY, both.to_vec());
        counter.compares(NEXT_DAY).await;
        counter.scheme.lists(DAY, vec![line(Movement::Payment, "WX-2", 1, 0, counter.app.now())]);
        counter.compares(DAY).await;
        let waiting = counter.waiting().await;
        let mut undone: Vec<(i64, &str)> = Vec::new();
        for one in waiting.iter().filter(|one| one.finding.class.text() == "corrected") {
            undone.push((one.correction.unwrap().amount.minor(), one.day.as_str()));
            counter.resolves(one.id).await.unwrap();
        }
        undone.sort_unstable();
        assert_eq!(undone, [(-300, DAY), (AMOUNT_MINOR, NEXT_DAY), (AMOUNT_MINOR, NEXT_DAY)]);
        assert_eq!(counter.holds(Account::ChannelClearing).await, 2 * NET_MINOR, "what both bills come to");
        assert_eq!(counter.holds(Account::RiskLoss).await, 0);
        assert_eq!(counter.holds(Account::MerchantPayable).await, -2 * AMOUNT_MINOR);
        assert_eq!(counter.holds(Account::Fees).await, 2 * FEE_MINOR);
        for day in [DAY, NEXT_DAY, DAY] {
            counter.compares(day).await;
        }
        assert_eq!(counter.classes().await, ["missing_here"]);
        counter.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_movement_that_several_days_tell_of_is_booked_once() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(96 * HOUR_MS);
        let other = counter.sells(PaymentStatus::Succeeded).await;
        // Listed on its day and on the third: the second is one too many, whichever is compared first.
        let listed = || counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR);
        counter.scheme.lists(DAY, vec![listed()]);
        counter.scheme.lists(THIRD_DAY, vec![listed(), listed()]);
        counter.compares(DAY).await;
        counter.compares(THIRD_DAY).await;
        assert_eq!(counter.classes().await, ["duplicate", "duplicate"]);
        for one in counter.waiting().await {
            counter.resolves(one.id).await.unwrap();
        }
        for day in [DAY, THIRD_DAY] {
            counter.compares(day).await;
        }
        assert_eq!(counter.waiting().await, []);
        assert_eq!(counter.holds(Account::ChannelClearing).await, (3 + 1) * NET_MINOR);
        // The third day lists it no more.
        counter.scheme.lists(THIRD_DAY, vec![line(Movement::Payment, "WX-9", 1, 0, counter.app.now())]);
        counter.compares(THIRD_DAY).await;
        assert_eq!(counter.classes().await.iter().filter(|class| **class == "corrected").count(), 2);

        // A difference that two days could tell is told by the day of the bill alone.
        counter.scheme.lists("2026-09-25", vec![line(Movement::Payment, "WX-8", 1, 0, counter.app.now())]);
        counter.later(48 * HOUR_MS);
        counter.compares("2026-09-25").await;
        let lacking = of(&counter.waiting().await, "missing_there", &number(&other));
        counter.scheme.lists("2026-09-26", vec![counter.listed(&other, AMOUNT_MINOR - 50, FEE_MINOR)]);
        counter.compares("2026-09-26").await;
        let amount = of(&counter.waiting().await, "amount", &number(&other));
        assert_eq!(amount.correction.unwrap().amount.minor(), -50);
        let late = counter.resolves(lacking.id).await;
        assert!(matches!(late, Err(ReconcileError::Refused(_))), "it would be taken out twice: {late:?}");
        counter.compares("2026-09-25").await;
        assert_eq!(of(&counter.waiting().await, "amount", &number(&other)).id, amount.id);
        counter.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bill_that_is_taken_too_early_or_comes_empty_is_asked_for_again() {
    on_both(async |counter: Counter| {
        let sales = [counter.sells(PaymentStatus::Succeeded).await, counter.sells(PaymentStatus::Succeeded).await];
        let listed = |sale: &Sale| counter.listed(sale, AMOUNT_MINOR, FEE_MINOR);
        // By hand, half an hour after midnight: half of it is there.
        counter.later(4 * HOUR_MS + HOUR_MS / 2);
        counter.scheme.lists(DAY, vec![listed(&sales[0])]);
        assert_eq!(counter.compares(DAY).await.state, State::Done);
        assert_eq!(counter.due().await, [""; 0]);
        counter.later(HOUR_MS / 2);
        assert_eq!(counter.due().await, [DAY], "it is ready now, and was not then");
        let empty = Failure::NoAnswer { why: "nothing yet".to_owned() };
        counter.scheme.next("fetch_bill", Say::Fails(empty));
        counter.compares(DAY).await;
        counter.later(300_000);
        // Empty for once, after it was not: nothing that was found is taken for settled.
        let before = counter.waiting().await;
        counter.scheme.lists(DAY, Vec::new());
        let run = counter.compares(DAY).await;
        assert_eq!((run.state, run.words.as_deref()), (State::Failed, Some("the bill is empty")));
        assert_eq!(counter.waiting().await, before);
        counter.later(4 * HOUR_MS);
        counter.scheme.lists(DAY, sales.iter().map(listed).collect());
        let run = counter.compares(DAY).await.result.unwrap();
        assert_eq!((run.revision, run.agreed), (2, 2));
        assert_eq!(counter.waiting().await, []);

        // Once more after a day, then after two, then after three.
        counter.scheme.lists(NEXT_DAY, Vec::new());
        let mut days_later = Vec::new();
        for day in 1..=7 {
            counter.later(24 * HOUR_MS);
            for other in [NEXT_DAY, THIRD_DAY, FOURTH_DAY, "2026-09-25", "2026-09-26", "2026-09-27", "2026-09-28"] {
                counter.scheme.lists(other, Vec::new());
            }
            let due = counter.due().await;
            assert_eq!(due.first().map(String::as_str) == Some(DAY), due == [DAY], "first those that nobody compared");
            for due in due {
                if due == DAY {
                    days_later.push(day);
                }
                counter.compares(&due).await;
            }
        }
        assert_eq!(days_later, [1, 3, 6]);
        counter.books_hold().await;
    })
    .await;
}

/// An empty bill of a day on which something was sold is not believed for three days; then what was sold is missing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_bill_is_believed_in_the_end() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.sells(PaymentStatus::Succeeded).await;
    counter.scheme.lists(DAY, Vec::new());
    counter.later(6 * HOUR_MS);
    assert_eq!(counter.compares(DAY).await.state, State::Failed);
    counter.later(72 * HOUR_MS);
    assert_eq!(counter.compares(DAY).await.state, State::Done);
    assert_eq!(counter.classes().await, ["missing_there"]);
}

/// Lines that are no rows (a withdrawal, a sum) say as little of what was sold as none at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bill_with_no_row_among_its_lines_is_doubted_as_an_empty_one() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let sale = counter.sells(PaymentStatus::Succeeded).await;
    let withdrawn = || BillLine::Unreadable("提现,12.42".to_owned());
    counter.scheme.lists(DAY, vec![withdrawn()]);
    counter.later(6 * HOUR_MS);
    let run = counter.compares(DAY).await;
    assert_eq!((run.state, run.words.as_deref()), (State::Failed, Some("the bill is empty")));
    assert_eq!(counter.waiting().await, []);
    counter.later(72 * HOUR_MS);
    counter.scheme.lists(DAY, vec![withdrawn(), counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
    assert_eq!(counter.compares(DAY).await.state, State::Done);
    // Nor does it take the place of one that had rows, however late.
    counter.scheme.lists(DAY, vec![withdrawn()]);
    assert_eq!(counter.compares(DAY).await.state, State::Failed);
    assert_eq!(counter.classes().await, ["unreadable"]);
}

/// A node that stood still for longer than its lease writes nothing into what another one does meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_taken_for_dead_writes_nothing() {
    on_both(async |counter: Counter| {
        let mut sales = Vec::new();
        for _ in 0..5 {
            sales.push(counter.sells(PaymentStatus::Succeeded).await);
        }
        counter.later(24 * HOUR_MS);
        counter.scheme.lists(DAY, sales.iter().map(|sale| counter.listed(sale, AMOUNT_MINOR, FEE_MINOR)).collect());
        // The first stands still with its second page, and other days of the account wait.
        let bell = Arc::new(Notify::new());
        counter.scheme.next("fetch_bill", Say::Bare(PaymentStatus::Pending));
        counter.scheme.next("fetch_bill", Say::Held(bell.clone(), Box::new(no_answer())));
        let first = counter.starts(DAY).await;
        let other = reconcile::start(&counter.app, counter.scope, counter.accounts[0], "2026-09-20", "usr_a").await;
        assert!(matches!(&other, Err(ReconcileError::Busy(day)) if day == DAY), "{other:?}");
        let lines = async || {
            let (scope, account) = (counter.scope, counter.accounts[0]);
            let bill = counter.app.store().read(move |tx| bills::newest(tx, &scope, account, DAY)).await.unwrap();
            bill.map(|bill| bill.lines)
        };
        eventually("the first has its first page", async || counter.scheme.is_said("fetch_bill")).await;
        counter.later(200_000);
        // The second stands still as well, in the middle of its bill, while the first goes on.
        let second_bell = Arc::new(Notify::new());
        counter.scheme.next("fetch_bill", Say::Bare(PaymentStatus::Pending));
        counter.scheme.next("fetch_bill", Say::Held(second_bell.clone(), Box::new(no_answer())));
        let second = counter.starts(DAY).await;
        assert_ne!(first.id, second.id);
        eventually("the second has its first page", async || counter.scheme.is_said("fetch_bill")).await;
        bell.notify_one();
        assert_eq!(counter.ended(&first).await.words.as_deref(), Some("it was cut off"));
        // It has heard so by now, or will: whatever it does next, the second's bill is whole.
        second_bell.notify_one();
        let done = counter.ended(&second).await;
        assert_eq!((done.state, done.result.unwrap().agreed, lines().await), (State::Done, 5, Some(5)));
        let scope = counter.scope;
        let bill = done.bill.unwrap();
        let rows = counter.app.store().read(move |tx| bills::page(tx, &scope, bill, None, 50)).await.unwrap();
        assert_eq!(rows.len(), 5);
        assert_eq!(counter.waiting().await, []);
    })
    .await;
}

/// At eight in the evening the day of a scheme that closes at seven is the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_after_the_schemes_close_is_on_the_next_days_bill() {
    on_both(async |counter: Counter| {
        counter.scheme.begins_days(-5 * 60);
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.lists(DAY, Vec::new());
        counter.scheme.lists(NEXT_DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        let empty = counter.compares(DAY).await;
        assert_eq!(empty.result.map(|result| result.ours), Some(0), "it was over an hour before the sale");
        counter.later(23 * HOUR_MS - 1);
        let account = counter.accounts[0];
        let early = reconcile::start(&counter.app, counter.scope, account, NEXT_DAY, "usr_a").await;
        assert!(matches!(early, Err(ReconcileError::DayOpen(_))), "{early:?}");
        counter.later(1);
        let result = counter.compares(NEXT_DAY).await.result.unwrap();
        assert_eq!((result.ours, result.agreed, counter.waiting().await.len()), (1, 1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_accounts_with_one_merchant_number_list_each_others_sales() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(24 * HOUR_MS);
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        let other = reconcile::start(&counter.app, counter.scope, counter.accounts[1], DAY, "usr_a").await.unwrap();
        let result = counter.ended(&other).await.result.unwrap();
        assert_eq!(result.found.into_iter().collect::<Vec<_>>(), [("other_account".to_owned(), 1)]);
        let sums = result.sums[&saoma_protocol::Currency::CNY];
        assert_eq!((sums.theirs_minor, sums.theirs_fee_minor), (0, 0), "no payout of this account is expected of it");
        assert_eq!(counter.compares(DAY).await.result.unwrap().agreed, 1);
        assert_eq!(counter.waiting().await, [], "it is in the books once, and nobody is asked to book it again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_books_what_they_saw_or_nothing() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(24 * HOUR_MS);
        let lists = |minor| counter.scheme.lists(DAY, vec![counter.listed(&sale, minor, FEE_MINOR)]);
        lists(AMOUNT_MINOR - 50);
        counter.compares(DAY).await;
        let seen = of(&counter.waiting().await, "amount", &number(&sale));
        lists(50);
        counter.compares(DAY).await;
        let deed = Deed::Resolve { reason: "as shown".to_owned(), version: seen.version };
        let refused = counter.acts(seen.id, deed, "usr_a").await;
        assert!(matches!(refused, Err(ReconcileError::Store(StoreError::Stale { .. }))), "{refused:?}");
        assert_eq!(counter.holds(Account::ChannelClearing).await, NET_MINOR);
        // The same bill again changes nothing that was seen.
        let seen = of(&counter.waiting().await, "amount", &number(&sale));
        counter.compares(DAY).await;
        let deed = Deed::Resolve { reason: "as shown".to_owned(), version: seen.version };
        counter.acts(seen.id, deed, "usr_a").await.unwrap();
        assert_eq!(counter.holds(Account::ChannelClearing).await, 50 - FEE_MINOR);
    })
    .await;
}

/// What the channel undid by itself gives no fee back by its bill: booked once, beside the right movement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fee_of_an_undone_payment_is_corrected_once() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        let (scope, payment, account) = (counter.scope, sale.payment.payment.id, counter.accounts[0]);
        let now: Millis = counter.app.now();
        let undone = ledger::Booking {
            subject: ledger::Subject::Payment(payment),
            kind: saoma_domain::ledger::Kind::Undone,
            channel_account: Some(account),
            at: now,
            booked_at: now,
        };
        // As the channel undoes a payment, its state left alone: the books are not checked against it here.
        let sets = saoma_domain::ledger::rules::undone(
            sale.payment.payment.method,
            sale.payment.payment.amount,
            cny(FEE_MINOR).money(),
        );
        counter.app.store().write(move |tx| ledger::post(tx, &scope, &undone, &sets)).await.unwrap();
        counter.later(24 * HOUR_MS);
        let reversal = line(Movement::Reversal, &number(&sale), AMOUNT_MINOR, 0, now);
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR), reversal]);
        counter.compares(DAY).await;
        let waiting = counter.waiting().await;
        let fee = of(&waiting, "fee", &number(&sale));
        let key = Key { number: number(&sale), movement: Movement::Reversal };
        assert_eq!((waiting.len(), fee.finding.key.as_ref()), (1, Some(&key)));
        counter.resolves(fee.id).await.unwrap();
        counter.compares(DAY).await;
        assert_eq!(counter.waiting().await, [], "the payment's own fee is as it was");
        assert_eq!(counter.holds(Account::Fees).await, FEE_MINOR);
    })
    .await;
}

/// A refund that failed here, and a payment that stands here: the bill says that both went back, and nothing that the channel
/// says can change them any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_otherwise_here_is_booked_as_the_bill_says() {
    on_both(async |counter: Counter| {
        let refunded = counter.sells(PaymentStatus::Succeeded).await;
        let undone = counter.sells(PaymentStatus::Succeeded).await;
        let declined = Decline { code: DeclineCode::Declined, message: String::new() };
        counter.scheme.next("refund", Say::Refund(RefundStatus::Failed(declined)));
        let id = RefundId::from_bytes([7; 16]);
        let wish = giving_back(7, refunded.payment.payment.id, RefundKind::Refund, Some(cny(100)));
        give_back(&counter.app, counter.scope, wish).await.unwrap();
        counter.later(24 * HOUR_MS);
        counter.scheme.lists(
            DAY,
            vec![
                counter.listed(&refunded, AMOUNT_MINOR, FEE_MINOR),
                line(Movement::Refund, &id.to_string(), 100, 0, counter.app.now()),
                counter.listed(&undone, AMOUNT_MINOR, FEE_MINOR),
                line(Movement::Reversal, &number(&undone), AMOUNT_MINOR, -FEE_MINOR, counter.app.now()),
            ],
        );
        counter.compares(DAY).await;
        let waiting = counter.waiting().await;
        for (number, state) in [(id.to_string(), "failed"), (number(&undone), "succeeded")] {
            let one = of(&waiting, "missing_here", &number);
            assert_eq!(one.finding.words.as_deref(), Some(state));
            counter.resolves(one.id).await.unwrap();
        }
        assert_eq!(counter.holds(Account::ChannelClearing).await, AMOUNT_MINOR - FEE_MINOR - 100);
        counter.compares(DAY).await;
        assert_eq!((waiting.len(), counter.waiting().await), (2, vec![]));
        counter.books_hold().await;
    })
    .await;
}

/// The second line of a sale is about it and no part of it: a refund gives back of the fee that was taken once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fee_of_a_line_too_many_is_not_given_back() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(24 * HOUR_MS);
        let listed = || counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR);
        counter.scheme.lists(DAY, vec![listed()]);
        counter.scheme.lists(NEXT_DAY, vec![listed()]);
        counter.compares(DAY).await;
        counter.later(24 * HOUR_MS);
        counter.compares(NEXT_DAY).await;
        let again = of(&counter.waiting().await, "duplicate", &number(&sale));
        assert!(again.finding.ours.is_some(), "it is shown beside what the books have");
        counter.resolves(again.id).await.unwrap();
        let (scope, payment) = (counter.scope, sale.payment.payment.id);
        let read = move |tx: &mut saoma_store::Tx<'_>| ledger::of_payment(tx, &scope, payment);
        let booked = counter.app.store().read(read).await.unwrap();
        let postings = booked.iter().flat_map(|set| &set.postings).filter(|posting| posting.account == Account::Fees);
        let fees: i64 = postings.map(|posting| posting.money.minor()).sum();
        assert_eq!(fees, FEE_MINOR);
        assert_eq!(counter.holds(Account::Fees).await, 2 * FEE_MINOR);
        counter.books_hold().await;
    })
    .await;
}
