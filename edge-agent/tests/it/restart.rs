//! The plug is pulled.

use saoma_edge::journal::verify;
use serde_json::json;

use crate::{
    core::GOOD_CODE,
    shop::{Shop, fresh_key, nothing, number, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_in_the_middle_is_sent_again_with_the_same_number() {
    let mut shop = Shop::open().await;
    shop.core.look(|known| known.silent = true);
    let sale = shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await;
    assert_eq!(sale["state"], "sending");
    let payment = number(&sale);
    until("core to have heard", async || shop.core.look(|known| (!known.created.is_empty()).then_some(()))).await;
    shop.kill_till();
    shop.core.look(|known| known.silent = false);
    shop.start_till().await;
    shop.till.sees(payment, "state", "presenting").await;
    let created = shop.core.look(|known| known.created.clone());
    assert!(created.len() >= 2 && created.iter().all(|key| *key == payment.to_string()), "{created:?}");
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "receipt", "printed").await;
    let next = shop.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
    assert_eq!(next["counter"], 2, "a number is never used twice");
}

/// After a restart the customer's code is gone: the till asks what became of the sale and never charges again.
#[tokio::test(flavor = "multi_thread")]
async fn a_scanned_sale_in_the_middle_is_asked_about() {
    let mut shop = Shop::open().await;
    shop.core.look(|known| known.silent = true);
    let payment = number(&shop.till.sell(json!({"amount_minor": 500, "method": "scan", "code": GOOD_CODE})).await);
    until("core to have heard", async || shop.core.look(|known| (!known.created.is_empty()).then_some(()))).await;
    shop.kill_till();
    shop.core.look(|known| known.silent = false);
    let created = shop.core.look(|known| known.created.len());
    shop.start_till().await;
    shop.till.sees(payment, "state", "succeeded").await;
    shop.till.receipt_with("5.00").await;
    assert_eq!(shop.core.look(|known| known.created.len()), created);
    shop.nothing_unsent().await;
    shop.stop_till().await;
    let verified = verify(&shop.folder.path().join("journal.db")).unwrap();
    assert_eq!((verified.entries, verified.synced_through.0), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_printed_can_be_printed_again_after_a_restart() {
    let mut shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 500, "method": "cash"})).await);
    shop.till.sees(payment, "receipt", "printed").await;
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/sales").await["items"][0]["payment"], json!(payment));
    let again = shop.till.press(payment, "reprint", nothing()).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(shop.till.receipt_with("COPY").await.contains("5.00"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_is_the_same_sale_after_a_restart() {
    let mut shop = Shop::open().await;
    let body = json!({"amount_minor": 700, "method": "cash"});
    let first = shop.till.post("/api/sales", &body, "intent-1").await;
    shop.kill_till();
    shop.start_till().await;
    let again = shop.till.post("/api/sales", &body, "intent-1").await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &first.body["payment"]));
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 1);
}

/// The disk is replaced by a copy of before what `sells` sold: its next numbers are used.
pub async fn set_back(shop: &mut Shop, sells: impl AsyncFnOnce(&Shop)) {
    let journal = shop.folder.path().join("journal.db");
    let copy = shop.folder.path().join("copy");
    let log = shop.folder.path().join("journal.db-wal");
    let closed = async || until("the journal to be closed", async || (!log.exists()).then_some(())).await;
    shop.stop_till().await;
    closed().await;
    std::fs::copy(&journal, &copy).unwrap();
    shop.start_till().await;
    sells(shop).await;
    shop.nothing_unsent().await;
    shop.stop_till().await;
    closed().await;
    std::fs::rename(&copy, &journal).unwrap();
}

/// A sale that core knows.
async fn scanned(shop: &Shop) {
    let paid = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(paid, "state", "succeeded").await;
}

async fn is_stopped(shop: &Shop) {
    let refused = shop.till.post("/api/sales", &json!({"amount_minor": 700, "method": "code"}), &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("journal_failed")), "{}", refused.body);
    let state = shop.till.get("/api/state").await;
    assert!(
        state["alarms"].as_array().unwrap().iter().any(|alarm| alarm["code"] == "journal_set_back"),
        "{}",
        state["alarms"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_set_back_takes_no_answer_of_an_older_sale_for_its_own() {
    let mut shop = Shop::open().await;
    set_back(&mut shop, scanned).await;
    let created = shop.core.look(|known| known.created.len());
    shop.start_till().await;
    // At once, faster than core's word on the journal.
    is_stopped(&shop).await;
    assert_eq!(shop.core.look(|known| known.created.len()), created, "its number is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_set_back_and_sold_on_offline_is_stopped_when_core_is_back() {
    let mut shop = Shop::open().await;
    set_back(&mut shop, scanned).await;
    shop.core.switch_off().await;
    shop.start_till().await;
    let early = shop.till.post("/api/sales", &json!({"amount_minor": 700, "method": "code"}), &fresh_key()).await;
    assert_eq!((early.status.as_u16(), &early.body["code"]), (503, &json!("core_unreachable")), "{}", early.body);
    for _ in 0..5 {
        shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    }
    shop.core.switch_on();
    until("somebody to be told", async || {
        let state = shop.till.get("/api/state").await;
        state["sync"]["stopped"].is_object().then_some(())
    })
    .await;
    is_stopped(&shop).await;
}

/// No new sale, but money that was taken can still be given back, and core still gets everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_new_sales_and_nothing_else() {
    let mut shop = Shop::open_on_disk_of(80).await;
    let goods = json!([{"name": "x".repeat(128), "quantity": 1, "price_minor": 100}]);
    let body = json!({"amount_minor": 100, "method": "cash", "goods": goods});
    let mut sold = Vec::new();
    let refused = loop {
        assert!(sold.len() < 500, "the disk is never full");
        let reply = shop.till.post("/api/sales", &body, &fresh_key()).await;
        if reply.status != 201 {
            break reply;
        }
        sold.push(number(&reply.body));
    };
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (507, &json!("disk_full")));
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["disk"]["ok"], &state["alarms"][0]["code"]), (&json!(false), &json!("disk_full")));
    let refunded = shop.till.press(sold[0], "refund", json!({"amount_minor": 40})).await;
    assert_eq!((refunded.status.as_u16(), &refunded.body["refunded_minor"]), (200, &json!(40)), "{}", refunded.body);
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.journal.len()), sold.len() + 1);
    shop.stop_till().await;
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}
