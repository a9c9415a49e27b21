//! A customer brings goods back to another counter than the one that sold them.

use saoma_edge::journal::{Settings, look};
use saoma_protocol::{PaymentId, TenantId, TerminalId, api::PaymentView, cashier::SupervisorFor, journal::Record};
use serde_json::{Value, json};

use crate::{
    pins::{LI_PIN, WU_PIN},
    shop::{Reply, Shop, fresh_key, nothing, until},
};

/// The number of the other till's third sale.
fn theirs() -> PaymentId {
    PaymentId::for_sale(TenantId::from_bytes([1; 16]), TerminalId::from_bytes([7; 16]), saoma_protocol::Sequence(3))
}

impl Shop {
    /// The other till has sold something for 12.50, paid in that way.
    fn the_other_till_sold(&self, method: &str, state: &str) {
        let view = json!({
            "id": theirs(), "order": saoma_protocol::OrderId::from_bytes([5; 16]), "version": 3, "state": state,
            "amount": {"minor": 1_250, "currency": "CNY"}, "refunded_minor": 0, "method": method, "channel": "sandbox",
            "store": saoma_protocol::StoreId::from_bytes([3; 16]), "terminal": TerminalId::from_bytes([7; 16]),
            "counter": 3, "cashier": "Wu", "reference": "桌 9", "paid_late": false,
            "goods": [{"name": "oolong", "quantity": 1, "price_minor": 1_250}],
            "created_at": 1_790_000_000_000_i64, "updated_at": 1_790_000_000_000_i64,
        });
        let view: PaymentView = serde_json::from_value(view).unwrap();
        self.core.look(|known| known.payments.insert(theirs(), view));
    }

    async fn scans_theirs(&self) -> Reply {
        self.till.post("/api/scan", &json!({"text": theirs()}), &fresh_key()).await
    }

    async fn finds_theirs(&self) -> Value {
        let found = self.scans_theirs().await;
        assert_eq!((found.status.as_u16(), &found.body["result"]), (200, &json!("found")), "{}", found.body);
        found.body["sale"].clone()
    }
}

fn refused(reply: &Reply) -> (u16, String) {
    (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_of_another_till_is_looked_at_and_given_back_through_core_once() {
    let mut shop = Shop::open().await;
    let open = json!({"cashier": "Li", "cashier_number": "7", "float_minor": 0});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    shop.the_other_till_sold("customer_presented", "succeeded");
    let found = shop.finds_theirs().await;
    for (field, value) in [
        ("elsewhere", json!(true)),
        ("counter", json!(3)),
        ("amount_minor", json!(1_250)),
        ("cashier", json!("Wu")),
        ("reference", json!("桌 9")),
        ("actions", json!(["refund"])),
    ] {
        assert_eq!(found[field], value, "{found}");
    }
    for button in ["void", "query", "cancel", "reprint"] {
        assert_eq!(refused(&shop.till.press(theirs(), button, nothing()).await), (409, "not_now".into()), "{button}");
    }
    // It is none of this till's: neither in its list nor in its numbers.
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]));
    assert_eq!(shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await["counter"], 1);

    let path = format!("/api/sales/{}/refund", theirs());
    let part = json!({"amount_minor": 500});
    let given = shop.till.post(&path, &part, "back-1").await;
    assert_eq!(given.status, 200, "{}", given.body);
    let given = shop.till.sees(theirs(), "state", "partly_refunded").await;
    assert_eq!(
        (&given["refunded_minor"], &given["refunds"][0]["state"]),
        (&json!(500), &json!("succeeded")),
        "{given}"
    );
    let slip = shop.till.receipt_with("RETURNED").await;
    assert!(slip.contains("Other till's No.") && slip.contains("5.00"), "{slip}");
    let again = shop.till.post(&path, &part, "back-1").await;
    assert_eq!((again.status.as_u16(), &again.body["refunded_minor"]), (200, &json!(500)));
    let more = shop.till.press(theirs(), "refund", json!({"amount_minor": 751})).await;
    assert_eq!(refused(&more), (409, "refund_exceeds".into()));

    // The plug is pulled; the customer brings back more, and the office gave back something meanwhile.
    shop.kill_till();
    shop.start_till().await;
    shop.online(true).await;
    shop.core.office_gives_back(theirs(), 250);
    let found = shop.finds_theirs().await;
    assert_eq!((&found["refunded_minor"], &found["actions"]), (&json!(750), &json!(["refund", "reprint"])), "{found}");
    let rest = shop.till.press(theirs(), "refund", json!({"amount_minor": 500})).await;
    assert_eq!(rest.status, 200, "{}", rest.body);
    let over = shop.till.sees(theirs(), "state", "refunded").await;
    assert_eq!(over["actions"], json!(["reprint"]), "{over}");
    assert_eq!(shop.till.press(theirs(), "reprint", nothing()).await.status, 200);
    assert!(shop.till.receipt_with("COPY").await.contains("RETURNED"));
    shop.nothing_unsent().await;
    let keyed = shop.core.look(|known| {
        let of_it = |record: &&Record| matches!(record, Record::RefundKeyed { payment, .. } if *payment == theirs());
        assert!(
            !known.journal.iter().any(|record| matches!(record, Record::SaleSettled { .. })),
            "the other till's to say"
        );
        known.journal.iter().filter(of_it).count()
    });
    assert_eq!((keyed, shop.core.look(|known| known.refunds.len())), (2, 3), "two here, one by the office");
    let books = shop.till.get("/api/books").await["terminal"].clone();
    assert_eq!((&books["refunds_count"], &books["sales_count"]), (&json!(0), &json!(1)), "{books}");
    let close = json!({"batch": 1, "counted_minor": 100});
    let closed = shop.till.post("/api/shift/close", &close, &fresh_key()).await;
    let back = &closed.body["closed"]["totals"]["customer_presented"]["refunds"];
    assert_eq!(*back, json!({"count": 2, "minor": 1_000}), "{}", closed.body);
    shop.stop_till().await;
    let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
    let told = look(&settings).unwrap().replay().unwrap();
    assert_eq!((told.sales, told.differences), (1, Vec::new()));
}

/// Core takes it and its answer is lost: it is asked for again under its number, also by the next start.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_followed_up_over_silence_and_a_pulled_plug() {
    let mut shop = Shop::open().await;
    shop.the_other_till_sold("merchant_presented", "succeeded");
    shop.finds_theirs().await;
    shop.core.look(|known| (known.silent, known.refunds_pend) = (true, true));
    let (client, url) = (reqwest::Client::new(), format!("{}/api/sales/{}/refund", shop.till.base, theirs()));
    let request = client.post(url).header("x-saoma-till", "1").header("idempotency-key", "back-1");
    let pressed = tokio::spawn(request.json(&json!({"amount_minor": 300})).send());
    until("the refund to be written", async || {
        let sale = shop.till.sale(theirs()).await;
        sale["refunds"].as_array().is_some_and(|refunds| refunds.len() == 1).then_some(())
    })
    .await;
    shop.kill_till();
    pressed.abort();
    shop.core.look(|known| known.silent = false);
    shop.start_till().await;
    until("core to have it", async || shop.core.look(|known| (known.refunds.len() == 1).then_some(()))).await;
    let pending = until("the till to know", async || {
        let sale = shop.till.sale(theirs()).await;
        (sale["refunds"][0]["state"] == "pending").then_some(sale)
    })
    .await;
    assert_eq!(pending["elsewhere"], true, "{pending}");
    shop.core.refunds_end();
    until("the refund to end", async || {
        let sale = shop.till.sale(theirs()).await;
        (sale["refunds"][0]["state"] == "succeeded").then_some(())
    })
    .await;
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.refunds.len()), 1, "once");
    assert_eq!(shop.till.get("/api/state").await["open_sales"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_back_here_says_why_and_what_to_do() {
    let mut shop = Shop::open().await;
    assert_eq!(refused(&shop.scans_theirs().await), (404, "receipt_unknown".into()));
    shop.the_other_till_sold("cash", "succeeded");
    assert_eq!(refused(&shop.scans_theirs().await), (409, "cash_elsewhere".into()));
    shop.the_other_till_sold("by_a_later_core", "succeeded");
    assert_eq!(refused(&shop.scans_theirs().await), (409, "receipt_elsewhere".into()));
    for state in ["pending", "unknown", "failed", "refunded", "voided"] {
        shop.the_other_till_sold("customer_presented", state);
        if matches!(state, "refunded" | "voided") {
            shop.core.look(|known| known.payments.get_mut(&theirs()).unwrap().refunded_minor = 1_250);
        }
        assert_eq!(shop.finds_theirs().await["actions"], json!([]), "{state}");
        let tried = shop.till.press(theirs(), "refund", json!({"amount_minor": 100})).await;
        assert!(matches!(refused(&tried).1.as_str(), "not_now" | "refund_exceeds"), "{state}: {}", tried.body);
    }
    // Core's rules may be narrower than the till's.
    shop.the_other_till_sold("customer_presented", "succeeded");
    shop.finds_theirs().await;
    let tried = shop.till.press(theirs(), "refund", json!({"amount_minor": 404})).await;
    assert_eq!(refused(&tried), (409, "refund_window_over".into()));
    // Training gives nothing of it back, and looks at nothing.
    shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await;
    assert_eq!(refused(&shop.scans_theirs().await), (409, "scan_not_awaited".into()));
    let tried = shop.till.press(theirs(), "refund", json!({"amount_minor": 100})).await;
    assert_eq!(refused(&tried), (409, "training".into()));
    shop.till.post("/api/training/leave", &nothing(), &fresh_key()).await;
    // Nor does a till without a network.
    shop.core.switch_off().await;
    shop.online(false).await;
    assert_eq!(refused(&shop.scans_theirs().await), (409, "receipt_elsewhere".into()));
    let tried = shop.till.press(theirs(), "refund", json!({"amount_minor": 100})).await;
    assert_eq!(refused(&tried), (503, "core_unreachable".into()));
    shop.core.switch_on();
    shop.online(true).await;
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.refunds.len()), 0, "nothing went back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_approves_it_as_any_refund() {
    let shop = Shop::staffed(SupervisorFor::Refunds).await;
    assert_eq!(shop.signs_on("07", LI_PIN).await.status, 201);
    shop.the_other_till_sold("card", "succeeded");
    shop.finds_theirs().await;
    let part = json!({"amount_minor": 500});
    assert_eq!(refused(&shop.till.press(theirs(), "refund", part).await), (409, "supervisor_needed".into()));
    let approved = json!({"amount_minor": 500, "supervisor": {"staff_code": "08", "pin": WU_PIN}});
    let given = shop.till.press(theirs(), "refund", approved).await;
    assert_eq!(
        (given.status.as_u16(), &given.body["refunds"][0]["approved_by"]),
        (200, &json!("吴")),
        "{}",
        given.body
    );
    shop.nothing_unsent().await;
    let by = shop.core.look(|known| {
        known.journal.iter().find_map(|record| match record {
            Record::RefundKeyed { approved_by, .. } => approved_by.as_ref().map(|approver| approver.name.clone()),
            _ => None,
        })
    });
    assert_eq!(by.as_deref(), Some("吴"));
}
