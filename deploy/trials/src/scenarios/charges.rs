//! Codes that the customer shows.

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use reqwest::{Method, StatusCode};

use super::people::{Cashier, Customer, Office};
use crate::{api::text, eyes, shop::Shop, wait::until};

async fn charged_once(customer: &Customer, payment: &str) -> Result<()> {
    let order = customer.scheme_order(payment).await?;
    let charges = order.as_ref().and_then(|order| order["charged"].as_u64());
    ensure!(charges == Some(1), "the scheme's book on {payment}: {order:?}");
    Ok(())
}

pub async fn succeeds(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let (code, picture) = customer.shows_picture().await?;
    let read = eyes::read_svg_code(picture.as_bytes(), &shop.premises.folder)?;
    ensure!(read == code, "another code is read from the wallet's picture than the wallet says");
    let payment = cashier.sell_by_scan(2000, &read).await?;
    cashier.sees(&payment, "succeeded").await?;
    charged_once(&customer, &payment).await?;
    cashier.receipt_with("20.00").await.map(drop)
}

pub async fn declined(shop: &mut Shop) -> Result<()> {
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let before = customer.balance().await?;
    let payment = cashier.sell_by_scan(2091, &customer.shows_code().await?).await?;
    let sale = cashier.sees(&payment, "failed").await?;
    ensure!(!text(&sale, "/failure/message")?.is_empty(), "the till tells the cashier why");
    ensure!(customer.balance().await? == before, "a declined customer paid");
    Ok(())
}

pub async fn slow(shop: &mut Shop) -> Result<()> {
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let payment = cashier.sell_by_scan(2092, &customer.shows_code().await?).await?;
    cashier.sees(&payment, "pending").await?;
    cashier.sees(&payment, "succeeded").await?;
    charged_once(&customer, &payment).await
}

pub async fn no_answer(shop: &mut Shop) -> Result<()> {
    let (cashier, customer, office) = (Cashier::of(shop)?, Customer::of(shop)?, Office::of(shop)?);
    let payment = cashier.sell_by_scan(2093, &customer.shows_code().await?).await?;
    cashier.sees(&payment, "succeeded").await?;
    let events = office.events(&payment).await?;
    ensure!(events.iter().any(|event| event == "no_answer"), "it was never unknown: {events:?}");
    charged_once(&customer, &payment).await
}

/// 95: wrong signature, 96: garbage, 97: never answered and not carried out, 99: another amount.
pub async fn not_believed(shop: &mut Shop) -> Result<()> {
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    for (minor, ends_as) in [(2095, "succeeded"), (2096, "succeeded"), (2097, "reversed")] {
        let payment = text(&office.charges(shop, minor, &customer.shows_code().await?).await?, "/id")?;
        office.sees(&payment, ends_as).await?;
    }
    // The wrong figure is not believed; what the scheme says when asked is.
    let payment = text(&office.charges(shop, 2099, &customer.shows_code().await?).await?, "/id")?;
    office.sees(&payment, "succeeded").await?;
    let events = office.events(&payment).await?;
    ensure!(events.iter().any(|event| event == "no_answer"), "the wrong figure was believed: {events:?}");
    charged_once(&customer, &payment).await
}

pub async fn notified_thrice(shop: &mut Shop) -> Result<()> {
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    let payment = text(&office.charges(shop, 2094, &customer.shows_code().await?).await?, "/id")?;
    office.sees(&payment, "succeeded").await?;
    until("three notifications", || async {
        let order = customer.scheme_order(&payment).await?;
        Ok(order.filter(|order| order["notified"].as_u64() >= Some(3)))
    })
    .await?;
    let events = office.events(&payment).await?;
    let captures = events.iter().filter(|event| *event == "succeeded").count();
    ensure!(captures == 1, "booked {captures} times: {events:?}");
    Ok(())
}

pub async fn same_key(shop: &mut Shop) -> Result<()> {
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    let key = format!("same-{}", customer.shows_code().await?);
    let body = office.charge_body(shop, 2100, &customer.shows_code().await?)?;
    let at_once = (0..8).map(|_| office.core.call(Method::POST, "/v1/payments", Some(&body), Some(&key)));
    let replies = try_join_all(at_once).await?;
    let payment = text(&replies[0].body, "/id")?;
    for reply in &replies {
        ensure!(reply.status.is_success() && reply.body["id"] == payment.as_str(), "{reply:?}");
    }
    let created = replies.iter().filter(|reply| reply.status == StatusCode::CREATED).count();
    ensure!(created == 1, "{created} of eight say that they made it");
    office.sees(&payment, "succeeded").await?;
    shop.stop_core().await?;
    shop.start_core().await?;
    let again = office.core.post("/v1/payments", &body, &key).await?;
    ensure!(text(&again, "/id")? == payment, "after a restart the same key is another payment");
    charged_once(&customer, &payment).await
}
