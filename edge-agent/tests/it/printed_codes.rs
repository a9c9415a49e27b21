//! Payments through the shop's printed codes: core tells of them, the till says and shows them.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use saoma_edge::config::SpeakerLanguage;
use saoma_protocol::{Amount, Currency, Millis, PaymentId, message::PushBody};
use serde_json::{Value, json};

use crate::{
    door::event,
    shop::{Shop, fresh_key, nothing, number, until},
};

const MINUTE_MS: i64 = 60_000;
const TEST: &str = "声音测试\n";

/// Where it is about noon: what was paid eleven minutes ago was paid today.
fn noon_offset_minutes() -> i32 {
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 % 1_440;
    720 - i32::try_from(minutes).unwrap()
}

async fn shop_with_speaker() -> Shop {
    Shop::open_with(|config, folder| {
        config.peripherals.speaker = "simulated".to_owned();
        config.peripherals.speaker_device = folder.join("said").to_str().unwrap().to_owned();
        config.peripherals.speaker_language = SpeakerLanguage::Zh;
        config.till.utc_offset_minutes = noon_offset_minutes();
    })
    .await
}

impl Shop {
    /// Core tells of what was paid so long ago, and hears that the till has taken it.
    async fn is_told(&self, payment: u8, minor: i64, ago_ms: i64) -> PaymentId {
        let payment = PaymentId::from_bytes([payment; 16]);
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let paid_at = Millis(i64::try_from(elapsed).unwrap() - ago_ms);
        let amount = Amount::new(minor, Currency::CNY).unwrap();
        let body = PushBody::StaticCodePaid { payment, amount, paid_at, label: "门口 the gate".to_owned() };
        let push = self.core.look(|known| known.tell(body));
        let taken = async || self.core.look(|known| known.acknowledged.contains(&push).then_some(()));
        until("the till to take it", taken).await;
        payment
    }

    /// The numbers and amounts of what is listed.
    async fn listed(&self) -> Vec<(String, i64)> {
        let state = self.till.get("/api/state").await;
        let items = state["received"].as_array().unwrap().clone();
        let told = |item: Value| (item["payment"].as_str().unwrap().to_owned(), item["amount_minor"].as_i64().unwrap());
        items.into_iter().map(told).collect()
    }

    /// All that the speaker has said: its test comes behind everything that was ordered by now.
    async fn said(&self) -> String {
        let tested = self.till.post("/api/peripherals/speaker/self-test", &nothing(), &fresh_key()).await;
        assert!(tested.status.is_success(), "{}", tested.body);
        fs::read_to_string(self.folder.path().join("said")).unwrap().replace(TEST, "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_is_said_once_and_listed_over_redelivery_and_a_restart() {
    let mut shop = shop_with_speaker().await;
    // Acknowledgements are lost: what was told comes again and again.
    shop.core.look(|known| known.loses_acks = true);
    let paid = shop.is_told(1, 1_250, 0).await;
    let expected = "收款十二元五角\n";
    assert_eq!((shop.said().await.as_str(), shop.listed().await), (expected, vec![(paid.to_string(), 1_250)]));
    let item = &shop.till.get("/api/state").await["received"][0];
    assert_eq!((&item["label"], &item["amount"]), (&json!("门口 the gate"), &json!("12.50")), "{item}");

    shop.kill_till();
    shop.start_till().await;
    // Under another number as well.
    shop.is_told(1, 1_250, 0).await;
    assert_eq!((shop.said().await.as_str(), shop.listed().await), (expected, vec![(paid.to_string(), 1_250)]));
    let next = shop.is_told(2, 300, 0).await;
    assert_eq!(shop.said().await, format!("{expected}收款三元\n"));
    assert_eq!(shop.listed().await, [(next.to_string(), 300), (paid.to_string(), 1_250)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_listed_and_not_said() {
    let shop = shop_with_speaker().await;
    shop.is_told(1, 500, 2 * 24 * 60 * MINUTE_MS).await;
    assert_eq!(shop.listed().await, [], "of another day");
    let late = shop.is_told(2, 600, 11 * MINUTE_MS).await;
    assert_eq!(shop.listed().await, [(late.to_string(), 600)]);
    assert_eq!(shop.said().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_under_way_and_its_display_stay_as_they_are() {
    let shop = shop_with_speaker().await;
    let sale = number(&shop.till.sell(json!({"amount_minor": 200, "method": "code"})).await);
    shop.till.sees(sale, "state", "presenting").await;
    let display = shop.till.get("/api/display").await;
    let mut events = reqwest::get(format!("{}/api/events", shop.till.base)).await.unwrap().bytes_stream();
    let paid = shop.is_told(1, 1_250, 0).await;
    event(&mut events, &mut String::new(), "received", |received| received["payment"] == json!(paid)).await;
    assert_eq!(shop.till.get("/api/display").await, display, "the customer sees nothing of it");
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["open_sales"], json!([sale]));
    shop.core.customer_pays(sale);
    shop.till.sees(sale, "state", "succeeded").await;
    assert_eq!(shop.said().await, "收款十二元五角\n收款二元\n");
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 1, "it is no sale of this till");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_training_nothing_is_said_of_what_is_real() {
    let shop = shop_with_speaker().await;
    let turned = async |to: &str| {
        let reply = shop.till.post(&format!("/api/training/{to}"), &nothing(), &fresh_key()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    turned("enter").await;
    let paid = shop.is_told(1, 1_250, 0).await;
    assert_eq!(shop.listed().await, [(paid.to_string(), 1_250)]);
    turned("leave").await;
    assert_eq!(shop.said().await, "");
}
