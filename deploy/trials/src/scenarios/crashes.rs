//! Programs that die at the worst moment.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::people::{Cashier, Customer, Office, scheme_record};
use crate::{shop::Shop, wait::until};

/// A charge that the scheme has carried out and not answered.
struct UnderWay {
    payment: String,
    key: String,
    body: Value,
    sent: JoinHandle<Result<Value>>,
}

impl UnderWay {
    /// `minor` ends in 93 (the scheme never answers), so core sits between "sent" and "answered" for some seconds.
    async fn begin(shop: &Shop, minor: i64) -> Result<Self> {
        let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
        let key = format!("under-way-{}", customer.shows_code().await?);
        let body = office.charge_body(shop, minor, &customer.shows_code().await?)?;
        let core = office.core.clone();
        let sent = tokio::spawn({
            let (body, key) = (body.clone(), key.clone());
            async move { core.post("/v1/payments", &body, &key).await }
        });
        let payment = until("the scheme to have charged", || async {
            let orders = shop.scheme()?.get("/admin/orders").await?;
            let mut ours = orders.as_array().into_iter().flatten().map(scheme_record);
            let order = ours.find(|order| order["amount_minor"] == minor && order["charged"] == 1);
            Ok(order.and_then(|order| order["order_number"].as_str().map(str::to_owned)))
        })
        .await?;
        Ok(Self { payment, key, body, sent })
    }

    /// It is paid, once, and its key still names it.
    async fn is_paid_once(shop: &Shop, payment: &str, key: &str, body: &Value) -> Result<()> {
        let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
        office.sees(payment, "succeeded").await?;
        let again = office.core.post("/v1/payments", body, key).await?;
        ensure!(again["id"] == payment, "the same key is another payment: {again}");
        let order = customer.scheme_order(payment).await?.unwrap_or_default();
        ensure!(order["charged"] == 1, "charged again: {order}");
        Ok(())
    }
}

pub async fn core_killed(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let UnderWay { payment, key, body, sent } = UnderWay::begin(shop, 2193).await?;
    shop.kill_core().await?;
    ensure!(sent.await?.is_err(), "core answered before it was killed: the moment was missed");
    shop.start_core().await?;
    UnderWay::is_paid_once(shop, &payment, &key, &body).await
}

/// Asked to stop, core ends the call, and whoever waits for it is answered.
pub async fn core_stopped(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let UnderWay { payment, key, body, sent } = UnderWay::begin(shop, 2393).await?;
    ensure!(!sent.is_finished(), "core answered before it was stopped: the moment was missed");
    shop.stop_core().await?;
    let answer = sent.await?.context("core stopped, and cut off whom it should have answered")?;
    ensure!(answer["id"] == payment.as_str() && answer["state"] == "unknown", "{answer}");
    shop.start_core().await?;
    UnderWay::is_paid_once(shop, &payment, &key, &body).await
}

pub async fn terminal_killed(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (customer, cashier) = (Customer::of(shop)?, Cashier::of(shop)?);
    // Slow: the till waits for the customer when it dies.
    let payment = cashier.sell_by_scan(2192, &customer.shows_code().await?).await?;
    cashier.sees(&payment, "pending").await?;
    shop.kill_terminal().await?;
    shop.start_terminal().await?;
    cashier.sees(&payment, "succeeded").await?;
    let cash = cashier.sell_for_cash(500, 500).await?;
    shop.kill_terminal().await?;
    shop.start_terminal().await?;
    cashier.sees(&cash, "succeeded").await?;
    let reprinted = cashier.press(&cash, "reprint", &json!({})).await?;
    ensure!(reprinted.status.is_success(), "reprint: {}", reprinted.body);
    cashier.receipt_with("5.00").await.map(drop)
}
