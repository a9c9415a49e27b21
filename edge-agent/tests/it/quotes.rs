//! The price of a sale by the merchant's own rules: asked of core, sold as quoted, and no hindrance to a sale where there is none.

use saoma_protocol::{
    Currency, GoodsId, Money, TaxRateId,
    api::{CatalogueGoods, CatalogueRate, GoodsTax, Quoted},
    journal::Record,
};
use serde_json::{Value, json};

use crate::{
    core::{GOOD_CODE, quotes::Says},
    shop::{Reply, Shop, fresh_key, nothing, number, until},
};

impl Shop {
    async fn asks(&self, body: Value) -> Value {
        let reply = self.till.post("/api/quotes", &body, &fresh_key()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// The quote for 10.00, which is sold for 8.00.
    async fn quoted(&self) -> Value {
        let told = self.asks(json!({ "amount_minor": 1_000 })).await;
        assert_eq!((&told["why"], &told["quote"]["amount_minor"]), (&Value::Null, &json!(800)), "{told}");
        told["quote"].clone()
    }

    async fn tries(&self, body: Value) -> Reply {
        self.till.post("/api/sales", &body, &fresh_key()).await
    }

    fn last_quote(&self) -> Option<Quoted> {
        self.core.look(|known| match known.journal.last() {
            Some(Record::CashSale { quote, .. } | Record::SaleKeyed { quote, .. }) => quote.clone(),
            other => panic!("no sale but {other:?}"),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_quoted_is_sold_printed_journaled_and_given_back() {
    let mut shop = Shop::open_where_rules(Says::Less).await;
    let quote = shop.quoted().await;
    assert_eq!(
        (&quote["list_minor"], &quote["adjustments"], &quote["amount"]),
        (&json!(1_000), &json!([{ "name": "员工折扣 Staff", "minor": -200 }]), &json!("8.00"))
    );
    let asked = shop.core.look(|known| known.quotes.asked[0].clone());
    assert_eq!((asked.store, asked.cashier.as_deref()), (None, Some("1")), "a till asks for its own store");

    let cash = json!({ "amount_minor": 800, "method": "cash", "tendered_minor": 1_000, "quote": quote["id"] });
    let sold = shop.till.sell(cash).await;
    assert_eq!(
        (&sold["amount_minor"], &sold["change_minor"], &sold["quote"]["list_minor"]),
        (&json!(800), &json!(200), &json!(1_000))
    );
    let receipt = shop.till.receipt_with("8.00 CNY").await;
    for words in ["原价 List price", "员工折扣 Staff", "-2.00", "谢谢光临 Thank you"] {
        assert!(receipt.contains(words), "{words} on\n{receipt}");
    }
    shop.nothing_unsent().await;
    let kept = shop.last_quote().expect("the entry has the quote");
    assert_eq!((kept.id.to_string(), kept.asked_minor), (quote["id"].as_str().unwrap().to_owned(), 1_000));

    // It is sold once.
    let twice = json!({ "amount_minor": 800, "method": "scan", "code": GOOD_CODE, "quote": quote["id"] });
    assert_eq!(shop.tries(twice).await.body["code"], "quote_over");

    // By a code it goes to core with the sale; a void is of what was paid.
    let next = shop.quoted().await["id"].clone();
    let scan = json!({ "amount_minor": 800, "method": "scan", "code": GOOD_CODE, "quote": next });
    let paid = shop.till.sell(scan).await;
    let paid = shop.till.sees(number(&paid), "state", "succeeded").await;
    let named = shop.core.look(|known| known.quotes.sold.last().cloned().flatten());
    assert_eq!(named.map(|quote| json!(quote.id)), Some(next));
    let void = shop.till.post(&format!("/api/sales/{}/void", number(&paid)), &nothing(), &fresh_key()).await;
    assert_eq!((&void.body["state"], &void.body["refunded_minor"]), (&json!("voided"), &json!(800)), "{}", void.body);

    // Another program run, the same paper.
    shop.kill_till();
    shop.start_till().await;
    let path = format!("/api/sales/{}/reprint", number(&sold));
    assert_eq!(shop.till.post(&path, &nothing(), &fresh_key()).await.status, 200);
    let copy = shop.till.receipt_with("COPY").await;
    for words in ["8.00 CNY", "原价 List price", "员工折扣 Staff", "谢谢光临 Thank you"] {
        assert!(copy.contains(words), "{words} on\n{copy}");
    }
    // The page's price is from before the restart: it is asked for again.
    let over = shop.tries(json!({ "amount_minor": 800, "method": "cash", "quote": quote["id"] })).await;
    assert_eq!((over.status.as_u16(), &over.body["code"]), (409, &json!("quote_over")), "{}", over.body);
}

/// The price stands while a customer's code is awaited, and the same press is the same sale, whatever became of the quote.
#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_sold_to_the_customer_who_comes_with_a_code() {
    let mut shop = Shop::open_where_rules(Says::Less).await;
    let quote = shop.quoted().await["id"].clone();
    let body = json!({ "amount_minor": 800, "method": "scan", "quote": quote });
    let awaiting = shop.till.post("/api/sales", &body, "scan-1").await;
    assert_eq!((awaiting.status.as_u16(), &awaiting.body["awaiting_scan"]["amount_minor"]), (202, &json!(800)));
    let scanned = shop.till.post("/api/scan", &json!({ "text": GOOD_CODE }), &fresh_key()).await.body;
    let payment = number(&scanned["sale"]);
    shop.till.sees(payment, "state", "succeeded").await;
    let named = shop.core.look(|known| known.quotes.sold.last().cloned().flatten());
    assert_eq!(named.map(|named| json!(named.id)), Some(quote));
    for restarts in [false, true] {
        if restarts {
            shop.kill_till();
            shop.start_till().await;
        }
        let same = shop.till.post("/api/sales", &body, "scan-1").await;
        assert_eq!((same.status.as_u16(), number(&same.body)), (200, payment), "{}", same.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_is_sold_for_what_it_is_of_and_nothing_else() {
    let shop = Shop::open_where_rules(Says::Less).await;
    let quote = shop.quoted().await["id"].clone();
    let other = json!("quo_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    let goods = json!([{ "name": "a", "quantity": 1, "price_minor": 1_000 }]);
    for (body, code) in [
        (json!({ "amount_minor": 799, "method": "cash", "quote": quote }), "quote_over"),
        (json!({ "amount_minor": 1_000, "method": "cash", "quote": quote }), "quote_over"),
        (json!({ "amount_minor": 800, "method": "cash", "quote": other }), "quote_over"),
        (json!({ "amount_minor": 800, "method": "cash", "quote": quote, "goods": goods }), "quote_over"),
        (
            json!({ "amount_minor": 800, "method": "cash", "quote": quote, "split": { "begin": { "total_minor": 1_000 } } }),
            "method_invalid",
        ),
        (json!({ "amount_minor": 800, "method": "cash", "quote": "quo_" }), "body_unreadable"),
    ] {
        let refused = shop.tries(body.clone()).await;
        assert_eq!(refused.body["code"], code, "{body}: {}", refused.body);
    }
    assert_eq!(shop.till.get("/api/sales").await["items"], json!([]), "nothing was sold");
    for body in [json!({ "amount_minor": 0 }), json!({ "amount_minor": 1_000, "basket": 7 }), json!({})] {
        assert!(shop.till.post("/api/quotes", &body, &fresh_key()).await.status.is_client_error(), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_quoted_by_its_lines_and_its_receipt_adds_up() {
    const TEA: &str = "4006381333931";
    let shop = Shop::open_where_rules(Says::Less).await;
    let vat = GoodsTax { name: "增值税 VAT".to_owned(), basis_points: 1_300, included: true };
    let tea = CatalogueGoods {
        id: GoodsId::from_bytes([1; 16]),
        name: "员工茶 Tea".to_owned(),
        barcodes: vec![TEA.to_owned()],
        price: Money::new(1_130, Currency::CNY),
        tax_rate: Some(TaxRateId::from_bytes([1; 16])),
    };
    shop.core.office_sells(&[CatalogueRate { id: TaxRateId::from_bytes([1; 16]), tax: vat }], [(tea, true)]);
    until("the catalogue", async || (shop.till.get("/api/state").await["catalogue_count"] == 1).then_some(())).await;
    let scanned = shop.till.post("/api/scan", &json!({ "text": TEA }), &fresh_key()).await.body;
    let revision = scanned["basket"]["revision"].clone();
    let quote = shop.asks(json!({ "amount_minor": 1_130, "basket": revision })).await["quote"].clone();
    assert_eq!(quote["amount_minor"], 904);
    // The customer sees what is going to be paid, and of a basket that nobody has named a price for what it costs.
    let shown = async || shop.till.get("/api/display").await["total"].clone();
    assert_eq!(shown().await, "9.04");
    let goods = shop.core.look(|known| known.quotes.asked[0].goods.clone());
    assert_eq!((goods[0].name.as_str(), goods.len()), ("员工茶 Tea", 1), "the rules see what is sold");
    // Another line: the price is of the basket that was.
    let more = shop.till.post("/api/scan", &json!({ "text": TEA }), &fresh_key()).await.body["basket"].clone();
    assert_eq!(shown().await, "22.60");
    let stale = json!({ "amount_minor": 904, "method": "cash", "basket": more["revision"], "quote": quote["id"] });
    let refused = shop.tries(stale).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    // Put aside and taken up it is asked about anew, and is put aside no more once it is sold.
    let hold = json!({ "amount_minor": 2_260, "basket": more["revision"] });
    let held = shop.till.post("/api/held", &hold, &fresh_key()).await;
    assert_eq!((held.status.as_u16(), &held.body["is_basket"]), (201, &json!(true)), "{}", held.body);
    let take_up = json!({ "revision": 0, "press": { "take_up": { "held": held.body["number"] } } });
    let more = shop.till.post("/api/basket", &take_up, &fresh_key()).await.body["basket"].clone();
    assert_eq!(more["held"], held.body["number"]);
    let asked = shop.asks(json!({ "amount_minor": 2_260, "basket": more["revision"] })).await["quote"].clone();
    let sale = json!({ "amount_minor": 1_808, "method": "cash", "basket": more["revision"], "quote": asked["id"] });
    shop.till.sell(sale).await;
    assert_eq!(shop.till.get("/api/held").await["items"], json!([]));
    let receipt = shop.till.receipt_with("18.08 CNY").await;
    // 13/113 of what was paid, not of the list price.
    for words in ["22.60", "-4.52", "含税 Incl.", "2.08"] {
        assert!(receipt.contains(words), "{words} on\n{receipt}");
    }
    shop.nothing_unsent().await;
    assert_eq!(shop.last_quote().map(|quote| quote.asked_minor), Some(2_260));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_price_the_sale_goes_on_at_its_list_price_and_is_told_why() {
    let ask = json!({ "amount_minor": 1_000 });
    for (says, why) in [
        (Says::NoRules, "no_rules"),
        (Says::SwitchedOff, "no_rules"),
        // Pages sell nothing then.
        (Says::Fails, "refused"),
        (Says::Busy, "refused"),
        (Says::Lies, "failed"),
    ] {
        let shop = Shop::open_where_rules(says).await;
        assert_eq!(shop.asks(ask.clone()).await, json!({ "quote": null, "why": why }), "{says:?}");
        assert_eq!(shop.till.get("/api/state").await["link"]["online"], true, "{says:?}");
        let sold = shop.till.sell(json!({ "amount_minor": 1_000, "method": "cash" })).await;
        assert_eq!((&sold["amount_minor"], &sold["quote"]), (&json!(1_000), &Value::Null));
        let is_asked = shop.core.look(|known| !known.quotes.asked.is_empty());
        assert_eq!(is_asked, says != Says::NoRules, "a merchant without rules is not waited for");
    }

    let mut shop = Shop::open_where_rules(Says::Less).await;
    let training = shop.till.post("/api/training/enter", &nothing(), &fresh_key()).await;
    assert_eq!(training.status, 200, "{}", training.body);
    assert_eq!(shop.asks(ask.clone()).await["why"], "training");
    assert_eq!(shop.till.post("/api/training/leave", &nothing(), &fresh_key()).await.status, 200);
    assert!(shop.core.look(|known| known.quotes.asked.is_empty()), "what is only played is asked of nobody");

    // It hears, and says nothing: the cashier waits two seconds, and others sell meanwhile.
    shop.core.look(|known| known.silent = true);
    let (slow, cash) = tokio::join!(shop.asks(ask.clone()), async {
        until("the question", async || shop.core.look(|known| (!known.quotes.asked.is_empty()).then_some(()))).await;
        shop.till.sell(json!({ "amount_minor": 500, "method": "cash" })).await
    });
    assert_eq!(slow["why"], "slow");
    assert_eq!(cash["state"], "succeeded");
    assert_eq!(shop.till.get("/api/state").await["link"]["online"], true, "one that is slow is there");
    shop.core.look(|known| known.silent = false);

    shop.core.switch_off().await;
    shop.online(false).await;
    let asked = shop.core.look(|known| known.quotes.asked.len());
    assert_eq!(shop.asks(ask).await["why"], "offline");
    assert_eq!(shop.core.look(|known| known.quotes.asked.len()), asked);
    let sold = shop.till.sell(json!({ "amount_minor": 1_000, "method": "cash" })).await;
    assert_eq!(sold["amount_minor"], 1_000);
}
