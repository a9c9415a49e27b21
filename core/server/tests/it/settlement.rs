//! Batches of an account whose channel settles them: what is in one, what the scheme says of it, and what a silence, a crash and
//! another node change about it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use saoma_channels::{
    Capability, Decline, DeclineCode, Failure, PaymentStatus, RefundStatus,
    settlement::{Batch, Row, SettlementTerms},
};
use saoma_domain::settlement::{Difference, RowKind, Settled, State, Tally};
use saoma_protocol::{SettlementBatchId, api::RefundKind};
use saoma_server::{
    app::App,
    payments::{PaymentError, give_back},
    settlement::{self, Due, SettlementError},
    workers::settlement::{Hands, close_due, close_held, take_up},
};
use saoma_store::{
    StoreError, channel_accounts, payments,
    settlement_batches::{self as batches, Filter, Room, SettlementBatch},
};
use tokio::sync::Notify;

use crate::{
    reconcile::{HOUR_MS, on_both},
    scheme_world::{AMOUNT_MINOR, Counter, Say, giving_back, no_answer, scanned},
};

/// The scheme's side of it: what it says next, and what it was asked.
#[derive(Default)]
pub struct Settling {
    next: Mutex<VecDeque<Result<Settled, Failure>>>,
    asked: Mutex<Vec<Asked>>,
    /// What time its answers take.
    takes: Mutex<Option<Takes>>,
}

enum Takes {
    Ms(i64, Box<dyn Fn(i64) + Send + Sync>),
    UntilTheBell(Arc<Notify>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Settle(Batch),
    Upload(SettlementBatchId, Vec<(u32, RowKind)>),
    Finish(SettlementBatchId),
}

impl Settling {
    fn said(&self, asked: Asked) -> Result<Settled, Failure> {
        self.asked.lock().unwrap().push(asked);
        let silence = || Err(Failure::NoAnswer { why: "a cut line".to_owned() });
        self.next.lock().unwrap().pop_front().unwrap_or_else(silence)
    }

    pub fn settle(&self, batch: &Batch) -> Result<Settled, Failure> {
        self.said(Asked::Settle(batch.clone()))
    }

    pub fn upload(&self, batch: &Batch, rows: &[Row]) -> Result<(), Failure> {
        let rows = rows.iter().map(|row| (row.place, row.kind)).collect();
        self.said(Asked::Upload(batch.number, rows)).map(drop)
    }

    pub fn finish(&self, batch: &Batch) -> Result<Settled, Failure> {
        self.said(Asked::Finish(batch.number))
    }

    pub fn then(&self, says: &[Result<Settled, Failure>]) {
        self.next.lock().unwrap().extend(says.iter().cloned());
    }

    /// Each answer takes so long from now on, by the clock that `hand` moves.
    pub fn is_slow(&self, ms: i64, hand: impl Fn(i64) + Send + Sync + 'static) {
        *self.takes.lock().unwrap() = Some(Takes::Ms(ms, Box::new(hand)));
    }

    /// Answers come when the bell rings.
    pub fn waits(&self) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        *self.takes.lock().unwrap() = Some(Takes::UntilTheBell(bell.clone()));
        bell
    }

    pub async fn takes_time(&self) {
        let bell = match &*self.takes.lock().unwrap() {
            None => return,
            Some(Takes::Ms(ms, hand)) => return hand(*ms),
            Some(Takes::UntilTheBell(bell)) => bell.clone(),
        };
        bell.notified().await;
    }

    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

pub fn silent() -> Result<Settled, Failure> {
    Err(Failure::NoAnswer { why: "a cut line".to_owned() })
}

pub const TERMS: SettlementTerms = SettlementTerms { rows_max: 100 };

/// One look of a node at what is to be closed, and the work on it.
pub async fn closes_due(app: &App) {
    let mut hands = Hands::default();
    close_due(app, &mut hands).await.unwrap();
    hands.finish().await;
}

/// One look at what is held for its close, and the work on it.
pub async fn closes_held(app: &App) {
    let mut hands = Hands::default();
    close_held(app, &mut hands).await.unwrap();
    hands.finish().await;
}

pub async fn works(app: &App) {
    let mut hands = Hands::default();
    take_up(app, &mut hands).await.unwrap();
    hands.finish().await;
}

impl Counter {
    pub async fn closes(&self) -> Result<SettlementBatch, SettlementError> {
        settlement::close(&self.app, self.scope, self.accounts[0], "usr_accountant", None).await
    }

    pub async fn batch(&self, id: SettlementBatchId) -> SettlementBatch {
        let scope = self.scope;
        self.app.store().read(move |tx| batches::load(tx, &scope, id)).await.unwrap()
    }

    pub async fn batches(&self) -> Vec<SettlementBatch> {
        let scope = self.scope;
        self.app.store().read(move |tx| batches::list(tx, &scope, Filter::default(), None, 10)).await.unwrap()
    }

    pub async fn gives_back(&self, number: u8, sale: &saoma_store::payments::Sale, minor: i64) {
        self.scheme.next("refund", Say::Refund(RefundStatus::Succeeded));
        let amount = Some(crate::scheme_world::cny(minor));
        let wish = giving_back(number, sale.payment.payment.id, RefundKind::Refund, amount);
        give_back(&self.app, self.scope, wish).await.unwrap();
    }

    /// A person has seen to a batch.
    pub async fn sees_to(
        &self,
        id: SettlementBatchId,
        version: u64,
        reason: &'static str,
    ) -> Result<SettlementBatch, SettlementError> {
        let (scope, now) = (self.scope, self.app.now());
        let work = move |tx: &mut saoma_store::Tx<'_>| {
            settlement::resolve_in(tx, &scope, id, version, reason, "usr_accountant", now)
        };
        self.app.store().write(work).await
    }

    /// A node takes up what is due, and is gone: so many batches.
    pub async fn claims(&self) -> usize {
        let (now, room) = (self.app.now(), Room { all: 5, repeats: 5, uploads: 5 });
        let claim = move |tx: &mut saoma_store::Tx<'_>| {
            batches::claim_due(tx, &saoma_store::access::process(), now, settlement::lease_from(now), room)
        };
        self.app.store().write(claim).await.unwrap().len()
    }

    pub async fn is_due(&self) -> Option<Due> {
        let (scope, id) = (self.scope, self.accounts[0]);
        let account = self.app.store().read(move |tx| channel_accounts::load(tx, &scope, id)).await.unwrap();
        settlement::is_due(&self.app, scope, &account).await.unwrap()
    }
}

pub const fn tally(count: u32, minor: i64) -> Tally {
    Tally { count, minor }
}

pub fn sums(batch: &SettlementBatch) -> (Tally, Tally) {
    let [total] = batch.totals.as_slice() else { panic!("{batch:?}") };
    (total.debits, total.credits)
}

#[actix_web::test]
async fn a_batch_is_what_came_since_the_one_before() {
    on_both(async |counter| {
        assert!(matches!(counter.closes().await, Err(SettlementError::NoSettlement(_))));
        counter.scheme.settles(TERMS);
        assert!(matches!(counter.closes().await, Err(SettlementError::Nothing)));
        let (first, second) =
            (counter.sells(PaymentStatus::Succeeded).await, counter.sells(PaymentStatus::Succeeded).await);
        let declined = Decline { code: DeclineCode::Declined, message: String::new() };
        counter.sells(PaymentStatus::Failed(declined)).await;
        counter.gives_back(1, &first, 100).await;
        counter.scheme.next("cancel", Say::Status(PaymentStatus::Closed));
        let void = giving_back(7, second.payment.payment.id, RefundKind::Void, None);
        give_back(&counter.app, counter.scope, void).await.unwrap();
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        let closed = counter.closes().await.unwrap();
        assert_eq!(sums(&closed), (tally(2, 2 * AMOUNT_MINOR), tally(2, 100 + AMOUNT_MINOR)));
        assert_eq!((closed.rows, closed.state == State::Closing), (4, true));
        // The same wish meanwhile is the same batch.
        assert_eq!(counter.closes().await.unwrap().id, closed.id);
        works(&counter.app).await;
        let settled = counter.batch(closed.id).await;
        assert_eq!((settled.state, settled.attention_at, settled.next_attempt_at), (State::Settled, None, None));
        let told = Batch { number: closed.id, totals: closed.totals, rows: 4, closed_at: closed.closed_at };
        assert_eq!(counter.scheme.settling.asked(), [Asked::Settle(told)]);
        // A later refund is of the next one, whenever the sale was.
        counter.gives_back(2, &first, 50).await;
        let next = counter.closes().await.unwrap();
        assert_eq!((next.sequence, sums(&next)), (2, (tally(0, 0), tally(1, 50))));
        counter.books_hold().await;
    })
    .await;
}

#[actix_web::test]
async fn what_is_in_doubt_holds_a_close_up_and_belongs_to_the_next() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.next("charge", no_answer());
        let doubted = counter.charges().await;
        assert!(matches!(counter.closes().await, Err(SettlementError::UnderWay { count: 1, .. })));
        // Once a person is called for it, it holds nothing up any more.
        let (scope, now, id) = (counter.scope, counter.app.now(), doubted.payment.payment.id);
        let call = move |tx: &mut saoma_store::Tx<'_>| {
            let mut stored = payments::load(tx, &scope, id)?;
            stored.watch.attention_at = Some(now);
            payments::save(tx, &scope, &mut stored)
        };
        counter.app.store().write(call).await.unwrap();
        // But what may be going out of it just now.
        assert!(matches!(counter.closes().await, Err(SettlementError::UnderWay { count: 1, .. })));
        counter.later(120_000);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        let closed = counter.closes().await.unwrap();
        assert_eq!(sums(&closed), (tally(1, AMOUNT_MINOR), tally(0, 0)));
        works(&counter.app).await;
        // Late truth comes once it is closed.
        counter.notified_paid(&doubted, None).await;
        let next = counter.closes().await.unwrap();
        assert_eq!(sums(&next), (tally(1, AMOUNT_MINOR), tally(0, 0)));
    })
    .await;
}

#[actix_web::test]
async fn a_silence_is_asked_again_under_the_same_number() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        counter.scheme.settling.then(&[silent(), Ok(Settled::Balanced)]);
        works(&counter.app).await;
        let waiting = counter.batch(closed.id).await;
        assert_eq!((&waiting.state, waiting.attempts), (&State::Closing, 1));
        assert!(waiting.words.unwrap().contains("a cut line"));
        // Not before its pause is over.
        works(&counter.app).await;
        counter.later(5_000);
        works(&counter.app).await;
        assert_eq!(counter.batch(closed.id).await.state, State::Settled);
        let asked = counter.scheme.settling.asked();
        assert_eq!((asked.len(), asked[0] == asked[1]), (2, true), "{asked:?}");
    })
    .await;
}

/// A node dies in the middle of an upload; another goes on once its lease is over, from the row that nobody answered for.
#[actix_web::test]
async fn what_differs_is_uploaded_and_waits_for_a_person() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        for _ in 0..3 {
            counter.sells(PaymentStatus::Succeeded).await;
        }
        let closed = counter.closes().await.unwrap();
        let mut theirs = closed.totals.clone();
        theirs[0].debits = tally(2, 2 * AMOUNT_MINOR);
        let says = [Ok(Settled::Differs(Some(theirs.clone()))), silent()];
        counter.scheme.settling.then(&says);
        works(&counter.app).await;
        works(&counter.app).await;
        let uploading = counter.batch(closed.id).await;
        assert_eq!((&uploading.state, &uploading.theirs), (&State::Uploading { sent: 0 }, &Some(theirs)));
        // One node claims it and is gone.
        counter.later(10_000);
        assert_eq!(counter.claims().await, 1);
        let neighbour = counter.neighbour(0);
        works(&neighbour).await;
        assert_eq!(counter.scheme.settling.asked().len(), 2, "the lease is another's");
        counter.later(80_000);
        counter.scheme.settling.then(&[Ok(Settled::Balanced), Ok(Settled::Differs(None))]);
        works(&neighbour).await;
        let rows = vec![(1, RowKind::Sale), (2, RowKind::Sale), (3, RowKind::Sale)];
        let expected = [Asked::Upload(closed.id, rows), Asked::Finish(closed.id)];
        assert_eq!(counter.scheme.settling.asked(), expected);
        let differs = counter.batch(closed.id).await;
        assert_eq!((&differs.state, differs.attention_at.is_some()), (&State::Differs(Difference::Totals), true));
        let resolve = async |version, reason| counter.sees_to(closed.id, version, reason).await;
        let stale = resolve(differs.version - 1, "seen").await;
        assert!(matches!(stale, Err(SettlementError::Store(StoreError::Stale { .. }))), "{stale:?}");
        let seen = resolve(differs.version, "the acquirer adds the third by hand").await.unwrap();
        assert_eq!((seen.attention_at, seen.resolved.unwrap().by.as_str()), (None, "usr_accountant"));
        assert!(matches!(resolve(seen.version, "again").await, Err(SettlementError::NotWaiting("differs"))));
        counter.books_hold().await;
    })
    .await;
}

#[actix_web::test]
async fn a_row_is_what_the_channel_made_of_it() {
    on_both(async |counter| {
        counter.scheme.settles_without(TERMS, Capability::Cancel);
        let sold = counter.sells(PaymentStatus::Succeeded).await.payment.payment.id;
        counter.scheme.next("refund", Say::Refund(RefundStatus::Succeeded));
        give_back(&counter.app, counter.scope, giving_back(7, sold, RefundKind::Void, None)).await.unwrap();
        counter.closes().await.unwrap();
        counter.scheme.settling.then(&[Ok(Settled::Differs(None)), Ok(Settled::Balanced), Ok(Settled::Balanced)]);
        works(&counter.app).await;
        works(&counter.app).await;
        let asked = counter.scheme.settling.asked();
        let expected = vec![(1, RowKind::Sale), (2, RowKind::Refund)];
        assert!(matches!(&asked[1], Asked::Upload(_, rows) if *rows == expected), "{asked:?}");
    })
    .await;
}

#[actix_web::test]
async fn sales_and_refunds_wait_for_a_batch_but_not_for_ever() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.closes().await.unwrap();
        let held = counter.try_collect(scanned(), 0, None).await;
        assert!(matches!(held, Err(PaymentError::BatchClosing)), "{held:?}");
        let wish = || giving_back(3, sale.payment.payment.id, RefundKind::Refund, Some(crate::scheme_world::cny(1)));
        let held = give_back(&counter.app, counter.scope, wish()).await;
        assert!(matches!(held, Err(PaymentError::BatchClosing)), "{held:?}");
        // The merchant's other account has no batch on its way.
        counter.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
        counter.try_collect(scanned(), 1, None).await.unwrap();
        // The scheme stays silent: the shop goes on selling, at a moment that no attempt puts off.
        works(&counter.app).await;
        counter.later(119_999);
        works(&counter.app).await;
        let held = counter.try_collect(scanned(), 0, None).await;
        assert!(matches!(held, Err(PaymentError::BatchClosing)), "{held:?}");
        counter.later(1);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.gives_back(4, &sale, 1).await;
    })
    .await;
}

#[actix_web::test]
async fn a_day_that_is_over_is_closed_once() {
    on_both(async |counter| {
        counter.scheme.settles(SettlementTerms { rows_max: 5 });
        counter.sells(PaymentStatus::Succeeded).await;
        assert_eq!(counter.is_due().await, None, "the day is not over");
        closes_due(&counter.app).await;
        assert_eq!(counter.batches().await.len(), 0);
        // Stories begin at eight in the evening.
        counter.later(4 * HOUR_MS + 1);
        assert_eq!(counter.is_due().await, Some(Due { after: 0 }));
        let neighbour = counter.neighbour(0);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        // It is settled in the same turn.
        tokio::join!(closes_due(&counter.app), closes_due(&neighbour));
        let closed = counter.batches().await;
        assert_eq!((closed.len(), closed[0].closed_by.as_str(), &closed[0].state), (1, "core", &State::Settled));
        counter.sells(PaymentStatus::Succeeded).await;
        assert_eq!(counter.is_due().await, None, "it is of this day");
        // Nearly as much as a batch has room for is not left until midnight.
        for _ in 0..4 {
            counter.sells(PaymentStatus::Succeeded).await;
        }
        assert_eq!(counter.is_due().await, Some(Due { after: 1 }));
    })
    .await;
}

#[actix_web::test]
async fn an_upload_holds_nobody() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        counter.scheme.settling.then(&[Ok(Settled::Differs(None)), silent()]);
        works(&counter.app).await;
        assert_eq!(counter.batch(closed.id).await.state, State::Uploading { sent: 0 });
        counter.sells(PaymentStatus::Succeeded).await;
        counter.gives_back(5, &sale, 1).await;
    })
    .await;
}

/// The day is that of the first row, not of the close before it or of the account.
#[actix_web::test]
async fn a_day_that_began_after_the_last_close_is_not_over() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        // An account of the evening before, and its first sale.
        counter.later(13 * HOUR_MS);
        counter.sells(PaymentStatus::Succeeded).await;
        assert_eq!(counter.is_due().await, None);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        counter.closes().await.unwrap();
        works(&counter.app).await;
        // The next day, after a close by hand.
        counter.later(24 * HOUR_MS);
        counter.sells(PaymentStatus::Succeeded).await;
        assert_eq!(counter.is_due().await, None);
        counter.later(24 * HOUR_MS);
        assert_eq!(counter.is_due().await, Some(Due { after: 1 }));
    })
    .await;
}

#[actix_web::test]
async fn of_two_nodes_that_found_it_due_one_closes() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        let first = counter.closes().await.unwrap();
        works(&counter.app).await;
        counter.sells(PaymentStatus::Succeeded).await;
        let (app, scope, account) = (&counter.app, counter.scope, counter.accounts[0]);
        let late = settlement::close(app, scope, account, "core", Some(0)).await.unwrap();
        assert_eq!((late.id, counter.batches().await.len()), (first.id, 1));
        let next = settlement::close(app, scope, account, "core", Some(1)).await.unwrap();
        assert_eq!(next.sequence, 2);
    })
    .await;
}

#[actix_web::test]
async fn a_batch_without_an_end_calls_a_person_who_may_give_it_up() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        works(&counter.app).await;
        assert_eq!(counter.batch(closed.id).await.attention_at, None);
        counter.later(900_000);
        works(&counter.app).await;
        let stuck = counter.batch(closed.id).await;
        assert!(stuck.attention_at.is_some() && stuck.state == State::Closing, "{stuck:?}");
        let given_up = counter.sees_to(closed.id, stuck.version, "asked by phone").await.unwrap();
        assert!(matches!(given_up.state, State::Differs(Difference::Elsewhere(_))), "{given_up:?}");
        let asked = counter.scheme.settling.asked().len();
        counter.later(HOUR_MS);
        works(&counter.app).await;
        assert_eq!(counter.scheme.settling.asked().len() + asked, asked, "core asks no more");
        counter.sells(PaymentStatus::Succeeded).await;
        assert_eq!(counter.closes().await.unwrap().sequence, 2);
        // A scheme that had closed its batch by itself says so.
        counter.scheme.settling.then(&[Ok(Settled::Over("by its own clock".to_owned()))]);
        works(&counter.app).await;
        let over = &counter.batches().await[0];
        assert_eq!(over.state, State::Differs(Difference::Elsewhere("by its own clock".to_owned())));
        assert!(over.attention_at.is_some());
    })
    .await;
}
