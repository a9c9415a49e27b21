//! The network goes and comes back.

use saoma_protocol::journal::Record;
use serde_json::json;

use crate::{
    core::GOOD_CODE,
    shop::{Shop, nothing, number, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn cash_without_core_is_booked_once_when_core_is_back() {
    let mut shop = Shop::open().await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let sale = shop.till.sell(json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000})).await;
    assert_eq!(
        (&sale["state"], &sale["change_minor"], &sale["synced"]),
        (&json!("succeeded"), &json!(750), &json!(false))
    );
    let payment = number(&sale);
    shop.till.sees(payment, "receipt", "printed").await;
    assert!(shop.till.receipt_with("12.50").await.contains("7.50"));
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["unsent"]["count"], 1);
    assert_eq!(state["unsent"]["at_risk"], json!([{"minor": 1250, "currency": "CNY"}]));
    let books = shop.till.get("/api/books").await;
    assert_eq!((&books["agree"], &books["core"]), (&json!(false), &json!(null)));

    shop.core.switch_on();
    shop.online(true).await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.sale(payment).await["synced"], true);
    let booked = shop.core.look(|known| known.journal.clone());
    assert!(
        matches!(booked.as_slice(), [Record::CashSale { payment: booked, .. }] if *booked == payment),
        "{booked:?}"
    );
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_core_says_at_once_that_it_is_gone() {
    let mut shop = Shop::open().await;
    shop.core.switch_off().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    let failed = shop.till.sees(payment, "state", "failed").await;
    assert_eq!(
        (&failed["failure"]["code"], &failed["settled"], &failed["actions"]),
        (&json!("offline"), &json!(true), &json!([]))
    );
    shop.core.switch_on();
    shop.nothing_unsent().await;
    assert!(shop.core.look(|known| known.payments.is_empty()), "a sale that was given up must not be charged");
}

/// The money is on its way to the customer: a cashier who was told otherwise would give it a second time, in cash.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_core_has_taken_is_not_called_failed_when_the_line_is_cut() {
    let mut shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1000, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(payment, "state", "succeeded").await;
    shop.core.look(|known| known.refunds_pend = true);
    let pressed = shop.till.press(payment, "refund", json!({"amount_minor": 400})).await;
    assert_eq!((pressed.status.as_u16(), &pressed.body["refunds"][0]["state"]), (200, &json!("pending")));
    shop.core.switch_off().await;
    shop.online(false).await;
    // Two looks later: the next one is about the same refund.
    for _ in 0..2 {
        let asked = shop.till.press(payment, "query", nothing()).await;
        assert_eq!(asked.body["refunds"][0]["state"], "pending", "{}", asked.body);
    }
    shop.core.refunds_end();
    shop.core.switch_on();
    until("the refund to end", async || {
        (shop.till.sale(payment).await["refunds"][0]["state"] == "succeeded").then_some(())
    })
    .await;
    shop.till.receipt_with("REFUND").await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_could_not_be_sent_can_be_pressed_again() {
    let mut shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1000, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(payment, "state", "succeeded").await;
    shop.core.switch_off().await;
    let refused = shop.till.press(payment, "void", nothing()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("core_unreachable")));
    shop.core.switch_on();
    let voided = shop.till.press(payment, "void", nothing()).await;
    assert_eq!((voided.status.as_u16(), &voided.body["state"]), (200, &json!("voided")), "{}", voided.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_to_cancel_is_kept_until_core_is_back() {
    let mut shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    shop.core.switch_off().await;
    let pressed = shop.till.press(payment, "cancel", nothing()).await;
    assert_eq!((pressed.status.as_u16(), &pressed.body["cancelling"]), (200, &json!(true)), "{}", pressed.body);
    assert_ne!(shop.till.get("/api/display").await["kind"], "code", "a code that is being cancelled is not on show");
    shop.stop_till().await;
    shop.core.switch_on();
    shop.start_till().await;
    let sale = shop.till.sees(payment, "state", "cancelled").await;
    assert_eq!(sale["cancelling"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tills_names_follow_core() {
    let shop = Shop::open().await;
    until("the new name", async || {
        (shop.till.get("/api/state").await["till"]["terminal_name"] == "Till 1 renamed").then_some(())
    })
    .await;
}
