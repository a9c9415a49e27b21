//! What waits for a batch: new payments while those under way come to their end, and what core would send of itself until the scheme
//! has counted.

use saoma_channels::{PaymentStatus, RefundStatus};
use saoma_domain::{
    payment::State as PaymentStanding,
    settlement::{Settled, State},
};
use saoma_protocol::{Millis, PaymentId, WebhookEndpointId, api::RefundKind};
use saoma_server::{
    app::App,
    payments::{PaymentError, cancel, give_back},
    settlement::{self, SettlementError},
    workers::resolver::{self, Leases},
};
use saoma_store::{
    Opaque, access, audit, payments,
    settlement_batches::{self as batches, Settling},
    webhooks::{self, Endpoint, Filter},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    fleet_world::eventually,
    reconcile::{HOUR_MS, on_both},
    scheme_world::{ALL, AMOUNT_MINOR, Counter, Say, giving_back, no_answer, scanned},
    settlement::{TERMS, closes_due, closes_held, silent, sums, tally, works},
};

const MINUTE_MS: i64 = 60_000;

async fn resolves(app: &App) {
    let mut work = JoinSet::new();
    resolver::take_up(app, 8, &mut work, &mut Leases::default()).await.unwrap();
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
}

impl Counter {
    pub async fn is_held(&self) -> bool {
        self.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
        let sold = self.try_collect(scanned(), 0, None).await;
        if sold.is_err() {
            // What nobody asked for is said to nobody else.
            self.try_collect(scanned(), 1, None).await.unwrap();
        }
        matches!(sold, Err(PaymentError::BatchClosing))
    }

    /// When the hold ends that a wish to close has found or begun.
    async fn held_until(&self) -> Option<Millis> {
        match self.closes().await {
            Err(SettlementError::UnderWay { count: 1, held_until }) => held_until,
            other => panic!("{other:?}"),
        }
    }

    async fn settling(&self) -> Settling {
        let (scope, account) = (self.scope, self.accounts[0]);
        self.app.store().read(move |tx| batches::settling(tx, &scope, account)).await.unwrap().unwrap()
    }

    async fn audited(&self, action: &str) -> usize {
        let scope = self.scope;
        let log = self.app.store().read(move |tx| audit::list(tx, &scope, None, 100)).await.unwrap();
        log.iter().filter(|stored| stored.entry.action == action).count()
    }

    /// The merchant's own systems hear of all from here on.
    async fn hears_all(&self) -> WebhookEndpointId {
        let (scope, now, id) = (self.scope, self.app.now(), WebhookEndpointId::from_bytes([7; 16]));
        let endpoint = Endpoint {
            id,
            url: "https://shop.example/hooks".to_owned(),
            description: String::new(),
            event_types: Vec::new(),
            ordered: false,
            previous_until: None,
            disabled: None,
            last_success_at: None,
            created_at: now,
            updated_at: now,
        };
        let create = move |tx: &mut saoma_store::Tx<'_>| webhooks::create(tx, &scope, &endpoint, &Opaque(vec![7]), 16);
        self.app.store().write(create).await.unwrap();
        id
    }

    /// The data of such events, oldest first.
    async fn told(&self, endpoint: WebhookEndpointId, of: &str) -> Vec<Value> {
        let (scope, now) = (self.scope, self.app.now());
        let fan_out = move |tx: &mut saoma_store::Tx<'_>| webhooks::fan_out(tx, &access::process(), now, 100);
        self.app.store().write(fan_out).await.unwrap();
        let filter = Filter { state: None, before: None };
        let list = move |tx: &mut saoma_store::Tx<'_>| webhooks::list_deliveries(tx, &scope, endpoint, filter, 100);
        let deliveries = self.app.store().read(list).await.unwrap();
        let events = deliveries.iter().rev().filter(|delivery| delivery.event_type == of);
        events.map(|delivery| serde_json::from_str::<Value>(&delivery.payload).unwrap()["data"].clone()).collect()
    }

    /// A person is called about it.
    async fn calls_for(&self, sale: &payments::Sale) {
        let (scope, now, id) = (self.scope, self.app.now(), sale.payment.payment.id);
        let call = move |tx: &mut saoma_store::Tx<'_>| {
            let mut stored = payments::load(tx, &scope, id)?;
            stored.watch.attention_at = Some(now);
            payments::save(tx, &scope, &mut stored)
        };
        self.app.store().write(call).await.unwrap();
    }
}

#[actix_web::test]
async fn what_is_under_way_ends_before_the_close_and_nothing_new_begins() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let sold = counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.next("charge", no_answer());
        let doubted = counter.charges().await;
        assert_eq!(counter.held_until().await, Some(counter.app.now().plus(2 * MINUTE_MS)));
        assert!(counter.is_held().await);
        let wish = giving_back(1, sold.payment.payment.id, RefundKind::Refund, None);
        let refused = give_back(&counter.app, counter.scope, wish).await;
        assert!(matches!(refused, Err(PaymentError::BatchClosing)), "{refused:?}");
        closes_held(&counter.app).await;
        assert_eq!(counter.batches().await, []);
        counter.later(MINUTE_MS);
        counter.notified_paid(&doubted, None).await;
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        closes_held(&counter.app).await;
        let closed = counter.batches().await.remove(0);
        assert_eq!((sums(&closed).0, &closed.state), (tally(2, 2 * AMOUNT_MINOR), &State::Settled));
        assert_eq!(closed.closed_by, "usr_accountant");
        assert!(!counter.is_held().await);
        assert_eq!(counter.settling().await.drain, None);
    })
    .await;
}

#[actix_web::test]
async fn what_does_not_end_holds_a_shop_for_two_minutes_and_a_person_sees_it() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.scheme.next("charge", no_answer());
        counter.sells(PaymentStatus::Succeeded).await;
        counter.sells(PaymentStatus::Succeeded).await;
        let endpoint = counter.hears_all().await;
        // It is a day later, and core wants to close.
        counter.later(5 * HOUR_MS);
        closes_due(&counter.app).await;
        assert!(counter.is_held().await);
        counter.later(2 * MINUTE_MS);
        closes_held(&counter.app).await;
        closes_due(&counter.app).await;
        assert!(!counter.is_held().await, "sales go on");
        assert_eq!(counter.batches().await, []);
        counter.later(10 * MINUTE_MS);
        closes_due(&counter.app).await;
        assert!(counter.is_held().await, "the second time");
        assert_eq!(
            (counter.settling().await.attention_at, counter.audited("settlement_batch.held_back").await),
            (None, 2)
        );
        for _ in 0..5 {
            counter.later(10 * MINUTE_MS);
            closes_due(&counter.app).await;
        }
        assert!(counter.settling().await.attention_at.is_some());
        assert_eq!(counter.audited("settlement_batch.needs_attention").await, 1);
        let told = counter.told(endpoint, "settlement_close.needs_attention").await;
        let drain = counter.settling().await.drain.unwrap();
        assert_eq!(
            told,
            [json!({ "channel_account": counter.accounts[0], "wanted_at": drain.wanted_at, "under_way": 1 })],
            "once, and what the audit log says"
        );
        let now = counter.app.now();
        let count = move |tx: &mut saoma_store::Tx<'_>| batches::waiting_count(tx, &access::process(), now);
        assert_eq!(counter.app.store().read(count).await.unwrap(), 1);
        assert_eq!(counter.batches().await, [], "its sum would differ");
    })
    .await;
}

#[actix_web::test]
async fn a_void_of_a_settled_sale_is_a_refund() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let (sold, kept) =
            (counter.sells(PaymentStatus::Succeeded).await, counter.sells(PaymentStatus::Succeeded).await);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        counter.closes().await.unwrap();
        works(&counter.app).await;
        let later = counter.sells(PaymentStatus::Succeeded).await;
        let voids = async |number, sale: &payments::Sale| {
            let wish = giving_back(number, sale.payment.payment.id, RefundKind::Void, None);
            give_back(&counter.app, counter.scope, wish).await
        };
        let late = voids(1, &sold).await;
        assert!(matches!(late, Err(PaymentError::VoidTooLate)), "{late:?}");
        assert_eq!(counter.scheme.calls("cancel"), 0);
        counter.gives_back(2, &kept, AMOUNT_MINOR).await;
        // It is in no batch yet.
        counter.scheme.next("cancel", Say::Status(PaymentStatus::Closed));
        voids(3, &later).await.unwrap();
    })
    .await;
}

#[actix_web::test]
async fn what_core_gives_back_of_itself_waits_until_the_scheme_has_counted() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        // Two codes of one order, both paid: the second goes back, and nobody has sent it yet.
        let first = counter.shows(0, None).await;
        let second = counter.shows(0, Some(first.payment.order)).await;
        counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
        counter.scheme.always("cancel", no_answer());
        counter.notified(&first, PaymentStatus::Succeeded).await;
        let is_closed = |sale: &payments::Sale| matches!(sale.payment.payment.state, PaymentStanding::Cancelled { .. });
        counter.comes_to(second.payment.payment.id, "the other is closed", is_closed).await;
        counter.notified(&second, PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        assert_eq!(sums(&closed), (tally(2, 2 * AMOUNT_MINOR), tally(0, 0)), "what is not sent is of the next");
        resolves(&counter.app).await;
        assert_eq!(counter.scheme.calls("refund"), 0);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        works(&counter.app).await;
        counter.later(MINUTE_MS);
        counter.scheme.next("refund", Say::Refund(RefundStatus::Succeeded));
        resolves(&counter.app).await;
        assert_eq!(counter.scheme.calls("refund"), 1);
        // For as long as it may be out, whatever was heard of it.
        counter.later(MINUTE_MS);
        let next = counter.closes().await.unwrap();
        assert_eq!(sums(&next), (tally(0, 0), tally(1, AMOUNT_MINOR)));
    })
    .await;
}

#[actix_web::test]
async fn nothing_is_undone_at_the_scheme_while_it_counts() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.scheme.next("charge", no_answer());
        let stuck = counter.charges().await;
        counter.calls_for(&stuck).await;
        counter.later(2 * MINUTE_MS);
        counter.closes().await.unwrap();
        counter.scheme.settling.then(&[silent()]);
        works(&counter.app).await;
        let id = stuck.payment.payment.id;
        cancel(&counter.app, counter.scope, id, "usr_cashier").await.unwrap();
        counter.later(MINUTE_MS);
        resolves(&counter.app).await;
        assert_eq!(counter.scheme.calls("cancel"), 0);
        // The scheme stays silent, and nothing waits for ever.
        counter.later(3 * MINUTE_MS);
        counter.scheme.always("query", Say::Status(PaymentStatus::Pending));
        counter.scheme.always("cancel", Say::Status(PaymentStatus::Closed));
        resolves(&counter.app).await;
        assert_eq!(counter.scheme.calls("cancel"), 1);
    })
    .await;
}

#[actix_web::test]
async fn the_first_batch_has_all_that_came_since_core_settles_there() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        // Core stands still for a long weekend.
        counter.later(90 * HOUR_MS);
        counter.sells(PaymentStatus::Succeeded).await;
        let first = counter.closes().await.unwrap();
        assert_eq!(sums(&first).0, tally(2, 2 * AMOUNT_MINOR));
    })
    .await;
}

#[actix_web::test]
async fn a_clock_that_ran_ahead_keeps_nobody_from_settling() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        // One that is far off, and one by less than clocks are otherwise let be off.
        for ahead_ms in [40 * 24 * HOUR_MS, HOUR_MS / 2] {
            let ahead = counter.neighbour(ahead_ms);
            counter.sells(PaymentStatus::Succeeded).await;
            let batch = settlement::close(&ahead, counter.scope, counter.accounts[0], "core", None).await.unwrap();
            works(&ahead).await;
            assert!(batch.closed_at > counter.app.now());
            assert!(!counter.is_held().await, "it is held for nobody here");
            counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
            works(&counter.app).await;
            assert_eq!(counter.batch(batch.id).await.state, State::Settled, "nor does it wait for that moment");
        }
        counter.later(24 * HOUR_MS);
        assert!(counter.is_due().await.is_some());
    })
    .await;
}

#[actix_web::test]
async fn a_node_whose_clock_is_a_second_behind_is_held_as_well() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let ahead = counter.neighbour(1_000);
        counter.sells(PaymentStatus::Succeeded).await;
        let batch = settlement::close(&ahead, counter.scope, counter.accounts[0], "core", None).await.unwrap();
        assert!(batch.closed_at > counter.app.now());
        assert!(counter.is_held().await);
        works(&ahead).await;
        counter.later(MINUTE_MS);
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        works(&counter.app).await;
        assert_eq!(counter.batch(batch.id).await.state, State::Settled);
        assert!(!counter.is_held().await);
    })
    .await;
}

#[actix_web::test]
async fn what_the_scheme_says_after_it_was_given_up_is_in_the_log() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        let closed = counter.closes().await.unwrap();
        counter.later(HOUR_MS);
        works(&counter.app).await;
        counter.later(10 * MINUTE_MS);
        counter.scheme.settling.asked();
        counter.scheme.settling.then(&[Ok(Settled::Balanced)]);
        // One node asks while a person gives it up.
        let (bell, app) = (counter.scheme.settling.waits(), counter.app.clone());
        let work = tokio::spawn(async move { works(&app).await });
        eventually("it is asked", async || !counter.scheme.settling.asked().is_empty()).await;
        let asked = counter.batch(closed.id).await;
        counter.sees_to(closed.id, asked.version, "asked by phone").await.unwrap();
        bell.notify_one();
        work.await.unwrap();
        assert_eq!(counter.audited("settlement_batch.answered_late").await, 1);
        assert!(matches!(counter.batch(closed.id).await.state, State::Differs(_)));
    })
    .await;
}

/// Two equal requests came at once: the first was sent before the account was held.
#[actix_web::test]
async fn a_repeat_of_what_went_out_before_is_not_told_that_nothing_was_sent() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        let (id, account) = (PaymentId::from_bytes([9; 16]), Some(counter.accounts[0]));
        counter.scheme.next("charge", Say::Status(PaymentStatus::Succeeded));
        let (_, is_new) = counter.collects_once(id, scanned(), account, None).await.unwrap();
        assert!(is_new);
        counter.closes().await.unwrap();
        let (sale, is_new) = counter.collects_once(id, scanned(), account, None).await.unwrap();
        assert_eq!((sale.payment.payment.id, is_new), (id, false));
    })
    .await;
}

#[actix_web::test]
async fn a_held_account_is_held_whatever_package_a_node_serves() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.sells(PaymentStatus::Succeeded).await;
        counter.closes().await.unwrap();
        counter.scheme.install(Some(ALL));
        assert!(counter.is_held().await);
        counter.later(2 * MINUTE_MS);
        assert!(!counter.is_held().await);
    })
    .await;
}

#[actix_web::test]
async fn a_sale_goes_past_a_held_account_unless_it_was_named() {
    on_both(async |counter| {
        counter.scheme.settles(TERMS);
        counter.scheme.always("charge", Say::Status(PaymentStatus::Succeeded));
        // Whichever of the two is asked first.
        for (held, other) in [(0, 1), (1, 0)] {
            counter.try_collect(scanned(), held, None).await.unwrap();
            let account = counter.accounts[held];
            settlement::close(&counter.app, counter.scope, account, "usr_accountant", None).await.unwrap();
            let sold = counter.collects(scanned(), None, None).await.unwrap();
            assert_eq!(sold.payment.channel_account, Some(counter.accounts[other]));
            let named = counter.try_collect(scanned(), held, None).await;
            assert!(matches!(named, Err(PaymentError::BatchClosing)), "{named:?}");
            counter.later(2 * MINUTE_MS);
        }
    })
    .await;
}
