//! Money that goes back.

use anyhow::{Result, ensure};
use serde_json::json;

use super::people::{Cashier, Customer};
use crate::{shop::Shop, wait::until};

pub async fn void(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let before = customer.balance().await?;
    let payment = cashier.sell_by_scan(3000, &customer.shows_code().await?).await?;
    cashier.sees(&payment, "succeeded").await?;
    let voided = cashier.press(&payment, "void", &json!({})).await?;
    ensure!(voided.status.is_success(), "void: {}", voided.body);
    cashier.sees(&payment, "voided").await?;
    until("the customer to have the money back", || async { Ok((customer.balance().await? == before).then_some(())) })
        .await?;
    let again = cashier.press(&payment, "void", &json!({})).await?;
    ensure!(again.problem()? == "not_now", "{}", again.body);
    Ok(())
}

pub async fn one_too_many(shop: &mut Shop) -> Result<()> {
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let payment = cashier.sell_by_scan(4000, &customer.shows_code().await?).await?;
    cashier.sees(&payment, "succeeded").await?;
    for (minor, refunded_minor) in [(1500, 1500), (1700, 3200)] {
        let refund = cashier.press(&payment, "refund", &json!({"amount_minor": minor})).await?;
        ensure!(refund.status.is_success(), "refund of {minor}: {}", refund.body);
        until("the till to show the refund", || async {
            let sale = cashier.sees(&payment, "partly_refunded").await?;
            Ok((sale["refunded_minor"] == refunded_minor).then_some(()))
        })
        .await?;
    }
    let too_many = cashier.press(&payment, "refund", &json!({"amount_minor": 801})).await?;
    ensure!(too_many.problem()? == "refund_exceeds", "{}", too_many.body);
    let order = customer.scheme_order(&payment).await?.unwrap_or_default();
    ensure!(order["refunded_minor"] == 3200, "the scheme gave back another sum: {order}");
    Ok(())
}
