//! Sales and what may become of them.

use std::io::Write as _;

use reqwest::Method;
use serde_json::json;

use crate::{
    core::GOOD_CODE,
    peripherals_wires::pseudo_terminal,
    shop::{Shop, fresh_key, nothing, number, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_customer_scans_our_code_and_gets_a_receipt() {
    let shop = Shop::open().await;
    let goods = json!([{"name": "奶茶 Milk tea", "quantity": 1, "price_minor": 1250}]);
    let body = json!({"amount_minor": 1250, "method": "code", "goods": goods, "cashier": "Li"});
    let payment = number(&shop.till.sell(body).await);
    let presenting = shop.till.sees(payment, "state", "presenting").await;
    let display = shop.till.get("/api/display").await;
    assert_eq!((&display["kind"], &display["amount"]), (&json!("code"), &json!("12.50")));
    assert_eq!(display["code_url"], presenting["code_url"]);
    let (_, svg) = shop.till.call(Method::GET, "/api/display/code.svg", &[], None).await;
    assert!(svg.starts_with(b"<svg"));
    assert_eq!(shop.till.get("/api/state").await["open_sales"], json!([payment]));
    let (status, _) = shop.till.call(Method::GET, "/api/receipts/last.txt", &[], None).await;
    assert_eq!(status, 404, "nothing is printed before it is paid");

    shop.core.customer_pays(payment);
    let paid = shop.till.sees(payment, "receipt", "printed").await;
    assert_eq!(
        (&paid["state"], &paid["paid"], &paid["channel"]),
        (&json!("succeeded"), &json!(true), &json!("sandbox"))
    );
    assert!(paid.get("code_url").is_none());
    let receipt = shop.till.receipt_with("12.50").await;
    assert!(receipt.contains("Milk tea") && receipt.contains("Li"), "{receipt}");
    let (status, picture) = shop.till.call(Method::GET, "/api/receipts/last.png", &[], None).await;
    assert!(status.is_success() && picture.starts_with(b"\x89PNG"));
    assert_eq!(shop.till.get("/api/display").await["message"], "paid");
    until("the push to be acknowledged", async || shop.core.look(|known| known.acknowledged.first().copied())).await;
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customer_shows_a_code() {
    let shop = Shop::open().await;
    let paid = number(&shop.till.sell(json!({"amount_minor": 2000, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(paid, "state", "succeeded").await;
    let declined = number(&shop.till.sell(json!({"amount_minor": 2000, "method": "scan", "code": "1"})).await);
    let sale = shop.till.sees(declined, "state", "failed").await;
    assert_eq!(sale["failure"], json!({"code": "declined", "message": "the wallet declines"}));
    shop.stop_till_and_look_for(GOOD_CODE).await;
}

impl Shop {
    /// The customer's code is a bearer credential: it must not be on the disk.
    async fn stop_till_and_look_for(mut self, secret: &str) {
        self.stop_till().await;
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = file.unwrap().path();
            // SQLite's side files go when the journal is closed.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds the customer's code", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_makes_the_sale_that_waits_for_it() {
    let shop = Shop::open().await;
    let body = json!({"amount_minor": 900, "method": "scan"});
    let early = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), &fresh_key()).await;
    assert_eq!((early.status.as_u16(), &early.body["code"]), (409, &json!("scan_not_awaited")));
    let awaiting = shop.till.post("/api/sales", &body, "scan-1").await;
    assert_eq!((awaiting.status.as_u16(), &awaiting.body["awaiting_scan"]["amount_minor"]), (202, &json!(900)));
    assert_eq!(shop.till.get("/api/display").await["message"], "show_your_code");

    let cancelled = shop.till.post("/api/scan/cancel", &nothing(), &fresh_key()).await;
    assert_eq!((cancelled.status.as_u16(), cancelled.body), (200, nothing()));
    assert_eq!(shop.till.get("/api/state").await["awaiting_scan"], json!(null));

    shop.till.post("/api/sales", &body, "scan-2").await;
    let scanned = shop.till.post("/api/scan", &json!({"text": format!("{GOOD_CODE}\n")}), "text-1").await;
    assert_eq!((scanned.status.as_u16(), &scanned.body["result"]), (200, &json!("sale")), "{}", scanned.body);
    let payment = number(&scanned.body["sale"]);
    let repeated = shop.till.post("/api/scan", &json!({"text": format!("{GOOD_CODE}\n")}), "text-1").await;
    assert_eq!(number(&repeated.body["sale"]), payment);
    let same = shop.till.post("/api/sales", &body, "scan-2").await;
    assert_eq!((same.status.as_u16(), number(&same.body)), (200, payment));
    shop.till.sees(payment, "state", "succeeded").await;

    let found = shop.till.post("/api/scan", &json!({"text": format!("No. {payment}")}), &fresh_key()).await;
    assert_eq!((&found.body["result"], number(&found.body["sale"])), (&json!("found"), payment));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_scanner_makes_the_sale_that_waits_for_it() {
    let (mut scanner, device, _held) = pseudo_terminal();
    let shop = Shop::open_with_scanner(&device).await;
    until("the scanner's line to be open", async || {
        let state = shop.till.get("/api/state").await;
        let works = |device: &serde_json::Value| device["kind"] == "scanner" && device["state"] == "ok";
        state["peripherals"].as_array().unwrap().iter().any(works).then_some(())
    })
    .await;
    let awaiting = shop.till.post("/api/sales", &json!({"amount_minor": 900, "method": "scan"}), "scan-1").await;
    assert_eq!(awaiting.status, 202, "{}", awaiting.body);
    scanner.write_all(format!("{GOOD_CODE}\r\n").as_bytes()).unwrap();
    let payment = until("a sale", async || {
        let sales = shop.till.get("/api/sales").await;
        sales["items"].as_array().unwrap().first().map(number)
    })
    .await;
    let paid = shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!((&paid["amount_minor"], &paid["method"]), (&json!(900), &json!("scan")));
    // Whatever is scanned when nothing waits for it is no sale.
    scanner.write_all(format!("{GOOD_CODE}\r{payment}\r").as_bytes()).unwrap();
    let state = shop.till.get("/api/state").await;
    assert_eq!(state["awaiting_scan"], json!(null));
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_once_per_press_and_never_too_much() {
    let shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 4000, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(payment, "state", "succeeded").await;
    let path = format!("/api/sales/{payment}/refund");
    let first = shop.till.post(&path, &json!({"amount_minor": 1500}), "refund-1").await;
    assert_eq!((first.status.as_u16(), &first.body["refunded_minor"]), (200, &json!(1500)), "{}", first.body);
    assert_eq!(first.body["state"], "partly_refunded");
    shop.till.receipt_with("REFUND").await;
    let again = shop.till.post(&path, &json!({"amount_minor": 1500}), "refund-1").await;
    assert_eq!((&again.body["refunded_minor"], again.body["refunds"].as_array().unwrap().len()), (&json!(1500), 1));
    let other = shop.till.post(&path, &json!({"amount_minor": 1600}), "refund-1").await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("idempotency_key_reused")));
    let too_much = shop.till.press(payment, "refund", json!({"amount_minor": 2501})).await;
    assert_eq!((too_much.status.as_u16(), &too_much.body["code"]), (409, &json!("refund_exceeds")));
    let void = shop.till.press(payment, "void", nothing()).await;
    assert_eq!((void.status.as_u16(), &void.body["code"]), (409, &json!("not_now")));
    let refused = shop.till.press(payment, "refund", json!({"amount_minor": 404})).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("refund_window_over")));
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_gives_all_of_it_back() {
    let shop = Shop::open().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 3000, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(payment, "state", "succeeded").await;
    let voided = shop.till.press(payment, "void", nothing()).await;
    assert_eq!((voided.status.as_u16(), &voided.body["state"]), (200, &json!("voided")), "{}", voided.body);
    assert_eq!(voided.body["refunds"][0]["state"], "succeeded");
    shop.till.receipt_with("VOID").await;
    assert_eq!(shop.till.press(payment, "void", nothing()).await.body["code"], "not_now");
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_goes_back_without_asking_anybody() {
    let mut shop = Shop::open().await;
    shop.core.switch_off().await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1000, "method": "cash"})).await);
    let refunded = shop.till.press(payment, "refund", json!({"amount_minor": 400})).await;
    assert_eq!((refunded.status.as_u16(), &refunded.body["refunded_minor"]), (200, &json!(400)));
    let books = shop.till.get("/api/books").await;
    assert_eq!(books["terminal"]["refunds"], json!([{"minor": 400, "currency": "CNY"}]));
    shop.core.switch_on();
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_finds_its_sale_whatever_is_waited_for_and_is_never_taken_for_a_customer() {
    let shop = Shop::open().await;
    let sold = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await);
    let receipt = shop.till.receipt_with("[QR code").await;
    let code = receipt.lines().find(|line| line.contains("[QR code")).unwrap_or_default().to_owned();
    let awaiting = json!({"amount_minor": 900, "method": "scan"});
    assert_eq!(shop.till.post("/api/sales", &awaiting, "scan-1").await.status, 202);
    let scan = async |text: &str| shop.till.post("/api/scan", &json!({"text": text}), &fresh_key()).await;
    for text in [sold.to_string(), sold.to_string().to_uppercase(), code] {
        let found = scan(&text).await;
        assert_eq!((found.status.as_u16(), &found.body["result"]), (200, &json!("found")), "{text}: {}", found.body);
        assert_eq!(found.body["sale"]["payment"], json!(sold));
        assert_eq!(found.body["sale"]["actions"], json!(["void", "refund", "reprint"]));
    }
    let stranger = scan("pay_lpgotadatwo6tslwumbgtvnmti").await;
    assert_eq!((stranger.status.as_u16(), &stranger.body["code"]), (404, &json!("receipt_unknown")));
    assert!(shop.core.look(|known| known.created.is_empty()), "none of them was sent as a customer's code");
    assert_eq!(shop.till.get("/api/state").await["awaiting_scan"]["amount_minor"], 900);
    let paid = scan(GOOD_CODE).await;
    assert_eq!(paid.body["result"], "sale", "{}", paid.body);
    shop.till.sees(number(&paid.body["sale"]), "state", "succeeded").await;
}

/// The page has the last hundred; the till has them all.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_of_long_ago_is_found_by_its_number_and_given_back() {
    let shop = Shop::open().await;
    let first = number(&shop.till.sell(json!({"amount_minor": 1_000, "method": "cash"})).await);
    for _ in 0..100 {
        shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    }
    let latest = shop.till.get("/api/sales?limit=100").await;
    assert!(latest["items"].as_array().unwrap().iter().all(|sale| sale["counter"] != 1), "it is not among them");
    let found = shop.till.get("/api/sales?counter=1").await;
    assert_eq!(
        (found["items"].as_array().unwrap().len(), &found["items"][0]["payment"]),
        (1, &json!(first.to_string()))
    );
    for none in ["102", "0", "-1", "x", "99999999999999999999"] {
        assert_eq!(shop.till.get(&format!("/api/sales?counter={none}")).await["items"], json!([]), "{none}");
    }
    let refunded = shop.till.press(first, "refund", json!({"amount_minor": 250})).await;
    assert_eq!((refunded.status.as_u16(), &refunded.body["refunded_minor"]), (200, &json!(250)), "{}", refunded.body);
    assert_eq!(shop.till.get("/api/sales?counter=1").await["items"][0]["refunded_minor"], 250);
}
