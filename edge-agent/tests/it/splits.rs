//! A total that is paid in parts (分次付款): several tenders, the plug pulled in the middle, a part in doubt, and all of it given back.

use saoma_protocol::{
    PaymentId,
    api::{PaymentState, RefundState},
    journal::Record,
};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

impl Shop {
    async fn begins(&self, total: i64, minor: i64, mut more: Value) -> Reply {
        more["amount_minor"] = json!(minor);
        more["split"] = json!({"begin": {"total_minor": total}});
        self.till.post("/api/sales", &more, &fresh_key()).await
    }

    async fn goes_on(&self, split: u64, rest: i64, minor: i64, mut more: Value) -> Reply {
        more["amount_minor"] = json!(minor);
        more["split"] = json!({"go_on": {"number": split, "rest_minor": rest}});
        self.till.post("/api/sales", &more, &fresh_key()).await
    }

    async fn split(&self, number: u64) -> Value {
        self.till.get(&format!("/api/splits/{number}")).await
    }

    async fn split_is(&self, number: u64, state: &str) -> Value {
        until(&format!("split {number} to be {state}"), async || {
            let split = self.split(number).await;
            (split["state"] == state).then_some(split)
        })
        .await
    }

    async fn gives_back(&self, split: u64) -> Reply {
        self.till.post(&format!("/api/splits/{split}/give-back"), &nothing(), &fresh_key()).await
    }

    /// Numbers and rests of the splits that are not finished.
    async fn unfinished(&self) -> Vec<(u64, i64)> {
        let state = self.till.get("/api/state").await;
        let of = |split: &Value| (split["number"].as_u64().unwrap(), split["rest_minor"].as_i64().unwrap());
        state["splits"].as_array().unwrap().iter().map(of).collect()
    }
}

fn cash() -> Value {
    json!({"method": "cash"})
}

fn scan() -> Value {
    json!({"method": "scan", "code": GOOD_CODE})
}

fn sale_of(reply: &Reply) -> PaymentId {
    assert_eq!(reply.status, 201, "{}", reply.body);
    number(&reply.body)
}

fn code(reply: &Reply) -> (u16, &str) {
    (reply.status.as_u16(), reply.body["code"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_and_two_codes_pay_one_total_and_one_slip_has_all_of_them_also_after_the_plug_was_pulled() {
    let mut shop = Shop::open().await;
    let goods = json!([{"name": "火锅 Hotpot", "quantity": 1, "price_minor": 12_000}]);
    let first = shop.begins(12_000, 5_000, json!({"method": "cash", "goods": goods, "reference": "桌 7"})).await;
    let paid_cash = sale_of(&first);
    assert_eq!(
        (&first.body["split"], &first.body["receipt"], &first.body["goods"]),
        (&json!({"number": 1, "part": 1, "total_minor": 12_000}), &json!("none"), &json!([])),
    );
    assert_eq!(shop.unfinished().await, [(1, 7_000)]);
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.unfinished().await, [(1, 7_000)], "it is on the disk");

    let scanned = sale_of(&shop.goes_on(1, 7_000, 3_000, scan()).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    // The page beside still shows what was to be paid before.
    assert_eq!(code(&shop.goes_on(1, 7_000, 4_000, cash()).await), (409, "split_changed"));
    assert_eq!(code(&shop.goes_on(1, 4_000, 4_001, cash()).await), (409, "split_amount"));
    let shown = sale_of(&shop.goes_on(1, 4_000, 4_000, json!({"method": "code"})).await);
    shop.till.sees(shown, "state", "presenting").await;
    assert_eq!(code(&shop.goes_on(1, 4_000, 4_000, cash()).await), (409, "split_busy"), "the customer may be paying");
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.split(1).await["in_the_way"], json!(shown));
    shop.core.customer_pays(shown);
    let split = shop.split_is(1, "paid").await;
    assert_eq!((&split["paid_minor"], &split["rest_minor"]), (&json!(12_000), &json!(0)));
    assert_eq!(shop.unfinished().await, []);
    let slip = shop.till.receipt_with("分次付款 Split").await;
    for words in ["120.00 CNY", "火锅 Hotpot", "桌 7", "50.00", "30.00", "40.00", &paid_cash.to_string()] {
        assert!(slip.contains(words), "{words} on\n{slip}");
    }
    assert_eq!(slip.matches("火锅").count(), 1, "the goods once\n{slip}");
    until("the slip", async || (shop.split(1).await["receipt"] == "printed").then_some(())).await;

    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    let (told, goods, parts) = shop.core.look(|known| {
        let told = [scanned, shown].map(|payment| known.payments[&payment].reference.clone().unwrap());
        let goods: usize = known.payments.values().map(|view| view.goods.len()).sum();
        let parts: Vec<_> = known
            .journal
            .iter()
            .filter_map(|record| match record {
                Record::CashSale { split, .. } | Record::SaleKeyed { split, .. } => split.clone(),
                _ => None,
            })
            .collect();
        (told, goods, parts)
    });
    assert_eq!((told, goods), (["桌 7", "桌 7"].map(str::to_owned), 0));
    let of: Vec<_> = parts.iter().map(|part| (part.of.0, part.part, part.total.minor(), part.goods.len())).collect();
    assert_eq!(of, [(1, 1, 12_000, 1), (1, 2, 12_000, 0), (1, 3, 12_000, 0)]);

    // Any part's receipt code finds the whole, and the slip comes again.
    let found = shop.till.post("/api/scan", &json!({"text": shown.to_string()}), &fresh_key()).await;
    assert_eq!((&found.body["result"], &found.body["sale"]["split"]["number"]), (&json!("found"), &json!(1)));
    let again = shop.till.post("/api/splits/1/reprint", &nothing(), &fresh_key()).await;
    assert_eq!(again.status, 200, "{}", again.body);
    shop.till.receipt_with("重印 COPY").await;
    assert_eq!(code(&shop.till.press(shown, "reprint", nothing()).await), (409, "not_now"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_over_the_rest_gives_change_and_a_double_tap_pays_once() {
    let shop = Shop::open().await;
    sale_of(&shop.begins(12_000, 5_000, cash()).await);
    let body = json!({"amount_minor": 7_000, "method": "cash", "tendered_minor": 10_000,
                      "split": {"go_on": {"number": 1, "rest_minor": 7_000}}});
    let (one, two) =
        tokio::join!(shop.till.post("/api/sales", &body, "tap"), shop.till.post("/api/sales", &body, "tap"));
    assert_eq!(one.body["payment"], two.body["payment"]);
    assert_eq!(one.body["change_minor"], 3_000);
    // Two pages, each with a key of its own.
    assert_eq!(code(&shop.till.post("/api/sales", &body, &fresh_key()).await), (409, "split_changed"));
    assert_eq!(shop.split(1).await["parts"].as_array().unwrap().len(), 2);
    let slip = shop.till.receipt_with("找零 Change").await;
    assert!(slip.contains("30.00") && slip.contains("100.00"), "{slip}");
    for (total, minor) in [(100, 100), (100, 101)] {
        assert_eq!(code(&shop.begins(total, minor, cash()).await), (409, "split_amount"), "{total} {minor}");
    }
    assert_eq!(code(&shop.begins(0, 1, cash()).await), (422, "amount_invalid"));
    let brings = shop.goes_on(1, 100, 50, json!({"method": "cash", "reference": "8"})).await;
    assert_eq!(code(&brings), (422, "method_invalid"));
    for path in ["/api/splits/99/give-back", "/api/splits/x/reprint"] {
        assert_eq!(code(&shop.till.post(path, &nothing(), &fresh_key()).await), (404, "sale_not_found"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_failed_leaves_the_rest_and_one_in_doubt_lets_nothing_be_collected() {
    let mut shop = Shop::open().await;
    sale_of(&shop.begins(9_000, 2_000, cash()).await);
    let declined = shop.goes_on(1, 7_000, 3_000, json!({"method": "scan", "code": "289999999999"})).await;
    shop.till.sees(sale_of(&declined), "state", "failed").await;
    assert_eq!(shop.unfinished().await, [(1, 7_000)], "another way may be tried");

    // Core takes the next one and falls silent: nobody knows whether it is paid.
    shop.core.look(|known| known.silent = true);
    let silent = sale_of(&shop.goes_on(1, 7_000, 3_000, scan()).await);
    for rest in [7_000, 4_000] {
        assert_eq!(code(&shop.goes_on(1, rest, 4_000, cash()).await), (409, "split_busy"), "{rest}");
    }
    assert_eq!(code(&shop.gives_back(1).await), (409, "split_busy"));
    shop.core.switch_off().await;
    shop.kill_till();
    shop.start_till().await;
    // Before core has spoken of it, it is as unknown as before.
    assert_eq!(code(&shop.goes_on(1, 7_000, 7_000, cash()).await), (409, "split_busy"));
    shop.core.look(|known| known.silent = false);
    shop.core.switch_on();
    shop.till.sees(silent, "state", "succeeded").await;
    until("the rest", async || (shop.unfinished().await == [(1, 4_000)]).then_some(())).await;
    sale_of(&shop.goes_on(1, 4_000, 4_000, cash()).await);
    shop.split_is(1, "paid").await;
    assert_eq!(shop.core.look(|known| known.created.iter().filter(|key| **key == silent.to_string()).count()), 1);
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_it_paid_and_given_up_goes_back_part_by_part_over_a_restart() {
    let mut shop = Shop::open().await;
    let paid_cash = sale_of(&shop.begins(10_000, 2_500, cash()).await);
    let paid = sale_of(&shop.goes_on(1, 7_500, 3_000, scan()).await);
    shop.till.sees(paid, "state", "succeeded").await;
    shop.core.look(|known| known.refunds_pend = true);
    let body = nothing();
    let (one, two) = tokio::join!(
        shop.till.post("/api/splits/1/give-back", &body, "back"),
        shop.till.post("/api/splits/1/give-back", &body, "back")
    );
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200), "{} {}", one.body, two.body);
    shop.kill_till();
    shop.start_till().await;
    shop.till.sees(paid_cash, "state", "voided").await;
    shop.till.sees(paid, "state", "voided").await;
    let pends = shop.split(1).await;
    assert_eq!(
        (&pends["state"], &pends["in_the_way"], &pends["actions"]),
        (&json!("giving_back"), &json!(paid), &json!([])),
        "the channel may say no yet"
    );
    shop.core.refunds_end();
    let split = shop.split_is(1, "given_back").await;
    assert_eq!((&split["paid_minor"], &split["actions"]), (&json!(0), &json!([])));
    until("the refund", async || {
        let sale = shop.till.sale(paid).await;
        (sale["refunds"][0]["state"] == "succeeded" && sale["settled"] == true).then_some(())
    })
    .await;
    // Core's word on the refund may come before that on the payment.
    shop.till.sees(paid, "state", "voided").await;
    for payment in [paid_cash, paid] {
        let refunds = shop.till.sale(payment).await["refunds"].clone();
        assert_eq!(refunds.as_array().unwrap().len(), 1, "once: {refunds}");
    }
    assert_eq!(code(&shop.gives_back(1).await), (409, "split_over"));
    assert_eq!(code(&shop.goes_on(1, 10_000, 100, cash()).await), (409, "split_changed"));
    let reprint = shop.till.post("/api/splits/1/reprint", &nothing(), &fresh_key()).await;
    assert_eq!(code(&reprint), (409, "split_over"), "it never was a sale");
    shop.nothing_unsent().await;
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
    let counted =
        shop.core.look(|known| known.refunds.values().filter(|one| one.state == RefundState::Succeeded).count());
    assert_eq!(counted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_that_was_paid_is_undone_as_one_and_what_core_does_not_give_back_is_told() {
    let mut shop = Shop::open().await;
    sale_of(&shop.begins(5_000, 2_000, scan()).await);
    until("the first part", async || (shop.unfinished().await == [(1, 3_000)]).then_some(())).await;
    let paid_cash = sale_of(&shop.goes_on(1, 3_000, 3_000, cash()).await);
    shop.split_is(1, "paid").await;
    shop.core.switch_off().await;
    assert_eq!(shop.gives_back(1).await.status, 200);
    let left = shop.split_is(1, "partly_given_back").await;
    assert_eq!(
        (&left["paid_minor"], shop.till.sale(paid_cash).await["state"].as_str()),
        (&json!(2_000), Some("voided"))
    );
    let alarms = shop.till.get("/api/state").await["alarms"].to_string();
    assert!(alarms.contains("split_not_given_back") && alarms.contains("20.00"), "{alarms}");
    shop.core.switch_on();
    shop.online(true).await;
    assert_eq!(shop.gives_back(1).await.status, 200);
    shop.split_is(1, "given_back").await;
    let copy = shop.till.post("/api/splits/1/reprint", &nothing(), &fresh_key()).await;
    assert_eq!(copy.status, 200, "{}", copy.body);
    let slip = shop.till.receipt_with("重印 COPY").await;
    assert!(slip.contains("-30.00") && slip.contains("-20.00"), "{slip}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_that_core_reserves_tells_of_and_then_declines_leaves_the_money_told_and_the_goods_sold() {
    let shop = Shop::open().await;
    let paid = sale_of(&shop.begins(10_000, 3_000, scan()).await);
    shop.till.sees(paid, "state", "succeeded").await;
    shop.core.look(|known| known.voids_fail = true);
    assert_eq!(shop.gives_back(1).await.status, 200);
    let left = shop.split_is(1, "partly_given_back").await;
    assert_eq!((&left["paid_minor"], &left["actions"]), (&json!(3_000), &json!(["give_back"])));
    let state = shop.till.get("/api/state").await;
    assert!(state["alarms"].to_string().contains("30.00"), "{}", state["alarms"]);
    assert_eq!(state["splits"][0]["state"], "partly_given_back", "it is still to be looked at");
    // Not voided again, but refunded.
    assert_eq!(shop.gives_back(1).await.status, 200);
    shop.split_is(1, "given_back").await;
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["splits"], state["alarms"].to_string().contains("30.00")), (&json!([]), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_the_office_is_waited_for_and_when_it_fails_nothing_is_collected_twice() {
    let shop = Shop::open().await;
    let paid = sale_of(&shop.begins(10_000, 3_000, scan()).await);
    shop.till.sees(paid, "state", "succeeded").await;
    shop.core.look(|known| known.refunds_pend = true);
    shop.core.office_gives_back(paid, 3_000);
    until("the refund to be in the way", async || (!shop.split(1).await["in_the_way"].is_null()).then_some(())).await;
    assert_eq!(code(&shop.goes_on(1, 10_000, 10_000, cash()).await), (409, "split_busy"));
    shop.core.refunds_fail(paid);
    until("the rest", async || {
        let split = shop.split(1).await;
        (split["in_the_way"].is_null() && split["rest_minor"] == 7_000).then_some(())
    })
    .await;
    sale_of(&shop.goes_on(1, 7_000, 7_000, cash()).await);
    shop.split_is(1, "paid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_batch_is_closed_over_an_open_split_and_each_part_counts_by_its_method() {
    let shop = Shop::open().await;
    let open = json!({"float_minor": 10_000, "cashier": "Li"});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    sale_of(&shop.begins(8_000, 5_000, cash()).await);
    let close = async |counted: i64| {
        let body = json!({"batch": 1, "counted_minor": counted});
        shop.till.post("/api/shift/close", &body, &fresh_key()).await
    };
    let refused = close(15_000).await;
    assert_eq!(code(&refused), (409, "shift_busy"));
    assert!(
        refused.body["detail"].as_str().unwrap().contains("split payment 1 is open, 30.00 of 80.00"),
        "{}",
        refused.body
    );
    // Nor is a customer left standing for training, in which none of it is played.
    assert_eq!(code(&shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await), (409, "training_busy"));
    let scanned = sale_of(&shop.goes_on(1, 3_000, 3_000, scan()).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    shop.split_is(1, "paid").await;
    let closed = close(15_000).await;
    assert_eq!(closed.status, 200, "{}", closed.body);
    let totals = &closed.body["closed"]["totals"];
    assert_eq!(totals["cash"]["sales"], json!({"count": 1, "minor": 5_000}));
    assert_eq!(totals["customer_presented"]["sales"], json!({"count": 1, "minor": 3_000}));
    assert_eq!(closed.body["closed"]["over_short_minor"], 0);

    assert_eq!(shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await.status, 200);
    let played = json!({"amount_minor": 1, "method": "cash", "split": {"begin": {"total_minor": 2}}});
    assert_eq!(code(&shop.till.post("/api/training/sales", &played, &fresh_key()).await), (409, "training"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_aside_becomes_a_split_once_and_a_scan_that_is_awaited_is_its_part() {
    let shop = Shop::open().await;
    let held = json!({"amount_minor": 6_000, "reference": "包厢 3"});
    assert_eq!(shop.till.post("/api/held", &held, &fresh_key()).await.status, 201);
    let awaits = shop.begins(6_000, 2_000, json!({"method": "scan", "reference": "包厢 3", "held": 1})).await;
    assert_eq!(awaits.status, 202, "{}", awaits.body);
    assert_eq!(shop.unfinished().await, [], "nothing is begun before the scan");
    let scanned = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), &fresh_key()).await;
    shop.till.sees(number(&scanned.body["sale"]), "state", "succeeded").await;
    until("the rest", async || (shop.unfinished().await == [(1, 4_000)]).then_some(())).await;
    assert_eq!(shop.till.get("/api/held").await["items"], json!([]));
    let twice = shop.begins(6_000, 2_000, json!({"method": "cash", "held": 1})).await;
    assert_eq!(code(&twice), (409, "held_not_found"));
    // Somebody else is served meanwhile.
    assert_eq!(shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await["state"], "succeeded");
    let awaits = shop.goes_on(1, 4_000, 4_000, json!({"method": "scan"})).await;
    assert_eq!(awaits.status, 202, "{}", awaits.body);
    // The part that was paid goes back while the next customer looks for the phone: the rest is another by now.
    let part = number(&scanned.body["sale"]);
    assert_eq!(shop.till.press(part, "refund", json!({"amount_minor": 500})).await.status, 200);
    until("the rest", async || (shop.unfinished().await == [(1, 4_500)]).then_some(())).await;
    let late = shop.till.post("/api/scan", &json!({"text": GOOD_CODE}), &fresh_key()).await;
    assert_eq!(code(&late), (409, "split_changed"));
    let sent = shop.core.look(|known| {
        let paid = known.payments.values().filter(|view| view.state == PaymentState::Succeeded);
        (known.payments.len(), paid.count())
    });
    assert_eq!(sent, (1, 0), "core never got it");
}
