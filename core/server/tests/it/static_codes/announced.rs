//! What a till hears of payments through a printed code.

use saoma_channels::PaymentStatus;
use saoma_protocol::{
    Millis, PaymentId, Sequence, StaticCodeId, TerminalId,
    message::{Health, PushBody, Unsent},
};
use saoma_server::{
    payments::{expire, payment_facts},
    workers::outbox::batch,
};
use saoma_store::{
    outbox,
    payments::Sale,
    static_codes::{self, Origin, StaticCode},
    tenants::LatePolicy,
    terminals::{self, NewTerminal},
};

use super::*;
use crate::{
    scheme_world::{Counter, Say, no_answer},
    town::Till,
};

fn health(announces: bool) -> Health {
    let unsent = Unsent { count: 0, oldest_at: None, at_risk: Vec::new() };
    Health { version: "0.1.0".to_owned(), at: Millis(0), peripherals: Vec::new(), unsent, announces }
}

impl Stall {
    /// What the till said of itself last.
    fn says(&self, till: &Till, announces: bool) {
        let said = serde_json::to_string(&health(announces)).unwrap();
        self.town
            .force(&format!("UPDATE terminals SET health_json = '{said}', health_at = 1 WHERE id = '{}'", till.id));
    }

    async fn announces_at(&self, till: Option<&Till>) -> Value {
        let path = format!("/v1/static-codes/{}", text(&self.code, "/id"));
        let body = json!({ "announce_at": till.map(|till| &till.id) });
        self.tea.owner.ask("PATCH", &path).json(&body).await.json(200)
    }

    /// A customer scans and pays.
    async fn sells(&self, minor: i64) -> String {
        let customer = self.visitor(ALIPAY);
        customer.scans().await;
        customer.pays(minor).await.json::<Value>(200);
        let number = text(&self.payments().await[0], "/id").to_owned();
        customer_pays(&self.alipay, &number).await;
        becomes(&self.tea.owner, &number, "succeeded").await;
        number
    }

    /// All that was ever announced to anybody.
    fn announced(&self) -> usize {
        self.town.column("SELECT payload AS text FROM outbox WHERE payload LIKE '%static_code_paid%'").len()
    }
}

/// What waits for the till.
async fn heard(till: &Till) -> Vec<Value> {
    let told: Value = till.door.get("/v1/terminal/pushes?after=0").await.json(200);
    told["pushes"].as_array().unwrap().clone()
}

#[actix_web::test]
async fn the_till_that_a_code_names_hears_once_what_was_paid_through_it() {
    let stall = Stall::open().await;
    let milk = stall.town.merchant("milk").await;
    let (till, other, stranger) =
        (stall.town.till(&stall.tea).await, stall.town.till(&stall.tea).await, stall.town.till(&milk).await);
    for one in [&till, &other, &stranger] {
        stall.says(one, true);
    }
    stall.sells(100).await;
    assert_eq!(stall.announced(), 0, "nobody has said where");
    for _ in 0..2 {
        assert_eq!(stall.announces_at(Some(&till)).await["announce_at"], till.id);
    }
    assert_eq!(stall.tea.audited("static_code.changed").await.len(), 1, "what was so before is no change");

    let number = stall.sells(1_250).await;
    let waiting = heard(&till).await;
    let shown: Value = stall.tea.owner.get(&format!("/v1/payments/{number}")).await.json(200);
    let expected = json!({
        "kind": "static_code_paid", "payment": number, "amount": { "minor": 1_250, "currency": "CNY" },
        "paid_at": shown["paid_at"], "label": "the stall by the gate",
    });
    assert_eq!(waiting.iter().map(|push| &push["body"]).collect::<Vec<_>>(), [&expected]);
    stall.tea.owner.post(&format!("/v1/payments/{number}/query")).await.json::<Value>(200);
    let refund = json!({ "amount": { "minor": 250, "currency": "CNY" } });
    stall.tea.owner.post(&format!("/v1/payments/{number}/refunds")).json(&refund).await.json::<Value>(201);
    assert_eq!(heard(&till).await.len(), 1, "what is asked again and given back is no news of it");
    assert_eq!((heard(&other).await.len(), heard(&stranger).await.len()), (0, 0));
    let ack = till.door.post("/v1/terminal/pushes/ack").json(&json!({ "ids": [waiting[0]["id"]] })).await;
    assert_eq!((ack.status, heard(&till).await.len()), (204, 0));

    assert_eq!(stall.announces_at(None).await.get("announce_at"), None);
    stall.sells(300).await;
    assert_eq!(stall.announced(), 1, "switched off");
    // An agent that does not know the word would leave it in the way of what it reads.
    stall.announces_at(Some(&till)).await;
    stall.says(&till, false);
    stall.sells(400).await;
    assert_eq!(stall.announced(), 1, "to an agent of before");
    stall.says(&till, true);
    stall.tea.owner.post(&format!("/v1/terminals/{}/revoke", till.id)).await.json::<Value>(200);
    stall.sells(500).await;
    assert_eq!(stall.announced(), 1, "to a terminal that is shut out");
    stall.tea.books_balance().await;
}

#[actix_web::test]
async fn a_code_is_announced_at_a_terminal_of_its_own_store_alone() {
    let stall = Stall::open().await;
    let (till, gone) = (stall.town.till(&stall.tea).await, stall.town.till(&stall.tea).await);
    stall.tea.owner.post(&format!("/v1/terminals/{}/revoke", gone.id)).await.json::<Value>(200);
    let second: Value = stall.tea.owner.post("/v1/stores").json(&json!({ "name": "tea pier" })).await.json(201);
    let body = json!({ "name": "pier till", "store": second["id"] });
    let elsewhere: Value = stall.tea.owner.post("/v1/terminals").json(&body).await.json(201);
    let path = format!("/v1/static-codes/{}", text(&stall.code, "/id"));
    for place in [text(&elsewhere, "/id"), &gone.id] {
        let refused = stall.tea.owner.ask("PATCH", &path).json(&json!({ "announce_at": place })).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/announce_at")), "{}", refused.text);
        let body = json!({ "store": stall.tea.store, "label": "x", "max_minor": 1, "announce_at": place });
        let refused = stall.tea.owner.post("/v1/static-codes").json(&body).await;
        assert_eq!((refused.status, &refused.problem()["pointer"]), (422, &json!("/announce_at")), "{}", refused.text);
    }
    // Whoever says nothing has not said "none".
    stall.announces_at(Some(&till)).await;
    assert_eq!(stall.tea.owner.ask("PATCH", &path).json(&json!({})).await.refusal().0, 422);
    assert_eq!(stall.tea.owner.get(&path).await.json::<Value>(200)["announce_at"], till.id);
    let body = json!({ "store": stall.tea.store, "label": "x", "max_minor": 1, "announce_at": till.id });
    let made: Value = stall.tea.owner.post("/v1/static-codes").json(&body).await.json(201);
    assert_eq!(made["announce_at"], till.id);
}

/// A printed code at a counter whose scheme says what the test wants, and the till that hears of it.
struct Quay {
    counter: Counter,
    till: TerminalId,
    code: StaticCodeId,
}

impl Quay {
    async fn open() -> Self {
        let counter = Counter::open(LatePolicy::Accept).await;
        let (till, code, scope) = (TerminalId::from_bytes([7; 16]), StaticCodeId::from_bytes([8; 16]), counter.scope);
        let store = counter.shows(0, None).await.payment.store;
        let opened = counter.app.store().write(move |tx| {
            let new = NewTerminal { id: till, store, name: "quay till".to_owned(), created_at: Millis(0) };
            terminals::create(tx, &scope, &new)?;
            terminals::set_health(tx, &scope, till, &health(true), Millis(1))?;
            let printed = StaticCode {
                id: code,
                store,
                terminal: None,
                announce_at: Some(till),
                label: "quay".to_owned(),
                min_minor: 1,
                max_minor: 50_000,
                created_at: Millis(0),
                revoked_at: None,
            };
            static_codes::create(tx, &scope, &printed)
        });
        opened.await.unwrap();
        Self { counter, till, code }
    }

    /// Somebody is asked to pay through the code; with `order` for what another has been asked for.
    async fn asks(&self, order: Option<&Sale>) -> Sale {
        let sale = self.counter.shows(0, order.map(|sale| sale.payment.order)).await;
        let (scope, id, code) = (self.counter.scope, sale.payment.payment.id, self.code);
        let noted = self
            .counter
            .app
            .store()
            .write(move |tx| static_codes::note_payment(tx, &scope, id, &Origin { code, app: None }));
        noted.await.unwrap();
        sale
    }

    async fn announced(&self) -> Vec<PaymentId> {
        let (scope, till) = (self.counter.scope, self.till);
        let waiting = self.counter.app.store().read(move |tx| outbox::pending(tx, &scope, till, Sequence(0), 100));
        let told =
            waiting.await.unwrap().into_iter().map(|waiting| serde_json::from_str(&waiting.message.payload).unwrap());
        let paid = told.map(|body| match body {
            PushBody::StaticCodePaid { payment, .. } => payment,
            other => panic!("{other:?}"),
        });
        paid.collect()
    }
}

#[tokio::test]
async fn what_is_paid_late_or_twice_is_not_announced_as_received() {
    let quay = Quay::open().await;
    let counter = &quay.counter;
    let late = quay.asks(None).await;
    counter.scheme.next("query", Say::Status(PaymentStatus::Pending));
    counter.scheme.next("cancel", no_answer());
    expire(&counter.app, counter.scope, late.payment.payment.id).await.unwrap();
    counter.notified(&late, PaymentStatus::Succeeded).await;
    let shown = counter.sale(late.payment.payment.id).await;
    assert!(payment_facts(&shown).paid_late && payment_facts(&shown).state.is_paid(), "{shown:?}");
    assert_eq!(quay.announced().await, [], "accepted or not, nobody stands there any more");

    let paid = quay.asks(None).await;
    let second = quay.asks(Some(&paid)).await;
    for _ in 0..2 {
        counter.notified(&paid, PaymentStatus::Succeeded).await;
    }
    let ours = [paid.payment.payment.id];
    assert_eq!(quay.announced().await, ours, "once, however often the scheme says it");
    counter.notified(&second, PaymentStatus::Succeeded).await;
    assert_eq!(quay.announced().await, ours, "a second payment of an order goes back");
}

#[tokio::test]
async fn what_no_till_took_for_a_day_is_given_up() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let quay = Quay::open().await;
    let sale = quay.asks(None).await;
    quay.counter.notified(&sale, PaymentStatus::Succeeded).await;
    for (passed_ms, waiting) in [(0, 1), (DAY_MS, 1), (60_000, 0)] {
        quay.counter.later(passed_ms);
        batch(&quay.counter.app).await.unwrap();
        assert_eq!(quay.announced().await.len(), waiting, "{passed_ms} ms later");
    }
}
