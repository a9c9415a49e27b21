//! Sales of a till whose line is cut, which the customers' phones carry to core.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{Cashier, Customer, Office};
use crate::{
    api::{Door, text},
    eyes, secrecy,
    shop::{OWNER_EMAIL, Shop},
    wait::until,
    wire::Mood,
};

const POLICY: &str = "/v1/phone-codes/policy";

pub async fn carry_sales(shop: &mut Shop) -> Result<()> {
    let line = shop.line_of_till().await?;
    let (owner, till) = (shop.signed_in(OWNER_EMAIL).await?, shop.till()?);
    let (cashier, customer, office) = (Cashier::of(shop)?, Customer::of(shop)?, Office::of(shop)?);
    is_allowed(shop, &owner, &till, true).await?;
    line.set(Mood::Cut);
    let online = |online: bool| {
        let till = &till;
        async move {
            until("the till to notice what became of its line", || async {
                Ok((till.get("/api/state").await?["link"]["online"] == online).then_some(()))
            })
            .await
        }
    };
    online(false).await?;

    // The customer photographs what is on show, pays, and shows the letters.
    let confirmed = cashier.sell_by_code(1_870).await?;
    let shown = text(&cashier.sees(&confirmed, "sending").await?, "/code_url")?;
    let read = eyes::read_svg_code(&cashier.display_image().await?, &shop.premises.folder)?;
    ensure!(read == shown, "the picture says {read}, the till {shown}");
    let paid = pays(&customer, &read).await?;
    ensure!(paid.contains("Saoma Tea") && paid.contains("18.70"), "{paid}");
    let letters = paid.split("id=\"letters\"").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
    let letters = letters.context("a paid page has letters")?;
    secrecy::note("a confirmation", &letters.replace('-', ""));
    let wrong = cashier.press(&confirmed, "confirm", &json!({"letters": "00000000"})).await?;
    ensure!(wrong.problem()? == "phone_confirmation_wrong", "{}", wrong.body);
    ensure!(till.get(&format!("/api/sales/{confirmed}")).await?["state"] == "sending", "nobody knows yet");
    let right = cashier.press(&confirmed, "confirm", &json!({"letters": letters})).await?;
    ensure!(right.success("confirm")?["state"] == "succeeded", "letters of core's pay the sale");
    cashier.receipt_with("18.70").await?;

    // One pays and leaves; one does not come at all, and comes when it is called off.
    let silent = cashier.sell_by_code(1_880).await?;
    pays(&customer, &text(&cashier.sees(&silent, "sending").await?, "/code_url")?).await?;
    let never = cashier.sell_by_code(1_890).await?;
    let link = text(&cashier.sees(&never, "sending").await?, "/code_url")?;
    let early = cashier.press(&never, "cancel", &json!({})).await?;
    ensure!(early.problem()? == "phone_not_over", "{}", early.body);

    line.set(Mood::Whole);
    online(true).await?;
    cashier.sees(&silent, "succeeded").await?;
    let called_off = cashier.press(&never, "cancel", &json!({})).await?;
    ensure!(called_off.status.is_success(), "{}", called_off.body);
    let over = cashier.sees(&never, "cancelled").await?;
    ensure!(text(&over, "/failure/code")? == "phone_called_off", "{over}");
    let (status, page) = customer.goes_on(&link).await?;
    ensure!(status == 410 && !page.contains("pay-link"), "{status} {page}");

    // Core and till say the same, of each sale once.
    until("the till to have core's own word", || async {
        let sale = till.get(&format!("/api/sales/{confirmed}")).await?;
        Ok(sale["channel"].is_string().then_some(()))
    })
    .await?;
    for (payment, minor) in [(&confirmed, 1_870), (&silent, 1_880)] {
        let held = office.sees(payment, "succeeded").await?;
        ensure!(held["amount"]["minor"] == minor && held["method"] == "merchant_presented", "{held}");
        let order = customer.scheme_order(payment).await?.context("the scheme has its order")?;
        ensure!(order["paid_minor"] == minor && order["charged"] == 1, "{order}");
    }
    let none = office.core.call(Method::GET, &format!("/v1/payments/{never}"), None, None).await?;
    ensure!(none.status == 404, "{}", none.body);
    until("the till to have nothing left to send", || async {
        Ok((till.get("/api/state").await?["unsent"]["count"] == 0).then_some(()))
    })
    .await?;
    let alarms = till.get("/api/state").await?["alarms"].clone();
    let odd = ["core_forgot_sale", "core_answered_oddly", "paid_after_all"];
    let rings = alarms.as_array().into_iter().flatten().any(|alarm| odd.iter().any(|code| alarm["code"] == *code));
    ensure!(!rings, "{alarms}");
    is_allowed(shop, &owner, &till, false).await?;
    shop.line_is_straight(line).await
}

/// The customer goes on from what a till shows, and pays; the page that they have then.
async fn pays(customer: &Customer, link: &str) -> Result<String> {
    let (status, page) = customer.goes_on(link).await?;
    ensure!(status.is_success(), "the customer's page answers {status}");
    let paid = customer.pays(&Customer::wallet_token(&page)?).await?;
    ensure!(paid.status.is_success(), "the wallet refuses: {}", paid.body);
    until("the customer's page to say that it is paid", || async {
        let (_, page) = customer.opens(link).await?;
        Ok(page.contains("id=\"letters\"").then_some(page))
    })
    .await
}

/// Whether tills with no network show such codes.
async fn is_allowed(shop: &Shop, owner: &Door, till: &Door, enabled: bool) -> Result<()> {
    let rules: Value = owner.get(POLICY).await?["rules"].clone();
    let body = json!({"enabled": enabled, "channel_account": shop.made()?.sandbox, "rules": rules});
    owner.call(Method::PUT, POLICY, Some(&body), None).await?.success(POLICY)?;
    until("the till to hear of it", || async {
        Ok((till.get("/api/state").await?["phone"].is_object() == enabled).then_some(()))
    })
    .await
}
