//! What the magic amounts do on the wire. What they do to the books is in `books`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::shop::Shop;

#[tokio::test]
async fn an_answer_that_never_comes_is_a_cut_connection() {
    let shop = Shop::open().await;
    for (number, amount, after) in [("n93", "1.93", 200), ("n97", "1.97", 404)] {
        let body = shop.charge_body(number, amount, "alice").await;
        let begun = Instant::now();
        let error = shop.send("POST", "/v1/charges", &body.to_string()).await.err().expect("no answer");
        assert!(error.is_request() && !error.is_timeout(), "{amount}: {error:?}");
        assert!(begun.elapsed() >= Duration::from_millis(300), "{amount}: held for a while");
        shop.call("GET", &format!("/v1/orders/{number}"), Value::Null, after).await;
    }
    shop.call("POST", "/v1/orders/n97/close", json!({}), 404).await;
    let refund = json!({"refund_number": "r1", "amount": "0.82", "reason": ""});
    assert!(shop.send("POST", "/v1/orders/n93/refunds", &refund.to_string()).await.is_err());
    let refund = shop.call("GET", "/v1/orders/n93/refunds/r1", Value::Null, 200).await;
    assert_eq!(refund["status"], "DONE");
    assert_eq!(shop.inbox.count(), 0, "93 is not notified");
    shop.close().await;
}

#[tokio::test]
async fn answers_and_notifications_that_lie() {
    let shop = Shop::open().await;
    let body = shop.charge_body("n95", "1.95", "alice").await.to_string();
    let answer = shop.send("POST", "/v1/charges", &body).await.unwrap();
    assert_eq!((answer.status, answer.signed, answer.signature_good), (200, true, false));
    let told = shop.inbox.until(2).await;
    assert_eq!((told[0].signature_good, told[1].signature_good), (false, true));
    assert!(shop.send("POST", "/v1/charges", &body).await.unwrap().signature_good, "the repetition is plain");

    let body = shop.charge_body("n96", "1.96", "alice").await.to_string();
    let answer = shop.send("POST", "/v1/charges", &body).await.unwrap();
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
    assert!(!answer.signed);
    shop.inbox.until(3).await;

    let body = shop.charge_body("n99", "1.99", "alice").await;
    assert_eq!(shop.call("POST", "/v1/charges", body, 200).await["amount"], "2.00");
    assert_eq!(shop.inbox.until(4).await[3].body["amount"], "2.00");
    assert_eq!(shop.call("GET", "/v1/orders/n99", Value::Null, 200).await["amount"], "1.99");
    assert_eq!(shop.admin("n99").await["net"], "1.99");
    shop.close().await;
}

#[tokio::test]
async fn slow_things_come_by_themselves() {
    let shop = Shop::open().await;
    let body = shop.charge_body("n92", "1.92", "alice").await;
    assert_eq!(shop.call("POST", "/v1/charges", body, 200).await["status"], "PAYING");
    // Nobody asks: the notification must come all the same.
    assert_eq!(shop.inbox.until(1).await[0].body["status"], "PAID");

    let body = shop.charge_body("n94", "1.94", "alice").await;
    shop.call("POST", "/v1/charges", body, 200).await;
    let told = shop.inbox.until(4).await;
    assert!(told[1..].iter().all(|one| one.body["order_number"] == "n94" && one.signature_good));

    let refund = json!({"refund_number": "r1", "amount": "0.81", "reason": ""});
    let refund = shop.call("POST", "/v1/orders/n94/refunds", refund, 200).await;
    assert_eq!(refund["status"], "PROCESSING");
    shop.until_status("n94", "PARTLY_REFUNDED").await;
    shop.close().await;
}

#[tokio::test]
async fn a_customer_pays_what_was_just_closed() {
    let shop = Shop::open().await;
    let order = shop.call("POST", "/v1/orders", shop.order("n98", "1.98"), 200).await;
    assert_eq!(shop.call("POST", "/v1/orders/n98/close", json!({}), 200).await["status"], "CLOSED");
    let token = order["code_url"].as_str().unwrap().rsplit('/').next().unwrap();
    shop.customer("POST", &format!("/wallet/api/orders/{token}/pay"), json!({"account": "bob"}), 200).await;
    assert_eq!(shop.inbox.until(1).await[0].body["status"], "PAID");
    assert_eq!(shop.call("GET", "/v1/orders/n98", Value::Null, 200).await["status"], "PAID");
    let changes = shop.admin("n98").await["changes"].clone();
    let states: Vec<_> = changes.as_array().unwrap().iter().map(|change| change["status"].clone()).collect();
    assert_eq!(states, ["WAITING", "CLOSED", "PAID"]);
    shop.close().await;
}
