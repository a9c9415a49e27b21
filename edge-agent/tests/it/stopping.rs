//! The agent is asked to stop while money moves.

use std::time::{Duration, Instant};

use saoma_edge::journal::verify;
use serde_json::json;

use crate::{
    core::GOOD_CODE,
    shop::{Shop, fresh_key, nothing, number, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_under_way_ends_before_the_agent_does() {
    let mut shop = Shop::open().await;
    let before = number(&shop.till.sell(json!({"amount_minor": 300, "method": "cash"})).await);
    shop.core.look(|known| known.silent = true);
    let payment = number(&shop.till.sell(json!({"amount_minor": 500, "method": "scan", "code": GOOD_CODE})).await);
    until("core to have heard", async || shop.core.look(|known| (!known.created.is_empty()).then_some(()))).await;

    let (known, till) = (shop.core.known(), crate::shop::Till::at(shop.till.base.clone()));
    let meanwhile = async {
        let late = until("new sales to be refused", async || {
            let body = json!({"amount_minor": 100, "method": "cash"});
            let reply = till.post("/api/sales", &body, &fresh_key()).await;
            (reply.status != 201).then_some(reply)
        })
        .await;
        assert_eq!((late.status.as_u16(), &late.body["code"]), (503, &json!("stopping")));
        let refund = till.press(before, "refund", json!({"amount_minor": 1})).await;
        assert_eq!((refund.status.as_u16(), &refund.body["code"]), (503, &json!("stopping")));
        assert_eq!(till.sale(payment).await["state"], "sending", "the page still sees it");
        known.lock().unwrap().silent = false;
    };
    tokio::join!(shop.stop_till(), meanwhile);
    // The file is closed: what was in its log is in it.
    assert!(!shop.folder.path().join("journal.db-wal").exists());
    verify(&shop.folder.path().join("journal.db")).unwrap();

    shop.core.switch_off().await;
    shop.start_till().await;
    let sale = shop.till.sale(payment).await;
    assert_eq!((&sale["state"], &sale["receipt"]), (&json!("succeeded"), &json!("printed")), "{sale}");
}

/// Nobody comes to pay what is merely on show, and a core that is away answers nobody.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_take_for_ever_is_not_waited_for() {
    let mut shop = Shop::open().await;
    let shown = number(&shop.till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    shop.till.sees(shown, "state", "presenting").await;
    let asked_at = Instant::now();
    shop.stop_till().await;
    assert!(asked_at.elapsed() < Duration::from_secs(5), "{:?}", asked_at.elapsed());

    shop.start_till().await;
    shop.online(true).await;
    shop.core.look(|known| known.silent = true);
    let sent = number(&shop.till.sell(json!({"amount_minor": 100, "method": "code"})).await);
    until("core to have heard", async || {
        shop.core.look(|known| known.created.contains(&sent.to_string()).then_some(()))
    })
    .await;
    shop.core.switch_off().await;
    shop.online(false).await;
    let asked_at = Instant::now();
    shop.stop_till().await;
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
    shop.core.look(|known| known.silent = false);
    shop.core.switch_on();
    shop.start_till().await;
    shop.till.sees(sent, "state", "presenting").await;
    let cancelled = shop.till.press(sent, "cancel", nothing()).await;
    assert_eq!(cancelled.body["state"], "cancelled", "{}", cancelled.body);
}
