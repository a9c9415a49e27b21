//! The merchant API on the wire.

use serde_json::{Value, json};

use crate::shop::{KEY, MERCHANT, Shop, TRACEPARENT, mac, nonce, now_ms};

#[tokio::test]
async fn an_order_is_shown_paid_notified_refunded_and_billed() {
    let shop = Shop::open().await;
    let order = shop.call("POST", "/v1/orders", shop.order("n1", "12.50"), 200).await;
    assert_eq!(order["status"], "WAITING");
    assert_eq!((order["amount"].as_str(), order["currency"].as_str()), (Some("12.50"), Some("CNY")));
    let code_url = order["code_url"].as_str().unwrap();
    let token = code_url.strip_prefix(&format!("{}/pay/", shop.base)).unwrap();
    assert_eq!(token.len(), 32);

    let shown = shop.customer("GET", &format!("/wallet/api/orders/{token}"), Value::Null, 200).await;
    assert_eq!((shown["merchant_name"].as_str(), shown["amount"].as_str()), (Some("Noodles"), Some("12.50")));
    let pay = format!("/wallet/api/orders/{token}/pay");
    let paid = shop.customer("POST", &pay, json!({"account": "bob"}), 200).await;
    assert_eq!((paid["status"].as_str(), paid["payer_hint"].as_str()), (Some("PAID"), Some("b***b")));
    let again = shop.customer("POST", &pay, json!({"account": "bob"}), 409).await;
    assert_eq!(again["code"], "ALREADY_PAID");

    let told = shop.inbox.until(1).await;
    assert!(told[0].signature_good);
    assert_eq!(told[0].body["status"], "PAID");
    assert_eq!(told[0].traceparent, TRACEPARENT);

    let refund = json!({"refund_number": "r1", "amount": "2.50", "reason": "cold"});
    let refund = shop.call("POST", "/v1/orders/n1/refunds", refund, 200).await;
    assert_eq!((refund["status"].as_str(), refund["order_number"].as_str()), (Some("DONE"), Some("n1")));
    let order = shop.call("GET", "/v1/orders/n1", Value::Null, 200).await;
    assert_eq!((order["status"].as_str(), order["refunded"].as_str()), (Some("PARTLY_REFUNDED"), Some("2.50")));
    shop.call("GET", "/v1/orders/n1/refunds/r1", Value::Null, 200).await;

    let at = order["paid_at"].as_i64().unwrap();
    let day = time::OffsetDateTime::from_unix_timestamp(at / 1_000).unwrap().date().to_string();
    let bill = shop.call("GET", &format!("/v1/bills/{day}?cursor="), Value::Null, 200).await;
    let rows = bill["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["amount"].as_str(), rows[0]["fee"].as_str()), (Some("12.50"), Some("0.08")));
    assert_eq!((&rows[0]["refund_number"], &rows[1]["refund_number"]), (&Value::Null, &json!("r1")));

    let books = shop.admin("n1").await;
    assert_eq!((books["charged_count"].as_i64(), books["net"].as_str()), (Some(1), Some("10.00")));
    assert_eq!(books["traceparent"], TRACEPARENT);
    let totals = shop.customer("GET", "/admin/totals", Value::Null, 200).await;
    assert_eq!(totals["balanced"], true);
    assert_eq!(totals["net"], "10.00");
    shop.close().await;
}

#[tokio::test]
async fn refusals_are_signed_and_have_stable_codes() {
    let shop = Shop::open().await;
    let mut misspelt = shop.order("n1", "1.00");
    misspelt["notify_uri"] = json!("x");
    let mut no_code = shop.order("n1", "1.00");
    no_code["code"] = json!("880000000000000000");
    for (method, path, body, status, code) in [
        ("GET", "/v1/orders/none", Value::Null, 404, "ORDER_NOT_FOUND"),
        ("POST", "/v1/orders/none/close", json!({}), 404, "ORDER_NOT_FOUND"),
        ("POST", "/v1/orders", shop.order("none", "1.00"), 409, "ORDER_CLOSED"),
        ("POST", "/v1/orders", shop.order("n1", "1.000"), 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", misspelt, 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", json!([]), 400, "BAD_REQUEST"),
        ("POST", "/v1/orders", Value::Null, 400, "BAD_REQUEST"),
        ("POST", "/v1/charges", no_code, 400, "CODE_INVALID"),
        ("POST", "/v1/charges", shop.order("n1", "1.00"), 400, "BAD_REQUEST"),
        ("GET", "/v1/bills/yesterday", Value::Null, 400, "BAD_REQUEST"),
        ("GET", "/v1/nothing", Value::Null, 404, "NOT_FOUND"),
        ("DELETE", "/v1/orders/n1", Value::Null, 404, "NOT_FOUND"),
    ] {
        let answer = shop.call(method, path, body, status).await;
        assert_eq!(answer["code"], code, "{method} {path}");
        assert!(!answer["message"].as_str().unwrap().is_empty());
    }
    let huge = shop.send("POST", "/v1/orders", &"x".repeat(70_000)).await.unwrap();
    assert_eq!((huge.status, huge.signature_good), (400, true));
    assert_eq!(shop.call("GET", "/v1/ping", Value::Null, 200).await["merchant_id"], MERCHANT);
    shop.close().await;
}

#[tokio::test]
async fn forgeries_and_replays_are_kept_out() {
    let shop = Shop::open().await;
    let (now, nonce_1) = (now_ms().to_string(), nonce());
    let good = mac(KEY, &["REQUEST", "GET", "/v1/ping", &now, &nonce_1], b"");
    let stale = (now_ms() - 300_500).to_string();
    let stale_mac = mac(KEY, &["REQUEST", "GET", "/v1/ping", &stale, &nonce_1], b"");
    let with_query = mac(KEY, &["REQUEST", "GET", "/v1/ping", &now, &nonce_1], b"");
    for (case, path, headers, status) in [
        ("another's key", "/v1/ping", ["tea", &now, &nonce_1, &good], 401),
        ("stale", "/v1/ping", [MERCHANT, &stale, &nonce_1, &stale_mac], 401),
        ("query added", "/v1/ping?x=1", [MERCHANT, &now, &nonce_1, &with_query], 401),
        ("unsigned", "/v1/ping", [MERCHANT, &now, &nonce_1, ""], 401),
        ("as signed", "/v1/ping", [MERCHANT, &now, &nonce_1, &good], 200),
        ("replayed", "/v1/ping", [MERCHANT, &now, &nonce_1, &good], 401),
    ] {
        let answer = shop.send_as("GET", path, "", &headers).await.unwrap();
        assert_eq!((answer.status, answer.signature_good), (status, true), "{case}");
        if status == 401 {
            assert_eq!(answer.json()["code"], "BAD_SIGNATURE", "{case}");
        }
    }
    let stranger = shop.send_as("GET", "/v1/ping", "", &["nobody", &now, &nonce(), &good]).await.unwrap();
    assert_eq!((stranger.status, stranger.signed), (401, false), "there is no key to sign with");
    shop.close().await;
}

#[tokio::test]
async fn the_same_charge_many_times_at_once_is_one_charge() {
    let shop = Shop::open().await;
    let body = shop.charge_body("n1", "12.50", "bob").await.to_string();
    let answers = futures_util::future::join_all((0..20).map(|_| shop.send("POST", "/v1/charges", &body))).await;
    for answer in answers {
        assert_eq!(answer.unwrap().json()["status"], "PAID");
    }
    let books = shop.admin("n1").await;
    assert_eq!((books["charged_count"].as_i64(), books["net"].as_str()), (Some(1), Some("12.50")));
    shop.close().await;
}

#[tokio::test]
async fn a_deaf_merchant_is_told_again() {
    let shop = Shop::open().await;
    shop.inbox.deafen(3);
    let body = shop.charge_body("n1", "12.50", "bob").await;
    shop.call("POST", "/v1/charges", body, 200).await;
    let told = shop.inbox.until(4).await;
    assert!(told.iter().all(|one| one.signature_good && one.body == told[0].body));
    assert_ne!(told[0].nonce, told[1].nonce);

    // One attempt and eight repetitions, then no more.
    shop.inbox.deafen(100);
    let body = shop.charge_body("n2", "12.50", "bob").await;
    shop.call("POST", "/v1/charges", body, 200).await;
    shop.inbox.until(4 + 9).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while shop.admin("n2").await["notifications"]["abandoned"] != 1 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(shop.inbox.count(), 13);
    shop.close().await;
}
