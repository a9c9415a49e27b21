//! Selling on without a network, and being believed afterwards.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::people::{Cashier, Office};
use crate::{
    api::text,
    shop::{ADMIN_EMAIL, Shop},
    wait::until,
};

/// The sale is in core's books, once, with the journal of the terminal acknowledged up to it.
async fn synced_once(shop: &Shop, payment: &str) -> Result<()> {
    let (till, office) = (shop.till()?, Office::of(shop)?);
    until("the till to have nothing left to send", || async {
        let state = till.get("/api/state").await?;
        Ok((state["unsent"]["count"] == 0).then_some(()))
    })
    .await?;
    let booked = office.sees(payment, "succeeded").await?;
    ensure!(booked["method"] == "cash", "{booked}");
    let timeline = office.core.get(&format!("/v1/payments/{payment}/timeline")).await?;
    let drawer: Vec<&Value> = timeline["posting_sets"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|set| set["postings"].as_array().into_iter().flatten())
        .filter(|posting| posting["account"] == "cash_in_drawer")
        .collect();
    ensure!(drawer.len() == 1 && drawer[0]["money"] == booked["amount"], "the drawer's postings: {drawer:?}");
    Ok(())
}

pub async fn broker_stopped(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let admin = shop.signed_in(ADMIN_EMAIL).await?;
    admin.post("/v1/fleet/broker/stop", &json!({}), "stop-broker").await?;
    let till = shop.till()?;
    until("the till to notice that the broker is gone", || async {
        let state = till.get("/api/state").await?;
        Ok((state["link"]["mqtt"] == false).then_some(()))
    })
    .await?;
    let cashier = Cashier::of(shop)?;
    let payment = cashier.sell_for_cash(1850, 2000).await?;
    cashier.sees(&payment, "succeeded").await?;
    cashier.receipt_with("18.50").await?;
    // It comes over HTTPS while the broker is gone.
    synced_once(shop, &payment).await?;
    ensure!(till.get("/api/state").await?["link"]["mqtt"] == false, "the broker was back too early");
    admin.post("/v1/fleet/broker/start", &json!({}), "start-broker").await?;
    until("the till to be back at the broker", || async {
        let state = till.get("/api/state").await?;
        Ok((state["link"]["mqtt"] == true).then_some(()))
    })
    .await?;
    let next = cashier.sell_for_cash(1860, 2000).await?;
    synced_once(shop, &next).await?;
    synced_once(shop, &payment).await
}

pub async fn core_gone(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    shop.stop_core().await?;
    let (till, cashier) = (shop.till()?, Cashier::of(shop)?);
    let payment = cashier.sell_for_cash(2350, 5000).await?;
    cashier.sees(&payment, "succeeded").await?;
    cashier.receipt_with("23.50").await?;
    let state = till.get("/api/state").await?;
    ensure!(state["unsent"]["count"].as_u64() > Some(0), "core is gone and nothing waits: {state}");
    let online = till
        .call(
            reqwest::Method::POST,
            "/api/sales",
            Some(&json!({"amount_minor": 100, "method": "code"})),
            Some("offline"),
        )
        .await?;
    ensure!(online.status.is_success(), "{}", online.body);
    let online = cashier.sees(&text(&online.body, "/payment")?, "failed").await?;
    ensure!(text(&online, "/failure/code")? == "offline", "{online}");
    shop.start_core().await?;
    shop.till_is_online().await?;
    synced_once(shop, &payment).await
}
