//! Training (培训): a trainee plays a whole day, and none of it is real.

use reqwest::Method;
use saoma_edge::{journal::verify, peripherals::printer::escpos::DRAWER_PULSE};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    peripherals_wires::{WELL, network_printer},
    shop::{Shop, fresh_key, nothing, number, until},
};

impl Shop {
    async fn training(&self, press: &str) -> Value {
        let reply = self.till.post(&format!("/api/training/{press}"), &nothing(), &fresh_key()).await;
        assert_eq!(reply.status, 200, "{press}: {}", reply.body);
        reply.body
    }

    /// The status and the code.
    async fn told(&self, path: &str, body: Value) -> (u16, String) {
        let reply = self.till.post(path, &body, &fresh_key()).await;
        (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn plays(&self, body: Value) -> String {
        let reply = self.till.post("/api/training/sales", &body, &fresh_key()).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body["payment"].as_str().unwrap().to_owned()
    }

    async fn played(&self, number: &str, field: &str, value: &str) -> Value {
        until(&format!("{number} with {field} {value}"), async || {
            let list = self.till.get("/api/training/sales").await;
            let sale = list["items"].as_array().unwrap().iter().find(|sale| sale["payment"] == number).cloned();
            sale.filter(|sale| sale[field] == value)
        })
        .await
    }

    async fn press_played(&self, number: &str, button: &str, body: Value) -> Value {
        let path = format!("/api/training/sales/{number}/{button}");
        let reply = self.till.post(&path, &body, &fresh_key()).await;
        assert_eq!(reply.status, 200, "{button}: {}", reply.body);
        reply.body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainee_plays_sales_refunds_and_voids_and_nothing_of_it_leaves_the_terminal() {
    let (mut shop, _broker) = Shop::open_with_broker().await;
    let opened = json!({"float_minor": 10_000, "cashier": "Li", "cashier_number": "07"});
    assert_eq!(shop.till.post("/api/shift/open", &opened, &fresh_key()).await.status, 201);
    let real = number(&shop.till.sell(json!({"amount_minor": 700, "method": "cash"})).await);
    shop.till.sees(real, "receipt", "printed").await;
    shop.nothing_unsent().await;
    let before = shop.till.get("/api/state").await["sync"].clone();
    let (journal, books) = (shop.core.look(|known| known.journal.clone()), shop.till.get("/api/books").await);

    let state = shop.training("enter").await;
    assert_eq!((&state["training"]["cashier"], &state["awaiting_scan"]), (&json!("Li"), &Value::Null));
    assert_eq!(shop.till.get("/api/display").await, json!({"kind": "training"}));
    let goods = json!([{"name": "奶茶 Milk tea", "quantity": 1, "price_minor": 1250}]);
    let body = json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000, "goods": goods});
    let cash = shop.plays(body).await;
    let sold = shop.played(&cash, "receipt", "printed").await;
    assert_eq!(
        (&sold["state"], &sold["change_minor"], &sold["cashier"]),
        (&json!("succeeded"), &json!(750), &json!("Li"))
    );
    let slip = shop.till.receipt_with("Milk tea").await;
    assert!(slip.matches("培训 TRAINING").count() == 2 && !slip.contains("pay_") && !slip.contains("QR"), "{slip}");
    let display = shop.till.get("/api/display").await;
    assert_eq!(
        display,
        json!({"kind": "training", "message": "paid", "amount": "12.50", "currency": "CNY", "change": "7.50"})
    );

    let code = shop.plays(json!({"amount_minor": 2400, "method": "code"})).await;
    let shown = shop.played(&code, "state", "presenting").await;
    assert!(shown.get("code_url").is_none(), "there is nothing that anybody could pay: {shown}");
    assert_eq!(shop.till.get("/api/display").await["message"], "scan_code");
    shop.played(&code, "state", "succeeded").await;
    shop.press_played(&code, "refund", json!({"amount_minor": 400})).await;
    shop.played(&code, "state", "partly_refunded").await;
    assert!(shop.till.receipt_with("REFUND").await.contains("培训 TRAINING"));
    let awaiting = shop.till.post("/api/training/sales", &json!({"amount_minor": 900, "method": "scan"}), "scan").await;
    assert_eq!((awaiting.status.as_u16(), &awaiting.body["awaiting_scan"]["amount_minor"]), (202, &json!(900)));
    assert_eq!(shop.till.get("/api/display").await["message"], "show_your_code");
    let scanned = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), &fresh_key()).await;
    assert_eq!(scanned.body["result"], "training_sale", "{}", scanned.body);
    let scanned = scanned.body["sale"]["payment"].as_str().unwrap().to_owned();
    shop.played(&scanned, "state", "succeeded").await;
    shop.press_played(&scanned, "void", nothing()).await;
    shop.played(&scanned, "state", "voided").await;
    assert!(shop.till.receipt_with("VOID").await.contains("培训 TRAINING"));
    shop.press_played(&cash, "reprint", nothing()).await;
    assert!(shop.till.receipt_with("COPY").await.contains("培训 TRAINING"));

    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["sync"], &state["unsent"]["count"]), (&before, &json!(0)));
    assert_eq!(state["open_sales"], json!([]));
    assert_eq!(shop.training("leave").await["training"], Value::Null);
    assert_eq!(shop.till.get("/api/display").await["kind"], "idle");
    assert_eq!(shop.core.look(|known| known.journal.clone()), journal, "core hears nothing of it");
    assert!(shop.core.look(|known| known.created.is_empty() && known.refunds.is_empty()));
    assert_eq!(shop.till.get("/api/books").await, books);
    let items = shop.till.get("/api/sales").await["items"].clone();
    assert_eq!(items.as_array().unwrap().iter().map(number).collect::<Vec<_>>(), [real]);

    let close = json!({"batch": 1, "counted_minor": 10_700});
    let closed = shop.till.post("/api/shift/close", &close, &fresh_key()).await.body;
    assert_eq!(closed["closed"]["over_short_minor"], 0, "{closed}");
    assert_eq!(closed["closed"]["totals"]["cash"]["sales"], json!({"count": 1, "minor": 700}));
    // The next real sale has the next number.
    assert_eq!(shop.till.sell(json!({"amount_minor": 1, "method": "code"})).await["counter"], 2);
    shop.stop_till().await;
    // Opened, sold, closed, keyed: what was real.
    assert_eq!(verify(&shop.folder.path().join("journal.db")).unwrap().entries, 4);
}

/// The shop's own money is in it.
#[tokio::test(flavor = "multi_thread")]
async fn the_drawer_stays_shut_in_training() {
    let (address, connections) = network_printer(|_| Some(WELL));
    let shop = Shop::open_with_printer(address).await;
    let pulses = || connections.try_iter().filter(|bytes| *bytes == DRAWER_PULSE).count();
    shop.training("enter").await;
    let cash = shop.plays(json!({"amount_minor": 1250, "method": "cash"})).await;
    shop.played(&cash, "receipt", "printed").await;
    shop.press_played(&cash, "void", nothing()).await;
    shop.played(&cash, "receipt", "printed").await;
    shop.training("leave").await;
    let before = pulses();
    let real = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await);
    shop.till.sees(real, "receipt", "printed").await;
    assert_eq!((before, pulses()), (0, 1), "and opens for a real sale");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_amount_chooses_how_it_ends() {
    let shop = Shop::open().await;
    shop.training("enter").await;
    for (minor, state, code) in [
        (1201, "failed", json!("insufficient_funds")),
        (1205, "failed", json!("offline")),
        (1250, "succeeded", Value::Null),
    ] {
        let sale = shop.plays(json!({"amount_minor": minor, "method": "scan", "code": GOOD_CODE})).await;
        assert_eq!(shop.played(&sale, "state", state).await["failure"]["code"], code, "{minor}");
    }
    for (minor, end) in [(1202, "succeeded"), (1203, "reversed")] {
        let sale = shop.plays(json!({"amount_minor": minor, "method": "scan", "code": GOOD_CODE})).await;
        let unknown = shop.played(&sale, "state", "unknown").await;
        assert_eq!(unknown["actions"], json!(["query", "cancel"]));
        shop.press_played(&sale, "query", nothing()).await;
        shop.played(&sale, "state", end).await;
    }
    let waits = shop.plays(json!({"amount_minor": 1204, "method": "code"})).await;
    shop.played(&waits, "state", "presenting").await;
    // What is open is ended first, as on any day.
    assert_eq!(shop.told("/api/training/leave", nothing()).await, (409, "training_busy".to_owned()));
    shop.press_played(&waits, "cancel", nothing()).await;
    shop.played(&waits, "state", "cancelled").await;
    shop.training("leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_a_played_sale_for_a_real_one() {
    let mut shop = Shop::open().await;
    let cash = json!({"amount_minor": 1000, "method": "cash"});
    let not_training = (409, "not_training".to_owned());
    assert_eq!(shop.told("/api/training/sales", cash.clone()).await, not_training);
    assert_eq!(shop.told("/api/training/sales/training_1/void", nothing()).await, not_training);
    let (status, _) = shop.till.call(Method::GET, "/api/training/sales", &[], None).await;
    assert_eq!(status, 409);

    let real = shop.till.post("/api/sales", &cash, "real").await.body;
    let real = number(&real);
    let open = number(&shop.till.sell(json!({"amount_minor": 1, "method": "code"})).await);
    shop.till.sees(open, "state", "presenting").await;
    let busy = shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await;
    assert_eq!((busy.status.as_u16(), &busy.body["code"]), (409, &json!("training_busy")));
    assert!(busy.body["detail"].as_str().unwrap().contains("sale 2 is presenting"), "{}", busy.body);
    shop.core.customer_pays(open);
    shop.till.sees(open, "receipt", "printed").await;
    let awaiting = shop.till.post("/api/sales", &json!({"amount_minor": 5, "method": "scan"}), &fresh_key()).await;
    assert_eq!(awaiting.status, 202);
    assert_eq!(shop.told("/api/training/enter", nothing()).await.1, "training_busy");
    shop.till.post("/api/scan/cancel", &nothing(), &fresh_key()).await;

    let entered = shop.till.post("/api/training/enter", &nothing(), "enter").await;
    let again = shop.till.post("/api/training/enter", &nothing(), "enter").await;
    assert_eq!(entered.body["training"], again.body["training"]);
    let training = (409, "training".to_owned());
    for (path, body) in [
        ("/api/sales".to_owned(), cash.clone()),
        ("/api/sales".to_owned(), json!({"amount_minor": 1, "method": "scan"})),
        (format!("/api/sales/{real}/void"), nothing()),
        (format!("/api/sales/{real}/refund"), json!({"amount_minor": 1})),
        (format!("/api/sales/{real}/reprint"), nothing()),
        ("/api/drawer/open".to_owned(), nothing()),
        ("/api/peripherals/drawer/self-test".to_owned(), nothing()),
        ("/api/shift/open".to_owned(), json!({"float_minor": 0, "cashier": "Li"})),
        ("/api/shift/reprint".to_owned(), nothing()),
    ] {
        assert_eq!(shop.told(&path, body).await, training, "{path}");
    }
    assert_eq!(shop.told("/api/scan", json!({"text": real.to_string()})).await.1, "scan_not_awaited");
    // A real press whose answer was lost is still the same sale, not a second one.
    let lost = shop.till.post("/api/sales", &cash, "real").await;
    assert_eq!((lost.status.as_u16(), number(&lost.body)), (200, real));

    // A double tap is one played sale; another body under its key is a mistake of the page.
    let one = shop.till.post("/api/training/sales", &cash, "tap").await;
    let two = shop.till.post("/api/training/sales", &cash, "tap").await;
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 200));
    assert_eq!(one.body["payment"], two.body["payment"]);
    let other = json!({"amount_minor": 1001, "method": "cash"});
    assert_eq!(shop.till.post("/api/training/sales", &other, "tap").await.body["code"], "idempotency_key_reused");
    let played = one.body["payment"].as_str().unwrap().to_owned();
    for (path, body, told) in [
        (format!("/api/training/sales/{played}/refund"), json!({"amount_minor": 1001}), "refund_exceeds"),
        (format!("/api/training/sales/{played}/refund"), nothing(), "body_unreadable"),
        (format!("/api/training/sales/{played}/refund"), json!({"amount_minor": 0}), "amount_invalid"),
        (format!("/api/training/sales/{played}/cancel"), nothing(), "not_now"),
        (format!("/api/training/sales/{played}/steal"), nothing(), "not_found"),
        (format!("/api/training/sales/{real}/void"), nothing(), "sale_not_found"),
        ("/api/training/sales/training_99/void".to_owned(), nothing(), "sale_not_found"),
        (format!("/api/sales/{played}/query"), nothing(), "sale_not_found"),
        ("/api/training/sales".to_owned(), json!({"amount_minor": 0, "method": "cash"}), "amount_invalid"),
    ] {
        assert_eq!(shop.told(&path, body).await.1, told, "{path}");
    }

    // It ends with the agent, whatever ends that; nothing is left of it.
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/state").await["training"], Value::Null);
    let retried = shop.till.post("/api/training/sales", &other, "after").await;
    assert_eq!(retried.body["code"], "not_training");
    assert_eq!(shop.till.get("/api/sales").await["items"].as_array().unwrap().len(), 2);
}
