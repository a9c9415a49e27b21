//! Core does not say, or does not do, what the till expects of it.

use super::*;
use crate::restart::set_back;

/// Core holds what it cannot verify, and has no such sale: whoever gives it back is told so, also when the answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_a_sale_that_core_holds_ends_in_words() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let open = json!({"cashier": "Li", "cashier_number": "7", "float_minor": 0});
    assert_eq!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status, 201);
    shop.core.look(|known| known.offline.as_mut().unwrap().issuers.clear());
    let payment = number(&shop.takes(1_000, &Phone::new(1).code(1)).await);
    shop.nothing_unsent().await;
    let alarms = shop.till.get("/api/state").await["alarms"].clone();
    assert!(alarms.as_array().unwrap().iter().any(|alarm| alarm["code"] == "journal_held"), "{alarms}");
    let refused = shop.till.press(payment, "refund", json!({"amount_minor": 250})).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (409, &json!("offline_not_booked")),
        "{}",
        refused.body
    );
    // The next one has no answer, and the plug is pulled.
    shop.core.look(|known| known.silent = true);
    let (client, url) = (reqwest::Client::new(), format!("{}/api/sales/{payment}/refund", shop.till.base));
    let request = client
        .post(url)
        .header("x-saoma-till", "1")
        .header("idempotency-key", "refund-1")
        .json(&json!({"amount_minor": 300}));
    let pressed = tokio::spawn(request.send());
    until("the refund to be written", async || {
        let sale = shop.till.sale(payment).await;
        sale["refunds"].as_array().is_some_and(|refunds| refunds.len() == 2).then_some(())
    })
    .await;
    shop.kill_till();
    pressed.abort();
    shop.core.look(|known| known.silent = false);
    shop.start_till().await;
    let sale = until("the refund to end", async || {
        let sale = shop.till.sale(payment).await;
        (sale["refunds"][1]["state"] == "failed").then_some(sale)
    })
    .await;
    assert_eq!(sale["refunds"][1]["failure"]["code"], "offline_not_booked", "{sale}");
    assert_eq!((&sale["state"], &sale["refunded_minor"]), (&json!("succeeded"), &json!(0)), "{sale}");
    let close = json!({"batch": 1, "counted_minor": 0});
    let closed = shop.till.post("/api/shift/close", &close, &fresh_key()).await;
    assert!(closed.status.is_success() && closed.body["closed"].is_object(), "{}", closed.body);
}

/// A core that was set back to an older release cannot read what a code would be written down as.
#[tokio::test(flavor = "multi_thread")]
async fn a_core_without_a_list_takes_it_away() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let phone = Phone::new(1);
    shop.takes(1, &phone.code(1)).await;
    shop.core_says(|offline| *offline = None).await;
    until("the end", async || shop.till.get("/api/state").await["offline"].is_null().then_some(())).await;
    assert_eq!(shop.refuses(1, &phone.code(2)).await, "offline_codes_off");
    // It is on the disk, and core is away.
    shop.core.switch_off().await;
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(shop.refuses(1, &phone.code(2)).await, "offline_codes_off");
    shop.core.look(|known| known.offline = Some(list(LIMITS)));
    shop.core.switch_on();
    until("the list", async || shop.till.get("/api/state").await["offline"].is_object().then_some(())).await;
    shop.takes(1, &phone.code(2)).await;
}

/// What core does not take it would not book: at least no more is put at risk.
#[tokio::test(flavor = "multi_thread")]
async fn while_core_takes_no_entries_no_code_is_taken() {
    let shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let phone = Phone::new(1);
    shop.core.look(|known| known.knows_no_baskets = true);
    shop.takes(100, &phone.code(1)).await;
    until("the stop", async || shop.till.get("/api/state").await["sync"]["stopped"].is_object().then_some(())).await;
    assert_eq!(shop.refuses(100, &phone.code(2)).await, "offline_stopped");
    assert_eq!(shop.till.get("/api/state").await["offline"]["why"], "offline_stopped");
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    // Core is updated, and somebody at the till lets it send again.
    shop.core.look(|known| known.knows_no_baskets = false);
    assert_eq!(shop.till.post("/api/sync-now", &json!({}), &fresh_key()).await.status, 200);
    shop.nothing_unsent().await;
    shop.takes(100, &phone.code(2)).await;
}

/// The disk is replaced by a copy of an earlier hour, whose next number core has: what is sold under it core would never book.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_set_back_takes_no_code_while_core_can_say_so() {
    let mut shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let phone = Phone::new(1);
    set_back(&mut shop, async |shop| _ = shop.takes(700, &phone.code(1)).await).await;
    shop.start_till().await;
    // At once, faster than core's word on the journal.
    let refused = shop.scans(700, &phone.code(2)).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (503, &json!("journal_failed")), "{}", refused.body);
    assert_eq!(shop.sales().await, 0);
}

/// One that was a day ahead does not keep out what the others say; what was kept on the way is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_counts_whatever_clock_its_node_has() {
    let shop = Shop::open_where_codes_are_taken(LIMITS).await;
    let phone = Phone::new(1);
    let why = async |why: Value| {
        until(&format!("{why}"), async || (shop.till.get("/api/state").await["offline"]["why"] == why).then_some(()))
            .await;
    };
    shop.core.look(|known| known.ahead_ms = 86_400_000);
    shop.core_says(|_| {}).await;
    // It asks again only once it has taken that in.
    shop.core_says(|_| {}).await;
    assert_eq!(shop.refuses(1, &phone.code(1)).await, "offline_grant_over");
    shop.core.look(|known| known.ahead_ms = 0);
    shop.core_says(|offline| offline.as_mut().unwrap().denied.push("0202020202020202".to_owned())).await;
    until("the day of today", async || (shop.scans(1, &phone.code(1)).await.status == 201).then_some(())).await;
    assert_eq!(shop.refuses(1, &Phone::new(2).code(1)).await, "offline_code_denied");
    why(Value::Null).await;
    // A minute old: whoever answers so had it from somewhere.
    shop.core.look(|known| known.ahead_ms = -60_000);
    shop.core_says(|offline| offline.as_mut().unwrap().denied.clear()).await;
    shop.core_says(|_| {}).await;
    assert_eq!(shop.refuses(1, &Phone::new(2).code(1)).await, "offline_code_denied");
}

/// The hours are core's to set; their edges are in the unit tests, for nobody waits for a day here.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_core_allows_takes_no_code() {
    let limits = OfflineLimits { unsent_hours_max: 0, ..LIMITS };
    let mut shop = Shop::open_where_codes_are_taken(limits).await;
    let phone = Phone::new(1);
    shop.core.switch_off().await;
    shop.online(false).await;
    shop.takes(1, &phone.code(1)).await;
    let why = async |why: &str| {
        until(why, async || (shop.till.get("/api/state").await["offline"]["why"] == why).then_some(())).await;
    };
    why("offline_unsent_age").await;
    assert_eq!(shop.refuses(1, &phone.code(2)).await, "offline_unsent_age");
    shop.core
        .look(|known| known.offline.as_mut().unwrap().limits = Some(OfflineLimits { list_hours_max: 0, ..LIMITS }));
    shop.core.switch_on();
    shop.nothing_unsent().await;
    why("offline_list_old").await;
    assert_eq!(shop.refuses(1, &phone.code(2)).await, "offline_list_old");
}
