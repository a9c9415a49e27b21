//! After everything: do the books of the scheme, of core and of the terminal say the same?

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::people::{Customer, Office, scheme_record};
use crate::{shop::Shop, wait::until};

pub async fn agree(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    ledger_balances(shop).await?;
    scheme_agrees(shop).await?;
    terminal_agrees(shop).await
}

async fn ledger_balances(shop: &Shop) -> Result<()> {
    let balances = Office::of(shop)?.core.get("/v1/ledger/trial-balance").await?;
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for line in balances["accounts"].as_array().context("no accounts")? {
        let currency = line["balance"]["currency"].as_str().unwrap_or_default();
        *sums.entry(currency.to_owned()).or_default() += line["balance"]["minor"].as_i64().context("no balance")?;
    }
    ensure!(!sums.is_empty() && sums.values().all(|sum| *sum == 0), "the trial balance sums to {sums:?}");
    let checked = Command::new(shop.premises.programs.join("saoma"))
        .args(["ledger", "check"])
        .env("SAOMA_DATA_DIR", shop.premises.folder.join("core"))
        .output()?;
    ensure!(checked.status.success(), "saoma ledger check: {}", String::from_utf8_lossy(&checked.stdout));
    Ok(())
}

/// Every order that the scheme holds is a payment of ours, with the same money taken and given back.
async fn scheme_agrees(shop: &Shop) -> Result<()> {
    let (office, scheme) = (Office::of(shop)?, shop.scheme()?);
    until("the scheme and core to hold the same sums", || async {
        let orders = scheme.get("/admin/orders").await?;
        for order in orders.as_array().context("no orders")?.iter().map(scheme_record) {
            let payment = office.payment(order["order_number"].as_str().context("no number")?).await?;
            if held(&payment)
                != order["paid_minor"].as_i64().unwrap_or(0) - order["refunded_minor"].as_i64().unwrap_or(0)
            {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    // And the other way round: what core believes to hold through the scheme, the scheme knows of.
    let customer = Customer::of(shop)?;
    let mut path = "/v1/payments?limit=100".to_owned();
    loop {
        let page = office.core.get(&path).await?;
        for payment in page["items"].as_array().into_iter().flatten() {
            if held(payment) > 0 && payment["channel"] == "sandbox" {
                let number = payment["id"].as_str().unwrap_or_default();
                ensure!(customer.scheme_order(number).await?.is_some(), "the scheme never heard of {number}");
            }
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/payments?limit=100&cursor={cursor}"),
            None => return Ok(()),
        }
    }
}

/// What a payment still holds of the customer's money.
fn held(payment: &Value) -> i64 {
    let refunded_minor = payment["refunded_minor"].as_i64().unwrap_or(0);
    match payment["state"].as_str() {
        Some("succeeded" | "partly_refunded" | "refunded") => {
            payment["amount"]["minor"].as_i64().unwrap_or(0) - refunded_minor
        }
        _ => 0,
    }
}

async fn terminal_agrees(shop: &Shop) -> Result<()> {
    let till = shop.till()?;
    until("the books of till and core to agree", || async {
        let books = till.get("/api/books").await?;
        Ok((books["agree"] == true).then_some(()))
    })
    .await
}
