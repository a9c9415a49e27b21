//! Programs that die at the worst moment.

use anyhow::{Result, ensure};
use serde_json::json;

use super::people::{Cashier, Customer, Office, scheme_record};
use crate::{shop::Shop, wait::until};

/// 93: the scheme carries it out and never answers, so core sits between "sent" and "answered" when it dies.
pub async fn core_killed(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    let key = format!("killed-{}", customer.shows_code().await?);
    let body = office.charge_body(shop, 2193, &customer.shows_code().await?)?;
    let core = office.core.clone();
    let sent = tokio::spawn({
        let (body, key) = (body.clone(), key.clone());
        async move { core.post("/v1/payments", &body, &key).await }
    });
    let payment = until("the scheme to have charged", || async {
        let orders = shop.scheme()?.get("/admin/orders").await?;
        let ours =
            orders.as_array().into_iter().flatten().map(scheme_record).find(|order| order["amount_minor"] == 2193);
        Ok(ours
            .filter(|order| order["charged"] == 1)
            .and_then(|order| order["order_number"].as_str().map(str::to_owned)))
    })
    .await?;
    shop.kill_core().await?;
    ensure!(sent.await?.is_err(), "core answered before it was killed: the moment was missed");
    shop.start_core().await?;
    office.sees(&payment, "succeeded").await?;
    let again = office.core.post("/v1/payments", &body, &key).await?;
    ensure!(again["id"] == payment.as_str(), "the same key is another payment: {again}");
    let order = customer.scheme_order(&payment).await?.unwrap_or_default();
    ensure!(order["charged"] == 1, "charged again after the crash: {order}");
    Ok(())
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
