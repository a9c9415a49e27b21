//! What persons take back of settlement: a close, and what they had called paid.

use saoma_channels::{Failure, PaymentStatus};
use saoma_domain::{
    payment::State as Standing,
    settlement::{Settled, State},
};
use saoma_protocol::{Millis, PaymentId, SettlementBatchId};
use saoma_server::{
    payments::{self, PaymentError},
    settlement::{self, Due, SettlementError},
};
use saoma_store::{
    StoreError, audit,
    settlement_batches::{self as batches, SettlementBatch},
};
use serde_json::{Value, json};

use crate::{
    by_hand::proposal,
    cards::Shop,
    fleet_world::eventually,
    reconcile::{HOUR_MS, on_both},
    scheme_world::{AMOUNT_MINOR, Counter, Say, no_answer, scanned},
    settlement::{TERMS, closes_due, closes_held, silent, sums, tally, works},
    town::text,
};

fn unsent() -> Result<Settled, Failure> {
    Err(Failure::NotSent { why: "no line to the acquirer".to_owned() })
}

impl Counter {
    async fn takes_back(&self, id: SettlementBatchId, version: u64) -> Result<SettlementBatch, SettlementError> {
        let (scope, now) = (self.scope, self.app.now());
        let work = move |tx: &mut saoma_store::Tx<'_>| {
            settlement::cancel_in(tx, &scope, id, version, "the line is mended tomorrow", "usr_accountant", now)
        };
        self.app.store().write(work).await
    }

    async fn takes_close_back(&self, wanted_at: Millis) -> Result<u64, SettlementError> {
        let (scope, account, now) = (self.scope, self.accounts[0], self.app.now());
        let work = move |tx: &mut saoma_store::Tx<'_>| {
            settlement::cancel_close_in(tx, &scope, account, wanted_at, "not now", "usr_accountant", now)
        };
        self.app.store().write(work).await.map(|close| close.under_way)
    }

    async fn reasons_audited(&self, action: &str) -> Vec<String> {
        let scope = self.scope;
        let log = self.app.store().read(move |tx| audit::list(tx, &scope, None, 100)).await.unwrap();
        let said = log.into_iter().filter(|stored| stored.entry.action == action);
        said.map(|stored| format!("{}: {}", stored.entry.actor, stored.entry.detail_json)).collect()
    }

    async fn is_held_now(&self) -> bool {
        let (scope, account, now) = (self.scope, self.accounts[0], self.app.now());
        self.app.store().read(move |tx| batches::holds(tx, &scope, account, now)).await.unwrap()
    }

    async fn rows_open(&self) -> u32 {
        let (scope, account, now) = (self.scope, self.accounts[0], self.app.now());
        let look = move |tx: &mut saoma_store::Tx<'_>| {
            let glance = batches::glance(tx, &scope, account, 100, now)?.map_or(0, |glance| glance.rows);
            let open = batches::open(tx, &scope, account, 100, now)?.rows;
            Ok::<_, StoreError>((glance, open))
        };
        let (glance, open) = self.app.store().read(look).await.unwrap();
        assert_eq!(glance, open);
        open
    }

    /// A payment that the channel keeps silent about, and that two persons called paid.
    async fn called_paid(&self) -> PaymentId {
        self.scheme.next("charge", no_answer());
        let id = self.charges().await.payment.payment.id;
        self.persons_say(id, true, 1).await.unwrap();
        assert!(matches!(self.state(id).await, Standing::Captured(capture) if capture.by_hand));
        id
    }

    async fn persons_say(&self, id: PaymentId, paid: bool, number: u8) -> Result<(), PaymentError> {
        let (proposed, _) = payments::propose(&self.app, self.scope, proposal(id, paid, number)).await?;
        payments::confirm(&self.app, self.scope, proposed.id, "usr_accountant").await.map(drop)
    }
}

#[actix_web::test]
async fn a_batch_of_which_nothing_left_is_taken_back() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        // Stories begin at eight in the evening.
        counter.later(4 * HOUR_MS + 1);
        counter.scheme.settling.then(&[unsent()]);
        closes_due(&counter.app).await;
        let waits = counter.batches().await.remove(0);
        assert_eq!((&waits.state, waits.attempts, waits.unsent), (&State::Closing, 1, true));
        assert!(counter.is_held_now().await);
        let stale = counter.takes_back(waits.id, waits.version - 1).await;
        assert!(matches!(stale, Err(SettlementError::Store(StoreError::Stale { .. }))), "{stale:?}");
        let back = counter.takes_back(waits.id, waits.version).await.unwrap();
        assert_eq!((&back.state, back.rows, back.ended_at), (&State::Cancelled, 1, Some(counter.app.now())));
        assert_eq!(counter.batch(waits.id).await, back);
        // Sales go on, and the scheme is asked no more.
        counter.sells(PaymentStatus::Succeeded).await;
        counter.later(HOUR_MS);
        works(&counter.app).await;
        assert_eq!(counter.scheme.settling.asked().len(), 1);
        let again = counter.takes_back(waits.id, back.version).await;
        assert!(matches!(again, Err(SettlementError::MayBeSent("cancelled"))), "{again:?}");
        // Core leaves the account alone that day, and not on the next.
        assert_eq!(counter.is_due().await, None);
        counter.later(24 * HOUR_MS);
        assert_eq!(counter.is_due().await, Some(Due { after: 1 }));
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        closes_due(&counter.app).await;
        let next = counter.batches().await.remove(0);
        assert_eq!((next.sequence, sums(&next).0, &next.state), (2, tally(2, 2 * AMOUNT_MINOR), &State::Settled));
        let audited = counter.reasons_audited("settlement_batch.cancelled").await;
        assert!(audited.len() == 1 && audited[0].contains("the line is mended tomorrow"), "{audited:?}");
        counter.books_hold().await;
    })
    .await;
}

#[actix_web::test]
async fn what_the_scheme_may_have_is_not_taken_back() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        let refused = async || {
            let version = counter.batch(closed.id).await.version;
            matches!(counter.takes_back(closed.id, version).await, Err(SettlementError::MayBeSent("closing")))
        };
        // A node has it in hand, and is gone before anybody knows what it did.
        assert_eq!(counter.claims().await, 1);
        assert!(refused().await);
        counter.later(80_000);
        counter.scheme.settling.then(&[unsent()]);
        works(&counter.app).await;
        assert!(counter.batch(closed.id).await.unsent, "it was in hand, and nothing had left");
        counter.later(10_000);
        counter.scheme.settling.then(&[silent()]);
        works(&counter.app).await;
        assert!(refused().await);
        // That nothing left later says nothing of what left before.
        counter.later(60_000);
        counter.scheme.settling.then(&[unsent()]);
        works(&counter.app).await;
        assert!(counter.batch(closed.id).await.attempts == 3 && refused().await);
    })
    .await;
}

/// The node ends while the scheme is asked: what it began is known from before the call.
#[actix_web::test]
async fn what_is_on_its_way_is_written_down_before_it_leaves() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        assert!(closed.unsent);
        let bell = counter.scheme.settling.waits();
        let app = counter.app.clone();
        let call = tokio::spawn(async move { works(&app).await });
        eventually("it is out", async || !counter.batch(closed.id).await.unsent).await;
        bell.notify_one();
        call.await.unwrap();
        assert!(!counter.batch(closed.id).await.unsent);
    })
    .await;
}

#[actix_web::test]
async fn a_close_that_waits_is_taken_back() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let none = counter.takes_close_back(counter.app.now()).await;
        assert!(matches!(none, Err(SettlementError::NoneWaits)), "{none:?}");
        counter.scheme.next("charge", no_answer());
        counter.charges().await;
        let wanted_at = counter.app.now();
        assert!(matches!(counter.closes().await, Err(SettlementError::UnderWay { count: 1, .. })));
        let held = counter.try_collect(scanned(), 0, None).await;
        assert!(matches!(held, Err(PaymentError::BatchClosing)), "{held:?}");
        let other = counter.takes_close_back(wanted_at.plus(1)).await;
        assert!(matches!(other, Err(SettlementError::Store(StoreError::Stale { .. }))), "{other:?}");
        assert_eq!(counter.takes_close_back(wanted_at).await.unwrap(), 1);
        counter.sells(PaymentStatus::Succeeded).await;
        closes_held(&counter.app).await;
        closes_due(&counter.app).await;
        assert_eq!(counter.batches().await.len(), 0);
        let audited = counter.reasons_audited("settlement_batch.close_cancelled").await;
        assert!(audited.len() == 1 && audited[0].starts_with("usr_accountant: "), "{audited:?}");
    })
    .await;
}

#[actix_web::test]
async fn what_the_channel_denies_after_all_is_in_no_batch() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let id = counter.called_paid().await;
        assert_eq!(counter.rows_open().await, 2);
        counter.scheme.always("query", Say::Status(PaymentStatus::Closed));
        let workers = counter.workers();
        counter
            .comes_to(id, "the channel's word is booked", |sale| {
                matches!(sale.payment.payment.state, Standing::Voided { .. })
            })
            .await;
        workers.stop().await;
        assert_eq!(counter.rows_open().await, 1, "neither the sale nor its undoing is at the scheme");
        let closed = counter.closes().await.unwrap();
        assert_eq!(sums(&closed), (tally(1, AMOUNT_MINOR), tally(0, 0)));
        counter.books_hold().await;
    })
    .await;
}

/// Nothing has left, and two persons find meanwhile that there was no such sale.
#[actix_web::test]
async fn what_is_denied_before_its_batch_is_taken_back_is_in_none() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let id = counter.called_paid().await;
        let closed = counter.closes().await.unwrap();
        assert_eq!(closed.rows, 2);
        counter.scheme.settling.then(&[unsent()]);
        works(&counter.app).await;
        counter.persons_say(id, false, 2).await.unwrap();
        let waits = counter.batch(closed.id).await;
        counter.takes_back(waits.id, waits.version).await.unwrap();
        assert_eq!(counter.rows_open().await, 1, "neither the sale nor its undoing is at the scheme");
        let next = counter.closes().await.unwrap();
        assert_eq!(sums(&next), (tally(1, AMOUNT_MINOR), tally(0, 0)));
        counter.books_hold().await;
    })
    .await;
}

/// The scheme had counted it otherwise, and two persons find that there was no such sale.
#[actix_web::test]
async fn two_persons_take_back_what_they_called_paid() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let id = counter.called_paid().await;
        let closed = counter.closes().await.unwrap();
        assert_eq!(closed.rows, 2);
        counter.scheme.settling.then(&[Ok(Settled::Differs(None)), Ok(Settled::Balanced), Ok(Settled::Differs(None))]);
        works(&counter.app).await;
        works(&counter.app).await;
        let differs = counter.batch(closed.id).await;
        assert!(matches!(differs.state, State::Differs(_)), "{differs:?}");
        counter.sees_to(closed.id, differs.version, "there was no such sale").await.unwrap();
        counter.persons_say(id, false, 2).await.unwrap();
        assert!(matches!(counter.state(id).await, Standing::Voided { .. }));
        assert_eq!(counter.rows_open().await, 0, "the scheme has nothing to undo");
        counter.books_hold().await;
        let audited = counter.reasons_audited("payment.settlement_confirmed").await;
        assert!(audited.iter().any(|said| said.contains(r#""paid":false"#)), "{audited:?}");
        // What the channel has said as well is not for persons to take back.
        let sold = counter.sells(PaymentStatus::Succeeded).await.payment.payment.id;
        let refused = counter.persons_say(sold, false, 3).await;
        assert!(matches!(refused, Err(PaymentError::Refused(_))), "{refused:?}");
    })
    .await;
}

#[actix_web::test]
async fn a_batch_is_taken_back_over_the_api() {
    let shop = Shop::open().await;
    let owner = &shop.tea.owner;
    let batches = "/v1/settlement-batches";
    shop.sold("k").await;
    shop.acquirer.stop().await;
    let wish = json!({ "channel_account": shop.account });
    let closed: Value = owner.post(batches).key("day").json(&wish).await.json(202);
    let id = text(&closed, "/id");
    let (show, cancel) = (format!("{batches}/{id}"), format!("{batches}/{id}/cancel"));
    let mut wish = Value::Null;
    // Core tries again meanwhile: then it is another version, or on its way.
    eventually("it is taken back", async || {
        let shown: Value = owner.get(&show).await.json(200);
        wish = json!({ "reason": "the acquirer is away", "version": shown["version"] });
        shown["why"].is_string()
            && shown["cancellable"] == true
            && owner.post(&cancel).key(&shown["version"].to_string()).json(&wish).await.status == 200
    })
    .await;
    let back: Value = owner.post(&cancel).key(&wish["version"].to_string()).json(&wish).await.json(200);
    assert_eq!((&back["state"], &back["cancellable"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(back["resolved"]["reason"], wish["reason"]);
    let done = owner.post(&cancel).key("c").json(&json!({ "reason": "again", "version": back["version"] })).await;
    assert_eq!(done.refusal(), (409, "not_in_state".to_owned()));
    let open: Value = owner.get("/v1/settlement-batches/open").await.json(200);
    assert_eq!((&open["items"][0]["rows"], open["items"][0].get("on_its_way")), (&json!(1), None));
    let waits = json!({ "channel_account": shop.account, "since": 1, "reason": "not now" });
    let none = owner.post("/v1/settlement-batches/open/cancel").key("w").json(&waits).await;
    assert_eq!(none.refusal(), (409, "not_in_state".to_owned()));
    shop.tea.books_balance().await;
}
