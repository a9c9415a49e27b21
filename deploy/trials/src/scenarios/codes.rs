//! Codes that the shop shows.

use anyhow::{Result, ensure};
use serde_json::json;

use super::people::{Cashier, Customer, Office};
use crate::{api::text, eyes, shop::Shop, wait::until};

/// Short enough to be waited for, and long enough for a busy machine to open the code's page first.
const CODE_SECONDS: u32 = 20;

pub async fn read_back_and_paid(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let goods = json!([{"name": "奶茶 <Milk tea>", "quantity": 2, "price_minor": 625}]);
    let payment = cashier.sell_goods_by_code(1250, &goods).await?;
    let shown = text(&cashier.sees(&payment, "presenting").await?, "/code_url")?;
    let read = eyes::read_svg_code(&cashier.display_image().await?, &shop.premises.folder)?;
    ensure!(read == shown, "the picture says {read}, the till {shown}");
    let (status, page) = customer.opens(&read).await?;
    ensure!(status.is_success(), "the customer's page answers {status}");
    for what in ["Saoma Tea", "12.50", "奶茶 &lt;Milk tea&gt;", "× 2"] {
        ensure!(page.contains(what), "the customer's page hides {what}");
    }
    let paid = customer.pays(&Customer::wallet_token(&page)?).await?;
    ensure!(paid.status.is_success(), "the wallet refuses: {}", paid.body);
    cashier.sees(&payment, "succeeded").await?;
    cashier.receipt_with("12.50").await.map(drop)
}

pub async fn expired(shop: &mut Shop) -> Result<()> {
    let (office, customer) = (Office::of(shop)?, Customer::of(shop)?);
    let payment = office.presents(shop, 1300, CODE_SECONDS).await?;
    let (id, link) = (text(&payment, "/id")?, text(&payment, "/code_url")?);
    let (_, page) = customer.opens(&link).await?;
    let token = Customer::wallet_token(&page)?;
    office.sees(&id, "expired").await?;
    let (status, page) = customer.opens(&link).await?;
    ensure!(status == 410 && !page.contains("id=\"pay-link\""), "the page of a dead code answers {status}");
    let refused = until("the scheme to have closed the order", || async {
        let reply = customer.pays(&token).await?;
        Ok((!reply.status.is_success()).then_some(reply))
    })
    .await?;
    let code = refused.problem()?;
    ensure!(["ORDER_CLOSED", "ORDER_EXPIRED"].contains(&code), "the wallet says {code}");
    ensure!(office.payment(&id).await?["state"] == "expired", "an unpaid code stays expired");
    Ok(())
}

pub async fn paid_late(shop: &mut Shop) -> Result<()> {
    let (office, customer) = (Office::of(shop)?, Customer::of(shop)?);
    let before = customer.balance().await?;
    let payment = office.presents(shop, 1398, CODE_SECONDS).await?;
    let (id, link) = (text(&payment, "/id")?, text(&payment, "/code_url")?);
    let (_, page) = customer.opens(&link).await?;
    office.sees(&id, "expired").await?;
    let paid = customer.pays(&Customer::wallet_token(&page)?).await?;
    ensure!(paid.status.is_success(), "this amount can be paid after closing; the wallet says {}", paid.body);
    let refunded = office.sees(&id, "refunded").await?;
    ensure!(refunded["paid_late"] == true, "it is marked as paid late");
    let events = office.events(&id).await?;
    ensure!(events.iter().any(|event| event == "paid_late"), "no event tells a person: {events:?}");
    until("the customer to have the money back", || async { Ok((customer.balance().await? == before).then_some(())) })
        .await
}

pub async fn used_code(shop: &mut Shop) -> Result<()> {
    let (office, customer) = (Office::of(shop)?, Customer::of(shop)?);
    let payment = office.presents(shop, 1400, 120).await?;
    let (id, link) = (text(&payment, "/id")?, text(&payment, "/code_url")?);
    let (_, page) = customer.opens(&link).await?;
    let token = Customer::wallet_token(&page)?;
    ensure!(customer.pays(&token).await?.status.is_success(), "the first payment goes through");
    office.sees(&id, "succeeded").await?;
    let before = customer.balance().await?;
    let again = customer.pays(&token).await?;
    ensure!(again.problem()? == "ALREADY_PAID", "the wallet says {}", again.body);
    let (status, page) = customer.opens(&link).await?;
    ensure!(!page.contains("id=\"pay-link\""), "the page of a used code ({status}) still offers to pay");
    ensure!(customer.balance().await? == before, "money moved a second time");
    Ok(())
}

pub async fn scan_limit(shop: &mut Shop) -> Result<()> {
    let (office, customer) = (Office::of(shop)?, Customer::of(shop)?);
    let payment = office.presents(shop, 1500, 120).await?;
    let (id, link) = (text(&payment, "/id")?, text(&payment, "/code_url")?);
    let mut opened = 0;
    let (status, page) = loop {
        let (status, page) = customer.opens(&link).await?;
        if !status.is_success() {
            break (status, page);
        }
        opened += 1;
        ensure!(opened <= 20, "a code can be opened for ever");
    };
    ensure!(opened >= 1 && status == 410, "after {opened} scans the page answers {status}");
    ensure!(!page.contains("id=\"pay-link\""), "a dead code still offers to pay");
    office.sees(&id, "expired").await.map(drop)
}
