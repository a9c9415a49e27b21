//! Webhooks as time goes by and processes end: on a clock that the story moves, with a receiver that is real.

use std::time::Duration;

use saoma_protocol::WebhookEndpointId;
use saoma_server::{secrets::SecretsError, webhooks::tell_trial};
use saoma_store::{
    StoreError, access, audit,
    tenants::LatePolicy,
    webhooks::{self, Disabled, Endpoint, Filter, State, Wanted},
};

use crate::{
    fleet_world::eventually,
    postgres,
    receiver::{Receiver, Reply},
    scheme_world::Counter,
};

const HOUR_MS: i64 = 3_600_000;
const LEASE_MS: i64 = 60_000;

impl Counter {
    /// An endpoint with its secret, as the API makes one.
    async fn listens(&self, receiver: &Receiver, ordered: bool) -> WebhookEndpointId {
        self.listens_with(receiver, ordered, None).await
    }

    /// With the secret of another endpoint, which cannot be opened for this one.
    async fn listens_with(
        &self,
        receiver: &Receiver,
        ordered: bool,
        key_of: Option<WebhookEndpointId>,
    ) -> WebhookEndpointId {
        let (app, scope, now) = (&self.app, self.scope, self.app.now());
        let endpoint = Endpoint {
            id: WebhookEndpointId::from_bytes(app.random_16().unwrap()),
            url: receiver.url.clone(),
            description: String::new(),
            event_types: Vec::new(),
            ordered,
            previous_until: None,
            disabled: None,
            last_success_at: None,
            created_at: now,
            updated_at: now,
        };
        let id = endpoint.id;
        let vault = app.vault().clone();
        let made = app.store().write(move |tx| {
            let sealed = vault.seal(tx, scope, &key_of.unwrap_or(id), &[7; 32], now)?;
            Ok::<_, SecretsError>(webhooks::create(tx, &scope, &endpoint, &sealed, 16)?)
        });
        made.await.unwrap();
        id
    }

    async fn tells(&self, endpoint: WebhookEndpointId, count: u32) {
        let (scope, now) = (self.scope, self.app.now());
        let work = move |tx: &mut saoma_store::Tx<'_>| {
            (0..count).try_for_each(|_| tell_trial(tx, &scope, endpoint, now).map(drop))
        };
        self.app.store().write(work).await.unwrap();
        self.app.wake_outbox();
    }

    async fn deliveries(&self, endpoint: WebhookEndpointId) -> Vec<webhooks::Delivery> {
        let scope = self.scope;
        let work = move |tx: &mut saoma_store::Tx<'_>| {
            webhooks::list_deliveries(tx, &scope, endpoint, Filter::default(), 1_000)
        };
        self.app.store().read(work).await.unwrap()
    }

    async fn all_succeed(&self, endpoint: WebhookEndpointId, count: usize) {
        eventually("all are delivered", async || {
            let deliveries = self.deliveries(endpoint).await;
            deliveries.len() == count && deliveries.iter().all(|one| one.state == State::Succeeded)
        })
        .await;
    }
}

#[actix_web::test]
async fn a_receiver_that_fails_for_three_days_is_told_for_three_days_and_then_no_more() {
    let (counter, receiver) = (Counter::open(LatePolicy::Refund).await, Receiver::open().await);
    receiver.usually(Reply::Status(503));
    let endpoint = counter.listens(&receiver, false).await;
    let workers = counter.workers();
    let began = counter.app.now();
    counter.tells(endpoint, 1).await;
    let mut attempts = 0;
    let last = loop {
        attempts += 1;
        let mut delivery = None;
        eventually("the attempt is written down", async || {
            delivery = counter.deliveries(endpoint).await.pop();
            let lease = counter.app.now().plus(LEASE_MS);
            delivery.as_ref().is_some_and(|one| one.attempts == attempts && one.next_at != Some(lease))
        })
        .await;
        let delivery = delivery.unwrap();
        let Some(next_at) = delivery.next_at else { break delivery };
        assert!(next_at > counter.app.now());
        counter.later(next_at.since(counter.app.now()));
        counter.app.wake_outbox();
    };
    let hours = counter.app.now().since(began) / HOUR_MS;
    assert_eq!((last.state, hours), (State::Failed, 72));
    assert!((15..30).contains(&attempts), "{attempts} attempts");
    let heard = receiver.heard();
    assert_eq!(heard.len(), usize::try_from(attempts).unwrap());
    assert!(heard.iter().all(|one| one.header("webhook-id") == heard[0].header("webhook-id")));
    // The timestamp is each attempt's own, or a receiver would take the later ones for a replay.
    assert_ne!(heard[0].header("webhook-timestamp"), heard[1].header("webhook-timestamp"));
    let scope = counter.scope;
    let (stored, log) = counter
        .app
        .store()
        .read(move |tx| {
            Ok::<_, StoreError>((webhooks::load(tx, &scope, endpoint)?, audit::list(tx, &scope, None, 10)?))
        })
        .await
        .unwrap();
    assert_eq!(stored.disabled, Some((Disabled::Failing, counter.app.now())));
    assert_eq!(log.iter().filter(|one| one.entry.action == "webhook_endpoint.disabled").count(), 1);
    workers.stop().await;
}

/// Nobody can sign it: that is an attempt as any other, told to the merchant, tried later, and ended in the end.
#[actix_web::test]
async fn what_cannot_be_signed_is_an_attempt_that_failed() {
    let (counter, receiver) = (Counter::open(LatePolicy::Refund).await, Receiver::open().await);
    let other = WebhookEndpointId::from_bytes([9; 16]);
    let endpoint = counter.listens_with(&receiver, true, Some(other)).await;
    let workers = counter.workers();
    counter.tells(endpoint, 1).await;
    let (scope, store) = (counter.scope, counter.app.store().clone());
    let attempts = async |id| store.read(move |tx| webhooks::attempts(tx, &scope, id)).await.unwrap();
    let mut failed = Vec::new();
    eventually("the attempt is written down", async || {
        if let Some(delivery) = counter.deliveries(endpoint).await.first() {
            failed = attempts(delivery.id).await;
        }
        !failed.is_empty()
    })
    .await;
    assert!(failed[0].error.as_ref().unwrap().contains("could not be signed"), "{failed:?}");
    counter.later(3 * 24 * HOUR_MS);
    counter.app.wake_outbox();
    let is_over = async || counter.deliveries(endpoint).await[0].state == State::Failed;
    eventually("it is given up after three days", is_over).await;
    assert!(receiver.heard().is_empty());
    workers.stop().await;
}

/// A process takes a delivery and ends before it sends it; another had an event in the outbox and told nobody.
#[actix_web::test]
async fn what_a_dead_process_had_in_its_hands_is_taken_up() {
    let (counter, receiver) = (Counter::open(LatePolicy::Refund).await, Receiver::open().await);
    let endpoint = counter.listens(&receiver, true).await;
    counter.tells(endpoint, 2).await;
    let now = counter.app.now();
    let claimed = counter
        .app
        .store()
        .write(move |tx| {
            webhooks::fan_out(tx, &access::process(), now, 1)?;
            let wanted = Wanted { in_hand: &std::collections::BTreeMap::new(), per_endpoint_max: 9, limit: 9 };
            webhooks::claim_due(tx, &access::process(), now, now.plus(LEASE_MS), wanted)
        })
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    let workers = counter.workers();
    counter.later(LEASE_MS - 1);
    eventually("the other event becomes a delivery", async || counter.deliveries(endpoint).await.len() == 2).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(receiver.heard().is_empty(), "the lease holds, and the order too");
    counter.later(1);
    counter.app.wake_outbox();
    counter.all_succeed(endpoint, 2).await;
    let told: Vec<_> = receiver.heard().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    let mut deliveries = counter.deliveries(endpoint).await;
    deliveries.reverse();
    assert_eq!(told, deliveries.iter().map(|one| one.event.to_string()).collect::<Vec<_>>());
    assert_eq!(deliveries.iter().map(|one| one.attempts).collect::<Vec<_>>(), [2, 1]);
    workers.stop().await;
}

/// Two processes on one database: nothing is sent twice, nothing out of order.
async fn two_share_the_work(counter: Counter) {
    let (ordered, other) = (Receiver::open().await, Receiver::open().await);
    let (one, all) = (counter.listens(&ordered, true).await, counter.listens(&other, false).await);
    let workers = [counter.workers(), counter.workers(), counter.workers()];
    for endpoint in [one, all] {
        counter.tells(endpoint, 25).await;
    }
    counter.all_succeed(one, 25).await;
    counter.all_succeed(all, 25).await;
    for (receiver, endpoint) in [(&ordered, one), (&other, all)] {
        let mut told: Vec<_> = receiver.heard().iter().map(|one| one.header("webhook-id").to_owned()).collect();
        let mut written: Vec<_> = counter.deliveries(endpoint).await.iter().map(|one| one.event.to_string()).collect();
        written.reverse();
        if endpoint == all {
            told.sort();
            written.sort();
        }
        assert_eq!(told, written);
    }
    assert_eq!(ordered.at_once_most(), 1);
    for worker in workers {
        worker.stop().await;
    }
}

#[actix_web::test]
async fn several_processes_send_each_delivery_once() {
    two_share_the_work(Counter::open(LatePolicy::Refund).await).await;
    let url = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    two_share_the_work(Counter::open_on(&url, folder, LatePolicy::Refund).await).await;
}

/// A receiver that is slow and has much to hear keeps nobody waiting.
#[actix_web::test]
async fn a_long_queue_of_one_endpoint_is_no_other_ones_wait() {
    let counter = Counter::open(LatePolicy::Refund).await;
    let (slow, quick) = (Receiver::open().await, Receiver::open().await);
    slow.usually(Reply::After(Duration::from_millis(150)));
    let (busy, idle) = (counter.listens(&slow, false).await, counter.listens(&quick, false).await);
    counter.tells(busy, 150).await;
    let workers = counter.workers();
    slow.hears(8).await;
    counter.later(1);
    counter.tells(idle, 1).await;
    quick.hears(1).await;
    let before = slow.heard().len();
    assert!(before < 60, "it waited for {before} of the other's");
    assert!(slow.at_once_most() <= 4);
    workers.stop().await;
}
