//! Since when there is no network: the agent knows it, whatever page asks, and after a restart too.

use serde_json::Value;

use crate::shop::{Shop, until};

impl Shop {
    async fn offline_since(&self) -> Value {
        self.till.get("/api/state").await["link"]["offline_since"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn since_when_there_is_no_network_is_known_over_a_restart() {
    let mut shop = Shop::open().await;
    assert_eq!(shop.offline_since().await, Value::Null, "it is online");
    shop.core.switch_off().await;
    shop.online(false).await;
    let since = shop.offline_since().await;
    assert!(since.is_i64(), "{since}");
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.offline_since().await, since);
    shop.core.switch_on();
    shop.online(true).await;
    assert_eq!(shop.offline_since().await, Value::Null);

    // Stopped while it was online, and started in the morning without a network.
    shop.stop_till().await;
    shop.core.switch_off().await;
    shop.start_till().await;
    let later = shop.offline_since().await;
    assert!(later.as_i64() > since.as_i64(), "{later} after {since}");
}

/// While the broker is there, nobody is offline; and since it went, everybody is.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_the_broker_is_cores_word() {
    let (mut shop, mut broker) = Shop::open_with_broker().await;
    until("both ways", async || {
        let link = shop.till.get("/api/state").await["link"].clone();
        (link["mqtt"] == true && link["https"] == true).then_some(())
    })
    .await;
    shop.core.switch_off().await;
    until("HTTPS to be gone", async || {
        let link = shop.till.get("/api/state").await["link"].clone();
        (link["https"] == false).then_some(link)
    })
    .await;
    let before = shop.till.get("/api/state").await;
    assert_eq!((&before["link"]["online"], &before["link"]["offline_since"]), (&Value::Bool(true), &Value::Null));
    broker.switch_off().await;
    shop.online(false).await;
    let since = shop.offline_since().await;
    assert!(since.as_i64() >= before["now"].as_i64(), "{since} after {}", before["now"]);
}
