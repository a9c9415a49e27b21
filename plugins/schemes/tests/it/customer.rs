//! The wallet's pages and calls.

use serde_json::{Value, json};

use crate::shop::Shop;

#[tokio::test]
async fn accounts_codes_and_history() {
    let shop = Shop::open().await;
    let accounts = shop.customer("GET", "/wallet/api/accounts", Value::Null, 200).await;
    let balances: Vec<_> =
        accounts.as_array().unwrap().iter().map(|one| (one["id"].clone(), one["balance"].clone())).collect();
    let expected = [("alice", "1000000.00"), ("bob", "100.00"), ("carol", "0.00")];
    assert_eq!(balances, expected.map(|(id, balance)| (json!(id), json!(balance))));

    let code = shop.customer("POST", "/wallet/api/accounts/bob/code", Value::Null, 200).await;
    let digits = code["code"].as_str().unwrap();
    assert!(digits.len() == 18 && digits.starts_with("88") && digits.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(code["qr_svg"].as_str().unwrap().contains("<svg"));
    shop.customer("POST", "/wallet/api/accounts/dave/code", Value::Null, 404).await;

    let body = shop.charge_body("n1", "30.00", "bob").await;
    shop.call("POST", "/v1/charges", body, 200).await;
    shop.call("POST", "/v1/orders/n1/close", json!({}), 200).await;
    let history = shop.customer("GET", "/wallet/api/accounts/bob/history", Value::Null, 200).await;
    let shown: Vec<_> =
        history.as_array().unwrap().iter().map(|one| (one["kind"].clone(), one["amount"].clone())).collect();
    assert_eq!(shown, [("REVERSAL", "30.00"), ("PAYMENT", "-30.00")].map(|(kind, sum)| (json!(kind), json!(sum))));
    shop.close().await;
}

#[tokio::test]
async fn pages_need_nothing_from_elsewhere() {
    let shop = Shop::open().await;
    for (path, accept, lang) in [
        ("/wallet", "zh-CN,zh;q=0.9", "zh"),
        ("/wallet?lang=en", "zh-CN", "en"),
        ("/pay/anything", "en-GB", "en"),
        ("/pay/anything?lang=zh", "en-GB", "zh"),
    ] {
        let page = shop.client.get(format!("{}{path}", shop.base)).header("accept-language", accept);
        let page = page.send().await.unwrap();
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        let html = page.text().await.unwrap();
        assert!(html.contains(&format!("<html lang=\"{lang}\">")), "{path}");
        assert!(!html.contains("http://") || !html.contains("src=\"http"), "{path}");
        for asset in html.split(['"', '\'']).filter(|text| text.starts_with("/wallet/assets/")) {
            let answer = shop.client.get(format!("{}{asset}", shop.base)).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{asset}");
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn what_a_customer_may_not_do() {
    let shop = Shop::open().await;
    let order = shop.call("POST", "/v1/orders", shop.order("n1", "200.00"), 200).await;
    let token = order["code_url"].as_str().unwrap().rsplit('/').next().unwrap();
    let pay = format!("/wallet/api/orders/{token}/pay");
    for (path, body, status, code) in [
        (pay.as_str(), json!({"account": "bob"}), 409, "INSUFFICIENT_FUNDS"),
        (&pay, json!({"account": "dave"}), 404, "ACCOUNT_NOT_FOUND"),
        (&pay, json!({"account": "bob", "amount": "0.01"}), 400, "BAD_REQUEST"),
        (&pay, json!(7), 400, "BAD_REQUEST"),
        ("/wallet/api/orders/none/pay", json!({"account": "bob"}), 404, "ORDER_NOT_FOUND"),
    ] {
        assert_eq!(shop.customer("POST", path, body, status).await["code"], code, "{path}");
    }
    assert_eq!(shop.admin("n1").await["charged_count"], 0);
    shop.close().await;
}
