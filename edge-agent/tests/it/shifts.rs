//! Cashiers sign on, move cash, and close their batch.

use saoma_edge::{
    config::ShiftRequired,
    journal::{Commit, Settings, Store},
    sale::ReceiptState,
    shift::{Closed, Shift},
};
use saoma_protocol::{
    Currency, Millis, Money, Sequence, TerminalId,
    journal::{CoreTime, Record},
};
use serde_json::{Value, json};

use crate::{
    core::GOOD_CODE,
    hand::signer,
    shop::{Shop, fresh_key, nothing, number, until},
};

impl Shop {
    async fn shift(&self, press: &str, body: Value) -> Value {
        let reply = self.till.post(&format!("/api/shift/{press}"), &body, &fresh_key()).await;
        assert!(reply.status.is_success(), "{press} {}: {}", reply.status, reply.body);
        reply.body
    }

    /// The status, the code, and the words for the cashier.
    async fn refused(&self, press: &str, body: Value) -> (u16, String, String) {
        let reply = self.till.post(&format!("/api/shift/{press}"), &body, &fresh_key()).await;
        let text = |name: &str| reply.body[name].as_str().unwrap_or_default().to_owned();
        (reply.status.as_u16(), text("code"), text("detail"))
    }

    async fn report_is(&self, state: &str) -> Value {
        until(&format!("a report that is {state}"), async || {
            let shift = self.till.get("/api/shift").await["shift"].clone();
            (shift["closed"]["report"] == state).then_some(shift)
        })
        .await
    }
}

fn sign_on(float_minor: i64) -> Value {
    json!({ "float_minor": float_minor, "cashier": "李雷", "cashier_number": "07" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_from_signing_on_to_the_report() {
    let shop = Shop::open().await;
    assert_eq!(shop.till.get("/api/shift").await, json!({ "shift": null }));
    let opened = shop.shift("open", sign_on(50_000)).await;
    assert_eq!(
        (&opened["batch"], &opened["float_minor"], &opened["closed"]),
        (&json!(1), &json!(50_000), &Value::Null)
    );
    let state = shop.till.get("/api/state").await;
    assert_eq!((&state["shift"]["batch"], &state["cashier"]), (&json!(1), &json!("李雷")));

    let sold = shop.till.sell(json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000})).await;
    assert_eq!(sold["cashier"], "李雷", "whoever signed on sells");
    let undone = number(&shop.till.sell(json!({"amount_minor": 300, "method": "cash"})).await);
    assert_eq!(shop.till.press(undone, "void", nothing()).await.status, 200);
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    assert_eq!(shop.till.press(scanned, "refund", json!({"amount_minor": 200})).await.status, 200);
    let declined = number(&shop.till.sell(json!({"amount_minor": 900, "method": "scan", "code": "999"})).await);
    shop.till.sees(declined, "state", "failed").await;
    shop.shift("paid-in", json!({"batch": 1, "amount_minor": 10_000, "reason": "零钱"})).await;
    shop.shift("paid-out", json!({"batch": 1, "amount_minor": 4_000, "reason": "milk"})).await;

    // Whoever counts is not told beforehand what should be there.
    for path in ["/api/shift", "/api/state", "/api/books"] {
        let told = shop.till.get(path).await.to_string();
        assert!(!told.contains("expected") && !told.contains("57250"), "{path}: {told}");
    }
    let closed = shop.shift("close", json!({"batch": 1, "counted_minor": 57_150})).await;
    let expected = 50_000 + 1_250 + 300 - 300 + 10_000 - 4_000;
    assert_eq!(
        (&closed["closed"]["expected_minor"], &closed["closed"]["over_short_minor"]),
        (&json!(expected), &json!(57_150 - expected))
    );
    let line = |count: u64, minor: i64| json!({ "count": count, "minor": minor });
    assert_eq!(
        closed["closed"]["totals"]["customer_presented"],
        json!({ "sales": line(1, 700), "refunds": line(1, 200), "voids": line(0, 0) })
    );
    assert_eq!(
        closed["closed"]["totals"]["cash"],
        json!({ "sales": line(2, 1_550), "refunds": line(0, 0), "voids": line(1, 300) })
    );
    shop.report_is("printed").await;
    let slip = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(
        slip.contains("李雷 (07)") && slip.contains("572.50 CNY") && slip.contains("SHORT") && slip.contains("-1.00"),
        "{slip}"
    );
    assert_eq!(shop.till.get("/api/state").await["shift"], Value::Null);

    shop.nothing_unsent().await;
    let journal = shop.core.look(|known| known.journal.clone());
    let Some(Record::ShiftOpened { batch: Sequence(1), float, .. }) = journal.first() else { panic!("{journal:?}") };
    let Some(Record::ShiftClosed { batch: Sequence(1), counted, expected: told, .. }) = journal.last() else {
        panic!("{journal:?}")
    };
    assert_eq!([float, counted, told].map(|money| money.minor()), [50_000, 57_150, expected]);
    // The next one has the next number, and begins with nothing sold.
    assert_eq!(shop.shift("open", sign_on(0)).await["batch"], 2);
    assert_eq!(shop.shift("close", json!({"batch": 2, "counted_minor": 0})).await["closed"]["over_short_minor"], 0);
    shop.shift("reprint", nothing()).await;
    shop.till.receipt_with("COPY").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_plain_words() {
    let shop = Shop::open().await;
    for (press, body) in [
        ("paid-in", json!({"batch": 1, "amount_minor": 1, "reason": "x"})),
        ("paid-out", json!({"batch": 1, "amount_minor": 1, "reason": "x"})),
        ("close", json!({"batch": 1, "counted_minor": 0})),
    ] {
        let (status, code, words) = shop.refused(press, body).await;
        assert_eq!((status, code.as_str()), (409, "no_shift"), "{press}");
        assert!(words.contains("sign on first"), "{words}");
    }
    assert_eq!(shop.refused("reprint", nothing()).await.1, "no_report");
    let long = "x".repeat(129);
    for (body, status, code) in [
        (json!({"float_minor": -1, "cashier": "Li"}), 422, "amount_invalid"),
        (json!({"float_minor": 1_000_000_000_000_i64, "cashier": "Li"}), 422, "amount_invalid"),
        (json!({"float_minor": i64::MIN, "cashier": "Li"}), 422, "amount_invalid"),
        (json!({"float_minor": 0.5, "cashier": "Li"}), 400, "body_unreadable"),
        (json!({"float_minor": 0, "cashier": " "}), 422, "cashier_invalid"),
        (json!({"float_minor": 0, "cashier": long}), 422, "cashier_invalid"),
        (json!({"float_minor": 0, "cashier": "Li", "cashier_number": "7\u{202e}"}), 422, "cashier_invalid"),
        (json!({"float_minor": 0}), 422, "cashier_invalid"),
        (json!({"float_minor": 0, "cashier": "Li", "batch": 7}), 400, "body_unreadable"),
    ] {
        let (told, its_code, _) = shop.refused("open", body.clone()).await;
        assert_eq!((told, its_code.as_str()), (status, code), "{body}");
    }
    // The same press again is the same shift; another body under its key is a mistake of the page.
    let first = shop.till.post("/api/shift/open", &sign_on(100), "sign-on").await;
    let again = shop.till.post("/api/shift/open", &sign_on(100), "sign-on").await;
    assert_eq!(first.body, again.body);
    let other = shop.till.post("/api/shift/open", &sign_on(200), "sign-on").await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("idempotency_key_reused")));
    let sale = shop.till.post("/api/sales", &json!({"amount_minor": 1, "method": "cash"}), "sign-on").await;
    assert_eq!(sale.body["code"], "idempotency_key_reused");
    let (status, code, words) = shop.refused("open", sign_on(0)).await;
    assert_eq!((status, code.as_str()), (409, "shift_open"));
    assert!(words.contains("Batch 1 of 李雷 is open"), "{words}");

    for (press, body, code) in [
        ("paid-in", json!({"batch": 1, "amount_minor": 0, "reason": "x"}), "amount_invalid"),
        ("paid-in", json!({"batch": 1, "amount_minor": -5, "reason": "x"}), "amount_invalid"),
        ("paid-out", json!({"batch": 1, "amount_minor": i64::MAX, "reason": "x"}), "amount_invalid"),
        ("paid-out", json!({"batch": 1, "amount_minor": 5, "reason": ""}), "reason_invalid"),
        ("paid-out", json!({"batch": 1, "amount_minor": 5, "reason": "a\u{0}b"}), "reason_invalid"),
        ("paid-out", json!({"batch": 1, "amount_minor": 5}), "body_unreadable"),
        ("paid-in", json!({"amount_minor": 5, "reason": "x"}), "body_unreadable"),
        ("close", json!({"counted_minor": 5}), "body_unreadable"),
        ("close", json!({"batch": 1, "counted_minor": -1}), "amount_invalid"),
        ("close", json!({"batch": 1, "counted_minor": 1_000_000_000_000_i64}), "amount_invalid"),
    ] {
        assert_eq!(shop.refused(press, body.clone()).await.1, code, "{press} {body}");
    }
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.journal.len()), 1, "nothing of that was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_not_closed_over_what_is_not_settled() {
    let shop = Shop::open().await;
    shop.shift("open", sign_on(0)).await;
    let close = json!({"batch": 1, "counted_minor": 0});
    let busy = async |words: &str| {
        let (status, code, told) = shop.refused("close", close.clone()).await;
        assert_eq!((status, code.as_str()), (409, "shift_busy"), "{told}");
        assert!(told.contains(words), "{told}");
    };
    shop.core.look(|known| known.silent = true);
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    busy("sale 1 is being sent").await;
    shop.core.look(|known| known.silent = false);
    shop.till.sees(payment, "state", "presenting").await;
    busy("sale 1 is presenting").await;
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "receipt", "printed").await;

    let scan = shop.till.post("/api/sales", &json!({"amount_minor": 5, "method": "scan"}), &fresh_key()).await;
    assert_eq!(scan.status, 202);
    busy("a scan is awaited").await;
    assert_eq!(shop.till.post("/api/scan/cancel", &nothing(), &fresh_key()).await.status, 200);

    // A channel may take days over a refund: that is no doubt.
    shop.core.look(|known| known.refunds_pend = true);
    assert_eq!(shop.till.press(payment, "refund", json!({"amount_minor": 200})).await.status, 200);
    let closed = shop.shift("close", close.clone()).await;
    assert_eq!(closed["closed"]["totals"]["merchant_presented"]["sales"], json!({"count": 1, "minor": 1250}));
    assert_eq!(closed["closed"]["totals"]["merchant_presented"]["refunds"]["count"], 0, "it is under way");
    assert_eq!(closed["closed"]["totals"]["under_way"], json!({"count": 1, "minor": 200}));
    assert!(shop.till.receipt_with("BATCH CLOSE").await.contains("Under way"));

    // It goes out in the next shift, and is on that one's report.
    shop.shift("open", sign_on(0)).await;
    shop.core.refunds_end();
    until("the refund", async || {
        let sale = shop.till.sale(payment).await;
        (sale["refunds"][0]["state"] == "succeeded").then_some(())
    })
    .await;
    let next = shop.shift("close", json!({"batch": 2, "counted_minor": 0})).await;
    let totals = &next["closed"]["totals"]["merchant_presented"];
    assert_eq!((&totals["refunds"], &totals["sales"]["count"]), (&json!({"count": 1, "minor": 200}), &json!(0)));
}

/// Two pages, or one that slept: a count is of the batch that was on the screen.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_closes_the_batch_that_was_counted_and_no_other() {
    let shop = Shop::open().await;
    shop.shift("open", sign_on(100)).await;
    let close = json!({"batch": 1, "counted_minor": 100});
    let first = shop.till.post("/api/shift/close", &close, "close-1").await;
    assert_eq!(first.body["closed"]["counted_minor"], 100);
    // The other page counted the same.
    assert_eq!(shop.shift("close", close.clone()).await["closed"], first.body["closed"]);
    assert_eq!(shop.refused("close", json!({"batch": 1, "counted_minor": 99})).await.1, "no_shift");
    shop.report_is("printed").await;

    shop.shift("open", sign_on(500)).await;
    for (press, body) in [
        ("close", json!({"batch": 1, "counted_minor": 99})),
        ("close", json!({"batch": 3, "counted_minor": 99})),
        ("paid-in", json!({"batch": 1, "amount_minor": 1, "reason": "x"})),
        ("paid-out", json!({"batch": 1, "amount_minor": 1, "reason": "x"})),
    ] {
        let (status, code, words) = shop.refused(press, body.clone()).await;
        assert_eq!((status, code.as_str()), (409, "other_shift"), "{press} {body}");
        assert!(words.contains("batch 2 of 李雷 is open"), "{words}");
    }
    // The same close again is answered with what it closed, also now.
    for again in [shop.till.post("/api/shift/close", &close, "close-1").await.body, shop.shift("close", close).await] {
        assert_eq!((&again["batch"], &again["closed"]["counted_minor"]), (&json!(1), &json!(100)), "{again}");
    }
    assert_eq!(shop.till.get("/api/state").await["shift"]["batch"], 2);
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.journal.len()), 3, "two openings and one close");
}

/// Once there are shifts, cash between them is in nobody's count: it waits for the next cashier.
#[tokio::test(flavor = "multi_thread")]
async fn cash_waits_for_a_shift_where_there_was_one() {
    let shop = Shop::open().await;
    let sold = number(&shop.till.sell(json!({"amount_minor": 500, "method": "cash"})).await);
    let other = number(&shop.till.sell(json!({"amount_minor": 300, "method": "cash"})).await);
    shop.shift("open", sign_on(0)).await;
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    shop.shift("close", json!({"batch": 1, "counted_minor": 0})).await;

    let refused = shop.till.post("/api/sales", &json!({"amount_minor": 1, "method": "cash"}), &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("no_shift")));
    assert!(refused.body["detail"].as_str().unwrap().contains("sign on first"), "{}", refused.body);
    assert_eq!(shop.till.press(sold, "refund", json!({"amount_minor": 1})).await.body["code"], "no_shift");
    assert_eq!(shop.till.press(other, "void", nothing()).await.body["code"], "no_shift");
    // What a channel takes is in no drawer.
    let scanned = number(&shop.till.sell(json!({"amount_minor": 800, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    assert_eq!(shop.till.press(scanned, "refund", json!({"amount_minor": 1})).await.status, 200);
    shop.shift("open", sign_on(0)).await;
    assert_eq!(shop.till.press(other, "void", nothing()).await.status, 200);

    let lifted = Shop::open_where_shifts_are(ShiftRequired::Never).await;
    lifted.shift("open", sign_on(0)).await;
    lifted.shift("close", json!({"batch": 1, "counted_minor": 0})).await;
    lifted.till.sell(json!({"amount_minor": 1, "method": "cash"})).await;
}

/// Core is away for the night, and a customer's sale was on its way when it went: the cashier closes over it, having seen it.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_closed_over_a_sale_in_doubt_while_core_is_away() {
    let mut shop = Shop::open().await;
    shop.shift("open", sign_on(0)).await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 1250, "method": "code"})).await);
    shop.till.sees(payment, "state", "presenting").await;
    let close = |despite: Value| json!({"batch": 1, "counted_minor": 0, "despite": despite});
    // While core can be asked it is: seen or not.
    assert_eq!(shop.refused("close", close(json!([1]))).await.1, "shift_busy");
    shop.core.switch_off().await;
    shop.online(false).await;
    for despite in [json!([]), json!([2])] {
        let (status, code, words) = shop.refused("close", close(despite)).await;
        assert_eq!((status, code.as_str()), (409, "shift_in_doubt"));
        assert!(words.contains("sale 1 is presenting"), "{words}");
    }
    let closed = shop.shift("close", close(json!([1]))).await;
    let in_doubt = &closed["closed"]["in_doubt"][0];
    assert_eq!((&in_doubt["counter"], &in_doubt["amount_minor"]), (&json!(1), &json!(1250)));
    assert_eq!(closed["closed"]["totals"]["merchant_presented"]["sales"]["count"], 0);
    let slip = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(slip.contains("In doubt #1"), "{slip}");
    // Core hears of it afterwards, and of how it ended.
    shop.core.switch_on();
    shop.online(true).await;
    shop.core.customer_pays(payment);
    shop.till.sees(payment, "state", "succeeded").await;
    shop.nothing_unsent().await;
    let settled = |known: &mut crate::core::Known| {
        known.journal.iter().any(|record| matches!(record, Record::SaleSettled { payment: of, .. } if *of == payment))
    };
    assert!(shop.core.look(settled));
}

/// Whoever counts need not be whoever signed on.
#[tokio::test(flavor = "multi_thread")]
async fn who_counts_and_moves_cash_is_named() {
    let shop = Shop::open().await;
    shop.shift("open", sign_on(0)).await;
    shop.shift("paid-in", json!({"batch": 1, "amount_minor": 5, "reason": "x", "cashier": "09"})).await;
    shop.shift("paid-out", json!({"batch": 1, "amount_minor": 5, "reason": "x"})).await;
    let refused = shop.refused("close", json!({"batch": 1, "counted_minor": 0, "cashier": " "})).await;
    assert_eq!(refused.1, "cashier_invalid");
    shop.shift("close", json!({"batch": 1, "counted_minor": 0, "cashier": "09"})).await;
    shop.nothing_unsent().await;
    let named = |record: &Record| match record {
        Record::PaidIn { cashier, .. } | Record::PaidOut { cashier, .. } | Record::ShiftClosed { cashier, .. } => {
            Some(cashier.clone())
        }
        _ => None,
    };
    let cashiers: Vec<String> = shop.core.look(|known| known.journal.iter().filter_map(named).collect());
    assert_eq!(cashiers, ["09", "李雷", "09"]);
}

/// The printer was out of paper at the close, and the next cashier has signed on.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_report_is_printed_again_while_the_next_shift_is_open() {
    let mut shop = Shop::open().await;
    shop.shift("open", sign_on(100)).await;
    shop.shift("close", json!({"batch": 1, "counted_minor": 90})).await;
    shop.report_is("printed").await;
    shop.shift("open", sign_on(0)).await;
    let again = shop.shift("reprint", nothing()).await;
    assert_eq!((&again["batch"], &again["closed"]["counted_minor"]), (&json!(1), &json!(90)));
    let slip = shop.till.receipt_with("COPY").await;
    assert!(slip.contains("-0.10"), "{slip}");
    assert_eq!(shop.till.get("/api/state").await["shift"]["batch"], 2, "the next one stays open");

    // And by itself after a start, if nobody knows whether it came out.
    shop.stop_till().await;
    let log = shop.folder.path().join("journal.db-wal");
    until("the journal to be closed", async || (!log.exists()).then_some(())).await;
    let report_of = |shop: &Shop, set: Option<ReceiptState>| {
        let settings = Settings { path: shop.folder.path().join("journal.db"), free_bytes_min: 0, pages_max: 0 };
        let now = Millis(1_790_000_000_000);
        let (mut store, opened) = Store::open(&settings, TerminalId::from_bytes([2; 16]), now).unwrap();
        assert!(opened.shift.unwrap().is_open());
        let mut shift = store.last_closed_shift().unwrap().unwrap();
        let closed = shift.closed.as_mut().unwrap();
        let was = closed.report;
        if let Some(report) = set {
            closed.report = report;
            store.commit(&Commit { shift: Some(shift), ..Commit::default() }, now).unwrap();
        }
        was
    };
    report_of(&shop, Some(ReceiptState::Queued));
    shop.start_till().await;
    shop.till.receipt_with("COPY").await;
    until("a report that is printed", async || (report_of(&shop, None) == ReceiptState::Printed).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_office_gives_back_is_on_the_report() {
    let shop = Shop::open().await;
    shop.shift("open", sign_on(0)).await;
    let scanned = number(&shop.till.sell(json!({"amount_minor": 700, "method": "scan", "code": GOOD_CODE})).await);
    shop.till.sees(scanned, "state", "succeeded").await;
    shop.core.office_gives_back(scanned, 250);
    until("the refund", async || (shop.till.sale(scanned).await["refunds"][0]["state"] == "succeeded").then_some(()))
        .await;
    let closed = shop.shift("close", json!({"batch": 1, "counted_minor": 0})).await;
    assert_eq!(closed["closed"]["totals"]["elsewhere"], json!({"count": 1, "minor": 250}));
    assert_eq!(closed["closed"]["totals"]["customer_presented"]["refunds"]["count"], 0);
    assert!(shop.till.receipt_with("BATCH CLOSE").await.contains("Given back elsewhere"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_outlives_the_agent() {
    let mut shop = Shop::open().await;
    shop.shift("open", sign_on(100)).await;
    shop.till.sell(json!({"amount_minor": 1250, "method": "cash"})).await;
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.till.get("/api/state").await["shift"]["batch"], 1);
    shop.till.sell(json!({"amount_minor": 50, "method": "cash"})).await;
    assert_eq!(shop.refused("open", sign_on(0)).await.1, "shift_open");
    let body = json!({"batch": 1, "counted_minor": 1_400});
    let closed = shop.till.post("/api/shift/close", &body, "close-1").await;
    assert_eq!(closed.body["closed"]["over_short_minor"], 0, "{}", closed.body);
    shop.kill_till();
    shop.start_till().await;
    let again = shop.till.post("/api/shift/close", &body, "close-1").await;
    assert_eq!((again.status.as_u16(), &again.body["closed"]["counted_minor"]), (200, &json!(1_400)), "{}", again.body);
    shop.nothing_unsent().await;
    let closes = |known: &mut crate::core::Known| {
        known.journal.iter().filter(|record| matches!(record, Record::ShiftClosed { .. })).count()
    };
    assert_eq!(shop.core.look(closes), 1);
}

/// The plug is pulled after the close is on the disk and before the printer has it: the next start prints it, as a copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_was_not_printed_comes_after_the_restart() {
    let mut shop = Shop::open().await;
    shop.shift("open", sign_on(100)).await;
    shop.nothing_unsent().await;
    shop.stop_till().await;
    let path = shop.folder.path().join("journal.db");
    let log = shop.folder.path().join("journal.db-wal");
    until("the journal to be closed", async || (!log.exists()).then_some(())).await;
    {
        let settings = Settings { path, free_bytes_min: 0, pages_max: 0 };
        let now = Millis(1_790_000_000_000);
        let (mut store, opened) = Store::open(&settings, TerminalId::from_bytes([2; 16]), now).unwrap();
        store.sign_by(signer());
        let shift = opened.shift.unwrap();
        assert!(shift.is_open());
        let (counted, totals) = (Money::new(90, Currency::CNY), store.tally(&shift).unwrap());
        let expected = shift.expected(&totals).unwrap();
        let at_core = CoreTime::Unsaid;
        let closed =
            Closed { at: now, at_core, counted, expected, totals, in_doubt: Vec::new(), report: ReceiptState::Queued };
        let record = Record::ShiftClosed { batch: shift.batch, counted, expected, cashier: shift.cashier.clone() };
        let shift = Some(Shift { closed: Some(closed), ..shift });
        store.commit(&Commit { records: vec![record], shift, ..Commit::default() }, now).unwrap();
    }
    shop.start_till().await;
    let slip = shop.till.receipt_with("BATCH CLOSE").await;
    assert!(slip.contains("COPY") && slip.contains("-0.10"), "{slip}");
    shop.report_is("printed").await;
    shop.nothing_unsent().await;
    assert_eq!(shop.core.look(|known| known.journal.len()), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_settings_want_a_shift_nothing_is_sold_without_one() {
    let shop = Shop::open_where_shifts_are(ShiftRequired::Always).await;
    assert_eq!(shop.till.get("/api/state").await["shift_required"], true);
    for body in [
        json!({"amount_minor": 1, "method": "cash"}),
        json!({"amount_minor": 1, "method": "code"}),
        json!({"amount_minor": 1, "method": "scan"}),
    ] {
        let reply = shop.till.post("/api/sales", &body, &fresh_key()).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (409, &json!("no_shift")), "{body}");
    }
    shop.shift("open", sign_on(0)).await;
    let payment = number(&shop.till.sell(json!({"amount_minor": 5, "method": "cash"})).await);
    shop.shift("close", json!({"batch": 1, "counted_minor": 5})).await;
    assert_eq!(shop.till.press(payment, "refund", json!({"amount_minor": 1})).await.body["code"], "no_shift");
    assert_eq!(shop.till.press(payment, "reprint", nothing()).await.status, 200);
}
