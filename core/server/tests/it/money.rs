//! Taking money and giving it back, through the public door, a real plugin and a scheme that keeps books of its own.

use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    town::{Merchant, Town, becomes, charge, present, text},
};

async fn teahouse() -> (Town, Merchant) {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    (town, jade)
}

fn yuan(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "CNY" } })
}

async fn refunds(door: &Door, payment: &str, key: &str, minor: i64) -> Answer {
    door.post(&format!("/v1/payments/{payment}/refunds")).key(key).json(&yuan(minor)).await
}

async fn voids(door: &Door, payment: &str, key: &str) -> Answer {
    door.post(&format!("/v1/payments/{payment}/void")).key(key).json(&json!({})).await
}

/// The scheme's own books: customers and merchants together hold what the customers began with. What the merchants hold.
async fn scheme_net(town: &Town) -> String {
    let totals: Value = Door::at(&town.scheme_root()).get("/admin/totals").await.json(200);
    assert_eq!(totals["balanced"], true, "{totals}");
    text(&totals, "/net").to_owned()
}

#[actix_web::test]
async fn the_shop_shows_a_code_and_the_customer_pays() {
    let (town, jade) = teahouse().await;
    let shown: Value = jade.owner.post("/v1/payments").key("k").json(&present(1_250)).await.json(201);
    assert_eq!((&shown["state"], &shown["method"]), (&json!("presenting"), &json!("merchant_presented")));
    let queried: Value =
        jade.owner.post(&format!("/v1/payments/{}/query", text(&shown, "/id"))).key("q").await.json(200);
    assert_eq!(queried["state"], "presenting", "nobody has paid");
    assert_eq!(town.pays("alice", text(&shown, "/code_url")).await.status, 200);
    let paid = becomes(&jade.owner, text(&shown, "/id"), "succeeded").await;
    assert!(paid["code_url"].is_null() && paid["paid_at"].is_i64(), "{paid}");
    let page = Door::at("").get(text(&shown, "/code_url")).await;
    assert!(page.status == 200 && !page.text.contains("href"), "a paid code leads nowhere: {}", page.text);
    assert_eq!(scheme_net(&town).await, "12.50");
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_customers_code_is_charged_or_declined() {
    let (town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 2_000, "good").await;
    assert_eq!((&sold["state"], &sold["method"]), (&json!("succeeded"), &json!("customer_presented")));
    let declined: Value =
        jade.owner.post("/v1/payments").key("poor").json(&charge(2_000, &town.code_of("carol").await)).await.json(201);
    assert_eq!((&declined["state"], &declined["failure"]["code"]), (&json!("failed"), &json!("insufficient_funds")));
    let used = town.code_of("alice").await;
    let _: Value = jade.owner.post("/v1/payments").key("once").json(&charge(100, &used)).await.json(201);
    let twice: Value = jade.owner.post("/v1/payments").key("twice").json(&charge(100, &used)).await.json(201);
    assert_eq!((&twice["state"], &twice["failure"]["code"]), (&json!("failed"), &json!("code_invalid")));
    assert_eq!(scheme_net(&town).await, "21.00");
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_customer_who_thinks_is_waited_for() {
    let (town, jade) = teahouse().await;
    let asked = jade.sells(&town, &jade.owner, 1_092, "slow").await;
    assert_eq!(asked["state"], "pending");
    becomes(&jade.owner, text(&asked, "/id"), "succeeded").await;
}

#[actix_web::test]
async fn a_channel_that_does_not_answer_leaves_it_unknown_until_it_is_asked() {
    let (town, jade) = teahouse().await;
    let asked = jade.sells(&town, &jade.owner, 1_093, "silent").await;
    assert_eq!(asked["state"], "unknown");
    let queried: Value =
        jade.owner.post(&format!("/v1/payments/{}/query", text(&asked, "/id"))).key("q").await.json(200);
    assert_eq!(queried["state"], "succeeded");
    assert_eq!(scheme_net(&town).await, "10.93");
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_code_on_show_is_cancelled_and_its_page_says_so() {
    let (town, jade) = teahouse().await;
    let shown: Value = jade.owner.post("/v1/payments").key("k").json(&present(500)).await.json(201);
    let path = format!("/v1/payments/{}/cancel", text(&shown, "/id"));
    let cancelled: Value = jade.owner.post(&path).key("c").await.json(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(Door::at("").get(text(&shown, "/code_url")).await.status, 410);
    let sold = jade.sells(&town, &jade.owner, 500, "paid").await;
    let paid = jade.owner.post(&format!("/v1/payments/{}/cancel", text(&sold, "/id"))).key("c").await;
    assert_eq!(paid.refusal(), (409, "not_in_state".to_owned()), "what is paid is voided or refunded");
}

#[actix_web::test]
async fn a_part_is_given_back_twice_and_then_one_too_many() {
    let (town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let id = text(&sold, "/id");
    for (key, minor) in [("first", 300), ("second", 600)] {
        let refund: Value = refunds(&jade.owner, id, key, minor).await.json(201);
        assert_eq!((&refund["kind"], &refund["state"]), (&json!("refund"), &json!("succeeded")));
    }
    let before = town.rows_at_rest(&jade.id).await;
    assert_eq!(refunds(&jade.owner, id, "third", 101).await.refusal(), (409, "refund_exceeds".to_owned()));
    assert_eq!(voids(&jade.owner, id, "void").await.refusal(), (409, "not_in_state".to_owned()));
    assert_eq!(town.rows_of(&jade.id), before);
    let _: Value = refunds(&jade.owner, id, "last", 100).await.json(201);
    let shown = becomes(&jade.owner, id, "refunded").await;
    assert_eq!(shown["refunded_minor"], 1_000);
    let listed: Value = jade.owner.get(&format!("/v1/payments/{id}/refunds")).await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    assert_eq!(scheme_net(&town).await, "0.00");
    jade.books_balance().await;
}

#[actix_web::test]
async fn of_two_refunds_at_once_that_are_too_much_together_one_is_refused() {
    let (town, jade) = teahouse().await;
    for round in 0..5 {
        let sold = jade.sells(&town, &jade.owner, 1_000, &format!("sale-{round}")).await;
        let id = text(&sold, "/id");
        let (one, other) =
            futures_util::future::join(refunds(&jade.owner, id, "one", 600), refunds(&jade.owner, id, "other", 600))
                .await;
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.text, other.text);
        let refused = if one.status == 409 { &one } else { &other };
        assert_eq!(refused.refusal(), (409, "refund_exceeds".to_owned()));
        assert_eq!(becomes(&jade.owner, id, "partly_refunded").await["refunded_minor"], 600);
    }
    assert_eq!(scheme_net(&town).await, "20.00");
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_void_that_races_a_refund_does_not_give_more_than_there_is() {
    let (town, jade) = teahouse().await;
    for round in 0..5 {
        let sold = jade.sells(&town, &jade.owner, 1_000, &format!("sale-{round}")).await;
        let id = text(&sold, "/id");
        let (refund, void) =
            futures_util::future::join(refunds(&jade.owner, id, "r", 400), voids(&jade.owner, id, "v")).await;
        match (refund.status, void.status) {
            (201, 409) => drop(becomes(&jade.owner, id, "partly_refunded").await),
            (409, 201) => drop(becomes(&jade.owner, id, "voided").await),
            other => panic!("{other:?}: {} {}", refund.text, void.text),
        }
    }
    scheme_net(&town).await;
    jade.books_balance().await;
}

/// A void while the customer is still confirming is refused; the success that comes then stands, and can be voided.
#[actix_web::test]
async fn a_void_that_races_the_success() {
    let (town, jade) = teahouse().await;
    let asked = jade.sells(&town, &jade.owner, 1_092, "slow").await;
    let id = text(&asked, "/id");
    assert_eq!(asked["state"], "pending");
    let until = tokio::time::Instant::now() + crate::town::DEADLINE;
    let mut refused = 0;
    // Again and again, across the very moment of the success: each one counts, or does not, as a whole.
    let voided = loop {
        let answer = voids(&jade.owner, id, &format!("void-{refused}")).await;
        if answer.status == 201 {
            break answer.json::<Value>(201);
        }
        assert_eq!(answer.refusal(), (409, "not_in_state".to_owned()));
        refused += 1;
        assert!(tokio::time::Instant::now() < until, "it is paid in time");
    };
    assert!(refused > 0 && voided["kind"] == "void", "{voided}");
    becomes(&jade.owner, id, "voided").await;
    assert_eq!(scheme_net(&town).await, "0.00");
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_refund_whose_answer_is_lost_is_given_once() {
    let (town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let id = text(&sold, "/id");
    // 82: carried out, but the answer never comes.
    let lost: Value = refunds(&jade.owner, id, "lost", 182).await.json(201);
    assert_eq!(lost["state"], "unknown");
    assert_eq!(refunds(&jade.owner, id, "more", 900).await.refusal(), (409, "refund_exceeds".to_owned()));
    let until = tokio::time::Instant::now() + crate::town::DEADLINE;
    loop {
        let again: Value = refunds(&jade.owner, id, "lost", 182).await.json(200);
        if again["state"] == "succeeded" {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "in time: {again}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(scheme_net(&town).await, "8.18");
    jade.books_balance().await;
}

/// The hour of the day in UTC.
fn hour_now() -> i64 {
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    now / 3_600 % 24
}

/// The zone in which it is this hour now; `Etc/GMT-8` is eight hours ahead of Greenwich.
fn zone_where_it_is(hour: i64) -> String {
    let ahead = (hour - hour_now() + 11).rem_euclid(24) - 11;
    format!("Etc/GMT{:+}", -ahead)
}

#[actix_web::test]
async fn a_void_is_for_the_merchants_day() {
    let (town, jade) = teahouse().await;
    let moved = async |hour| {
        let body = json!({ "time_zone": zone_where_it_is(hour) });
        let answer: Value = town.admin.ask("PATCH", &format!("/v1/tenants/{}", jade.id)).json(&body).await.json(200);
        assert_eq!(answer["time_zone"], body["time_zone"]);
    };
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let id = text(&sold, "/id");
    // Eight hours pass.
    let change = "UPDATE payments SET captured_at = captured_at - 8 * 3600 * 1000";
    town.force(&format!("{change} WHERE id = '{id}'"));
    moved(4).await;
    assert_eq!(
        voids(&jade.owner, id, "early").await.refusal(),
        (409, "void_too_late".to_owned()),
        "sold at eight last night"
    );
    moved(14).await;
    let voided: Value = voids(&jade.owner, id, "afternoon").await.json(201);
    assert_eq!(voided["state"], "succeeded", "sold at six this morning");
    becomes(&jade.owner, id, "voided").await;
}
