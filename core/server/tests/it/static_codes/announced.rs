//! What a till hears of payments through a printed code.

use saoma_channels::{Decline, DeclineCode, PaymentStatus, RefundStatus};
use saoma_protocol::{
    Millis, PaymentId, Sequence, StaticCodeId, TerminalId,
    api::RefundKind,
    message::{Health, PushBody, Unsent},
};
use saoma_server::{
    payments::{expire, give_back, payment_facts},
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
    scheme_world::{Counter, Say, cny, giving_back, no_answer},
    town::Till,
};

fn health(announces: bool) -> Health {
    let unsent = Unsent { count: 0, oldest_at: None, at_risk: Vec::new() };
    Health { version: "0.1.0".to_owned(), at: Millis(0), peripherals: Vec::new(), unsent, announces }
}

impl Stall {
    /// What a card of the code shows of the terminal that it names.
    async fn announcing(&self) -> Value {
        let path = format!("/v1/static-codes/{}", text(&self.code, "/id"));
        let shown: Value = self.tea.owner.get(&path).await.json(200);
        let listed: Value = self.tea.owner.get("/v1/static-codes").await.json(200);
        assert_eq!(listed["items"].as_array().unwrap().as_slice(), std::slice::from_ref(&shown));
        shown["announcing"].clone()
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

/// The till says over HTTPS how it does, as one does whose network has no way to the broker.
async fn says(till: &Till, announces: bool) {
    let said = till.door.ask("PUT", "/v1/terminal/health").json(&health(announces)).await;
    assert_eq!(said.status, 204, "{}", said.text);
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
    for one in [&other, &stranger] {
        says(one, true).await;
    }
    stall.sells(100).await;
    assert_eq!((stall.announced(), stall.announcing().await), (0, Value::Null), "nobody has said where");
    for _ in 0..2 {
        assert_eq!(stall.announces_at(Some(&till)).await["announce_at"], till.id);
    }
    assert_eq!(stall.announcing().await, "unheard");
    says(&till, true).await;
    assert_eq!(stall.announcing().await, "ready");
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
    says(&till, false).await;
    assert_eq!(stall.announcing().await, "unheard");
    stall.sells(400).await;
    assert_eq!(stall.announced(), 1, "to an agent of before");
    let row = |health: &str| format!("UPDATE terminals SET health_json = {health} WHERE id = '{}'", till.id);
    stall.town.force(&row("'{'"));
    stall.sells(450).await;
    assert_eq!(stall.announced(), 1, "the money is booked, whatever is wrong with the terminal's row");
    stall.town.force(&row("NULL"));
    says(&till, true).await;
    stall.tea.owner.post(&format!("/v1/terminals/{}/revoke", till.id)).await.json::<Value>(200);
    stall.sells(500).await;
    assert_eq!(stall.announced(), 1, "to a terminal that is shut out");
    assert_eq!(stall.announcing().await, "revoked");
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

    /// Somebody pays through it, for nothing else.
    async fn pays(&self) -> Sale {
        let sale = self.asks(None).await;
        self.counter.notified(&sale, PaymentStatus::Succeeded).await;
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
async fn a_till_that_was_off_comes_back_to_the_newest_twenty() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let quay = Quay::open().await;
    let mut paid = Vec::new();
    for _ in 0..22 {
        paid.push(quay.pays().await.payment.payment.id);
    }
    for passed_ms in [0, 2 * DAY_MS] {
        quay.counter.later(passed_ms);
        batch(&quay.counter.app).await.unwrap();
        assert_eq!(quay.announced().await, paid[2..], "{passed_ms} ms later");
    }
}

#[tokio::test]
async fn what_goes_back_before_the_till_hears_of_it_is_not_announced() {
    let quay = Quay::open().await;
    let counter = &quay.counter;
    counter.scheme.always("refund", Say::Refund(RefundStatus::Succeeded));
    let (one, other) = (quay.pays().await.payment.payment.id, quay.pays().await.payment.payment.id);
    for (number, payment, amount, left) in
        [(1, one, Some(cny(400)), vec![one, other]), (2, other, None, vec![one]), (3, one, None, vec![])]
    {
        let wish = giving_back(number, payment, RefundKind::Refund, amount);
        give_back(&counter.app, counter.scope, wish).await.unwrap();
        assert_eq!(quay.announced().await, left, "after refund {number}");
    }
    // The channel has undone it by itself.
    let undone = quay.pays().await;
    counter.scheme.always("query", Say::Status(PaymentStatus::Closed));
    let _workers = counter.workers();
    counter.notified(&undone, PaymentStatus::Closed).await;
    counter.in_time("the channel's word to be believed", async || quay.announced().await.is_empty()).await;
}

/// The owner asks for it back, and the channel refuses: the money is here.
#[tokio::test]
async fn what_the_channel_does_not_give_back_is_announced_all_the_same() {
    let quay = Quay::open().await;
    let counter = &quay.counter;
    let paid = quay.pays().await.payment.payment.id;
    let declined = Decline { code: DeclineCode::Other, message: "the bank sent it back".to_owned() };
    counter.scheme.next("refund", Say::Refund(RefundStatus::Failed(declined)));
    give_back(&counter.app, counter.scope, giving_back(1, paid, RefundKind::Refund, None)).await.unwrap();
    assert_eq!(quay.announced().await, [paid]);
}
