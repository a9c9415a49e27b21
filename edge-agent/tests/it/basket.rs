//! Goods with barcodes: the catalogue arrives, a basket is scanned and sold, with core and without.

use saoma_protocol::{
    Currency, GoodsId, Money, TaxRateId,
    api::{CatalogueGoods, CatalogueRate, GoodsTax},
    journal::Record,
};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

const TEA: &str = "4006381333931";
const CUP: &str = "0036000291452";
const BEER: &str = "shop-7";

fn rates() -> Vec<CatalogueRate> {
    let rate = |number: u8, name: &str, basis_points, included| CatalogueRate {
        id: TaxRateId::from_bytes([number; 16]),
        tax: GoodsTax { name: name.to_owned(), basis_points, included },
    };
    vec![rate(1, "增值税 VAT", 1_300, true), rate(2, "酒税 Liquor", 825, false)]
}

fn goods(number: u8, name: &str, barcode: &str, price_minor: i64, rate: Option<u8>) -> CatalogueGoods {
    CatalogueGoods {
        id: GoodsId::from_bytes([number; 16]),
        name: name.to_owned(),
        barcodes: vec![barcode.to_owned()],
        price: Money::new(price_minor, Currency::CNY),
        tax_rate: rate.map(|rate| TaxRateId::from_bytes([rate; 16])),
    }
}

fn tea(price_minor: i64) -> CatalogueGoods {
    goods(1, "茶叶 Tea", TEA, price_minor, Some(1))
}

impl Shop {
    async fn sells(&self, changes: impl IntoIterator<Item = (CatalogueGoods, bool)>, count: u64) {
        let before = self.core.look(|known| known.goods_asked.len());
        self.core.office_sells(&rates(), changes);
        until("the catalogue", async || {
            let is_asked = self.core.look(|known| known.goods_asked.len()) > before;
            (is_asked && self.till.get("/api/state").await["catalogue_count"] == count).then_some(())
        })
        .await;
    }

    async fn stocked() -> Self {
        let shop = Self::open().await;
        let cup = goods(2, "杯子 Cup", CUP, 1_001, Some(1));
        let beer = goods(3, "啤酒 Beer", BEER, 777, Some(2));
        shop.sells([(tea(333), true), (cup, true), (beer, true)], 3).await;
        shop
    }

    async fn scan(&self, text: &str) -> Reply {
        self.till.post("/api/scan", &json!({ "text": text }), &fresh_key()).await
    }

    async fn basket(&self) -> Value {
        self.till.get("/api/basket").await["basket"].clone()
    }

    /// Presses on the basket as it stands.
    async fn presses(&self, press: Value) -> Reply {
        let revision = self.basket().await["revision"].as_u64().unwrap_or(0);
        self.till.post("/api/basket", &json!({ "revision": revision, "press": press }), &fresh_key()).await
    }

    async fn done(&self, press: Value) -> Value {
        let reply = self.presses(press).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["basket"].clone()
    }

    /// A sale of the basket as it stands.
    async fn sale(&self, method: &str) -> Value {
        let basket = self.basket().await;
        let total = &basket["totals"]["total_minor"];
        json!({ "amount_minor": total, "method": method, "basket": basket["revision"] })
    }
}

fn lines(basket: &Value) -> Vec<(i64, i64)> {
    let lines = basket["lines"].as_array().unwrap().iter();
    lines.map(|line| (line["quantity"].as_i64().unwrap(), line["total_minor"].as_i64().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_sold_without_core_and_core_gets_its_lines() {
    let mut shop = Shop::stocked().await;
    shop.core.switch_off().await;
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/state").await["catalogue_count"], 3, "it is on the disk");
    // The UPC-A as its package has it; the agent knows it by its EAN-13.
    for text in [TEA, "036000291452", TEA, "shop-7\r\n", TEA, BEER] {
        let scanned = shop.scan(text).await;
        assert_eq!((scanned.status.as_u16(), &scanned.body["result"]), (200, &json!("basket")), "{}", scanned.body);
    }
    shop.done(json!({ "other": { "price_minor": 50, "quantity": 1, "name": "其他 Other" } })).await;
    shop.done(json!({ "discount": { "line": 0, "discount": { "basis_points": 1_000 } } })).await;
    shop.done(json!({ "discount": { "line": 2, "discount": { "minor": 54 } } })).await;
    let basket = shop.done(json!({ "discount": { "line": null, "discount": { "minor": 100 } } })).await;
    assert_eq!(lines(&basket), [(3, 899), (1, 1_001), (2, 1_500), (1, 50)]);
    // 3450 before the discount on all; the tax on liquor comes on top of what is left of 1500.
    let totals = &basket["totals"];
    assert_eq!(
        totals,
        &json!({ "gross_minor": 3_604, "discount_minor": 154, "sale_discount_minor": 100, "total_minor": 3_470, "taxes": [
            { "tax": { "name": "增值税 VAT", "basis_points": 1_300, "included": true }, "base_minor": 1_845, "tax_minor": 212 },
            { "tax": { "name": "酒税 Liquor", "basis_points": 825, "included": false }, "base_minor": 1_456, "tax_minor": 120 },
        ] })
    );
    let display = shop.till.get("/api/display").await;
    assert_eq!((&display["kind"], &display["total"]), (&json!("basket"), &json!("34.70")));

    let mut sale = shop.sale("cash").await;
    sale["tendered_minor"] = json!(4_000);
    let sold = shop.till.post("/api/sales", &sale, "basket").await;
    assert_eq!((sold.status.as_u16(), &sold.body["amount_minor"]), (201, &json!(3_470)), "{}", sold.body);
    assert_eq!(shop.basket().await, Value::Null);
    let again = shop.till.post("/api/sales", &sale, "basket").await;
    assert_eq!((again.status.as_u16(), &again.body["payment"]), (200, &sold.body["payment"]));
    let receipt = shop.till.receipt_with("34.70 CNY").await;
    for words in ["-1.00", "杯子 Cup ×1", "8.25%", "1.20", "13%", "2.12", "5.30"] {
        assert!(receipt.contains(words), "{words} on\n{receipt}");
    }
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let lines = shop.core.look(|known| match known.journal.last() {
        Some(Record::CashSale { goods, .. }) => goods.clone(),
        other => panic!("no sale but {other:?}"),
    });
    assert_eq!(saoma_protocol::pricing::totals(&lines).unwrap().total_minor, 3_470);
    assert_eq!(lines[2].tax.as_ref().map(|tax| tax.basis_points), Some(825));
    assert_eq!(shop.till.get("/api/books").await["agree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_changes_is_that_of_the_next_line_and_what_is_gone_is_unknown() {
    let mut shop = Shop::stocked().await;
    shop.scan(TEA).await;
    shop.sells([(tea(350), true)], 3).await;
    until("the new price", async || {
        let basket = shop.scan(TEA).await.body["basket"].clone();
        (basket["lines"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    let basket = shop.basket().await;
    assert_eq!((&basket["lines"][0]["price_minor"], &basket["lines"][1]["price_minor"]), (&json!(333), &json!(350)));
    shop.sells([(tea(350), false)], 2).await;
    let gone = shop.scan(TEA).await;
    assert_eq!((gone.status.as_u16(), &gone.body["code"]), (404, &json!("barcode_unknown")));
    assert!(gone.body["detail"].as_str().unwrap().contains(&format!("ends in {} ", &TEA[9..])), "{}", gone.body);
    // What was scanned before is sold as it was.
    assert_eq!(lines(&shop.basket().await).len(), 2);
    // The code is given to something else; and after a restart only what is new is asked for.
    shop.sells([(goods(4, "糖 Sugar", TEA, 100, None), true)], 3).await;
    assert_eq!(shop.scan(TEA).await.body["scanned"]["name"], "糖 Sugar");
    shop.kill_till();
    shop.core.look(|known| known.goods_asked.clear());
    shop.start_till().await;
    until("the first question", async || shop.core.look(|known| known.goods_asked.first().copied())).await;
    assert_eq!(shop.core.look(|known| known.goods_asked[0]), 6);
    assert_eq!(shop.scan(TEA).await.body["scanned"]["name"], "糖 Sugar");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_catalogue_is_said_so_and_a_customers_code_is_not_repeated() {
    let shop = Shop::open().await;
    // Without a catalogue nothing is goods.
    assert_eq!(shop.scan(TEA).await.body["code"], "scan_not_awaited");
    shop.sells([(tea(333), true)], 1).await;
    for (text, code, told) in [
        (CUP, "barcode_unknown", "ends in 1452 "),
        ("]E00036000291452\r", "barcode_unknown", "ends in 1452 "),
        ("no-such", "barcode_unknown", "the barcode is not"),
        ("281234567890123456", "scan_not_awaited", ""),
        ("]Q3281234567890123456", "scan_not_awaited", ""),
        ("00020101021238", "barcode_unknown", "the barcode is not"),
    ] {
        let refused = shop.scan(text).await;
        assert_eq!(refused.body["code"], code, "{text}");
        let detail = refused.body["detail"].as_str().unwrap().to_lowercase();
        assert!(detail.contains(told) && !refused.body.to_string().contains(text), "{}", refused.body);
    }
    assert_eq!(shop.basket().await, Value::Null);
    // A scanner that says which kind of code it has read.
    assert_eq!(shop.scan(&format!("]E0{TEA}")).await.body["scanned"]["name"], "茶叶 Tea");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_shows_another_basket_changes_and_sells_nothing() {
    let shop = Shop::stocked().await;
    shop.scan(TEA).await;
    let old = shop.sale("cash").await;
    let clear = json!({ "revision": old["basket"], "press": { "clear": {} } });
    shop.scan(CUP).await;
    let refused = shop.till.post("/api/sales", &old, &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("basket_changed")));
    assert_eq!(shop.till.post("/api/basket", &clear, &fresh_key()).await.body["code"], "basket_changed");
    // What the page says that it costs, or is in it, is not believed.
    let mut cheap = shop.sale("cash").await;
    cheap["amount_minor"] = json!(1);
    assert_eq!(shop.till.post("/api/sales", &cheap, &fresh_key()).await.body["code"], "basket_changed");
    let mut named = shop.sale("cash").await;
    named["goods"] = json!([{ "name": "x", "quantity": 1, "price_minor": 1 }]);
    assert_eq!(shop.till.post("/api/sales", &named, &fresh_key()).await.body["code"], "goods_invalid");
    let taxed = json!([{ "name": "x", "quantity": 1, "price_minor": 1, "discount_minor": 1 }]);
    let keyed = json!({ "amount_minor": 1, "method": "cash", "goods": taxed });
    assert_eq!(shop.till.post("/api/sales", &keyed, &fresh_key()).await.body["code"], "goods_invalid");
    for (press, code) in [
        (json!({ "quantity": { "line": 2, "quantity": 1 } }), "basket_invalid"),
        (json!({ "quantity": { "line": 0, "quantity": 10_000 } }), "basket_invalid"),
        (json!({ "discount": { "line": 0, "discount": { "minor": 334 } } }), "basket_invalid"),
        (json!({ "other": { "price_minor": -1, "quantity": 1, "name": "x" } }), "basket_invalid"),
        (json!({ "other": { "price_minor": 1, "quantity": 1, "name": "\u{202e}" } }), "goods_invalid"),
        (json!({ "take_up": { "held": 1 } }), "basket_busy"),
        (json!({ "tip": {} }), "body_unreadable"),
    ] {
        assert_eq!(shop.presses(press.clone()).await.body["code"], code, "{press}");
    }
    // A press that comes twice is one.
    let basket = shop.basket().await;
    assert_eq!(lines(&basket), [(1, 333), (1, 1_001)]);
    let twice = json!({ "revision": basket["revision"], "press": { "quantity": { "line": 0, "quantity": 4 } } });
    let one = shop.till.post("/api/basket", &twice, "twice").await;
    let two = shop.till.post("/api/basket", &twice, "twice").await;
    assert_eq!((one.status.as_u16(), &one.body), (200, &two.body));
    let scan = json!({ "text": TEA });
    shop.till.post("/api/scan", &scan, "scan").await;
    assert_eq!(lines(&shop.till.post("/api/scan", &scan, "scan").await.body["basket"]), [(5, 1_665), (1, 1_001)]);
    // With a discount of all of it there is nothing to pay.
    shop.done(json!({ "discount": { "line": null, "discount": { "basis_points": 10_000 } } })).await;
    let free = shop.sale("cash").await;
    assert_eq!(shop.till.post("/api/sales", &free, &fresh_key()).await.body["code"], "amount_invalid");
    // Training has no real basket.
    assert_eq!(shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await.status, 200);
    assert_eq!(shop.presses(json!({ "clear": {} })).await.body["code"], "training");
    assert_eq!(shop.scan(TEA).await.body["code"], "scan_not_awaited");
    let real = json!({ "amount_minor": 1, "method": "cash", "basket": 0 });
    assert_eq!(shop.till.post("/api/training/sales", &real, &fresh_key()).await.body["code"], "training");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_waits_for_the_customers_code_and_is_back_if_that_is_declined() {
    let shop = Shop::stocked().await;
    shop.scan(TEA).await;
    let sale = shop.sale("scan").await;
    assert_eq!(shop.till.post("/api/sales", &sale, "first").await.status, 202);
    // Meanwhile it stays as it is, and goods are no code.
    assert_eq!(shop.presses(json!({ "clear": {} })).await.body["code"], "basket_busy");
    let mut hold = sale.clone();
    hold.as_object_mut().unwrap().remove("method");
    assert_eq!(shop.till.post("/api/held", &hold, &fresh_key()).await.body["code"], "basket_busy");
    // Nor are they one when they come with the sale.
    for text in [CUP, "]E00036000291452"] {
        let coded = json!({ "amount_minor": 5, "method": "scan", "code": text });
        assert_eq!(shop.till.post("/api/sales", &coded, &fresh_key()).await.body["code"], "goods_scanned");
    }
    let goods = shop.scan(CUP).await;
    assert_eq!((goods.status.as_u16(), &goods.body["code"]), (409, &json!("goods_scanned")));
    let declined = shop.scan("280000000000000000").await;
    let payment = number(&declined.body["sale"]);
    shop.till.sees(payment, "state", "failed").await;
    let basket = until("the basket", async || Some(shop.basket().await).filter(|basket| !basket.is_null())).await;
    assert_eq!(lines(&basket), [(1, 333)]);

    let sale = shop.sale("scan").await;
    assert_eq!(shop.till.post("/api/sales", &sale, "second").await.status, 202);
    let paid = number(&shop.scan(GOOD_CODE).await.body["sale"]);
    shop.till.sees(paid, "state", "succeeded").await;
    assert_eq!(shop.basket().await, Value::Null);
    let goods = shop.core.look(|known| known.payments[&paid].goods.clone());
    assert_eq!((goods[0].name.as_str(), goods[0].price_minor), ("茶叶 Tea", 333));
    assert!(goods[0].tax.as_ref().is_some_and(|tax| tax.included));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_put_aside_and_taken_up_after_the_plug_was_pulled() {
    let mut shop = Shop::stocked().await;
    shop.scan(TEA).await;
    shop.scan(BEER).await;
    let mut hold = shop.sale("cash").await;
    hold.as_object_mut().unwrap().remove("method");
    hold["reference"] = json!("桌 7");
    let held = shop.till.post("/api/held", &hold, &fresh_key()).await;
    assert_eq!((held.status.as_u16(), &held.body["is_basket"]), (201, &json!(true)), "{}", held.body);
    assert_eq!(shop.basket().await, Value::Null);
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.basket().await, Value::Null);
    // As a mere amount it would lose its lines.
    let bare = json!({ "amount_minor": hold["amount_minor"], "method": "cash", "held": 1 });
    assert_eq!(shop.till.post("/api/sales", &bare, &fresh_key()).await.body["code"], "basket_changed");
    let bare = json!({ "amount_minor": 1, "held": 1 });
    assert_eq!(shop.till.post("/api/held", &bare, &fresh_key()).await.body["code"], "basket_changed");
    assert_eq!(shop.presses(json!({ "take_up": { "held": 9 } })).await.body["code"], "held_not_found");
    let basket = shop.done(json!({ "take_up": { "held": 1 } })).await;
    assert_eq!((lines(&basket), &basket["held"]), (vec![(1, 333), (1, 777)], &json!(1)));
    // The table orders more, and it is put aside again in its own place.
    shop.scan(TEA).await;
    let mut hold = shop.sale("cash").await;
    hold.as_object_mut().unwrap().remove("method");
    assert_eq!(shop.till.post("/api/held", &hold, &fresh_key()).await.body["number"], 2);
    assert_eq!(shop.till.get("/api/held").await["items"].as_array().unwrap().len(), 1);
    shop.done(json!({ "take_up": { "held": 2 } })).await;
    let sale = shop.sale("cash").await;
    let sold = shop.till.sell(sale).await;
    // 666 and 777, and 8.25% on the beer.
    assert_eq!(sold["amount_minor"], 1_507);
    assert_eq!(shop.till.get("/api/held").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_that_was_taken_up_and_dropped_elsewhere_is_still_to_be_sold() {
    let shop = Shop::stocked().await;
    shop.scan(TEA).await;
    let mut hold = shop.sale("cash").await;
    hold.as_object_mut().unwrap().remove("method");
    assert_eq!(shop.till.post("/api/held", &hold, &fresh_key()).await.body["number"], 1);
    assert_eq!(shop.done(json!({ "take_up": { "held": 1 } })).await["held"], 1);
    assert_eq!(shop.till.post("/api/held/1/drop", &nothing(), &fresh_key()).await.status, 200);
    let sale = shop.sale("cash").await;
    assert_eq!(shop.till.sell(sale).await["amount_minor"], 333);
    assert_eq!(shop.basket().await, Value::Null);
}

/// The sale that could not be made gives its basket back once, and never over what is scanned by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_basket_comes_back_to_an_empty_till_alone() {
    let shop = Shop::stocked().await;
    shop.scan(TEA).await;
    let mut sale = shop.sale("code").await;
    let shown = shop.till.post("/api/sales", &sale, &fresh_key()).await;
    let payment = number(&shown.body);
    shop.scan(CUP).await;
    assert_eq!(shop.till.press(payment, "cancel", nothing()).await.status, 200);
    shop.till.sees(payment, "state", "cancelled").await;
    assert_eq!(lines(&shop.basket().await), [(1, 1_001)]);
    let shown = shop.basket().await["revision"].as_u64();
    let cleared = shop.presses(json!({ "clear": {} })).await;
    assert_eq!((cleared.status.as_u16(), &cleared.body["basket"]), (200, &Value::Null), "{}", cleared.body);
    assert!(cleared.body["basket_revision"].as_u64() > shown, "an empty basket is newer than what was in it");
    assert_eq!(shop.till.get("/api/basket").await, cleared.body);
    shop.till.press(payment, "query", nothing()).await;
    assert_eq!(shop.basket().await, Value::Null);
    shop.scan(CUP).await;
    sale = shop.sale("cash").await;
    assert_eq!(shop.till.sell(sale).await["amount_minor"], 1_001);
}

/// The goods are on the counter, and not in the basket any more: the next scan must not pass for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_empties_a_basket_says_so() {
    let mut shop = Shop::stocked().await;
    let lost = async |shop: &Shop| {
        let alarms = shop.till.get("/api/state").await["alarms"].clone();
        alarms.as_array().unwrap().iter().any(|alarm| alarm["code"] == "basket_lost")
    };
    shop.scan(TEA).await;
    let wal = shop.folder.path().join("journal.db-wal");
    until("the mark on the disk", async || {
        std::fs::read(&wal).ok()?.windows(11).any(|part| part == b"basket_open").then_some(())
    })
    .await;
    shop.kill_till();
    shop.start_till().await;
    assert!(lost(&shop).await);
    assert_eq!(shop.basket().await, Value::Null);
    let old = shop.till.post("/api/basket", &json!({ "revision": 1, "press": { "clear": {} } }), &fresh_key()).await;
    assert_eq!(old.body["code"], "basket_changed", "a page of before shows no basket of now");
    shop.scan(TEA).await;
    until("the alarm to end", async || (!lost(&shop).await).then_some(())).await;
    let sale = shop.sale("cash").await;
    shop.till.sell(sale).await;
    // At once: what the disk says of the basket is written with the sale.
    shop.kill_till();
    shop.start_till().await;
    assert!(!lost(&shop).await, "it was sold");
}

/// A core of before takes what it knows; the rest waits, and goes by itself once core is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_knows_no_baskets_yet_gets_them_once_it_is_updated() {
    let mut shop = Shop::stocked().await;
    shop.core.look(|known| known.knows_no_baskets = true);
    shop.till.sell(json!({ "amount_minor": 100, "method": "cash" })).await;
    shop.nothing_unsent().await;
    shop.scan(BEER).await;
    let sale = shop.sale("cash").await;
    shop.till.sell(sale).await;
    shop.till.sell(json!({ "amount_minor": 200, "method": "cash" })).await;
    let state = until("core's word", async || {
        let state = shop.till.get("/api/state").await;
        (state["sync"]["stopped"]["sequence"] == 2).then_some(state)
    })
    .await;
    assert_eq!((&state["unsent"]["count"], &state["alarms"][0]["code"]), (&json!(2), &json!("journal_newer")));
    // Updating core takes it away for a moment.
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.core.look(|known| known.knows_no_baskets = false);
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["sync"]["stopped"], &state["alarms"]), (&Value::Null, &json!([])));
    assert_eq!(shop.core.look(|known| known.journal.len()), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_paid_in_parts_and_is_there_again_if_nothing_comes_of_it() {
    let mut shop = Shop::stocked().await;
    for text in [TEA, TEA, BEER] {
        shop.scan(text).await;
    }
    let basket = shop.basket().await;
    let total = basket["totals"]["total_minor"].as_i64().unwrap();
    let part = |total: i64| json!({ "amount_minor": 500, "method": "cash", "basket": basket["revision"], "split": { "begin": { "total_minor": total } } });
    let wrong = shop.till.post("/api/sales", &part(total - 1), &fresh_key()).await;
    assert_eq!(wrong.body["code"], "basket_changed", "the lines come to the total");
    let sold = shop.till.post("/api/sales", &part(total), &fresh_key()).await;
    assert_eq!((sold.status.as_u16(), &sold.body["goods"]), (201, &json!([])), "{}", sold.body);
    assert_eq!(shop.basket().await, Value::Null);
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/state").await["alarms"], json!([]), "no basket was lost");
    assert_eq!(shop.till.post("/api/splits/1/give-back", &nothing(), &fresh_key()).await.status, 200);
    let again = shop.basket().await;
    assert_eq!((&again["lines"], &again["totals"]), (&basket["lines"], &basket["totals"]));

    let whole = json!({ "amount_minor": 500, "method": "cash", "basket": again["revision"], "split": { "begin": { "total_minor": total } } });
    let first = shop.till.post("/api/sales", &whole, &fresh_key()).await;
    let split = first.body["split"]["number"].clone();
    let rest = json!({ "amount_minor": total - 500, "method": "cash", "split": { "go_on": { "number": split, "rest_minor": total - 500 } } });
    assert_eq!(shop.till.post("/api/sales", &rest, &fresh_key()).await.status, 201);
    let slip = shop.till.receipt_with("8.25%").await;
    assert!(slip.contains("茶叶 Tea ×2") && slip.contains("5.00"), "{slip}");
    shop.nothing_unsent().await;
    let goods = shop.core.look(|known| {
        known.journal.iter().rev().find_map(|record| match record {
            Record::CashSale { split: Some(part), .. } if part.part == 1 => Some(part.goods.clone()),
            _ => None,
        })
    });
    assert_eq!(saoma_protocol::pricing::totals(&goods.unwrap()).unwrap().total_minor, total);
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_by_weight_cost_what_the_scale_says() {
    let shop = Shop::open_with(|config, folder| {
        config.peripherals.scale = "simulated".to_owned();
        config.peripherals.scale_device = folder.join("scale").to_str().unwrap().to_owned();
    })
    .await;
    let apples = goods(4, "苹果", "shop-4", 1_280, Some(1));
    let id = apples.id.to_string();
    shop.core.look(|known| known.weighed.push(apples.id));
    shop.sells([(tea(333), true), (apples, true)], 2).await;

    let scanned = shop.scan("shop-4").await;
    let told = json!({ "result": "weigh", "goods": id, "name": "苹果", "price_minor": 1_280 });
    assert_eq!((scanned.status.as_u16(), &scanned.body), (200, &told));
    assert_eq!(shop.basket().await, Value::Null, "nobody knows how much of it");
    let empty = shop.till.get("/api/state").await["basket_revision"].as_u64().unwrap();
    std::fs::write(shop.folder.path().join("scale"), "456").unwrap();
    assert_eq!(shop.till.get("/api/scale").await["grams"], 456);
    let weighed = |grams: i64| json!({ "weighed": { "goods": id, "grams": grams, "scale": true } });
    let first = shop.done(weighed(456)).await["revision"].as_u64().unwrap();
    assert!(first > empty && shop.till.get("/api/state").await["basket_revision"] == first);
    shop.scan(TEA).await;
    let basket = shop.done(weighed(1_000)).await;
    // 5.8368, and each time a line of its own.
    assert_eq!(lines(&basket), [(1, 584), (1, 333), (1, 1_280)]);
    assert_eq!((&basket["lines"][0]["weight_grams"], &basket["lines"][1]["weight_grams"]), (&json!(456), &Value::Null));
    let display = shop.till.get("/api/display").await;
    assert_eq!((&display["weight_grams"], &display["line"]), (&json!(1_000), &json!("12.80")));

    let tea_id = tea(333).id;
    let nothing_here = GoodsId::from_bytes([9; 16]);
    for (press, status, code) in [
        (weighed(0), 422, "basket_invalid"),
        (weighed(1_000_000), 422, "basket_invalid"),
        (json!({ "quantity": { "line": 0, "quantity": 2 } }), 422, "basket_invalid"),
        (json!({ "weighed": { "goods": tea_id, "grams": 5 } }), 422, "goods_invalid"),
        (json!({ "weighed": { "goods": nothing_here, "grams": 5 } }), 404, "barcode_unknown"),
    ] {
        let refused = shop.presses(press.clone()).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (status, &json!(code)), "{press}");
    }
    shop.done(json!({ "discount": { "line": 0, "discount": { "basis_points": 1_000 } } })).await;
    shop.done(json!({ "quantity": { "line": 2, "quantity": 0 } })).await;

    // Put aside and taken up, it weighs the same.
    let total = shop.basket().await["totals"]["total_minor"].clone();
    let aside = json!({ "amount_minor": total, "basket": shop.basket().await["revision"] });
    let held = shop.till.post("/api/held", &aside, &fresh_key()).await;
    assert_eq!(held.status, 201, "{}", held.body);
    let basket = shop.done(json!({ "take_up": { "held": held.body["number"] } })).await;
    assert_eq!((lines(&basket), &basket["lines"][0]["weight_grams"]), (vec![(1, 526), (1, 333)], &json!(456)));

    let mut sale = shop.sale("cash").await;
    sale["held"] = basket["held"].clone();
    let sold = shop.till.post("/api/sales", &sale, &fresh_key()).await;
    assert_eq!((sold.status.as_u16(), &sold.body["amount_minor"]), (201, &json!(859)), "{}", sold.body);
    let receipt = shop.till.receipt_with("8.59 CNY").await;
    assert!(receipt.contains("苹果 0.456 kg × 12.80/kg") && receipt.contains("-0.58"), "{receipt}");
    shop.nothing_unsent().await;
    shop.core.look(|known| match known.journal.last() {
        Some(record @ Record::CashSale { goods, .. }) => {
            assert_eq!((record.version(), goods[0].weight_grams), (8, Some(saoma_protocol::Grams(456))));
        }
        other => panic!("no sale but {other:?}"),
    });
    // Grams that no scale has said are marked wherever they stand.
    let keyed = json!({ "weighed": { "goods": id, "grams": 50 } });
    let basket = shop.done(keyed).await;
    assert_eq!(basket["lines"][0]["weight_keyed"], true);
    let sold = shop.till.post("/api/sales", &shop.sale("cash").await, &fresh_key()).await;
    assert_eq!(sold.status, 201, "{}", sold.body);
    let receipt = shop.till.receipt_with("0.64 CNY").await;
    assert!(receipt.contains("手输重量 Weight keyed"), "{receipt}");
    shop.nothing_unsent().await;
    shop.core.look(|known| match known.journal.last() {
        Some(record @ Record::CashSale { goods, .. }) => {
            assert_eq!((record.version(), goods[0].weight_keyed), (9, true))
        }
        other => panic!("no sale but {other:?}"),
    });
    // Sold by the piece from now on.
    shop.core.look(|known| known.weighed.clear());
    shop.sells([(goods(4, "苹果", "shop-4", 300, None), true)], 2).await;
    until("pieces", async || (shop.scan("shop-4").await.body["result"] == "basket").then_some(())).await;
}

/// Labels of the shop's own scales have the weight or the price in them.
#[tokio::test(flavor = "multi_thread")]
async fn a_label_says_what_was_weighed_and_how_much_of_it() {
    let shop = Shop::open_with(|config, _| {
        config.till.scale_labels = "21iiiiipppppc 22iiiiiwwwwwc".to_owned().try_into().unwrap();
    })
    .await;
    let (apples, cake) = (goods(4, "苹果", "00003", 1_280, None), goods(5, "蛋糕", "12345", 9_900, None));
    shop.core.look(|known| known.weighed.push(apples.id));
    shop.sells([(apples, true), (cake, true)], 2).await;
    let added = (200, "result", "basket");
    let refused = |status, code| (status, "code", code);
    for (code, (status, field, told)) in [
        // 0.456 kg of apples; cake for 5.84 and 3.00; a weight of what is sold by the piece; and what is in no catalogue.
        ("220000300456", added),
        ("211234500584", added),
        ("211234500300", added),
        ("211234500584", added),
        ("221234500456", refused(404, "barcode_unknown")),
        ("220000700456", refused(404, "barcode_unknown")),
        // The scale has no price for it, and nothing lay on it.
        ("211234500000", refused(422, "costs_nothing")),
        ("220000300000", refused(422, "basket_invalid")),
    ] {
        let code = with_check_digit(code);
        let scanned = shop.scan(&code).await;
        assert_eq!((scanned.status.as_u16(), &scanned.body[field]), (status, &json!(told)), "{code}");
    }
    let basket = shop.basket().await;
    assert_eq!(lines(&basket), [(1, 584), (2, 1_168), (1, 300)]);
    assert_eq!(basket["lines"][0]["weight_grams"], 456);
}

/// GS1 General Specifications, section 7.9.
fn with_check_digit(digits: &str) -> String {
    let weighted = digits.bytes().rev().enumerate().map(|(place, digit)| u32::from(digit - b'0') * [3, 1][place % 2]);
    format!("{digits}{}", (10 - weighted.sum::<u32>() % 10) % 10)
}
