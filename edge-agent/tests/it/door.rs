//! Who is let in at the till's door, and what they must bring.

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{Shop, fresh_key, nothing, number, until};

fn code(bytes: &[u8]) -> Value {
    serde_json::from_slice::<Value>(bytes).map(|body| body["code"].clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_intent() {
    let shop = Shop::open().await;
    let body = json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000});
    let (one, two) =
        tokio::join!(shop.till.post("/api/sales", &body, "tap"), shop.till.post("/api/sales", &body, "tap"));
    assert_eq!(one.body["payment"], two.body["payment"]);
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    let other = shop.till.post("/api/sales", &json!({"amount_minor": 1251, "method": "cash"}), "tap").await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("idempotency_key_reused")));
    let elsewhere = shop.till.post("/api/drawer/open", &nothing(), "tap").await;
    assert_eq!(elsewhere.status, 422, "{}", elsewhere.body);
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_come_from_the_tills_page_is_turned_away() {
    let shop = Shop::open().await;
    let ours = shop.till.base.clone();
    let host = ours.trim_start_matches("http://").to_owned();
    let rebound = format!("till.evil.example:{}", host.rsplit(':').next().unwrap());
    let body = json!({"amount_minor": 1, "method": "cash"});
    let (marked, keyed) = (("x-saoma-till", "1"), ("idempotency-key", "k"));
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Method, Headers<'_>, &Value, u16, &str); 9] = [
        (Method::POST, &[marked, keyed, ("origin", "https://evil.example")], &body, 403, "foreign_origin"),
        (Method::POST, &[marked, keyed, ("origin", "null")], &body, 403, "foreign_origin"),
        (Method::POST, &[marked, keyed, ("host", &rebound)], &body, 403, "foreign_origin"),
        (Method::GET, &[("host", &rebound)], &body, 403, "foreign_origin"),
        (Method::POST, &[keyed], &body, 403, "not_from_the_till"),
        (Method::POST, &[marked], &body, 400, "idempotency_key_missing"),
        (Method::POST, &[marked, keyed, ("content-type", "text/plain")], &body, 415, "body_unreadable"),
        (
            Method::POST,
            &[marked, keyed],
            &json!({"amount_minor": 1, "method": "cash", "tip": 5}),
            400,
            "body_unreadable",
        ),
        (Method::DELETE, &[marked], &body, 405, "method_not_allowed"),
    ];
    for (method, headers, body, status, expected) in cases {
        let (told, bytes) = shop.till.call(method.clone(), "/api/sales", headers, Some(body)).await;
        assert_eq!((told.as_u16(), code(&bytes)), (status, json!(expected)), "{method} {headers:?}");
    }
    let long = json!({"amount_minor": 1, "method": "cash", "cashier": "x".repeat(300_000)});
    let (status, bytes) = shop.till.call(Method::POST, "/api/sales", &[marked, keyed], Some(&long)).await;
    assert_eq!((status.as_u16(), code(&bytes)), (413, json!("body_too_large")));
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]), "nothing was sold");
    let own = [marked, keyed, ("origin", ours.as_str())];
    assert_eq!(shop.till.call(Method::POST, "/api/sales", &own, Some(&body)).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_with_its_code() {
    let shop = Shop::open().await;
    let stranger = "/api/sales/pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (path, status, expected) in [
        (stranger, 404, "sale_not_found"),
        ("/api/sales/17", 404, "sale_not_found"),
        ("/api/sales?limit=0", 400, "limit_invalid"),
        ("/api/sales?limit=101", 400, "limit_invalid"),
        ("/api/sales?limit=x", 400, "limit_invalid"),
        ("/api/sales?limit=1&limit=2", 400, "limit_invalid"),
        ("/api/display/code.svg", 404, "no_code"),
        ("/api/receipts/last.png", 404, "no_receipt"),
        ("/api/nothing", 404, "not_found"),
        ("/assets/../Cargo.toml", 404, "not_found"),
        ("/api/scan", 405, "method_not_allowed"),
    ] {
        let (told, bytes) = shop.till.call(Method::GET, path, &[], None).await;
        assert_eq!((told.as_u16(), code(&bytes)), (status, json!(expected)), "{path}");
    }
    let pressed = shop.till.post(&format!("{stranger}/cancel"), &nothing(), &fresh_key()).await;
    assert_eq!((pressed.status.as_u16(), &pressed.body["code"]), (404, &json!("sale_not_found")));
    let (status, page) = shop.till.call(Method::GET, "/", &[], None).await;
    assert!(status.is_success() && !page.is_empty());
    let (status, _) = shop.till.call(Method::GET, "/display", &[], None).await;
    assert!(status.is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_say_how_they_do() {
    let shop = Shop::open().await;
    let tested = shop.till.post("/api/peripherals/printer/self-test", &nothing(), &fresh_key()).await;
    assert!(tested.status.is_success() && tested.body["saw"].is_string(), "{}", tested.body);
    let scanner = shop.till.post("/api/peripherals/scanner/self-test", &nothing(), &fresh_key()).await;
    assert_eq!((scanner.status.as_u16(), &scanner.body["code"]), (503, &json!("peripheral_failed")));
    let drawer = shop.till.post("/api/drawer/open", &nothing(), &fresh_key()).await;
    assert_eq!((drawer.status.as_u16(), drawer.body), (200, nothing()));
    let state = until("the printer's health", async || {
        let state = shop.till.get("/api/state").await;
        state["peripherals"].as_array().unwrap().iter().any(|device| device["kind"] == "printer").then_some(state)
    })
    .await;
    assert_eq!(
        (&state["currency"], &state["minor_digits"], &state["disk"]["ok"]),
        (&json!("CNY"), &json!(2), &json!(true))
    );
}

/// Reads events until one has this name and satisfies `wanted`.
pub async fn event(
    events: &mut (impl futures_util::Stream<Item = reqwest::Result<actix_web::web::Bytes>> + Unpin),
    buffer: &mut String,
    name: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let reading = async {
        loop {
            while let Some(end) = buffer.find("\n\n") {
                let block: String = buffer.drain(..end + 2).collect();
                let mut lines = block.lines();
                let (Some(event), Some(data)) = (lines.next(), lines.next()) else { continue };
                let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                if event == format!("event: {name}") && wanted(&data) {
                    return data;
                }
            }
            let part = events.next().await.expect("the stream goes on").unwrap();
            buffer.push_str(std::str::from_utf8(&part).unwrap());
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), reading)
        .await
        .unwrap_or_else(|_| panic!("no event {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hear_of_every_change() {
    let mut shop = Shop::open().await;
    let response = reqwest::get(format!("{}/api/events", shop.till.base)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = response.bytes_stream();
    let mut buffer = String::new();
    event(&mut events, &mut buffer, "state", |state| state["version"].is_string() && state["now"].is_i64()).await;
    event(&mut events, &mut buffer, "display", |display| display["kind"] == "idle").await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    event(&mut events, &mut buffer, "sale", |sale| sale["state"] == "sending").await;
    event(&mut events, &mut buffer, "sale", |sale| sale["state"] == "presenting").await;
    let display = event(&mut events, &mut buffer, "display", |display| display["kind"] == "code").await;
    assert!(display["svg"].as_str().unwrap().starts_with("<svg"));
    shop.core.customer_pays(payment);
    event(&mut events, &mut buffer, "sale", |sale| sale["state"] == "succeeded").await;
    let receipt = event(&mut events, &mut buffer, "receipt", |_| true).await;
    assert_eq!(receipt, json!({"payment": payment, "printed": true}));
    let stopping = shop.stop_till();
    let ended = async { while let Some(Ok(_)) = events.next().await {} };
    tokio::join!(stopping, ended);
}
