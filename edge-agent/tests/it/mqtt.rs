//! With a broker: MQTT first, HTTPS when it fails.

use std::sync::atomic::Ordering;

use saoma_protocol::message::Health;
use serde_json::json;

use crate::shop::{Shop, number, until};

impl Shop {
    pub async fn mqtt(&self, up: bool) {
        until("the broker", async || (self.till.get("/api/state").await["link"]["mqtt"] == up).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn core_tells_by_itself_and_gets_the_journal_over_mqtt() {
    let (shop, broker) = Shop::open_with_broker().await;
    shop.mqtt(true).await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.customer_pays(payment);
    broker.tell(payment);
    shop.till.sees(payment, "receipt", "printed").await;
    until("the push to be acknowledged", async || {
        shop.core.look(|known| (known.acknowledged.len() >= 2).then_some(()))
    })
    .await;
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| (known.batches, known.journal.len())), (0, 2), "all of it over MQTT, once");
    // Each device is told of once it has been looked at.
    until("health with the printer", async || {
        let with_printer = |health: &Health| health.peripherals.iter().any(|device| device.kind == "printer");
        broker.heard(|heard| heard.health.iter().any(with_printer).then_some(()))
    })
    .await;
    let mut shop = shop;
    shop.stop_till().await;
    until("the goodbye", async || broker.heard(|heard| (heard.presence == [true, false]).then_some(()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_broker_core_hears_over_https_how_the_till_does() {
    let shop = Shop::open().await;
    until("health with the printer", async || {
        let whole =
            |health: &Health| health.announces && health.peripherals.iter().any(|device| device.kind == "printer");
        shop.core.look(|known| known.health.iter().any(whole).then_some(()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_swallows_the_journal_is_gone_around() {
    let (shop, broker) = Shop::open_with_broker().await;
    shop.mqtt(true).await;
    broker.swallows.store(true, Ordering::SeqCst);
    shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.journal.len()), 1);
    assert!(shop.core.look(|known| known.batches) >= 1 && broker.heard(|heard| heard.batches) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_broker_nothing_is_missing() {
    let (shop, mut broker) = Shop::open_with_broker().await;
    shop.mqtt(true).await;
    broker.switch_off().await;
    shop.mqtt(false).await;
    assert_eq!(shop.till.get("/api/state").await["link"]["online"], true);
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "receipt", "printed").await;
    shop.nothing_unsent().await;
    assert!(shop.core.look(|known| known.batches) > 0);
    broker.switch_on().await;
    shop.mqtt(true).await;
}

/// A broker that takes the connection and no subscription: what core says does not arrive there.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_the_subscription_is_as_good_as_none() {
    let (shop, broker) = Shop::open_with_broker().await;
    shop.mqtt(true).await;
    broker.deaf.store(true, Ordering::SeqCst);
    broker.hang_up();
    until("two attempts", async || broker.heard(|heard| (heard.refused >= 2).then_some(()))).await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "receipt", "printed").await;
    until("the push to be acknowledged", async || shop.core.look(|known| known.acknowledged.first().copied())).await;
    assert_eq!(shop.till.get("/api/state").await["link"]["mqtt"], false);
}
