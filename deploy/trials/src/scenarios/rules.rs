//! A merchant's own rules in its sales: the canteen's, which are the worked example of the world `merchant-extension`.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{Cashier, Customer, Office};
use crate::{
    api::{Door, text},
    shop::{OWNER_EMAIL, Shop},
    wait::until,
};

/// One minor unit more than a cashier of the canteen may take in an hour.
const TOO_MUCH: i64 = 100_000_001;

/// What core says of a payment under that kind of event.
async fn told(office: &Office, payment: &str, kind: &str) -> Result<String> {
    let timeline = office.timeline(payment).await?;
    let event = timeline.iter().find(|event| event["kind"] == kind);
    Ok(event.with_context(|| format!("{payment} has no event {kind}: {timeline:?}"))?.to_string())
}

pub async fn canteen(shop: &mut Shop) -> Result<()> {
    shop.till_is_online().await?;
    let till = shop.till()?;
    until("the till to know of the merchant's rules", || async {
        Ok((till.get("/api/state").await?["rules"] == true).then_some(()))
    })
    .await?;
    staff_eat_for_less(shop).await?;
    nobody_takes_too_much(shop).await?;
    the_cheapest_account_collects(shop).await
}

async fn staff_eat_for_less(shop: &Shop) -> Result<()> {
    let (cashier, customer, office) = (Cashier::of(shop)?, Customer::of(shop)?, Office::of(shop)?);
    let guests = json!([{"name": "牛肉面 Beef noodles", "quantity": 1, "price_minor": 1_000}]);
    let listed = cashier.asks_price(1_000, &guests).await?;
    ensure!(
        listed["amount_minor"] == 1_000 && listed["adjustments"] == json!([]),
        "guests pay the list price: {listed}"
    );
    let meal = json!([{"name": "员工餐 Staff meal", "quantity": 1, "price_minor": 1_000}]);
    let quote = cashier.asks_price(1_000, &meal).await?;
    ensure!(
        quote["amount_minor"] == 800
            && quote["adjustments"] == json!([{"name": "Staff discount", "minor": -200}])
            && quote["receipt_lines"] == json!(["You saved 2.00 CNY", "谢谢光临 Thank you"]),
        "{quote}"
    );
    // What was quoted is what is paid, printed, and known to core; what was not quoted is sold by nobody.
    let paid = cashier.sell_at(&quote, &meal, json!({"method": "scan", "code": customer.shows_code().await?})).await?;
    let sale = cashier.sees(&paid, "succeeded").await?;
    ensure!(sale["amount_minor"] == 800 && sale["quote"]["list_minor"] == 1_000, "{sale}");
    let order = customer.scheme_order(&paid).await?.context("the scheme has the order")?;
    ensure!(order["paid_minor"] == 800, "the customer paid another price: {order}");
    let receipt = cashier.receipt_with("You saved 2.00 CNY").await?;
    for words in ["List price", "Staff discount", "8.00 CNY", "谢谢光临 Thank you"] {
        ensure!(receipt.contains(words), "no {words} on\n{receipt}");
    }
    let quoted = told(&office, &paid, "quoted").await?;
    ensure!(quoted.contains(&text(&quote, "/id")?) && quoted.contains("10.00 → 8.00 CNY"), "{quoted}");
    let asked = told(&office, &paid, "rules_asked").await?;
    ensure!(asked.contains("canteen-rules") && asked.contains("risk: allowed"), "{asked}");
    let mut cheaper = office.charge_body(shop, 799, &customer.shows_code().await?)?;
    cheaper["goods"] = meal.clone();
    cheaper["quote"] = json!({
        "id": quote["id"], "asked_minor": 1_000, "expires_at": 4_000_000_000_000_i64,
        "adjustments": [{"name": "Staff discount", "minor": -201}],
    });
    let refused = office.asks("/v1/payments", &cheaper).await?;
    ensure!(refused.problem()? == "quote_refused", "{}", refused.body);

    // A till sells a quote once.
    let quote = cashier.asks_price(1_000, &meal).await?;
    let cash = cashier.sell_at(&quote, &meal, json!({"method": "cash", "tendered_minor": 1_000})).await?;
    let till = shop.till()?;
    until("core to have the cash sale", || async {
        Ok((till.get(&format!("/api/sales/{cash}")).await?["synced"] == true).then_some(()))
    })
    .await?;
    let booked = office.sees(&cash, "succeeded").await?;
    ensure!(booked["amount"] == Office::amount(800), "{booked}");
    told(&office, &cash, "quoted").await?;
    let back = cashier.press(&cash, "void", &json!({})).await?;
    ensure!(back.body["refunded_minor"] == 800, "more goes back than was paid: {}", back.body);
    Ok(())
}

async fn nobody_takes_too_much(shop: &Shop) -> Result<()> {
    let (cashier, customer) = (Cashier::of(shop)?, Customer::of(shop)?);
    let payment = cashier.sell_by_scan(TOO_MUCH, &customer.shows_code().await?).await?;
    let sale = cashier.sees(&payment, "failed").await?;
    ensure!(text(&sale, "/failure/code")? == "sale_refused", "{sale}");
    ensure!(text(&sale, "/failure/message")?.contains("call a manager"), "the cashier reads what to do: {sale}");
    ensure!(customer.scheme_order(&payment).await?.is_none(), "the scheme has heard of it");
    Ok(())
}

/// Of two accounts that could collect it, the cheaper: against the merchant's own order of them.
async fn the_cheapest_account_collects(shop: &Shop) -> Result<()> {
    let (customer, office) = (Customer::of(shop)?, Office::of(shop)?);
    let owner = shop.signed_in(OWNER_EMAIL).await?;
    let dear = shop.made()?.sandbox.clone();
    let collects = |office: Office, code: String| async move {
        let payment = office.charges(shop, 700, &code).await?;
        ensure!(payment["state"] == "succeeded", "{payment}");
        Ok::<_, anyhow::Error>((text(&payment, "/id")?, text(&payment, "/channel_account")?))
    };
    let mut wish = shop.sandbox_settings();
    wish["plugin"] = json!("sandbox");
    wish["name"] = json!("The cheap one");
    wish["fee_basis_points"] = json!(10);
    wish["priority"] = json!(9);
    let cheap = text(&owner.post("/v1/channel-accounts", &wish, "cheap-account").await?, "/id")?;
    let played = async {
        let (payment, account) = collects(Office::of(shop)?, customer.shows_code().await?).await?;
        ensure!(account == cheap, "the rules chose {account}, and not the cheaper {cheap}");
        let asked = told(&office, &payment, "rules_asked").await?;
        ensure!(asked.contains(&format!("route: {cheap}, {dear}")), "{asked}");
        Ok(())
    };
    let played: Result<()> = played.await;
    // The others are played with one account.
    switch_off(&owner, &cheap).await?;
    played?;
    let (_, account) = collects(office, customer.shows_code().await?).await?;
    ensure!(account == dear, "{account} is switched off");
    Ok(())
}

async fn switch_off(owner: &Door, account: &str) -> Result<()> {
    let path = format!("/v1/channel-accounts/{account}");
    let seen: Value = owner.get(&path).await?;
    let off = json!({"enabled": false, "version": seen["version"]});
    owner.call(Method::PATCH, &path, Some(&off), None).await?.success(&path).map(drop)
}
