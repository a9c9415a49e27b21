//! Disputes among the lines of a bill: what the channel took is in the books once, whoever said so first; and what the channel
//! itself says of a case, in whatever order.

use saoma_channels::{BillLine, BillRow, DisputeNotice, NotificationEvent, PaymentStatus};
use saoma_domain::{
    dispute::{News, Outcome, State},
    ledger::Account,
    recon::{Key, Movement, Side},
};
use saoma_protocol::{Amount, Currency, DisputeId, Millis, Money, PaymentId};
use saoma_server::{
    payments::{
        Deed, DisputeNews, DisputeStep, Opening, PaymentError, Told, heard_dispute, open_dispute, step_dispute,
        told as tell,
    },
    reconcile::{
        ReconcileError,
        payout::{self, Seen},
        resolve,
    },
};
use saoma_store::{
    StoreError, access,
    disputes::{self, StoredDispute},
    ledger,
    payments::Sale,
};

use crate::{
    reconcile::{DAY, FEE_MINOR, HOUR_MS, NEXT_DAY, any_key, line, number, of, on_both, told},
    scheme_world::{AMOUNT_MINOR, Counter, cny},
};

/// What the customer disputes, and what the scheme charges for the case.
const TAKEN: i64 = 600;
const CASE_FEE: i64 = 15;

fn case_line(movement: Movement, case: &str, order: &str, minor: i64, fee_minor: i64, at: Millis) -> BillLine {
    let money = |minor| Money::new(minor, Currency::CNY);
    BillLine::Row(BillRow {
        key: Key { number: case.to_owned(), movement },
        order_number: order.to_owned(),
        reference: String::new(),
        side: Side { money: money(minor), fee: money(fee_minor), at },
    })
}

/// A sale, on the bill of its day; three days later, at the same hour.
struct Case {
    counter: Counter,
    sale: Sale,
}

impl Case {
    async fn sold(counter: Counter) -> Self {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        Self { counter, sale }
    }

    fn payment(&self) -> PaymentId {
        self.sale.payment.payment.id
    }

    fn taken(&self, case: &str) -> BillLine {
        case_line(Movement::Chargeback, case, &number(&self.sale), TAKEN, CASE_FEE, self.counter.app.now())
    }

    fn given_back(&self, case: &str) -> BillLine {
        let at = self.counter.app.now();
        case_line(Movement::ChargebackReversal, case, &number(&self.sale), TAKEN, 0, at)
    }

    /// The day's bill: the sale, and these.
    fn lists(&self, lines: impl IntoIterator<Item = BillLine>) {
        let sold = self.counter.listed(&self.sale, AMOUNT_MINOR, FEE_MINOR);
        self.counter.scheme.lists(DAY, std::iter::once(sold).chain(lines).collect());
    }

    async fn opens(&self, case: &str) -> StoredDispute {
        self.tries_to_open(case).await.unwrap()
    }

    async fn tries_to_open(&self, case: &str) -> Result<StoredDispute, PaymentError> {
        let opening = Opening {
            id: DisputeId::for_key(self.counter.scope.tenant(), self.payment(), case),
            fingerprint: [0; 32],
            payment: self.payment(),
            amount: cny(TAKEN),
            case_reference: case.to_owned(),
            reason_code: None,
            respond_by: None,
            actor: "usr_clerk".to_owned(),
        };
        open_dispute(&self.counter.app, self.counter.scope, opening).await.map(|(dispute, _)| dispute)
    }

    async fn closes(&self, dispute: &StoredDispute, outcome: Outcome, fee: Option<Amount>) -> StoredDispute {
        let step = DisputeStep {
            dispute: dispute.dispute.id,
            deed: Deed::Close { outcome, fee },
            actor: "usr_clerk".to_owned(),
            key: any_key().key,
            fingerprint: [0; 32],
        };
        step_dispute(&self.counter.app, self.counter.scope, step).await.unwrap()
    }

    async fn disputes(&self) -> Vec<StoredDispute> {
        let (scope, payment) = (self.counter.scope, self.payment());
        self.counter.app.store().read(move |tx| disputes::of_payment(tx, &scope, payment)).await.unwrap()
    }

    /// `class movement number fix state`, of what waits.
    async fn waiting(&self) -> Vec<String> {
        let waiting = self.counter.waiting().await;
        let movement = |found: &saoma_store::discrepancies::Discrepancy| {
            found.finding.key.as_ref().map_or("-", |key| key.movement.text())
        };
        let names = [(number(&self.sale), "sale")].into();
        let mut shown: Vec<String> = waiting
            .iter()
            .map(|one| format!("{} {}", movement(one), told(std::slice::from_ref(one), &names)[0]))
            .collect();
        shown.sort();
        shown
    }

    /// Clearing without the sale, what is held, lost, and the fees without the sale's.
    async fn booked(&self) -> [i64; 4] {
        let counter = &self.counter;
        [
            counter.holds(Account::ChannelClearing).await - (AMOUNT_MINOR - FEE_MINOR),
            counter.holds(Account::DisputesHeld).await,
            counter.holds(Account::RiskLoss).await,
            counter.holds(Account::Fees).await - FEE_MINOR,
        ]
    }

    async fn books_hold(&self) {
        let store = self.counter.app.store().clone();
        let check = move || store.read_blocking(|tx| ledger::check_all(tx, &access::process()));
        let found = tokio::task::spawn_blocking(check).await.unwrap().unwrap();
        assert!(found.is_empty(), "{found:?}");
    }

    fn news(&self, at: i64, news: News) -> DisputeNews {
        DisputeNews {
            account: self.counter.accounts[0],
            payment: self.payment(),
            case_reference: "C-1".to_owned(),
            amount: cny(TAKEN),
            reason_code: Some("13.1".to_owned()),
            news,
            at: Millis(self.counter.app.now().0 - HOUR_MS + at),
        }
    }

    async fn hears(&self, news: DisputeNews) -> Result<StoredDispute, PaymentError> {
        heard_dispute(&self.counter.app, self.counter.scope, news).await
    }
}

/// One message from a year ahead does not silence what is told after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_from_far_ahead_silence_nothing() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let opened = case.hears(case.news(365 * 24 * HOUR_MS, News::Opened { respond_by: None })).await.unwrap();
        assert_eq!(opened.heard_at, Some(case.counter.app.now()));
        case.counter.later(600_000);
        let respond_by = case.counter.app.now().plus(72 * HOUR_MS);
        let asked = case.news(HOUR_MS, News::Asked { respond_by: Some(respond_by) });
        let heard = case.hears(asked).await.unwrap();
        let waits = State::NeedsResponse { respond_by: Some(respond_by) };
        assert_eq!(heard.dispute.state, waits);
        // Told again, as schemes do: it is not newer than what came since.
        case.counter.later(600_000);
        let again = case.news(365 * 24 * HOUR_MS, News::Opened { respond_by: Some(Millis(respond_by.0 - HOUR_MS)) });
        assert_eq!(case.hears(again).await.unwrap().dispute.state, waits);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_is_opened_from_a_line_and_booked_once() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        case.lists([case.taken("C-1")]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, ["chargeback missing_here C-1 [] open_dispute open"]);
        let found = of(&case.counter.waiting().await, "missing_here", "C-1");
        let correction = found.correction.unwrap();
        assert_eq!((correction.amount.minor(), correction.fee.minor()), (-TAKEN, CASE_FEE));
        let resolved = case.counter.resolves(found.id).await.unwrap();
        assert_eq!((resolved.standing.text(), resolved.decided_by.as_deref()), ("resolved", Some("usr_a")));
        let [dispute] = &case.disputes().await[..] else { panic!("one dispute") };
        assert_eq!((dispute.case_reference.as_str(), dispute.dispute.amount.minor()), ("C-1", TAKEN));
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE, TAKEN, 0, CASE_FEE]);
        let again = case.counter.resolves(found.id).await;
        assert!(matches!(again, Err(ReconcileError::Refused(_))), "{again:?}");
        // As the line says, also by when: the day agrees, and says so again.
        for _ in 0..2 {
            let run = case.counter.compares(DAY).await;
            assert_eq!(case.waiting().await, [""; 0]);
            assert!(run.result.unwrap().found.len() <= 1, "the fee that was followed alone differs");
        }
        // Whoever closes it says what the case cost: it is the fee of the line.
        let lost = case.closes(dispute, Outcome::Lost, Some(cny(CASE_FEE))).await;
        assert!(matches!(lost.dispute.state, State::Lost { .. }));
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE, 0, TAKEN, CASE_FEE]);
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, [""; 0]);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_wrote_down_first_meets_its_line() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let dispute = case.opens("C-1").await;
        case.lists([case.taken("C-1")]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, ["chargeback fee C-1 [fee] follow_bill open"]);
        // The person who closes it says the same fee: what waits about it is over, and nothing is booked twice.
        let found = of(&case.counter.waiting().await, "fee", "C-1");
        case.closes(&dispute, Outcome::Lost, Some(cny(CASE_FEE))).await;
        let late = case.counter.resolves(found.id).await;
        assert!(matches!(late, Err(ReconcileError::Refused(_))), "{late:?}");
        let run = case.counter.compares(DAY).await;
        assert_eq!((case.waiting().await, run.result.unwrap().agreed), (vec![], 2));
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE, 0, TAKEN, CASE_FEE]);
        // Another sum on the next revision.
        let more = case_line(Movement::Chargeback, "C-1", "", TAKEN + 5, CASE_FEE, case.counter.app.now());
        case.lists([more]);
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, ["chargeback amount C-1 [amount] claim_from_channel open"]);
        case.counter.resolves(of(&case.counter.waiting().await, "amount", "C-1").id).await.unwrap();
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, [""; 0]);
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE - 5, 0, TAKEN, CASE_FEE]);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_booked_away_before_gives_way_to_the_dispute() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        // Written off by two; followed, since the line names no payment; and still waiting.
        let at = case.counter.app.now();
        let strange = |name: &str| case_line(Movement::Chargeback, name, "", 100, 3, at);
        case.lists([case.taken("C-1"), strange("C-2"), strange("C-3")]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        let found = case.counter.waiting().await;
        case.counter.write_off(of(&found, "missing_here", "C-1").id).await;
        case.counter.resolves(of(&found, "missing_here", "C-2").id).await.unwrap();
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE - 103, 0, TAKEN + CASE_FEE, 3]);
        case.opens("C-1").await;
        let open = |name: &str| Opening {
            id: DisputeId::for_key(case.counter.scope.tenant(), case.payment(), name),
            fingerprint: [0; 32],
            payment: case.payment(),
            amount: cny(100),
            case_reference: name.to_owned(),
            reason_code: None,
            respond_by: None,
            actor: "usr_clerk".to_owned(),
        };
        for name in ["C-2", "C-3"] {
            open_dispute(&case.counter.app, case.counter.scope, open(name)).await.unwrap();
        }
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE - 203, TAKEN + 200, CASE_FEE, 3]);
        let late = case.counter.resolves(of(&found, "missing_here", "C-3").id).await;
        assert!(matches!(late, Err(ReconcileError::Refused(_))), "{late:?}");
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, ["chargeback fee C-3 [date fee] follow_bill open"].map(fields));
        case.books_hold().await;
        // The fee is booked twice by nobody either.
        let disputes = case.disputes().await;
        let first = disputes.iter().find(|one| one.case_reference == "C-1").unwrap();
        case.closes(first, Outcome::Lost, Some(cny(CASE_FEE))).await;
        case.counter.compares(DAY).await;
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE - 203, 200, TAKEN, CASE_FEE + 3]);
        case.books_hold().await;
    })
    .await;
}

/// The order of the fields is the classes'.
fn fields(text: &str) -> String {
    text.replace("[date fee]", "[fee date]")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispute_under_another_number_takes_the_lines() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let dispute = case.opens("case 1, by telephone").await;
        // Where the channel has no numbers for cases, the line has the payment's.
        let line = case.taken(&number(&case.sale));
        case.lists([line]);
        case.counter.scheme.lists(NEXT_DAY, vec![]);
        case.counter.later(24 * 5 * HOUR_MS);
        case.counter.compares(NEXT_DAY).await;
        case.counter.compares(DAY).await;
        assert_eq!(
            case.waiting().await,
            [
                "chargeback missing_here sale [] name_dispute open",
                "chargeback missing_there case 1, by telephone [] follow_bill open",
            ]
        );
        let waiting = case.counter.waiting().await;
        let [wrong, right] = ["case 1, by telephone", &number(&case.sale)]
            .map(|number| waiting.iter().find(|one| one.finding.key.as_ref().unwrap().number == number).unwrap().id);
        // Somebody books the one away before the other is understood.
        case.counter.resolves(wrong).await.unwrap();
        assert_eq!(case.booked().await, [0, TAKEN, 0, 0]);
        case.counter.resolves(right).await.unwrap();
        assert_eq!(case.booked().await, [-TAKEN, TAKEN, 0, 0]);
        let named = case.disputes().await.remove(0);
        assert_eq!((named.dispute.id, named.case_reference), (dispute.dispute.id, dispute.case_reference));
        assert_eq!(named.bill_number, Some(number(&case.sale)));
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, ["chargeback fee sale [fee] follow_bill open"]);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_channel_gives_back_closes_the_dispute_as_won() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        case.opens("C-1").await;
        case.lists([case_line(Movement::Chargeback, "C-1", "", TAKEN, 0, case.counter.app.now())]);
        case.counter.later(24 * HOUR_MS);
        case.counter.scheme.lists(NEXT_DAY, vec![case.given_back("C-1"), case.given_back("C-9")]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        case.counter.compares(NEXT_DAY).await;
        assert_eq!(
            case.waiting().await,
            [
                "chargeback_reversal missing_here C-9 [] follow_bill open",
                "chargeback_reversal status C-1 [status] win_dispute open",
            ]
        );
        let found = of(&case.counter.waiting().await, "status", "C-1");
        assert_eq!(found.finding.words.as_deref(), Some("needs_response"));
        case.counter.resolves(found.id).await.unwrap();
        let dispute = case.disputes().await.remove(0);
        assert_eq!(dispute.dispute.state, State::Won { fee: None });
        assert_eq!(case.booked().await, [0; 4]);
        case.counter.compares(NEXT_DAY).await;
        assert_eq!(case.waiting().await, ["chargeback_reversal missing_here C-9 [] follow_bill open"]);
        // A case that was lost here, and is on the bill as won: the merchant has it.
        let second = case.opens("C-2").await;
        case.closes(&second, Outcome::Lost, None).await;
        case.counter.scheme.lists(NEXT_DAY, vec![case.given_back("C-1"), case.given_back("C-2")]);
        case.counter.compares(NEXT_DAY).await;
        let found = of(&case.counter.waiting().await, "missing_here", "C-2");
        assert_eq!(found.finding.words.as_deref(), Some("lost"));
        case.counter.resolves(found.id).await.unwrap();
        assert_eq!(case.booked().await, [0, 0, TAKEN, 0]);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payouts_count_what_was_taken_and_other_accounts_lines_are_theirs() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let order = number(&case.sale);
        let at = case.counter.app.now();
        let other = case_line(Movement::Chargeback, "C-1", &order, TAKEN, CASE_FEE, at);
        case.lists([other.clone(), line(Movement::Payment, "WX-1", 5_000, 0, at)]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        let due = AMOUNT_MINOR - FEE_MINOR - TAKEN - CASE_FEE + 5_000;
        let seen = Seen {
            account: case.counter.accounts[0],
            from_day: DAY.to_owned(),
            to_day: DAY.to_owned(),
            amount: cny(due),
            reference: "B1".to_owned(),
            is_further: false,
            received_at: case.counter.app.now(),
            actor: "usr_accountant".to_owned(),
        };
        let (entered, _) = payout::enter(&case.counter.app, case.counter.scope, seen, any_key()).await.unwrap();
        assert_eq!(entered.expected_minor, due);
        assert_eq!(case.counter.waiting_of("payout").await, [0_i64; 0]);
        // The same line on the bill of the merchant's other account.
        let (app, scope, second) = (&case.counter.app, case.counter.scope, case.counter.accounts[1]);
        let run = saoma_server::reconcile::start(app, scope, second, DAY, "usr_a").await.unwrap();
        crate::fleet_world::eventually("the comparison ends", async || {
            let load = app.store().read(move |tx| saoma_store::reconciliations::load(tx, &scope, run.id)).await;
            let result = load.unwrap().result;
            result.is_some_and(|result| result.found.get("other_account") == Some(&2))
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channels_news_of_a_case_is_applied_once_in_whatever_order() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let until = |days: i64| Some(Millis(case.counter.app.now().0 + days * 24 * HOUR_MS));
        let opened = || case.news(1, News::Opened { respond_by: until(7) });
        let asked = || case.news(3, News::Asked { respond_by: until(3) });
        let won = || case.news(5, News::Closed { outcome: Outcome::Won, fee: None });
        let first = case.hears(opened()).await.unwrap();
        assert_eq!((first.opened_by.as_str(), first.dispute.state.text()), ("channel", "needs_response"));
        assert_eq!(case.hears(opened()).await.unwrap(), first, "said twice");
        assert_eq!(case.booked().await, [-TAKEN, TAKEN, 0, 0]);
        let deed = Deed::Submit { evidence: vec!["receipt".to_owned()] };
        let step = DisputeStep {
            dispute: first.dispute.id,
            deed,
            actor: "usr_clerk".to_owned(),
            key: "s".to_owned(),
            fingerprint: [0; 32],
        };
        step_dispute(&case.counter.app, case.counter.scope, step).await.unwrap();
        assert_eq!(case.hears(opened()).await.unwrap().dispute.state, State::UnderReview, "older than the answer");
        assert_eq!(case.hears(asked()).await.unwrap().dispute.state, State::NeedsResponse { respond_by: until(3) });
        let earlier = case.news(2, News::Asked { respond_by: until(1) });
        assert_eq!(case.hears(earlier).await.unwrap().dispute.state, State::NeedsResponse { respond_by: until(3) });
        // The decision counts, and what comes behind it changes nothing.
        assert_eq!(case.hears(won()).await.unwrap().dispute.state, State::Won { fee: None });
        for late in [asked(), opened(), won(), case.news(4, News::Closed { outcome: Outcome::Lost, fee: None })] {
            let still = case.hears(late).await.unwrap();
            assert_eq!((still.dispute.state, still.attention_at), (State::Won { fee: None }, None));
        }
        assert_eq!(case.booked().await, [0; 4]);
        // Newer news that contradict it call a person, once.
        for _ in 0..2 {
            let lost = case.news(9, News::Closed { outcome: Outcome::Lost, fee: None });
            let still = case.hears(lost).await.unwrap();
            assert_eq!(still.dispute.state, State::Won { fee: None });
            assert!(still.attention_at.is_some());
        }
        let events = case.counter.events(case.payment()).await;
        assert_eq!(events.iter().filter(|kind| *kind == "dispute_contradicted").count(), 1, "{events:?}");
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_news_may_be_the_last_and_come_many_times_at_once() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let lost = || case.news(5, News::Closed { outcome: Outcome::Lost, fee: Some(cny(CASE_FEE)) });
        let heard = futures_util::future::join_all((0..8).map(|_| case.hears(lost()))).await;
        let ids: std::collections::BTreeSet<DisputeId> =
            heard.into_iter().map(|heard| heard.unwrap().dispute.id).collect();
        assert_eq!((ids.len(), case.disputes().await.len()), (1, 1));
        let opened = case.news(1, News::Opened { respond_by: None });
        let state = case.hears(opened).await.unwrap().dispute.state;
        assert_eq!(state, State::Lost { accepted: false, fee: Some(cny(CASE_FEE)) });
        assert_eq!(case.booked().await, [-TAKEN - CASE_FEE, 0, TAKEN, CASE_FEE]);
        // Of the bill as of the news: once.
        case.lists([case.taken("C-1")]);
        case.counter.later(72 * HOUR_MS);
        case.counter.compares(DAY).await;
        assert_eq!(case.waiting().await, [""; 0]);

        // Another sum for the case than before: a person looks.
        let more = DisputeNews { amount: cny(700), ..case.news(9, News::Asked { respond_by: None }) };
        assert!(case.hears(more).await.unwrap().attention_at.is_some());
        // Another account's payment, a stranger's, another currency: refused, and nothing is written.
        let elsewhere = DisputeNews {
            account: case.counter.accounts[1],
            case_reference: "C-2".to_owned(),
            ..case.news(1, News::Opened { respond_by: None })
        };
        let refused = case.hears(elsewhere.clone()).await;
        assert!(matches!(refused, Err(PaymentError::Store(StoreError::NotFound { .. }))), "{refused:?}");
        let nobodys = DisputeNews { payment: PaymentId::from_bytes([9; 16]), ..elsewhere.clone() };
        assert!(matches!(case.hears(nobodys).await, Err(PaymentError::Store(StoreError::NotFound { .. }))));
        let dollars = DisputeNews {
            account: case.counter.accounts[0],
            amount: Amount::new(5, Currency::USD).unwrap(),
            ..elsewhere
        };
        assert!(matches!(case.hears(dollars).await, Err(PaymentError::Refused(_))));
        assert_eq!(case.disputes().await.len(), 1);
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_writes_it_down_and_one_who_resolves_the_line_do_not_book_it_twice() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        for round in 0..4 {
            let name = format!("C-{round}");
            // Every other line names no payment, so that it is followed by a posting.
            let order = if round % 2 == 0 { number(&case.sale) } else { String::new() };
            let at = case.counter.app.now();
            case.lists([case_line(Movement::Chargeback, &name, &order, TAKEN, 0, at)]);
            case.counter.later(72 * HOUR_MS);
            case.counter.compares(DAY).await;
            let found = of(&case.counter.waiting().await, "missing_here", &name);
            let deed = resolve::Deed::Resolve { reason: "as the bill says".to_owned(), version: found.version };
            let (opened, decided) =
                futures_util::future::join(case.tries_to_open(&name), case.counter.acts(found.id, deed, "usr_a")).await;
            drop(decided);
            // Who resolved the line was first, and has opened it.
            let is_there = matches!(opened, Err(PaymentError::Store(StoreError::Conflict { .. })));
            assert!(opened.is_ok() || is_there, "{opened:?}");
            let taken = (round + 1) * TAKEN;
            assert_eq!(case.booked().await, [-taken, taken, 0, 0], "round {round}");
        }
        case.books_hold().await;
    })
    .await;
}

/// As a message of the scheme brings them, with a payment that is not the account's among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schemes_message_tells_of_disputes() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let notice = |number: String, news: News, at: i64| {
            let DisputeNews { amount, reason_code, news, at, .. } = case.news(at, news);
            let case_number = "C-1".to_owned();
            NotificationEvent::Dispute(DisputeNotice { number, case_number, amount, reason_code, news, at })
        };
        let lost = News::Closed { outcome: Outcome::Lost, fee: None };
        let message = || {
            vec![
                notice(case.payment().to_string(), News::Opened { respond_by: None }, 1),
                notice("E1".to_owned(), lost.clone(), 2),
                notice(case.payment().to_string(), lost.clone(), 3),
            ]
        };
        let hear = async |account: usize| {
            let (app, scope) = (&case.counter.app, case.counter.scope);
            tell(app, scope, case.counter.accounts[account], message()).await.unwrap()
        };
        assert_eq!(hear(1).await, Told { known: 0, unknown: 3 }, "another account's scheme");
        assert_eq!(case.disputes().await, []);
        for _ in 0..2 {
            assert_eq!(hear(0).await, Told { known: 2, unknown: 1 });
            let [dispute] = &case.disputes().await[..] else { panic!("one dispute") };
            assert_eq!(dispute.dispute.state, State::Lost { accepted: false, fee: None });
            assert_eq!((dispute.case_reference.as_str(), dispute.reason_code.as_deref()), ("C-1", Some("13.1")));
            assert_eq!(case.booked().await, [-TAKEN, 0, TAKEN, 0]);
        }
        case.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_what_a_person_wrote_down_under_another_number_are_of_that() {
    on_both(async |counter: Counter| {
        let case = Case::sold(counter).await;
        let written = case.opens("case 1, by telephone").await;
        let heard = case.hears(case.news(1, News::Opened { respond_by: None })).await.unwrap();
        assert_eq!((heard.dispute.id, heard.number()), (written.dispute.id, "C-1"));
        assert_eq!(heard.case_reference, "case 1, by telephone");
        assert_eq!(case.booked().await, [-TAKEN, TAKEN, 0, 0]);
        // Another case of the same sum, and the first one's decision.
        let second = DisputeNews { case_reference: "C-2".to_owned(), ..case.news(2, News::Asked { respond_by: None }) };
        assert_ne!(case.hears(second).await.unwrap().dispute.id, written.dispute.id);
        let lost = case.news(3, News::Closed { outcome: Outcome::Lost, fee: Some(cny(CASE_FEE)) });
        assert_eq!(case.hears(lost).await.unwrap().dispute.id, written.dispute.id);
        assert_eq!(case.booked().await, [-2 * TAKEN - CASE_FEE, TAKEN, TAKEN, CASE_FEE]);
        case.books_hold().await;
    })
    .await;
}
