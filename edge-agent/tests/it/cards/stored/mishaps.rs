//! What goes wrong around a card without a network: a core that takes nothing, clocks, a card that was charged already, losses.

use saoma_edge::journal::rests;
use time::{Duration, OffsetDateTime, macros::format_description};

use super::*;
use crate::restart::set_back;

impl Shop {
    async fn loses_core(&mut self) {
        self.core.switch_off().await;
        self.online(false).await;
    }

    /// Why no card is asked for, once the line is given up.
    async fn stays_closed(&self, why: &str) {
        until(why, async || {
            let refused = self.till.post("/api/sales", &card_of(100), &fresh_key()).await;
            assert_ne!(refused.status, 202, "{}", refused.body);
            (refused.body["code"] == why).then_some(())
        })
        .await;
        assert_eq!(self.till.get("/api/state").await["stored"]["why"], why);
    }

    async fn logged(&self, words: &str) {
        until(words, async || {
            let told = String::from_utf8(log().lock().unwrap().clone()).unwrap();
            told.contains(words).then_some(())
        })
        .await;
    }

    /// The key is pressed while core may be given up only in a moment.
    async fn key_card_without_core(&self, minor: i64) {
        until("a card to be awaited", async || {
            (self.till.post("/api/sales", &card_of(minor), &fresh_key()).await.status == 202).then_some(())
        })
        .await;
        self.reader_has_looked().await;
    }
}

/// What is sold then core would never forward, and a restart without a network forgets what core said.
#[tokio::test(flavor = "multi_thread")]
async fn a_till_of_which_core_takes_nothing_sells_to_no_card_after_a_restart_either() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    set_back(&mut shop, async |shop: &Shop| {
        shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
    })
    .await;
    shop.start_till().await;
    until("the stop", async || shop.till.get("/api/state").await["sync"]["stopped"].is_object().then_some(())).await;
    shop.loses_core().await;
    assert_eq!(shop.till.get("/api/state").await["stored"]["why"], "stored_stopped");
    shop.kill_till();
    shop.start_till().await;
    shop.stays_closed("stored_stopped").await;
    shop.till.sell(json!({"amount_minor": 100, "method": "cash"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_that_core_has_locked_sells_to_no_card_until_core_says_otherwise() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    shop.core.look(|known| known.locked = true);
    shop.rings("terminal_locked").await;
    // Whoever took it unplugs it, and starts it anew.
    shop.loses_core().await;
    shop.kill_till();
    shop.start_till().await;
    let refused = shop.till.post("/api/sales", &card_of(100), &fresh_key()).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &json!("terminal_locked")), "{}", refused.body);
    assert_eq!(shop.till.get("/api/state").await["stored"]["why"], "stored_stopped");
    shop.core.look(|known| known.locked = false);
    shop.core.switch_on();
    until("core's list", async || (shop.till.get("/api/state").await["stored"]["why"] == Value::Null).then_some(()))
        .await;
    shop.loses_core().await;
    shop.sells_to_card(100).await;
}

/// Let in again, it may go offline at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_lock_takes_no_cards_away_for_longer_than_it_lasts() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    // The till asks once more after news, and then not for minutes.
    let before = shop.core.look(|known| known.offline_asked);
    until("the last question", async || shop.core.look(|known| known.offline_asked > before).then_some(())).await;
    shop.core.look(|known| known.locked = true);
    shop.rings("terminal_locked").await;
    until("the list to be off", async || {
        (shop.till.get("/api/state").await["stored"]["why"] == "stored_stopped").then_some(())
    })
    .await;
    shop.core.look(|known| known.locked = false);
    until("core's list", async || {
        let state = shop.till.get("/api/state").await;
        (state["stored"]["why"] == Value::Null && state["alarms"] == json!([])).then_some(())
    })
    .await;
    shop.loses_core().await;
    shop.sells_to_card(100).await;
}

/// The sale's entry, and the limits, go by core's clock: so do the card's dates, and what the chip itself is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_clock_is_a_year_behind_takes_no_card_that_has_run_out() {
    let mut shop = open().await;
    let ahead = Duration::days(400);
    shop.core.look(|known| known.ahead_ms = i64::try_from(ahead.whole_milliseconds()).unwrap());
    shop.core_says(|offline| *offline = Some(list(|_| {}))).await;
    until("the list", async || shop.till.get("/api/state").await["stored"].is_object().then_some(())).await;
    shop.loses_core().await;
    let day = |at: OffsetDateTime| at.format(format_description!("[year repr:last_two][month][day]")).unwrap();
    let now = OffsetDateTime::now_utc() + Duration::hours(8);
    shop.key_card_without_core(100).await;
    shop.step("present", None).await;
    shop.customer(&format!(r#"insert {{"number": "4012345678909", "expiry": "{}"}}"#, day(now + Duration::days(200))));
    shop.step("remove", Some("out_of_date")).await;
    shop.customer("remove");
    shop.step("present", Some("out_of_date")).await;
    shop.customer(&format!(r#"insert {{"number": "4012345678909", "expiry": "{}"}}"#, day(now + Duration::days(600))));
    shop.first_sale().await;
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let [card] = shop.stored().try_into().unwrap();
    let emv = card.emv.unwrap();
    // Midnight may pass meanwhile.
    let then = now + ahead;
    assert!([then, then + Duration::days(1)].iter().any(|at| emv.contains(&format!("9a03{}", day(*at)))), "{emv}");
}

/// Core may charge it for the first yet, and neither the cashier nor the customer would see that.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_sale_has_no_answer_is_not_sold_to_again_before_that_is_cancelled() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    shop.core.look(|known| known.silent = true);
    shop.key_card(700).await;
    shop.insert_and_key_pin().await;
    let first = shop.first_sale().await;
    assert_eq!(first["state"], "sending", "{first}");
    shop.loses_core().await;
    shop.customer("remove");
    shop.key_card_without_core(700).await;
    shop.step("present", None).await;
    shop.customer(CHIP);
    shop.logged("stored_card_in_doubt").await;
    shop.customer("remove");
    assert_eq!(shop.sold().await.len(), 1);
    // Another card, then this one once the first is given up.
    shop.key_card_without_core(700).await;
    shop.step("present", None).await;
    shop.customer(r#"insert {"number": "4012345678917"}"#);
    until("the second sale", async || (shop.sold().await.len() == 2).then_some(())).await;
    shop.customer("remove");
    assert_eq!(shop.till.press(number(&first), "cancel", nothing()).await.status, 200);
    shop.sells_to_card(700).await;
    shop.core.look(|known| known.silent = false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_counted_over_a_restart_until_somebody_has_seen_it() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    let lost = [number(&shop.sells_to_card(700).await), number(&shop.sells_to_card(800).await)];
    let waits = number(&shop.sells_to_card(900).await);
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let journal = shop.folder.path().join("journal.db");
    shop.till.sees(waits, "receipt", "printed").await;
    until("no release to be held back by the acquirer", async || rests(&journal).unwrap().then_some(())).await;
    for payment in lost {
        shop.core.bank_says(payment, false);
        shop.till.sees(payment, "state", "failed").await;
    }
    shop.kill_till();
    shop.start_till().await;
    let told = async |shop: &Shop| {
        let stored = shop.till.get("/api/state").await["stored"].clone();
        ["declined_count", "declined_minor", "waiting_count"].map(|name| stored[name].as_i64().unwrap())
    };
    assert_eq!(told(&shop).await, [2, 1_500, 1]);
    shop.rings("stored_declined").await;
    let state = shop.till.get("/api/state").await;
    let named = state["stored"]["to_acknowledge"].as_array().unwrap();
    let first = json!({
        "payment": lost[0], "counter": 1, "amount_minor": 700, "masked": "401234***8909", "code": "stored_declined",
    });
    assert_eq!((named.len(), &named[0]), (2, &first), "oldest first");
    for (seen, left) in lost.into_iter().zip([[1, 800, 1], [0, 0, 1]]) {
        let sale = shop.till.sale(seen).await;
        assert!(sale["actions"].as_array().unwrap().contains(&json!("acknowledge")), "{sale}");
        let key = fresh_key();
        let path = format!("/api/sales/{seen}/acknowledge");
        for _ in 0..2 {
            let pressed = shop.till.post(&path, &nothing(), &key).await;
            assert_eq!((pressed.status.as_u16(), &pressed.body["state"]), (200, &json!("failed")), "{}", pressed.body);
        }
        assert_eq!(shop.till.press(seen, "acknowledge", nothing()).await.body["code"], "not_now");
        assert_eq!(told(&shop).await, left);
    }
    shop.kill_till();
    shop.start_till().await;
    assert_eq!(told(&shop).await, [0, 0, 1]);
    shop.core.bank_says(waits, false);
    shop.rings("stored_declined").await;
    assert_eq!(shop.till.press(waits, "acknowledge", nothing()).await.status, 200);
    assert_eq!(shop.till.get("/api/state").await["alarms"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_while_the_card_is_read_is_told_and_the_sale_keyed_again() {
    let mut shop = Shop::open_where_cards_are_stored(|_| {}).await;
    shop.key_card(700).await;
    shop.customer(CHIP);
    shop.step("pin", None).await;
    shop.loses_core().await;
    shop.customer("pin 1234");
    shop.logged("stored_line_went").await;
    shop.customer("remove");
    assert_eq!(shop.sold().await, Vec::<Value>::new());
    assert_eq!(shop.sold().await, Vec::<Value>::new());
    shop.sells_to_card(700).await;
}

/// The reports of a shop come to what was paid: none of them has what was sold with no shift open.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_with_no_shift_open_and_declined_is_taken_off_no_report() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    let open = async |shop: &Shop| {
        let open = json!({"float_minor": 0, "cashier": "Li", "cashier_number": "7"});
        assert!(shop.till.post("/api/shift/open", &open, &fresh_key()).await.status.is_success());
    };
    let close = async |shop: &Shop, batch: u64| {
        let close = json!({"batch": batch, "counted_minor": 0});
        let closed = shop.till.post("/api/shift/close", &close, &fresh_key()).await;
        assert!(closed.status.is_success(), "{}", closed.body);
        closed.body["closed"]["totals"]["declined"].clone()
    };
    let nothing_lost = json!({"count": 0, "minor": 0});
    let before_any = number(&shop.sells_to_card(100).await);
    open(&shop).await;
    let of_the_first = number(&shop.sells_to_card(200).await);
    assert_eq!(close(&shop, 1).await, nothing_lost);
    let between = number(&shop.sells_to_card(400).await);
    open(&shop).await;
    shop.core.switch_on();
    shop.nothing_unsent().await;
    shop.core.bank_says(before_any, false);
    shop.till.sees(before_any, "state", "failed").await;
    assert_eq!(close(&shop, 2).await, nothing_lost);
    open(&shop).await;
    for lost in [between, of_the_first] {
        shop.core.bank_says(lost, false);
        shop.till.sees(lost, "state", "failed").await;
    }
    assert_eq!(close(&shop, 3).await, json!({"count": 1, "minor": 200}));
}

/// Core keeps a sale that it may not forward by itself until a person there lets it go.
#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_waits_for_a_person_at_core_is_not_called_the_banks() {
    let mut shop = Shop::open_without_network(|_| {}).await;
    let payment = number(&shop.sells_to_card(700).await);
    shop.core.switch_on();
    shop.nothing_unsent().await;
    let counts = async |shop: &Shop| {
        let stored = shop.till.get("/api/state").await["stored"].clone();
        ["waiting_count", "office_count", "office_minor"].map(|name| stored[name].as_i64().unwrap())
    };
    assert_eq!(counts(&shop).await, [1, 0, 0]);
    shop.core.waits_for_a_person(payment, true);
    until("the office to be waited for", async || (counts(&shop).await == [0, 1, 700]).then_some(())).await;
    assert_eq!(shop.till.sale(payment).await["awaits_office"], true);
    let refused = shop.till.press(payment, "refund", json!({"amount_minor": 1})).await;
    assert_eq!(refused.body["code"], "stored_held", "{}", refused.body);
    shop.core.waits_for_a_person(payment, false);
    until("the bank to be waited for", async || (counts(&shop).await == [1, 0, 0]).then_some(())).await;
    shop.core.bank_says(payment, true);
    shop.till.sees(payment, "state", "succeeded").await;
    assert_eq!(counts(&shop).await, [0, 0, 0]);
}
