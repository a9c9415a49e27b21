//! A quote and the sale that is made of it: what was quoted is what is sold, by whoever asked, and nothing else passes for it.

use saoma_protocol::{
    Sequence,
    api::{Goods, GoodsTax, Quoted},
    journal::{Entry, GENESIS, Record},
    message::{JournalAck, Verdict},
};
use saoma_server::payments::{QuotedTo, signed_quote};
use serde_json::{Value, json};

use crate::{
    merchant_rules::Canteen,
    town::{Till, charge, text},
};

fn amount(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

/// A staff meal of 10.00, whose price has a tax in it: core counts such lines again.
fn meal() -> Vec<Goods> {
    let tax = Some(GoodsTax { name: "VAT".to_owned(), basis_points: 600, included: true });
    vec![Goods { tax, ..Goods::plain("员工餐".to_owned(), 1, 1_000) }]
}

impl Canteen {
    /// Where staff eat for a fifth less.
    async fn for_staff() -> Self {
        let canteen = Self::open().await;
        let settings = json!({ "staff_marker": "员工", "staff_percent": 20, "receipt_line": "谢谢" });
        canteen.sets(json!({ "extension": "canteen-rules", "enabled": true, "settings": settings })).await;
        canteen
    }

    async fn quoted_to(&self, till: &Till) -> Value {
        let ask = json!({ "amount": amount(1_000), "goods": meal() });
        let quote: Value = till.door.post("/v1/quotes").json(&ask).await.json(200);
        assert_eq!((&quote["amount"], &quote["failed"]), (&amount(800), &json!([])), "{quote}");
        named(&quote)
    }

    async fn sale(&self, quote: &Value, counter: u64) -> Value {
        let mut sale = charge(800, &self.town.code_of("alice").await);
        sale["goods"] = json!(meal());
        sale["quote"] = quote.clone();
        sale["counter"] = json!(counter);
        sale
    }

    async fn events(&self, payment: &str) -> Vec<(String, String)> {
        let path = format!("/v1/payments/{payment}/timeline");
        let timeline: Value = self.merchant.owner.get(&path).await.json(200);
        let events = timeline["events"].as_array().unwrap().iter();
        events.map(|event| (text(event, "/kind").to_owned(), event.to_string())).collect()
    }
}

/// As a sale names it.
fn named(quote: &Value) -> Value {
    json!({
        "id": quote["id"], "asked_minor": 1_000, "adjustments": quote["adjustments"],
        "receipt_lines": quote["receipt_lines"], "expires_at": quote["expires_at"],
    })
}

#[actix_web::test]
async fn what_was_quoted_is_sold_and_the_timeline_says_so() {
    let canteen = Canteen::for_staff().await;
    let till = canteen.town.till(&canteen.merchant).await;
    let quote = canteen.quoted_to(&till).await;
    let (number, sale) = (till.number(&canteen.merchant, 1), canteen.sale(&quote, 1).await);
    let paid: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(201);
    assert_eq!((&paid["state"], &paid["amount"]), (&json!("succeeded"), &amount(800)), "{paid}");
    let kinds: Vec<(String, String)> = canteen.events(&number).await;
    let quoted = kinds.iter().find(|(kind, _)| kind == "quoted").expect("the timeline has the quote");
    assert!(
        quoted.1.contains(text(&quote, "/id")) && quoted.1.contains("10.00 → 8.00 CNY (Staff discount)"),
        "{quoted:?}"
    );
    assert!(kinds.iter().any(|(kind, _)| kind == "rules_asked"), "{kinds:?}");
    // It was sold, whatever becomes of the quote and the rules: the same request has the same answer.
    canteen.sets(json!({ "extension": "canteen-rules", "enabled": false })).await;
    let again: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(200);
    assert_eq!(again["id"], paid["id"]);
    // A refund is of what was paid.
    let back = format!("/v1/payments/{number}/refunds");
    let refused: Value = till.door.post(&back).json(&json!({ "amount": amount(801) })).await.json(409);
    assert_eq!(refused["code"], "refund_exceeds");
    let given: Value = till.door.post(&format!("/v1/payments/{number}/void")).json(&json!({})).await.json(201);
    assert_eq!(given["amount"], amount(800));
    // Without rules there is nothing to be named.
    let asked: Value = till.door.post("/v1/quotes").json(&json!({ "amount": amount(1_000) })).await.json(200);
    assert_eq!((&asked["id"], &asked["expires_at"]), (&Value::Null, &Value::Null));
    canteen.merchant.books_balance().await;
}

#[actix_web::test]
async fn nothing_else_passes_for_a_quote() {
    let canteen = Canteen::for_staff().await;
    let (owner, merchant) = (&canteen.merchant.owner, &canteen.merchant);
    let till = canteen.town.till(merchant).await;
    let quote = canteen.quoted_to(&till).await;
    let good = canteen.sale(&quote, 1).await;
    let number = till.number(merchant, 1);
    let changed = |pointer: &str, value: Value| {
        let mut sale = good.clone();
        *sale.pointer_mut(pointer).unwrap() = value;
        sale
    };
    for (what, sale) in [
        ("another amount", changed("/amount/minor", json!(799))),
        ("another discount", changed("/quote/adjustments/0/minor", json!(-300))),
        ("another reason", changed("/quote/adjustments/0/name", json!("Boss"))),
        ("another list price", changed("/quote/asked_minor", json!(1_001))),
        ("other lines for the receipt", changed("/quote/receipt_lines", json!(["free"]))),
        ("a later end", changed("/quote/expires_at", json!(i64::MAX))),
        ("an id of its own", changed("/quote/id", json!(format!("quo_{}", "a".repeat(26))))),
        ("other goods", changed("/goods/0/name", json!("面"))),
    ] {
        let refused: Value = till.door.post("/v1/payments").key(&number).json(&sale).await.json(422);
        assert_eq!((&refused["code"], &refused["pointer"]), (&json!("quote_refused"), &json!("/quote")), "{what}");
    }
    // Nor is it another's: of the other till, of the office, of another store, of a stranger who knows all of it.
    let neighbour = canteen.town.till(merchant).await;
    let its = neighbour.door.post("/v1/payments").key(&neighbour.number(merchant, 1)).json(&good).await;
    assert_eq!(its.json::<Value>(422)["code"], "quote_refused");
    let mut at_the_office = good.clone();
    at_the_office["store"] = json!(merchant.store);
    at_the_office.as_object_mut().unwrap().remove("counter");
    let refused: Value = owner.post("/v1/payments").key("office").json(&at_the_office).await.json(422);
    assert_eq!(refused["code"], "quote_refused");
    let stranger = canteen.town.merchant("onyx").await;
    at_the_office["store"] = json!(stranger.store);
    let refused: Value = stranger.owner.post("/v1/payments").key("stranger").json(&at_the_office).await.json(422);
    assert_eq!(refused["code"], "quote_refused");
    // A terminal asks for its own store alone.
    let other: Value = owner.post("/v1/stores").json(&json!({ "name": "other" })).await.json(201);
    let ask = json!({ "amount": amount(1_000), "store": other["id"] });
    assert_eq!(till.door.post("/v1/quotes").json(&ask).await.status, 422);
    // The office's own quote is of the store that it named.
    let ask = json!({ "amount": amount(1_000), "goods": meal(), "store": other["id"] });
    let quote = named(&owner.post("/v1/quotes").json(&ask).await.json(200));
    at_the_office["quote"] = quote;
    at_the_office["store"] = json!(merchant.store);
    let refused: Value = owner.post("/v1/payments").key("here").json(&at_the_office).await.json(422);
    assert_eq!(refused["code"], "quote_refused");
    at_the_office["store"] = other["id"].clone();
    let _: Value = owner.post("/v1/payments").key("there").json(&at_the_office).await.json(201);
    // All along the till could have sold it.
    let _: Value = till.door.post("/v1/payments").key(&number).json(&good).await.json(201);
    // And lines that do not come to what was asked about are refused, quoted or not.
    let mut listed = good;
    listed.as_object_mut().unwrap().remove("quote");
    listed["counter"] = json!(2);
    let refused: Value = till.door.post("/v1/payments").key(&till.number(merchant, 2)).json(&listed).await.json(422);
    assert_eq!(refused["pointer"], "/goods", "{refused}");
}

fn quoted_to(canteen: &Canteen, till: &Till) -> QuotedTo {
    QuotedTo {
        tenant: canteen.merchant.id.parse().unwrap(),
        store: canteen.merchant.store.parse().unwrap(),
        terminal: Some(till.id.parse().unwrap()),
    }
}

#[actix_web::test]
async fn a_quote_of_cores_own_is_sold_until_it_is_over() {
    let canteen = Canteen::for_staff().await;
    let (app, merchant) = (canteen.town.app(), &canteen.merchant);
    let till = canteen.town.till(merchant).await;
    let quote: Quoted = serde_json::from_value(canteen.quoted_to(&till).await).unwrap();
    let to = quoted_to(&canteen, &till);
    for (counter, ends_in_ms, status, code) in [(1, -1, 409, json!("quote_over")), (1, 60_000, 201, Value::Null)] {
        let quote = Quoted { expires_at: app.now().plus(ends_in_ms), ..quote.clone() };
        let quote = signed_quote(
            &app.vault().own().fingerprint,
            to,
            quote,
            serde_json::from_value(amount(800)).unwrap(),
            &meal(),
        );
        let sale = canteen.sale(&json!(quote), counter).await;
        let told: Value =
            till.door.post("/v1/payments").key(&till.number(merchant, counter)).json(&sale).await.json(status);
        assert_eq!(told["code"], code, "{told}");
    }
}

/// The cash lies in the drawer: it is booked, and a person is told of a price that core has not quoted, or not for so long.
#[actix_web::test]
async fn cash_at_a_quoted_price_comes_with_the_journal() {
    let canteen = Canteen::for_staff().await;
    let till = canteen.town.till(&canteen.merchant).await;
    let (app, now) = (canteen.town.app(), canteen.town.app().now());
    let to = quoted_to(&canteen, &till);
    let quote: Quoted = serde_json::from_value(canteen.quoted_to(&till).await).unwrap();
    let was_over = |minutes: i64| {
        let quote = Quoted { expires_at: now.plus(-minutes * 60_000), ..quote.clone() };
        signed_quote(&app.vault().own().fingerprint, to, quote, serde_json::from_value(amount(800)).unwrap(), &meal())
    };
    let forged = Quoted { asked_minor: 1_000, receipt_lines: vec!["free".to_owned()], ..quote.clone() };
    let mut entries: Vec<Entry> = Vec::new();
    for (counter, quote) in [(1, quote.clone()), (2, forged), (3, was_over(59)), (4, was_over(61))] {
        let record = Record::CashSale {
            payment: till.number(&canteen.merchant, counter).parse().unwrap(),
            counter: Sequence(counter),
            amount: serde_json::from_value(amount(800)).unwrap(),
            tendered_minor: 1_000,
            goods: meal(),
            cashier: "Li".to_owned(),
            split: None,
            quote: Some(quote),
            reference: None,
        };
        assert_eq!(record.version(), 7);
        let before = entries.last().map_or(GENESIS, Entry::hash);
        entries.push(Entry::new(Sequence(counter), now, before, record).unwrap());
    }
    let batch = till.signed(&canteen.merchant, &entries);
    let ack: JournalAck = till.door.post("/v1/terminal/journal").json(&batch).await.json(200);
    let verdicts: Vec<_> = ack.verdicts.iter().map(|verdict| (verdict.sequence.0, verdict.verdict)).collect();
    assert_eq!((ack.through, verdicts), (Sequence(4), vec![(2, Verdict::Held), (4, Verdict::Held)]));
    assert!(ack.verdicts[0].why.contains("core has not quoted this price"), "{ack:?}");
    assert!(ack.verdicts[1].why.contains("the quote was over by then"), "{ack:?}");
    for (counter, said) in [(1, "quoted"), (2, "not_quoted"), (3, "quoted"), (4, "quoted")] {
        let number = till.number(&canteen.merchant, counter);
        let paid: Value = canteen.merchant.owner.get(&format!("/v1/payments/{number}")).await.json(200);
        assert_eq!((&paid["state"], &paid["amount"]), (&json!("succeeded"), &amount(800)));
        let events = canteen.events(&number).await;
        assert!(events.iter().any(|(kind, told)| kind == said && told.contains("10.00 → 8.00 CNY")), "{events:?}");
    }
    canteen.merchant.books_balance().await;
}

#[actix_web::test]
async fn tills_are_told_whether_there_are_rules() {
    let canteen = Canteen::open().await;
    let till = canteen.town.till(&canteen.merchant).await;
    let knows = async || till.door.get("/v1/terminal/profile").await.json::<Value>(200)["rules"].clone();
    assert_eq!(knows().await, false);
    canteen.sets(json!({ "extension": "canteen-rules", "enabled": true })).await;
    assert_eq!(knows().await, true);
    canteen.sets(json!({ "extension": "canteen-rules", "enabled": false })).await;
    assert_eq!(knows().await, false);
}
