//! Goods come back to another counter of the shop: its terminal sees the payment and gives it back, and does nothing else with it.

use saoma_protocol::{
    RefundId,
    api::{PaymentState, RefundState},
    journal::Record,
};
use serde_json::{Value, json};

use crate::{
    batches::{Desk, balances, cash, cny, differences, shown},
    town::{Town, text},
};

#[actix_web::test]
async fn a_terminal_gives_back_what_another_of_its_store_took_and_both_batches_agree() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (mut one, mut two) = (Desk::open(&town, &jade).await, Desk::open(&town, &jade).await);
    for desk in [&mut one, &mut two] {
        desk.sign_on(1, cash(0));
    }
    let sold = one.sold(&town, 1_880).await;
    one.keyed(sold, 1_880);
    let path = format!("/v1/payments/{sold}");
    let seen: Value = two.till.door.get(&path).await.json(200);
    assert_eq!((&seen["state"], &seen["refunded_minor"]), (&json!("succeeded"), &json!(0)), "{seen}");

    let refund = RefundId::from_bytes([9; 16]);
    let part = |minor: i64| json!({ "amount": { "minor": minor, "currency": "CNY" } });
    let gives = |minor| two.till.door.post(&format!("{path}/refunds")).key(&refund.to_string()).json(&part(minor));
    let given: Value = gives(500).await.json(201);
    assert_eq!((text(&given, "/id"), text(&given, "/state")), (refund.to_string().as_str(), "succeeded"));
    assert_eq!(gives(500).await.json::<Value>(200)["id"], given["id"], "asked again after a lost answer");
    assert_eq!(gives(600).await.refusal().0, 409, "the key is that refund's");
    let more = two.till.door.post(&format!("{path}/refunds")).key(&RefundId::from_bytes([8; 16]).to_string());
    assert_eq!(more.json(&part(1_381)).await.refusal(), (409, "refund_exceeds".to_owned()));
    let listed: Value = two.till.door.get(&format!("{path}/refunds")).await.json(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    // The counter that sold it is told.
    let pushes: Value = one.till.door.get("/v1/terminal/pushes?after=0").await.json(200);
    let mut told = pushes["pushes"].as_array().unwrap().iter().map(|push| &push["body"]);
    let told = told.rfind(|body| body["refund"]["id"] == given["id"]).unwrap();
    assert_eq!(told["payment"]["refunded_minor"], 500, "{told}");

    two.write(Record::RefundKeyed {
        refund,
        payment: sold,
        amount: cny(500),
        void: false,
        cashier: "李雷".to_owned(),
        approved_by: None,
    });
    two.write(Record::RefundSettled { refund, payment: sold, state: RefundState::Succeeded });
    let state = PaymentState::PartlyRefunded;
    one.write(Record::SaleSettled { payment: sold, state, amount_refunded_minor: 500 });
    for desk in [&mut one, &mut two] {
        desk.close(1, cash(0), cash(0));
        assert_eq!(desk.send().await, []);
        assert_eq!(differences(&shown(&jade, &desk.batch(1)).await), [""; 0]);
    }
}

#[actix_web::test]
async fn nothing_else_is_done_with_another_terminals_payment_and_nothing_in_another_store() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let mut one = Desk::open(&town, &jade).await;
    let sold = one.sold(&town, 1_880).await;
    let in_cash = one.cash_sale(1_250);
    assert_eq!(one.send().await, []);
    let beside = town.till(&jade).await;
    let second: Value = jade.owner.post("/v1/stores").json(&json!({ "name": "Second" })).await.json(201);
    let far = town.till_in(&jade, text(&second, "/id")).await;
    let stranger = town.till(&rust).await;
    let part = json!({ "amount": { "minor": 100, "currency": "CNY" } });
    let key = RefundId::from_bytes([7; 16]).to_string();
    for till in [&far, &stranger] {
        for path in ["", "/refunds"] {
            assert_eq!(till.door.get(&format!("/v1/payments/{sold}{path}")).await.status, 404, "{path}");
        }
        let gives = till.door.post(&format!("/v1/payments/{sold}/refunds")).key(&key).json(&part).await;
        assert_eq!(gives.status, 404, "{}", gives.text);
    }
    for verb in ["query", "cancel", "void"] {
        let tries = beside.door.post(&format!("/v1/payments/{sold}/{verb}")).key(&format!("k-{verb}"));
        assert_eq!(tries.json(&json!({})).await.status, 404, "{verb}");
    }
    assert_eq!(beside.door.get(&format!("/v1/payments/{sold}/code")).await.status, 404);
    let own: Value = beside.door.get("/v1/payments").await.json(200);
    assert_eq!(own["items"], json!([]), "its own are listed");
    // The cash is in the other drawer.
    let seen: Value = beside.door.get(&format!("/v1/payments/{in_cash}")).await.json(200);
    assert_eq!(seen["method"], "cash");
    let tries = beside.door.post(&format!("/v1/payments/{in_cash}/refunds")).key(&key).json(&part).await;
    assert_eq!(tries.refusal(), (409, "not_in_state".to_owned()));
    assert_eq!(balances(&jade, &["cash_in_drawer", "cash_in_safe"]).await, [1_250, 0]);
}
