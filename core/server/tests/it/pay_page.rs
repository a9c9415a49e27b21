//! What a customer reads who opens the shop's code, at every stage of its payment.

use serde_json::{Value, json};

use crate::{
    door::Door,
    eyes,
    town::{Town, present, text},
};

/// The page's status, whether it leads to a payment, and what it tells the customer; in this language.
async fn reads(code_url: &str, language: &str) -> String {
    let page = Door::at("").get(code_url).header("accept-language", language.as_bytes()).await;
    let told = |class: &str| {
        let begin = page.text.split(&format!("<p class=\"{class}\">")).nth(1)?;
        Some(begin.split("</p>").next()?.to_owned())
    };
    let way = if page.text.contains("id=\"pay-link\"") { "a way to pay" } else { "" };
    let words = told("done").or_else(|| told("notice")).unwrap_or_default();
    format!("{} {way}{words}", page.status)
}

#[actix_web::test]
async fn the_page_of_a_code_says_what_its_customer_may_do() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let stages = [
        ("on show", ""),
        ("its time is over, not closed yet", "expires_at = 1"),
        ("paid", "state = 'captured', captured_at = 1"),
        ("paid, going back", "state = 'captured', captured_at = 1, reserved_minor = amount_minor"),
        ("paid, a part given back", "state = 'captured', captured_at = 1, refunded_minor = 400"),
        ("paid, all given back", "state = 'captured', captured_at = 1, refunded_minor = amount_minor"),
        ("voided", "state = 'voided', captured_at = 1"),
        ("expired", "state = 'expired', close = 'confirmed'"),
        ("cancelled", "state = 'cancelled', close = 'confirmed'"),
        ("undone", "state = 'reversed'"),
    ];
    let mut table = String::new();
    for (number, (stage, change)) in stages.into_iter().enumerate() {
        let made: Value =
            tea.owner.post("/v1/payments").key(&format!("stage-{number}")).json(&present(1_250)).await.json(201);
        let (id, link) = (text(&made, "/id"), text(&made, "/code_url"));
        if !change.is_empty() {
            let is_of_the_code = change.starts_with("expires_at");
            let (rows, by) = if is_of_the_code { ("pay_codes", "payment_id") } else { ("payments", "id") };
            town.force(&format!("UPDATE {rows} SET {change} WHERE {by} = '{id}'"));
        }
        table += &format!("{stage:<34} {}\n{:<34} {}\n", reads(link, "en").await, "", reads(link, "zh-CN,en").await);
    }
    insta::assert_snapshot!(table);
}

#[actix_web::test]
async fn a_code_that_too_many_opened_leads_nobody_to_a_payment_any_more() {
    let town = Town::found_with(&[("SAOMA_PAYMENTS__SCAN_LIMIT", "2")]).await;
    let tea = town.merchant("tea").await;
    let made: Value = tea.owner.post("/v1/payments").key("many").json(&present(1_250)).await.json(201);
    let link = text(&made, "/code_url");
    for _ in 0..2 {
        assert_eq!(reads(link, "en").await, "200 a way to pay");
    }
    // Whoever comes now sees it closed, and so does the shop.
    assert_eq!(reads(link, "en").await, "410 This code was opened too often.");
    let closed: Value = tea.owner.get(&format!("/v1/payments/{}", text(&made, "/id"))).await.json(200);
    assert_eq!(closed["state"], "expired");
    assert_eq!(reads(link, "en").await, "410 This code is no longer good.");
}

#[actix_web::test]
async fn a_payments_code_is_a_picture_as_long_as_it_is_on_show() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let made: Value = tea.owner.post("/v1/payments").key("shown").json(&present(1_250)).await.json(201);
    let path = format!("/v1/payments/{}", text(&made, "/id"));
    for format in eyes::FORMATS {
        let drawn = tea.owner.get(&format!("{path}/code?format={format}")).open().await;
        assert_eq!(eyes::read_answer(drawn, format).await, text(&made, "/code_url"), "{format}");
    }
    let unknown = tea.owner.get(&format!("{path}/code?format=gif")).await;
    assert_eq!(unknown.refusal(), (422, "invalid".to_owned()));
    tea.owner.post(&format!("{path}/cancel")).key("cancelled").json(&json!({})).await.json::<Value>(200);
    let over = tea.owner.get(&format!("{path}/code")).await;
    assert_eq!(over.refusal(), (409, "not_in_state".to_owned()));
}

#[actix_web::test]
async fn a_code_that_is_no_link_is_a_picture_on_the_page() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let made: Value = tea.owner.post("/v1/payments").key("drawn").json(&present(1_250)).await.json(201);
    let code = "weixin://wxpay/bizpayurl?pr=0a1B2c3";
    town.force(&format!("UPDATE pay_codes SET channel_code = '{code}' WHERE payment_id = '{}'", text(&made, "/id")));
    let page = Door::at("").get(text(&made, "/code_url")).await;
    assert_eq!(eyes::read_page(&page.text), code);
}
