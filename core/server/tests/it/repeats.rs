//! The same request again is the same wish: at once, later, and after core was started again. Another request with the same
//! key is refused.

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

async fn sells(door: &Door, key: &str, sale: &Value) -> Answer {
    door.post("/v1/payments").key(key).json(sale).await
}

fn another_payment() -> (u16, String) {
    (409, "payment_exists_differently".to_owned())
}

fn another_refund() -> (u16, String) {
    (409, "refund_exists_differently".to_owned())
}

#[actix_web::test]
async fn a_sale_sent_again_is_the_first_one() {
    let (mut town, jade) = teahouse().await;
    let sale = charge(1_250, &town.code_of("alice").await);
    let first: Value = sells(&jade.owner, "k", &sale).await.json(201);
    assert_eq!(first["state"], "succeeded");
    assert_eq!(sells(&jade.owner, "k", &sale).await.json::<Value>(200), first);
    // The fields in another order, and spaces between: the same request.
    let code = text(&sale, "/presentation/code");
    let other_order = format!(
        r#"{{ "presentation": {{ "code": "{code}", "kind": "customer" }}, "amount": {{ "currency": "CNY", "minor": 1250 }} }}"#
    );
    let again = jade.owner.post("/v1/payments").key("k").bytes(other_order).await;
    assert_eq!(again.json::<Value>(200), first);
    // The number itself is its key as well.
    assert_eq!(sells(&jade.owner, text(&first, "/id"), &sale).await.json::<Value>(200), first);
    town.restart().await;
    assert_eq!(sells(&jade.owner, "k", &sale).await.json::<Value>(200), first);
    // What has changed since does not make it another: a second store, a closed account.
    let _: Value = jade.owner.post("/v1/stores").json(&json!({ "name": "Second" })).await.json(201);
    let path = format!("/v1/channel-accounts/{}", jade.account);
    let _: Value = jade.owner.ask("PATCH", &path).json(&json!({ "version": 1, "enabled": false })).await.json(200);
    assert_eq!(sells(&jade.owner, "k", &sale).await.json::<Value>(200), first);
    let listed: Value = jade.owner.get("/v1/payments").await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

/// Numbers follow from counters, so that anybody can tell a terminal's next one.
#[actix_web::test]
async fn nobody_takes_the_number_of_a_sale_that_a_terminal_has_not_made_yet() {
    let (town, jade) = teahouse().await;
    let till = town.till(&jade).await;
    let next = till.number(&jade, 1);
    let squatted: Value = sells(&jade.owner, &next, &charge(300, &town.code_of("alice").await)).await.json(201);
    assert_ne!(text(&squatted, "/id"), next);
    let mut sale = charge(500, &town.code_of("alice").await);
    sale["counter"] = json!(1);
    let sold: Value = sells(&till.door, &next, &sale).await.json(201);
    assert_eq!((text(&sold, "/id"), &sold["amount"]["minor"]), (next.as_str(), &json!(500)));
}

#[actix_web::test]
async fn another_sale_with_the_same_key_is_refused_whatever_differs() {
    let (mut town, jade) = teahouse().await;
    let sale = charge(1_250, &town.code_of("alice").await);
    let first: Value = sells(&jade.owner, "k", &sale).await.json(201);
    let with = |pointer: &str, value: Value| {
        let mut other = sale.clone();
        match other.pointer_mut(pointer) {
            Some(field) => *field = value,
            None => other[&pointer[1..]] = value,
        }
        other
    };
    let second_code = town.code_of("alice").await;
    let others = [
        with("/amount/minor", json!(1_251)),
        with("/amount/currency", json!("USD")),
        // The customer's code, too, which is kept nowhere.
        with("/presentation/code", json!(second_code)),
        with("/presentation", json!({ "kind": "merchant" })),
        with("/reference", json!("table 7")),
        with("/cashier", json!("Li")),
        with("/counter", json!(1)),
        with("/store", json!(jade.store)),
        with("/channel_account", json!(jade.account)),
        with("/goods", json!([{ "name": "tea", "quantity": 1, "price_minor": 1_250 }])),
    ];
    for round in ["at once", "after a restart"] {
        for other in &others {
            let refused = sells(&jade.owner, "k", other).await;
            assert_eq!(refused.refusal(), another_payment(), "{round}: {other}");
            let code = text(&sale, "/presentation/code");
            assert!(!refused.text.contains(code) && !refused.text.contains(&second_code), "{}", refused.text);
        }
        assert_eq!(sells(&jade.owner, "k", &sale).await.json::<Value>(200), first, "{round}");
        town.restart().await;
    }
    // The second code was not used: somebody pays with it now.
    let next: Value = sells(&jade.owner, "k2", &charge(100, &second_code)).await.json(201);
    assert_eq!(next["state"], "succeeded");
    jade.books_balance().await;
}

/// A customer's code is a bearer credential: it is in no row, not even as a hash that could be guessed back.
#[actix_web::test]
async fn the_customers_code_is_kept_nowhere() {
    use sha2::{Digest as _, Sha256};

    let (town, jade) = teahouse().await;
    let code = town.code_of("alice").await;
    let sale = charge(100, &code);
    let _: Value = sells(&jade.owner, "k", &sale).await.json(201);
    let rows = town.rows_of(&jade.id).join("\n").to_lowercase();
    assert!(rows.contains("idempotency_keys: "));
    for told in [code.clone(), data_encoding::HEXLOWER.encode(code.as_bytes())] {
        assert!(!rows.contains(&told), "the code itself");
    }
    for text in [code, sale.to_string()] {
        assert!(!rows.contains(&data_encoding::HEXLOWER.encode(&Sha256::digest(text))), "a plain hash");
    }
}

#[actix_web::test]
async fn of_twenty_that_come_at_once_one_charges() {
    let (town, jade) = teahouse().await;
    let (code, other) = (town.code_of("alice").await, town.code_of("alice").await);
    let (sale, second) = (charge(700, &code), charge(700, &other));
    let sales: Vec<&Value> = (0..20).map(|nth| if nth % 4 == 3 { &second } else { &sale }).collect();
    let answers = futures_util::future::join_all(sales.iter().map(|sale| sells(&jade.owner, "k", sale))).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    let id = made[0].json::<Value>(201)["id"].clone();
    let won = sales[answers.iter().position(|answer| answer.status == 201).unwrap()];
    for (sale, answer) in sales.iter().zip(&answers) {
        match (answer.status, *sale == won) {
            (201 | 200, true) => assert_eq!(serde_json::from_str::<Value>(&answer.text).unwrap()["id"], id),
            (409, false) => assert_eq!(answer.refusal(), another_payment()),
            (status, _) => panic!("{status} {}", answer.text),
        }
    }
    becomes(&jade.owner, id.as_str().unwrap(), "succeeded").await;
    let paid = town.column("SELECT id AS text FROM payments WHERE state = 'captured'");
    assert_eq!(paid.len(), 1);
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_refund_sent_again_is_the_first_one_and_another_is_refused() {
    let (mut town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let (refunds, void) =
        (format!("/v1/payments/{}/refunds", text(&sold, "/id")), format!("/v1/payments/{}/void", text(&sold, "/id")));
    let body = |minor: i64| json!({ "amount": { "minor": minor, "currency": "CNY" }, "reason": "cold tea" });
    let gives = async |minor: i64| jade.owner.post(&refunds).key("r").json(&body(minor)).await;
    let first: Value = gives(300).await.json(201);
    assert_eq!((&first["state"], &first["amount"]["minor"]), (&json!("succeeded"), &json!(300)));
    for round in ["at once", "after a restart"] {
        assert_eq!(gives(300).await.json::<Value>(200), first, "{round}");
        assert_eq!(gives(301).await.refusal(), another_refund(), "{round}");
        let mut other = body(300);
        other["reason"] = json!("warm tea");
        assert_eq!(jade.owner.post(&refunds).key("r").json(&other).await.refusal(), another_refund(), "{round}");
        let voided = jade.owner.post(&void).key("r").json(&json!({})).await;
        assert_eq!(voided.refusal(), another_refund(), "{round}: a void is another wish");
        town.restart().await;
    }
    let answers = futures_util::future::join_all(
        (0..10).map(|_| async { jade.owner.post(&refunds).key("r2").json(&body(200)).await }),
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| [200, 201].contains(&answer.status)));
    let shown = becomes(&jade.owner, text(&sold, "/id"), "partly_refunded").await;
    assert_eq!(shown["refunded_minor"], 500);
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_void_sent_again_is_the_first_one() {
    let (mut town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 1_000, "sale").await;
    let path = format!("/v1/payments/{}/void", text(&sold, "/id"));
    let voids =
        async |key: &str, reason: &str| jade.owner.post(&path).key(key).json(&json!({ "reason": reason })).await;
    let first: Value = voids("v", "wrong table").await.json(201);
    assert_eq!((&first["kind"], &first["state"]), (&json!("void"), &json!("succeeded")));
    town.restart().await;
    assert_eq!(voids("v", "wrong table").await.json::<Value>(200), first);
    assert_eq!(voids("v", "another reason").await.refusal(), another_refund());
    assert_eq!(voids("w", "wrong table").await.refusal(), (409, "not_in_state".to_owned()), "a second void");
    becomes(&jade.owner, text(&sold, "/id"), "voided").await;
}

#[actix_web::test]
async fn a_cancel_sent_again_is_no_error_even_if_the_customer_paid_since() {
    let (town, jade) = teahouse().await;
    // Closing races: the scheme says closed, and the customer can still pay.
    let shown: Value = sells(&jade.owner, "k", &present(1_098)).await.json(201);
    let id = text(&shown, "/id").to_owned();
    let path = format!("/v1/payments/{id}/cancel");
    let cancelled: Value = jade.owner.post(&path).key("c").await.json(200);
    assert_eq!(cancelled["state"], "cancelled");
    let link = text(&shown, "/code_url");
    let page = Door::at("").get(link).await;
    assert_eq!(page.status, 410, "core's page is closed");
    // Who kept the wallet's own page pays there.
    let code = town.column(&format!("SELECT channel_code AS text FROM pay_codes WHERE payment_id = '{id}'"));
    let token = code[0].rsplit('/').next().unwrap().to_owned();
    let pay = format!("/wallet/api/orders/{token}/pay");
    let paid = Door::at(&town.scheme_root()).post(&pay).json(&json!({ "account": "alice" })).await;
    assert_eq!(paid.status, 200, "{}", paid.text);
    let late = becomes(&jade.owner, &id, "refunded").await;
    assert_eq!(late["paid_late"], true, "it is given back by itself");
    let again: Value = jade.owner.post(&path).key("c").bytes("{}").await.json(200);
    assert_eq!((&again["state"], &again["version"]), (&late["state"], &late["version"]));
    assert_eq!(jade.owner.post(&path).key("d").await.refusal(), (409, "not_in_state".to_owned()), "a new wish");
    jade.books_balance().await;
}

/// A key that core's own refunds have is nobody else's.
#[actix_web::test]
async fn a_refund_called_late_is_an_ordinary_one() {
    let (town, jade) = teahouse().await;
    let sold = jade.sells(&town, &jade.owner, 500, "sale").await;
    let path = format!("/v1/payments/{}/refunds", text(&sold, "/id"));
    let body = json!({ "amount": { "minor": 100, "currency": "CNY" } });
    let refund: Value = jade.owner.post(&path).key("late").json(&body).await.json(201);
    assert_eq!(refund["kind"], "refund");
}

/// What was refused before anything was written leaves its key free for the request that is put right.
#[actix_web::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let (town, jade) = teahouse().await;
    let mut sale = charge(100, &town.code_of("alice").await);
    sale["channel_account"] = json!("cha_qqqqqqqqqqqqqqqqqqqqqqqqqa");
    assert_eq!(sells(&jade.owner, "k", &sale).await.refusal(), (409, "channel_unavailable".to_owned()));
    sale["channel_account"] = json!(jade.account);
    assert_eq!(sells(&jade.owner, "k", &sale).await.json::<Value>(201)["state"], "succeeded");
}
