//! Put aside and taken up again (挂单, 取单), with the number of a table or an order.

use saoma_protocol::{PaymentId, journal::Record};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

impl Shop {
    async fn hold(&self, body: Value) -> Value {
        let reply = self.till.post("/api/held", &body, &fresh_key()).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body
    }

    async fn drops(&self, number: u64) -> Reply {
        self.till.post(&format!("/api/held/{number}/drop"), &nothing(), &fresh_key()).await
    }

    /// Number, amount and reference of what is put aside.
    async fn aside(&self) -> Vec<(u64, i64, String)> {
        let items = self.till.get("/api/held").await["items"].clone();
        assert_eq!(self.till.get("/api/state").await["held"], items);
        let of = |held: &Value| {
            let reference = held["reference"].as_str().unwrap_or_default().to_owned();
            (held["number"].as_u64().unwrap(), held["amount_minor"].as_i64().unwrap(), reference)
        };
        items.as_array().unwrap().iter().map(of).collect()
    }

    fn sold_at_core(&self, payment: PaymentId) -> Option<String> {
        self.core.look(|known| known.payments[&payment].reference.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_put_aside_and_each_is_sold_once_also_after_the_plug_was_pulled() {
    let mut shop = Shop::open().await;
    let first = shop.hold(json!({"amount_minor": 4_850, "reference": " 桌 7 ", "cashier": "Li"})).await;
    assert_eq!(
        (&first["number"], &first["reference"], &first["amount"], &first["cashier"]),
        (&json!(1), &json!("桌 7"), &json!("48.50"), &json!("Li"))
    );
    shop.hold(json!({"amount_minor": 300})).await;
    shop.hold(json!({"amount_minor": 900, "reference": "🍜 4"})).await;
    shop.kill_till();
    shop.start_till().await;
    let aside = |number, minor, reference: &str| (number, minor, reference.to_owned());
    assert_eq!(shop.aside().await, [aside(1, 4_850, "桌 7"), aside(2, 300, ""), aside(3, 900, "🍜 4")]);
    assert_eq!(shop.till.get("/api/held").await["items"][0]["held_at"], first["held_at"], "its age goes on");
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]), "none of them is a sale");
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["sync"]["head"], &state["unsent"]["count"]), (&json!(0), &json!(0)));

    // The table orders more, and pays.
    let more = shop.hold(json!({"amount_minor": 5_000, "reference": "桌 7", "held": 1})).await;
    assert_eq!((&more["number"], &more["held_at"]), (&json!(4), &first["held_at"]));
    assert_eq!(shop.aside().await[0], aside(4, 5_000, "桌 7"), "the oldest first");
    // A page that still shows what it was cannot sell less than the table owes.
    let stale = json!({"amount_minor": 4_850, "method": "cash", "reference": "桌 7", "held": 1});
    assert_eq!(shop.till.post("/api/sales", &stale, &fresh_key()).await.body["code"], "held_not_found");
    let sale = json!({"amount_minor": 5_000, "method": "cash", "reference": "桌 7", "held": 4});
    let sold = shop.till.post("/api/sales", &sale, "table-7").await;
    assert_eq!((sold.status.as_u16(), &sold.body["reference"]), (201, &json!("桌 7")), "{}", sold.body);
    assert!(shop.till.receipt_with("桌号/单号 Order").await.contains("桌 7"));
    shop.nothing_unsent().await;
    let told = |record: &Record| matches!(record, Record::CashSale { reference: Some(table), .. } if table == "桌 7");
    assert!(shop.core.look(|known| known.journal.iter().any(told)), "core learns it with the cash");
    assert_eq!(shop.till.post("/api/sales", &sale, "table-7").await.body["payment"], sold.body["payment"]);
    // The other till's page still shows it.
    let twice = shop.till.post("/api/sales", &sale, &fresh_key()).await;
    assert_eq!((twice.status.as_u16(), &twice.body["code"]), (409, &json!("held_not_found")));

    let scan = json!({"amount_minor": 900, "method": "scan", "reference": "🍜 4", "held": 3});
    assert_eq!(shop.till.post("/api/sales", &scan, "table-4").await.status, 202);
    assert_eq!(shop.aside().await.len(), 2, "nothing is sold before the scan");
    let scanned = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), &fresh_key()).await;
    let payment = number(&scanned.body["sale"]);
    shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!(shop.sold_at_core(payment).as_deref(), Some("🍜 4"), "core shows it to the customer");
    assert_eq!(shop.aside().await, [aside(2, 300, "")]);

    assert_eq!(shop.drops(2).await.status, 200);
    let gone = shop.drops(2).await;
    assert_eq!((gone.status.as_u16(), &gone.body["code"]), (409, &json!("held_not_found")));
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.aside().await, []);
    assert_eq!(shop.hold(json!({"amount_minor": 1})).await["number"], 5, "a number is never used twice");
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    assert_eq!(shop.till.sale(payment).await["reference"], "🍜 4", "and the disk has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_what_is_put_aside_only_once_the_cashier_has_seen_it() {
    let mut shop = Shop::open().await;
    let open = json!({"float_minor": 0, "cashier": "Li"});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    shop.hold(json!({"amount_minor": 4_850, "reference": "7"})).await;
    shop.hold(json!({"amount_minor": 300})).await;
    let close = async |drop_held: Value| {
        let body = json!({"batch": 1, "counted_minor": 0, "drop_held": drop_held});
        shop.till.post("/api/shift/close", &body, &fresh_key()).await
    };
    for seen in [json!([]), json!([1]), json!([1, 3])] {
        let refused = close(seen.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("held_left")), "{seen}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("1 48.50 CNY (7)") && detail.contains("2 3.00 CNY"), "{detail}");
    }
    assert_eq!(shop.aside().await.len(), 2, "nothing goes with a close that was refused");
    let closed = close(json!([2, 1])).await;
    assert_eq!((closed.status.as_u16(), &closed.body["closed"]["expected_minor"]), (200, &json!(0)), "{}", closed.body);
    assert_eq!(shop.aside().await, []);
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.aside().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_aside_is_refused_and_a_double_tap_is_one() {
    let shop = Shop::open().await;
    for (body, code) in [
        (json!({"amount_minor": 0}), "amount_invalid"),
        (json!({"amount_minor": 1_000_000_000_000_i64}), "amount_invalid"),
        (json!({"amount_minor": 1, "reference": "x".repeat(33)}), "reference_invalid"),
        (json!({"amount_minor": 1, "reference": "7\u{202e}"}), "reference_invalid"),
        (json!({"amount_minor": 1, "reference": "7\n8"}), "reference_invalid"),
        (json!({"amount_minor": 1, "cashier": ""}), "cashier_invalid"),
        (json!({"amount_minor": 1, "held": 1}), "held_not_found"),
        (json!({"amount_minor": 1, "method": "cash"}), "body_unreadable"),
    ] {
        assert_eq!(shop.till.post("/api/held", &body, &fresh_key()).await.body["code"], code, "{body}");
    }
    let body = json!({"amount_minor": 700, "reference": "7"});
    let (one, two) = tokio::join!(shop.till.post("/api/held", &body, "tap"), shop.till.post("/api/held", &body, "tap"));
    assert_eq!((one.body["number"].as_u64(), &one.body), (Some(1), &two.body));
    let other = shop.till.post("/api/held", &json!({"amount_minor": 701}), "tap").await;
    assert_eq!(other.body["code"], "idempotency_key_reused");
    let (path, empty) = ("/api/held/1/drop", nothing());
    let (one, two) = tokio::join!(shop.till.post(path, &empty, "drop"), shop.till.post(path, &empty, "drop"));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200), "{} {}", one.body, two.body);
    assert_eq!(shop.till.post("/api/held", &body, "tap").await.body["code"], "held_not_found", "it is gone since");
    for path in ["/api/held/x/drop", "/api/held/-1/drop", "/api/held/99/drop"] {
        assert_eq!(shop.till.post(path, &nothing(), &fresh_key()).await.body["code"], "held_not_found", "{path}");
    }
    for _ in 0..50 {
        shop.hold(json!({"amount_minor": 1})).await;
    }
    assert_eq!(shop.till.post("/api/held", &body, &fresh_key()).await.body["code"], "held_full");

    // In training nothing that is real is put aside or taken up.
    assert_eq!(shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await.status, 200);
    let sale = json!({"amount_minor": 1, "method": "cash", "held": 2});
    for (path, body) in [("/api/held", body), ("/api/held/2/drop", nothing()), ("/api/training/sales", sale)] {
        assert_eq!(shop.till.post(path, &body, &fresh_key()).await.body["code"], "training", "{path}");
    }
    let played = json!({"amount_minor": 1, "method": "cash", "reference": "7"});
    assert_eq!(shop.till.post("/api/training/sales", &played, &fresh_key()).await.body["reference"], "7");
    until("the slip", async || {
        let slip = shop.till.receipt_with("TRAINING").await;
        slip.contains("桌号/单号 Order").then_some(())
    })
    .await;
}
