//! What batches come to when money goes back elsewhere, later, or while no shift is open.

use saoma_protocol::{Millis, PaymentId, RefundId, Sequence, api::PaymentState, api::RefundState, journal::Record};
use saoma_server::workers::terminal_leg;
use saoma_store::access;
use serde_json::{Value, json};

use crate::{
    batches::{DRAWER, Desk, balances, cash, cny, differences, look_again, shown},
    town::{Merchant, Town, becomes, text},
};

/// Gives cash back at the office: on the dashboard, by the owner.
async fn given_back(merchant: &Merchant, payment: PaymentId, key: &str, minor: i64) {
    let body = json!({ "amount": { "minor": minor, "currency": "CNY" } });
    let path = format!("/v1/payments/{payment}/refunds");
    let refund: Value = merchant.owner.post(&path).key(key).json(&body).await.json(201);
    assert_eq!(refund["state"], "succeeded", "{refund}");
}

impl Desk {
    /// A refund or void through core, as the terminal asks for it.
    async fn asks_back(&mut self, payment: PaymentId, key: &str, minor: i64, void: bool) -> RefundId {
        let (path, body) = if void {
            (format!("/v1/payments/{payment}/void"), json!({}))
        } else {
            (format!("/v1/payments/{payment}/refunds"), json!({ "amount": { "minor": minor, "currency": "CNY" } }))
        };
        let refund: Value = self.till.door.post(&path).key(key).json(&body).await.json(201);
        let id: RefundId = text(&refund, "/id").parse().unwrap();
        let cashier = "李雷".to_owned();
        self.write(Record::RefundKeyed { refund: id, payment, amount: cny(minor), void, cashier, approved_by: None });
        id
    }

    /// What the terminal learns of a sale when it looks.
    async fn learns(&mut self, payment: PaymentId) {
        let view: Value = self.till.door.get(&format!("/v1/payments/{payment}")).await.json(200);
        let state: PaymentState = serde_json::from_value(view["state"].clone()).unwrap();
        let amount_refunded_minor = view["refunded_minor"].as_i64().unwrap();
        self.write(Record::SaleSettled { payment, state, amount_refunded_minor });
    }

    fn back(&mut self, payment: PaymentId, refund: RefundId) {
        self.write(Record::RefundSettled { refund, payment, state: RefundState::Succeeded });
    }
}

/// The refunds of each channel in a batch: how many, and how much.
fn refunds_of(shown: &Value) -> Vec<(String, u64, i64)> {
    let of = |total: &Value| {
        let refunds = &total["refunds"];
        let (count, minor) = (refunds["count"].as_u64().unwrap(), refunds["minor"].as_i64().unwrap());
        (text(total, "/channel").to_owned(), count, minor)
    };
    shown["totals"].as_array().unwrap().iter().map(of).collect()
}

/// Each line of the statement: what was sold, and what went back.
async fn statement(merchant: &Merchant, batch: &str) -> Vec<(i64, i64)> {
    let statement: Value = merchant.owner.get(&format!("/v1/batches/{batch}/settlement")).await.json(200);
    let sum = |line: &Value, name: &str| line[name].as_i64().unwrap();
    let lines = statement["items"].as_array().unwrap();
    lines.iter().map(|line| (sum(line, "gross_minor"), sum(line, "refunded_minor"))).collect()
}

/// Nobody opens a drawer for a refund that is keyed at a desk in the office: the safe pays it.
#[actix_web::test]
async fn cash_given_back_at_the_office_leaves_the_drawer_as_it_was() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.sign_on(1, cash(0));
    let (sold, undone) = (desk.cash_sale(1_250), desk.cash_sale(300));
    assert_eq!(desk.send().await, []);
    given_back(&jade, sold, "office", 250).await;
    let void: Value =
        jade.owner.post(&format!("/v1/payments/{undone}/void")).key("void").json(&json!({})).await.json(201);
    assert_eq!(void["state"], "succeeded", "{void}");
    assert_eq!(balances(&jade, &DRAWER).await, [1_550, -550, 0]);
    desk.close(1, cash(1_550), cash(1_550));
    assert_eq!(desk.send().await, []);
    assert_eq!(balances(&jade, &DRAWER).await, [0, 1_000, 0], "the drawer is empty after its close");
    let detail = shown(&jade, &desk.batch(1)).await;
    assert_eq!(detail["batch"]["closed"]["difference"]["minor"], 0);
    assert_eq!(differences(&detail), [""; 0]);
    // Of the batch all the same: it is not due to the merchant.
    assert_eq!(refunds_of(&detail), [("cash".to_owned(), 1, 250)]);
    assert_eq!(statement(&jade, &desk.batch(1)).await, [(1_550, 550)]);
    jade.books_balance().await;
}

#[actix_web::test]
async fn a_void_and_a_refund_under_way_are_no_difference() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.sign_on(1, cash(0));
    let undone = desk.sold(&town, 500).await;
    desk.keyed(undone, 500);
    let void = desk.asks_back(undone, "void", 500, true).await;
    becomes(&jade.owner, &undone.to_string(), "voided").await;
    desk.learns(undone).await;
    desk.back(undone, void);
    // 82: carried out, and the answer is lost, so that it stays open for a while.
    let pending = desk.sold(&town, 1_000).await;
    desk.keyed(pending, 1_000);
    desk.asks_back(pending, "pending", 182, false).await;
    desk.learns(pending).await;
    desk.close(1, cash(0), cash(0));
    assert_eq!(desk.send().await, []);
    let told = differences(&shown(&jade, &desk.batch(1)).await);
    let of_sales: Vec<&String> = told.iter().filter(|told| told.starts_with("pay_")).collect();
    assert_eq!(of_sales, Vec::<&String>::new());
    jade.books_balance().await;
}

/// What the office gives back of a sale is of the sale's batch; what the terminal gives back is of the batch in which it went.
#[actix_web::test]
async fn each_refund_is_of_one_batch() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.sign_on(1, cash(0));
    let sold = desk.sold(&town, 1_880).await;
    desk.keyed(sold, 1_880);
    desk.settled(sold, PaymentState::Succeeded);
    given_back(&jade, sold, "office", 380).await;
    let (late, between) =
        (desk.asks_back(sold, "late", 200, false).await, desk.asks_back(sold, "between", 100, false).await);
    desk.close(1, cash(0), cash(0));
    assert_eq!(desk.send().await, []);
    let first = desk.batch(1);
    assert_eq!(refunds_of(&shown(&jade, &first).await), [("sandbox".to_owned(), 1, 380)], "the others are under way");
    assert_eq!(statement(&jade, &first).await, [(1_880, 380)]);
    // One is heard of while nobody is signed on, the other in the next shift.
    desk.back(sold, between);
    desk.sign_on(2, cash(0));
    desk.back(sold, late);
    desk.close(2, cash(0), cash(0));
    assert_eq!(desk.send().await, []);
    let second = desk.batch(2);
    assert_eq!(refunds_of(&shown(&jade, &second).await), [("sandbox".to_owned(), 2, 300)]);
    assert_eq!(statement(&jade, &second).await, [(0, 300)]);
    assert_eq!(refunds_of(&shown(&jade, &first).await), [("sandbox".to_owned(), 1, 380)]);
    jade.books_balance().await;
}

/// Whatever was sold and given back with nobody signed on is out of the drawer's account when the next float is counted, and
/// stays a difference until a person has looked at it.
#[actix_web::test]
async fn cash_that_nobody_counted_is_swept_and_shown() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    let sold = desk.cash_sale(500);
    desk.cash_back(sold, 1, 100, false);
    assert_eq!(desk.send().await, []);
    assert_eq!(balances(&jade, &DRAWER).await, [400, 0, 0]);
    // It was left in the drawer, and is counted with the float.
    desk.sign_on(1, cash(400));
    assert_eq!(desk.send().await, []);
    assert_eq!(balances(&jade, &DRAWER).await, [400, 0, 0]);
    let open = shown(&jade, &desk.batch(1)).await;
    assert_eq!(open["drawer"]["expected"]["minor"], 400);
    let uncounted = format!("{}/uncounted uncounted look_at_terminal", desk.batch(1));
    assert_eq!(differences(&open), [uncounted.as_str()]);
    let core = &open["differences"][0]["core"];
    assert_eq!((&core["amount"]["minor"], &core["entries"]), (&json!(400), &json!(2)));
    desk.close(1, cash(400), cash(400));
    assert_eq!(desk.send().await, []);
    assert_eq!(balances(&jade, &DRAWER).await, [0, 400, 0]);
    look_again(&town, &jade, &desk.batch(1)).await;
    assert_eq!(differences(&shown(&jade, &desk.batch(1)).await), [uncounted.as_str()], "only a person ends it");
    // More went out than came in.
    desk.cash_back(sold, 2, 30, false);
    desk.sign_on(2, cash(0));
    assert_eq!(desk.send().await, []);
    assert_eq!(balances(&jade, &DRAWER).await, [0, 370, 0]);
    let second = shown(&jade, &desk.batch(2)).await;
    assert_eq!(second["differences"][0]["core"]["amount"]["minor"], -30);
    desk.close(2, cash(0), cash(0));
    // Nothing is left to sweep.
    desk.sign_on(3, cash(0));
    assert_eq!(desk.send().await, []);
    assert_eq!(differences(&shown(&jade, &desk.batch(3)).await), [""; 0]);

    let path = format!("/v1/batches/{}/uncounted/accept", desk.batch(1));
    let cashier = town.person(&jade, "cashier").await;
    let body = json!({ "reason": "counted with the float" });
    assert_eq!(cashier.post(&path).json(&body).await.status, 403);
    assert_eq!(jade.owner.post(&path).json(&json!({ "reason": " " })).await.status, 422);
    let _: Value = jade.owner.post(&path).json(&body).await.json(200);
    let _: Value = jade.owner.post(&path).json(&body).await.json(200);
    assert_eq!(differences(&shown(&jade, &desk.batch(1)).await), [format!("({uncounted})")]);
    assert_eq!(jade.audited("batch.uncounted_accepted").await.len(), 1, "the second time there was nothing to do");
    let nothing = jade.owner.post(&format!("/v1/batches/{}/uncounted/accept", desk.batch(3))).json(&body).await;
    assert_eq!(nothing.refusal(), (404, "not_found".to_owned()));
    jade.books_balance().await;
}

/// A terminal that was offline for weeks closes batches of that time. They are young from when core hears of them, and what
/// differs is looked at for as long as it does.
#[actix_web::test]
async fn a_close_that_comes_late_is_looked_at_again() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.at = desk.at.plus(-20 * 24 * 3_600_000);
    let mut unheard = Vec::new();
    for number in 1..=3 {
        desk.sign_on(number, cash(0));
        let sold = desk.sold(&town, 600).await;
        desk.keyed(sold, 600);
        unheard.push(sold);
        desk.close(number, cash(0), cash(0));
    }
    assert_eq!(desk.send().await, []);
    for number in 1..=3 {
        assert_eq!(shown(&jade, &desk.batch(number)).await["batch"]["differences"], 1);
    }
    for payment in unheard {
        desk.settled(payment, PaymentState::Succeeded);
    }
    assert_eq!(desk.send().await, []);
    let now = town.running().app().now();
    // The first page is of one batch, and there are others.
    look(&town, &jade, now, 1).await;
    for number in 1..=3 {
        assert_eq!(shown(&jade, &desk.batch(number)).await["batch"]["differences"], 0, "batch {number}");
    }
}

/// What the worker does with a merchant every few minutes.
async fn look(town: &Town, merchant: &Merchant, now: Millis, page: u32) {
    let (store, tenant) = (town.running().app().store().clone(), merchant.id.parse().unwrap());
    let looked = tokio::task::spawn_blocking(move || {
        let scope = store.read_blocking(|tx| access::enter_tenant(tx, &access::process(), tenant))?;
        terminal_leg::look_at(&store, scope, now, page, || false)
    });
    looked.await.unwrap().unwrap();
}

/// No batch shows it, and nobody has to ask: within the day it stands where the merchant's people look.
#[actix_web::test]
async fn what_is_sold_outside_of_shifts_is_compared_by_the_day() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    let now = || town.running().app().now();
    // What differs in a shift is its batch's.
    desk.sign_on(1, cash(0));
    let of_shift = desk.sold(&town, 500).await;
    desk.keyed(of_shift, 499);
    desk.at = now();
    let cashier = "李雷".to_owned();
    desk.write(Record::ShiftClosed { batch: Sequence(1), counted: cash(0), expected: cash(0), cashier });
    let agreed = desk.sold(&town, 600).await;
    desk.keyed(agreed, 600);
    desk.settled(agreed, PaymentState::Succeeded);
    let unheard = desk.sold(&town, 700).await;
    desk.keyed(unheard, 700);
    let unkeyed = desk.sold(&town, 800).await;
    desk.at = now();
    let last = desk.sold(&town, 900).await;
    desk.keyed(last, 900);
    desk.settled(last, PaymentState::Succeeded);
    let not_sent_yet = desk.sold(&town, 1_000).await;
    assert_eq!(desk.send().await, []);
    let open = async || -> Vec<(String, u64)> {
        let shown: Value = jade.owner.get("/v1/legs").await.json(200);
        let days = shown["days"].as_array().unwrap_or_else(|| panic!("{shown}"));
        days.iter().map(|day| (text(day, "/terminal").to_owned(), day["differences"].as_u64().unwrap())).collect()
    };
    look_at_days(&town, &jade, now()).await;
    assert_eq!(open().await, [], "it may be on its way yet");
    let later = now().plus(20 * 60_000);
    look_at_days(&town, &jade, later).await;
    let rows = || {
        town.column(
            "SELECT subject || class || CASE WHEN closed_at IS NULL THEN '' ELSE ' over' END AS text FROM leg_differences ORDER BY 1",
        )
    };
    let before = rows();
    assert_eq!(open().await, [(desk.till.id.clone(), 2)], "{before:?}");
    assert!(before.iter().any(|row| row.starts_with(&format!("{unkeyed}missing_there"))), "{before:?}");
    assert!(!before.iter().any(|row| row.contains(&not_sent_yet.to_string())), "{before:?}");
    look_at_days(&town, &jade, later).await;
    assert_eq!(rows(), before, "what stays the same is not written again");

    desk.settled(unheard, PaymentState::Succeeded);
    assert_eq!(desk.send().await, []);
    // Two days on it is compared because something is open, and what agrees by now is over.
    look_at_days(&town, &jade, later.plus(3 * 86_400_000)).await;
    let shown = open().await;
    assert_eq!(shown.iter().map(|(_, open)| open).sum::<u64>(), 2, "{shown:?}");
    let rows = rows();
    let over = rows.iter().find(|row| row.starts_with(&unheard.to_string())).unwrap();
    assert!(over.ends_with(" over"), "{rows:?}");
    assert!(rows.iter().any(|row| row.starts_with(&format!("{not_sent_yet}missing_there"))), "{rows:?}");
}

/// What the worker does with a merchant's days every few minutes.
async fn look_at_days(town: &Town, merchant: &Merchant, now: Millis) {
    let (store, tenant) = (town.running().app().store().clone(), merchant.id.parse().unwrap());
    let looked = tokio::task::spawn_blocking(move || {
        let scope = store.read_blocking(|tx| access::enter_tenant(tx, &access::process(), tenant))?;
        terminal_leg::look_at_days(&store, scope, now, || false)
    });
    looked.await.unwrap().unwrap();
}

#[actix_web::test]
async fn a_day_before_the_journal_is_known_is_refused() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    let path = |day: &str| format!("/v1/terminals/{}/leg?day={day}", desk.till.id);
    let never: Value = jade.owner.get(&path("2026-01-31")).await.json(200);
    assert_eq!(never["rows"], 0, "a terminal that has sent nothing yet");
    let path = path("2026-01-31");
    desk.sign_on(1, cash(0));
    assert_eq!(desk.send().await, []);
    let refused = jade.owner.get(&path).await;
    assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
    assert!(refused.text.contains("No sale of the terminal"), "{}", refused.text);
    desk.cash_sale(100);
    assert_eq!(desk.send().await, []);
    let refused = jade.owner.get(&path).await;
    assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
    assert!(refused.text.contains("or later"), "{}", refused.text);
}

/// A till that broke with its shift open, and one whose close does not fit: somebody counts the drawer and closes the batch.
#[actix_web::test]
async fn a_batch_that_its_till_cannot_close_is_closed_by_a_person() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (mut broken, mut odd) = (Desk::open(&town, &jade).await, Desk::open(&town, &jade).await);
    for desk in [&mut broken, &mut odd] {
        desk.sign_on(1, cash(500));
        desk.cash_sale(1_250);
    }
    assert_eq!(broken.send().await, []);
    odd.close(1, cash(-1), cash(1_750));
    assert_eq!(odd.send().await.len(), 1);

    let held: Value = jade.owner.get(&format!("/v1/terminals/{}/held", odd.till.id)).await.json(200);
    let entry = &held["items"][0];
    assert_eq!((&entry["sequence"], &held["next_cursor"]), (&json!(3), &Value::Null));
    assert!(text(entry, "/why").contains("cannot be what a drawer held"), "{entry}");
    assert!(text(entry, "/payload").contains("shift_closed"), "{entry}");
    let none: Value = jade.owner.get(&format!("/v1/terminals/{}/held", broken.till.id)).await.json(200);
    assert_eq!(none["items"], json!([]));

    let body = |minor: i64| json!({ "counted": { "minor": minor, "currency": "CNY" }, "reason": "the till is broken" });
    let path = |desk: &Desk| format!("/v1/batches/{}/close", desk.batch(1));
    let manager = town.person(&jade, "manager").await;
    let close_as =
        async |desk: &Desk, minor: i64, key: &str| manager.post(&path(desk)).key(key).json(&body(minor)).await;
    let close = async |desk: &Desk, minor: i64| close_as(desk, minor, "close").await;
    assert_eq!(close(&broken, 1_700).await.refusal(), (409, "batch_live".to_owned()));
    let _: Value = jade.owner.get(&format!("/v1/terminals/{}", broken.till.id)).await.json(200);
    assert!(jade.owner.post(&format!("/v1/terminals/{}/revoke", broken.till.id)).await.status < 300);
    assert_eq!(close(&broken, -1).await.refusal(), (422, "invalid".to_owned()));
    let closed: Value = close(&broken, 1_700).await.json(200);
    assert_eq!(closed["batch"]["closed"]["difference"]["minor"], -50);
    let again: Value = close(&broken, 1_700).await.json(200);
    assert_eq!(again, closed);
    // The key says what is a repeat, and not who counted the same.
    assert_eq!(close(&broken, 1_701).await.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(close_as(&broken, 1_700, "another").await.refusal(), (409, "conflict".to_owned()));
    let closed: Value = close(&odd, 1_750).await.json(200);
    assert_eq!((&closed["batch"]["closed"]["difference"]["minor"], differences(&closed)), (&json!(0), Vec::new()));
    assert_eq!(balances(&jade, &DRAWER).await, [0, -1_000 + 1_700 + 1_750, 50]);
    assert_eq!(jade.audited("batch.closed").await.len(), 2);
    // The till goes on with the next number.
    odd.sign_on(2, cash(0));
    assert_eq!(odd.send().await.len(), 1, "the old one is still held");
    jade.books_balance().await;
}
